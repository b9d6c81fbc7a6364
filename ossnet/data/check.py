"""Check of a data set: what its files hold, and which cases cannot be used."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from nibabel.affines import voxel_sizes
from nibabel.orientations import aff2axcodes

from ossnet.data.case import Case
from ossnet.data.far_values import refuse_far_values
from ossnet.data.listing import FileCase, Listing
from ossnet.data.nifti import read_header, same_place
from ossnet.data.splits import SPLITS
from ossnet.data.voxels import kept_voxel_digest
from ossnet.errors import UserError

OBLIQUE_COSINE = 0.999
"""Cosine between an axis of the voxels and the closest one of the patient below which it is called oblique (2.6°)."""


@dataclass(frozen=True)
class CaseCheck:
    """What the files of a case hold.

    Attributes:
        name: name of the case.
        split: split of the case; empty for none.
        problem: why the case cannot be used, with a remedy; None if it can. The attributes below are then defined.
        notes: what is unusual, but does not keep the case from being used.
        shape: grid (H, W, D).
        spacing_mm: edges of a voxel in mm; NaN where unknown.
        orientation: directions of the axes in nibabel's codes, and whether they are oblique.
        voxels: number of voxels of each value of the label above 0; None for an unlabelled case.
        voxel_mm3: volume of a voxel in mm³; NaN where unknown.
        digest: digest of the voxels, by which copies are recognised.
    """

    name: str
    split: str
    problem: str | None = None
    notes: tuple[str, ...] = ()
    shape: tuple[int, int, int] | None = None
    spacing_mm: tuple[float, float, float] | None = None
    orientation: str = ""
    voxels: Mapping[int, int] | None = None
    voxel_mm3: float = math.nan
    digest: str = ""


def check_cases(listing: Listing, cache: Path, report: Callable[[int, str], None]) -> list[CaseCheck]:
    """Read the cases of a data set, one at a time, and return what they hold.

    A case cannot be used if a file is missing, damaged or not what it should be, if its files disagree in their grid or
    place, or if its voxels are those of a case before it.

    Args:
        listing: files of the data set.
        cache: folder that keeps digests of files and voxels.
        report: called after each case with the number of cases that are done and the name.

    Raises:
        UserError: the cache cannot be written.
    """
    problems = listing.problems()
    checks: list[CaseCheck] = []
    first: dict[str, str] = {}
    for done, case in enumerate(listing.cases, start=1):
        split = next((split for split in SPLITS if case.name in listing.splits[split]), "")
        if case.name in problems:
            check = CaseCheck(case.name, split, problems[case.name])
        else:
            check = _check(listing.only(case), case, split, cache)
        other = first.setdefault(check.digest, case.name) if check.problem is None else case.name
        if other != case.name:
            check = replace(
                check,
                problem=f"case {case.name} has the voxels of case {other}, and a model must not be scored on a copy of "
                "what it has learned from; remove one of them",
            )
        checks.append(check)
        report(done, case.name)
    return checks


def _check(listing: Listing, files: FileCase, split: str, cache: Path) -> CaseCheck:
    """Read a case, which is the only one of a listing."""
    try:
        dataset = listing.dataset(cache)
        case = dataset.load(files.name)
    except UserError as error:
        return CaseCheck(files.name, split, str(error))
    return CaseCheck(
        files.name,
        split,
        None,
        tuple(_notes(listing, files, case)),
        case.shape,
        case.spacing_mm,
        _orientation(case.affine),
        None if case.label is None else _voxels(case.label),
        case.voxel_mm3,
        kept_voxel_digest(dataset, files.name, cache, case),
    )


def _notes(listing: Listing, files: FileCase, case: Case) -> list[str]:
    notes = []
    if not case.spacing_known:
        notes.append("the size of voxels is not stated, so that nothing is scored in mm or ml")
    if files.label is not None and not same_place(case.shape, case.affine, read_header(files.label).affine):
        notes.append("the label's affine differs from the image's, which is taken")
    for channel, modality in zip(case.image, case.modalities, strict=True):
        values = channel.ravel()
        with np.errstate(over="ignore", invalid="ignore"):
            deviation = values.std()
        if deviation == 0:
            notes.append(f"{modality} has the same value everywhere")
        try:
            refuse_far_values(values, deviation, modality)
        except UserError as error:
            notes.append(f"a training that normalises by the whole volume will refuse it: {error}")
    if case.label is None:
        notes.append("there is no label")
    elif not case.label.any():
        notes.append("the label has no foreground")
    elif listing.label_names:
        unnamed = sorted(set(_voxels(case.label)) - set(listing.label_names))
        if unnamed:
            notes.append(f"the label has values that the data set does not name: {', '.join(map(str, unnamed))}")
    return notes


def _voxels(label: np.ndarray) -> dict[int, int]:
    """Return the number of voxels of each value above 0."""
    counts = np.sum([np.bincount(part.ravel(), minlength=256) for part in label], axis=0)
    return {value: int(counts[value]) for value in range(1, 256) if counts[value]}


def _orientation(affine: np.ndarray) -> str:
    cosines = np.abs(affine[:3, :3] / voxel_sizes(affine)).max(axis=0)
    return "".join(aff2axcodes(affine)) + (" oblique" if cosines.min() < OBLIQUE_COSINE else "")


def check_table(checks: Sequence[CaseCheck]) -> pd.DataFrame:
    """Return a table with a row per case."""
    return pd.DataFrame(
        {
            "case": [check.name for check in checks],
            "split": [check.split for check in checks],
            "shape": ["x".join(map(str, check.shape or ())) for check in checks],
            "spacing_mm": [_spacing(check) for check in checks],
            "orientation": [check.orientation for check in checks],
            "labels": [_labels(check) for check in checks],
            "usable": ["no" if check.problem else "yes" for check in checks],
            "remarks": ["; ".join([*([check.problem] if check.problem else []), *check.notes]) for check in checks],
        }
    )


def _spacing(check: CaseCheck) -> str:
    if check.spacing_mm is None:
        return ""
    known = not math.isnan(check.voxel_mm3)
    return " x ".join(f"{edge:.4g}" for edge in check.spacing_mm) if known else "unknown"


def _labels(check: CaseCheck) -> str:
    """Return the values of a label with their volumes in ml, or in voxels if the size of these is unknown."""
    if check.voxels is None:
        return ""
    known = not math.isnan(check.voxel_mm3)
    volumes = {
        value: f"{count * check.voxel_mm3 / 1000:.4g} ml" if known else f"{count} voxels"
        for value, count in check.voxels.items()
    }
    return ", ".join(f"{value}: {volume}" for value, volume in volumes.items()) or "none"


def _patients(listing: Listing) -> str:
    """Return the number of patients, where they are known to have several cases."""
    patients = {listing.patients.get(case.name, case.name) for case in listing.cases}
    return f" of {len(patients)} patients" if listing.patients else ""


def summary(listing: Listing, checks: Sequence[CaseCheck]) -> list[str]:
    """Return what all cases together hold, as lines of text."""
    read = [check for check in checks if check.shape is not None]
    columns = check_table(read)
    lines = [
        f"data set {listing.name}: {len(checks)} cases{_patients(listing)}, "
        + ", ".join(f"{len(listing.splits[split])} {split}" for split in SPLITS),
        f"modalities: {', '.join(listing.modalities)}",
    ]
    for title, column in (("shapes", "shape"), ("spacings in mm", "spacing_mm"), ("orientations", "orientation")):
        counts = Counter(columns[column]).most_common()
        rest = f" and {len(counts) - 5} more" if len(counts) > 5 else ""
        lines.append(f"{title}: {', '.join(f'{value} ({count} cases)' for value, count in counts[:5])}{rest}")
    for value in sorted({value for check in read for value in check.voxels or ()}):
        name = f" ({listing.label_names[value]})" if value in listing.label_names else ""
        count = sum(value in (check.voxels or ()) for check in read)
        lines.append(f"label {value}{name}: in {count} of {len(read)} cases")
    return lines
