"""The benchmarks run, save what they should, and can be compared with saved ones."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from benchmarks.micro import conftest
from ossnet.inference.extraction import EXTRACTORS
from ossnet.registry import model_names

MICRO = Path(__file__).parents[2] / "benchmarks" / "micro"
ONCE = ("--benchmark-enable", "--benchmark-min-rounds=1", "--benchmark-max-time=0", "--benchmark-storage=saved")

RUN = """
import sys
import pytest
from benchmarks.micro import volumes

volumes.SHAPE = (64, 48, 48)
volumes.TRAINED = (32, 32, 16)
volumes.BALLS = 2

from benchmarks.micro import bench_activation, bench_decoder, bench_normalization, bench_patches

bench_activation.SHAPE = (1, 4, 16, 16, 8)
bench_normalization.SHAPE = (1, 64, 32)
bench_decoder.LOCATIONS = bench_patches.LOCATIONS = 32
sys.exit(pytest.main(sys.argv[1:]))
"""
"""Benchmarks of smaller and fewer volumes, which take less time."""


def run(folder: Path, what: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run benchmarks in a process of their own, since they set torch's number of threads."""
    command = [sys.executable, "-c", RUN, str(what), "-q", "-p", "no:cacheprovider", *options]
    # In a worker of pytest-xdist, pytest-benchmark would time nothing.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where every benchmark was run once and saved, of balls those of one radius and slope, which share their code."""
    folder = tmp_path_factory.mktemp("benchmarks")
    finished = run(folder, MICRO, *ONCE, "--benchmark-save=first", "-k", "not recall or 2.5-1.0")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return folder


def saved_file(folder: Path) -> Path:
    (path,) = (folder / "saved").glob("*/*_first.json")
    return path


@pytest.fixture(scope="module")
def saved(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(saved_file(folder).read_text(encoding="utf-8"))
    return content


def test_each_has_a_group_a_shape_and_a_throughput(saved: dict[str, Any]) -> None:
    for benchmark in saved["benchmarks"]:
        info = dict(benchmark["extra_info"])
        assert benchmark["group"]
        assert all(size > 0 for size in info["shape"])
        assert info["device"]
        assert info["threads"] == 1
        ((rate, value),) = ((key, value) for key, value in info.items() if key.endswith("_per_s"))
        assert math.isclose(value, info[rate.removesuffix("_per_s")] / benchmark["stats"]["median"])


def test_every_file_model_and_extraction_has_its_benchmarks(saved: dict[str, Any]) -> None:
    benchmarks = saved["benchmarks"]
    files = {Path(benchmark["fullname"].partition("::")[0]).name for benchmark in benchmarks}
    assert files == {path.name for path in MICRO.glob("bench_*.py")}
    params = [benchmark["params"] or {} for benchmark in benchmarks]
    assert {each["model"] for each in params if "model" in each} == {*model_names()}
    assert {each["extractor"] for each in params if "extractor" in each} == {*EXTRACTORS}


def test_recall_is_a_share_of_the_balls(saved: dict[str, Any]) -> None:
    infos = [each["extra_info"] for each in saved["benchmarks"] if each["group"] == "recall"]
    assert {info["balls"] for info in infos} == {2}
    assert {info["found"] for info in infos} <= {0, 0.5, 1}
    assert all(info["evaluated"] > 0 for info in infos)


def test_a_saved_file_names_the_hardware_but_no_host_and_no_path(folder: Path, saved: dict[str, Any]) -> None:
    assert saved["machine_info"].keys() == {"cpu", "gpu", "memory_bytes", "platform", "versions"}
    text = saved_file(folder).read_text(encoding="utf-8")
    for path in (folder, MICRO.parents[1], Path(sys.prefix), Path.home()):
        assert f"{path}/" not in text
    assert "UNSERIALIZABLE" not in text


def test_a_comparison_warns_of_another_machine_and_goes_on(folder: Path, saved: dict[str, Any]) -> None:
    elsewhere = saved | {"machine_info": saved["machine_info"] | {"memory_bytes": 1}}
    saved_file(folder).write_text(json.dumps(elsewhere), encoding="utf-8")
    finished = run(folder, MICRO / "bench_augmentation.py", *ONCE, "--benchmark-compare")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "machine_info is different" in finished.stderr
    assert "bench_augmentation[flip] (0001_first)" in finished.stdout
    assert "bench_augmentation[flip] (NOW)" in finished.stdout


@pytest.mark.parametrize(
    ("asked", "named"), [(True, r"no saved benchmarks .*there are: none"), ("0002", "'0002'"), ("a/b/c", "a/b/c")]
)
def test_a_comparison_with_what_is_missing_is_refused(
    asked: bool | str, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(pytest.UsageError, match=named):
        compare(asked, tmp_path, monkeypatch)


def test_a_complaint_about_a_missing_save_names_those_there_are(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(pytest.UsageError, match="0001_first"):
        compare("0009", folder / "saved", monkeypatch)
    compare("0001", folder / "saved", monkeypatch)


def compare(asked: bool | str, storage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do what the benchmarks do first where they are to be compared with saved ones."""
    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
    options = {"benchmark_compare": asked, "benchmark_storage": f"file://{storage}"}
    conftest.pytest_configure(SimpleNamespace(getoption=options.get))
