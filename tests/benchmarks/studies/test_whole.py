from collections.abc import Callable
from dataclasses import replace

from benchmarks.probes.answers import Answers
from benchmarks.probes.published import extractions
from benchmarks.probes.records import ProbeRecord
from benchmarks.studies.whole import FIVE_CLASSES, ONE_PASS, SEGMENTATION, measured, whole_tables


def test_every_machine_measures_it_and_table_3_has_it_too() -> None:
    assert measured("cpu") == measured("cuda") == [SEGMENTATION, FIVE_CLASSES]
    assert SEGMENTATION in extractions()
    assert SEGMENTATION.config.shape == (512, 512, 512)
    assert vars(SEGMENTATION.config)["encoder_channels"] == (8, 16, 32, 64, 128)
    assert vars(FIVE_CLASSES.config) == vars(SEGMENTATION.config) | {"classes": 5}
    # Records that were made before there were classes are still those of the same probe.
    assert FIVE_CLASSES.plain() == SEGMENTATION.plain() | {"classes": 5}


def test_the_pass_the_prediction_and_the_machine_stand_together(record: Callable[..., ProbeRecord]) -> None:
    cpu = record("whole", SEGMENTATION, "cpu", 2.0)
    of_process = {"process_bytes": 3 * 10**9, "resident_before_bytes": 4 * 10**8, "wall_s": 300.4}
    records = {
        "predicted": {p: record("whole", p, "predicted", size) for p, size in ((ONE_PASS, 1.0), (SEGMENTATION, 2.5))},
        "cpu": {SEGMENTATION: replace(cpu, result={**(cpu.result or {}), **of_process})},
    }
    (grid,) = whole_tables(Answers(records))
    assert [[cell.text for cell in row] for row in grid.rows] == [
        ["one pass", "Predicted", "1.00", "2.00", "–", "–", "–"],
        ["segmentation", "Predicted", "2.50", "5.00", "–", "–", "–"],
        ["segmentation", "GPU", *["not measured"] * 4, "–"],
        ["segmentation", "CPU", "2.00", "4.00", "3.00", "0.40", "300"],
        ["segmentation, 5 classes", "Predicted", *["not predicted"] * 4, "–"],
        *(["segmentation, 5 classes", machine, *["not measured"] * 4, "–"] for machine in ("GPU", "CPU")),
    ]
