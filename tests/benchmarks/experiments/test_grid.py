from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.experiments import grid
from benchmarks.experiments.grid import plan_study
from benchmarks.runs.plan import Plan
from benchmarks.runs.run_folder import identity
from benchmarks.runs.sweep import longest_first
from benchmarks.scoring.registry import read_scoring
from benchmarks.scoring.scoring import Job
from benchmarks.studies.registry import STUDIES
from benchmarks.study import Point
from ossnet.config import plain
from ossnet.data.case import Dataset
from ossnet.data.sources import open_dataset
from ossnet.errors import UserError
from ossnet.training.profile import load_profile

JOB = Job("glioma", {}, "cache", 1, "python -m benchmarks run")


@pytest.fixture(autouse=True)
def _work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that need not be counted, which takes seconds for the models of the studies."""
    monkeypatch.setattr(grid, "training_work", lambda spec, cases: 1.0 + spec.seed)


@pytest.fixture(scope="module")
def gliomas(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    generator = load_profile("laptop").generator("glioma")
    return open_dataset("glioma", generator, tmp_path_factory.mktemp("cache"), workers=0)


def test_what_two_studies_have_in_common_is_run_once(gliomas: Dataset, tmp_path: Path) -> None:
    profile = load_profile("laptop")
    plan1, runs1 = plan_study(STUDIES["table1"], profile, gliomas, JOB, tmp_path, 1e9)
    plan2, runs2 = plan_study(STUDIES["table2"], profile, gliomas, JOB, tmp_path, 1e9)
    assert (plan1.stem, plan2.stem) == ("table1-glioma-laptop", "table2-glioma-laptop")
    assert len(runs1) == len(runs2) == 27
    shared = [runs1[folder].run for folder in runs1.keys() & runs2.keys()]
    assert sorted((run.model, run.columns["sampling"], run.columns["locations"], run.seed) for run in shared) == [
        ("c", "uniform", 2**14, seed) for seed in profile.seeds
    ]


def test_a_planned_run_is_what_a_worker_reads(gliomas: Dataset, tmp_path: Path) -> None:
    _, runs = plan_study(STUDIES["table2"], load_profile("laptop"), gliomas, JOB, tmp_path, 1e9)
    one = next(iter(runs.values()))
    one.run.prepare(one.spec, one.job)
    scoring = read_scoring(one.run.folder)
    assert plain(scoring) == one.spec
    assert one.run.folder.name == f"glioma-unet3d-seed0-{one.run.folder.name.split('-')[-1]}"
    assert one.run.epochs == one.spec["training"]["recipe"]["epochs"]
    assert one.run.training == tmp_path / "trainings" / f"glioma-unet3d-seed0-{identity(one.spec['training'])[:12]}"


def test_extractions_and_their_sizes_share_a_training(dataset: Dataset, tmp_path: Path) -> None:
    points = [Point("c", 0, {"n": n}, extraction=how, max_locations=n) for how in ("mise", "dense") for n in (64, 128)]
    study = replace(STUDIES["table2"], grid=lambda _: points)
    plan, runs = plan_study(study, load_profile("laptop"), dataset, JOB, tmp_path, 1e9)
    assert len(runs) == 4
    assert len({run.training for run in plan.runs}) == 1


def test_the_longest_come_first(gliomas: Dataset, tmp_path: Path) -> None:
    _, runs = plan_study(STUDIES["table2"], load_profile("laptop"), gliomas, JOB, tmp_path, 1e9)
    works = [one.run.work for one in longest_first(list(runs.values()))]
    assert works == sorted(works, reverse=True)
    assert works[0] > works[-1] > 0


def test_another_data_set_of_the_same_name_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    study = replace(STUDIES["table2"], grid=lambda _: [Point("c", 0)])

    def plan(dataset: Dataset, source: str, profile: str = "laptop") -> Plan:
        job = replace(JOB, source=source)
        return plan_study(study, load_profile(profile), dataset, job, tmp_path, 1e9)[0]

    earlier, other = plan(dataset, "data/own.csv"), replace(dataset, fingerprint="other")
    earlier.write(tmp_path)
    for profile in ("laptop", "paper"):
        with pytest.raises(UserError, match=r"table2-own-laptop\.json .*data/own\.csv.*new/own\.csv.*--results"):
            plan(other, "new/own.csv", profile=profile)
    # It may have moved or changed, and another name is no matter.
    assert plan(dataset, "new/own.csv").stem == plan(other, "data/own.csv").stem == earlier.stem
    assert plan(replace(other, name="new"), "new.csv").stem == "table2-new-laptop"


def test_a_data_set_with_nothing_to_score_is_refused(data_csv: Path, tmp_path: Path) -> None:
    table = tmp_path / "own.csv"
    rows = data_csv.read_text().replace(",test", ",train").replace(",e-", f",{data_csv.parent}/e-").splitlines()
    table.write_text("\n".join([rows[0], rows[-1]]) + "\n")
    nothing = open_dataset(str(table), {}, tmp_path)
    with pytest.raises(UserError, match="data set own has no test and no validation cases"):
        plan_study(STUDIES["table2"], load_profile("laptop"), nothing, JOB, tmp_path, 1e9)
