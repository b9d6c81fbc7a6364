"""The file `dataset.json`, by which the Medical Segmentation Decathlon and nnU-Net describe a data set."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ossnet.errors import UserError

FILE = "dataset.json"


def read_dataset_json(folder: Path) -> dict[str, Any]:
    """Read the description of the data set in a folder.

    Raises:
        UserError: the file is missing, cannot be read or holds no table.
    """
    path = folder / FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise UserError(f"{folder} has no {FILE}; give the folder of the data set, which holds it") from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; make it readable") from error
    except ValueError as error:
        raise UserError(f"{path} is not JSON ({' '.join(str(error).split())}); restore it") from error
    if not isinstance(values, dict):
        raise UserError(f"{path} does not describe a data set; restore it")
    return values


def channels(values: Mapping[str, Any], field: str, folder: Path) -> tuple[str, ...]:
    """Return the names of the channels from a field such as {"0": "FLAIR", "1": "T1w"}, in the order of the numbers.

    Raises:
        UserError: the field is missing, a number is missing, or two channels have the same name.
    """
    named = values.get(field)
    if not isinstance(named, dict) or sorted(named) != sorted(map(str, range(len(named)))) or not named:
        raise UserError(f'{folder / FILE} does not name the channels; write "{field}": {{"0": "NAME", ...}} there')
    names = tuple(str(named[str(number)]) for number in range(len(named)))
    if len(set(names)) < len(names):
        raise UserError(f"{folder / FILE} gives two channels the same name ({', '.join(names)}); correct {field} there")
    return names


def label_names(values: Mapping[str, Any], folder: Path) -> dict[int, str]:
    """Return the names of the label's values above 0, from "labels" as {"1": "liver"} or as {"liver": 1}.

    A class of nnU-Net may join several values, as {"whole tumour": [1, 2, 3], "tumour core": [2, 3]}. A value has the
    name of the smallest class that it is in, and of what lies inside that without it: `whole tumour without tumour
    core` for 1.

    Raises:
        UserError: the field is missing or has values that are not from 0 to 255, or values are to be ignored.
    """
    labels = values.get("labels")
    if not isinstance(labels, dict):
        raise UserError(f'{folder / FILE} does not name the labels; write "labels" there')
    if "ignore" in labels:
        raise UserError(
            f"{folder / FILE} has a label for voxels to ignore, which would be taken for foreground; set these voxels "
            "to 0 or leave their cases out, and remove it there"
        )
    classes: list[tuple[str, set[int]]] = []
    for key, value in labels.items():
        by_value = str(key).isdecimal() and not isinstance(value, (int, list))
        name, numbers = (
            (str(value), [int(key)]) if by_value else (str(key), value if isinstance(value, list) else [value])
        )
        for number in numbers:
            if not str(number).isdecimal() or int(number) > 255:
                raise UserError(f"{folder / FILE} gives label {name} the value {number!r}; give one from 0 to 255")
        classes.append((name, {int(number) for number in numbers}))
    named = {value for _, held in classes for value in held if value > 0}
    return {value: _name(value, classes) for value in sorted(named)}


def _name(value: int, classes: Sequence[tuple[str, set[int]]]) -> str:
    """Return the name of a value from the names of classes and their values, see `label_names`."""
    size = min(len(held) for _, held in classes if value in held)
    smallest = [(name, held) for name, held in classes if value in held and len(held) == size]
    name = " or ".join(name for name, _ in smallest)
    inside = [(name, held) for name, held in classes if held and held < smallest[0][1]]
    if len(smallest) > 1 or not inside:
        return name
    outermost = [inner for inner, held in inside if not any(held < around for _, around in inside)]
    return f"{name} without {' and '.join(outermost)}"
