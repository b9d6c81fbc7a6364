"""The commands and options of `ossnet`."""

import argparse
import re
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, get_args

from ossnet.config import merge
from ossnet.data.sources import SOURCE_HELP
from ossnet.errors import UserError
from ossnet.inference.extraction import EXTRACTORS
from ossnet.network.execution import Precision

TRAINING_MEMORY = {
    "checkpointing": "recompute activations in the backward pass instead of storing them",
    "lean": "train occupancy networks on parts of volume and locations, with images and optimiser in host memory",
    "leanest": "like --lean, and recompute more",
}
"""Options of `fits` with their help, see `ossnet.training.recipe.Recipe.memory`."""

Command = Callable[[argparse.Namespace], int | None]
"""Function of a command. It returns the exit status, or None for success."""

EPILOG = """examples:
  ossnet models
  ossnet train --data cases.csv --model c --out runs/c
  torchrun --standalone --nproc-per-node 2 -m ossnet.cli train --data cases.csv --model c --out runs/c
  ossnet evaluate runs/c --data cases.csv --split test
  ossnet segment flair.nii.gz t1.nii.gz t1ce.nii.gz t2.nii.gz --model runs/c -o mask.nii.gz
  ossnet fits c --shape 256 256 160 --modalities 4 --batch 8 --memory 16GiB
"""


class _OneLineParser(argparse.ArgumentParser):
    """Parser that raises a `UserError` instead of printing its usage."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see {self.prog} --help")


def make_parser(
    train: Command, evaluate: Command, segment: Command, models: Command, fits: Command
) -> argparse.ArgumentParser:
    """Return the parser of `ossnet`. The parsed arguments hold the chosen one of these functions as `command`."""
    parser = _OneLineParser(
        prog="ossnet",
        description="Train, evaluate and use OSS-Net and its baselines.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    machine = _OneLineParser(add_help=False)
    machine.add_argument("--device", help="device to run on: cpu, cuda or cuda:N (default: a GPU if there is one)")
    machine.add_argument("--threads", type=_positive, help="number of CPU threads (default: all cores)")

    data = _OneLineParser(add_help=False)
    data.add_argument("--data", required=True, metavar="DATA", help=f"data set: {SOURCE_HELP}")
    data.add_argument(
        "--cache", type=Path, default=Path("results/cache"), help="folder for prepared cases (default: %(default)s)"
    )
    data.add_argument(
        "--profile",
        default="laptop",
        help="profile of data sizes and training lengths: laptop, workstation, paper or a TOML file "
        "(default: %(default)s)",
    )

    extraction = _OneLineParser(add_help=False)
    extraction.add_argument(
        "--extraction",
        help=f"method to extract the segmentation: one of {', '.join(EXTRACTORS)} (default: the model's own, which is "
        "dense for U-Nets and mise for the others)",
    )
    extraction.add_argument(
        "--max-locations",
        type=_positive,
        default=2**14,
        metavar="N",
        help="number of locations per pass, which limits the memory (default: %(default)s)",
    )
    extraction.add_argument(
        "--max-slices",
        type=_positive,
        metavar="N",
        help="number of slices per pass of a 2D U-Net (default: as in training)",
    )

    precision = _OneLineParser(add_help=False)
    precision.add_argument(
        "--precision",
        choices=get_args(Precision),
        help="floating-point precision of the network's blocks (default: as in training)",
    )

    training = commands.add_parser(
        "train",
        parents=[data, machine],
        help="train a model, or continue an interrupted training",
        description="Train a model on the split train of a data set, and choose the best epoch on the split "
        "validation. The folder --out then holds spec.json, model.safetensors, history.csv and the checkpoint from "
        "which the same command continues an interrupted training. With `torchrun --standalone --nproc-per-node N "
        "-m ossnet.cli train ...`, N processes share each batch, one per GPU, and give the same run up to rounding; "
        "--device cpu makes them share the CPU.",
    )
    training.add_argument("--model", required=True, help="name of the model, as listed by `ossnet models`")
    training.add_argument(
        "--seed",
        type=int,
        default=0,
        help="random seed of weights, order, augmentation and locations (default: %(default)s)",
    )
    training.add_argument("--out", type=Path, help="folder of the run (default: results/runs/DATA-MODEL-seedN)")
    training.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a setting of the profile, such as recipe.epochs=30, network.patch_size=7 or "
        "preprocessing.shape=[64,64,48]; can be repeated",
    )
    training.set_defaults(command=train)

    evaluation = commands.add_parser(
        "evaluate",
        parents=[data, extraction, precision, machine],
        help="score a trained model on labelled cases",
        description="Segment the cases of a split densely on their own grids, and print and write the Dice, IoU, "
        "95 % Hausdorff distance, surface Dice and false-positive volume of each.",
    )
    evaluation.add_argument("run", type=Path, metavar="RUN", help="folder of the trained model")
    evaluation.add_argument(
        "--split", default="test", choices=("train", "validation", "test"), help="split to score (default: %(default)s)"
    )
    evaluation.add_argument(
        "--tolerance-mm",
        type=float,
        help="tolerance of the surface Dice in mm (default: 2, or the longest voxel edge if that is longer)",
    )
    evaluation.add_argument(
        "--allow-learned-cases",
        action="store_true",
        help="score cases even if the model has learned from them, or may have",
    )
    evaluation.add_argument(
        "--out", type=Path, metavar="CSV", help="file for the scores (default: RUN/scores-SPLIT.csv)"
    )
    evaluation.set_defaults(command=evaluate)

    segmentation = commands.add_parser(
        "segment",
        parents=[extraction, precision, machine],
        help="segment one patient's images",
        description="Write the segmentation of an image as NIfTI, with the affine and shape of the input.",
    )
    segmentation.add_argument(
        "images",
        nargs="+",
        metavar="IMAGE",
        help="one NIfTI file per modality, in the order of the model's modalities, or one 4-D file",
    )
    segmentation.add_argument("--model", required=True, type=Path, metavar="RUN", help="folder of the trained model")
    segmentation.add_argument(
        "-o", "--output", required=True, type=Path, metavar="OUT.nii.gz", help="file for the mask"
    )
    segmentation.add_argument("--mesh", type=Path, metavar="FILE", help="file for the surface in mm, .ply or .obj")
    segmentation.add_argument(
        "--audit",
        type=_share,
        metavar="SHARE",
        help="evaluate random voxels that the extraction skipped, and print an upper bound (95 %%) on the share of all "
        "voxels that differ from dense; SHARE, such as 1e-3, is the bound to reach if none of these voxels differs",
    )
    segmentation.add_argument(
        "--audit-seed", type=int, default=0, metavar="SEED", help="random seed of these voxels (default: %(default)s)"
    )
    segmentation.set_defaults(command=segment)

    commands.add_parser("models", help="list the models").set_defaults(command=models)
    _add_fits(commands, fits)
    return parser


def _add_fits(commands: Any, fits: Command) -> None:
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
    fitting.add_argument("model", metavar="MODEL", help="name of the model, as listed by `ossnet models`")
    fitting.add_argument(
        "--shape", nargs=3, required=True, type=_positive, metavar=("H", "W", "D"), help="grid of the volumes in voxels"
    )
    fitting.add_argument(
        "--modalities", type=_positive, default=1, metavar="C", help="number of image channels (default: %(default)s)"
    )
    fitting.add_argument(
        "--batch",
        type=_positive,
        default=1,
        metavar="N",
        help="number of cases per training step (default: %(default)s)",
    )
    fitting.add_argument(
        "--locations",
        type=_positive,
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
    fitting.set_defaults(command=fits)


def _bytes(text: str) -> float:
    """Return the number of bytes of a size in GB or GiB."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?(GB|GiB)?", text)
    if match is None or not float(match[1]):
        raise argparse.ArgumentTypeError(f"{text} is not a memory size; write 16 or 16GB (10^9 bytes per GB), or 16GiB")
    return float(match[1]) * (2**30 if match[2] == "GiB" else 10**9)


def _positive(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return value


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share between 0 and 1, such as 1e-3")
    return value


def settings(pairs: Sequence[str]) -> dict[str, Any]:
    """Return the tables that `--set a.b=value` describes. A value is TOML, or else text.

    Raises:
        UserError: an option is not of the form KEY=VALUE, or cannot be read as TOML.
    """
    tables: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UserError(f"--set {pair}: write KEY=VALUE, such as recipe.epochs=30")
        try:
            table = tomllib.loads(f"{key} = {value}")
        except tomllib.TOMLDecodeError:
            try:
                table = tomllib.loads(f"{key} = '{value}'")
            except tomllib.TOMLDecodeError as error:
                raise UserError(f"--set {pair} is not valid TOML; quote the value or correct the key") from error
        tables = merge(tables, table)
    return tables
