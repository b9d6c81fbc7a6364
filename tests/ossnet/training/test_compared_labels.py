"""What label values mean in a training and in other data."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ossnet.data.case import Dataset
from ossnet.errors import UserError
from ossnet.training.compared_labels import not_compared_with_start, refuse_other_labels
from ossnet.training.learned_labels import FILE, write_label_names
from ossnet.training.run import RunSpec, write_spec

MakeSpec = Callable[..., RunSpec]
LIVER = {1: "liver", 2: "tumour"}


def with_names(dataset: Dataset, name: str, names: dict[int, str]) -> Dataset:
    return replace(dataset, name=name, fingerprint=name, label_names=names)


@pytest.fixture
def compare(tiny_spec: MakeSpec, dataset: Dataset, tmp_path: Path) -> Callable[..., str | None]:
    """Compare the labels of a target with those of a training on data with names of its own, in `tmp_path`."""

    def compare(target: dict[int, str], source: dict[int, str] | None, **preprocessing: Any) -> str | None:
        spec = tiny_spec(changes={"preprocessing": preprocessing or {"classes": 3}})
        trained_on = None if source is None else with_names(dataset, "own", source)
        scored = [(index,) for index in range(1, spec.preprocessing.classes)]
        return refuse_other_labels(tmp_path, spec, with_names(dataset, "other", target), scored, source=trained_on)

    return compare


def test_the_record_of_a_training_counts_and_before_it_the_names_of_its_data(
    compare: Callable[..., str | None], tmp_path: Path
) -> None:
    vessel = {1: "Liver", 2: "vessel"}
    with pytest.raises(UserError, match=r"data set own .* 2 is 'tumour' and 'vessel'"):
        compare(vessel, LIVER)
    with pytest.raises(UserError, match=r"data set own .* 2 is 'tumour' and 'vessel'"):
        compare(vessel, {}, regions="lits")
    # Two classes join all values.
    assert compare(vessel, LIVER, classes=2) is None
    write_label_names(tmp_path, {1: "liver", 2: "Vessel"})
    assert compare(vessel, LIVER) is None
    assert compare(vessel, None) is None
    for source in (LIVER, None):
        with pytest.raises(UserError, match=f"the training of {tmp_path} .* 2 is 'Vessel' and 'tumour'.*{FILE}"):
            compare(LIVER, source)


def test_values_without_a_name_on_a_side_are_told(compare: Callable[..., str | None], tmp_path: Path) -> None:
    for target, source, told, quiet in (
        ({}, LIVER, ["1, 2", "data set other"], "own"),
        (LIVER, {}, ["1, 2", "data set own"], "other"),
        ({}, None, ["1, 2", f"the training of {tmp_path}", "data set other"], "own"),
        ({1: "liver", 2: "label 2"}, LIVER, [" 2 ", "data set other"], "1"),
    ):
        note = compare(target, source)
        assert note is not None
        assert [word for word in told if word not in note] == []
        assert quiet not in note.replace(str(tmp_path), "")
    for several in ({"classes": 2}, {"label_values": [0, 4]}):
        assert compare({}, {}, **several) is None


def test_labels_of_the_trainings_own_data_are_not_compared(
    tiny_spec: MakeSpec, dataset: Dataset, tmp_path: Path
) -> None:
    spec = tiny_spec(changes={"preprocessing": {"classes": 3}})
    assert refuse_other_labels(tmp_path, spec, dataset, [(1,), (2,)]) is None
    write_label_names(tmp_path, LIVER)
    corrected = replace(dataset, label_names={1: "lever", 2: "tumour"})
    assert refuse_other_labels(tmp_path, spec, corrected, [(1,), (2,)]) is None


def test_a_start_without_names_is_told(tiny_spec: MakeSpec, dataset: Dataset, tmp_path: Path) -> None:
    spec = tiny_spec(changes={"preprocessing": {"classes": 3}})
    write_spec(tmp_path, spec)
    other = with_names(dataset, "other", LIVER)
    following = replace(spec, dataset="other", fingerprint="other")
    assert not_compared_with_start(spec, dataset, tmp_path) is None
    note = not_compared_with_start(following, other, tmp_path)
    assert note is not None
    assert str(tmp_path) in note
    assert "other" not in note.replace(str(tmp_path), "")
    write_label_names(tmp_path, LIVER)
    assert not_compared_with_start(following, other, tmp_path) is None
