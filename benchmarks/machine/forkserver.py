"""The server that processes are forked from, which has imported once what takes all of them long to import.

One rule holds for what it imports where there is a GPU: nothing may ask for it while it is imported, not even whether
there is one. A process that is forked from one which has asked cannot use a GPU. Neither torch nor the suite asks; for
every version of MONAI nobody can say.
"""

import multiprocessing.util
import os
import tempfile
from collections.abc import Sequence
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext

FOR_RUNS = (
    "benchmarks.runs.experiment",
    "benchmarks.scoring.segmentation",
    "baselines.unet2d",
    "baselines.unet3d",
    "torch._dynamo",
)
"""What takes long to import in most runs. Torch imports its `_dynamo` for the first optimiser that is made."""

FOR_RUNS_WITHOUT_GPU = (*FOR_RUNS, "monai.metrics")
"""The same, and what might ask for a GPU."""

FOR_MEASURING = ("benchmarks.probes.measure", "torch._dynamo")
"""What takes long to import in measuring."""

SOCKET_PATH_BYTES = 103
"""The longest path of a socket that every system takes: macOS this one, Linux 107."""

SOCKET_NAME_BYTES = len("/pymp-12345678/listener-12345678")
"""The bytes that multiprocessing adds to the path of the temporary folder."""


def forking(imports: Sequence[str]) -> ForkServerContext:
    """The context of processes that are forked from the server.

    Args:
        imports: modules that they find imported; those that are not installed are passed over. Only heeded before the
            first process, which starts the server.
    """
    _shorten_socket_paths()
    context = get_context("forkserver")
    context.set_forkserver_preload([*imports])
    return context


def _shorten_socket_paths() -> None:
    """Have multiprocessing keep its sockets in `/tmp` where `TMPDIR` is too long for them, as Python 3.14 does itself.

    Clusters often give each job a long `TMPDIR`. Nothing else moves: temporary files stay where the user wants them.
    """
    usual = tempfile.gettempdir()
    if len(os.fsencode(usual)) + SOCKET_NAME_BYTES <= SOCKET_PATH_BYTES:
        return
    tempfile.tempdir = "/tmp"
    try:
        multiprocessing.util.get_temp_dir()  # Makes its folder and remembers it.
    finally:
        tempfile.tempdir = usual
