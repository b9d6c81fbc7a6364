"""Cases that a model has learned from, or may have, are evaluated only when that is asked for.

How they are compared without a record of the training is in ossnet/training/test_seen_cases.py.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest

from ossnet.cli.__main__ import main
from ossnet.data.case import Case
from ossnet.data.table import table_dataset
from ossnet.training.profile import Profile
from ossnet.training.run import read_spec

COMMAND = ["evaluate", "run", "--data", "data/own.csv"]
Refused = Callable[..., None]


def roles(scores: str) -> dict[str, str]:
    """Roles in the training by case."""
    table = pd.read_csv(scores)
    return dict(zip(table["case"], table["role_in_training"], strict=True))


def test_copies_are_refused_and_marked_where_they_are_allowed(
    refused: Refused, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused([*COMMAND, "--split", "train"], "3 of the 3 cases in split train of data set own")
    # Copied, uncompressed, of another type of number, under other names and beside a case that is new.
    for kind, dtype in (("flair", np.float64), ("t1", np.float32), ("label", np.int16)):
        image = nibabel.load(place / "data" / f"b-{kind}.nii.gz")
        values = np.asanyarray(image.dataobj).astype(dtype)
        nibabel.save(nibabel.Nifti1Image(values, image.affine), place / "data" / f"copy-{kind}.nii")
    (place / "data" / "other.csv").write_text(
        "name,flair,t1,label,split\n"
        "new,e-flair.nii.gz,e-t1.nii.gz,e-label.nii.gz,test\n"
        "x,copy-flair.nii,copy-t1.nii,copy-label.nii,test\n"
    )
    command = ["evaluate", "run", "--data", "data/other.csv"]
    refused(command, "1 of the 2 cases in split test of data set other", ": x;")
    shutil.rmtree(place / "results" / "cache")
    other = table_dataset("data/other.csv")
    loaded: list[str] = []

    def load(name: str) -> Case:
        loaded.append(name)
        return other.load(name)

    monkeypatch.setattr("ossnet.cli.evaluate.open_dataset", lambda *_, **__: replace(other, load=load))
    assert main([*command, "--allow-learned-cases"]) == 0
    # Allowed, no case is read only to be compared.
    assert loaded == ["new", "x"]
    assert roles("run/scores-test.csv") == {"new": "unseen", "x": "train"}


def test_new_cases_of_a_changed_data_set_are_evaluated(place: Path) -> None:
    table = place / "data" / "own.csv"
    table.write_text(table.read_text().replace("a,a-flair", "z,a-flair"))
    assert main(COMMAND) == 0
    assert main([*COMMAND, "--split", "validation"]) == 0
    assert roles("run/scores-validation.csv") == {"d": "validation"}


def test_no_embedded_case_is_made_for_an_evaluation_that_is_refused(
    refused: Refused, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {"shape": [16, 16, 16], "train": 0, "validation": 0, "test": 1}
    monkeypatch.setattr(Profile, "generator", lambda *_: sizes)
    command = ["evaluate", "run", "--data", "liver"]
    (place / "run" / "cases.json").unlink()
    refused(command, "modalities")
    spec = place / "run" / "spec.json"
    spec.write_text(json.dumps(json.loads(spec.read_text()) | {"dataset": "liver", "modalities": ["ct"]}))
    monkeypatch.setattr("ossnet.training.run.load_run", lambda folder, _: (None, read_spec(folder)))
    refused(command, "--allow-learned-cases")
    assert not (place / "results").exists()


def test_a_start_without_a_record_may_have_learned_from_any_case(refused: Refused, place: Path) -> None:
    # An imported run has no record, and neither has a training that starts from it.
    (place / "run" / "cases.json").unlink()
    spec = json.loads((place / "run" / "spec.json").read_text())
    (place / "run" / "spec.json").write_text(json.dumps({**spec, "start": "0" * 64}))
    refused(COMMAND, "--allow-learned-cases")
    assert main([*COMMAND, "--allow-learned-cases"]) == 0
    assert set(roles("run/scores-test.csv").values()) == {"unknown"}


def test_cases_without_a_label_are_left_out_before_anything_is_scored(
    refused: Refused, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = place / "data" / "own.csv"
    rows = table.read_text()
    table.write_text(rows + "f,e-flair.nii.gz,e-t1.nii.gz,,test\n")
    assert main([*COMMAND, "--protocol", "paper"]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "no label" in line)
    assert line.endswith(": f")
    assert list(roles("run/scores-test.csv")) == ["e"]
    table.write_text(rows.replace("e-label.nii.gz", ""))
    refused(COMMAND, "data set own has no labelled case in split test", "--split")
