import resource
import subprocess
import sys

import pytest

PAGES = 48 * 2**20 // resource.getpagesize()

PROGRAM = """
import resource, torch
from ossnet.training.host_memory import keep_released_memory
if not keep_released_memory():
    raise SystemExit("not glibc")
for _ in range(16):
    torch.ones(3 * 2**22)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    torch.ones(3 * 2**22)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="these are options of glibc")
def test_pages_of_a_released_tensor_are_there_for_the_next_one() -> None:
    """Four tensors of 48 MiB would else take as many new pages as they have."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    if "not glibc" in done.stderr:
        pytest.skip("the C library is not glibc")
    assert int(done.stdout) < PAGES
