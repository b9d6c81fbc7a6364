"""The closed-form volume below the table of inferences."""

from pathlib import Path

from benchmarks.probes.answers import Answers
from benchmarks.probes.records import ProbeRecord, write_records
from benchmarks.studies import figure5
from benchmarks.studies.inference import EXTRACTIONS, closed_form_grid

EVALUATED = {"mise": [1000, 100, 900], "paper-prior": [500, 500, 2000], "released": [1000, 0, 500]}


def test_evaluations_and_runtimes_of_the_papers_size(tmp_path: Path) -> None:
    provenance = {"cpu": {"model": "a fine CPU", "torch_threads": 2}}
    write_records(
        [
            ProbeRecord(
                "figure5",
                probe,
                "cpu",
                {"median_s": 2.0, "low_s": 1.0, "high_s": 3.0, "evaluated": EVALUATED[str(probe.extraction)]},
                None,
                provenance,
            )
            for probe in figure5.measured("cpu")
            if probe.shape == (256, 256, 160) and probe.extraction in EVALUATED
        ],
        tmp_path,
    )
    grid = closed_form_grid(Answers.read("figure5", tmp_path))
    cells = {row[0].text: [cell.text for cell in row[1:]] for row in grid.rows}
    assert list(cells) == list(EXTRACTIONS.values())
    text, code = (cells[EXTRACTIONS[name]] for name in ("paper-prior", "released-prior"))
    # The encoder's cells are of 32 voxels: none of the target is missed, and most of what is marked is not target.
    prior = {"paper-prior": ("0.186", "1.000"), "released-prior": ("0.121", "1.000")}
    # The ratio is to the original inference by the same reading.
    assert text == ["3,000", "500 + 500 + 2,000", "1.500", *prior["paper-prior"], "2"]
    assert code == ["not measured", "–", "–", *prior["released-prior"], "not measured"]
    assert cells[EXTRACTIONS["mise"]] == ["2,000", "1,000 + 100 + 900", "–", "–", "–", "2"]
    assert cells[EXTRACTIONS["dense"]][0] == f"{256 * 256 * 160:,}"
    assert "a fine CPU" in grid.notes
