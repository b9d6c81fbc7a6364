"""How a command ends: what a user is told in one line, and the exit status."""

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO, cast

from ossnet.errors import UserError
from ossnet.memory import is_out_of_memory

PIPE_CLOSED = 141
"""The status of a program that ends because nobody reads its output any more, as shells have it: 128 + SIGPIPE."""


def run_command(program: str, command: Callable[[], int]) -> int:
    """Run `command` and return the exit status: its own; 2 for a user's mistake or too little memory, 130 interrupted.

    Those end with one line on standard error that starts with the program's name, any other error as usual. Where the
    reader of the output has gone, as in `ossnet models | head -1`, the status is `PIPE_CLOSED` and nothing is said.
    """
    for stream in (sys.stdout, sys.stderr):
        # A file name that the terminal's encoding lacks must not lose the result that is told with it.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            status = command()
        finally:
            # Here rather than when Python ends, where a failure would be told in a traceback.
            _flush(sys.stdout)
        return status
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
        broken = [_discard_if_broken(stream) for stream in (sys.stdout, sys.stderr)]
        if not any(broken):
            raise
        if isinstance(error, BrokenPipeError):
            return PIPE_CLOSED
        problem, status = f"cannot write the output: {error.strerror}; free space there or write it elsewhere", 2
    print(f"{program}: {problem}", file=sys.stderr)
    return status


def _flush(stream: TextIO | None) -> None:
    # There is none where a command is started with its output closed.
    if stream is not None:
        stream.flush()


def _discard_if_broken(stream: TextIO | None) -> bool:
    """Return whether a stream cannot be written; if so, send what it still holds to nowhere, or Python tries again."""
    try:
        _flush(stream)
    except OSError:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), cast(TextIO, stream).fileno())
        return True
    return False
