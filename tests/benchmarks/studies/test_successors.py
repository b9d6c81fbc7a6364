"""Tables of later models beside the paper's: only where they are predicted, and nowhere in the paper's own tables."""

from collections.abc import Callable

from benchmarks.names import MODEL_NAMES, SUCCESSOR_NAMES
from benchmarks.probes.answers import Answers
from benchmarks.probes.records import PREDICTED, ProbeRecord
from benchmarks.studies import successors
from benchmarks.studies.memory_table import table3_tables
from benchmarks.studies.scaling import predicted_of_successors, scaling_tables
from benchmarks.studies.table2 import TABLE2

Record = Callable[..., ProbeRecord]


def test_they_are_no_models_of_the_papers_tables() -> None:
    assert not {*SUCCESSOR_NAMES} & {*MODEL_NAMES}
    assert TABLE2.layout.rows == [(model,) for model in MODEL_NAMES]


def test_each_is_predicted_by_phase_and_in_function_space_its_segmentation_too() -> None:
    probes = successors.memory("brats", (256, 256, 160))
    steps = {(model, phase) for model in SUCCESSOR_NAMES for phase in ("training", "inference")}
    assert {(probe.model, probe.phase) for probe in probes} == {*steps, ("iosnet", "extraction")}


def test_their_tables_are_there_once_they_are_predicted(record: Record) -> None:
    without = len(table3_tables(Answers({}))), len(scaling_tables(Answers({})))
    probes = [*successors.paper_volumes(), *predicted_of_successors()]
    answers = Answers({PREDICTED: {probe: record("table3", probe, PREDICTED, 2.0) for probe in probes}})
    table3, scaling = table3_tables(answers), scaling_tables(answers)
    assert (len(table3), len(scaling)) == (without[0] + 1, without[1] + 1)
    first = [cell.text for cell in table3[-1].rows[0]]
    assert first[:6] == ["IOSNet", "BraTS 2020", "256x256x160", "training", "2¹⁴", "2.00"]
    assert len(table3[-1].rows) == len(successors.paper_volumes())
    rows = {tuple(cell.text for cell in row[:2]): [cell.text for cell in row[2:]] for row in scaling[1].rows}
    assert rows["training", "HNOSeg-XS"] == ["2.00"] * 5
    assert rows["extraction", "HNOSeg-XS"] == ["see inference"] * 5
    assert rows["extraction", "IOSNet"] == ["2.00"] * 5
