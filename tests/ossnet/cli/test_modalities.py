"""A model of one modality: its training, and its evaluation on data that have others, too."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ossnet.cli.__main__ import main
from ossnet.config import merge

Refused = Callable[..., None]


@pytest.fixture
def train(
    tiny: Callable[[str], dict[str, Any]], as_options: Callable[[dict[str, Any]], list[str]], place: Path
) -> Callable[..., list[str]]:
    """The command of a training that takes a moment, with further options."""
    settings = merge(tiny("unet3d"), {"recipe": {"epochs": 1, "steps_per_epoch": 1}})
    command = ["train", "--data", "data/own.csv", "--model", "unet3d", "--device", "cpu", "--out", "one"]
    return lambda *options: [*command, *as_options(settings), *options]


def test_a_model_of_one_modality_is_evaluated_where_there_are_others(
    train: Callable[..., list[str]], refused: Refused, place: Path
) -> None:
    command = train("--modalities", "t1")
    settings = command[command.index("--set") : command.index("--modalities")]
    prepare = ["data", "prepare", "data/own.csv", "--model", "unet3d", "--workers", "1", "--modalities", "t1"]
    assert main([*prepare, *settings]) == 0
    prepared = sorted((place / "results" / "cache" / "prepared").iterdir())
    assert main(command) == 0
    assert sorted((place / "results" / "cache" / "prepared").iterdir()) == prepared
    assert json.loads((place / "one" / "spec.json").read_text())["modalities"] == ["t1"]
    evaluate = ["evaluate", "one", "--data", "data/own.csv", "--device", "cpu"]
    assert main(evaluate) == 0
    scores = pd.read_csv("one/scores-test.csv")

    rows = [row.split(",") for row in (place / "data" / "own.csv").read_text().splitlines()]
    other = place / "data" / "other.csv"
    other.write_text("".join(f"{','.join([label, t1, name, split])}\n" for name, _, t1, label, split in rows))
    assert main([*evaluate[:3], "data/other.csv", "--device", "cpu", "--out", "other.csv"]) == 0
    pd.testing.assert_series_equal(pd.read_csv("other.csv")["value"], scores["value"])

    # Cases that were learned from are recognised by the modality that was learned from.
    refused([*evaluate, "--split", "train"], "has learned from 3 of the 3 cases")
    other.write_text(other.read_text().replace("t1", "t2", 1))
    refused([*evaluate[:3], "data/other.csv"], "other has no t1, only the modalities t2")


def test_modalities_that_there_are_not_are_refused(train: Callable[..., list[str]], refused: Refused) -> None:
    refused(train("--modalities", "flair", "t1c"), "no t1c", "flair, t1")
