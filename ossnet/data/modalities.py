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

    Name, splits and fingerprint stay, since the cases are the same; a run records its modalities next to them. The
    digests of the cases differ from those with other modalities, so that each choice is prepared and recognised by
    itself.

    Args:
        dataset: the data set.
        modalities: names of the modalities to keep.

    Raises:
        UserError: a name is repeated, or the data set does not have it.
    """
    chosen = tuple(modalities)
    if chosen == dataset.modalities:
        return dataset
    repeated = [name for name in chosen if chosen.count(name) > 1]
    if repeated:
        raise UserError(f"modality {repeated[0]} is given twice; give each modality once")
    missing = [name for name in chosen if name not in dataset.modalities]
    if missing:
        raise UserError(
            f"data set {dataset.name} has no {', '.join(missing)}, only the modalities "
            f"{', '.join(dataset.modalities)}; give modalities by these names, or rename the columns of its table or "
            "the channels in its dataset.json"
        )
    return replace(
        dataset,
        modalities=chosen,
        load=partial(_load, dataset.load, chosen),
        contents={name: digest([dataset.content(name), chosen]) for name in dataset.names},
    )


def _load(load: Callable[[str], Case], modalities: tuple[str, ...], name: str) -> Case:
    case = load(name)
    channels = [case.modalities.index(modality) for modality in modalities]
    return replace(case, image=np.ascontiguousarray(case.image[channels]), modalities=modalities)
