"""The league: every model under the same budget, after as many trials of its learning rate as any other has.

There are two budgets. With equal `time`, every training takes the same time on this machine (`league_s` of the
profile), with the batch of the model's recipe. With equal `memory`, the batch is moreover the largest, of different
cases, whose predicted peak of a training step is within that of the 3-D U-Net's recipe. The number of steps follows
from a short trial, see `benchmarks.experiments.trials`, and becomes part of the specification: number of epochs and
steps per epoch.

The study `tuning` trains each model with the first seed and each of the `RATES` times its recipe's learning rate, and
scores the validation cases. The study `league` trains it with the best of them from every seed and scores the test
cases; the training from the first seed is that of the tuning. Time for validation is not counted, and all models are
validated as often. Learning rates follow a cosine, since a schedule by epochs would not fit other numbers of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

from benchmarks.layout import Layout
from benchmarks.markup import Table
from benchmarks.names import KNOWN_NAMES
from benchmarks.study import Findings, Outlook, Point, Stage, Study

if TYPE_CHECKING:
    from ossnet.training.profile import Profile

MODELS = ("onet", "a", "b", "c", "d", "unet3d", "unet2d-depth", "iosnet", "hnoseg-xs", "segresnet")
"""Models of the league, unless others are asked for; of the 2-D U-Net the orientation that is best in Table 2."""

BUDGETS = ("time", "memory")

RATES: Mapping[str, float] = {"third": 1 / 3, "recipe": 1.0, "triple": 3.0, "ninefold": 9.0}
"""Trials of the tuning by name: factors of the learning rate in the profile's recipe."""

EPOCHS = range(16, 0, -2)
VALIDATIONS = 2
"""Numbers of epochs that a training may have, of which the one is taken that comes closest to its number of steps, and
the number of its validations."""

MEMORY_OF = "unet3d"
"""Model whose recipe sets the equal memory."""

_BUDGET_NAMES = {"time": "time", "memory": "memory and time"}


# Functions import where they are called: a machine that only measures knows every study, but lacks what these need.
def _tuning_points(stage: Stage) -> Sequence[Point]:
    from benchmarks.studies.league_points import tuning_points

    return tuning_points(stage)


def _league_points(stage: Stage) -> Sequence[Point]:
    from benchmarks.studies.league_points import league_points

    return league_points(stage)


def _tuning_outlook(profile: "Profile", models: Sequence[str]) -> Outlook:
    runs = len(models or MODELS) * len(BUDGETS) * len(RATES)
    return Outlook(runs, profile.league_s, "a short trial of each model on this machine")


def _league_outlook(profile: "Profile", models: Sequence[str]) -> Outlook:
    seeds = len(profile.seeds)
    # The training from the first seed is one of the tuning.
    seconds = profile.league_s * (seeds - 1) / seeds
    return Outlook(len(models or MODELS) * len(BUDGETS) * seeds, seconds, "the results of tuning")


def _league_tables(found: Findings) -> Sequence[Table]:
    from benchmarks.studies.league_tables import league_tables

    return league_tables(found)


TUNING = Study(
    Layout(
        table="tuning",
        title="Trials of learning rates for the league",
        heads={"budget": "Equal", "model": "Model", "rate": "Learning rate"},
        rows=list(product(BUDGETS, MODELS, RATES)),
        names={
            "budget": _BUDGET_NAMES,
            "model": KNOWN_NAMES,
            "rate": {"third": "a third", "recipe": "the recipe's", "triple": "three times", "ninefold": "nine times"},
        },
        note="One seed each; the best of a model on the validation cases is taken for the league",
        # With one seed, no interval tells one rate from another.
        compared_within=("budget", "model", "rate"),
    ),
    staged=_tuning_points,
    outlook=_tuning_outlook,
    only_by_name=True,
)

LEAGUE = Study(
    replace(
        TUNING.layout,
        table="league",
        title="The league: every model under the same budget",
        heads={"budget": "Equal", "model": "Model"},
        rows=list(product(BUDGETS, MODELS)),
        compared_within=("budget",),
        note="",
    ),
    staged=_league_points,
    outlook=_league_outlook,
    tables=_league_tables,
    only_by_name=True,
)
