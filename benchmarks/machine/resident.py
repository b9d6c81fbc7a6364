"""The resident set of this process: its memory in RAM, Python and its libraries included.

`psutil` reads the resident set, but neither reads nor resets its peak on Linux.
"""

import resource
import sys
from contextlib import suppress
from pathlib import Path


def restart_peak_resident() -> int:
    """Restart the peak of this process's resident set from the present size, and return that size in bytes.

    Where the kernel does not allow it, the peak so far stays, and is returned: callers use young processes.
    """
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return peak_resident()


def peak_resident() -> int:
    """Return the peak of this process's resident set in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
