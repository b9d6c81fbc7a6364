"""The server that worker processes are forked from, which has imported what takes long to import.

Where there is a GPU, nothing that the server imports may query it, not even whether there is one: a process that is
forked from one that has done so cannot use a GPU. Neither torch nor the suite does so on import; some version of MONAI
might, so that the server imports MONAI only where there is no GPU.
"""

import multiprocessing.util
import os
import tempfile
from collections.abc import Sequence
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext

FOR_RUNS = (
    "benchmarks.experiments.pipeline",
    "benchmarks.scoring.segmentation",
    "baselines.unet2d",
    "baselines.unet3d",
    "ossnet.network.pade_loaded",
    "pytorch_optimizer",
    "torch._dynamo",
)
"""Modules that most runs import and that take long. Torch imports its `_dynamo` with the first optimiser."""

FOR_RUNS_WITHOUT_GPU = (*FOR_RUNS, "monai.metrics")
"""The same, and those that might query a GPU."""

FOR_MEASURING = ("benchmarks.probes.measure", "ossnet.network.pade_loaded", "torch._dynamo")
"""Modules that measurements of memory and runtime import and that take long."""

SOCKET_PATH_BYTES = 103
"""Longest path of a socket that every system allows: this is the limit of macOS, that of Linux is 107."""

SOCKET_NAME_BYTES = len("/pymp-12345678/listener-12345678")
"""Number of bytes that multiprocessing adds to the path of the temporary folder."""


def forkserver_context(imports: Sequence[str]) -> ForkServerContext:
    """Return the context of processes that are forked from the server.

    Args:
        imports: modules that the server imports; those that are not installed are ignored. This has an effect only
            before the first process, which starts the server.
    """
    _shorten_socket_paths()
    context = get_context("forkserver")
    context.set_forkserver_preload([*imports])
    return context


def _shorten_socket_paths() -> None:
    """Let multiprocessing keep its sockets in `/tmp` if `TMPDIR` is too long for them, as Python 3.14 does itself.

    Clusters often give each job a long `TMPDIR`. Nothing else moves: temporary files stay where the user wants them.
    """
    configured = tempfile.gettempdir()
    if len(os.fsencode(configured)) + SOCKET_NAME_BYTES <= SOCKET_PATH_BYTES:
        return
    tempfile.tempdir = "/tmp"
    try:
        multiprocessing.util.get_temp_dir()  # It creates its folder once and remembers it.
    finally:
        tempfile.tempdir = configured
