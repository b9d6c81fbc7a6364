"""The split of a data set that a run is scored on: by default the one that it was trained on."""

from dataclasses import replace
from pathlib import Path

from ossnet.data.case import Dataset
from ossnet.data.folds import Fold
from ossnet.data.sources import option_of_contents
from ossnet.data.splits import resplit
from ossnet.errors import UserError
from ossnet.training.recorded_split import FILE, read_split
from ossnet.training.run import RunSpec


def with_split_of_run(
    dataset: Dataset, run: Path, spec: RunSpec, chosen: Fold | Path | None, other_fold_allowed: bool
) -> Dataset:
    """Return a data set with the split that is chosen, or else with the one that a run was trained on.

    The run's split is taken for the cases that the run was trained on, also under another name of their data set, since
    that of a table or a folder is another one in a copy. Other data sets keep their own split, and a line is printed.

    Args:
        dataset: data set of the cases to score, with its own split and all of its modalities.
        run: folder of the run.
        spec: specification of the run.
        chosen: a fold or a table of splits; None for the fold or the table that the run was trained on. If the run was
            trained on the data set's own split, the split is left as it is.
        other_fold_allowed: whether another fold than that of the run may be chosen.

    Raises:
        UserError: another fold is chosen and not allowed; the data set has the name of that of the training but other
            cases or files, so that the run's split is not one of it; or it cannot be split.
    """
    same_name = dataset.name == spec.dataset
    if chosen is not None:
        other_fold = isinstance(chosen, Fold) and spec.fold not in (None, chosen) and not other_fold_allowed
        if other_fold and (same_name or _with_own_split(dataset, run, spec) is not None):
            raise UserError(
                f"{run} was trained on {_described(spec)}, so that it has learned from cases of other folds, or been "
                "chosen on them; leave out --folds and --fold to score its own fold, or add --allow-learned-cases to "
                "ossnet evaluate"
            )
        return resplit(dataset, chosen)
    if spec.fold is None and read_split(run) is None:
        return dataset
    own = _with_own_split(dataset, run, spec)
    if own is not None:
        return own
    if same_name:
        record = f", or {run / FILE} has been changed" if (run / FILE).exists() else ""
        raise UserError(
            f"data set {dataset.name} is not as it was when {run} was trained on {_described(spec)} of it (cases or "
            f"files){record}; give the {option_of_contents(dataset.name)} of that training, or choose the split of "
            "these cases by --split-file"
        )
    print(
        f"{run} was trained on {_described(spec)} of data set {spec.dataset}; data set {dataset.name} is scored by its "
        "own split"
    )
    return dataset


def _with_own_split(dataset: Dataset, run: Path, spec: RunSpec) -> Dataset | None:
    """Return a data set with the fold or the table that a run was trained on; None if its cases are not those."""
    recorded = read_split(run)
    if recorded is None:
        # Without a record, no fold is drawn of another data set, which may have too few cases for it.
        split: Fold | Path | None = spec.fold if dataset.name == spec.dataset else None
    else:
        names = {name for names in recorded.values() for name in names}
        split = run / FILE if names <= set(dataset.names) else None
    # Names of cases alone do not tell, since cases of other files or of another profile may have the same ones.
    if split is None or resplit(replace(dataset, name=spec.dataset), split).fingerprint != spec.fingerprint:
        return None
    return replace(resplit(dataset, split), fold=spec.fold)


def _described(spec: RunSpec) -> str:
    return "a table of splits" if spec.fold is None else f"fold {spec.fold.number} of {spec.fold.of}"
