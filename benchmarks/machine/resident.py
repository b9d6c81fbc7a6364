"""The resident set of this process: all of its memory that is not on a GPU, Python and its libraries included."""

import resource
import sys
from contextlib import suppress
from pathlib import Path


def restart_peak_resident() -> int:
    """Let the peak of this process's resident set start from now, and tell what is resident now, in bytes.

    Where the kernel does not allow it, the peak so far stays in force: of a process that has only just begun.
    """
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return peak_resident()


def peak_resident() -> int:
    """The peak of this process's resident set in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
