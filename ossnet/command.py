"""How a command ends: what a user is told in one line, and the exit status."""

import errno
import io
import os
import select
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from ossnet.errors import UserError
from ossnet.out_of_memory import is_out_of_memory

PIPE_CLOSED = 141
"""The status of a program that ends because nobody reads its output any more, as shells have it: 128 + SIGPIPE."""


def run_command(program: str, command: Callable[[], int]) -> int:
    """Run `command` and return the exit status: its own; 2 for what a user can mend, 130 when interrupted.

    Those end with one line on standard error that starts with the program's name, any other error as usual. Where the
    reader of the output has gone, as in `ossnet models | head -1`, the status is `PIPE_CLOSED` and nothing is said.
    """
    for stream in (sys.stdout, sys.stderr):
        # A file name that the terminal's encoding lacks must not lose the result that is told with it.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            return command()
        finally:
            # Here rather than when Python ends, where a failure would be told in a traceback.
            _flush(sys.stdout)
    except UserError as error:
        problem, status = " ".join(str(error).split()), 2
    except KeyboardInterrupt:
        problem, status = "interrupted; what was finished is kept, the same command goes on from there", 130
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        problem = "out of memory; lower --max-locations, or recipe.batch_size with --set, or free memory"
        status = 2
    except OSError as error:
        if error.errno == errno.EPIPE and (_reader_has_gone(sys.stdout) or _reader_has_gone(sys.stderr)):
            _discard_unwritten()
            return PIPE_CLOSED
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        _discard_unwritten()
        problem, status = f"cannot write all output: {error.strerror}; free space there", 2
    print(f"{program}: {problem}", file=sys.stderr)
    return status


def _flush(stream: TextIO | None) -> None:
    # There is none where a command is started with its output closed.
    if stream is not None:
        stream.flush()


def _reader_has_gone(stream: TextIO | None) -> bool:
    """Return whether a stream is a pipe that nobody reads. (Pipes between processes break too, and that is a fault.)"""
    if stream is None:
        return False
    try:
        descriptor = stream.fileno()
    except OSError:  # It is a stream within Python.
        return False
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def _discard_unwritten() -> None:
    """Send what standard output still holds to nowhere, or Python tries to write it once more when it ends."""
    try:
        _flush(sys.stdout)
    except OSError:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
