"""Refusal of cases that a model has learned from, and the role of each case in its training."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ossnet.data.case import Case, Dataset
from ossnet.data.voxels import keeping_voxel_digests
from ossnet.errors import UserError
from ossnet.files import require_writable_folder
from ossnet.progress import ProgressLine
from ossnet.training.released_run import refuse_cases_of_released_training, roles_in_released_training
from ossnet.training.run import RunSpec
from ossnet.training.seen_cases import refuse_learned_cases, roles_in_training, seen_cases_of

ROLES = ("train", "unknown", "validation", "unseen")
"""Roles of a case in a training. Of the roles in a training and in the one before it, the first here counts."""


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
    learned = seen_cases_of(run, spec)
    if learned is None and spec.start is not None and not allowed:
        raise UserError(
            f"{run} has no record of the cases that it has learned from, since the run that it started from has none; "
            "add --allow-learned-cases to ossnet evaluate"
        )
    with_digests = learned is not None and spec.imported is None
    if with_digests:
        _require_cache(cache)
    dataset, shape_of = _remembering_shapes(dataset)
    names = dataset.splits[split]
    released = None if learned is None else learned.released

    def roles_before() -> dict[str, str]:
        return {} if released is None else roles_in_released_training(names, released, shape_of)

    def roles_of() -> dict[str, str]:
        before = roles_before()
        own = roles_in_training(dataset, split, cache, learned)
        return {name: min(role, before.get(name, "unseen"), key=ROLES.index) for name, role in own.items()}

    if allowed:
        # Cases are compared when they are read to be scored, since nothing depends on it before.
        return (keeping_voxel_digests(dataset, cache) if with_digests else dataset), roles_of
    # No line at the end, since comparing digests that are kept takes no time.
    with ProgressLine(f"comparing {len(names)} cases with the training cases", len(names), report_end=False) as line:
        own = roles_in_training(dataset, split, cache, learned, lambda done, _: line.update(done))
        before = roles_before()
    if released is not None:
        refuse_cases_of_released_training(dataset, split, before, released, str(run))
    refuse_learned_cases(dataset, split, own, spec.dataset, spec.fingerprint, str(run))
    return dataset, roles_of


def _remembering_shapes(dataset: Dataset) -> tuple[Dataset, Callable[[str], tuple[int, ...]]]:
    """Return the data set, changed to remember the grids of cases that it loads, and a function that returns them."""
    shapes: dict[str, tuple[int, ...]] = {}

    def load(name: str) -> Case:
        case = dataset.load(name)
        shapes[name] = case.shape
        return case

    return replace(dataset, load=load), lambda name: shapes.get(name) or load(name).shape


def _require_cache(cache: Path) -> None:
    try:
        require_writable_folder(cache)
    except UserError as error:
        raise UserError(f"{error} with --cache") from error
