"""How commands end."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ossnet.command import PIPE_CLOSED, run_command
from ossnet.errors import UserError


def failing(error: BaseException):
    def command() -> int:
        raise error

    return command


def test_a_command_has_its_own_status() -> None:
    assert run_command("program", lambda: 0) == 0
    assert run_command("program", lambda: 1) == 1


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (UserError("--option x:\n give y"), 2, "program: --option x: give y\n"),
        (KeyboardInterrupt(), 130, "program: interrupted; "),
        (MemoryError(), 2, "program: out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), 2, "program: out of memory"),
    ],
)
def test_what_a_user_can_mend_is_one_line(
    error: BaseException, status: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command("program", failing(error)) == status
    told = capsys.readouterr().err
    assert told.startswith(line)
    assert told.count("\n") == 1


# The second is of a pipe between processes, not of one to a reader.
@pytest.mark.parametrize("error", [RuntimeError("a bug"), BrokenPipeError(errno.EPIPE, "Broken pipe")])
def test_a_fault_of_the_program_is_not_hidden(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        run_command("program", failing(error))
    assert caught.value is error


# More than a pipe holds, by a program that has done its work before it tells of it.
TALKS = """
import sys
from pathlib import Path
from ossnet.command import run_command
def command():
    Path(sys.argv[1]).touch()
    for line in range(99999):
        print(line, sys.argv[2])
    return 0
sys.exit(run_command("program", command))
"""


def talk(work: Path, text: str = "", **options: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", TALKS, str(work), text]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, errors="surrogateescape", **options)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_seen_enough_ends_a_command_in_silence(unbuffered: str, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    with talk(tmp_path / "done", stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout.readline() == "0 \n"
        process.stdout.close()
        assert process.wait() == PIPE_CLOSED
        assert process.stderr.read() == ""
    assert (tmp_path / "done").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_to_a_full_disk_is_one_line(unbuffered: str, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("w") as full, talk(tmp_path / "done", stdout=full, env=environment) as process:
        _, told = process.communicate()
        assert process.returncode == 2
        assert told.startswith("program: cannot write ")
        assert told.count("\n") == 1


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_any_file_name_can_be_told_on_any_terminal(encoding: str, tmp_path: Path) -> None:
    name = os.fsdecode("b\u00fc\u4e2d-".encode() + b"\xe4.nii")
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    with talk(tmp_path / "done", name, stdout=subprocess.PIPE, env=environment) as process:
        out, told = process.communicate()
        assert (process.returncode, told) == (0, "")
        assert out.splitlines()[-1].startswith("99998 b")
        assert out.splitlines()[-1].endswith(r"-\udce4.nii")


def test_one_of_several_processes_can_leave_the_message_to_another(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("program", failing(UserError("give y")), prints=lambda: False) == 2
    assert capsys.readouterr().err == ""
