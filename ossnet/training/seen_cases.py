"""The cases that a training has seen, known again by their voxels, so that none is taken for a test of the model."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter

from ossnet.data.case import Dataset
from ossnet.data.voxels import VERSION, kept_voxel_digest
from ossnet.errors import UserError
from ossnet.files import unreadable, write_text

FILE = "cases.json"
"""In the folder of a training."""


@dataclass(frozen=True)
class LearnedCases:
    """The cases of a training.

    Attributes:
        train: names of the cases that it learned from, to their `voxel_digest`.
        validation: likewise, of those that its best epoch was chosen on.
        version: of the digests.
    """

    train: Mapping[str, str]
    validation: Mapping[str, str]
    version: int = VERSION

    def write(self, folder: Path) -> None:
        """Write them into the folder of the training."""
        write_text(folder / FILE, json.dumps(asdict(self), indent=2) + "\n")


def read_learned_cases(folder: Path) -> LearnedCases | None:
    """Read the cases of the training in a folder; None of one made before they, or digests as of now, were recorded.

    Raises:
        UserError: the record cannot be read or is damaged.
    """
    path = folder / FILE
    try:
        record = json.loads(path.read_bytes())
        if isinstance(record, dict) and record.get("version") != VERSION:
            return None
        return TypeAdapter(LearnedCases).validate_python(record)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:  # pydantic's is a ValueError.
        raise unreadable(path, error, f"{path} is damaged; restore it, or train that run again") from error


def roles_in_training(
    dataset: Dataset,
    split: str,
    cache: Path,
    learned: LearnedCases | None,
    report: Callable[[int, int], None] = lambda *_: None,
) -> dict[str, str]:
    """Tell what each case of a split was to a training: `train`, `validation`, `unseen`, or `unknown` without a record.

    Args:
        cache: where digests of voxels are kept.
        report: called after each case as (cases compared, of how many).

    Raises:
        UserError: a case cannot be loaded, or the cache cannot be written.
    """
    names = dataset.splits[split]
    if learned is None:
        return dict.fromkeys(names, "unknown")
    roles = dict.fromkeys(learned.validation.values(), "validation") | dict.fromkeys(learned.train.values(), "train")
    found = {}
    for done, name in enumerate(names, start=1):
        # A case is read for it once; from then on its digest is kept.
        found[name] = roles.get(kept_voxel_digest(dataset, name, cache), "unseen")
        report(done, len(names))
    return found


def refuse_learned_cases(
    dataset: Dataset, split: str, roles: Mapping[str, str], trained_on: str, fingerprint: str, run: str
) -> None:
    """Refuse to score a model on cases that it has learned from, whatever they and their files are called now.

    Of a training that recorded none, only cases of the very same data set, in another split, are known to be others.
    The cases that a best epoch was chosen on may be scored, as in the paper.

    Args:
        split: of the cases to be scored, and `roles` what `roles_in_training` says of them.
        trained_on: the name of the data set of the training, and `fingerprint` its fingerprint.
        run: as the user calls it.

    Raises:
        UserError: the model has learned from a case, or may have; names it and the remedy.
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
            f"{run} has no record of the cases that it has learned from ({FILE}), which those of data set "
            f"{dataset.name} may be; train it again, or add --allow-learned-cases to ossnet evaluate"
        )
    if dataset.fingerprint != fingerprint:
        raise UserError(
            f"data set {dataset.name} is not as it was in the training of {run} (cases, files, modalities or splits), "
            "which may have learned the cases to be scored; give the --data and --profile of that training, "
            "or add --allow-learned-cases to ossnet evaluate"
        )
    if split == "train":
        raise UserError(f"{run} has learned from the cases in split train of data set {dataset.name}; {remedy}")
