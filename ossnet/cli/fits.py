"""The command `ossnet fits`."""

import argparse
import re
from pathlib import Path
from typing import get_args

from ossnet.cli.options import Commands, positive, settings
from ossnet.errors import UserError
from ossnet.model import ModelConfig
from ossnet.network.execution import Execution, Precision
from ossnet.registry import model_names

TRAINING_MEMORY = {
    "checkpointing": "recompute activations in the backward pass instead of storing them",
    "lean": "train occupancy networks on parts of volume and locations, with images and optimiser in host memory",
    "leanest": "like --lean, and recompute more",
}
"""Options with their help, see `ossnet.training.recipe.Recipe.memory`."""


def add(commands: Commands) -> None:
    """Add the command."""
    fitting = commands.add_parser(
        "fits",
        help="predict whether a model fits into a GPU's memory, and with which settings",
        description="Predict the peak GPU memory of a training step, of one evaluation of the network (inference) and "
        "of the segmentation of a whole volume (extraction), without a GPU: the memory of the tensors, the memory that "
        "torch's allocator reserves for them, and the CUDA context (an assumption). If that is too much, list the "
        "smallest sets of options that suffice, in the form that `train` takes for training, and `segment` and "
        "`evaluate` for the others. Networks have the paper's sizes unless --set changes them. The extraction is by "
        "mise, on the model's own grid, of an ellipsoid of half the volume's extent; for a U-Net it is the evaluation. "
        "The exit status is 0 if everything fits, else 1.",
    )
    fitting.add_argument(
        "model", metavar="MODEL", help="name of the model, as listed by `ossnet models`, or folder of a run"
    )
    fitting.add_argument(
        "--shape",
        nargs=3,
        type=positive,
        metavar=("H", "W", "D"),
        help="grid of the volumes in voxels (default: that of the run)",
    )
    fitting.add_argument(
        "--modalities", type=positive, metavar="C", help="number of image channels (default: 1, or that of the run)"
    )
    fitting.add_argument(
        "--batch",
        type=positive,
        default=1,
        metavar="N",
        help="number of cases per training step (default: %(default)s)",
    )
    fitting.add_argument(
        "--locations",
        type=positive,
        metavar="N",
        help="number of locations, per case in a training step and per pass otherwise (default: 16384)",
    )
    fitting.add_argument(
        "--memory",
        required=True,
        type=_bytes,
        metavar="GB",
        help="memory of the GPU, such as 16 or 16GB (10^9 bytes per GB), or 16GiB",
    )
    memory = fitting.add_mutually_exclusive_group()
    for name, text in TRAINING_MEMORY.items():
        memory.add_argument(f"--{name}", dest="training_memory", action="store_const", const=name, help=text)
    fitting.set_defaults(training_memory="plain")
    fitting.add_argument(
        "--precision",
        choices=get_args(Precision),
        default="float32",
        help="floating-point precision of the network's blocks (default: %(default)s)",
    )
    fitting.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a setting of the network, such as network.patch_size=7; can be repeated",
    )
    fitting.set_defaults(command=_fits)


def _fits(arguments: argparse.Namespace) -> int:
    from ossnet.memory.fits import answer, describe, workloads

    model, config = _model(arguments)
    execution = Execution.of(arguments.training_memory, arguments.precision)
    answers = [
        answer(workload, arguments.memory)
        for workload in workloads(model, config, arguments.batch, arguments.locations, execution)
    ]
    print(f"model {model}, predicted for a GPU of {arguments.memory / 1e9:.2f} GB")
    print("\n".join(map(describe, answers)))
    return 0 if all(each.fits for each in answers) else 1


def _model(arguments: argparse.Namespace) -> tuple[str, ModelConfig]:
    """Return the name and the configuration of the model, or of that of a run."""
    from ossnet.memory.fits import model_config
    from ossnet.training.run import read_spec

    if arguments.model in model_names() or not (Path(arguments.model) / "spec.json").exists():
        if arguments.shape is None:
            raise UserError("--shape is missing: give the grid of the volumes, or the folder of a run as the model")
        return arguments.model, model_config(
            arguments.model, arguments.shape, arguments.modalities or 1, settings(arguments.set)
        )
    if arguments.shape or arguments.modalities or arguments.set:
        raise UserError(f"{arguments.model} is a run, whose network is as it is; omit --shape, --modalities and --set")
    spec = read_spec(Path(arguments.model))
    return spec.model, spec.config


def _bytes(text: str) -> float:
    """Return the number of bytes of a size in GB or GiB."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?(GB|GiB)?", text)
    if match is None or not float(match[1]):
        raise argparse.ArgumentTypeError(f"{text} is not a memory size; write 16 or 16GB (10^9 bytes per GB), or 16GiB")
    return float(match[1]) * (2**30 if match[2] == "GiB" else 10**9)
