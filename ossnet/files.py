"""Files that are either whole or absent, and what is told of one that cannot be read."""

import errno
import glob
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ossnet.errors import UserError
from ossnet.out_of_memory import is_out_of_memory

ABANDONED_S = 24 * 3600.0
"""No file takes longer to write."""


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary name in the folder of `path`; move the file there when the block ends without an error.

    The temporary name ends as `path` does, since several writers choose the format by the ending. The data reach the
    disk before the name does, so that a power loss leaves the old file or the new one, never half of one.

    Raises:
        UserError: the folder cannot be made or written, or the disk is full.
    """
    path = Path(path)
    temporary = None
    try:
        with _as_user_error(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            ending = "".join(path.suffixes[-2:]) if path.name.lower().endswith(".nii.gz") else path.suffix
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem[:40]}-", suffix=ending)
            os.close(handle)
            temporary = Path(name)
            yield temporary
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.replace(path)
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def remove_abandoned(path: str | Path) -> None:
    """Remove the temporary files of `replacing(path)` whose writers were killed: those not touched for a day."""
    path = Path(path)
    for temporary in path.parent.glob(f".{glob.escape(path.stem[:40])}-????????{glob.escape(path.suffix)}"):
        # Another process may be writing now, or remove it as well.
        with suppress(FileNotFoundError):
            if time.time() - temporary.stat().st_mtime > ABANDONED_S:
                temporary.unlink()


def require_writable(path: str | Path) -> None:
    """Refuse a path that `replacing` could not write to, before the work whose result is to go there. Leaves no trace.

    Raises:
        UserError: it is a folder, or its own folder cannot be made or written.
    """
    path = Path(path)
    with _as_user_error(path):
        if path.is_dir():
            raise UserError(f"cannot write {path}: it is a folder; give the name of a file")
        _try_to_write_in(path.parent)


def require_writable_folder(folder: str | Path) -> None:
    """Refuse a folder in which no file can be made, or which itself cannot be made. Leaves no trace.

    Raises:
        UserError: as said.
    """
    with _as_user_error(folder):
        _try_to_write_in(Path(folder))


def _try_to_write_in(folder: Path) -> None:
    while not folder.exists():
        folder = folder.parent
    with tempfile.TemporaryFile(dir=folder):
        pass


@contextmanager
def _as_user_error(path: str | Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror or error}; free space there or choose another folder"
        ) from error


def write_text(path: str | Path, text: str) -> None:
    """Write `text` (UTF-8) to `path` whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def unreadable(path: str | Path, error: Exception, damaged: str) -> UserError:
    """Return the user's error for a file at which reading failed, by what was the matter.

    Args:
        damaged: the message of a file that is missing or holds something else than it should. A file that could not be
            had, for want of permission or of memory or by a fault of the disk, may be intact and is not called so.
    """
    reason = " ".join(str(error).split()) or type(error).__name__
    if is_out_of_memory(error) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return UserError(f"cannot read {path}: not enough memory ({reason}); free some")
    # What a library finds wrong with the contents has no number, or that of a place to read from before the start.
    if isinstance(error, OSError) and error.errno not in (None, errno.ENOENT, errno.EINVAL):
        return UserError(f"cannot read {path}: {error.strerror or reason}; make it readable")
    return UserError(damaged)
