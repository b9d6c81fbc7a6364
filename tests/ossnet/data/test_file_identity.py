"""Files are known again by all that they hold."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from ossnet.data import file_identity as module
from ossnet.data.file_identity import SAMPLE_BYTES, file_identity

CONTENT = np.random.default_rng(0).bytes(8 * SAMPLE_BYTES)
CHANGED = bytearray(CONTENT)
CHANGED[2 * SAMPLE_BYTES] ^= 1
"""Between the parts of a file that would be read of a compressed one."""


@pytest.mark.parametrize("name", ["ct.nii", "ct.nii.gz"])
@pytest.mark.parametrize("is_compressed", [False, True])
def test_a_change_anywhere_is_noticed_whatever_the_name(name: str, is_compressed: bool, tmp_path: Path) -> None:
    path = tmp_path / name
    identities = []
    for content in (CONTENT, bytes(CHANGED)):
        path.write_bytes(gzip.compress(content, 1, mtime=0) if is_compressed else content)
        identities.append(file_identity(path))
    assert identities[0].digest != identities[1].digest
    assert identities[0][:2] == identities[1][:2] == (name, path.stat().st_size)


def test_a_large_file_is_read_whole_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, cache = tmp_path / "ct.nii", tmp_path / "cache"
    path.write_bytes(CONTENT)
    first = file_identity(path, cache)
    assert first == file_identity(path)
    with monkeypatch.context() as patch:
        patch.setattr(module.hashlib, "file_digest", lambda *_: pytest.fail("it was read again"))
        assert file_identity(path, cache) == first
    path.write_bytes(CHANGED)
    os.utime(path, (1, 1))
    assert file_identity(path, cache).digest != first.digest


def test_without_room_to_keep_it_a_file_is_known_too(tmp_path: Path) -> None:
    (tmp_path / "ct.nii").write_bytes(CONTENT)
    assert file_identity(tmp_path / "ct.nii", tmp_path / "ct.nii") == file_identity(tmp_path / "ct.nii")
