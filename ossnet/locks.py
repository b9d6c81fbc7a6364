"""Locks by which one process at a time is at work on something. A lock ends with its process, however that ends."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from ossnet.errors import UserError


@contextmanager
def hold(path: Path, patience_s: float = 1.0) -> Iterator[bool]:
    """Hold the lock of a file, which is made with its folder where there is none; False where another process does.

    The file stays, empty: were it removed, a process that had opened it before would hold a lock that keeps nobody out.

    Args:
        patience_s: the lock is asked for so long, since a look at it (`is_held`) holds it for a moment.

    Raises:
        UserError: the file cannot be made, or its file system has no locks.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; choose another folder") from error
    with file:
        yield _take(file, patience_s)


def is_held(path: Path) -> bool:
    """Tell whether a process holds the lock of a file, of this machine or on a shared file system that has such locks.

    Raises:
        UserError: the file cannot be read, or its file system has no locks.
    """
    try:
        with path.open("r") as file:
            return not _flock(file, fcntl.LOCK_SH)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; make it readable or choose another folder") from error


def _take(file: TextIO, patience_s: float) -> bool:
    end = time.monotonic() + patience_s
    while not _flock(file, fcntl.LOCK_EX):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def _flock(file: TextIO, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise UserError(
            f"cannot lock {file.name} ({error.strerror}); choose a folder on a file system that has locks"
        ) from error
    return True
