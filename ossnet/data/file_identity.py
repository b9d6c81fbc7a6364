"""Digests of files, by which a data set is recognised."""

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
"""Size of each of the three parts that are read of a compressed file."""


class FileIdentity(NamedTuple):
    """Name, size in bytes and SHA-256 (hexadecimal) of the content of a file."""

    name: str
    size: int
    digest: str


def file_identity(path: Path, cache: Path | None = None) -> FileIdentity:
    """Return the identity of a file.

    The first, the middle and the last MiB of a compressed file are enough, since it ends in a checksum of its whole
    content. Any other file is read completely, at 0.5 to 1 GB per second.

    Args:
        path: the file.
        cache: folder that keeps the digests of completely read files by path, size and time of modification, so that
            hundreds of GB are read only once; None to keep none.

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
                # If the cache cannot be written, the file is read again the next time.
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
