"""Running a command: error messages of one line, and the exit status."""

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
"""Exit status of a program whose output is no longer read, as shells report it: 128 + SIGPIPE."""


def run_command(program: str, command: Callable[[], int], prints: Callable[[], bool] = lambda: True) -> int:
    """Run `command` and return its exit status, 2 for an error that the user can correct or 130 when interrupted.

    The last two print one line to standard error that starts with the program's name; any other error is raised. Where
    the reader of the output has gone, as in `ossnet models | head -1`, return `PIPE_CLOSED` and print nothing.

    Args:
        program: name of the program in messages.
        command: the command, which returns its own exit status.
        prints: function that is asked before a message whether this process prints it.
    """
    for stream in (sys.stdout, sys.stderr):
        # A file name that the terminal cannot encode must not lose the result printed with it.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            return command()
        finally:
            # Flushed here, since a failure when Python exits would print a traceback.
            _flush(sys.stdout)
    except UserError as error:
        problem, status = " ".join(str(error).split()), 2
    except KeyboardInterrupt:
        problem, status = "interrupted; finished work is kept, and the same command continues from there", 130
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        problem = "out of memory; lower --max-locations, lower recipe.batch_size with --set, or free memory"
        status = 2
    except OSError as error:
        if error.errno == errno.EPIPE and (_reader_has_gone(sys.stdout) or _reader_has_gone(sys.stderr)):
            _discard_unwritten()
            return PIPE_CLOSED
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        _discard_unwritten()
        problem, status = f"cannot write all of the output: {error.strerror}; free space there", 2
    if prints():
        print(f"{program}: {problem}", file=sys.stderr)
    return status


def _flush(stream: TextIO | None) -> None:
    # The stream is None in a command that is started with its output closed.
    if stream is not None:
        stream.flush()


def _reader_has_gone(stream: TextIO | None) -> bool:
    """Return whether a stream is a pipe that is no longer read.

    Pipes between this process and its workers can break with the same error, which is a fault.
    """
    if stream is None:
        return False
    try:
        descriptor = stream.fileno()
    except OSError:  # The stream is a Python object without a file descriptor.
        return False
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def _discard_unwritten() -> None:
    """Redirect buffered standard output to the null device; otherwise Python tries to write it again when it exits."""
    try:
        _flush(sys.stdout)
    except OSError:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
