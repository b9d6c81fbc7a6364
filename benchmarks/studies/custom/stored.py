"""Copies of the files of studies in a results folder, `results/studies/NAME.toml`, by which commands find them."""

from collections.abc import Iterable
from pathlib import Path

from benchmarks.studies.custom.definition import read_study
from benchmarks.study import Study
from ossnet.files import write_text


def stored_studies(results: Path) -> dict[str, Study]:
    """Return the studies whose files are in a results folder, by name.

    Raises:
        UserError: a file cannot be read, or defines no study of this version.
    """
    studies = [read_study(path) for path in sorted((results / "studies").glob("*.toml"))]
    return {study.name: study for study in studies}


def store(studies: Iterable[Study], results: Path) -> None:
    """Copy the files of those studies that have one to a results folder, unless it has the same already.

    A file of the same name is replaced: it is an earlier version of the study, whose runs are found again by their
    identities.

    Raises:
        UserError: a file cannot be read or written.
    """
    for study in studies:
        if study.file is None:
            continue
        copy = results / "studies" / f"{study.name}.toml"
        text = study.file.read_bytes().decode("utf-8-sig")
        if not copy.exists() or copy.read_bytes().decode("utf-8-sig") != text:
            write_text(copy, text)
