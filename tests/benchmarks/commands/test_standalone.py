"""Everything that needs a GPU runs with nothing installed but torch, numpy, pandas and nvidia-ml-py."""

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from benchmarks.probes.records import read_records

INSTALLED = ("torch", "numpy", "pandas", "nvidia-ml-py")

INSTALLED_WITHOUT_GPU = (*INSTALLED, "numba")
"""What the same measurements need on a CPU, on which they run here."""

CHECKOUT = Path(__file__).resolve().parents[3]


def run_python(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run this Python without the module `site`: its folders of packages are those of PYTHONPATH alone."""
    command = [sys.executable, "-S", *arguments]
    environment = os.environ | environment
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


SCRIPT = """
import sys
from importlib.util import find_spec
from pathlib import Path

from benchmarks.commands.gpu import GpuRequest, main, measure_studies
from benchmarks.probes import runner
from benchmarks.probes.runner import ProbeOptions
from benchmarks.studies.registry import STUDIES
from benchmarks.layout import Layout
from benchmarks.workload import Probe
from benchmarks.study import Study

SHAPE = (8, 8, 8)
PROBES = [
    Probe("memory", "d", "cube", SHAPE, "training", 8),
    Probe("memory", "unet3d", "cube", (16, 16, 16), "inference"),
    Probe("memory", "c", "cube", SHAPE, "extraction", 512, extraction="mise"),
    Probe("runtime", "onet", "cube", SHAPE, "inference", 8),
    Probe("runtime", "c", "cube", SHAPE, "extraction", 512, extraction="paper-prior"),
]

if __name__ == "__main__":
    assert not any(map(find_spec, ("pydantic", "scipy", "rich", "submitit", "pytorch_optimizer")))
    assert sum(bool(study.measured("cuda")) for study in STUDIES.values()) == 6
    runner.available_memory = lambda: 2**40
    tiny = Study(Layout("tiny", ""), measured=lambda device_type: PROBES)
    assert measure_studies("cpu", [tiny], GpuRequest(Path(sys.argv[1]), 600, "", ProbeOptions()))
    sys.exit(main(["--results", sys.argv[1]]))
"""


def closure(names: Iterator[str]) -> dict[str, Distribution]:
    """Return the installed distributions of these names and of all that they require."""
    found: dict[str, Distribution] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue
        required = map(Requirement, found[name].requires or ())
        waiting += [
            package.name for package in required if not package.marker or package.marker.evaluate({"extra": ""})
        ]
    return found


@pytest.fixture
def site_packages(tmp_path: Path) -> Path:
    """A folder with links to these packages and to nothing else."""
    folder = tmp_path / "packages"
    folder.mkdir()
    for package in closure(iter(INSTALLED_WITHOUT_GPU)).values():
        for name in {file.parts[0] for file in package.files or ()} - {"..", "__pycache__"}:
            (folder / name).symlink_to(package.locate_file(name))
    return folder


def test_probes_of_every_kind_are_measured_and_the_command_refuses_a_machine_without_a_gpu(
    site_packages: Path, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    path = os.pathsep.join([str(CHECKOUT), str(site_packages)])
    done = run_python(tmp_path, str(script), str(tmp_path), PYTHONPATH=path, CUDA_VISIBLE_DEVICES="")
    assert done.returncode == 2, done.stderr
    assert "torch finds no GPU" in done.stderr.splitlines()[-1]
    records = read_records(tmp_path, ["tiny"])
    assert [record.failure for record in records] == [None] * 5
    results = [record.result or {} for record in records]
    assert all(result["allocated_bytes"] <= result["reserved_bytes"] for result in results[:3])
    assert all(result["flops"] > 0 and result["median_s"] > 0 for result in results[3:])
    assert sum(results[4]["evaluated"]) > 0


def test_without_its_packages_the_command_names_them(tmp_path: Path) -> None:
    done = run_python(tmp_path, "-m", "benchmarks.commands.gpu", PYTHONPATH=str(CHECKOUT))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "torch, numpy, pandas, nvidia-ml-py" in line
