"""A profile and a study whose runs take seconds, a sweep of them, and numbers as records give them."""

import mmap
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks.__main__ import main
from benchmarks.probes.records import ProbeRecord
from benchmarks.report.statistics import describe
from benchmarks.runs.run_folder import Run
from benchmarks.scoring.scoring import Job, folder_of, training_folder
from benchmarks.scoring.segmentation import Segmentation
from benchmarks.studies import registry
from benchmarks.studies.table1 import TABLE1
from benchmarks.study import Point, Study
from benchmarks.workload import Probe
from ossnet.config import plain
from ossnet.data.splits import Split
from ossnet.training.profile import Profile
from ossnet.training.run import RunSpec

TINY_PROFILE = """\
base = "laptop"
seeds = [0, 1]
[studies]
locations_scale = 256
[datasets.own.every]
preprocessing = {shape = [16, 16, 16], fit = "pad"}
recipe = {epochs = 3, batch_size = 2, steps_per_epoch = 2, validation = {locations = 512, every = 2}}
[datasets.own.occupancy]
network = {encoder_channels = [4, 4], decoder_width = 8, decoder_blocks = 1, patch_size = 3}
"""


@pytest.fixture(scope="session")
def tiny_profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a profile with which the tiny data set is learned in a moment."""
    path = tmp_path_factory.mktemp("profiles") / "tiny.toml"
    path.write_text(TINY_PROFILE, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_study() -> Study:
    """Two of Table 1's strategies from two seeds: four runs."""

    def grid(profile: Profile) -> list[Point]:
        return [point for point in TABLE1.grid(profile) if point.columns["locations"] == 2**13][:4]

    return replace(TABLE1, grid=grid)


@pytest.fixture(scope="session", autouse=True)
def _as_important_as_before() -> Iterator[None]:
    """Leave the priority of this process alone, which a worker's lowers for good."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "nice", lambda _: 0)
        yield


@pytest.fixture(scope="session")
def prepare_run(data_csv: Path) -> Callable[..., Run]:
    """Prepare a run for a worker: one that scores a training, by default on the tiny data set."""

    def prepare(
        results: Path, spec: RunSpec, extraction: str, source: Path = data_csv, split: Split | None = None
    ) -> Run:
        scoring = Segmentation(spec, extraction, split=split)
        trained_in, epochs = training_folder(results, spec), spec.recipe.epochs
        run = Run(folder_of(results, scoring), spec.model, spec.seed, epochs=epochs, trained_in=trained_in)
        job = Job(str(source), {}, str(results / "cache"), torch.get_num_threads(), "python -m benchmarks run")
        run.prepare(plain(scoring), plain(job))
        return run

    return prepare


@pytest.fixture(scope="session")
def swept(
    tiny_profile: Path, data_csv: Path, tiny_study: Study, forkserver: None, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The results folder of a sweep of the tiny study that nothing disturbed, to be left as it is."""
    results = tmp_path_factory.mktemp("swept")
    options = ["--profile", str(tiny_profile), "--data", str(data_csv), "--results", str(results)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "STUDIES", {"table1": tiny_study})
        assert main(["run", "table1", *options]) == 0
    return results


@pytest.fixture
def finished(swept: Path, tmp_path: Path) -> Path:
    """A copy of these results, in which nothing need be trained again."""
    return Path(shutil.copytree(swept, tmp_path / "finished"))


@pytest.fixture
def run_tiny(tiny_profile: Path, data_csv: Path) -> Callable[..., int]:
    """Run a study on the tiny data set."""

    def run(results: Path, *options: str, study: str = "table1", profile: Path = tiny_profile) -> int:
        shared = ["--profile", str(profile), "--data", str(data_csv), "--results", str(results)]
        return main(["run", study, *shared, *options])

    return run


@pytest.fixture
def use_studies(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Replace the registry of studies."""
    return lambda *some: monkeypatch.setattr(registry, "STUDIES", {study.name: study for study in some})


MEGABYTE = 2**20


@pytest.fixture(scope="session")
def touch_memory() -> Callable[[int], None]:
    """Take so many megabytes that are new to the process, write something to every page, and give them back."""

    def touch(megabytes: int) -> None:
        with mmap.mmap(-1, megabytes * MEGABYTE) as block:
            block[:: mmap.PAGESIZE] = bytes(len(block) // mmap.PAGESIZE)

    return touch


Frame = Callable[..., pd.DataFrame]


@pytest.fixture(scope="session")
def records() -> Frame:
    """Make a number of each model, as of a table, from its value, low and high; `columns` change others or add some."""

    def make(intervals: Mapping[str, tuple[float, float, float]], **columns: object) -> pd.DataFrame:
        rows = [
            {"table": "table2", "dataset": "glioma", "profile": "laptop", "model": model, "quantity": "iou", "unit": "",
             "n": 16, "protocol": "dense", "value": value, "low": low, "high": high}
            for model, (value, low, high) in intervals.items()
        ]  # fmt: skip
        return pd.DataFrame(rows).assign(**columns)

    return make


@pytest.fixture(scope="session")
def scored(records: Frame) -> Frame:
    """Make them from each model's scores [seeds, cases], as `summarise` does."""

    def make(of_models: Mapping[str, Sequence[Sequence[float]]], **columns: object) -> pd.DataFrame:
        described = describe({model: pd.DataFrame(np.asarray(of, float)) for model, of in of_models.items()})
        frame = records({row.model: (row.mean, row.low, row.high) for row in described.itertuples()})
        return frame.assign(scores=list(described["scores"])).assign(**columns)

    return make


PROVENANCE = {"cpu": {"model": "a fine CPU", "torch_threads": 2}}

Record = Callable[..., ProbeRecord]


@pytest.fixture
def record() -> Record:
    """Make a record: of memory in whole GB, the decoder taking all but a quarter, or of seconds; or of a failure."""

    def make(
        study: str,
        probe: Probe,
        machine: str,
        gigabytes: float | None = None,
        seconds: float | None = None,
        failure: str | None = None,
    ) -> ProbeRecord:
        result: dict[str, Any] | None = None
        if gigabytes is not None:
            taken = round(gigabytes * 10**9)
            parts = {"decoder": 3 * taken // 4, "parameters": taken // 4}
            result = {"allocated_bytes": taken, "reserved_bytes": 2 * taken, "by_part": parts}
        if seconds is not None:
            result = {"seconds": [seconds] * 3, "median_s": seconds, "low_s": seconds / 2, "high_s": 2 * seconds}
            stages = {"encoder": 0.1, "gather": 0.2, "decoder": 0.3, "bookkeeping": 0.4}
            result |= {"stages": stages, "evaluated": [1000, 500], "locations_per_s": 750.0, "matmul_share": 0.25}
        return ProbeRecord(study, probe, machine, result, failure, PROVENANCE)

    return make
