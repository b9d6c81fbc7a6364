"""The promises that tables and claims make, held in simulated studies."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.__main__ import main
from benchmarks.simulation import HEADS, KINDS, SEEDS, Spreads, after, before, simulate, simulation_markdown


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return simulate(np.random.default_rng(1), 800, seeds=(3, 5))


NORMAL = ["seeds dominate", "seeds and cases", "cases dominate"]


def test_intervals_hold_the_truth_as_often_as_they_say(frame: pd.DataFrame) -> None:
    rows = frame[(frame["intervals"] == "after") & frame["kind"].isin(NORMAL)]
    assert len(rows) == 6
    # Means and differences of a study count one by one, six at once but once: that is known to 0.8 points here.
    assert rows[["mean", "difference"]].to_numpy() == pytest.approx(0.95, abs=0.02)
    assert rows["joint"].to_numpy() == pytest.approx(0.95, abs=0.025)


def test_claims_are_judged_rightly(frame: pd.DataFrame) -> None:
    rows = frame[frame["intervals"] == "after"]
    assert (rows["rejected"] <= 0.05 + 0.01).all()
    assert (rows[rows["kind"] != "first model unsteady"]["accepted"] <= 0.035).all()
    assert (rows["detectable"] <= rows["detectable_joint"]).all()


def test_the_bootstrap_did_not_keep_these_promises(frame: pd.DataFrame) -> None:
    rows = frame[(frame["intervals"] == "before") & (frame["seeds"] == 3)].set_index("kind")
    assert rows.loc["seeds dominate", "mean"] < 0.85
    assert (rows["joint"] < 0.8).all()
    assert (rows["rejected"] > 0.1).all()


def test_the_table_has_a_row_for_each_kind_and_number_of_seeds(frame: pd.DataFrame) -> None:
    lines = [line for line in simulation_markdown(frame).splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(KINDS) * 2
    assert all(line.count("|") == len(HEADS) + 3 for line in lines)
    assert all(line.count("→") == len(HEADS) for line in lines[2:])


def test_scores_without_spread_have_exact_intervals() -> None:
    scores = Spreads(0, 0, 0, 0)(np.random.default_rng(0), 4, 3)
    for intervals in (after(scores), before(scores, np.random.default_rng(0))):
        assert all(not ends.any() for ends in intervals)


def test_the_command_writes_what_it_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["simulate", "--studies", "20", "--results", str(tmp_path)]
    assert main(given) == 0
    printed = capsys.readouterr().out
    written = (tmp_path / "tables" / "simulation.md").read_text(encoding="utf-8")
    assert printed.startswith(written)
    assert len(pd.read_csv(tmp_path / "tables" / "simulation.csv")) == 2 * len(KINDS) * len(SEEDS)
    assert main(given) == 0
    assert capsys.readouterr().out == printed
    assert main(["simulate", "--studies", "0", "--results", str(tmp_path)]) == 2
