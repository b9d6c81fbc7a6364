"""The split of a data set that a run is scored on: by default the one that it was trained on."""

from dataclasses import replace
from pathlib import Path

from ossnet.data.case import Dataset
from ossnet.data.folds import Fold
from ossnet.data.splits import resplit
from ossnet.errors import UserError
from ossnet.training.recorded_split import FILE, read_split
from ossnet.training.run import RunSpec


def with_split_of_run(
    dataset: Dataset, run: Path, spec: RunSpec, chosen: Fold | Path | None, other_fold_allowed: bool
) -> Dataset:
    """Return a data set with the split that is chosen, or else with the one that a run was trained on.

    Args:
        dataset: data set of the cases to score, with its own split and all of its modalities.
        run: folder of the run.
        spec: specification of the run.
        chosen: a fold or a table of splits; None for the fold or the table that the run was trained on. A run that was
            trained on another data set, or on the data set's own split, leaves the split as it is.
        other_fold_allowed: whether another fold than that of the run may be chosen.

    Raises:
        UserError: another fold is chosen and not allowed; the data set is not as it was in the training, so that the
            run's split is not one of it; or it cannot be split.
    """
    same = dataset.name == spec.dataset
    if isinstance(chosen, Fold) and same and spec.fold not in (None, chosen) and not other_fold_allowed:
        raise UserError(
            f"{run} was trained on {_described(spec)}, so that it has learned from cases of fold {chosen.number} of "
            f"{chosen.of}, or been chosen on them; leave out --folds and --fold to score its own fold, or add "
            "--allow-learned-cases to ossnet evaluate"
        )
    if chosen is not None:
        return resplit(dataset, chosen)
    recorded = read_split(run)
    split = spec.fold if recorded is None else run / FILE
    if not same or split is None:
        return dataset
    if recorded is None or {name for names in recorded.values() for name in names} <= set(dataset.names):
        own = resplit(dataset, split)
        # Names alone do not tell, since cases of other files or of another profile may have the same ones.
        if own.fingerprint == spec.fingerprint:
            return replace(own, fold=spec.fold)
    raise UserError(
        f"data set {dataset.name} is not as it was when {run} was trained on {_described(spec)} of it (cases or "
        "files); give the --data and --profile of that training, or choose the split of these cases by --split-file"
    )


def _described(spec: RunSpec) -> str:
    return "a table of splits" if spec.fold is None else f"fold {spec.fold.number} of {spec.fold.of}"
