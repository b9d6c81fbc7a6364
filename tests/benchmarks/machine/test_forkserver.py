import subprocess
import sys
import tempfile
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

import pytest

from benchmarks.machine.forkserver import FOR_MEASURING, FOR_RUNS, FOR_RUNS_WITHOUT_GPU

ASKING = """
import importlib, sys, torch

def refuse(*arguments):
    raise AssertionError("asked for a GPU")

for name in ("is_available", "device_count", "init", "_lazy_init", "current_device", "get_device_properties"):
    setattr(torch.cuda, name, refuse)
for name in sys.argv[1:]:
    importlib.import_module(name)
print("monai" in sys.modules)
torch.cuda.is_available()
"""


def test_nothing_asks_for_a_gpu_on_import() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASKING, *FOR_RUNS, *FOR_MEASURING], capture_output=True, text=True, check=False
    )
    # It gets as far as what does ask, which would be found, and MONAI might ask.
    assert done.stdout == "False\n", done.stderr
    assert done.stderr.endswith("AssertionError: asked for a GPU\n")


def test_what_is_imported_is_there() -> None:
    assert [name for name in (*FOR_RUNS_WITHOUT_GPU, *FOR_MEASURING) if find_spec(name) is None] == []


PRELOADED = """
from benchmarks.machine.forkserver import forkserver_context

with forkserver_context(["no_such_module", "wave"]).Pool(1) as pool:
    print(*pool.map(eval, [f"{name!r} in __import__('sys').modules" for name in ("wave", "colorsys")]))
"""


def test_processes_find_the_modules_imported() -> None:
    done = subprocess.run([sys.executable, "-c", PRELOADED], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]


LEARNING = """
import torch
from ossnet.network.activation import PadeActivationUnit, activate_in_place
from ossnet.network.pade_kernels import differentiate, evaluate, evaluate_rows

loaded = [list(loop.signatures) for loop in (evaluate, evaluate_rows, differentiate)]
assert [len(signatures) for signatures in loaded] == [1, 1, 1]
unit = PadeActivationUnit()
unit(torch.ones(2, 3, requires_grad=True)).sum().backward()
activate_in_place(unit, torch.ones(2, 3), torch.ones(2, 1))
assert [loop.signatures for loop in (evaluate, evaluate_rows, differentiate)] == loaded
"""


def test_processes_have_the_loops_of_the_activation_already(forkserver: None) -> None:
    process = get_context("forkserver").Process(target=exec, args=(LEARNING, {}))
    process.start()
    process.join()
    assert process.exitcode == 0


TALKING = """
import multiprocessing.util, os, sys, tempfile
from benchmarks.machine.forkserver import forkserver_context

context = forkserver_context(())
with context.Pool(1) as pool:
    print(pool.apply(os.path.basename, [sys.argv[1]]))
print(tempfile.gettempdir(), multiprocessing.util.get_temp_dir().startswith(tempfile.gettempdir()), sep="\\n")
"""


@pytest.mark.parametrize(("length", "stays"), [(71, True), (72, False)])
def test_processes_start_whatever_the_length_of_the_temporary_folder(
    length: int, stays: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        long = Path(folder, "x" * (length - len(folder) - 1))
        long.mkdir()
        monkeypatch.setenv("TMPDIR", str(long))
        done = subprocess.run([sys.executable, "-c", TALKING, "/a/b"], capture_output=True, text=True, check=False)
        assert done.stdout.splitlines() == ["b", str(long), str(stays)], done.stderr
        assert list(long.iterdir()) == []
