"""Runs whose weights are from the released OSS-Net code: import, export, and the cases that they have learned from."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

from ossnet.config import plain
from ossnet.data import brats, lits
from ossnet.data.case import Case, Dataset
from ossnet.errors import UserError
from ossnet.model import SegmentationModel
from ossnet.network.released import (
    ReleasedDataset,
    ReleasedVariant,
    load_released_state,
    read_state_dict,
    recognise,
    released_config,
    released_state_dict,
)
from ossnet.training.checkpoint import save_checkpoint, save_weights, weights_digest
from ossnet.training.profile import Profile, load_profile
from ossnet.training.run import RunSpec, load_run, refuse_another_run, write_spec

MODELS: Mapping[str, str] = {"o-net": "onet", "ossnet-a": "a", "ossnet-b": "b", "ossnet-c": "c", "ossnet-d": "d"}
"""Names of the released variants' models in the registry."""


class ReleasedData(NamedTuple):
    """Data set of a released checkpoint: its name in results and its modalities."""

    name: str
    modalities: tuple[str, ...]


DATA: Mapping[str, ReleasedData] = {
    "brats": ReleasedData(brats.BRATS2020.name, brats.MODALITIES),
    "lits": ReleasedData(lits.NAME, lits.MODALITIES),
}


class ReleasedModel(NamedTuple):
    """Model of a released checkpoint.

    Attributes:
        model: model with the weights, in evaluation mode.
        spec: its specification, with the recipe of the profile `released`.
    """

    model: SegmentationModel
    spec: RunSpec


def read_released(
    path: Path, variant: ReleasedVariant | None = None, dataset: ReleasedDataset | None = None
) -> ReleasedModel:
    """Read a checkpoint of the released code.

    Args:
        path: file with the plain state dict.
        variant: released variant; None for that of the file's entries.
        dataset: released data set; None for that of the file's entries.

    Raises:
        UserError: the file is unreadable, or its entries are not those of the variant and the data set.
    """
    state = read_state_dict(path)
    if variant is None or dataset is None:
        found_variant, found_dataset = recognise(state, path)
        variant, dataset = variant or found_variant, dataset or found_dataset
    model = load_released_state(state, path, variant, dataset)
    data = DATA[dataset]
    # What data the weights are from is known by name only: the files are not at hand.
    unseen = Dataset(data.name, data.modalities, {}, dict[str, Case]().__getitem__, fingerprint="")
    network = plain(released_config(variant, dataset))
    shape, _, _ = (network.pop(size) for size in ("shape", "modalities", "classes"))
    settings = {"preprocessing": {"shape": shape}, "network": network}
    spec = _profile().spec(MODELS[variant], unseen, 0, settings)
    return ReleasedModel(model, replace(spec, imported=weights_digest(model.state_dict())))


def import_released(
    path: Path, folder: Path, variant: ReleasedVariant | None = None, dataset: ReleasedDataset | None = None
) -> RunSpec:
    """Write the folder of a run with the weights of a released checkpoint, and return its specification.

    Raises:
        UserError: as by `read_released`, or the folder cannot be written or holds another run.
    """
    model, spec = read_released(path, variant, dataset)
    refuse_another_run(folder, spec)
    write_spec(folder, spec)
    save_weights(folder / "model.safetensors", model.state_dict())
    return spec


def export_released(folder: Path, path: Path) -> None:
    """Write the weights of a run as a plain state dict in the released naming, with the same tensors.

    Raises:
        UserError: the folder does not hold a complete run, the released code has no such network, or the file cannot be
            written.
    """
    model, _ = load_run(folder)
    try:
        state = released_state_dict(model)
    except UserError as error:
        raise UserError(f"{folder} cannot be exported: {error}") from error
    save_checkpoint(path, state)


def roles_in_released_training(
    names: Sequence[str], trained_on: str, shape_of: Callable[[str], tuple[int, ...]]
) -> dict[str, str]:
    """Return the role of each case in the training of released weights, by case name.

    Roles are those of `ossnet.training.seen_cases.roles_in_training`. The released code lists the cases of BraTS 2020
    by name. A case of another name may be a copy, as those of BraTS 2021 are, and is then on the same grid; on another
    grid it is unseen, by the same standard as in `ossnet.data.voxels.voxel_digest`. Which cases of LiTS the released
    code trained on is not published, so that any case may be one of them.

    Args:
        names: names of the cases.
        trained_on: data set of the released weights.
        shape_of: function that returns the grid of a case. It is called for cases of which the name does not tell.
    """
    if trained_on != brats.BRATS2020.name:
        return dict.fromkeys(names, "unknown")
    learned = set(brats.released_splits(names)["train"])

    def role(name: str) -> str:
        if re.fullmatch(brats.BRATS2020.case, name):
            return "train" if name in learned else "validation"
        return "unknown" if sorted(shape_of(name)) == sorted(brats.GRID) else "unseen"

    return {name: role(name) for name in names}


def refuse_cases_of_released_training(
    dataset: Dataset, split: str, roles: Mapping[str, str], trained_on: str, run: str
) -> None:
    """Raise a UserError if released weights may have learned from cases that are to be scored.

    Args:
        dataset: data set of the cases.
        split: split of the cases.
        roles: role of each case, from `roles_in_released_training`.
        trained_on: data set of the released weights.
        run: name of the run that has the weights or started from them, in messages.
    """
    weights = f"the released weights that {run} has, or started from,"
    learned, unknown = ([name for name, found in roles.items() if found == role] for role in ("train", "unknown"))
    if learned:
        raise UserError(
            f"{weights} have learned from {len(learned)} of the {len(roles)} cases in split {split} of data set "
            f"{dataset.name}, the first is {learned[0]}; give the released split (brats-released:FOLDER), or add "
            "--allow-learned-cases to ossnet evaluate"
        )
    if unknown and trained_on == brats.BRATS2020.name:
        raise UserError(
            f"{len(unknown)} of the {len(roles)} cases in split {split} of data set {dataset.name} are on the grid of "
            f"BraTS 2020, the first is {unknown[0]}, and {weights} may have learned from them under other names; add "
            "--allow-learned-cases to ossnet evaluate"
        )
    if unknown:
        raise UserError(
            f"which cases of {trained_on} {weights} have learned from is not published, and those in split {split} of "
            f"data set {dataset.name} may be among them; add --allow-learned-cases to ossnet evaluate"
        )


@cache
def _profile() -> Profile:
    return load_profile("released")
