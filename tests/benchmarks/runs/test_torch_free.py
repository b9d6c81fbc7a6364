"""Reading runs, records and claims must not wait for torch, nor for other libraries that take long to import."""

import pkgutil
import subprocess
import sys

import benchmarks.runs

READERS = ("benchmarks.__main__", "benchmarks.commands.claims", "benchmarks.report.score_records")

SCRIPT = """
import importlib, sys

for name in sys.argv[1:]:
    importlib.import_module(name)
    for slow in {"torch", "monai", "scipy.stats", "matplotlib"} & sys.modules.keys():
        print(name, "imports", slow)
"""


def test_slow_libraries_are_not_imported() -> None:
    runs = [module.name for module in pkgutil.iter_modules(benchmarks.runs.__path__, "benchmarks.runs.")]
    done = subprocess.run([sys.executable, "-c", SCRIPT, *runs, *READERS], capture_output=True, text=True, check=True)
    assert done.stdout == ""
