from multiprocessing.forkserver import _forkserver
from pathlib import Path

import pytest
import torch

from benchmarks import running
from benchmarks.executors import LocalExecutor
from benchmarks.forkserver import FOR_RUNS, FOR_RUNS_WITHOUT_GPU
from benchmarks.running import CPU_WORKERS, Request, visible_gpus


@pytest.mark.parametrize(
    ("count", "named", "expected"),
    [(0, None, []), (2, None, ["0", "1"]), (2, "3,5", ["3", "5"]), (1, "GPU-x", ["GPU-x"]), (0, "", [])],
)
def test_the_gpus_that_torch_sees(
    count: int, named: str | None, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    if named is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert visible_gpus() == expected


@pytest.mark.parametrize(
    ("gpus", "asked", "expected"), [([], None, CPU_WORKERS), (["0", "1", "2"], None, 3), (["0"], 4, 4), ([], 1, 1)]
)
def test_as_many_runs_at_a_time_as_gpus_unless_asked_otherwise(
    gpus: list[str], asked: int | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "visible_gpus", lambda: gpus)
    monkeypatch.setattr(_forkserver, "_preload_modules", [])
    request = Request([], "laptop", "glioma", Path("results"), "local", asked, 1, False, False, "")
    executor = running._executor(request, None)
    assert isinstance(executor, LocalExecutor)
    assert executor.capacity == expected
    assert _forkserver._preload_modules == [*(FOR_RUNS if gpus else FOR_RUNS_WITHOUT_GPU)]
