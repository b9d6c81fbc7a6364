"""Tests of the recipe and of its part in a run's identity."""

import json
from pathlib import Path
from typing import Any

import pytest

from ossnet.config import build, digest, plain
from ossnet.errors import UserError
from ossnet.network.execution import Execution
from ossnet.training.recipe import Recipe

RECORDS = Path(__file__).parents[3] / "results/reference/records/table2-glioma-laptop.jsonl"


def make_recipe(**changes: Any) -> Recipe:
    return build(Recipe, changes, "recipe")


def test_committed_records_keep_their_identity() -> None:
    for line in RECORDS.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        recipe = build(Recipe, record["spec"]["training"]["recipe"], "record")
        assert plain(recipe) == record["spec"]["training"]["recipe"]
        assert digest(record["spec"]) == record["identity"]


def test_execution_makes_another_identity() -> None:
    recipes = [make_recipe(), make_recipe(checkpointing=True), make_recipe(precision="bfloat16")]
    recipes += [make_recipe(norm_parts=2), make_recipe(norm_parts=4)]
    recipes += [make_recipe(memory="lean"), make_recipe(memory="leanest")]
    assert len({digest(plain(recipe)) for recipe in recipes}) == 7
    assert digest(plain(make_recipe(norm_parts=1))) == digest(plain(make_recipe()))
    assert all(build(Recipe, plain(recipe), "again") == recipe for recipe in recipes)


def test_a_batch_has_no_more_parts_than_cases() -> None:
    assert make_recipe(batch_size=2, norm_parts=2).norm_parts == 2
    with pytest.raises(UserError, match="norm_parts is 3"):
        make_recipe(batch_size=2, norm_parts=3)


def test_checkpointing_has_one_identity_by_either_name() -> None:
    older, newer = make_recipe(checkpointing=True), make_recipe(memory="checkpointing")
    assert older == newer
    assert older.execution == Execution(checkpointing=True)
    assert plain(newer) == plain(make_recipe()) | {"checkpointing": True}


@pytest.mark.parametrize("changes", [{"checkpointing": True}, {"precision": "bfloat16"}])
def test_lean_training_excludes_other_executions(changes: dict[str, Any]) -> None:
    assert make_recipe(memory="leanest").execution == Execution(lean=True, least=True)
    with pytest.raises(UserError, match="memory is lean"):
        make_recipe(memory="lean", **changes)
