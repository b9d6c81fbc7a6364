import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ossnet.data.case import Case, Dataset
from ossnet.errors import UserError
from ossnet.evaluation.kept_scores import KeptScores, not_kept, score_cases


def load(name: str) -> Case:
    return Case(name, np.zeros((1, 2, 2, 2), np.float32), None, np.eye(4), ("ct",))


NAMES = ("001", "NA", "a/b")
DATA = Dataset("own", ("ct",), {"test": NAMES, "train": ()}, load, "f", {name: f"digest {name}" for name in NAMES})


def scores(case: Case) -> pd.DataFrame:
    # With numbers that have no short decimal form, and with texts that look like numbers or like nothing.
    values = {"value": [0.1 + 0.2, math.nan], "class": ["1", "mean"], "unit": ["", "mm"]}
    return pd.DataFrame({"case": case.name, **values, "evaluated": 7, "spacing_known": True})


@pytest.fixture
def kept(tmp_path: Path) -> Callable[..., KeptScores]:
    """Open the scores that are kept beside a table, as another process would."""
    return lambda settings="same", dataset=DATA: KeptScores(tmp_path / "scores.csv", settings, dataset)


def test_scores_are_found_again_as_they_were(kept: Callable[..., KeptScores], tmp_path: Path) -> None:
    frames = {name: scores(load(name)) for name in NAMES[:2]}
    for name, frame in frames.items():
        kept().keep(name, frame)
    for name, frame in frames.items():
        found = kept().get(name)
        assert found is not None
        pd.testing.assert_frame_equal(found, frame, check_exact=True)
    assert not_kept(NAMES, [kept()]) == ["a/b"]
    kept().remove()
    assert not_kept(NAMES, [kept()]) == list(NAMES)
    assert list(tmp_path.iterdir()) == []


def test_other_settings_and_changed_cases_have_other_scores(kept: Callable[..., KeptScores]) -> None:
    kept().keep("001", scores(load("001")))
    kept("others").keep("NA", scores(load("NA")))
    assert not_kept(NAMES, [kept()]) == ["NA", "a/b"]
    assert not_kept(NAMES, [kept("others")]) == ["001", "a/b"]
    assert not_kept(NAMES, [kept(), kept("others")]) == list(NAMES)
    changed = replace(DATA, contents={**DATA.contents, "001": "another label"})
    assert kept(dataset=changed).get("001") is None
    # A case of another name is drawn other locations from.
    renamed = replace(DATA, contents={"new": DATA.contents["001"]})
    assert kept(dataset=renamed).get("new") is None


@pytest.mark.parametrize("contents", [b'{"half', b"[1, 2]", b"\xff"])
def test_a_damaged_file_is_named(contents: bytes, kept: Callable[..., KeptScores]) -> None:
    path = kept().path
    path.write_bytes(contents)
    with pytest.raises(UserError, match=rf"{path.name}.*delete"):
        kept()


def test_an_interrupted_scoring_continues_with_the_cases_that_are_missing(
    kept: Callable[..., KeptScores], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ossnet.progress.LINE_INTERVAL_S", 0.0)
    scored: list[str] = []

    def score(case: Case) -> pd.DataFrame:
        scored.append(case.name)
        if scored == list(NAMES[:2]):
            raise KeyboardInterrupt
        return scores(case)

    with pytest.raises(KeyboardInterrupt):
        score_cases(DATA, "test", score, "scoring {} cases", kept())
    capsys.readouterr()
    found = score_cases(DATA, "test", score, "scoring {} cases", kept())
    assert scored == ["001", "NA", "NA", "a/b"]
    expected = pd.concat([scores(load(name)) for name in NAMES], ignore_index=True)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    # The share that is done, and with it the time remaining, is of the two cases that were missing.
    first, second, _ = capsys.readouterr().err.splitlines()
    assert " 3 cases, 1 " in first
    assert (": 50 %" in first, ": 100 %" in second) == (True, True)

    pd.testing.assert_frame_equal(score_cases(DATA, "test", score, "scoring {} cases", kept()), expected)
    assert len(scored) == 4
    with pytest.raises(UserError, match=r"own .*split train.* --split"):
        score_cases(DATA, "train", score, "scoring {} cases")
