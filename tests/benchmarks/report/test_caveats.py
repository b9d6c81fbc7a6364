"""Notes of tables about their runs, on specifications given by hand."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.commands.collect import write_study
from benchmarks.probes.answers import Answers
from benchmarks.report.caveats import caveats_of, scaled_border_width
from benchmarks.report.score_records import Records
from benchmarks.studies.table2 import TABLE2
from benchmarks.study import Findings

OCCUPANCY = {"normalization": "scalar"}


def record(
    dataset: str = "own", protocol: str = "dense", network: dict[str, Any] | None = None, **result: Any
) -> dict[str, Any]:
    """Record a run that draws locations uniformly; `strategy`, `border_width`, `sampling` and `shape` change that."""
    sampling = {
        "strategy": result.pop("strategy", "uniform"),
        "border_width": result.pop("border_width", 7),
        "protocol": result.pop("sampling", "paper"),
    }
    training = {
        "network": OCCUPANCY if network is None else network,
        "preprocessing": {"shape": result.pop("shape", [64, 64, 64])},
        "recipe": {"batch_size": result.pop("batch_size", 4), "sampling": sampling},
    }
    if "norm_parts" in result:
        training["recipe"]["norm_parts"] = result.pop("norm_parts")
    return {
        **{"study": "table2", "dataset": dataset, "profile": "laptop", "model": "c", "seed": 0, "columns": {}},
        **{"spec": {"training": training}, "result": {"protocol": protocol} | result, "scores": {"dice": {"x": 0.5}}},
    }


def caveats(*rows: dict[str, Any]) -> str:
    """Join the caveats of runs that are all in one table."""
    ((_, sentences),) = caveats_of([Records("table2", rows[0]["dataset"], "laptop", rows)]).items()
    return " | ".join(sentences)


@pytest.mark.parametrize(
    ("shape", "paper_shape", "width"),
    [
        ((512, 512, 512), (512, 512, 512), 25),
        ((64, 64, 64), (512, 512, 512), 3),  # 3.125
        ((64, 64, 48), (256, 256, 160), 7),  # 6.67
        ((128, 128, 80), (256, 256, 160), 13),  # 12.5
        ((8, 8, 8), (512, 512, 512), 1),
    ],
)
def test_the_papers_border_scaled_to_another_grid(
    shape: tuple[int, ...], paper_shape: tuple[int, ...], width: int
) -> None:
    assert scaled_border_width(shape, paper_shape) == width


def test_the_width_of_a_border_and_what_the_papers_would_be() -> None:
    liver = caveats(record("liver", strategy="border"))
    assert "border of 7 voxels" in liver
    assert "3 from the 512 x 512 x 512 of LiTS" in liver
    glioma = caveats(record("glioma", strategy="border", shape=[64, 64, 48], border_width=9))
    assert "border of 9 voxels" in glioma
    assert "7 from the 256 x 256 x 160" in glioma
    assert "LiTS" not in glioma
    several = [record(strategy="border", shape=[64, 64, 48], border_width=width) for width in (13, 3, 13)]
    assert "border of 3 or 13 voxels" in caveats(*several)
    # Other data may be like either of the paper's.
    other = caveats(record("own", strategy="border", shape=[128, 128, 128]))
    assert "BraTS 2020, 7 from the 512 x 512 x 512 of LiTS" in other


@pytest.mark.parametrize(
    "changes", [{}, {"strategy": "border", "sampling": "released"}, {"strategy": "border", "network": {"groups": 8}}]
)
def test_without_a_border_none_is_mentioned(changes: dict[str, Any]) -> None:
    assert "Border" not in "".join(caveats_of([Records("t", "own", "laptop", (record(**changes),))]).popitem()[1])


def test_batches_of_batch_norms() -> None:
    assert "4 or 8 cases" in caveats(record(), record(batch_size=8), record(batch_size=2, network={}))
    assert caveats(record(network={"groups": 8})) == ""
    assert "of each of 2 parts of batches of 8 cases" in caveats(record(batch_size=8, norm_parts=2))
    assert len(caveats(record(), record(norm_parts=2)).split(" | ")) == 2


def test_lits_is_scored_on_its_own_grids_and_its_stand_in_needs_no_remark() -> None:
    assert "own grid" in caveats(record("lits"))
    assert "own grid" not in caveats(record("liver"))


def test_where_the_epoch_was_chosen_on_the_scored_cases() -> None:
    assert "epoch" in caveats(record(protocol="dense, validation cases"))
    assert "epoch" not in caveats(record())


def test_cases_of_unknown_spacing_are_named_once() -> None:
    sentences = caveats(record(cases_without_spacing=["b", "a"]), record(cases_without_spacing=["a"]))
    assert "2 cases" in sentences
    assert sentences.endswith("a, b")


def test_each_table_has_the_caveats_of_its_runs(tmp_path: Path) -> None:
    protocols = [{"protocol": "paper", "locations": 8, "border_share": 0}]
    scored = record(protocol="dense, validation cases", sampled_protocols=protocols)
    failed = {key: value for key, value in scored.items() if key not in ("scores", "result")} | {"failure": "OOM"}
    sampled = {"sampled_scores": {"paper": {"dice": {"x": 0.4}}}}
    own = (*(scored | sampled | {"model": model} for model in ("c", "d")), failed | {"model": "a"})
    lits = tuple(record("lits") | {"model": model} for model in ("c", "d"))
    records = [Records("table2", "lits", "laptop", lits), Records("table2", "own", "laptop", own)]
    assert caveats_of(records).keys() == {("lits", "laptop", "dense"), ("own", "laptop", "dense, validation cases")}
    write_study(TABLE2, Findings(records, Answers({}), tmp_path), tmp_path / "table2")
    tables = {path.stem: path.read_text(encoding="utf-8") for path in tmp_path.glob("*.md")}
    assert tables.keys() == {"table2", "table2-comparisons", "table2-cost", "table2-protocols"}
    assert all("the epoch of each training" in text for text in tables.values())
    of_lits, of_own = tables["table2"].split("Data set own")
    assert ["own grid" in text for text in (of_lits, of_own)] == [True, False]
    assert ["the epoch of each training" in text for text in (of_lits, of_own)] == [False, True]
    assert "profile laptop, validation cases; cases" in tables["table2-protocols"]
