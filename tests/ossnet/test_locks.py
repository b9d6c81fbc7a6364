import fcntl
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ossnet.errors import UserError
from ossnet.locks import hold, is_held


def test_one_at_a_time_and_again_after_it_was_let_go(tmp_path: Path) -> None:
    path = tmp_path / "new" / "lock"
    assert not is_held(path)
    for _ in range(2):
        with hold(path) as mine:
            assert mine
            assert is_held(path)
            with hold(path, patience_s=0) as also_mine:
                assert not also_mine
            # Who came in vain took nothing away.
            assert is_held(path)
        assert not is_held(path)
    with pytest.raises(ZeroDivisionError), hold(path):
        raise ZeroDivisionError
    assert not is_held(path)


def test_two_looks_at_a_time_do_not_see_each_other(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    with path.open() as look:
        fcntl.flock(look, fcntl.LOCK_SH | fcntl.LOCK_NB)
        assert not is_held(path)


def test_it_waits_for_who_lets_go_in_time(tmp_path: Path) -> None:
    path, held, tried = tmp_path / "lock", threading.Event(), threading.Event()

    def other() -> None:
        with hold(path):
            held.set()
            tried.wait()

    holder = threading.Thread(target=other)
    holder.start()
    held.wait()
    with hold(path, patience_s=0) as mine:
        assert not mine
    tried.set()
    with hold(path, patience_s=300) as mine:
        assert mine
    holder.join()


def test_it_ends_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    code = "import sys; from pathlib import Path; from ossnet.locks import hold\n"
    code += "with hold(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        assert is_held(path)
        holder.kill()
    assert not is_held(path)


def test_a_forked_process_does_not_keep_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    code = "import os, sys; from pathlib import Path; from ossnet.locks import hold\n"
    code += "with hold(Path(sys.argv[1])):\n"
    code += "    if os.fork() == 0: print('forked', flush=True); sys.stdin.read()\n"
    code += "    os._exit(0)"
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "forked\n"
        assert holder.wait() == 0
        assert not is_held(path)


def test_a_file_system_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    path = tmp_path / "lock"
    path.touch()
    monkeypatch.setattr(fcntl, "flock", refuse)
    message = f"{path}: Function not implemented.* choose .* file system"
    with pytest.raises(UserError, match=message):
        is_held(path)
    with pytest.raises(UserError, match=message), hold(path):
        pytest.fail("it was held")


def test_a_lock_of_another_user_is_named(forbid: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    forbid(path)
    with pytest.raises(UserError, match=f"{path}: Permission denied.* readable"):
        is_held(path)


def test_a_file_in_the_place_of_its_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "own.csv").touch()
    with (
        pytest.raises(UserError, match=r"own\.csv/lock: .*; choose"),
        hold(tmp_path / "own.csv" / "lock"),
    ):
        pytest.fail("it was held")
