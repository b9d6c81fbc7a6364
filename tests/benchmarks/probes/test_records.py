"""Files of records: what is written is read again, and a damaged line is named wherever it is read."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import benchmarks.__main__
import paper_figures.__main__
from benchmarks.probes.published import published_memory
from benchmarks.probes.records import ProbeRecord, read_records, write_records
from benchmarks.studies.figure5 import measured as figure5_measured
from ossnet.errors import UserError

Record = Callable[..., ProbeRecord]

FIRST, SECOND = (number.probe for number in published_memory()[:2])
(TIMED, *_) = figure5_measured("cpu")

DAMAGED = {
    ("result", "allocated_bytes"): ("a lot", 'record.result.allocated_bytes is "a lot", not a number'),
    ("result", "reserved_bytes"): (None, "record.result.reserved_bytes is null, not a number"),
    ("result", "by_part"): (7, "record.result.by_part is 7, not a table"),
    ("result", "by_part", "decoder"): ("most", 'record.result.by_part.decoder is "most", not a number'),
    ("result",): ([1, 2], "record.result is [1, 2], not a table or null"),
    ("failure",): ("OOM", "record has both a result and a failure, or neither"),
    ("provenance", "cpu"): (None, "record.provenance.cpu is null, not a table"),
    ("provenance", "gpu"): ("H100", 'record.provenance.gpu is "H100", not a table or null'),
    ("probe", "locations"): ("many", 'record.probe.locations is "many", not a whole number or null'),
    ("probe", "shape"): ([256, 256], "record.probe.shape has 2 values, not 3"),
    ("probe", "colour"): ("red", "record.probe.colour is unknown"),
    ("probe", "quantity"): (
        "memroy",
        "record.probe.quantity is memroy, not one of memory, runtime, comparison, command",
    ),
    ("machine",): (1, "record.machine is 1, not a text"),
    ("schema_version",): ("one", 'record.schema_version is "one", not a whole number'),
}
"""Damaged places of a line, each with the damage and the problem that the message names."""

UNREADABLE = {
    b'{"study": "tab': "not JSON (Unterminated string starting at at character 11)",
    b"[]": "record is [], not a table",
    b"{}": "record.schema_version is missing",
    b'{"schema_version": 1}': "record.failure is missing",
    b"\xff": "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
}

COMMANDS: dict[str, Callable[[Path], int]] = {
    "collect": lambda results: benchmarks.__main__.main(
        ["collect", "table3", "--no-reference", "--results", str(results)]
    ),
    "status": lambda results: benchmarks.__main__.main(["status", "table3", "--results", str(results)]),
    "figures": lambda results: paper_figures.__main__.main(["memory_parts", "--results", str(results)], None),
}


def problem(results: Path, *studies: str) -> str:
    """Return the message with which reading the records is refused."""
    with pytest.raises(UserError) as caught:
        read_records(results, studies)
    return str(caught.value)


def message(path: Path, number: int, what: str) -> str:
    """Return the message about a line, with its remedy."""
    return f"{path}, line {number}: {what}; delete line {number} of {path} and run the study again"


@pytest.fixture
def path(tmp_path: Path, record: Record) -> Path:
    """A file of two records."""
    write_records([record("table3", probe, "predicted", 1) for probe in (FIRST, SECOND)], tmp_path)
    return tmp_path / "efficiency" / "table3-predicted.jsonl"


def test_what_is_written_is_read_again(tmp_path: Path, record: Record) -> None:
    written = [record("table3", FIRST, "cpu", 1), record("table3", SECOND, "cpu", failure="OOM")]
    more = {"process_bytes": None, "device_bytes_before": 3, "process_source": "device", "new": [1]}
    written[0] = replace(written[0], result={**(written[0].result or {}), **more})
    write_records(written, tmp_path)
    timed = record("figure5", TIMED, "NVIDIA H100", seconds=2.0)
    write_records([timed], tmp_path)
    assert read_records(tmp_path, ["table3", "figure5"]) == [*written, timed]
    assert read_records(tmp_path / "elsewhere", ["table3"]) == []


def test_records_of_another_version_are_left_where_they_are(tmp_path: Path, path: Path) -> None:
    line, other = path.read_text(encoding="utf-8").splitlines()
    old = [{"schema_version": 0, "old": other}, json.loads(other) | {"schema_version": 1}]
    path.write_text("\n".join([line, *map(json.dumps, old)]), encoding="utf-8")
    assert [record.probe for record in read_records(tmp_path, ["table3"])] == [FIRST]


@pytest.mark.parametrize(("place", "damage"), DAMAGED.items(), ids=map(".".join, DAMAGED))
def test_a_damaged_record_is_named_with_its_remedy(
    place: tuple[str, ...], damage: tuple[Any, str], path: Path, tmp_path: Path
) -> None:
    value, what = damage
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    *outer, last = place
    inner = rows[1]
    for key in outer:
        inner = inner[key]
    inner[last] = value
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert problem(tmp_path, "table3") == message(path, 2, what)


@pytest.mark.parametrize(("line", "what"), UNREADABLE.items(), ids=map(str, UNREADABLE))
def test_a_line_that_is_no_record_is_named_with_its_remedy(line: bytes, what: str, path: Path, tmp_path: Path) -> None:
    path.write_bytes(line + b"\n" + path.read_bytes())
    assert problem(tmp_path, "table3") == message(path, 1, what)


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_every_command_names_a_damaged_line_and_reads_the_others_without_it(
    command: Callable[[Path], int], path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, damaged = path.read_text(encoding="utf-8").splitlines()
    path.write_text(f"{good}\n{damaged[:-1]}\n", encoding="utf-8")
    assert command(tmp_path) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{path}, line 2: not JSON" in line
    path.write_text(f"{good}\n", encoding="utf-8")
    assert command(tmp_path) == 0


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("seconds", [1, "two"], 'record.result.seconds[1] is "two", not a number'),
        ("median_s", None, "record.result.median_s is null, not a number"),
        ("low_s", "less", 'record.result.low_s is "less", not a number or null'),
        ("stages", {"encoder": None}, "record.result.stages.encoder is null, not a number"),
        ("evaluated", 9, "record.result.evaluated is 9, not a list or null"),
    ],
)
def test_a_damaged_time_is_named(name: str, value: Any, what: str, tmp_path: Path, record: Record) -> None:
    timed = record("figure5", TIMED, "cpu", seconds=1.0)
    write_records([replace(timed, result={**(timed.result or {}), name: value})], tmp_path)
    assert problem(tmp_path, "figure5") == message(tmp_path / "efficiency" / "figure5-cpu.jsonl", 1, what)


def test_a_cpu_is_known(tmp_path: Path, record: Record) -> None:
    write_records([replace(record("table3", FIRST, "cpu", 1), provenance={})], tmp_path)
    assert "line 1: record.provenance.cpu is missing; delete line 1 of" in problem(tmp_path, "table3")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "efficiency" / "table3-cpu.jsonl"
    folder.mkdir(parents=True)
    assert problem(tmp_path, "table3") == f"cannot read {folder}: Is a directory"
