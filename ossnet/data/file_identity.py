"""The content of a file, by which a data set is known again."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ossnet.config import digest
from ossnet.errors import UserError
from ossnet.files import write_text

GZIP_MAGIC = b"\x1f\x8b"

SAMPLE_BYTES = 2**20


class FileIdentity(NamedTuple):
    """A file's name, its size in bytes, and a SHA-256 (hexadecimal) of its content."""

    name: str
    size: int
    digest: str


def file_identity(path: Path, cache: Path | None = None) -> FileIdentity:
    """Tell what a file holds.

    Of a compressed file it is enough to read the first, the middle and the last MiB: it ends in a checksum of all of
    its content. Any other is read whole, at 0.5 to 1 GB a second.

    Args:
        cache: where the digests of files that are read whole are kept by path, size and time of modification, so that
            hundreds of GB are read once. None keeps none.

    Raises:
        UserError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if file.read(len(GZIP_MAGIC)) == GZIP_MAGIC:
                return FileIdentity(path.name, status.st_size, _digest_of_parts(file, status.st_size))
            file.seek(0)
            if cache is None or status.st_size <= SAMPLE_BYTES:
                return FileIdentity(path.name, status.st_size, hashlib.file_digest(file, "sha256").hexdigest())
            key = digest([os.fsencode(path.absolute()).hex(), status.st_size, status.st_mtime_ns])
            kept = cache / "files" / f"{key[:32]}.txt"
            if not kept.exists():
                found = hashlib.file_digest(file, "sha256").hexdigest()
                # Where the cache cannot be written, the file is read again the next time.
                with suppress(UserError):
                    write_text(kept, found)
                return FileIdentity(path.name, status.st_size, found)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; make it readable") from error
    return FileIdentity(path.name, status.st_size, kept.read_text(encoding="utf-8"))


def _digest_of_parts(file: BinaryIO, size: int) -> str:
    parts = hashlib.sha256()
    for start in (0, (size - SAMPLE_BYTES) // 2, size - SAMPLE_BYTES):
        file.seek(max(0, start))
        parts.update(file.read(SAMPLE_BYTES))
    return parts.hexdigest()
