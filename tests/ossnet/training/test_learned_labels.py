"""The record of what label values mean in a training."""

from pathlib import Path
from typing import Any

import pytest

from ossnet.config import build
from ossnet.data.preprocessing import Preprocessing
from ossnet.data.regions import LABEL_NAMES
from ossnet.errors import UserError
from ossnet.training.learned_labels import (
    FILE,
    names_after_start,
    names_to_learn,
    read_label_names,
    write_label_names,
)


def preprocessing(**settings: Any) -> Preprocessing:
    return build(Preprocessing, {"shape": [8, 8, 8], **settings}, "test")


BRATS = LABEL_NAMES["brats"]
SOFTMAX = preprocessing(classes=4, label_values=[0, 1, 2, 4])
SOFTMAX2023 = preprocessing(classes=4)


def test_names_are_of_the_values_that_a_model_tells_apart() -> None:
    assert names_to_learn(SOFTMAX, BRATS) == BRATS
    assert names_to_learn(preprocessing(classes=3), BRATS) == {1: "necrotic core", 2: "oedema"}
    assert names_to_learn(preprocessing(label_values=[0, 4]), BRATS) == {4: "enhancing tumour"}
    # All values above 0 are joined.
    assert names_to_learn(preprocessing(), BRATS) == {}
    assert names_to_learn(SOFTMAX, {}) == {}


def test_without_names_in_the_data_regions_say_what_values_mean(tmp_path: Path) -> None:
    regions = preprocessing(regions="brats-msd")
    assert read_label_names(tmp_path, regions) == LABEL_NAMES["brats-msd"]
    write_label_names(tmp_path, {1: "swelling"})
    assert read_label_names(tmp_path, regions) == {**LABEL_NAMES["brats-msd"], 1: "swelling"}


def test_a_record_goes_with_the_names_and_a_damaged_one_is_told(tmp_path: Path) -> None:
    write_label_names(tmp_path, BRATS)
    assert read_label_names(tmp_path, SOFTMAX) == BRATS
    write_label_names(tmp_path, {})
    assert list(tmp_path.iterdir()) == []
    for damaged in ("{", '["oedema"]', '{"one": "oedema"}'):
        (tmp_path / FILE).write_text(damaged)
        with pytest.raises(UserError, match=rf"{FILE} is damaged"):
            read_label_names(tmp_path, SOFTMAX)


def test_a_start_has_the_same_classes_in_their_order(tmp_path: Path) -> None:
    write_label_names(tmp_path, BRATS)
    after = names_after_start({1: "NCR"}, SOFTMAX2023, tmp_path, SOFTMAX)
    assert after == {1: "NCR", 2: "oedema", 3: "enhancing tumour"}
    with pytest.raises(UserError, match=f"training of {tmp_path} .*: 1 is 'necrotic core' and 'edema'; .*{FILE}"):
        names_after_start({1: "edema"}, SOFTMAX2023, tmp_path, SOFTMAX)
