"""The command line `ossnet`: train, evaluate, segment, models."""

import argparse
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch

from ossnet.errors import UserError
from ossnet.memory import is_out_of_memory

EPILOG = """examples:
  ossnet models
  ossnet train --data cases.csv --model c --out runs/c
  ossnet evaluate runs/c --data cases.csv --split test
  ossnet segment flair.nii.gz t1.nii.gz t1ce.nii.gz t2.nii.gz --model runs/c -o mask.nii.gz
"""


class _OneLineParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see {self.prog} --help")


def _parser() -> argparse.ArgumentParser:
    from ossnet.data.sources import SOURCE_HELP

    parser = _OneLineParser(
        prog="ossnet",
        description="Train, evaluate and use OSS-Net and what it is compared with.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    machine = _OneLineParser(add_help=False)
    machine.add_argument("--device", help="cpu, cuda or cuda:N (default: a GPU if there is one)")
    machine.add_argument("--threads", type=_positive, help="CPU threads (default: all cores)")

    data = _OneLineParser(add_help=False)
    data.add_argument("--data", required=True, metavar="DATA", help=SOURCE_HELP)
    data.add_argument(
        "--cache", type=Path, default=Path("results/cache"), help="folder for prepared cases (%(default)s)"
    )
    data.add_argument(
        "--profile", default="laptop", help="sizes and lengths: laptop, workstation or paper (%(default)s)"
    )

    extraction = _OneLineParser(add_help=False)
    extraction.add_argument(
        "--extraction", help="dense, mise, prior, released or released-prior (default: the model's: mise, U-Nets dense)"
    )
    extraction.add_argument(
        "--max-locations",
        type=_positive,
        default=2**14,
        metavar="N",
        help="locations a pass: bounds memory (%(default)s)",
    )

    train = commands.add_parser(
        "train",
        parents=[data, machine],
        help="train a model; the same command goes on after an interruption",
        description="Train a model on the split train of a data set, choosing the best epoch on the split validation. "
        "The folder --out then holds spec.json, model.safetensors, history.csv and the checkpoint that an interrupted "
        "training goes on from when the same command is given again.",
    )
    train.add_argument("--model", required=True, help="a name that `ossnet models` lists")
    train.add_argument("--seed", type=int, default=0, help="of weights, order, augmentation, locations (%(default)s)")
    train.add_argument("--out", type=Path, help="folder of the run (default: results/runs/DATA-MODEL-seedN)")
    train.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a setting of the profile, such as recipe.epochs=30, network.patch_size=7 or "
        "preprocessing.shape=[64,64,48]; may be repeated",
    )
    train.set_defaults(command=_train)

    evaluate = commands.add_parser(
        "evaluate",
        parents=[data, extraction, machine],
        help="score a trained model on labelled cases",
        description="Segment the cases of a split densely on their own grids; print and write Dice, IoU, "
        "95 % Hausdorff distance and surface Dice of each.",
    )
    evaluate.add_argument("run", type=Path, metavar="RUN", help="folder of a training")
    evaluate.add_argument("--split", default="test", choices=("train", "validation", "test"), help="(%(default)s)")
    evaluate.add_argument("--tolerance-mm", type=float, default=2.0, help="of the surface Dice (%(default)s)")
    evaluate.add_argument("--out", type=Path, metavar="CSV", help="file for the scores (default: RUN/scores-SPLIT.csv)")
    evaluate.set_defaults(command=_evaluate)

    segment = commands.add_parser(
        "segment",
        parents=[extraction, machine],
        help="segment one patient's images",
        description="Write the segmentation of an image as NIfTI, with the affine and shape of the input.",
    )
    segment.add_argument(
        "images", nargs="+", metavar="IMAGE", help="one NIfTI file a modality, in the model's order, or one 4-D file"
    )
    segment.add_argument("--model", required=True, type=Path, metavar="RUN", help="folder of a training")
    segment.add_argument("-o", "--output", required=True, type=Path, metavar="OUT.nii.gz", help="file for the mask")
    segment.add_argument("--mesh", type=Path, metavar="FILE", help="write the surface too, as .ply or .obj in mm")
    segment.set_defaults(command=_segment)

    commands.add_parser("models", help="list the models").set_defaults(command=_models)
    return parser


def _positive(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is no whole number above 0")
    return value


def _device(arguments: argparse.Namespace) -> torch.device:
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    name = arguments.device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UserError(f"--device {name} is no device; give cpu, cuda or cuda:N") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(f"--device {name}: this machine has {torch.cuda.device_count()} GPUs that torch can use")
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"--device {name} is not supported; give cpu, cuda or cuda:N")
    return device


def _settings(pairs: Sequence[str]) -> dict[str, Any]:
    """The tables of `--set a.b=value`, values as in TOML."""
    from ossnet.config import merge

    settings: dict[str, Any] = {}
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
                raise UserError(f"--set {pair}: neither key nor value can be read as TOML") from error
        settings = merge(settings, table)
    return settings


def _train(arguments: argparse.Namespace) -> None:
    from ossnet.data.sources import open_dataset
    from ossnet.profile import load_profile
    from ossnet.progress import ProgressLine
    from ossnet.run import train_run
    from ossnet.training import best_epoch

    device = _device(arguments)
    profile = load_profile(arguments.profile)
    dataset = open_dataset(arguments.data, profile.generator(arguments.data), arguments.cache)
    spec = profile.spec(arguments.model, dataset, arguments.seed, _settings(arguments.set))
    folder = arguments.out or Path("results/runs") / f"{dataset.name}-{arguments.model}-seed{arguments.seed}"
    with ProgressLine(f"training {arguments.model} on {dataset.name}", spec.recipe.epochs) as line:
        history = train_run(
            spec,
            dataset,
            folder,
            arguments.cache,
            device,
            lambda report, left: line.update(report.epoch + 1, f"loss {report.loss:.4f}", left),
        )
    best = best_epoch(history)
    protocol = spec.recipe.validation.protocol
    chosen = (
        f"best epoch {best.epoch + 1}: Dice {best.dice:.4f} ({protocol} protocol)" if best else "no validation cases"
    )
    print(f"{folder}: {chosen}")


def _evaluate(arguments: argparse.Namespace) -> None:
    from ossnet.data.sources import open_dataset
    from ossnet.evaluation import evaluate_run
    from ossnet.files import write_text
    from ossnet.profile import load_profile
    from ossnet.run import load_run

    model, spec = load_run(arguments.run, _device(arguments))
    generator = load_profile(arguments.profile).generator(arguments.data)
    dataset = open_dataset(arguments.data, generator, arguments.cache)
    scores = evaluate_run(
        model,
        spec.preprocessing,
        spec.modalities,
        dataset,
        arguments.split,
        arguments.extraction or model.extraction,
        arguments.max_locations,
        arguments.tolerance_mm,
    )
    path = arguments.out or arguments.run / f"scores-{arguments.split}.csv"
    write_text(path, scores.to_csv(index=False))
    table = scores.pivot(index="case", columns="quantity", values="value")
    print(table.round(4).to_string())
    for quantity, values in table.items():
        print(f"mean {quantity}: {values.mean():.4f} over {values.count()} of {len(table)} cases")
    print(f"written to {path}")


def _segment(arguments: argparse.Namespace) -> None:
    import numpy as np

    from ossnet.data.case import Case
    from ossnet.data.nifti import SUFFIXES, read_image, write_label
    from ossnet.evaluation import segment_case
    from ossnet.mesh import mesh_of, write_mesh
    from ossnet.run import load_run

    if not arguments.output.name.endswith(SUFFIXES):
        raise UserError(f"-o {arguments.output}: the mask is written as NIfTI; let it end in {' or '.join(SUFFIXES)}")
    if arguments.mesh and arguments.mesh.suffix.lower() not in (".ply", ".obj"):
        raise UserError(f"--mesh {arguments.mesh}: the surface is written as PLY or OBJ; let it end in .ply or .obj")
    model, spec = load_run(arguments.model, _device(arguments))
    image, affine = read_image(arguments.images)
    if len(image) != len(spec.modalities):
        raise UserError(
            f"{arguments.model} takes {len(spec.modalities)} modalities ({', '.join(spec.modalities)}); "
            f"{' '.join(map(str, arguments.images))} give {len(image)}: one file each in this order, or one 4-D file"
        )
    case = Case(Path(arguments.images[0]).name, image, None, affine, spec.modalities)
    extraction = arguments.extraction or model.extraction
    result = segment_case(model, case, spec.preprocessing, extraction, arguments.max_locations)
    mask = result.segmentation.cpu().numpy()
    write_label(arguments.output, spec.preprocessing.stored(mask), affine, like=arguments.images[0])
    volume_ml = np.count_nonzero(mask) * np.prod(case.spacing_mm) / 1000
    print(
        f"{arguments.output}: {np.count_nonzero(mask)} voxels, {volume_ml:.1f} ml, {extraction}: "
        f"{' + '.join(map(str, result.evaluated))} locations"
    )
    if arguments.mesh:
        if not mask.any():
            raise UserError(f"--mesh {arguments.mesh}: the segmentation is empty, so it has no surface to write")
        write_mesh(arguments.mesh, *mesh_of(mask > 0, affine))


def _models(_: argparse.Namespace) -> None:
    from ossnet.registry import model_names, model_type

    for name in model_names():
        kind = model_type(name)
        print(f"{name:<16}{(kind.__doc__ or '').strip().splitlines()[0]}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit status: 0, 2 for a user's mistake (told in one line), 130 when interrupted."""
    try:
        arguments = _parser().parse_args(argv)
        arguments.command(arguments)
    except UserError as error:
        print(f"ossnet: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("ossnet: interrupted; what was finished is kept, the same command goes on from there", file=sys.stderr)
        return 130
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        print(
            "ossnet: out of memory; lower --max-locations, or recipe.batch_size with --set, or free memory",
            file=sys.stderr,
        )
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
