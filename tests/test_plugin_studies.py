"""A package of one's own takes part in studies from the command line to tables and figures."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.__main__ import main
from benchmarks.commands import points
from benchmarks.experiments import trials
from benchmarks.names import model_name
from benchmarks.runs import sweep
from benchmarks.runs.executor import Ending, MakeRun
from benchmarks.studies.league import BUDGETS, RATES
from paper_figures.__main__ import main as draw
from paper_figures.league import SHOWN_PART

PROFILE = """\
base = "laptop"
seeds = [0]
[studies]
league_s = 0.2
[datasets.own.every]
preprocessing = {shape = [16, 16, 16], fit = "pad"}
recipe = {epochs = 1, batch_size = 2, steps_per_epoch = 2, sampling.count = 64, validation.locations = 64}
[datasets.own.occupancy]
network = {encoder_channels = [4, 4], decoder_width = 8, decoder_blocks = 1, patch_size = 3}
[datasets.own.unet3d]
network = {encoder_channels = [8, 8], decoder_channels = [8]}
[datasets.own.convolution.recipe]
steps_per_epoch = 40
optimization = {learning_rate = 0.1}
"""

MODELS = ("convolution", "half-space", "c")


class Ended:
    """A task that has ended."""

    name, log = "this process", Path(os.devnull)

    def finished(self) -> bool:
        return True

    def ending(self) -> Ending:
        return Ending.LOST

    def reason(self) -> str:
        return "ended without a record"

    def cancel(self) -> None:
        pass


class InThisProcess:
    """An executor that makes each run when it is submitted, since a process takes a second to start."""

    capacity, detached = 1, False

    def __init__(self, make_run: MakeRun, *_: object) -> None:
        self.make_run = make_run

    def submit(self, folders: Sequence[Path]) -> Sequence[Ended]:
        for folder in folders:
            self.make_run(str(folder))
        return [Ended() for _ in folders]

    def find_task(self, folder: Path) -> None:
        return None


@pytest.mark.usefixtures("plugged_in")
def test_table_2_and_the_league_train_score_and_show_it(
    data_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile, results = tmp_path / "tiny.toml", tmp_path / "results"
    profile.write_text(PROFILE, encoding="utf-8")
    monkeypatch.setattr(os, "nice", lambda _: 0)
    monkeypatch.setattr(points, "LocalExecutor", InThisProcess)
    monkeypatch.setattr(sweep, "POLL_S", 0)
    monkeypatch.setattr(trials, "DURATION_S", 0.0)
    # From the end, so that they are put back in their order.
    for rate in ("ninefold", "triple"):
        monkeypatch.delitem(RATES, rate)
    options = ["--profile", str(profile), "--data", str(data_csv), "--results", str(results)]
    assert main(["run", "table2", "tuning", "league", "--models", ",".join(MODELS), *options]) == 0

    def dice_of(study: str, columns: list[str]) -> pd.Series:
        table = pd.read_csv(results / "tables" / f"{study}.csv")
        return table[table["quantity"] == "dice"].set_index(columns)["value"]

    table2, tuning = dice_of("table2", ["model"]), dice_of("tuning", ["budget", "model", "rate"])
    league = dice_of("league", ["budget", "model"])
    assert set(table2.index) == set(MODELS)
    assert set(tuning.index) == {(budget, model, rate) for budget in BUDGETS for model in MODELS for rate in RATES}
    assert set(league.index) == {(budget, model) for budget in BUDGETS for model in MODELS}
    for dice in (table2, tuning, league):
        assert dice.between(0, 1).all()
    # It sees the image, whose bright voxels are those of the label. How long the league trains depends on the machine.
    assert table2["convolution"] > 0.5
    # A training of the league is one of the tuning.
    assert len(list((results / "trainings").iterdir())) == len(table2) + len(tuning)

    for study, start, dice in (
        ("table2", "| convolution |", table2["convolution"]),
        ("league", "| time | convolution |", league["time", "convolution"]),
    ):
        lines = (results / "tables" / f"{study}.md").read_text(encoding="utf-8").splitlines()
        assert f"{dice:.3f}" in next(line for line in lines if line.startswith(start))

    assert draw(["league", "--results", str(results)], None) == 0
    plotted = json.loads((results / "figures" / "league-tiny.json").read_text(encoding="utf-8"))
    drawn = [line.get("y") for axes in plotted["axes"] for line in axes["lines"]]
    shown = league[league >= SHOWN_PART * league.groupby("budget").transform("max")]
    assert {model_name(model) for _, model in shown.index} <= set(plotted["texts"])
    for dice in shown:
        assert [pytest.approx(dice, rel=1e-5)] in drawn
    assert (results / "figures" / "league-tiny.png").stat().st_size > 0
