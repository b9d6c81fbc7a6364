"""Folds of cross-validation: every case is held out once, and scored by a model that has not learned from it."""

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from ossnet.checks import STRICT
from ossnet.errors import UserError

VALIDATION_SHARE = 0.1
"""Share of the patients that are not held out, on which the best epoch of a training is chosen."""


@dataclass(frozen=True, config=STRICT)
class Fold:
    """One of the folds of a data set.

    Attributes:
        number: number of the fold, from 0.
        of: number of folds.
    """

    number: int = Field(ge=0)
    of: int = Field(ge=2)

    @model_validator(mode="after")
    def _is_one_of_them(self) -> Self:
        if self.number >= self.of:
            raise ValueError(f"fold {self.number} is not one of {self.of} folds, which are 0 to {self.of - 1}")
        return self


def patients_at_random(names: Sequence[str], patients: Mapping[str, str], seed: int) -> list[list[str]]:
    """Return the cases of each patient, with the patients in random order.

    Args:
        names: names of the cases.
        patients: patient of a case by its name; a case that is missing here is a patient of its own.
        seed: seed of the order, which depends on nothing else but the names.
    """
    cases: dict[str, list[str]] = {}
    for name in sorted(names):
        cases.setdefault(patients.get(name, name), []).append(name)
    groups = list(cases.values())
    return [groups[index] for index in np.random.default_rng(seed).permutation(len(groups))]


def fold_splits(names: Sequence[str], patients: Mapping[str, str], fold: Fold) -> dict[str, tuple[str, ...]]:
    """Split cases for one fold.

    The patients are drawn with seed 0 and dealt out to the folds. The cases of fold `number` are the split `test`. The
    first tenth of the patients of the folds after it are the split `validation`, so that no case is scored by an epoch
    that was chosen on it. The rest is the split `train`. All cases of a patient are in the same split.

    Args:
        names: names of all cases.
        patients: patient of a case by its name; a case that is missing here is a patient of its own.
        fold: the fold.

    Raises:
        UserError: there are fewer patients than folds, or too few to train on.
    """
    drawn = patients_at_random(names, patients, 0)
    if len(drawn) < max(fold.of, 3):
        raise UserError(f"--folds {fold.of} are too many for {len(drawn)} patients; lower it or add cases (at least 3)")
    held_out, *others = [drawn[(fold.number + step) % fold.of :: fold.of] for step in range(fold.of)]
    rest = [group for part in others for group in part]
    count = max(1, round(VALIDATION_SHARE * len(rest)))
    parts = {"train": rest[count:], "validation": rest[:count], "test": held_out}
    return {split: tuple(name for group in groups for name in group) for split, groups in parts.items()}
