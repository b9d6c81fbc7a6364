"""Data sets with some of their modalities, in an order of one's own."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from ossnet.config import digest
from ossnet.data.case import Case, Dataset
from ossnet.errors import UserError


def with_modalities(dataset: Dataset, modalities: Sequence[str]) -> Dataset:
    """Return a data set with some of its modalities, by their names and in the given order.

    Upper and lower case do not matter unless the data set has both, and the modalities keep the data set's names.

    Name, splits and fingerprint stay, since the cases are the same; a run records its modalities next to them. The
    digests of the cases differ from those with other modalities, so that each choice is prepared and recognised by
    itself.

    Args:
        dataset: the data set.
        modalities: names of the modalities to keep.

    Raises:
        UserError: a name is repeated, or the data set does not have it or has several that differ in case alone.
    """
    found = {name: _alike(dataset, name) for name in modalities}
    missing = [name for name, alike in found.items() if not alike]
    if missing:
        raise UserError(
            f"data set {dataset.name} has no {', '.join(missing)}, only the modalities "
            f"{', '.join(dataset.modalities)}; give modalities by these names, or rename the columns of its table or "
            "the channels in its dataset.json"
        )
    for name, alike in found.items():
        if len(alike) > 1:
            raise UserError(
                f"modality {name} may be {' or '.join(alike)} of data set {dataset.name}; rename one of them in its "
                "table or its dataset.json"
            )
    chosen = tuple(found[name][0] for name in modalities)
    if chosen == dataset.modalities:
        return dataset
    repeated = [name for name in chosen if chosen.count(name) > 1]
    if repeated:
        raise UserError(f"modality {repeated[0]} is given twice; give each modality once")
    return replace(
        dataset,
        modalities=chosen,
        load=partial(_load, dataset.load, chosen),
        contents={name: digest([dataset.content(name), chosen]) for name in dataset.names},
    )


def without_case(modality: str) -> str:
    """Return the name of a modality as it is compared with others: upper and lower case do not matter."""
    return modality.casefold()


def _alike(dataset: Dataset, name: str) -> list[str]:
    """Return the modality of a name, or else those whose names differ from it in upper and lower case alone."""
    if name in dataset.modalities:
        return [name]
    return [modality for modality in dataset.modalities if without_case(modality) == without_case(name)]


def _load(load: Callable[[str], Case], modalities: tuple[str, ...], name: str) -> Case:
    case = load(name)
    channels = [case.modalities.index(modality) for modality in modalities]
    return replace(case, image=np.ascontiguousarray(case.image[channels]), modalities=modalities)
