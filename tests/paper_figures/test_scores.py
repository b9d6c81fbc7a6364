"""Numbers of figures, on records that can be averaged by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.studies.confidence import CONFIDENCE
from benchmarks.studies.table2 import TABLE2
from paper_figures.scores import read_numbers, read_own_numbers


def test_a_number_has_its_seeds_and_the_papers_beside_it(tmp_path: Path, write_records: Any) -> None:
    write_records(tmp_path, "table2", [("c", 0, {}, 0.7), ("c", 1, {}, 0.8), ("d", 0, {}, "OOM")])
    ((numbers,),) = read_numbers(TABLE2, tmp_path).values()
    assert numbers.key == ("glioma", "laptop", "dense")
    dice = numbers.rows.set_index("quantity").loc["dice"]
    assert dice["by_seed"] == pytest.approx([0.7, 0.8])
    assert (dice["value"], dice["published"]) == pytest.approx((0.75, 0.8842))
    assert dice["low"] < 0.7
    assert (dice["low"] + dice["high"]) / 2 == pytest.approx(0.75)
    assert numbers.failures["reason"].tolist() == ["OOM"]
    assert numbers.title.endswith("seeds: 2; cases: 2")


def test_seeds_are_in_order_in_whatever_order_they_are_recorded(tmp_path: Path, write_records: Any) -> None:
    write_records(tmp_path, "table2", [("c", seed, {}, 0.3 + seed / 10) for seed in (2, 0, 1)])
    ((numbers,),) = read_numbers(TABLE2, tmp_path).values()
    dice = numbers.rows.set_index("quantity").loc["dice"]
    assert dice["by_seed"] == pytest.approx([0.3, 0.4, 0.5])
    assert dice["value"] == pytest.approx(0.4)


def test_profiles_are_apart_and_data_sets_together(tmp_path: Path, write_records: Any) -> None:
    for dataset, profile in (("liver", "laptop"), ("glioma", "laptop"), ("glioma", "paper")):
        write_records(tmp_path, "table2", [("c", 0, {}, 0.7)], dataset, profile)
    found = read_numbers(TABLE2, tmp_path)
    assert {profile: [of_data.key[0] for of_data in numbers] for profile, numbers in found.items()} == {
        "laptop": ["glioma", "liver"],
        "paper": ["glioma"],
    }


def test_failures_of_other_data_sets_are_not_ours(tmp_path: Path, write_records: Any) -> None:
    write_records(tmp_path, "table2", [("c", 0, {}, 0.7)])
    write_records(tmp_path, "table2", [("c", 0, {}, 0.7), ("d", 0, {}, "OOM")], "liver")
    glioma, liver = read_numbers(TABLE2, tmp_path)["laptop"]
    assert (len(glioma.failures), len(liver.failures)) == (0, 1)


def test_a_seed_without_a_valid_score_has_no_mean(tmp_path: Path, write_records: Any) -> None:
    write_records(tmp_path, "table2", [("c", 0, {}, 0.7), ("c", 1, {}, None), ("d", 0, {}, None)])
    ((numbers,),) = read_numbers(TABLE2, tmp_path).values()
    dice = numbers.rows[numbers.rows["quantity"] == "dice"].set_index("model")
    assert dice.loc["c", "by_seed"] == pytest.approx([0.7, np.nan], nan_ok=True)
    assert dice.loc["c", "seeds"] == 1
    assert np.isnan(dice.loc["d", "value"])


def test_without_scores_there_are_no_numbers(tmp_path: Path, write_records: Any) -> None:
    assert read_numbers(TABLE2, tmp_path) == {}
    write_records(tmp_path, "table2", [("c", 0, {}, "OOM")])
    assert read_numbers(TABLE2, tmp_path) == {}


def test_a_figure_of_one_model_shows_no_others(tmp_path: Path, write_records: Any) -> None:
    runs = [(model, 0, {"sampling": "uniform"}, 0.7) for model in ("mine", "c")]
    write_records(tmp_path, "confidence", runs)
    write_records(tmp_path, "confidence", runs[:1], "liver")
    write_records(tmp_path, "confidence", runs[:1], profile="paper")
    ((numbers,),) = (found := read_own_numbers(CONFIDENCE, tmp_path)).values()
    assert (list(found), numbers.key[0], set(numbers.rows["model"])) == (["laptop"], "glioma", {"c"})
