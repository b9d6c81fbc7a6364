"""How claims are judged, on records whose verdict can be told by hand."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.claims.judge import judge
from benchmarks.claims.schema import Claim
from ossnet.config import build

NOTHING = pd.DataFrame()

Frame = Callable[..., pd.DataFrame]


def claim(*tests: dict[str, object], **on: object) -> Claim:
    texts = {"id": "x", "text": "A statement.", "subject": "Memory", "where": "Section 4.3", "why": "By hand."}
    common = {"table": "table2", "dataset": "brats", "quantity": "iou", **on}
    return build(Claim, {**texts, "on": common, "tests": tests}, "test")


def difference(first: str = "a", second: str = "onet", **limits: object) -> dict[str, object]:
    return {"kind": "difference", "of": {"model": first}, "to": {"model": second}, **limits}


def judged(of: Claim, ours: pd.DataFrame) -> dict[Any, Any]:
    """Judge a claim by our records, and return its row."""
    (row,) = judge([of], ours, {}).to_dict("records")
    return row


def our_comparisons(row: dict[Any, Any]) -> list[dict[str, Any]]:
    return [one for one in row["comparisons"] if one["judged_by"] == "ours"]


def verdict(of: Claim, ours: pd.DataFrame) -> tuple[str, str]:
    row = judged(of, ours)
    return row["verdict"], row["numbers"]


GOOD, POOR = (0.7, 0.68, 0.72), (0.5, 0.49, 0.51)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        # The difference is 0.2, from 0.68 - 0.51 = 0.17 to 0.72 - 0.49 = 0.23.
        ({"at_least": 0.1}, "holds"),
        ({"at_least": 0.2}, "undecided"),
        ({"at_least": 0.24}, "does not hold"),
        ({"at_most": 0.16}, "does not hold"),
        ({"at_least": 0.1, "at_most": 0.2}, "undecided"),
        ({"equals": 0.2, "tolerance": 0.03}, "holds"),
        ({"equals": 0.2, "tolerance": 0.029}, "undecided"),
        ({"equals": 0.26, "tolerance": 0.03}, "undecided"),
        ({"equals": 0.26, "tolerance": 0.029}, "does not hold"),
    ],
)
def test_an_interval_within_across_or_beyond_the_limits(
    limits: dict[str, object], expected: str, records: Frame
) -> None:
    row = judged(claim(difference(**limits)), records({"a": GOOD, "onet": POOR}))
    assert row["verdict"] == expected
    assert (row["numbers"], row["interval"]) == ("0.2: OSS-Net A 0.7 − O-Net 0.5", "[0.17, 0.23]")


@pytest.mark.parametrize(("tolerance", "expected"), [(0.0004, "does not hold"), (0.0005, "holds")])
def test_the_papers_tables_have_a_tolerance_of_their_own(tolerance: float, expected: str, records: Frame) -> None:
    published = {"table2": records({"a": (0.7005, 0, 0), "onet": (0.5, 0, 0)}, dataset="brats")}
    of = claim(difference(equals=0.2, tolerance=0.1, tolerance_published=tolerance))
    assert judge([of], NOTHING, published)["verdict_published"].item() == expected


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        # Values 0.7, 0.5 and 0.6; a ratio from 0.68 / 0.51 = 1.33 to 0.72 / 0.49 = 1.47.
        ({"kind": "value", "of": {"model": "a"}, "at_most": 0.72}, "holds"),
        ({"kind": "value", "of": {"model": ["a", "onet"]}, "at_least": 0.5}, "undecided"),
        # Alone 0.51 lies below 0.512; as one of two it reaches to 0.5 + 0.01 * 2.236 / 1.960 = 0.5114, as one of three
        # to 0.5 + 0.01 * 2.388 / 1.960 = 0.5122.
        ({"kind": "value", "of": {"model": ["a", "onet"]}, "at_least": 0.512}, "does not hold"),
        ({"kind": "value", "of": {"model": ["a", "onet", "c"]}, "at_least": 0.512}, "undecided"),
        ({"kind": "ratio", "of": {"model": "a"}, "to": {"model": "onet"}, "at_least": 1.33}, "holds"),
        ({"kind": "ratio", "of": {"model": "a"}, "to": {"model": "onet"}, "at_least": 1.48}, "does not hold"),
        # Best of the set: by 0.68 - 0.61 = 0.07 at the least.
        ({"kind": "difference", "of": {"model": "a"}, "to": {"model": "*"}, "at_least": 0.07}, "holds"),
        ({"kind": "difference", "of": {"model": "a"}, "to": {"model": "*"}, "at_least": 0.14}, "does not hold"),
        # Three differences at once: the largest is at least 0.2 - 0.03 * 2.388 / 1.960 = 0.1634.
        ({"kind": "spread", "of": {"model": ["a", "onet", "c"]}, "at_least": 0.163}, "holds"),
        ({"kind": "spread", "of": {"model": ["a", "onet", "c"]}, "at_least": 0.164}, "undecided"),
        ({"kind": "spread", "of": {"model": "*"}, "at_most": 0.2}, "undecided"),
        ({"kind": "spread", "of": {"model": "a"}, "at_most": 0.2}, "not measured"),
        ({"kind": "spread", "of": {"model": ["a", "c", "d"]}, "at_least": 0.5}, "not measured"),
    ],
)
def test_every_kind_of_comparison(test: dict[str, object], expected: str, records: Frame) -> None:
    assert verdict(claim(test), records({"a": GOOD, "onet": POOR, "c": (0.6, 0.59, 0.61)}))[0] == expected


def test_one_failure_refutes_whatever_else_is_missing_or_undecided(records: Frame) -> None:
    fails, holds = difference("onet", "a", at_least=0), difference(at_least=0)
    missing, undecided = difference("d", at_least=0), difference(at_least=0.2)
    ours = records({"a": GOOD, "onet": POOR})
    assert verdict(claim(holds, undecided, missing, fails), ours)[0] == "does not hold"
    not_run = ("not measured", "not run: IoU, OSS-Net D on BraTS 2020")
    assert verdict(claim(holds, undecided, missing), ours) == not_run
    assert verdict(claim(holds, undecided), ours)[0] == "undecided"
    row = judged(claim(holds, difference(at_least=0.1)), ours)
    assert (row["verdict"], row["limit"]) == ("holds", "≥ 0.1")
    assert row["numbers"].startswith("0.2 (worst of 2): ")


def test_only_what_agrees_in_same_is_compared(records: Frame) -> None:
    dice_and_iou = claim(
        {"kind": "difference", "of": {"quantity": "dice"}, "to": {"quantity": "iou"}, "same": ["model"], "at_least": 0}
    )
    ours = pd.concat([records({"a": GOOD, "onet": POOR}), records({"a": (0.9, 0.89, 0.91)}, quantity="dice")])
    assert verdict(dice_and_iou, ours)[0] == "holds"
    low = records({"onet": (0.4, 0.39, 0.41)}, quantity="dice")
    found, numbers = verdict(dice_and_iou, pd.concat([ours, low]))
    assert found == "does not hold"
    assert "(worst of 2, 1 beyond the limit)" in numbers


def test_a_setting_or_unit_that_records_do_not_have_is_not_measured(records: Frame) -> None:
    of = claim({"kind": "value", "of": {"model": "c", "locations": 16384}, "at_least": 0.5}, unit="GB")
    ours = records({"c": GOOD}, unit="GB")
    assert verdict(of, ours.assign(locations=16384.0))[0] == "holds"
    for other in (ours, ours.assign(locations=8192), ours.assign(locations=16384.0, unit="MB")):
        assert verdict(of, other)[0] == "not measured"


@pytest.mark.parametrize("spread", [(math.nan, math.nan), (0.6, math.nan)])
def test_a_number_without_an_interval_decides_nothing(spread: tuple[float, float], records: Frame) -> None:
    row = judged(claim(difference(at_least=0)), records({"a": (0.7, *spread), "onet": POOR}))
    assert (row["verdict"], row["interval"]) == ("undecided", "unknown")
    assert row["numbers"].startswith("0.2: ")


def test_scores_of_one_seed_decide_nothing_and_equal_ones_do(scored: Frame) -> None:
    ours = scored({"a": [[0.7, 0.71]], "onet": [[0.5, 0.51], [0.5, 0.51]]})
    for test in (difference(at_least=0), {**difference(at_least=1), "kind": "ratio"}):
        row = judged(claim(test), ours)
        assert (row["verdict"], row["interval"]) == ("undecided", "unknown")
    never_converged = claim({"kind": "value", "of": {"model": "a"}, "at_most": 0.1})
    assert verdict(never_converged, scored({"a": [[0.0] * 4] * 3}))[0] == "holds"


# Means of 0.5, 0.6 and 0.7 on cases that differ much, and for all models alike: each leads the one before by 0.09 or
# 0.11. Seeds are alike.
SHARED = {
    "c": [[0.39, 0.61] * 8] * 3,
    "a": [[0.50, 0.70] * 8] * 3,
    "onet": [[0.59, 0.81] * 8] * 3,
}


@pytest.mark.parametrize(
    "test",
    [
        {"kind": "difference", "of": {"model": "a"}, "to": {"model": "c"}, "at_least": 0.09},
        {"kind": "ratio", "of": {"model": "a"}, "to": {"model": "c"}, "at_least": 1.15},
        {"kind": "spread", "of": {"model": "*"}, "at_least": 0.19},
    ],
)
def test_numbers_with_scores_are_compared_in_pairs(test: dict[str, object], scored: Frame) -> None:
    assert verdict(claim(test), scored(SHARED))[0] == "holds"
    assert verdict(claim(test), scored(SHARED).drop(columns="scores"))[0] == "undecided"


def test_one_of_many_comparisons_refutes_only_if_it_does_among_all(scored: Frame) -> None:
    # A lead of 0.1 that varies by 0.2 from case to case is told from 0 with t = 2.1 on 20 cases; not as one of eight.
    generator = np.random.default_rng(0)
    noise = generator.normal(size=20)
    noise = (noise - noise.mean()) / noise.std()
    scores = {"onet": [0.6 + 0.0 * noise] * 3, "a": [0.5 + 0.2 * noise] * 3}
    scores |= {name: [0.9 + 0.001 * noise] * 3 for name in ("b", "c", "d", "unet3d", "unet2d-height", "unet2d-width")}
    alone = difference("a", "onet", at_least=0)
    assert verdict(claim(alone), scored(scores))[0] == "does not hold"
    every = {"kind": "difference", "of": {"model": ["a", *list(scores)[2:]]}, "to": {"model": "onet"}, "at_least": 0}
    found, numbers = verdict(claim(every), scored(scores))
    assert found == "undecided"
    assert "(worst of 7, 1 undecided)" in numbers


def test_exact_numbers_stay_exact_beside_scores(scored: Frame, records: Frame) -> None:
    memory = {"a": (2.0, 2.0, 2.0), "onet": (11.0, 11.0, 11.0)}
    ours = records(memory, quantity="training_memory").assign(scores=[None, math.nan])
    ours = pd.concat([scored(SHARED), ours], ignore_index=True)
    ratio = {"kind": "ratio", "of": {"model": "onet"}, "to": {"model": "a"}, "equals": 5.5}
    assert verdict(claim(ratio, quantity="training_memory"), ours) == ("holds", "5.5: O-Net 11 / OSS-Net A 2")


def test_only_what_differs_among_the_comparisons_is_named(records: Frame) -> None:
    both = [records({"a": GOOD, "onet": POOR}, quantity=name) for name in ("dice", "iou")]
    row = judged(claim(difference(same=["quantity"], at_least=0.1), quantity=["dice", "iou"]), pd.concat(both))
    assert row["numbers"] == "0.2 (worst of 2): Dice, OSS-Net A 0.7 − O-Net 0.5"
    assert [(one["dataset"], one["comparison"]) for one in our_comparisons(row)] == [
        ("glioma", "Dice, OSS-Net A 0.7 − O-Net 0.5"),
        ("glioma", "IoU, OSS-Net A 0.7 − O-Net 0.5"),
    ]


def test_a_prediction_is_given_and_decides_nothing(records: Frame) -> None:
    predicted = records({"a": GOOD, "onet": POOR})
    (row,) = judge([claim(difference(at_least=0.1))], NOTHING, {}, predicted=predicted).to_dict("records")
    assert (row["verdict"], row["interval"], row["limit"]) == ("not measured", "", "≥ 0.1")
    assert row["numbers"] == "not run; predicted 0.2: OSS-Net A 0.7 − O-Net 0.5"
    assert [one["judged_by"] for one in row["comparisons"]] == ["ours", "ours", "prediction", "paper", "paper"]


def test_what_has_no_value_or_nothing_to_compare_with_is_not_measured(records: Frame) -> None:
    ours = records({"a": (math.nan, math.nan, math.nan), "onet": POOR})
    no_score = ("not measured", "no valid score: IoU, OSS-Net A on BraTS 2020")
    assert verdict(claim(difference(at_least=0)), ours) == no_score
    ours = records({"a": GOOD, "onet": POOR}, resolution=["64x64x48", "32x32x24"])
    assert verdict(claim(difference(same=["resolution"], at_least=0)), ours) == (
        "not measured",
        "nothing to compare with of the same resolution: IoU, OSS-Net A, 64x64x48 voxels on glioma",
    )


@pytest.mark.parametrize("condition", ["profile", "protocol", "unit"])
def test_different_conditions_are_not_compared(condition: str, records: Frame) -> None:
    ours = pd.concat([records({"a": GOOD}), records({"onet": POOR}, **{condition: "other"})])
    found, numbers = verdict(claim(difference(at_least=0)), ours)
    assert found == "not measured"
    assert f"not of one {condition}" in numbers


SCORES = st.floats(0, 1).map(lambda value: round(value, 4))


@settings(deadline=None, max_examples=20)
@given(SCORES, SCORES, st.floats(0.001, 0.1), st.floats(-0.5, 0.5), st.floats(0, 0.2), st.floats(0, 0.2))
def test_more_spread_never_decides_and_more_tolerance_never_refutes(
    records: Frame, first: float, second: float, spread: float, limit: float, wider: float, tolerance: float
) -> None:
    def judged(spread: float, tolerance: float) -> str:
        values = {"a": first, "onet": second}
        ours = records({model: (value, value - spread, value + spread) for model, value in values.items()})
        return verdict(claim(difference(at_least=limit, tolerance=tolerance)), ours)[0]

    before = judged(spread, 0)
    assert judged(spread + wider, 0) in (before, "undecided")
    order = ["does not hold", "undecided", "holds"]
    assert order.index(judged(spread, tolerance)) >= order.index(before)
