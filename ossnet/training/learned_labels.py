"""Record of what label values mean in a training, so that no model is scored on labels of another meaning.

The names are no part of a run's identity: they describe the data, and many data sets have none.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ossnet.data.case import Dataset
from ossnet.data.label_names import LabelNames, Named, refuse_other_names
from ossnet.data.preprocessing import Preprocessing
from ossnet.data.regions import assumed_names, refuse_other_regions
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


def names_after_start(
    names: LabelNames, preprocessing: Preprocessing, start: Path, preprocessing_of_start: Preprocessing
) -> dict[int, str]:
    """Return the names of a training and, where it has none, those of the training that it starts from.

    Args:
        names: names of the label values in the training.
        preprocessing: its preprocessing.
        start: folder of the training that it starts from.
        preprocessing_of_start: preprocessing of that one. Classes are the same by their order, whatever their values.

    Raises:
        UserError: a class has other names in the two.
    """
    before = read_label_names(start, preprocessing_of_start)
    values = zip(preprocessing.learned_values, preprocessing_of_start.learned_values, strict=False)
    earlier = {value: before[value_before] for value, value_before in values if value_before in before}
    refuse_other_names(
        [(value,) for value in preprocessing.learned_values],
        Named(f"the training of {start}", earlier),
        Named("this one", names),
        f"choose another start, or change the labels of the data; if the names mean the same, correct {start / FILE}",
    )
    return {**earlier, **names}


def refuse_other_labels(
    run: Path, preprocessing: Preprocessing, dataset: Dataset, scored: Iterable[tuple[int, ...]], regions: Any = None
) -> None:
    """Raise a UserError if labels to be scored have other meanings than those that a model has learned.

    Args:
        run: folder of the model's training.
        preprocessing: preprocessing of the model.
        dataset: data set of the cases to be scored.
        scored: class indices of each class or region to be scored.
        regions: regions that are scored in place of the model's own, see
            `ossnet.evaluation.class_scores.scored_classes`.

    Raises:
        UserError: the meanings differ, or the record of the training cannot be read.
    """
    values = preprocessing.learned_values
    if not values:
        return
    learned = Named(f"the training of {run}", read_label_names(run, preprocessing))
    given = Named(f"data set {dataset.name}", dataset.label_names)
    refuse_other_names(
        [[values[index - 1] for index in indices] for indices in scored],
        learned,
        given,
        "change the labels of the data set, or score regions that join these values (--regions); if the names mean the "
        f"same, correct {run / FILE}",
    )
    # Only now, since no regions of a name fit a model and data that differ.
    if isinstance(regions, str):
        refuse_other_regions(regions, "--regions", learned, given)
