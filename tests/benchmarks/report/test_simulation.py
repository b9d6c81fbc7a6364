"""The promises that tables and claims make, held in simulated studies."""

from collections.abc import Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.__main__ import main
from benchmarks.names import REFERENCE
from benchmarks.report import interval_coverage as coverage
from benchmarks.report.simulation import (
    HEADS,
    KINDS,
    ONE_TRAINING,
    SEEDS,
    Spreads,
    after,
    before,
    missed,
    simulate,
    simulation_table,
)

STUDIES = 2_000


@pytest.fixture(scope="module")
def today() -> pd.DataFrame:
    """Today's intervals with three, five and ten seeds."""
    return simulate(np.random.default_rng(1), STUDIES, seeds=(3, 5, 10), methods=["after"])


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What the command prints of a few studies, and the folder of its tables."""
    results = tmp_path_factory.mktemp("simulation")
    with redirect_stdout(StringIO()) as printed:
        assert main(["simulate", "--studies", "20", "--results", str(results)]) == 0
    return printed.getvalue(), results / "tables"


NORMAL = ["seeds dominate", "seeds and cases", "cases dominate"]
SKEWED, UNSTEADY = "bounded and skewed", "first model unsteady"
TRAININGS = [*NORMAL, SKEWED]


def percentages(frame: pd.DataFrame, column: str, kinds: Sequence[str], seeds: Sequence[int] = (3, 5, 10)) -> pd.Series:
    rows = frame[frame["kind"].isin(kinds) & frame["seeds"].isin(seeds)]
    assert len(rows) == len(kinds) * len(seeds)
    return 100 * rows[column]


@pytest.mark.parametrize(
    ("stated", "column", "kinds"),
    [
        (coverage.MEANS, "mean", NORMAL),
        (coverage.MEANS_SKEWED, "mean", [SKEWED]),
        (coverage.MEANS_ONE_TRAINING, "mean", [ONE_TRAINING]),
        (coverage.JOINT, "joint", TRAININGS),
        (coverage.JOINT_ONE_TRAINING, "joint", [ONE_TRAINING]),
        (coverage.ERRORS, "rejected", [*TRAININGS, ONE_TRAINING]),
        (coverage.ERRORS, "accepted", [*TRAININGS, ONE_TRAINING]),
    ],
)
def test_what_the_notes_of_tables_state_is_so(
    stated: coverage.Percentages, column: str, kinds: list[str], today: pd.DataFrame
) -> None:
    assert percentages(today, column, kinds).between(*stated).all()


@pytest.mark.parametrize(
    ("stated", "column", "better"),
    [
        (coverage.MEANS_UNSTEADY, "mean_first", 1),
        (coverage.JOINT_UNSTEADY, "joint", 1),
        (coverage.REJECTED_UNSTEADY, "rejected", -1),
        (coverage.ACCEPTED_UNSTEADY, "accepted", -1),
    ],
)
def test_what_the_notes_state_of_an_unsteady_model_is_so_and_better_with_more_seeds(
    stated: coverage.Percentages, column: str, better: int, today: pd.DataFrame
) -> None:
    assert percentages(today, column, [UNSTEADY], [3]).between(*stated).all()
    assert (better * percentages(today, column, [UNSTEADY])).is_monotonic_increasing


def test_intervals_of_differences_hold_the_truth_as_often_as_they_say(today: pd.DataFrame) -> None:
    assert percentages(today, "difference", TRAININGS).between(94, 96).all()
    assert percentages(today, "difference", [ONE_TRAINING]).between(95.5, 97).all()
    assert percentages(today, "difference", [UNSTEADY], [3]).between(87, 89).all()
    assert percentages(today, "difference", [UNSTEADY], [5, 10]).between(90, 95).all()
    assert (today["detectable"] <= today["detectable_joint"]).all()


def test_the_table_tells_where_the_bar_is_missed(today: pd.DataFrame) -> None:
    rows = missed(today)
    where = set(zip(rows["kind"], rows["column"], rows["seeds"], strict=True))
    assert {
        (SKEWED, "mean", 3),
        (UNSTEADY, "mean_first", 3),
        (UNSTEADY, "joint", 3),
        (ONE_TRAINING, "joint", 3),
    } <= where
    assert not set(NORMAL) & set(rows["kind"])
    assert (UNSTEADY, "mean", 3) not in where


def test_the_bootstrap_did_not_keep_these_promises() -> None:
    frame = pd.read_csv(REFERENCE / "tables" / "simulation.csv")
    rows = frame[(frame["intervals"] == "before") & (frame["seeds"] == 3)].set_index("kind")
    assert rows.loc["seeds dominate", "mean"] < 0.85
    rows = rows.loc[[*TRAININGS, UNSTEADY]]
    assert (rows["joint"] < 0.8).all()
    assert (rows["rejected"] > 0.1).all()


def test_scores_without_spread_have_exact_intervals() -> None:
    scores = Spreads(0, 0, 0, 0)(np.random.default_rng(0), 4, 3)
    for intervals in (after(scores), before(scores, np.random.default_rng(0))):
        assert all(not ends.any() for ends in intervals)


def test_the_table_has_a_row_for_each_kind_and_number_of_seeds(written: tuple[str, Path]) -> None:
    frame = pd.read_csv(written[1] / "simulation.csv")
    grid = simulation_table(frame)
    labels = [(kind, str(seeds)) for kind in KINDS for seeds in SEEDS]
    assert [(row[0].text, row[1].text) for row in grid.rows] == labels
    assert all(len(row) == len(grid.head) == len(HEADS) + 2 for row in grid.rows)
    assert all("→" in cell.text for row in grid.rows for cell in row[2:])
    # Two seeds are not judged.
    assert simulation_table(frame[frame["seeds"] == 2]).notes.endswith("between 93 and 97 %.")


def test_the_command_writes_what_it_prints(written: tuple[str, Path], tmp_path: Path) -> None:
    printed, tables = written
    assert printed.startswith((tables / "simulation.md").read_text(encoding="utf-8"))
    latex = (tables / "simulation.tex").read_text(encoding="utf-8")
    assert latex.isascii()
    assert latex.count(r" \\") == 1 + len(KINDS) * len(SEEDS)
    assert len(pd.read_csv(tables / "simulation.csv")) == 2 * len(KINDS) * len(SEEDS)
    assert main(["simulate", "--studies", "0", "--results", str(tmp_path)]) == 2
