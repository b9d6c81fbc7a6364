import math
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import Pipe, active_children
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest
import torch

from benchmarks.machine import subprocess_worker as processes
from benchmarks.machine.subprocess_worker import KILLED, OOM, Outcome, Worker, in_own_process

pytestmark = pytest.mark.usefixtures("forkserver")


class TestInOwnProcess:
    def test_no_process_has_touched_a_gpu(self) -> None:
        assert in_own_process(torch.cuda.is_initialized) == Outcome(False)

    def test_an_interrupt_is_for_the_process_that_waits(self) -> None:
        assert in_own_process(signal.raise_signal, signal.SIGINT) == Outcome()

    def test_a_process_ends_with_the_wait_for_it(self, tmp_path: Path) -> None:
        waiting = threading.main_thread().ident
        assert waiting is not None
        begun = tmp_path / "begun"
        os.mkfifo(begun)

        def interrupt() -> None:
            begun.read_bytes()  # Which returns when the process has got its call: this one waits for the result.
            signal.pthread_kill(waiting, signal.SIGINT)

        interrupting = threading.Thread(target=interrupt)
        interrupting.start()
        with pytest.raises(KeyboardInterrupt):
            in_own_process(exec, f"import time; open({str(begun)!r}, 'w').close(); time.sleep(600)")
        interrupting.join()
        assert active_children() == []


class TestWorker:
    def test_one_process_makes_all_calls_until_its_end(self) -> None:
        with Worker() as worker:
            assert active_children() == []
            first = worker.call(os.getpid)
            assert worker.call(math.hypot, 3, 4) == Outcome(5.0)
            assert worker.call(os.getpid) == first != Outcome(os.getpid())
            assert len(active_children()) == 1
            for _ in range(2):
                worker.end()
                assert active_children() == []
            assert worker.call(math.hypot, 3, 4) == Outcome(5.0)
        assert active_children() == []

    @pytest.mark.parametrize(
        ("function", "argument", "limit_s", "failure"),
        [
            (int, "x", None, "ValueError: invalid literal for int() with base 10: 'x'"),
            (bytearray, 2**62, None, OOM),
            (time.sleep, 600, 1, "no result after 1 s"),
            (signal.raise_signal, signal.SIGKILL, None, KILLED),
            (os._exit, 3, None, "the process ended with status 3"),
        ],
    )
    def test_after_a_failure_another_goes_on(
        self, function: Callable[..., object], argument: object, limit_s: float | None, failure: str
    ) -> None:
        with Worker() as worker:
            first = worker.call(os.getpid)
            assert worker.call(function, argument, limit_s=limit_s).failure == failure
            assert active_children() == []
            second = worker.call(os.getpid)
            assert second.failure is None
            assert second != first

    def test_one_that_was_killed_between_calls_is_told(self) -> None:
        with Worker() as worker:
            pid = worker.call(os.getpid).result
            os.kill(pid, signal.SIGKILL)
            while worker.call(os.getpid).result == pid:
                pass
            assert worker.call(os.getpid).failure is None

    @pytest.mark.parametrize("begun", [True, False])
    def test_an_interrupt_while_it_starts_leaves_no_process(self, begun: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        start = ForkServerProcess.start
        started = []

        def interrupted(process: ForkServerProcess) -> None:
            if begun:
                start(process)
                started.append(process)
            raise KeyboardInterrupt

        monkeypatch.setattr(ForkServerProcess, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            in_own_process(os.getpid)
        assert [process.exitcode for process in started] == [-signal.SIGKILL] * begun
        assert active_children() == []

    def test_a_process_whose_caller_is_gone_ends(self) -> None:
        # Without the caller's end of the connection, as after an interrupt before its number was known.
        with Worker() as worker:
            worker.call(os.getpid)
            (process,) = active_children()
            assert worker._started is not None
            worker._started.connection.close()
            process.join()
            assert process.exitcode == 0


CUDNN = "GET was unable to find an engine to execute this computation"
CUBLAS = "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`"

FREED: list[str] = []


def use_a_gpu() -> None:
    """Let torch have a GPU, whose memory can be freed."""
    torch.cuda.is_initialized = lambda: True
    torch.cuda.empty_cache = lambda: FREED.append("cache")


def freed() -> list[str]:
    """What has been freed so far."""
    return list(FREED)


def do_with_less() -> None:
    """Use a GPU that refuses some memory."""
    use_a_gpu()
    torch.cuda.memory_stats = lambda: {"num_ooms": 1}


def fail_for_a_refusal() -> None:
    do_with_less()
    raise RuntimeError(CUDNN)


def lose_the_gpu() -> None:
    """Let it raise an error from now on, whatever it is asked."""

    def ask(*_: object) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    torch.cuda.is_initialized = lambda: True
    torch.cuda.memory_stats = torch.cuda.mem_get_info = torch.cuda.empty_cache = ask


def lose_the_gpu_and_fail() -> None:
    lose_the_gpu()
    raise RuntimeError(CUBLAS)


LOST = "RuntimeError: CUDA error: an illegal memory access was encountered"


@pytest.mark.parametrize(
    ("call", "sent"),
    [
        # What it took is freed before the next.
        (use_a_gpu, [(Outcome(), True), (Outcome(["workspaces", "cache"]), True)]),
        # It ends though the call did with less.
        (do_with_less, [(Outcome(), False)]),
        (fail_for_a_refusal, [(Outcome(failure=OOM), False)]),
        # An error that shows when memory is freed is a failure of the call.
        (lose_the_gpu, [(Outcome(failure=LOST), False)]),
        (lose_the_gpu_and_fail, [(Outcome(failure=f"RuntimeError: {CUBLAS}"), False)]),
    ],
)
def test_a_worker_on_a_gpu_sends_each_outcome_with_whether_there_can_be_another(
    call: Callable[[], object], sent: list[tuple[Outcome, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker's loop in this process, whose torch seems to have a GPU."""
    for name in ("is_initialized", "memory_stats", "mem_get_info", "empty_cache"):
        monkeypatch.setattr(torch.cuda, name, getattr(torch.cuda, name))
    monkeypatch.setattr(processes, "_clear_cublas_workspaces", lambda: FREED.append("workspaces"))
    FREED.clear()
    before = signal.getsignal(signal.SIGINT)
    ours, theirs = Pipe()
    with ours, theirs:
        for asked in ((call, ()), (freed, ()), None):
            ours.send(asked)
        try:
            with suppress(TypeError):  # It takes None for a call, where it has not ended before.
                processes._serve(theirs)
        finally:
            signal.signal(signal.SIGINT, before)
        assert [ours.recv() for _ in range(2) if ours.poll()] == sent


@pytest.mark.skipif(torch.version.cuda is None, reason="this torch is built without CUDA")
def test_torch_still_has_the_function_that_clears_workspaces() -> None:
    assert hasattr(torch._C, "_cuda_clearCublasWorkspaces")
