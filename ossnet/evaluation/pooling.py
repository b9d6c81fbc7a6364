"""Scores of cross-validation: those of all folds together, each case scored once."""

from collections import Counter
from collections.abc import Mapping

import pandas as pd

from ossnet.data.splits import Splits
from ossnet.errors import UserError

NOT_KEYS = frozenset(
    ["case", "fold", "value", "unit", "evaluated", "tolerance_mm", "spacing_known", "role_in_training"]
)
"""Columns of scores that do not distinguish quantities. All others do, such as `quantity` and `protocol`."""


def pool_scores(scores: Mapping[int, pd.DataFrame]) -> pd.DataFrame:
    """Return the scores of all folds, with a column `fold`.

    Args:
        scores: scores as `ossnet evaluate` writes them, by the number of the fold.

    Raises:
        UserError: a model has learned from a case, or may have, a case has been scored in two folds, or the folds were
            scored in different ways, so that their means are not of the same.
    """
    ways = {fold: _ways(table) for fold, table in scores.items()}
    for fold, found in ways.items():
        first, expected = next(iter(ways.items()))
        if found != expected:
            raise UserError(
                f"folds {first} and {fold} were scored in different ways; run ossnet evaluate for all folds with the "
                "same --protocol, --regions, --extraction and --precision"
            )
    fold_of: dict[str, int] = {}
    for fold, table in scores.items():
        learned = table["case"][~table["role_in_training"].isin(["unseen", "validation"])].unique()
        if len(learned):
            raise UserError(
                f"the model of fold {fold} has learned from case {learned[0]}, or may have; score it on its own fold, "
                "with the --folds and --fold of its training"
            )
        for case in table["case"].unique():
            if fold_of.setdefault(case, fold) != fold:
                raise UserError(
                    f"case {case} is scored in folds {fold_of[case]} and {fold}; score each model on its own fold, "
                    "with the --folds and --fold of its training"
                )
    return pd.concat([table.assign(fold=fold) for fold, table in sorted(scores.items())], ignore_index=True)


def require_cases_of_folds(scores: Mapping[int, pd.DataFrame], splits: Mapping[int, Splits], split: str) -> None:
    """Raise a UserError if the scores are not of all folds of one division, each of the cases of its own split.

    Args:
        scores: scores as `ossnet evaluate` writes them, by the number of the fold.
        splits: splits that the model of each fold was trained with, see `ossnet.data.folds.fold_splits`.
        split: split that is scored.

    Raises:
        UserError: the test cases of the folds are not all of their cases, each once, so that they were drawn from other
            cases; or a case of a fold's split is not scored, or another one is.
    """
    of_folds = Counter(name for of_fold in splits.values() for name in of_fold["test"])
    for fold, of_fold in splits.items():
        names = Counter(name for part in of_fold.values() for name in part)
        if names != of_folds:
            name = min((names - of_folds) + (of_folds - names))
            raise UserError(
                f"the folds were not drawn from the same cases, as case {name} shows, which fold {fold} has in another "
                "place; train the models of all folds on the same data set"
            )
        scored, own = set(scores[fold]["case"]), set(of_fold[split])
        if scored != own:
            name = min(scored ^ own)
            what = "is scored, but is not a case" if name in scored else "is not scored, but is a case"
            raise UserError(
                f"case {name} {what} of split {split} of fold {fold}; run ossnet evaluate again for the model of that "
                "fold, without --folds and --split-file"
            )


def pooled_table(pooled: pd.DataFrame) -> pd.DataFrame:
    """Summarise the scores of all folds: the spread over cases, and that over folds.

    Args:
        pooled: scores of `pool_scores`.

    Returns:
        A row per quantity, with the mean of each fold (`fold 0` and so on), the mean over all cases with their standard
        deviation and number, and the mean over the folds' means with their standard deviation. Both deviations are of a
        sample (n - 1). Undefined values are left out.
    """
    keys = score_keys(pooled)
    grouped = pooled.groupby(keys, sort=False, dropna=False)["value"]
    parts = {
        f"fold {fold}": part.groupby(keys, sort=False, dropna=False)["value"].mean()
        for fold, part in pooled.groupby("fold")
    }
    by_fold = pd.DataFrame(parts).reindex(index=grouped.mean().index)
    return by_fold.assign(
        mean_over_cases=grouped.mean(),
        sd_over_cases=grouped.std(),
        cases=grouped.count(),
        mean_over_folds=by_fold.mean(axis=1),
        sd_over_folds=by_fold.std(axis=1),
    )


def _ways(scores: pd.DataFrame) -> set[tuple[str, ...]]:
    """Return the values that columns which distinguish quantities have together, as text."""
    keys = sorted(set(scores.columns) - NOT_KEYS)
    return {tuple(keys), *scores[keys].astype(str).itertuples(index=False, name=None)}


def score_keys(scores: pd.DataFrame) -> list[str]:
    """Return the columns of scores that distinguish their quantities and have several values, and the quantity."""
    keys = [column for column in scores.columns if column not in NOT_KEYS]
    return [column for column in keys if column == "quantity" or scores[column].nunique(dropna=False) > 1]
