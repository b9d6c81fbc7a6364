import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as command
from ossnet.errors import UserError

Capture = pytest.CaptureFixture[str]


def run(monkeypatch: pytest.MonkeyPatch, study: Any, *arguments: str) -> int:
    monkeypatch.setattr(command, "STUDIES", {"table2": study})
    monkeypatch.setattr(sys, "argv", ["benchmarks", *arguments])
    return command.main()


@pytest.mark.parametrize(("complete", "status"), [(True, 0), (False, 1)])
def test_a_study_gets_what_was_asked_for(
    complete: bool, status: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Capture
) -> None:
    asked: list[Any] = []

    def study(*arguments: Any) -> bool:
        asked.extend(arguments)
        return complete

    options = ["--data", "liver", "--results", str(tmp_path), "--workers", "3", "--threads", "4"]
    assert run(monkeypatch, study, "table2", "--profile", "paper", *options) == status
    profile, *rest = asked
    assert profile.name == "paper"
    assert rest == ["liver", tmp_path, 3, 4]
    assert capsys.readouterr().out == f"{tmp_path}/tables/table2.md\n"


def test_a_users_mistake_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def study(*_: Any) -> bool:
        raise UserError("cases.csv\nis missing")

    assert run(monkeypatch, study, "table2") == 2
    assert capsys.readouterr().err == "benchmarks: cases.csv is missing\n"
    assert run(monkeypatch, study, "table2", "--profile", "desktop") == 2
    assert "unknown profile 'desktop'" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--workers", "--threads"])
def test_nobody_works_with_nothing(option: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    assert run(monkeypatch, None, "table2", option, "0") == 2
    assert capsys.readouterr().err == f"benchmarks: {option} 0: give a whole number above 0\n"


def test_interrupted_it_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def study(*_: Any) -> bool:
        raise KeyboardInterrupt

    assert run(monkeypatch, study, "table2") == 130
    assert "the same command goes on from there" in capsys.readouterr().err


def test_help_and_unknown_studies(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    for arguments, status in ((["--help"], 0), (["table9"], 2)):
        with pytest.raises(SystemExit) as caught:
            run(monkeypatch, None, *arguments)
        assert caught.value.code == status
    captured = capsys.readouterr()
    assert "table2" in captured.out
    assert "table9" in captured.err
