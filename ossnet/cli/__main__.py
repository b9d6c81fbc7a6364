"""The command line `ossnet`: train, evaluate, segment, models, fits."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ossnet.cli.options import make_parser, settings
from ossnet.command import run_command
from ossnet.data.sources import open_dataset, open_with_progress
from ossnet.errors import UserError
from ossnet.files import require_writable, require_writable_folder, write_text
from ossnet.model import SegmentationModel
from ossnet.network.execution import Execution, set_execution

RUNS = Path("results/runs")
"""Folder of trainings that are given none."""


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


def _adapt(model: SegmentationModel, arguments: argparse.Namespace) -> None:
    """Adapt a model to another precision, and other slices a pass, than the training's where they are given."""
    if arguments.precision:
        set_execution(model, Execution(precision=arguments.precision))
    if arguments.max_slices:
        config: Any = model.config
        if not hasattr(config, "max_slices"):
            raise UserError("--max-slices is for models that go through volumes slice by slice; leave it out")
        model.config = replace(config, max_slices=arguments.max_slices)


def _train(arguments: argparse.Namespace) -> None:
    from ossnet.progress import ProgressLine
    from ossnet.training.profile import load_profile
    from ossnet.training.run import train_run
    from ossnet.training.training import best_epoch

    device = _device(arguments)
    require_writable_folder(arguments.out or RUNS)
    profile = load_profile(arguments.profile)
    dataset = open_with_progress(arguments.data, profile.generator(arguments.data), arguments.cache)
    spec = profile.spec(arguments.model, dataset, arguments.seed, settings(arguments.set))
    folder = arguments.out or RUNS / f"{dataset.name}-{arguments.model}-seed{arguments.seed}"
    with ProgressLine(f"training {arguments.model} on {dataset.name}", spec.recipe.epochs) as line:
        history = train_run(
            spec,
            dataset,
            folder,
            arguments.cache,
            device,
            lambda report, left: line.update(report.epoch + 1, f"loss {report.loss:.4f}", left),
            lambda done, total: line.update(0, f"case {done} of {total} prepared"),
        )
    best = best_epoch(history)
    protocol = spec.recipe.validation.protocol
    chosen = (
        f"best epoch {best.epoch + 1}: Dice {best.dice:.4f} ({protocol} protocol)" if best else "no validation cases"
    )
    print(f"{folder}: {chosen}")


def _evaluate(arguments: argparse.Namespace) -> None:
    from ossnet.data.voxels import keeping_voxel_digests
    from ossnet.evaluation.evaluation import evaluate_run, require_modalities
    from ossnet.progress import ProgressLine
    from ossnet.training.profile import load_profile
    from ossnet.training.run import load_run
    from ossnet.training.seen_cases import read_learned_cases, refuse_learned_cases, roles_in_training

    path = arguments.out or arguments.run / f"scores-{arguments.split}.csv"
    model, spec = load_run(arguments.run, _device(arguments))
    require_writable(path)
    _adapt(model, arguments)
    generator = load_profile(arguments.profile).generator(arguments.data)
    # Only the cases that are scored are made.
    dataset = open_dataset(arguments.data, generator, arguments.cache, workers=0)
    require_modalities(dataset.name, dataset.modalities, spec.modalities)
    learned = read_learned_cases(arguments.run)
    if learned is not None:
        _require_cache(arguments.cache)
    if arguments.allow_learned_cases:
        # Nothing is to be known before: each case is compared when it is read to be scored.
        dataset = keeping_voxel_digests(dataset, arguments.cache) if learned is not None else dataset
    else:
        names = dataset.splits[arguments.split]
        # Kept digests are compared in no time, of which nothing is to be told.
        with ProgressLine(f"comparing {len(names)} cases with those learned from", len(names), report_end=False) as line:
            roles = roles_in_training(
                dataset, arguments.split, arguments.cache, learned, lambda done, _: line.update(done)
            )
        refuse_learned_cases(dataset, arguments.split, roles, spec.dataset, spec.fingerprint, str(arguments.run))
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
    roles = roles_in_training(dataset, arguments.split, arguments.cache, learned)
    scores = scores.assign(
        precision=arguments.precision or spec.recipe.precision, role_in_training=scores["case"].map(roles)
    )
    write_text(path, scores.to_csv(index=False))
    table = scores.pivot(index="case", columns="quantity", values="value")
    print(table.round(4).to_string())
    for quantity, values in table.items():
        print(f"mean {quantity}: {values.mean():.4f} over {values.count()} of {len(table)} cases")
    unknown = scores["case"][~scores["spacing_known"]].unique()
    if len(unknown):
        print(
            f"{len(unknown)} cases have no scores that rest on mm or ml, as their files do not tell the size of their "
            f"voxels: {', '.join(unknown)}"
        )
    print(f"written to {path}")


def _require_cache(cache: Path) -> None:
    try:
        require_writable_folder(cache)
    except UserError as error:
        raise UserError(f"{error} with --cache") from error


def _segment(arguments: argparse.Namespace) -> None:
    import numpy as np

    from ossnet.data.case import Case
    from ossnet.data.nifti import SUFFIXES, has_spacing, read_image, write_label
    from ossnet.evaluation.evaluation import segment_case
    from ossnet.inference.mesh import MESH_SUFFIXES, mesh_of, write_mesh
    from ossnet.training.run import load_run

    places = {path.resolve(): "one of the images" for path in map(Path, arguments.images)}
    for option, path in (("-o", arguments.output), ("--mesh", arguments.mesh)):
        if path and path.resolve() in places:
            raise UserError(f"{option} {path} is {places[path.resolve()]} and would be overwritten; give another name")
        if path:
            places[path.resolve()] = "the file for the mask"
    _require_name("-o", arguments.output, SUFFIXES, "the mask is written as NIfTI")
    if arguments.mesh:
        _require_name("--mesh", arguments.mesh, MESH_SUFFIXES, "the surface is written as PLY or OBJ")
    model, spec = load_run(arguments.model, _device(arguments))
    _adapt(model, arguments)
    image, affine = read_image(arguments.images)
    if len(image) != len(spec.modalities):
        raise UserError(
            f"{arguments.model} takes {len(spec.modalities)} modalities ({', '.join(spec.modalities)}); "
            f"{' '.join(map(str, arguments.images))} give {len(image)}: one file each in this order, or one 4-D file"
        )
    name, spacing_known = Path(arguments.images[0]).name, has_spacing(arguments.images[0])
    case = Case(name, image, None, affine, spec.modalities, spacing_known)
    extraction = arguments.extraction or model.extraction
    result = segment_case(model, case, spec.preprocessing, extraction, arguments.max_locations)
    mask = result.segmentation.cpu().numpy()
    # The surface first: where it cannot be written, no mask is left as half of what was asked for.
    if arguments.mesh and mask.any():
        write_mesh(arguments.mesh, *mesh_of(mask > 0, affine), unit="mm" if spacing_known else "voxels")
    write_label(arguments.output, spec.preprocessing.stored(mask), affine, like=arguments.images[0])
    voxels = np.count_nonzero(mask)
    volume = f"{voxels * case.voxel_mm3 / 1000:.1f} ml" if spacing_known else "of unknown size"
    print(
        f"{arguments.output}: {voxels} voxels, {volume}, {extraction}: "
        f"{' + '.join(map(str, result.evaluated))} locations"
    )
    if arguments.mesh and not mask.any():
        print(f"{arguments.mesh}: not written, as the segmentation is empty and has no surface")
    elif arguments.mesh and not spacing_known:
        print(f"{arguments.mesh}: in voxels rather than mm, as {name} does not tell their size")


def _require_name(option: str, path: Path, endings: Sequence[str], form: str) -> None:
    """Refuse a file's name that has none of the endings or nothing before it, or a place that cannot be written."""
    ending = next((ending for ending in endings if path.name.lower().endswith(ending)), None)
    if ending is None:
        raise UserError(f"{option} {path}: {form}; let it end in {' or '.join(endings)}")
    if len(path.name) == len(ending):
        raise UserError(f"{option} {path} is only an ending; put a name before it, such as mask{ending}")
    require_writable(path)


def _models(_: argparse.Namespace) -> None:
    from ossnet.registry import model_names, model_type

    for name in model_names():
        kind = model_type(name)
        print(f"{name:<16}{(kind.__doc__ or '').strip().splitlines()[0]}")


def _fits(arguments: argparse.Namespace) -> int:
    from ossnet.memory.fits import answer, describe, model_config, workloads

    config = model_config(arguments.model, arguments.shape, arguments.modalities, settings(arguments.set))
    execution = Execution(arguments.checkpointing, arguments.precision)
    answers = [
        answer(workload, arguments.memory)
        for workload in workloads(arguments.model, config, arguments.batch, arguments.locations, execution)
    ]
    print(f"model {arguments.model}, predicted for a GPU of {arguments.memory / 1e9:.2f} GB")
    print("\n".join(map(describe, answers)))
    return 0 if all(one.fits for one in answers) else 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit status: 0, 2 for a user's mistake (told in one line), 130 when interrupted.

    Of `fits`, 1 where the answer is no.
    """

    def command() -> int:
        arguments = make_parser(_train, _evaluate, _segment, _models, _fits).parse_args(argv)
        return arguments.command(arguments) or 0

    return run_command("ossnet", command)


if __name__ == "__main__":
    sys.exit(main())
