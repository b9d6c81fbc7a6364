import errno
import gzip
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ossnet.errors import UserError
from ossnet.files import (
    remove_abandoned,
    replacing,
    require_writable,
    require_writable_folder,
    unreadable,
    write_text,
)


def test_writes_whole_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    write_text(tmp_path / "new" / "a.txt", "grüße\n")
    assert (tmp_path / "new" / "a.txt").read_bytes() == "grüße\n".encode()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.txt"]


def test_failure_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail_half_way() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half of the n")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("name", "ending"), [("a.nii.gz", ".nii.gz"), ("b.c.json", ".json"), ("a", "")])
def test_temporary_name_ends_as_the_final_one(tmp_path: Path, name: str, ending: str) -> None:
    with replacing(tmp_path / name) as temporary:
        assert temporary.name.endswith(ending)
        assert temporary.parent == tmp_path
        temporary.write_text("x")


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "usual").write_text("x")
    write_text(tmp_path / "ours", "x")
    assert stat.S_IMODE((tmp_path / "ours").stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)


@pytest.fixture
def forbidden() -> Iterator[Path]:
    """A folder that this process may read and not write, also where the tests are run by root."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "forbidden").mkdir(mode=0o555)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        yield folder / "forbidden"
        os.seteuid(user)


def test_a_place_without_permission_is_refused_before_the_work(forbidden: Path) -> None:
    for path in (forbidden / "scores.csv", forbidden / "new" / "scores.csv"):
        with pytest.raises(UserError, match=r"cannot write .*forbidden.*: Permission denied"):
            require_writable(path)
        with pytest.raises(UserError, match=r"cannot write .*scores\.csv: Permission denied"):
            write_text(path, "x")


def test_what_killed_writers_left_is_removed_once_it_is_old(tmp_path: Path) -> None:
    path = tmp_path / "image-0.npy"
    names = [".image-0-abcdefgh.npy", ".image-0-12345678.npy", ".image-1-abcdefgh.npy", ".image-0-note.npy"]
    for name in (*names, "image-0.npy"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, 0))
    os.utime(tmp_path / names[1])
    with replacing(path) as being_written:
        remove_abandoned(path)
        assert {file.name for file in tmp_path.iterdir()} == {*names[1:], being_written.name, "image-0.npy"}


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("folder", "it is a folder"),
        ("file/new", "Not a directory"),
        ("file/new/new", "Not a directory"),
        ("long" * 99, "File name too long"),
    ],
)
def test_a_place_that_is_taken_or_none_is_refused_before_the_work(tmp_path: Path, place: str, reason: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=f"cannot write .*: {reason}; "):
        require_writable(tmp_path / place)
    with pytest.raises(UserError, match=r"cannot write .*; free space"):
        write_text(tmp_path / place, "x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_place_without_a_name_or_for_a_folder_is_refused_too(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="it is a folder"):
        require_writable(Path())
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="Not a directory"):
        require_writable_folder(tmp_path / "file")


def test_a_place_that_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text("old")
    require_writable(tmp_path / "old.csv")
    require_writable(tmp_path / "a" / "b" / "new.csv")
    require_writable_folder(tmp_path / "a" / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["old.csv"]
    assert (tmp_path / "old.csv").read_text() == "old"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), "cannot read a.gz: Permission denied; make it readable"),
        (OSError(errno.EIO, "Input/output error"), "cannot read a.gz: Input/output error; make it readable"),
        (OSError(errno.ENOMEM, "Cannot"), "cannot read a.gz: not enough memory ([Errno 12] Cannot); free some memory"),
        (MemoryError("1 TiB\nof it"), "cannot read a.gz: not enough memory (1 TiB of it); free some memory"),
        (MemoryError(), "cannot read a.gz: not enough memory (MemoryError); free some memory"),
        (gzip.BadGzipFile("CRC check failed"), "a.gz is damaged"),
        (FileNotFoundError(errno.ENOENT, "No such file"), "a.gz is damaged"),
        (EOFError(), "a.gz is damaged"),
        (ValueError("no number"), "a.gz is damaged"),
    ],
)
def test_a_file_that_could_not_be_had_is_not_called_damaged(error: Exception, message: str) -> None:
    assert str(unreadable("a.gz", error, "a.gz is damaged")) == message
