"""Record of the cases that a training has seen, by their voxels, so that no model is tested on its training cases."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from ossnet.data.case import Dataset
from ossnet.data.sources import option_of_contents
from ossnet.data.voxels import VERSION, kept_voxel_digest
from ossnet.errors import UserError
from ossnet.files import unreadable, write_text

if TYPE_CHECKING:
    from ossnet.training.run import RunSpec

FILE = "cases.json"
"""File of the record in the folder of a training."""


@dataclass(frozen=True)
class SeenCases:
    """Cases that a training has seen.

    Attributes:
        train: names of the cases that the model has learned from, each with its voxel digest.
        validation: names of the cases that the best epoch was chosen on, each with its voxel digest.
        version: version of the digests.
        released: data set of the released weights that the run has or started from, whose cases are not at hand (see
            `ossnet.training.released_run.roles_in_released_training`); None if it did not.
    """

    train: Mapping[str, str]
    validation: Mapping[str, str]
    version: int = VERSION
    released: str | None = None

    def and_before(self, before: "SeenCases") -> "SeenCases":
        """Return these cases and those of the training that this one starts from."""

        def both(own: Mapping[str, str], earlier: Mapping[str, str]) -> dict[str, str]:
            return {**{f"start/{name}": digest for name, digest in earlier.items()}, **own}

        return SeenCases(
            both(self.train, before.train), both(self.validation, before.validation), released=before.released
        )

    def write(self, folder: Path) -> None:
        """Write the record into the folder of the training."""
        write_text(folder / FILE, json.dumps(asdict(self), indent=2) + "\n")


def read_seen_cases(folder: Path) -> SeenCases | None:
    """Read the record of the training in a folder; return None if there is none, or one of another version.

    Raises:
        UserError: the record cannot be read or is damaged.
    """
    path = folder / FILE
    try:
        record = json.loads(path.read_bytes())
        if isinstance(record, dict) and record.get("version") != VERSION:
            return None
        return TypeAdapter(SeenCases).validate_python(record)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:  # Pydantic's ValidationError is a ValueError.
        raise unreadable(path, error, f"{path} is damaged; restore it, or train that run again") from error


def seen_cases_of(folder: Path, spec: "RunSpec") -> SeenCases | None:
    """Return the cases that the run in a folder has seen; None if there is no record of them.

    Raises:
        UserError: the record cannot be read or is damaged.
    """
    return read_seen_cases(folder) if spec.imported is None else SeenCases({}, {}, released=spec.dataset)


def roles_in_training(
    dataset: Dataset,
    split: str,
    cache: Path,
    seen: SeenCases | None,
    report: Callable[[int, int], None] = lambda *_: None,
) -> dict[str, str]:
    """Return the role of each case of a split in a training, by case name.

    A role is `train`, `validation`, `unseen`, or `unknown` without a record. Cases are compared by their voxels, so
    that a copy under another name is recognised.

    Args:
        dataset: data set of the cases.
        split: split of the cases.
        cache: folder in which voxel digests are kept.
        seen: record of the training; None if there is none.
        report: called after each case with the number of cases compared and their total.

    Raises:
        UserError: a case cannot be loaded, or the cache cannot be written.
    """
    names = dataset.splits[split]
    if seen is None:
        return dict.fromkeys(names, "unknown")
    if not seen.train and not seen.validation:
        return dict.fromkeys(names, "unseen")
    roles = dict.fromkeys(seen.validation.values(), "validation") | dict.fromkeys(seen.train.values(), "train")
    found = {}
    for done, name in enumerate(names, start=1):
        # A case is read for its digest once; from then on the digest is kept.
        found[name] = roles.get(kept_voxel_digest(dataset, name, cache), "unseen")
        report(done, len(names))
    return found


def refuse_learned_cases(
    dataset: Dataset, split: str, roles: Mapping[str, str], trained_on: str, fingerprint: str, run: str
) -> None:
    """Raise a UserError if a model may have learned from cases that are to be scored.

    Without a record of the training, cases are accepted only if they are of the same data set with the same fingerprint
    and of another split than `train`. Cases that the best epoch was chosen on are accepted: the paper scores its models
    on the validation cases.

    Args:
        dataset: data set of the cases to be scored.
        split: split of the cases to be scored.
        roles: role of each case, from `roles_in_training`.
        trained_on: name of the data set of the training.
        fingerprint: fingerprint of the data set of the training.
        run: name of the run in messages.

    Raises:
        UserError: the model has learned from a case, or may have. The message names the case and a remedy.
    """
    remedy = "choose another split, or add --allow-learned-cases to ossnet evaluate"
    found = [name for name, role in roles.items() if role == "train"]
    if found:
        shown = ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
        raise UserError(
            f"{run} has learned from {len(found)} of the {len(roles)} cases in split {split} of data set "
            f"{dataset.name}, whose voxels are those of training cases: {shown}; leave them out, {remedy}"
        )
    if "unknown" not in roles.values():
        return
    if dataset.name != trained_on:
        raise UserError(
            f"{run} has no record of the cases that it has learned from ({FILE}), and cases of data set {dataset.name} "
            "may be among them; train it again, or add --allow-learned-cases to ossnet evaluate"
        )
    if dataset.fingerprint != fingerprint:
        raise UserError(
            f"data set {dataset.name} is not as it was in the training of {run} (cases, files, modalities or splits), "
            "which may have learned from the cases to be scored; give the "
            f"{option_of_contents(dataset.name)} of that training, or add --allow-learned-cases to ossnet evaluate"
        )
    if split == "train":
        raise UserError(f"{run} has learned from the cases in split train of data set {dataset.name}; {remedy}")
