from benchmarks.probes.answers import Answers
from benchmarks.probes.records import CPU, PREDICTED, ProbeRecord
from benchmarks.studies.speed import DECODER, EXTRACTIONS, TRAINING, measured, predicted, speed_tables

PROVENANCE = {"cpu": {"model": "Test CPU", "torch_threads": 2}}
WAYS = {"released": [4.0, 6.0, 5.0], "plain": [2.0, 2.5, 2.0], "suite": [1.0, 2.0, 1.0]}


def test_every_probe_is_another_and_none_is_answered_in_both_ways() -> None:
    probes = [*predicted(), *measured("cpu")]
    assert len(set(probes)) == len(probes)
    assert {probe.quantity for probe in predicted()} == {"memory"}
    assert {probe.quantity for probe in measured("cpu")} == {"comparison"}
    assert measured("cpu") == measured("cuda")


def test_ratios_of_medians_with_the_intervals_of_rounds() -> None:
    counts = {way: [100, 20] for way in WAYS}
    results = {
        DECODER: {"seconds": WAYS, "largest_error": {"released": 2e-6, "plain": 0.0, "suite": 3e-6}},
        EXTRACTIONS[0]: {
            "seconds": {way: seconds[:1] for way, seconds in WAYS.items()},
            "evaluated": counts,
            "differing_voxels": dict.fromkeys(WAYS, 7),
        },
        TRAINING: {"seconds": {"plain": [2.0], "checkpointing": [3.0], "lean": [2.5], "leanest": [4.0]}},
    }
    answers = Answers(
        {
            CPU: {
                probe: ProbeRecord("speed", probe, CPU, result, None, PROVENANCE) for probe, result in results.items()
            },
            PREDICTED: {
                probe: ProbeRecord("speed", probe, PREDICTED, {"allocated_bytes": 25 * 10**7}, None, PROVENANCE)
                for probe in predicted()
            },
        }
    )
    *_, inference, training, memory = speed_tables(answers)
    decoder, mise, released, *_ = ([cell.text for cell in row] for row in inference.rows)
    # Medians: 5, 2 and 1 s.
    assert decoder[1:] == ["8,192", "5", "2", "1", "2.00", "5.00", "0.0e+00", "3.0e-06"]
    # Rounds: 2 / 1, 2.5 / 2, 2 / 1.
    assert inference.rows[0][5].detail == "[1.25, 2]"
    assert mise[1:] == ["120", "4", "2", "1", "2.00", "4.00", "7 voxels", "7 voxels"]
    assert released[1:] == ["–", *["not measured"] * 3, *["–"] * 4]
    assert [row[2].text for row in training.rows] == ["1.00", "1.50", "1.25", "2.00"]
    assert {cell.text for row in memory.rows for cell in row[4:]} == {"0.25", "–"}
    # Two steps in five ways, three passes in three, and three segmentations in two.
    assert sum(cell.text == "0.25" for row in memory.rows for cell in row[4:]) == 2 * 5 + 3 * 3 + 3 * 2
