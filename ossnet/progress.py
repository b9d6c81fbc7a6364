"""Progress of long work, with the time remaining."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

LINE_INTERVAL_S = 15.0
"""Time between two lines where standard error is not a terminal."""


def duration(seconds: float) -> str:
    """Format seconds as `42 s`, `7 min` or `3.5 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


class ProgressLine:
    """Progress bar on standard error, or a line every `LINE_INTERVAL_S` where that is not a terminal.

    Args:
        label: name of the work.
        total: value of `done` in `update` at which the work is complete, in any unit.
        report_end: whether to print a line with the duration when the work is done.
    """

    def __init__(self, label: str, total: float, report_end: bool = True) -> None:
        self.label, self.total, self.report_end = label, total, report_end
        self.start = self.last_line = time.monotonic()
        console = Console(stderr=True)
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}% {task.fields[note]}"),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self.task = self.bar.add_task(label, total=total, note="")

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.bar.stop()
        if kind is None and self.report_end:
            print(f"{self.label}: done in {duration(time.monotonic() - self.start)}", file=sys.stderr, flush=True)

    def update(self, done: float, note: str = "", remaining_s: float | None = None) -> None:
        """Show that `done` of `total` is done.

        Args:
            done: work done so far, in the unit of `total`.
            note: text to show after the remaining time.
            remaining_s: time remaining; None to extrapolate the pace so far.
        """
        now = time.monotonic()
        if remaining_s is None and done > 0:
            remaining_s = (now - self.start) / done * (self.total - done)
        left = "remaining time unknown" if remaining_s is None else f"{duration(remaining_s)} to go"
        text = f"{left}, {note}" if note else left
        self.bar.update(self.task, completed=done, note=text)
        if self.bar.disable and now - self.last_line >= LINE_INTERVAL_S:
            self.last_line = now
            print(f"{self.label}: {100 * done / self.total:.0f} %, {text}", file=sys.stderr, flush=True)
