"""Where benchmarks run, what their draws come from, and what is saved of the machine."""

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
    # One thread: what a layer costs, and not how busy the other cores were.
    torch.set_num_threads(1)
    if config.getoption("benchmark_compare"):
        _require_saved(Path(config.getoption("benchmark_storage").removeprefix("file://")), config)


def _require_saved(folder: Path, config: pytest.Config) -> None:
    """Raise a UsageError where the folder does not hold what is to be compared with, before minutes of benchmarks."""
    asked = config.getoption("benchmark_compare")  # True for the last that was saved, else a name.
    storage = FileStorage(folder, logger=None, default_machine_id=get_machine_id())
    try:
        found = storage.query("[0-9][0-9][0-9][0-9]_" if asked is True else asked)
    except ValueError as error:
        raise pytest.UsageError(f"SAVED={asked}: {error}") from error
    if not found:
        what = "saved benchmarks" if asked is True else f"benchmarks saved as {asked!r}"
        there = ", ".join(path.stem for path in storage.query()) or "none"
        raise pytest.UsageError(
            f"{folder} holds no {what} of this kind of machine to compare with (there are: {there}); "
            "save some with make bench"
        )


def pytest_benchmark_generate_machine_info() -> dict[str, object]:
    """What times depend on, and neither a host's name nor anything that changes by itself, as a clock rate does."""
    found = provenance("make bench", _device())
    return {name: found[name] for name in ("cpu", "gpu", "memory_bytes", "platform", "versions")}


@pytest.fixture(scope="session")
def device() -> torch.device:
    """A GPU where torch has one, else the CPU."""
    return _device()


@pytest.fixture
def generator(device: torch.device) -> torch.Generator:
    """Of inputs on the device."""
    return torch.Generator(device).manual_seed(0)


@pytest.fixture(autouse=True)
def _same_initial_weights() -> None:
    torch.manual_seed(0)


@pytest.fixture
def measure(benchmark: BenchmarkFixture, device: torch.device) -> Measure:
    """The stopwatch of work on the device."""
    return Measure(benchmark, device)


@pytest.fixture
def measure_on_host(benchmark: BenchmarkFixture) -> Measure:
    """The stopwatch of work that is done on the CPU everywhere."""
    return Measure(benchmark, CPU)
