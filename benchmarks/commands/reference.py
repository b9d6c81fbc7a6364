"""`python -m benchmarks reference`: records of a results folder become those of a reference."""

import shutil
from pathlib import Path

from benchmarks.probes.records import FOLDER as PROBES
from benchmarks.report.transfer_table import FOLDER as TRANSFERS
from benchmarks.studies.registry import STUDIES
from ossnet.errors import UserError
from ossnet.files import replacing

REPLACED = ("records", "trials")
"""Folders of which the reference keeps nothing."""

ADDED_TO = (PROBES, TRANSFERS)
"""Folders of which the reference keeps the files that a results folder lacks, since some are from other machines."""


def copy_to_reference(results: Path, reference: Path) -> list[str]:
    """Copy the records of the suite's studies and those of transfers, with the figures' cases beside them.

    Images of transfers are not copied, since the licence of a case may forbid to pass them on.

    Returns:
        The names of the studies that are left out, since the suite has no such study.

    Raises:
        UserError: the results folder has no records of scores, or the reference cannot be written.
    """
    found = {folder: sorted((results / folder).glob("*.jsonl")) for folder in (*REPLACED, *ADDED_TO)}
    if not found["records"]:
        raise UserError(f"{results / 'records'} has no records; make them with `python -m benchmarks run`")
    for folder in REPLACED:
        shutil.rmtree(reference / folder, ignore_errors=True)
    left_out = set()
    for folder, paths in found.items():
        for path in paths:
            study = path.name.partition("-")[0]  # Names of studies have no hyphen.
            if study in STUDIES or folder == TRANSFERS:
                _copy(path, reference / folder)
            else:
                left_out.add(study)
    return sorted(left_out)


def _copy(records: Path, folder: Path) -> None:
    for path in (records, records.with_suffix(".npz")):
        if path.exists():
            with replacing(folder / path.name) as copy:
                shutil.copyfile(path, copy)
