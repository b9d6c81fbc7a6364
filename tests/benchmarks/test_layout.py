"""Layouts of tables with rows of other models than their study's."""

import pytest

from benchmarks.layout import Layout
from benchmarks.studies.ablations import ABLATIONS
from benchmarks.studies.sizes import SIZES
from benchmarks.studies.table2 import TABLE2

LAYOUT = Layout(
    "own",
    "A study of OSS-Net C",
    {"model": None, "change": "Change", "size": "Size"},
    [("c", "OSS-Net C"), ("d", "larger (OSS-Net D)", 1), ("c", "ReLU")],
    {"change": {"ReLU": "with ReLU"}},
    baseline=("c", "OSS-Net C", 0),
)
OWN = [("c", "OSS-Net C", 0), ("c", "ReLU", 1), ("d", "larger (OSS-Net D)", 1)]
MINE = [("mine", "ReLU", 1), ("mine", "mine", 0)]
B = [("b", "OSS-Net B", 0)]


def test_a_study_is_about_one_model_or_its_models_are_rows() -> None:
    assert [study.layout.own_model for study in (ABLATIONS, SIZES, TABLE2)] == ["c", "c", None]
    assert Layout("own", "Of probes").own_model is None
    assert all(map(LAYOUT.has, OWN))
    assert not any(map(LAYOUT.has, [*MINE, ("d", "ReLU", 1), ("d", "larger (OSS-Net D)", 2)]))


def test_without_other_models_a_layout_stays_as_it_is() -> None:
    assert LAYOUT.for_rows(OWN[1:]) is LAYOUT
    assert LAYOUT.for_rows([]) is LAYOUT
    assert TABLE2.layout.for_rows([("mine",)]) is TABLE2.layout


def test_rows_of_other_models_follow_in_the_order_of_the_study_and_name_their_model() -> None:
    layout = LAYOUT.for_rows([*MINE, *B, *OWN])
    in_order = [*LAYOUT.rows, ("mine", "mine", 0), ("mine", "ReLU", 1), ("b", "OSS-Net B", 0)]
    assert (list(layout.rows), layout.baseline) == (in_order, LAYOUT.baseline)
    assert layout.label(("b", "OSS-Net B", 0)) == ["OSS-Net B", "OSS-Net B", "0"]
    assert layout.label(("mine", "ReLU", 1)) == ["mine", "with ReLU", "1"]
    assert layout.shown == ["Model", "Change", "Size"]
    assert "mine, OSS-Net B: in place of OSS-Net C" in layout.note
    assert layout.for_rows(MINE) is layout


@pytest.mark.parametrize(
    ("found", "baseline", "own"),
    [
        ([*MINE, *B], ("mine", "mine", 0), []),
        ([*B, *MINE], ("b", "OSS-Net B", 0), []),
        ([MINE[0], *B], ("b", "OSS-Net B", 0), []),
        ([MINE[0], OWN[1]], LAYOUT.baseline, LAYOUT.rows),
        ([*MINE, OWN[1]], ("mine", "mine", 0), LAYOUT.rows),
    ],
)
def test_without_the_baseline_it_is_the_same_row_of_the_first_model(found: list, baseline: tuple, own: list) -> None:
    layout = LAYOUT.for_rows(found)
    assert layout.baseline == baseline
    # Rows of a model that was not asked for are not missing.
    assert [row for row in layout.rows if LAYOUT.has(row)] == own
