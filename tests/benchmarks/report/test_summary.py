"""From scores to the numbers of a table, on scores that can be averaged by hand."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.layout import Layout
from benchmarks.names import MODEL_NAMES
from benchmarks.report.summary import columns_of, summarise
from ossnet.errors import UserError
from ossnet.evaluation.quantities import QUANTITIES

NAN = math.nan

PUBLISHED = pd.DataFrame(
    [
        ("table2", "brats", "c", "dice", 0.8842),
        ("table2", "lits", "c", "dice", 0.7616),
        ("table1", "brats", "c", "dice", 0.1),
    ],
    columns=["table", "dataset", "model", "quantity", "value"],
)
LAYOUT = Layout("table2", "Table 2", {"model": "Model"}, [(model,) for model in MODEL_NAMES])


def scores_of(
    values: dict[tuple[str, int], list[float]], dataset: str = "glioma", quantity: str = "dice", unit: str = ""
) -> pd.DataFrame:
    """Scores by (model, seed), one a case."""
    rows = [
        (dataset, "laptop", "dense", model, seed, f"case-{case}", quantity, score, unit)
        for (model, seed), of_cases in values.items()
        for case, score in enumerate(of_cases)
    ]
    columns = ["dataset", "profile", "protocol", "model", "seed", "case", "quantity", "value", "unit"]
    return pd.DataFrame(rows, columns=columns)


def numbers(scores: pd.DataFrame, **options: pd.DataFrame) -> pd.DataFrame:
    return summarise(scores, PUBLISHED, LAYOUT, **options)


def assert_equal(one: pd.DataFrame, other: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(one.drop(columns="scores"), other.drop(columns="scores"), check_dtype=False)
    for first, second in zip(one["scores"], other["scores"], strict=True):
        pd.testing.assert_frame_equal(first.matrix, second.matrix)


def test_two_seeds_of_two_cases_worked_by_hand() -> None:
    (row,) = numbers(scores_of({("c", 0): [0.5, 0.7], ("c", 1): [0.7, 0.9]})).itertuples()
    # Seeds' means are 0.6 and 0.8, cases' 0.6 and 0.8.
    assert (row.value, row.best) == pytest.approx((0.7, 0.8))
    assert (row.std_seeds, row.std_cases) == pytest.approx((0.2 / math.sqrt(2), 0.2 / math.sqrt(2)))
    assert (row.seeds, row.n, row.published) == (2, 2, 0.8842)
    assert (row.table, row.dataset, row.profile, row.protocol, row.unit) == ("table2", "glioma", "laptop", "dense", "")
    assert row.low < 0.7 < row.high
    assert row.high - 0.7 == pytest.approx(0.7 - row.low)
    assert row.scores.matrix.to_numpy() == pytest.approx(np.array([[0.5, 0.7], [0.7, 0.9]]))


def test_a_value_is_the_mean_over_seeds_of_the_mean_over_valid_cases() -> None:
    (row,) = numbers(scores_of({("c", 0): [0.5, 0.7, NAN], ("c", 1): [0.8, NAN, NAN]})).itertuples()
    # Seeds' means are 0.6 of two cases and 0.8 of one.
    assert row.value == pytest.approx(0.7)
    assert row.n == 2


def test_the_best_of_every_quantity_is_of_the_seed_with_the_highest_iou() -> None:
    dice = scores_of({("c", 0): [0.7], ("c", 1): [0.9]})
    iou = scores_of({("c", 0): [0.6], ("c", 1): [0.5]}, quantity="iou")
    best = numbers(pd.concat([dice, iou])).set_index("quantity")["best"]
    assert best.to_dict() == pytest.approx({"dice": 0.7, "iou": 0.6})


def test_the_best_seed_is_the_lowest_where_less_is_better() -> None:
    scores = scores_of({("c", 0): [3.0, 5.0], ("c", 1): [6.0, 8.0]}, quantity="hausdorff95", unit="mm")
    assert numbers(scores)["best"].item() == 4


def test_no_valid_score_at_all() -> None:
    (row,) = numbers(scores_of({("c", 0): [NAN, NAN], ("c", 1): [NAN, NAN]})).itertuples()
    assert np.isnan([row.value, row.best, row.low]).all()
    assert (row.seeds, row.n) == (0, 0)


def test_no_scores_are_an_empty_table() -> None:
    frame = numbers(pd.DataFrame())
    assert list(frame) == [*columns_of(LAYOUT), "scores"]
    assert frame.empty


def test_rows_of_a_quantity_tell_of_each_others_seeds() -> None:
    generator = np.random.default_rng(0)
    values = {(model, seed): list(generator.random(5)) for model in ("a", "c") for seed in range(3)}
    both = pd.concat([scores_of(values), scores_of(values, quantity="iou", unit="")])
    first, _, second, _ = (scores.pooled for scores in numbers(both)["scores"])
    assert first.spread == second.spread
    alone = numbers(scores_of({run: scores for run, scores in values.items() if run[0] == "c"}))
    assert alone["scores"].item().pooled is None


@pytest.mark.parametrize("state", range(3))
def test_neither_the_order_of_scores_nor_other_quantities_matter(state: int) -> None:
    generator = np.random.default_rng(state)
    values = {(model, seed): list(generator.random(4)) for model in ("a", "c") for seed in range(3)}
    scores = scores_of(values)
    frame = numbers(scores)
    assert ((frame["low"] <= frame["value"] + 1e-12) & (frame["value"] <= frame["high"] + 1e-12)).all()
    again = numbers(pd.concat([scores_of(values, quantity="iou"), scores]).sample(frac=1, random_state=state))
    assert_equal(again[again["quantity"] == "dice"].reset_index(drop=True), frame)


def test_data_sets_profiles_and_protocols_stay_apart() -> None:
    scores = scores_of({("c", 0): [0.5, 0.7], ("c", 1): [0.7, 0.8]})
    others = [scores.assign(**{column: "other"}) for column in ("dataset", "profile", "protocol")]
    frame = numbers(pd.concat([*others, scores]))
    assert len(frame) == 4
    assert_equal(frame.query("dataset == 'glioma' and profile == 'laptop' and protocol == 'dense'"), numbers(scores))


def test_an_embedded_data_set_takes_the_numbers_of_the_one_it_stands_in_for() -> None:
    values = {("c", 0): [0.5], ("a", 0): [0.5]}
    scores = pd.concat(scores_of(values, dataset) for dataset in ("glioma", "liver", "brats2020", "other"))
    rows = numbers(scores).set_index(["dataset", "model"])["published"]
    assert rows["glioma", "c"] == rows["brats2020", "c"] == 0.8842
    assert rows["liver", "c"] == 0.7616
    assert rows[["glioma", "liver", "other"]].xs("a", level="model").isna().all()
    assert math.isnan(rows["other", "c"])


def test_published_numbers_are_found_by_the_columns_that_the_paper_has() -> None:
    layout = Layout("table1", "Table 1", {"model": None, "sampling": "Sampling", "drawn": "Drawn"}, [])
    published = PUBLISHED.assign(table="table1", sampling=["uniform", "border", "border"], drawn=[NAN, NAN, NAN])
    scores = scores_of({("c", 0): [0.5]})
    scores = pd.concat(scores.assign(sampling=name, drawn=64) for name in ("border", "uniform", "confidence"))
    frame = summarise(scores, published.drop(columns="drawn"), layout)
    assert dict(zip(frame["sampling"], frame["published"], strict=True)) == pytest.approx(
        {"border": 0.1, "confidence": NAN, "uniform": 0.8842}, nan_ok=True
    )


def test_the_reference_is_its_mean_of_the_same_row() -> None:
    scores = scores_of({("a", 0): [0.5, 0.7], ("c", 0): [0.1, 0.1]})
    reference = scores_of({("a", 0): [0.2, 0.4], ("a", 1): [0.5, NAN], ("b", 0): [0.9, 0.9]})
    frame = numbers(scores, reference=reference)
    # Seeds' means are 0.3 and 0.5.
    assert list(frame["reference"]) == pytest.approx([0.4, NAN], nan_ok=True)
    for none in (scores, pd.DataFrame(), reference.assign(profile="paper")):
        assert numbers(scores, reference=none)["reference"].isna().all()


def test_columns_and_order_are_those_of_the_paper() -> None:
    models = ["zeta", *reversed(MODEL_NAMES), "alpha"]
    scores = pd.concat(
        scores_of({(model, 0): [0.5] for model in models}, quantity=quantity) for quantity in reversed(QUANTITIES)
    )
    frame = numbers(scores)
    assert list(frame) == [*columns_of(LAYOUT), "scores"]
    assert list(frame["model"].unique()) == [*MODEL_NAMES, "alpha", "zeta"]
    assert list(frame["quantity"][: len(QUANTITIES)]) == list(QUANTITIES)


def test_a_case_that_is_scored_twice_is_refused() -> None:
    scores = pd.concat([scores_of({("c", 0): [0.5, 0.6]}), scores_of({("c", 0): [0.5]})])
    with pytest.raises(UserError, match="two scores of dice for model c, seed 0, case case-0 on glioma"):
        numbers(scores)


def test_scores_that_come_back_from_csv_give_the_same_table(tmp_path: Path) -> None:
    scores = scores_of({("c", 0): [0.8, NAN], ("c", 1): [0.7, 0.6]})
    scores.to_csv(tmp_path / "scores.csv", index=False)
    assert_equal(numbers(pd.read_csv(tmp_path / "scores.csv")), numbers(scores))
