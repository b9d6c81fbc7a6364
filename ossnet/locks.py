"""Locks by which one process at a time works on something. A lock ends with its process, however that ends."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import Timeout, UnixFileLock

from ossnet.errors import UserError

FOREVER = -1.0
"""Patience that does not end."""


@contextmanager
def hold(path: Path, patience_s: float = 1.0) -> Iterator[bool]:
    """Hold the lock of a file during a block; yield False where another process holds it.

    The file is created, with its folder, where it does not exist. It stays, empty: were it removed, a process that had
    opened it before would hold a lock that excludes nobody.

    Args:
        path: the lock file.
        patience_s: time to keep trying, since `is_held` in another process takes the lock for a moment; or `FOREVER`.

    Raises:
        UserError: the file cannot be created or opened, or its file system does not support locks.
    """
    # By default, filelock replaces a missing `flock` by a file that marks the holder, which outlives a killed process.
    lock = UnixFileLock(path, fallback_to_soft=False)
    try:
        lock.acquire(timeout=patience_s)
    except Timeout:
        pass
    except OSError as error:
        raise UserError(
            f"cannot lock {path}: {error.strerror or error}; choose a writable folder on a file system that has locks"
        ) from error
    try:
        yield lock.is_locked
    finally:
        lock.release()


def is_held(path: Path) -> bool:
    """Return whether a process holds the lock of a file, on this machine or through a shared file system with locks.

    Filelock takes locks exclusively, by which two simultaneous calls would mistake each other for a holder. Here the
    lock is shared, which also needs no permission to write.

    Raises:
        UserError: the file cannot be read, or its file system does not support locks.
    """
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    except OSError as error:
        raise UserError(
            f"cannot read the lock {path}: {error.strerror or error}; make it readable, or choose a folder on a file "
            "system that has locks"
        ) from error
    return False
