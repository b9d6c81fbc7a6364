"""Calls in processes of their own, so that what they leave behind, and how they end, is theirs alone."""

import gc
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from typing import Any, NamedTuple, Self

import torch

from benchmarks.machine.forkserver import FOR_MEASURING, forking
from ossnet.out_of_memory import is_out_of_memory, refused_allocations

OOM = "OOM"


@dataclass(frozen=True)
class Outcome:
    """What came of a call in a process of its own: its result, or why there is none (`OOM`, or a sentence)."""

    result: Any = None
    failure: str | None = None


class _Started(NamedTuple):
    process: ForkServerProcess
    connection: Connection


class Worker:
    """A process that makes one call after another, until one has failed or was refused memory of a GPU.

    It is forked from a server that has imported torch and the suite when it is first called, and anew after a failure,
    which may have broken more than the call, and after a refusal, since cuDNN, which then does with less, does so ever
    after. It has ended when the `with` does, interrupted or not.
    """

    def __init__(self) -> None:
        self._started: _Started | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def is_alive(self) -> bool:
        """Whether there is a process, which has made a call before."""
        return self._started is not None

    def call(self, function: Callable[..., Any], *arguments: Any, limit_s: float | None = None) -> Outcome:
        """Call a function there.

        Args:
            function: of a module, and with arguments and a result that can be pickled.
            limit_s: seconds after which the process is killed.
        """
        process, connection = self._start()
        try:
            connection.send((function, arguments))
            if connection.poll(limit_s):
                outcome, goes_on = connection.recv()
            else:
                outcome, goes_on = Outcome(failure=f"no result after {limit_s:.0f} s"), False
        except (EOFError, OSError):
            process.join()
            outcome, goes_on = Outcome(failure=_ending(process.exitcode)), False
        if not goes_on:
            self.end()
        return outcome

    def end(self) -> None:
        """End the process, whatever it is at, and with it all that it holds."""
        if self._started is None:
            return
        process, connection = self._started
        # One that was interrupted while it started has no number here, and ends with the connection.
        if process.pid is not None:
            process.kill()
            process.join()
        connection.close()
        self._started = None

    def _start(self) -> _Started:
        if self._started is None:
            context = forking(FOR_MEASURING)
            ours, theirs = context.Pipe()
            # Known before it starts, so that an interrupt finds it.
            self._started = _Started(context.Process(target=_serve, args=(theirs,), daemon=True), ours)
            with theirs:
                self._started.process.start()
        return self._started


def in_own_process(function: Callable[..., Any], *arguments: Any, limit_s: float | None = None) -> Outcome:
    """Call a function in a process that makes this one call; see `Worker.call`."""
    with Worker() as worker:
        return worker.call(function, *arguments, limit_s=limit_s)


def _serve(connection: Connection) -> None:
    """Make the calls that come, and tell with each outcome whether there can be another, until there can be none."""
    # Ctrl-C reaches every process of a terminal; the one that waits for this one ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, ConnectionError):
        while True:
            outcome = _outcome_of(*connection.recv())
            goes_on = outcome.failure is None and not refused_allocations()
            connection.send((outcome, goes_on))
            if not goes_on:
                return


def _outcome_of(function: Callable[..., Any], arguments: Sequence[Any]) -> Outcome:
    refused = refused_allocations()
    try:
        result = function(*arguments)
        _let_go()
        return Outcome(result)
    except Exception as error:
        message = " ".join(str(error).split())
        return Outcome(failure=OOM if is_out_of_memory(error, refused) else f"{type(error).__name__}: {message}")


def _let_go() -> None:
    """Free all that a call took and no longer needs, of a GPU's memory, too, but for what libraries keep there."""
    gc.collect()
    if torch.cuda.is_initialized():
        # What cuBLAS works in. Torch has no public name for this; its notes on CUDA semantics name this one.
        clear_workspaces = getattr(torch._C, "_cuda_clearCublasWorkspaces", None)
        if clear_workspaces is not None:
            clear_workspaces()
        torch.cuda.empty_cache()


def _ending(status: int | None) -> str:
    if status == -signal.SIGKILL:
        return "the process was killed, as the kernel does where memory runs out"
    return f"the process ended with status {status}"
