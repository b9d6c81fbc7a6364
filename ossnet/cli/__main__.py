"""The commands of `ossnet`: train, evaluate, segment, models and fits."""

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
from ossnet.training.distributed import Processes, is_first_failure, is_launched, joined, local_rank

RUNS = Path("results/runs")
"""Folder of the runs of `train` without --out."""


def _device(arguments: argparse.Namespace) -> torch.device:
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    name = arguments.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if is_launched() and name.startswith("cuda"):
        return _device_of_process(name)
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UserError(f"--device {name} is not a device; give cpu, cuda or cuda:N") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(
            f"--device {name} does not exist, since torch finds {torch.cuda.device_count()} GPUs; give another or cpu"
        )
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"--device {name} is not supported; give cpu, cuda or cuda:N")
    return device


def _device_of_process(name: str) -> torch.device:
    """Return the GPU of this process, one of several on this machine."""
    if name != "cuda":
        raise UserError(f"--device {name} is one GPU for several processes; give cuda or omit it under torchrun")
    if local_rank() >= torch.cuda.device_count():
        raise UserError(
            f"torchrun has started more processes than the {torch.cuda.device_count()} GPUs that torch finds; lower "
            "--nproc-per-node or add --device cpu"
        )
    return torch.device("cuda", local_rank())


def _adapt(model: SegmentationModel, arguments: argparse.Namespace) -> None:
    """Set the precision and the number of slices per pass of a model where they are given."""
    if arguments.precision:
        set_execution(model, Execution(precision=arguments.precision))
    if arguments.max_slices:
        if model.slice_axis is None:
            raise UserError("--max-slices applies only to models that process volumes slice by slice; omit it")
        config: Any = model.config
        model.config = replace(config, max_slices=arguments.max_slices)


def _train(arguments: argparse.Namespace) -> None:
    device = _device(arguments)
    with joined(device) as processes:
        _train_in(processes, device, arguments)


def _train_in(processes: Processes, device: torch.device, arguments: argparse.Namespace) -> None:
    from ossnet.progress import ProgressLine
    from ossnet.training.loop import best_epoch
    from ossnet.training.profile import load_profile
    from ossnet.training.run import train_run

    require_writable_folder(arguments.out or RUNS)
    profile = load_profile(arguments.profile)
    source = arguments.data, profile.generator(arguments.data), arguments.cache
    with processes.first_alone():
        dataset = open_with_progress(*source) if processes.is_first else open_dataset(*source, workers=0)
    spec = profile.spec(arguments.model, dataset, arguments.seed, settings(arguments.set))
    folder = arguments.out or RUNS / f"{dataset.name}-{arguments.model}-seed{arguments.seed}"
    if not processes.is_first:
        train_run(spec, dataset, folder, arguments.cache, device, lambda *_: None, processes=processes)
        return
    with ProgressLine(f"training {arguments.model} on {dataset.name}", spec.recipe.epochs) as line:
        history = train_run(
            spec,
            dataset,
            folder,
            arguments.cache,
            device,
            lambda report, left: line.update(report.epoch + 1, f"loss {report.loss:.4f}", left),
            lambda done, total: line.update(0, f"case {done} of {total} prepared"),
            processes,
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
    from ossnet.training.seen_cases import read_seen_cases, refuse_learned_cases, roles_in_training

    path = arguments.out or arguments.run / f"scores-{arguments.split}.csv"
    model, spec = load_run(arguments.run, _device(arguments))
    require_writable(path)
    _adapt(model, arguments)
    generator = load_profile(arguments.profile).generator(arguments.data)
    # No workers, since only the cases that are scored need to be made.
    dataset = open_dataset(arguments.data, generator, arguments.cache, workers=0)
    require_modalities(dataset.name, dataset.modalities, spec.modalities)
    learned = read_seen_cases(arguments.run)
    if learned is not None:
        _require_cache(arguments.cache)
    if arguments.allow_learned_cases:
        # Cases are compared when they are read to be scored, since nothing depends on it before.
        dataset = keeping_voxel_digests(dataset, arguments.cache) if learned is not None else dataset
    else:
        names = dataset.splits[arguments.split]
        # No line at the end, since comparing digests that are kept takes no time.
        with ProgressLine(
            f"comparing {len(names)} cases with the training cases", len(names), report_end=False
        ) as line:
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
            f"{len(unknown)} cases have no scores in mm or ml, since their files do not state the size of voxels: "
            f"{', '.join(unknown)}"
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
    from ossnet.evaluation.evaluation import extractor, field_of_case
    from ossnet.inference.audit import extract_and_audit
    from ossnet.inference.mesh import MESH_SUFFIXES, mesh_of, write_mesh
    from ossnet.training.run import load_run

    places = {path.resolve(): "one of the images" for path in map(Path, arguments.images)}
    for option, path in (("-o", arguments.output), ("--mesh", arguments.mesh)):
        if path and path.resolve() in places:
            raise UserError(f"{option} {path} would overwrite {places[path.resolve()]}; give another name")
        if path:
            places[path.resolve()] = "the file for the mask"
    _require_name("-o", arguments.output, SUFFIXES, "NIfTI")
    if arguments.mesh:
        _require_name("--mesh", arguments.mesh, MESH_SUFFIXES, "PLY or OBJ")
    model, spec = load_run(arguments.model, _device(arguments))
    _adapt(model, arguments)
    image, affine = read_image(arguments.images)
    if len(image) != len(spec.modalities):
        raise UserError(
            f"{arguments.model} takes {len(spec.modalities)} modalities ({', '.join(spec.modalities)}), but "
            f"{' '.join(map(str, arguments.images))} contain {len(image)}; give one file per modality in this order, "
            "or one 4-D file"
        )
    name, spacing_known = Path(arguments.images[0]).name, has_spacing(arguments.images[0])
    case = Case(name, image, None, affine, spec.modalities, spacing_known)
    extraction = arguments.extraction or model.extraction
    extract = extractor(extraction)
    field, grid = field_of_case(model, case, spec.preprocessing)
    audit = None
    if arguments.audit is None:
        result = extract(field, grid, arguments.max_locations)
    else:
        generator = torch.Generator().manual_seed(arguments.audit_seed)
        result, audit = extract_and_audit(extract, field, grid, arguments.max_locations, arguments.audit, generator)
    mask = result.segmentation.cpu().numpy()
    # The surface is written first, so that no mask is left behind if that fails.
    if arguments.mesh and mask.any():
        write_mesh(arguments.mesh, *mesh_of(mask > 0, affine), unit="mm" if spacing_known else "voxels")
    write_label(arguments.output, spec.preprocessing.stored(mask), affine, like=arguments.images[0])
    voxels = np.count_nonzero(mask)
    volume = f"{voxels * case.voxel_mm3 / 1000:.1f} ml" if spacing_known else "of unknown size"
    print(
        f"{arguments.output}: {voxels} voxels, {volume}, {extraction}: "
        f"{' + '.join(map(str, result.evaluated))} locations"
    )
    if audit is not None:
        print(
            f"audit: of {audit.sampled} voxels, drawn from {audit.skipped} skipped ones, {audit.differing} differ from "
            f"dense; at most {audit.bound:.2g} of all voxels do (95 % bound)"
        )
    if arguments.mesh and not mask.any():
        print(f"{arguments.mesh}: not written, since the segmentation is empty")
    elif arguments.mesh and not spacing_known:
        print(f"{arguments.mesh}: in voxels instead of mm, since {name} does not state their size")


def _require_name(option: str, path: Path, endings: Sequence[str], file_format: str) -> None:
    """Raise if a file name has none of the endings or nothing before it, or if it cannot be written."""
    ending = next((ending for ending in endings if path.name.lower().endswith(ending)), None)
    if ending is None:
        raise UserError(f"{option} {path} is not a name of a {file_format} file; end it in {' or '.join(endings)}")
    if len(path.name) == len(ending):
        raise UserError(f"{option} {path} is only a suffix; add a name, such as mask{ending}")
    require_writable(path)


def _models(_: argparse.Namespace) -> None:
    from ossnet.registry import model_names, model_type

    for name in model_names():
        kind = model_type(name)
        print(f"{name:<16}{(kind.__doc__ or '').strip().splitlines()[0]}")


def _fits(arguments: argparse.Namespace) -> int:
    from ossnet.memory.fits import answer, describe, model_config, workloads

    config = model_config(arguments.model, arguments.shape, arguments.modalities, settings(arguments.set))
    execution = Execution.of(arguments.training_memory, arguments.precision)
    answers = [
        answer(workload, arguments.memory)
        for workload in workloads(arguments.model, config, arguments.batch, arguments.locations, execution)
    ]
    print(f"model {arguments.model}, predicted for a GPU of {arguments.memory / 1e9:.2f} GB")
    print("\n".join(map(describe, answers)))
    return 0 if all(each.fits for each in answers) else 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return the exit status.

    It is 0 for success, 1 where `fits` finds that something does not fit, 2 for an error that the user can correct,
    which is printed in one line, and 130 when interrupted.
    """

    def command() -> int:
        arguments = make_parser(_train, _evaluate, _segment, _models, _fits).parse_args(argv)
        if is_launched() and arguments.command is not _train:
            raise UserError("torchrun is for ossnet train; run the other commands without it")
        return arguments.command(arguments) or 0

    return run_command("ossnet", command, prints=is_first_failure)


if __name__ == "__main__":
    sys.exit(main())
