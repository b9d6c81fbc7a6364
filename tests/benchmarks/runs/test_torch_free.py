"""Reading runs, records and claims must not wait for torch, nor for other libraries that take long to import."""

import pkgutil
import subprocess
import sys

import pytest

import benchmarks.runs

RUNS = [module.name for module in pkgutil.iter_modules(benchmarks.runs.__path__, "benchmarks.runs.")]
READERS = ["benchmarks.__main__", "benchmarks.commands.claims", "benchmarks.report.score_records"]

SCRIPT = """
import importlib, sys

for name in sys.argv[1:]:
    importlib.import_module(name)
print(*{"torch", "monai", "scipy.stats", "matplotlib"} & sys.modules.keys())
"""


@pytest.mark.parametrize("modules", [RUNS, READERS], ids=["runs", "readers"])
def test_slow_libraries_are_not_imported(modules: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, *modules], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
