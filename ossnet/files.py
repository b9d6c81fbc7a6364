"""Writing files whole or not at all, and the error for a file that cannot be read."""

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
"""Age at which a temporary file counts as abandoned. No file takes longer to write."""


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`, and rename it to `path` if the block ends without an error.

    The temporary name has the suffix of `path`, since several writers choose the format by it. The data reach the disk
    before the file is renamed, so that a power failure leaves the old file or the new one, never half of one.

    Raises:
        UserError: the folder cannot be created or written, or the disk is full.
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
    """Remove the temporary files of `replacing(path)` whose writers were killed: those unmodified for a day."""
    path = Path(path)
    for temporary in path.parent.glob(f".{glob.escape(path.stem[:40])}-????????{glob.escape(path.suffix)}"):
        # Another process may rename the file or remove it at the same time.
        with suppress(FileNotFoundError):
            if time.time() - temporary.stat().st_mtime > ABANDONED_S:
                temporary.unlink()


def require_writable(path: str | Path) -> None:
    """Raise if `replacing` could not write to a path, before the work whose result goes there. Leave no trace.

    Raises:
        UserError: the path is a folder, or its own folder cannot be created or written.
    """
    path = Path(path)
    with _as_user_error(path):
        if path.is_dir():
            raise UserError(f"cannot write {path}: it is a folder; give the name of a file")
        _try_to_write_in(path.parent)


def require_writable_folder(folder: str | Path) -> None:
    """Raise if no file can be created in a folder, or if the folder itself cannot be created. Leave no trace.

    Raises:
        UserError: the folder cannot be created or written.
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
    """Return the `UserError` for a file that could not be read, depending on the cause.

    Args:
        path: the file.
        error: the exception that reading it raised.
        damaged: the message for a file that is missing or has the wrong contents. It is not used where permission or
            memory was lacking or the disk failed, since the file may then be intact.
    """
    reason = " ".join(str(error).split()) or type(error).__name__
    if is_out_of_memory(error) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return UserError(f"cannot read {path}: not enough memory ({reason}); free some memory")
    # Errors that libraries raise for wrong contents have no number, or EINVAL after a seek to before the start.
    if isinstance(error, OSError) and error.errno not in (None, errno.ENOENT, errno.EINVAL):
        return UserError(f"cannot read {path}: {error.strerror or reason}; make it readable")
    return UserError(damaged)
