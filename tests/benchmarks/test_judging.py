"""The paper's claims, judged on records whose verdict can be told by hand, and on the paper's own tables."""

import math
import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.claims import Claim, read_claims
from benchmarks.judging import VERDICT_COLUMNS, judge, write_claims
from benchmarks.tables import COLUMNS, read_published
from ossnet.config import build
from ossnet.errors import UserError

FOLDER = Path(__file__).parents[2] / "results" / "published"
CLAIMS = read_claims(FOLDER / "claims.toml")
PUBLISHED = {table: read_published(FOLDER, table) for table in ("table1", "table2", "table3")}
NOTHING = pd.DataFrame(columns=COLUMNS)
BY_PAPER = judge(CLAIMS, NOTHING, PUBLISHED).set_index("claim")


def claim(*tests: dict[str, object], **on: object) -> Claim:
    common = {"table": "table2", "dataset": "brats", "quantity": "iou", **on}
    values = {"id": "x", "text": "A statement.", "where": "Section 4.3", "why": "By hand.", "on": common}
    return build(Claim, {**values, "tests": tests}, "test")


def difference(first: str = "a", second: str = "onet", **limits: object) -> dict[str, object]:
    return {"kind": "difference", "of": {"model": first}, "to": {"model": second}, **limits}


def records(intervals: dict[str, tuple[float, float, float]], **columns: object) -> pd.DataFrame:
    """A record for each model: value, low and high; `columns` change the others or add to them."""
    rows = [
        {"table": "table2", "dataset": "glioma", "profile": "laptop", "model": model, "quantity": "iou", "unit": "",
         "n": 16, "published": math.nan, "protocol": "dense", "value": value, "low": low, "high": high}
        for model, (value, low, high) in intervals.items()
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS).assign(**columns)


def verdict(of: Claim, ours: pd.DataFrame) -> tuple[str, str]:
    (row,) = judge([of], ours, {}).itertuples()
    return row.verdict, row.numbers


GOOD, POOR = (0.7, 0.68, 0.72), (0.5, 0.49, 0.51)


def test_without_records_nothing_of_ours_is_measured() -> None:
    assert set(BY_PAPER["verdict"]) == {"not measured"}
    assert BY_PAPER["numbers"].str.contains("no record").all()


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("iou-below-dice-table2", ["1 of 17", "lits", "height slices 0.1673", "0.2732", "-0.1059"]),
        ("inference-memory-tenth-brats", ["3.57", "0.39", "= 9.154"]),
        ("training-memory-as-onet", ["1 of 2", "brats", "2.59", "2.35", "= 1.102"]),
        ("best-count-in-each-strategy", ["3 of 8", "lits", "uniform, 32768 locations] 0.5427", "-0.0718"]),
        ("larger-patches-lits", ["OSS-Net B 0.6154", "OSS-Net A 0.5579", "= 0.0575"]),
        ("memory-somewhat-above-slicing", ["brats", "= 2.233"]),
    ],
)
def test_where_the_papers_own_tables_contradict_it(name: str, numbers: list[str]) -> None:
    row = BY_PAPER.loc[name]
    assert row["verdict_published"] == "does not hold"
    assert all(number in row["numbers_published"] for number in numbers)


def test_where_the_papers_tables_bear_it_out_or_say_nothing() -> None:
    verdicts = BY_PAPER["verdict_published"]
    assert (verdicts == "does not hold").sum() == 6
    assert "= 0.2029; asked 0.2025 to 0.2035" in BY_PAPER.loc["a-gain-brats", "numbers_published"]
    assert "= 5.564" in BY_PAPER.loc["training-memory-fifth-brats", "numbers_published"]
    assert "= 0.9;" in BY_PAPER.loc["slicing-gap-lits", "numbers_published"]
    silent = BY_PAPER[verdicts == "not measured"]["numbers_published"]
    assert set(silent.index) == {
        *("depth-slices-fail-lits", "unet3d-native-memory-lits", "improved-inference-twice-as-fast", "runtime-flat"),
        *("runtime-brats", "inferences-disagree-little"),
    }
    assert silent.str.contains("not in the paper's tables").all()
    assert "did not converge" in silent["depth-slices-fail-lits"]


def test_a_corrected_table_changes_the_verdict() -> None:
    table2 = PUBLISHED["table2"].copy()
    height = (table2["dataset"] == "lits") & (table2["model"] == "unet2d-height")
    table2.loc[height, "value"] = table2.loc[height, "value"].to_numpy()[::-1]
    verdicts = judge(CLAIMS, NOTHING, {**PUBLISHED, "table2": table2}).set_index("claim")["verdict_published"]
    assert verdicts["iou-below-dice-table2"] == "holds"


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
def test_an_interval_within_across_or_beyond_the_limits(limits: dict[str, object], expected: str) -> None:
    found, numbers = verdict(claim(difference(**limits)), records({"a": GOOD, "onet": POOR}))
    assert found == expected
    assert numbers.startswith("glioma (stand-in for BraTS 2020): IoU of OSS-Net A 0.7 (0.68 to 0.72) − IoU of O-Net")
    assert "= 0.2 (0.17 to 0.23); asked" in numbers


@pytest.mark.parametrize(("tolerance", "expected"), [(0.0004, "does not hold"), (0.0005, "holds")])
def test_the_papers_tables_have_a_tolerance_of_their_own(tolerance: float, expected: str) -> None:
    published = {"table2": records({"a": (0.7005, 0, 0), "onet": (0.5, 0, 0)}, dataset="brats")}
    of = claim(difference(equals=0.2, tolerance=0.1, tolerance_published=tolerance))
    assert judge([of], NOTHING, published)["verdict_published"].item() == expected


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        # Values 0.7, 0.5 and 0.6; a ratio from 0.68 / 0.51 = 1.33 to 0.72 / 0.49 = 1.47.
        ({"kind": "value", "of": {"model": "a"}, "at_most": 0.72}, "holds"),
        ({"kind": "value", "of": {"model": ["a", "onet"]}, "at_least": 0.5}, "undecided"),
        ({"kind": "ratio", "of": {"model": "a"}, "to": {"model": "onet"}, "at_least": 1.33}, "holds"),
        ({"kind": "ratio", "of": {"model": "a"}, "to": {"model": "onet"}, "at_least": 1.48}, "does not hold"),
        # Best of the set: by 0.68 - 0.61 = 0.07 at the least.
        ({"kind": "difference", "of": {"model": "a"}, "to": {"model": "*"}, "at_least": 0.07}, "holds"),
        ({"kind": "difference", "of": {"model": "a"}, "to": {"model": "*"}, "at_least": 0.14}, "does not hold"),
        # The largest is at least 0.68, the smallest at most 0.51; 0.72 and 0.49 at the extreme.
        ({"kind": "spread", "of": {"model": ["a", "onet", "c"]}, "at_least": 0.17}, "holds"),
        ({"kind": "spread", "of": {"model": "*"}, "at_most": 0.2}, "undecided"),
        ({"kind": "spread", "of": {"model": "a"}, "at_most": 0.2}, "not measured"),
        ({"kind": "spread", "of": {"model": ["a", "c", "d"]}, "at_least": 0.5}, "not measured"),
    ],
)
def test_every_kind_of_comparison(test: dict[str, object], expected: str) -> None:
    assert verdict(claim(test), records({"a": GOOD, "onet": POOR, "c": (0.6, 0.59, 0.61)}))[0] == expected


def test_one_failure_refutes_whatever_else_is_missing_or_undecided() -> None:
    fails, holds = difference("onet", "a", at_least=0), difference(at_least=0)
    missing, undecided = difference("d", at_least=0), difference(at_least=0.2)
    ours = records({"a": GOOD, "onet": POOR})
    assert verdict(claim(holds, undecided, missing, fails), ours)[0] == "does not hold"
    assert verdict(claim(holds, undecided, missing), ours) == (
        "not measured",
        "1 of 3: no record: table2, brats, iou, d",
    )
    assert verdict(claim(holds, undecided), ours)[0] == "undecided"
    found, numbers = verdict(claim(holds, difference(at_least=0.1)), ours)
    assert found == "holds"
    assert numbers.startswith("closest of 2: ")
    assert numbers.endswith("at least 0.1")


def test_only_what_agrees_in_same_is_compared() -> None:
    dice_and_iou = claim(
        {"kind": "difference", "of": {"quantity": "dice"}, "to": {"quantity": "iou"}, "same": ["model"], "at_least": 0}
    )
    ours = pd.concat([records({"a": GOOD, "onet": POOR}), records({"a": (0.9, 0.89, 0.91)}, quantity="dice")])
    assert verdict(dice_and_iou, ours)[0] == "holds"
    low = records({"onet": (0.4, 0.39, 0.41)}, quantity="dice")
    found, numbers = verdict(dice_and_iou, pd.concat([ours, low]))
    assert found == "does not hold"
    assert numbers.startswith("1 of 2: ")


def test_a_setting_that_records_do_not_tell_is_not_measured() -> None:
    of = claim({"kind": "value", "of": {"model": "c", "locations": 16384}, "at_least": 0.5})
    assert verdict(of, records({"c": GOOD}))[0] == "not measured"
    assert verdict(of, records({"c": GOOD}, locations=16384.0))[0] == "holds"
    assert verdict(of, records({"c": GOOD}, locations=8192))[0] == "not measured"


def test_records_of_memory_are_judged_as_they_come() -> None:
    memory = [item for item in CLAIMS if item.id == "training-memory-fifth-brats"]
    exact = {"unet3d": (11.0, 11.0, 11.0), "c": (2.0, 2.0, 2.0)}
    ours = records(exact, table="table3", quantity="training_memory", unit="GB", locations=[math.nan, 16384])
    assert judge(memory, ours, {})["verdict"].item() == "holds"
    assert judge(memory, ours.assign(resolution=["64x64x48", "32x32x24"]), {})["verdict"].item() == "not measured"
    gap = claim(difference("unet3d", "c", equals=9), table="table3", quantity="training_memory", unit="GB")
    assert verdict(gap, ours)[0] == "holds"
    assert verdict(gap, ours.assign(unit="MB"))[0] == "not measured"


@pytest.mark.parametrize("spread", [(0.7, 0.7), (math.nan, math.nan), (0.6, math.nan)])
def test_a_score_without_spread_decides_nothing(spread: tuple[float, float]) -> None:
    found, numbers = verdict(claim(difference(at_least=0)), records({"a": (0.7, *spread), "onet": POOR}))
    assert found == "undecided"
    assert "no spread known" in numbers


def test_a_ratio_over_what_may_be_zero_decides_nothing() -> None:
    of = claim({"kind": "ratio", "of": {"model": "a"}, "to": {"model": "onet"}, "at_least": 1})
    assert verdict(of, records({"a": GOOD, "onet": (0.0, 0.0, 0.1)}))[0] == "undecided"


def test_a_value_that_is_no_number_is_not_measured() -> None:
    ours = records({"a": (math.nan, math.nan, math.nan), "onet": POOR})
    assert verdict(claim(difference(at_least=0)), ours)[0] == "not measured"


@pytest.mark.parametrize("condition", ["profile", "protocol", "unit"])
def test_different_conditions_are_not_compared(condition: str) -> None:
    ours = pd.concat([records({"a": GOOD}), records({"onet": POOR}, **{condition: "other"})])
    found, numbers = verdict(claim(difference(at_least=0)), ours)
    assert found == "not measured"
    assert f"not of one {condition}" in numbers


@pytest.mark.parametrize("columns", [{"profile": "paper"}, {"dataset": "brats2020"}, {"protocol": "released"}])
def test_two_answers_to_one_question_are_refused(columns: dict[str, object]) -> None:
    ours = pd.concat([records({"a": GOOD}), records({"a": POOR}, **columns)])
    with pytest.raises(UserError, match="two records of iou for model a in the place of brats"):
        judge(CLAIMS, ours, PUBLISHED)


SCORES = st.floats(0, 1).map(lambda value: round(value, 4))


@settings(deadline=None, max_examples=50)
@given(SCORES, SCORES, st.floats(0.001, 0.1), st.floats(-0.5, 0.5), st.floats(0, 0.2), st.floats(0, 0.2))
def test_more_spread_never_decides_and_more_tolerance_never_refutes(
    first: float, second: float, spread: float, limit: float, wider: float, tolerance: float
) -> None:
    def judged(spread: float, tolerance: float) -> str:
        values = {"a": first, "onet": second}
        ours = records({model: (value, value - spread, value + spread) for model, value in values.items()})
        return verdict(claim(difference(at_least=limit, tolerance=tolerance)), ours)[0]

    before = judged(spread, 0)
    assert judged(spread + wider, 0) in (before, "undecided")
    order = ["does not hold", "undecided", "holds"]
    assert order.index(judged(spread, tolerance)) >= order.index(before)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_records_does_not_matter(seed: int) -> None:
    table2 = PUBLISHED["table2"].sample(frac=1, random_state=seed)
    again = judge(CLAIMS, NOTHING, {**PUBLISHED, "table2": table2}).set_index("claim")
    pd.testing.assert_series_equal(again["verdict_published"], BY_PAPER["verdict_published"])


def test_claims_are_written_as_markdown_and_csv(tmp_path: Path) -> None:
    frame = judge(CLAIMS, records({"a": GOOD, "onet": POOR}), PUBLISHED)
    assert list(frame) == VERDICT_COLUMNS
    assert list(frame["claim"]) == [item.id for item in CLAIMS]
    write_claims(frame, tmp_path / "claims")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["claims.csv", "claims.md"]
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "claims.csv"), frame, check_dtype=False)
    text = (tmp_path / "claims.md").read_text(encoding="utf-8")
    assert "glioma for BraTS 2020 and liver for LiTS" in text
    assert "the paper's own tables, does not hold 6, not measured 6, undecided 0, holds 32" in text
    assert len(re.findall(r"^\| [a-z]", text, re.MULTILINE)) == len(CLAIMS)
