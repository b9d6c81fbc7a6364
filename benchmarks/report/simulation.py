"""Coverage of intervals and error rates of verdicts in simulated studies whose truth is known.

Each study compares seven models of equal mean from a few seeds on 16 cases, as a table does: six differences from the
first model, and a claim of all six. The models are seven trainings, or one training that is scored in seven ways, whose
seeds are paired. For comparison, the table has the intervals that the suite used before those of
`benchmarks.report.intervals`: percentiles of a bootstrap over seeds and cases, regardless of the number of comparisons.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks.markup import Cell, Table, latex, markdown
from benchmarks.report.intervals import CONFIDENCE, POWER, components, estimate, pool, weigh
from benchmarks.report.table_notes import join_notes
from ossnet.files import write_text

MODELS, CASES, SEEDS = 7, 16, (2, 3, 5, 10)

CHUNK = 500
"""Number of studies whose bootstrap is drawn at a time, to bound the memory."""

TRUTH_STUDIES = 10_000
"""Number of studies of one seed whose mean is taken as the true mean."""

RESAMPLES = 500

METHODS = ("before", "after")
"""The bootstrap that the suite used before, and the intervals that it has."""

MARGIN = 0.001
"""Margin by which a claim is true or false."""

BOUNDS = (0.93, 0.97)
"""Bounds within which the coverage of intervals of 95 % should be."""

Draw = Callable[[np.random.Generator, int, int], np.ndarray]
"""Draws scores [studies, models, seeds, cases] of models of equal mean, given the numbers of studies and seeds."""


@dataclass(frozen=True)
class Spreads:
    """Scores around 0 that are sums of normally distributed effects.

    Attributes:
        seed: the standard deviation over the seeds of a model.
        case: the standard deviation over cases, the same for all models.
        interaction: the standard deviation over cases of a model.
        residual: the standard deviation over single scores.
        unsteady: the factor by which the first model's seeds vary more.
        shared_seed: the standard deviation over seeds that all models share, as scorings of one training do.
    """

    seed: float
    case: float
    interaction: float
    residual: float
    unsteady: float = 1.0
    shared_seed: float = 0.0

    def __call__(self, generator: np.random.Generator, studies: int, seeds: int) -> np.ndarray:
        """Draw scores [studies, models, seeds, cases]."""
        of_seeds = self.seed * generator.normal(size=(studies, MODELS, seeds, 1))
        of_seeds[:, 0] *= self.unsteady
        return (
            of_seeds
            + self.shared_seed * generator.normal(size=(studies, 1, seeds, 1))
            + self.case * generator.normal(size=(studies, 1, 1, CASES))
            + self.interaction * generator.normal(size=(studies, MODELS, 1, CASES))
            + self.residual * generator.normal(size=(studies, MODELS, seeds, CASES))
        )


def dice_like(generator: np.random.Generator, studies: int, seeds: int) -> np.ndarray:
    """Draw scores between 0 and 1 with a tail of hard cases, as on the embedded gliomas."""
    latent = Spreads(seed=0.12, case=0.0, interaction=0.25, residual=0.15)(generator, studies, seeds)
    difficulty = generator.gamma(1.0, size=(studies, 1, 1, CASES))
    return 1 / (1 + np.exp(0.6 * difficulty - 2.0 - latent))


KINDS: Mapping[str, Draw] = {
    "seeds dominate": Spreads(seed=0.03, case=0.02, interaction=0.02, residual=0.01),
    "seeds and cases": Spreads(seed=0.02, case=0.04, interaction=0.04, residual=0.02),
    "cases dominate": Spreads(seed=0.005, case=0.08, interaction=0.05, residual=0.02),
    "bounded and skewed": dice_like,
    "first model unsteady": Spreads(seed=0.015, case=0.04, interaction=0.03, residual=0.02, unsteady=4),
    "one training": Spreads(seed=0.01, case=0.04, interaction=0.01, residual=0.01, shared_seed=0.02),
}

ONE_TRAINING = "one training"
"""The kind whose models are scorings of one training."""


class Intervals(NamedTuple):
    """Intervals of n studies; the last axis has the lower and the upper end.

    Attributes:
        means: the intervals of the models' means, [n, MODELS, 2].
        differences: those of the first model's differences from the others, [n, MODELS - 1, 2].
        joint: joint intervals of these differences, as in claims and tables, [n, MODELS - 1, 2].
    """

    means: np.ndarray
    differences: np.ndarray
    joint: np.ndarray


def after(scores: np.ndarray, trainings: Sequence[int] = range(MODELS)) -> Intervals:
    """Return the intervals that tables and claims have, of models with these trainings."""
    models = np.moveaxis(scores, 1, 0)
    parts = [components(model) for model in models]
    pooled = pool(zip(trainings, parts, strict=True))
    means = [np.stack(estimate([part], pooled=pooled).ends(), axis=-1) for part in parts]
    differences = [
        weigh([models[0], other], (1, -1), (trainings[0], of_other), pooled)
        for other, of_other in zip(models[1:], trainings[1:], strict=True)
    ]
    return Intervals(
        np.stack(means, axis=1),
        np.stack([np.stack(one.ends(), axis=-1) for one in differences], axis=1),
        np.stack([np.stack(one.ends(len(differences)), axis=-1) for one in differences], axis=1),
    )


def before(scores: np.ndarray, generator: np.random.Generator) -> Intervals:
    """Return the intervals of a percentile bootstrap; see Owen, The pigeonhole bootstrap, 2007."""
    seeds = scores.shape[2]
    chunks = []
    for chunk in np.array_split(scores.astype(np.float32), -(-len(scores) // CHUNK)):
        of_cases = generator.multinomial(CASES, [1 / CASES] * CASES, size=RESAMPLES) / CASES
        of_seeds = generator.multinomial(seeds, [1 / seeds] * seeds, size=(MODELS, RESAMPLES)) / seeds
        by_seed = chunk @ of_cases.T.astype(np.float32)
        means = np.einsum("nmsb,mbs->nmb", by_seed, of_seeds.astype(np.float32))
        differences = means[:, :1] - means[:, 1:]
        tails = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
        chunks.append([np.moveaxis(np.quantile(one, tails, axis=-1), 0, -1) for one in (means, differences)])
    means, differences = (np.concatenate(of) for of in zip(*chunks, strict=True))
    return Intervals(means, differences, differences)


def simulate(
    generator: np.random.Generator, studies: int, seeds: Sequence[int] = SEEDS, methods: Collection[str] = METHODS
) -> pd.DataFrame:
    """Simulate studies for every kind of scores, number of seeds and method to make intervals.

    Args:
        generator: the source of random numbers.
        studies: the number of studies of each kind.
        seeds: the numbers of seeds.
        methods: names in `METHODS`.

    Returns:
        One row per kind of scores, number of seeds and method, with columns kind, seeds, intervals and the following.
        `mean`, `mean_first`, `difference` and `joint` are the shares of studies in which an interval of a mean, of the
        first model's mean and of a difference covers the truth, and in which all six joint intervals do. `rejected` is
        the share in which a claim of six differences that is true by `MARGIN` does not hold. `accepted` is the share in
        which a claim holds that is false by `MARGIN` in one difference, and clearly true in the others. `detectable`
        and `detectable_joint` are the differences, in units of the scores, that an interval distinguishes from 0 in
        80 % of studies, alone and as one of six.
    """
    return pd.DataFrame(_rows(generator, studies, seeds, methods))


def _rows(
    generator: np.random.Generator, studies: int, numbers: Sequence[int], methods: Collection[str]
) -> Iterator[dict[str, object]]:
    for kind, draw in KINDS.items():
        trainings = [0] * MODELS if kind == ONE_TRAINING else range(MODELS)
        truth = draw(generator, TRUTH_STUDIES, 1).mean()
        for seeds in numbers:
            scores = draw(generator, studies, seeds)
            for method in methods:
                intervals = after(scores, trainings) if method == "after" else before(scores, generator)
                low, high = intervals.differences[..., 0], intervals.differences[..., 1]
                low_joint, high_joint = intervals.joint[..., 0], intervals.joint[..., 1]
                covered = (intervals.means[..., 0] <= truth) & (truth <= intervals.means[..., 1])
                yield {
                    **{"kind": kind, "seeds": seeds, "intervals": method},
                    "mean": covered.mean(),
                    "mean_first": covered[:, 0].mean(),
                    "difference": np.mean((low <= 0) & (high >= 0)),
                    "joint": np.mean(((low_joint <= 0) & (high_joint >= 0)).all(axis=1)),
                    "rejected": np.mean((high_joint < -MARGIN).any(axis=1)),
                    "accepted": np.mean(low > MARGIN),
                    "detectable": np.quantile(-low, POWER),
                    "detectable_joint": np.quantile(-low_joint, POWER),
                }


COVERAGES = ["mean", "mean_first", "difference", "joint"]

HEADS = {
    "mean": "Mean",
    "mean_first": "First model's mean",
    "difference": "Difference",
    "joint": "Six differences",
    "rejected": "True claim rejected",
    "accepted": "False claim accepted",
    "detectable": "Detectable",
    "detectable_joint": "Detectable among six",
}


def missed(frame: pd.DataFrame) -> pd.DataFrame:
    """Return where the suite's intervals have a coverage outside `BOUNDS` with three or more seeds.

    Args:
        frame: the shares of `simulate`.

    Returns:
        Columns kind, seeds, column (one of `COVERAGES`) and coverage.
    """
    rows = frame[(frame["intervals"] == "after") & (frame["seeds"] >= 3)]
    long = rows.melt(["kind", "seeds"], COVERAGES, "column", "coverage")
    return long[~long["coverage"].between(*BOUNDS)].sort_values(["kind", "column"], kind="stable", ignore_index=True)


def simulation_table(frame: pd.DataFrame) -> Table:
    """Return the shares of `simulate` as a table, each number by both methods."""
    wide = frame.pivot(index=["kind", "seeds"], columns="intervals", values=list(HEADS))
    rows = []
    for kind, seeds in frame[["kind", "seeds"]].drop_duplicates().itertuples(index=False, name=None):
        numbers = wide.loc[(kind, seeds)]
        texts = [" → ".join(_text(name, numbers[name, method]) for method in METHODS) for name in HEADS]
        rows.append([Cell(text) for text in (kind, str(seeds), *texts)])
    caption = (
        f"Simulated studies of {MODELS} models on {CASES} cases: the bootstrap that the suite used before → the "
        "intervals that it has."
    )
    notes = (
        "Mean, first model's mean, difference and six differences: the percentage of studies in which an interval of "
        "95 %, or all of six joint intervals, covers the truth; mean is over the seven models",
        f"Claims are about six differences and true or false by {MARGIN:g}",
        "Detectable: the difference that an interval distinguishes from 0 in 80 % of studies, alone and as one of six",
        "Scores of the first three kinds are normally distributed",
        "The seeds of the unsteady first model vary four times as much as those of the other models",
        "With one training, the seven models are scorings that are paired in their seeds, each with the spread of its "
        "own seeds only",
        _outside(missed(frame)),
    )
    return Table(caption, ["Scores", "Seeds", *HEADS.values()], rows, join_notes(notes))


def _outside(found: pd.DataFrame) -> str:
    low, high = (f"{100 * end:g}" for end in BOUNDS)
    if found.empty:
        return f"With three or more seeds, every coverage is between {low} and {high} %"
    texts = []
    for (kind, column), rows in found.groupby(["kind", "column"], sort=False):
        seeds = ", ".join(map(str, rows["seeds"]))
        texts.append(f"{kind}, {HEADS[str(column)].lower()}: {_range(rows['coverage'])} ({seeds} seeds)")
    return f"With three or more seeds, these are not between {low} and {high} %: {'; '.join(texts)}"


def _range(shares: pd.Series) -> str:
    texts = [f"{100 * share:.1f}" for share in (shares.min(), shares.max())]
    return " to ".join(dict.fromkeys(texts)) + " %"


def write_simulation(frame: pd.DataFrame, stem: str | Path) -> None:
    """Write the shares of `simulate` as `stem`.csv, `stem`.md and `stem`.tex, each whole or not at all.

    Args:
        frame: the shares.
        stem: the path of the files without their endings.

    Raises:
        UserError: a file cannot be written.
    """
    write_text(f"{stem}.csv", frame.to_csv(index=False, lineterminator="\n"))
    write_text(f"{stem}.md", markdown(simulation_table(frame)) + "\n")
    write_text(f"{stem}.tex", latex(simulation_table(frame)) + "\n")


def _text(name: str, number: float) -> str:
    return f"{number:.3f}" if name.startswith("detectable") else f"{100 * number:.1f} %"
