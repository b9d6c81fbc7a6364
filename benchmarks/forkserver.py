"""The server that processes are forked from, which has imported once what takes all of them long to import.

One rule holds for what it imports where there is a GPU: nothing may ask for it while it is imported, not even whether
there is one. A process that is forked from one which has asked cannot use a GPU. Neither torch nor the suite asks; for
every version of MONAI nobody can say.
"""

from collections.abc import Sequence
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext

FOR_RUNS = (
    "benchmarks.making",
    "benchmarks.segmentation",
    "baselines.unet2d",
    "baselines.unet3d",
    "torch._dynamo",
)
"""What takes long to import in most runs. Torch imports its `_dynamo` for the first optimiser that is made."""

FOR_RUNS_WITHOUT_GPU = (*FOR_RUNS, "monai.metrics")
"""The same, and what might ask for a GPU."""

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
