"""Refusal of cases that a model has learned from, and the role of each case in its training."""

from collections.abc import Callable
from pathlib import Path

from ossnet.data.case import Dataset
from ossnet.data.voxels import keeping_voxel_digests
from ossnet.errors import UserError
from ossnet.files import require_writable_folder
from ossnet.progress import ProgressLine
from ossnet.training.released_run import refuse_cases_of_released_training, roles_in_released_training
from ossnet.training.run import RunSpec
from ossnet.training.seen_cases import read_seen_cases, refuse_learned_cases, roles_in_training


def roles_in_evaluation(
    run: Path, spec: RunSpec, dataset: Dataset, split: str, cache: Path, allowed: bool
) -> tuple[Dataset, Callable[[], dict[str, str]]]:
    """Refuse cases that a model has learned from, unless they are allowed.

    Args:
        run: folder of the run.
        spec: specification of the run.
        dataset: data set of the cases to score.
        split: split of the cases to score.
        cache: folder in which digests of cases are kept.
        allowed: whether cases may be ones that the model has learned from.

    Returns:
        The data set to score from, and a function that returns the role of each case in the training after the cases
        have been scored.

    Raises:
        UserError: a case is refused, or the record of the training or the cache cannot be used.
    """
    if spec.imported is not None:
        roles = roles_in_released_training(dataset, split)
        if not allowed:
            refuse_cases_of_released_training(dataset, split, roles, str(run))
        return dataset, lambda: roles
    learned = read_seen_cases(run)
    if learned is None and spec.start is not None and not allowed:
        raise UserError(
            f"{run} has no record of the cases that it has learned from, since the run that it started from has none; "
            "add --allow-learned-cases to ossnet evaluate"
        )
    if learned is not None:
        _require_cache(cache)
    if allowed:
        # Cases are compared when they are read to be scored, since nothing depends on it before.
        dataset = keeping_voxel_digests(dataset, cache) if learned is not None else dataset
    else:
        names = dataset.splits[split]
        # No line at the end, since comparing digests that are kept takes no time.
        with ProgressLine(
            f"comparing {len(names)} cases with the training cases", len(names), report_end=False
        ) as line:
            roles = roles_in_training(dataset, split, cache, learned, lambda done, _: line.update(done))
        refuse_learned_cases(dataset, split, roles, spec.dataset, spec.fingerprint, str(run))
    return dataset, lambda: roles_in_training(dataset, split, cache, learned)


def _require_cache(cache: Path) -> None:
    try:
        require_writable_folder(cache)
    except UserError as error:
        raise UserError(f"{error} with --cache") from error
