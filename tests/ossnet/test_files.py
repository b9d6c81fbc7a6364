import os
import stat
from pathlib import Path

import pytest

from ossnet.errors import UserError
from ossnet.files import replacing, require_writable, require_writable_folder, write_text


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


def test_path_through_a_file_is_the_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match=r"cannot write .*out\.txt: .*; free space"):
        write_text(tmp_path / "file" / "out.txt", "x")


def test_folder_in_the_way_is_the_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "out.txt").mkdir()
    with pytest.raises(UserError, match=r"out\.txt"):
        write_text(tmp_path / "out.txt", "x")
    assert [path.name for path in tmp_path.iterdir()] == ["out.txt"]


def test_a_folder_that_can_be_made_and_written_is_accepted_and_not_touched(tmp_path: Path) -> None:
    require_writable_folder(tmp_path / "new" / "folder")
    require_writable(tmp_path / "new" / "out.txt")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_the_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for refused in (tmp_path / "file", tmp_path / "file" / "new"):
        with pytest.raises(UserError, match=r"cannot write .*file"):
            require_writable_folder(refused)


def test_a_folder_is_no_file_to_write(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="it is a folder"):
        require_writable(tmp_path)


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_the_users_mistake(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(UserError, match="Permission denied"):
        require_writable_folder(tmp_path)
