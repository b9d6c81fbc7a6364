"""The command `ossnet train`."""

import argparse
from pathlib import Path

import torch

from ossnet.cli.device import device_of
from ossnet.cli.options import (
    Commands,
    chosen_split,
    data_options,
    machine_options,
    modalities_option,
    set_option,
    settings,
)
from ossnet.data.modalities import with_modalities
from ossnet.data.sources import open_dataset, open_with_progress
from ossnet.files import require_writable_folder
from ossnet.training.distributed import Processes, joined

RUNS = Path("results/runs")
"""Folder of the runs without --out."""


def add(commands: Commands) -> None:
    """Add the command."""
    training = commands.add_parser(
        "train",
        parents=[data_options(), modalities_option(), machine_options(), set_option()],
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
    training.add_argument(
        "--start",
        type=Path,
        metavar="RUN",
        help="folder of a trained run of the same network, whose weights to start from",
    )
    training.add_argument(
        "--out", type=Path, help="folder of the run (default: results/runs/DATA-MODEL-seedN, or with -foldIofK)"
    )
    training.set_defaults(command=_train, in_processes=True)


def _train(arguments: argparse.Namespace) -> None:
    device = device_of(arguments)
    with joined(device) as processes:
        _train_in(processes, device, arguments)


def _train_in(processes: Processes, device: torch.device, arguments: argparse.Namespace) -> None:
    from ossnet.progress import ProgressLine
    from ossnet.training.compared_labels import not_compared_with_start
    from ossnet.training.given_settings import refuse_replaced
    from ossnet.training.loop import best_epoch
    from ossnet.training.profile import load_profile
    from ossnet.training.run import started_from, train_run

    require_writable_folder(arguments.out or RUNS)
    profile = load_profile(arguments.profile)
    source, split = (arguments.data, profile.generator(arguments.data), arguments.cache), chosen_split(arguments)
    with processes.first_alone():
        if processes.is_first:
            dataset = open_with_progress(*source, split)
        else:
            dataset = open_dataset(*source, workers=0, split=split)
    dataset = with_modalities(dataset, arguments.modalities or dataset.modalities)
    changes = settings(arguments.set)
    spec = profile.spec(arguments.model, dataset, arguments.seed, changes)
    refuse_replaced(changes, spec)
    start = arguments.start
    spec = spec if start is None else started_from(spec, start)
    fold = "" if dataset.fold is None else f"-fold{dataset.fold.number}of{dataset.fold.of}"
    folder = arguments.out or RUNS / f"{dataset.name}-{arguments.model}-seed{arguments.seed}{fold}"
    if not processes.is_first:
        train_run(spec, dataset, folder, arguments.cache, device, lambda *_: None, processes=processes, start=start)
        return
    if start is not None and (note := not_compared_with_start(spec, dataset, start)):
        print(note)
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
            start,
        )
    best = best_epoch(history)
    protocol = spec.recipe.validation.protocol
    chosen = (
        f"best epoch {best.epoch + 1}: Dice {best.dice:.4f} ({protocol} protocol)" if best else "no validation cases"
    )
    waiting = sum(past.waiting_s for past in history) / sum(past.seconds for past in history)
    print(f"{folder}: {chosen}; {waiting:.1%} of the time went into waiting for cases")
