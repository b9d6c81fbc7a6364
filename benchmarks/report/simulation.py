"""How often intervals hold the truth and claims are judged rightly, in simulated studies whose truth is known.

Each study compares seven models of equal mean from a few seeds on 16 cases, as a table does: six differences from the
first model, and a claim of all six. The models are seven trainings, or one training that is scored in seven ways, of
which the seeds are paired. Beside the intervals of `benchmarks.report.intervals` stand those that the suite had
before: percentiles of a bootstrap over seeds and cases, with no regard to how many comparisons are made.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks.markup import Cell, Grid, latex, markdown
from benchmarks.report.intervals import CONFIDENCE, components, estimate, pool, weigh
from ossnet.files import write_text

MODELS, CASES, SEEDS = 7, 16, (2, 3, 5, 10)

CHUNK = 500
"""Studies whose bootstrap is drawn at a time, to bound the memory."""

TRUTH_STUDIES = 10_000
"""Studies of one seed whose mean is taken for the true one."""

RESAMPLES = 500

WAYS = ("before", "after")

MARGIN = 0.001
"""By which a claim is true or false."""

POWER = 0.8

BAR = (0.93, 0.97)
"""Between which the coverage of intervals of 95 % should be."""

Draw = Callable[[np.random.Generator, int, int], np.ndarray]
"""Scores [studies, models, seeds, cases] of so many studies from so many seeds, of models of equal mean."""


@dataclass(frozen=True)
class Spreads:
    """Scores around 0 with normal effects of these standard deviations.

    Attributes:
        unsteady: the factor by which the first model's seeds vary more.
        shared_seed: of seeds alike for all models, where these are scorings of one training.
    """

    seed: float
    case: float
    interaction: float
    residual: float
    unsteady: float = 1.0
    shared_seed: float = 0.0

    def __call__(self, generator: np.random.Generator, studies: int, seeds: int) -> np.ndarray:
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
    """Scores between 0 and 1 with a tail of hard cases, as on the embedded gliomas."""
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
    """Lower and upper ends, the last axis of each: of means [n, MODELS, 2], and of the differences of the first model
    from the others, alone and as claims and tables use several of them, [n, MODELS - 1, 2]."""

    means: np.ndarray
    differences: np.ndarray
    joint: np.ndarray


def after(scores: np.ndarray, trainings: Sequence[int] = range(MODELS)) -> Intervals:
    """The intervals that tables and claims have, of models of these trainings."""
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
    """The intervals of a percentile bootstrap; see Owen, The pigeonhole bootstrap, 2007."""
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
    generator: np.random.Generator, studies: int, seeds: Sequence[int] = SEEDS, ways: Collection[str] = WAYS
) -> pd.DataFrame:
    """A row for each kind of scores, number of seeds and way to make intervals (`before` and `after`).

    Returns:
        Columns kind, seeds, intervals and what follows. `mean`, `mean_first`, `difference` and `joint` are shares of
        studies: those in which an interval of a mean, of the first model's mean and of a difference holds the truth,
        and in which six intervals of differences all do. `rejected` is the share in which a claim of six differences
        that is true by `MARGIN` does not hold; `accepted` that in which a claim holds that is false by `MARGIN` in one
        difference, and true by far in the others. `detectable` and `detectable_joint` are the differences, in units of
        the scores, that an interval tells from 0 in 80 % of studies, alone and as one of six.
    """
    return pd.DataFrame(_rows(generator, studies, seeds, ways))


def _rows(
    generator: np.random.Generator, studies: int, numbers: Sequence[int], ways: Collection[str]
) -> Iterator[dict[str, object]]:
    for kind, draw in KINDS.items():
        trainings = [0] * MODELS if kind == ONE_TRAINING else range(MODELS)
        truth = draw(generator, TRUTH_STUDIES, 1).mean()
        for seeds in numbers:
            scores = draw(generator, studies, seeds)
            for name in ways:
                intervals = after(scores, trainings) if name == "after" else before(scores, generator)
                low, high = intervals.differences[..., 0], intervals.differences[..., 1]
                low_joint, high_joint = intervals.joint[..., 0], intervals.joint[..., 1]
                held = (intervals.means[..., 0] <= truth) & (truth <= intervals.means[..., 1])
                yield {
                    **{"kind": kind, "seeds": seeds, "intervals": name},
                    "mean": held.mean(),
                    "mean_first": held[:, 0].mean(),
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
    """Find the rows of today's intervals whose coverage is outside `BAR` with three or more seeds.

    Returns:
        Columns kind, seeds, column (one of `COVERAGES`) and coverage.
    """
    rows = frame[(frame["intervals"] == "after") & (frame["seeds"] >= 3)]
    long = rows.melt(["kind", "seeds"], COVERAGES, "column", "coverage")
    return long[~long["coverage"].between(*BAR)].sort_values(["kind", "column"], kind="stable", ignore_index=True)


def simulation_grid(frame: pd.DataFrame) -> Grid:
    """What `simulate` gives as a table, each number before and after."""
    wide = frame.pivot(index=["kind", "seeds"], columns="intervals", values=list(HEADS))
    rows = []
    for kind, seeds in frame[["kind", "seeds"]].drop_duplicates().itertuples(index=False, name=None):
        numbers = wide.loc[(kind, seeds)]
        texts = [" → ".join(_text(name, numbers[name, way]) for way in WAYS) for name in HEADS]
        rows.append([Cell(text) for text in (kind, str(seeds), *texts)])
    caption = (
        f"Simulated studies of {MODELS} models on {CASES} cases: the bootstrap that the suite had before → the "
        "intervals that it has."
    )
    notes = (
        "Mean, first model's mean, difference, six differences: percentage of studies in which an interval of 95 %, or "
        "all of six, holds the truth; mean is over the seven models. Claims are of six differences, true or false by "
        f"{MARGIN:g}. Detectable: the difference that is told from 0 in 80 % of studies, alone and as one of six. The "
        "first three kinds of scores are normal; the unsteady first model's seeds vary four times as much as those of "
        "the models that it is compared with; of one training the seven models are scorings, paired in their seeds, "
        f"each with the spread of its own seeds alone. {_outside(missed(frame))}"
    )
    return Grid(caption, ["Scores", "Seeds", *HEADS.values()], rows, notes)


def _outside(found: pd.DataFrame) -> str:
    low, high = (f"{100 * end:g}" for end in BAR)
    if found.empty:
        return f"With three or more seeds every coverage is between {low} and {high} %."
    texts = []
    for (kind, column), rows in found.groupby(["kind", "column"], sort=False):
        seeds = ", ".join(map(str, rows["seeds"]))
        texts.append(f"{kind}, {HEADS[str(column)].lower()}: {_range(rows['coverage'])} ({seeds} seeds)")
    return f"Not between {low} and {high} % with three or more seeds: {'; '.join(texts)}."


def _range(shares: pd.Series) -> str:
    texts = [f"{100 * share:.1f}" for share in (shares.min(), shares.max())]
    return " to ".join(dict.fromkeys(texts)) + " %"


def write_simulation(frame: pd.DataFrame, stem: str | Path) -> None:
    """Write what `simulate` gives as `stem`.csv, `stem`.md and `stem`.tex, each whole or not at all.

    Raises:
        UserError: a file cannot be written.
    """
    write_text(f"{stem}.csv", frame.to_csv(index=False, lineterminator="\n"))
    write_text(f"{stem}.md", markdown(simulation_grid(frame)) + "\n")
    write_text(f"{stem}.tex", latex(simulation_grid(frame)) + "\n")


def _text(name: str, number: float) -> str:
    return f"{number:.3f}" if name.startswith("detectable") else f"{100 * number:.1f} %"
