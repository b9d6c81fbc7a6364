"""The numbers that claims are judged by, and the reasons why others are missing."""

from collections.abc import Callable

import pandas as pd
import pytest

from benchmarks.claims.sides import our_side
from ossnet.errors import UserError

Frame = Callable[..., pd.DataFrame]


@pytest.mark.parametrize("columns", [{"profile": "paper"}, {"dataset": "brats2020"}, {"protocol": "released"}])
def test_two_answers_to_one_question_are_refused(columns: dict[str, object], records: Frame) -> None:
    ours = pd.concat([records({"a": (0.7, 0.68, 0.72)}), records({"a": (0.5, 0.49, 0.51)}, **columns)])
    with pytest.raises(UserError, match="two records of iou for model a in the place of brats"):
        our_side(ours, None, {})


def test_a_number_is_missing_for_its_quantity_its_run_or_its_value(records: Frame) -> None:
    failures = pd.DataFrame({"dataset": ["glioma"], "model": ["c"], "reason": ["OOM"]})
    no_score = records({"a": (float("nan"),) * 3})
    side = our_side(no_score, failures, {"training_memory": "no GPU record"})
    assert side.select({"model": ("a",)}) == ([], [{"model": "a"}])
    reasons = {
        "no valid score": {"dataset": "brats", "model": "a", "quantity": "iou"},
        "run failed (OOM)": {"dataset": "brats", "model": "c", "quantity": "iou"},
        "no GPU record": {"dataset": "brats", "model": "c", "quantity": "training_memory"},
        "not run": {"dataset": "lits", "model": "c", "quantity": "iou"},
    }
    assert {side.why_missing(wanted): wanted for wanted in reasons.values()} == reasons
