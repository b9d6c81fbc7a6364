"""The committed reference: its tables and claims come out of its records again, and so do its identities."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from benchmarks.__main__ import main
from benchmarks.names import REFERENCE
from benchmarks.runs.run_folder import identity
from benchmarks.scoring.registry import build_scoring
from ossnet.config import plain

RECORDS = [path for folder in ("records", "transfer") for path in sorted((REFERENCE / folder).glob("*.jsonl"))]
TRANSFERS = sorted(path.name for path in (REFERENCE / "transfer").glob("*") if path.suffix != ".jsonl")
TABLES = sorted(path.name for path in (REFERENCE / "tables").iterdir() if not path.stem.startswith("simulation"))


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the tables that are made from the reference's records."""
    results = tmp_path_factory.mktemp("reference")
    for folder in ("records", "efficiency", "trials", "transfer"):
        if (REFERENCE / folder).is_dir():
            # Of a transfer, only what its tables are made from.
            of_transfer = shutil.ignore_patterns("*.md", "*.csv", "*.tex") if folder == "transfer" else None
            shutil.copytree(REFERENCE / folder, results / folder, ignore=of_transfer)
    assert main(["collect", "--no-reference", "--results", str(results)]) == 0
    assert main(["claims", "--results", str(results)]) == 0
    return results / "tables"


def test_there_are_the_same_tables(tables: Path) -> None:
    assert sorted(path.name for path in tables.iterdir()) == TABLES


@pytest.mark.parametrize("name", TABLES)
def test_a_table_comes_out_the_same(name: str, tables: Path) -> None:
    assert (tables / name).read_text(encoding="utf-8") == (REFERENCE / "tables" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", TRANSFERS)
def test_a_transfer_has_the_same_tables_and_no_images(name: str, tables: Path) -> None:
    assert (REFERENCE / "transfer" / name).suffix in (".md", ".csv", ".tex")
    made = tables.parent / "transfer" / name
    assert made.read_text(encoding="utf-8") == (REFERENCE / "transfer" / name).read_text(encoding="utf-8")


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_every_record_has_the_identity_of_its_specification(path: Path) -> None:
    for row in rows(path):
        specification = plain(build_scoring(row["spec"], path.name))
        assert specification == row["spec"]
        assert identity(specification) == row["identity"]
