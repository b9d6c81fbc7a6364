"""Fixtures of the benchmarks, and the description of the machine that is saved with their times."""

from pathlib import Path

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from pytest_benchmark.storage.file import FileStorage
from pytest_benchmark.utils import get_machine_id

from benchmarks.machine.provenance import provenance
from benchmarks.micro.measure import Measure

CPU = torch.device("cpu")


def _device() -> torch.device:
    return torch.device("cuda") if torch.cuda.is_available() else CPU


def pytest_configure(config: pytest.Config) -> None:
    """Set the number of threads, and refuse a comparison with benchmarks that were never saved."""
    # One thread, so that times do not depend on the load of other cores.
    torch.set_num_threads(1)
    if config.getoption("benchmark_compare"):
        _require_saved(Path(config.getoption("benchmark_storage").removeprefix("file://")), config)


def _require_saved(folder: Path, config: pytest.Config) -> None:
    """Raise a UsageError, before minutes of benchmarks, if the folder lacks those that they are to be compared with."""
    selected = config.getoption("benchmark_compare")  # True for the last that were saved, else a name.
    storage = FileStorage(folder, logger=None, default_machine_id=get_machine_id())
    try:
        found = storage.query("[0-9][0-9][0-9][0-9]_" if selected is True else selected)
    except ValueError as error:
        raise pytest.UsageError(f"SAVED={selected}: {error}") from error
    if not found:
        what = "saved benchmarks" if selected is True else f"benchmarks saved as {selected!r}"
        there = ", ".join(path.stem for path in storage.query()) or "none"
        raise pytest.UsageError(
            f"{folder} holds no {what} of this kind of machine to compare with (there are: {there}); "
            "save some with make bench"
        )


def pytest_benchmark_generate_machine_info() -> dict[str, object]:
    """Describe what times depend on, without the host's name and without values that change, such as a clock rate."""
    found = provenance("make bench", _device())
    return {name: found[name] for name in ("cpu", "gpu", "memory_bytes", "platform", "versions")}


@pytest.fixture(scope="session")
def device() -> torch.device:
    """Return a GPU where torch has one, else the CPU."""
    return _device()


@pytest.fixture
def generator(device: torch.device) -> torch.Generator:
    """Return the generator of inputs on the device."""
    return torch.Generator(device).manual_seed(0)


@pytest.fixture(autouse=True)
def _same_initial_weights() -> None:
    torch.manual_seed(0)


@pytest.fixture
def measure(benchmark: BenchmarkFixture, device: torch.device) -> Measure:
    """Return the stopwatch of work on the device."""
    return Measure(benchmark, device)


@pytest.fixture
def measure_on_host(benchmark: BenchmarkFixture) -> Measure:
    """Return the stopwatch of work that is done on the CPU on every machine."""
    return Measure(benchmark, CPU)
