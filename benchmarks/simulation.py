"""How often intervals hold the truth, in simulated studies whose truth is known.

Each study compares seven models of equal mean from a few seeds on 16 cases, as a table does: six differences from the
first model, and a claim of all six. Studies differ in what the scores vary by. Beside the intervals of
`benchmarks.intervals` stand those that the suite had before: percentiles of a bootstrap over seeds and cases, of one
comparison at a time (Owen, The pigeonhole bootstrap, 2007).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.intervals import components, estimate, pool
from benchmarks.markup import Cell, Grid, markdown
from ossnet.files import write_text

MODELS, CASES, SEEDS = 7, 16, (3, 5, 10)

STUDIES = 4_000
"""Studies of each kind: a coverage of 95 % is then known to 0.7 percentage points."""

RESAMPLES = 1_000
SEED = 0

MARGIN = 0.001
"""By which a claim is true or false, in Dice."""

COLUMNS = ["scores", "seeds", "intervals", "mean", "difference", "joint", "rejected", "accepted", "detectable"]

Draw = Callable[[np.random.Generator, int, int], np.ndarray]
"""Scores [studies, MODELS, seeds, CASES] of models of equal mean, less that mean."""

Ends = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Spreads:
    """Scores with normal effects of these standard deviations.

    Attributes:
        unsteady: the factor by which the first model's seeds vary more.
    """

    seed: float
    case: float
    interaction: float
    residual: float
    unsteady: float = 1.0

    def __call__(self, generator: np.random.Generator, studies: int, seeds: int) -> np.ndarray:
        of_seeds = generator.normal(size=(studies, MODELS, seeds, 1)) * self.seed
        of_seeds[:, 0] *= self.unsteady
        return (
            of_seeds
            + generator.normal(size=(studies, 1, 1, CASES)) * self.case
            + generator.normal(size=(studies, MODELS, 1, CASES)) * self.interaction
            + generator.normal(size=(studies, MODELS, seeds, CASES)) * self.residual
        )


def dice_like(generator: np.random.Generator, studies: int, seeds: int) -> np.ndarray:
    """Scores between 0 and 1 with a mean of 0.8 and a tail of hard cases, as those of the embedded gliomas."""
    difficulty = generator.gamma(1.5, size=(studies, 1, 1, CASES))
    latent = Spreads(seed=0.15, case=0.0, interaction=0.3, residual=0.15)(generator, studies, seeds)
    return 1 / (1 + np.exp(0.55 * difficulty - 2.4 - latent)) - DICE_LIKE_MEAN


DICE_LIKE_MEAN = 0.0

KINDS: dict[str, Draw] = {
    "seeds dominate": Spreads(0.03, 0.02, 0.02, 0.01),
    "seeds and cases": Spreads(0.02, 0.04, 0.04, 0.02),
    "cases dominate": Spreads(0.005, 0.08, 0.05, 0.02),
    "bounded and skewed": dice_like,
    "first model unsteady": Spreads(0.015, 0.04, 0.03, 0.02, unsteady=4),
}


def after(scores: np.ndarray) -> tuple[Ends, Ends, Ends]:
    """The intervals of all means [n, MODELS], of the differences from the first model [n, MODELS - 1], each and joint."""
    models = [components(scores[:, model]) for model in range(MODELS)]
    pooled = pool(models)
    means = [estimate([model], pooled=pooled).ends() for model in models]
    differences = [estimate([models[0], other], (1, -1), pooled) for other in models[1:]]
    each = [difference.ends() for difference in differences]
    joint = [difference.ends(comparisons=len(differences)) for difference in differences]
    return _stacked(means), _stacked(each), _stacked(joint)


def before(scores: np.ndarray, generator: np.random.Generator) -> tuple[Ends, Ends, Ends]:
    """The same by the percentile bootstrap, whose intervals are the same for one comparison as for several."""
    means, differences = [], []
    of_cases = _resampled(generator, CASES)
    of_seeds = [_resampled(generator, scores.shape[2]) for _ in range(MODELS)]
    for study in scores:
        by_seed = np.einsum("bc,msc->bms", of_cases, study, optimize=True)
        resampled = np.stack([(by_seed[:, model] * of_seeds[model]).sum(axis=-1) for model in range(MODELS)], axis=-1)
        means.append(np.quantile(resampled, [0.025, 0.975], axis=0))
        differences.append(np.quantile(resampled[:, :1] - resampled[:, 1:], [0.025, 0.975], axis=0))
    each = np.stack(differences)
    return _split(np.stack(means)), _split(each), _split(each)


def simulate(studies: int = STUDIES, kinds: dict[str, Draw] = KINDS) -> pd.DataFrame:
    return pd.DataFrame(_rows(studies, kinds), columns=COLUMNS)
