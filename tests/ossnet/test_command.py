"""How commands end."""

import pytest

from ossnet.command import run_command
from ossnet.errors import UserError


def failing(error: BaseException):
    def command() -> int:
        raise error

    return command


@pytest.mark.parametrize("status", [0, 1])
def test_a_command_has_its_own_status(status: int) -> None:
    assert run_command("program", lambda: status) == status


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (UserError("--option x:\n give y"), 2, "program: --option x: give y\n"),
        (KeyboardInterrupt(), 130, "program: interrupted; what was finished is kept"),
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


def test_a_fault_of_the_program_is_not_hidden() -> None:
    with pytest.raises(RuntimeError, match="a bug"):
        run_command("program", failing(RuntimeError("a bug")))
