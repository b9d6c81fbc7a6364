"""The command `ossnet pool`."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ossnet.cli.options import Commands
from ossnet.errors import UserError
from ossnet.files import require_writable, write_text

if TYPE_CHECKING:
    import pandas as pd

    from ossnet.data.splits import Splits
    from ossnet.training.run import RunSpec


def add(commands: Commands) -> None:
    """Add the command."""
    pooling = commands.add_parser(
        "pool",
        help="pool the scores of the folds of a cross-validation",
        description="Pool the scores that `ossnet evaluate` has written for the models of all folds, each of which was "
        "trained with the same --folds and its own --fold, and scored on the cases of its fold. Print the mean of each "
        "fold, and mean and standard deviation over all cases and over the folds. Cases are compared by their names, "
        "and those that several models were trained on by their images, too; with two folds there are none.",
    )
    pooling.add_argument(
        "runs", nargs="+", type=Path, metavar="RUN", help="folders of the trained models, one per fold"
    )
    pooling.add_argument(
        "--split", default="test", choices=("train", "validation", "test"), help="split of the scores (default: test)"
    )
    pooling.add_argument("--out", type=Path, metavar="CSV", help="file for the scores of all folds (default: none)")
    pooling.set_defaults(command=_pool)


def _pool(arguments: argparse.Namespace) -> None:
    from ossnet.evaluation.pooling import pool_scores, pooled_table, require_cases_of_folds

    if arguments.out:
        require_writable(arguments.out)
    runs = _by_fold(arguments.runs)
    splits = {fold: _read_split(run) for fold, run in runs.items()}
    scores = {fold: _read_scores(run, arguments.split) for fold, run in runs.items()}
    require_cases_of_folds(scores, splits, arguments.split)
    _require_same_images(runs)
    pooled = pool_scores(scores)
    if arguments.out:
        write_text(arguments.out, pooled.to_csv(index=False))
    print(pooled_table(pooled).round(4).to_string())
    if arguments.out:
        print(f"written to {arguments.out}")


def _by_fold(runs: list[Path]) -> dict[int, Path]:
    """Return the runs by their fold.

    Raises:
        UserError: a run is not of a fold, runs differ in more than their fold, or a fold is missing or twice.
    """
    from ossnet.training.run import read_spec

    first = read_spec(runs[0])
    if first.fold is None:
        raise UserError(f"{runs[0]} was not trained on a fold; train with --folds and --fold")
    found: dict[int, Path] = {}
    for run in runs:
        spec = read_spec(run)
        if spec.fold is None or _but_for_the_fold(spec, spec.fold.of) != _but_for_the_fold(first, first.fold.of):
            raise UserError(f"{run} and {runs[0]} are not folds of one training; give runs that differ in --fold alone")
        if spec.fold.number in found:
            raise UserError(f"{run} and {found[spec.fold.number]} are of the same fold; give one of them")
        found[spec.fold.number] = run
    missing = sorted(set(range(first.fold.of)) - found.keys())
    if missing:
        raise UserError(
            f"fold {missing[0]} of {first.fold.of} is missing; train it with --fold {missing[0]} and give its folder"
        )
    return found


def _but_for_the_fold(spec: "RunSpec", of: int) -> tuple[object, ...]:
    """Return what the specifications of all folds have in common."""
    from dataclasses import replace

    # The fingerprint covers the splits, which differ between folds.
    return replace(spec, fingerprint="", fold=None), of


def _read_split(run: Path) -> "Splits":
    from ossnet.training.recorded_split import FILE, read_split

    split = read_split(run)
    if split is None:
        raise UserError(
            f"{run} has no record of the cases of its fold ({FILE}); run its ossnet train command again, which writes "
            "it and trains nothing anew"
        )
    return split


def _require_same_images(runs: Mapping[int, Path]) -> None:
    """Raise a UserError if two models have seen different images under the name of one case.

    Runs record the images of their training and validation cases, but not those of their folds' own cases. Two folds
    have therefore nothing to compare.
    """
    from ossnet.training.seen_cases import read_seen_cases

    first_seen: dict[str, tuple[int, str]] = {}
    for fold, run in runs.items():
        seen = read_seen_cases(run)
        if seen is None:
            continue
        for case, image in (*seen.train.items(), *seen.validation.items()):
            other, expected = first_seen.setdefault(case, (fold, image))
            if image != expected:
                raise UserError(
                    f"the models of folds {other} and {fold} have seen different images under the name of case {case}; "
                    "train the models of all folds on the same data set"
                )


def _read_scores(run: Path, split: str) -> "pd.DataFrame":
    import pandas as pd

    path = run / f"scores-{split}.csv"
    try:
        # As text, since a case may be called 001 or NA.
        scores = pd.read_csv(path, converters={"case": str})
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist; run ossnet evaluate {run} first") from error
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path} ({' '.join(str(error).split())}); run ossnet evaluate again") from error
    if not {"case", "quantity", "value", "role_in_training"} <= set(scores.columns):
        raise UserError(f"{path} does not hold scores of ossnet evaluate; run ossnet evaluate {run} again")
    return scores
