"""Function calls in worker processes, so that neither their memory nor a crash affects the caller."""

import gc
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from typing import Any, NamedTuple, Self

import torch

from benchmarks.machine.forkserver import FOR_MEASURING, forkserver_context
from ossnet.out_of_memory import is_out_of_memory, refused_allocations

OOM = "OOM"
"""Failure of a call that ran out of memory."""

KILLED = "the process was killed, as the kernel does where memory runs out"
"""Failure of a call whose process was killed."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a call.

    Attributes:
        result: what the function returned.
        failure: why there is no result, `OOM` or a sentence; None where there is one.
    """

    result: Any = None
    failure: str | None = None


class _Started(NamedTuple):
    process: ForkServerProcess
    connection: Connection


class Worker:
    """A process that makes one call after another, until a call fails or is refused memory of a GPU.

    With the first call it is forked from a server that has imported torch and the suite. It is replaced after a
    failure, which may have broken more than the call, and after a refusal, since cuDNN then keeps to algorithms that
    need less memory. It ends with the `with` block, even if that is interrupted.
    """

    def __init__(self) -> None:
        self._started: _Started | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def is_alive(self) -> bool:
        """True if there is a process, which has made a call already."""
        return self._started is not None

    def call(self, function: Callable[..., Any], *arguments: Any, limit_s: float | None = None) -> Outcome:
        """Call a function in the process, and wait for it.

        Args:
            function: function of a module; its result must be picklable.
            *arguments: its arguments, which must be picklable.
            limit_s: seconds after which the process is killed; None for no limit.
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
            outcome, goes_on = Outcome(failure=_exit_reason(process.exitcode)), False
        if not goes_on:
            self.end()
        return outcome

    def end(self) -> None:
        """Kill the process, whatever it is doing, which frees all that it holds."""
        if self._started is None:
            return
        process, connection = self._started
        # Where the start was interrupted, its id is not known here, and it ends with the connection.
        if process.pid is not None:
            process.kill()
            process.join()
        connection.close()
        self._started = None

    def _start(self) -> _Started:
        if self._started is None:
            context = forkserver_context(FOR_MEASURING)
            ours, theirs = context.Pipe()
            # Stored before the start, so that `end` finds it after an interrupt.
            self._started = _Started(context.Process(target=_serve, args=(theirs,), daemon=True), ours)
            with theirs:
                self._started.process.start()
        return self._started


def in_own_process(function: Callable[..., Any], *arguments: Any, limit_s: float | None = None) -> Outcome:
    """Call a function in a process that makes only this call; see `Worker.call`."""
    with Worker() as worker:
        return worker.call(function, *arguments, limit_s=limit_s)


def _serve(connection: Connection) -> None:
    """Make the calls that arrive, and send each outcome with whether another call can follow, until none can."""
    # Ctrl-C reaches every process of a terminal; the one that waits for this process ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()  # What the server has imported stays, and to search it for garbage takes half a second per call.
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
        _free_memory()
        return Outcome(result)
    except Exception as error:
        message = " ".join(str(error).split())
        return Outcome(failure=OOM if is_out_of_memory(error, refused) else f"{type(error).__name__}: {message}")


def _free_memory() -> None:
    """Free what a call no longer needs, memory of a GPU included, apart from what libraries keep there."""
    gc.collect()
    if torch.cuda.is_initialized():
        _clear_cublas_workspaces()
        torch.cuda.empty_cache()


def _clear_cublas_workspaces() -> None:
    # Torch has no public name for this; its notes on CUDA semantics name this one, which builds without CUDA lack.
    clear = getattr(torch._C, "_cuda_clearCublasWorkspaces", None)
    if clear is not None:
        clear()


def _exit_reason(status: int | None) -> str:
    if status == -signal.SIGKILL:
        return KILLED
    return f"the process ended with status {status}"
