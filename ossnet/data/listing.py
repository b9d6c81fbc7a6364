"""Listing of the files of a data set, which the reader of each layout on disk makes."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from ossnet.config import digest
from ossnet.data.case import Case, Dataset
from ossnet.data.file_identity import FileIdentity, file_identity
from ossnet.data.label_names import LabelNames
from ossnet.data.nifti import SUFFIXES, has_spacing, read_image, read_label, same_place
from ossnet.data.splits import Splits
from ossnet.errors import UserError


@dataclass(frozen=True)
class FileCase:
    """Files of a case.

    Attributes:
        name: name of the case.
        images: one file per modality, or a single file with all of them.
        label: file of the label; None for an unlabelled case.
    """

    name: str
    images: tuple[Path, ...]
    label: Path | None


@dataclass(frozen=True)
class Listing:
    """Cases of a data set as files, none of which has been read. Files may be missing.

    Attributes:
        name: name of the data set.
        modalities: names of the channels, in the order of the images of each case.
        cases: files of all cases.
        splits: names of the cases of each split.
        label_by_grid: whether a label's voxels are those of the image whatever its header states. Otherwise the affines
            of both must agree.
        label_names: names of the label's values, where the data set gives them.
        patients: patient of a case, by its name, where patients have several cases.
        held_out: cases that are in no fold, see `Dataset`.
        known_problems: why a case is unusable, by its name, as far as the reader of the layout knows; see `problems`.
    """

    name: str
    modalities: tuple[str, ...]
    cases: tuple[FileCase, ...]
    splits: Splits
    label_by_grid: bool
    label_names: LabelNames = field(default_factory=dict)
    patients: Mapping[str, str] = field(default_factory=dict)
    held_out: tuple[str, ...] = ()
    known_problems: Mapping[str, str] = field(default_factory=dict)

    def problems(self) -> dict[str, str]:
        """Return what is missing of the cases, each with a remedy, by the name of the case."""
        found = dict(self.known_problems)
        for case in self.cases:
            if not case.name.isprintable():
                found.setdefault(case.name, f"case {case.name!r}: the name is not readable; rename its files")
            for path in (*case.images, case.label):
                if path is not None and not is_file(path):
                    found.setdefault(
                        case.name, f"case {case.name}: {path} is missing; complete the case or remove its files"
                    )
        return found

    def only(self, case: FileCase) -> "Listing":
        """Return the listing of a single case."""
        splits = {split: tuple(name for name in names if name == case.name) for split, names in self.splits.items()}
        problems = {name: problem for name, problem in self.known_problems.items() if name == case.name}
        return replace(self, cases=(case,), splits=splits, known_problems=problems)

    def dataset(self, cache: Path | None = None) -> Dataset:
        """Return the data set.

        Its fingerprint is a SHA-256 over modalities, splits, case names and the `file_identity` of each file. Times of
        modification are not included, since they differ between copies.

        Args:
            cache: folder for digests, see `file_identity`.

        Raises:
            UserError: a case has one of `problems`, or a file cannot be read.
        """
        problems = list(self.problems().values())
        if problems:
            more = f"; `ossnet data check` lists {len(problems) - 1} more" if len(problems) > 1 else ""
            raise UserError(problems[0] + more)
        by_name = {case.name: case for case in self.cases}
        identities = {
            case.name: [file_identity(path, cache) for path in (*case.images, case.label) if path]
            for case in self.cases
        }
        identity = json.dumps([self.modalities, dict(self.splits), identities], sort_keys=True)
        return Dataset(
            name=self.name,
            modalities=self.modalities,
            splits=self.splits,
            load=partial(_load, by_name, self.modalities, self.label_by_grid),
            fingerprint=hashlib.sha256(identity.encode()).hexdigest(),
            contents={case.name: _content(case, identities[case.name], self.label_by_grid) for case in self.cases},
            patients=self.patients,
            held_out=self.held_out,
            label_names=self.label_names,
            unlabelled=tuple(case.name for case in self.cases if case.label is None),
        )


def is_file(path: Path) -> bool:
    """Return whether a path is a file that can be found."""
    try:
        return path.is_file()
    except OSError:  # The folder may not be searched, or the name is too long.
        return False


def contents_of(folder: Path, wanted: str) -> list[Path]:
    """Return the files and folders in a folder, sorted.

    Args:
        folder: the folder.
        wanted: what to give in its place if it is none, for the message.

    Raises:
        UserError: the folder does not exist or cannot be read.
    """
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserError(f"{folder} is not a folder; give {wanted}") from error
    except OSError as error:
        raise UserError(f"cannot read {folder}: {error.strerror}; make it readable") from error


def files_of(folder: Path, suffixes: Sequence[str] = SUFFIXES) -> dict[str, Path]:
    """Return the files of a folder that have one of some suffixes, by their names without it, sorted.

    Hidden files are left out: macOS writes a file `._NAME` beside each file on disks of other systems.

    Raises:
        UserError: the folder does not exist or cannot be read, or two files have the same name but for the suffix.
    """
    found: dict[str, Path] = {}
    for path in contents_of(folder, "a data set that is complete"):
        suffix = next((suffix for suffix in suffixes if path.name.endswith(suffix)), None)
        if suffix is None or path.name.startswith("."):
            continue
        stem = path.name.removesuffix(suffix)
        if stem in found:
            raise UserError(f"{path} and {found[stem]} have the same name but for the suffix; remove one of them")
        found[stem] = path
    return found


def name_of_folder(layout: str, folder: Path) -> str:
    """Return the name in results of a data set that is named after its folder, such as `msd-Task03_Liver`.

    Raises:
        UserError: the folder does not exist, or its name cannot be part of results.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder; give the folder of the data set")
    name = folder.resolve().name
    if not name or not name.isprintable():
        raise UserError(f"{folder}: the folder's name, which names the data set in results, is not readable; rename it")
    return f"{layout}-{name}"


def _load(cases: Mapping[str, FileCase], modalities: tuple[str, ...], label_by_grid: bool, name: str) -> Case:
    if name not in cases:
        raise UserError(f"there is no case '{name}' in this data set; choose one of {', '.join(list(cases)[:5])}, ...")
    case = cases[name]
    image, affine = read_image(case.images)
    if len(image) != len(modalities):
        # Only a single file can have four axes; `read_image` refuses them in one of several files.
        expected = "one is" if len(modalities) == 1 else f"{len(modalities)} are"
        raise UserError(
            f"{case.images[0]} holds {len(image)} volumes where {expected} expected ({', '.join(modalities)}); correct "
            "the file, or list one file per volume in a table"
        )
    label = None
    if case.label is not None:
        label, label_affine = read_label(case.label)
        if not label_by_grid and label.shape == image.shape[1:] and not same_place(label.shape, affine, label_affine):
            raise UserError(f"{case.label} and {case.images[0]} have different affines; resample one to the other")
    return Case(name, image, label, affine, modalities, has_spacing(case.images[0]))


def _content(case: FileCase, identities: Sequence[FileIdentity], label_by_grid: bool) -> str:
    """Return a digest of the contents of a case's files, whatever they are called."""
    return digest([len(case.images), label_by_grid, [identity[1:] for identity in identities]])
