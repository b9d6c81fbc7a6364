"""Work on many cases in several processes."""

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from ossnet.errors import UserError

Item = TypeVar("Item")
Result = TypeVar("Result")


def for_each(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int, receive: Callable[[Result], None]
) -> None:
    """Call a function with each item, in several processes, and receive the results as they come.

    The processes are spawned, so that a script that calls this needs the usual `if __name__ == "__main__"`. If the
    function or `receive` raises an error, calls that have not begun are dropped, and the error is raised.

    Args:
        function: function that can be pickled, as its results can.
        items: arguments, which can be pickled.
        workers: number of processes. With 1, or for a single item, the work is done in this process.
        receive: called in this process with each result.

    Raises:
        UserError: a process was ended from outside.
    """
    workers = min(workers, len(items))
    if workers < 2:
        for item in items:
            receive(function(item))
        return
    # A forked process can hang in the thread pools of its parent, whereas a spawned one has its own.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _ignore_interruption) as pool:
        try:
            for future in as_completed([pool.submit(function, item) for item in items]):
                receive(future.result())
        except BrokenProcessPool as error:
            raise UserError(
                f"one of {workers} worker processes was ended, probably for lack of memory; use fewer, or free memory"
            ) from error
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _ignore_interruption() -> None:
    """Leave Ctrl-C, which reaches every process of a terminal, to the process that owns the pool."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
