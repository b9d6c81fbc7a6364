import pytest

from ossnet import progress
from ossnet.progress import ProgressLine, duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (42, "42 s"), (99.4, "99 s"), (420, "7 min"), (5999, "100 min"), (6000, "1.7 h"), (12600, "3.5 h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that shows the first entry."""
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def test_a_line_now_and_then_without_a_terminal(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLine("work", 8) as line:
        clock[0] += progress.LINE_INTERVAL_S - 1
        line.update(1)
        assert capsys.readouterr().err == ""
        clock[0] += 6
        line.update(2, "second")
        # 20 s for two of eight.
        assert capsys.readouterr().err == "work: 25 %, 60 s to go, second\n"
        clock[0] += 20
        line.update(4, remaining_s=7.2)
        assert capsys.readouterr().err == "work: 50 %, 7 s to go\n"
    captured = capsys.readouterr()
    assert captured.err == "work: done in 40 s\n"
    assert captured.out == ""


def test_before_anything_is_done_the_remaining_time_is_unknown(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with ProgressLine("work", 8) as line:
        clock[0] += 60
        line.update(0)
        assert capsys.readouterr().err == "work: 0 %, remaining time unknown\n"


def test_work_that_fails_is_not_done(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), ProgressLine("work", 8):
        raise ZeroDivisionError
    assert capsys.readouterr().err == ""


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, value in {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "100"}.items():
        monkeypatch.setenv(name, value)
    with ProgressLine("work", 8) as line:
        line.update(4, "half of it")
    error = capsys.readouterr().err
    assert "50%" in error
    assert "half of it" in error
    assert error.endswith("work: done in 0 s\n")
