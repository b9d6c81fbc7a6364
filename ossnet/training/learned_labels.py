"""Record of what label values mean in a training, so that no model is scored on labels of another meaning.

The names are no part of a run's identity: they describe the data, and many data sets have none.
"""

import json
from pathlib import Path

from pydantic import TypeAdapter

from ossnet.data.label_names import LabelNames, Named, refuse_other_names
from ossnet.data.preprocessing import Preprocessing
from ossnet.data.regions import assumed_names
from ossnet.files import unreadable, write_text

FILE = "label_names.json"
"""File of the record in the folder of a training: a table of names by label value."""


def names_to_learn(preprocessing: Preprocessing, names: LabelNames) -> dict[int, str]:
    """Return the names of the label values that a model learns, as far as they are known.

    Args:
        preprocessing: preprocessing of the model. Without names in the data, its regions may say what values mean.
        names: names of the values in the data.
    """
    known = {**assumed_names(preprocessing.regions), **names}
    return {value: known[value] for value in preprocessing.learned_values if value in known}


def write_label_names(folder: Path, names: LabelNames) -> None:
    """Write the record into the folder of a training; without names there is none."""
    if names:
        write_text(folder / FILE, json.dumps(dict(names), indent=2) + "\n")
    else:
        (folder / FILE).unlink(missing_ok=True)


def read_label_names(folder: Path, preprocessing: Preprocessing) -> dict[int, str]:
    """Return the names of the label values that the model in a folder has learned, as far as they are known.

    Raises:
        UserError: the record cannot be read or is damaged.
    """
    path = folder / FILE
    try:
        record = TypeAdapter(dict[int, str]).validate_json(path.read_bytes())
    except FileNotFoundError:
        record = {}
    except (OSError, ValueError) as error:  # Pydantic's ValidationError is a ValueError.
        raise unreadable(path, error, f'{path} is damaged; write {{"1": "NAME", ...}} there or delete it') from error
    return names_to_learn(preprocessing, record)


def earlier_names(preprocessing: Preprocessing, start: Path, preprocessing_of_start: Preprocessing) -> dict[int, str]:
    """Return the names in the training that another one starts from, by the values of the classes in the other one.

    Args:
        preprocessing: preprocessing of the other one.
        start: folder of the training that it starts from.
        preprocessing_of_start: preprocessing of that one. Classes are the same by their order, whatever their values.

    Raises:
        UserError: the record of the start cannot be read or is damaged.
    """
    before = read_label_names(start, preprocessing_of_start)
    values = zip(preprocessing.learned_values, preprocessing_of_start.learned_values, strict=False)
    return {value: before[value_before] for value, value_before in values if value_before in before}


def names_after_start(
    names: LabelNames, preprocessing: Preprocessing, start: Path, preprocessing_of_start: Preprocessing
) -> dict[int, str]:
    """Return the names of a training and, where it has none, those of the training that it starts from.

    Args:
        names: names of the label values in the training.
        preprocessing: its preprocessing.
        start: folder of the training that it starts from.
        preprocessing_of_start: preprocessing of that one.

    Raises:
        UserError: a class has other names in the two.
    """
    earlier = earlier_names(preprocessing, start, preprocessing_of_start)
    refuse_other_names(
        [(value,) for value in preprocessing.learned_values],
        Named(f"the training of {start}", earlier),
        Named("this one", names),
        f"choose another start, or change the labels of the data; if the names mean the same, correct {start / FILE}",
    )
    return {**earlier, **names}
