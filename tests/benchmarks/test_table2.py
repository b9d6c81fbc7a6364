import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import table2
from benchmarks.jobs import Job
from benchmarks.tables import MODEL_NAMES
from ossnet.errors import UserError
from ossnet.profile import Profile, load_profile
from ossnet.quantities import QUANTITIES
from ossnet.run import RunSpec
from paper_figures.segmentations import load

PUBLISHED = Path(__file__).parents[2] / "results" / "published"


def finish(job: Job, dice: float) -> None:
    """Leave what a worker leaves, with one test case."""
    job.prepare()
    rows = [
        {"case": "e", "quantity": name, "value": dice, "unit": quantity.unit} for name, quantity in QUANTITIES.items()
    ]
    spec = job.spec
    scores = pd.DataFrame(rows).assign(
        dataset=spec.dataset, profile=job.profile, model=spec.model, seed=spec.seed, protocol="dense"
    )
    scores.to_csv(job.folder / "per_case.csv", index=False)
    label = np.zeros((4, 5, 6), bool)
    label[1:3, 1:4, 2:5] = True
    np.savez_compressed(
        job.folder / "case.npz",
        **{"case": np.array("e"), "modality": np.array("flair"), "image": np.ones((4, 5, 6), np.float32)},
        **{"label": label, "prediction": np.roll(label, spec.seed, 0), "dice": np.array(dice), "affine": np.eye(4)},
    )
    (job.folder / "result.json").write_text("{}")


@pytest.fixture
def jobs(tiny_spec: Callable[..., RunSpec], tmp_path: Path) -> Callable[..., list[Job]]:
    def make(models: Sequence[str], seeds: Sequence[int] = (0, 1), dataset: str = "own") -> list[Job]:
        return [
            Job.under(tmp_path / "runs", replace(tiny_spec(model, seed), dataset=dataset), "own.csv", "laptop")
            for model in models
            for seed in seeds
        ]

    return make


def lines_of(table: str, model: str) -> list[str]:
    return [line for line in table.splitlines() if line.startswith(f"| {MODEL_NAMES[model]} |")]


def test_there_is_a_job_for_every_model_and_seed(data_csv: Path, tmp_path: Path) -> None:
    profile = load_profile("laptop")
    made = table2.make_jobs(profile, str(data_csv), tmp_path)
    runs = [(job.spec.model, job.spec.seed) for job in made]
    assert runs == [(model, seed) for model in MODEL_NAMES for seed in profile.seeds]
    assert len({job.folder for job in made}) == len(made)
    assert {job.source for job in made} == {str(data_csv)}
    few = table2.make_jobs(profile, str(data_csv), tmp_path, models=["c"], seeds=[7])
    assert [(job.spec.model, job.spec.seed) for job in few] == [("c", 7)]


def test_a_data_set_with_nothing_to_score_is_refused(data_csv: Path, tmp_path: Path) -> None:
    table = tmp_path / "own.csv"
    table.write_text(data_csv.read_text().replace(",test", ",train").replace(",e-", f",{data_csv.parent}/e-"))
    rows = table.read_text().splitlines()
    table.write_text("\n".join([rows[0], rows[-1]]) + "\n")
    with pytest.raises(UserError, match="data set own has no test and no validation cases"):
        table2.make_jobs(load_profile("laptop"), str(table), tmp_path)


def test_the_table_shows_means_seeds_and_failures(jobs: Callable[..., list[Job]], tmp_path: Path) -> None:
    (c_0, c_1), (d_0, d_1), (a_0, a_1) = jobs(["c"]), jobs(["d"]), jobs(["a"])
    finish(c_0, 0.8)
    finish(c_1, 0.6)
    finish(d_0, 0.9)
    for failed in (d_1, a_0, a_1):
        failed.prepare()
        failed.fail("OOM")
    folders = [job.folder.name for job in (c_0, c_1, d_0, d_1, a_0, a_1)]
    table2.write({"own/laptop": folders}, c_0.folder.parent, PUBLISHED, tmp_path / "table2")
    table = (tmp_path / "table2.md").read_text()
    assert "0.700 (0.600–0.800)" in lines_of(table, "c")[0]
    assert "0.900" in lines_of(table, "d")[0]
    assert "1 (OOM)" in lines_of(table, "d")[0]
    assert "OOM" in lines_of(table, "a")[0]
    assert "not run" in lines_of(table, "b")[0]
    numbers = pd.read_csv(tmp_path / "table2.csv")
    assert numbers.query("model == 'c' and quantity == 'dice'")["value"].tolist() == pytest.approx([0.7])
    assert (tmp_path / "table2.tex").exists()


def test_the_tables_of_several_data_sets_stand_together(jobs: Callable[..., list[Job]], tmp_path: Path) -> None:
    own, other = jobs(["c"], [0]), jobs(["c"], [0], dataset="glioma")
    for job, dice in zip(own + other, (0.8, 0.7), strict=True):
        finish(job, dice)
    record = tmp_path / "table2.runs.json"
    runs = own[0].folder.parent
    table2._remember(record, "own/laptop", runs, own)
    parts = table2._remember(record, "glioma/laptop", runs, other)
    assert parts == {"own/laptop": [own[0].folder.name], "glioma/laptop": [other[0].folder.name]}
    assert json.loads(record.read_text()) == parts
    table2.write(parts, runs, PUBLISHED, tmp_path / "table2")
    table = (tmp_path / "table2.md").read_text()
    assert len(lines_of(table, "c")) == 2
    assert "Data set own" in table
    # The paper's numbers stand beside the stand-in of its data set.
    assert "Data set glioma" in table
    assert "stands in for BraTS 2020" in table


def test_runs_made_again_replace_the_old_ones_and_lost_ones_are_forgotten(
    jobs: Callable[..., list[Job]], tmp_path: Path
) -> None:
    record = tmp_path / "table2.runs.json"
    old, new, gone = jobs(["c"], [0]), jobs(["c"], [1]), jobs(["c"], [0], dataset="gone")
    for job in (*old, *new):
        job.prepare()
    runs = old[0].folder.parent
    table2._remember(record, "gone/laptop", runs, gone)
    table2._remember(record, "own/laptop", runs, old)
    assert table2._remember(record, "own/laptop", runs, new) == {"own/laptop": [new[0].folder.name]}


def test_no_result_at_all_is_no_table(jobs: Callable[..., list[Job]], tmp_path: Path) -> None:
    (job,) = jobs(["c"], [0])
    job.prepare()
    job.fail("OOM")
    with pytest.raises(UserError, match="no run has a result"):
        table2.write({"own/laptop": [job.folder.name]}, job.folder.parent, PUBLISHED, tmp_path / "table2")


def test_the_figures_case_is_each_models_first_seed(jobs: Callable[..., list[Job]], tmp_path: Path) -> None:
    made = jobs(["d", "unet3d"], [1, 2])
    for job in made:
        finish(job, 0.5 + job.spec.seed / 10)
    table2._write_figure_case(made, tmp_path / "figure.npz")
    case = load(tmp_path / "figure.npz")
    assert (case.name, case.modality) == ("e", "flair")
    # In the order of the paper's table.
    assert case.dice == {"unet3d": 0.6, "d": 0.6}
    np.testing.assert_array_equal(case.predictions["d"], np.roll(case.label, 1, 0))


def test_a_study_fills_the_table(data_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PUBLISHED.parents[1])
    laptop = load_profile("laptop")
    profile = Profile("laptop", (0,), laptop.table)

    def run_jobs(jobs: Sequence[Job], cache: Path, workers: int, threads: int, label: str) -> None:
        assert (cache, workers, threads) == (tmp_path / "cache", 3, 1)
        assert label == "Table 2 on own"
        for job in jobs[:-1]:
            finish(job, 0.5)
        if len(finished) == 0:
            jobs[-1].prepare()
            jobs[-1].fail("OOM")
        else:
            finish(jobs[-1], 0.5)
        finished.append(len(jobs))

    finished: list[int] = []
    monkeypatch.setattr(table2, "run_jobs", run_jobs)
    assert not table2.run(profile, str(data_csv), tmp_path, 3, 1)
    assert "OOM" in (tmp_path / "tables" / "table2.md").read_text()
    assert len(load(tmp_path / "tables" / "table2-own-laptop.npz").predictions) == 8
    assert table2.run(profile, str(data_csv), tmp_path, 3, 1)
    assert len(load(tmp_path / "tables" / "table2-own-laptop.npz").predictions) == 9
    assert "OOM" not in (tmp_path / "tables" / "table2.md").read_text()
