"""The server that processes are forked from, which has imported once what takes all of them long to import.

One rule holds for what it imports, on every machine: nothing may ask for a GPU while it is imported, not even whether
there is one. A process that is forked from one which has asked cannot use a GPU. Torch does not ask.
"""

from collections.abc import Sequence
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext

FOR_RUNS = (
    "benchmarks.making",
    "benchmarks.segmentation",
    "baselines.unet2d",
    "baselines.unet3d",
    "monai.metrics",
    "torch._dynamo",
)
"""What takes long to import in most runs. Torch imports its `_dynamo` for the first optimiser that is made."""

FOR_MEASURING = ("benchmarks.efficiency.measuring", "torch._dynamo")
"""What takes long to import in measuring."""


def forking(imports: Sequence[str]) -> ForkServerContext:
    """The context of processes that are forked from the server.

    Args:
        imports: modules that they find imported; those that are not installed are passed over. Only heeded before the
            first process, which starts the server.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload([*imports])
    return context
