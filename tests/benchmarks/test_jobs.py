import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.jobs import Job
from ossnet.run import RunSpec, read_spec


@pytest.fixture
def job(tiny_spec: Callable[..., RunSpec], tmp_path: Path) -> Job:
    return Job.under(tmp_path / "runs", tiny_spec("c", seed=3), "own.csv", "laptop")


def test_a_job_has_a_folder_of_its_specification(job: Job, tiny_spec: Callable[..., RunSpec], tmp_path: Path) -> None:
    assert job.folder.parent == tmp_path / "runs"
    assert job.folder.name == f"own-c-seed3-{job.spec.identity[:12]}"
    assert job.name == "c seed 3"
    other = tiny_spec("c", seed=3, changes={"recipe": {"epochs": 4}})
    assert Job.under(tmp_path / "runs", other, "own.csv", "laptop").folder != job.folder


def test_a_fresh_job_is_neither_done_nor_failed(job: Job) -> None:
    for _ in range(2):
        assert not job.done
        assert job.failure is None
        assert job.trained() == 0
        job.prepare()
    assert read_spec(job.folder) == job.spec
    assert json.loads((job.folder / "job.json").read_text()) == {"source": "own.csv", "profile": "laptop"}


def test_a_failure_is_told_and_tried_again(job: Job) -> None:
    job.fail("OOM")
    assert job.failure == "OOM"
    assert not job.done
    job.prepare()
    assert job.failure is None
    assert not (job.folder / "failure.json").exists()


def test_a_result_outweighs_an_old_failure(job: Job) -> None:
    job.fail("OOM")
    (job.folder / "result.json").write_text("{}")
    assert job.done
    assert job.failure is None


@pytest.mark.parametrize(("epochs", "part"), [(0, 0), (1, 1 / 3), (3, 1)])
def test_how_far_it_is_stands_in_its_history(epochs: int, part: float, job: Job) -> None:
    job.prepare()
    rows = [f"{epoch},0.5,1.0,," for epoch in range(epochs)]
    (job.folder / "history.csv").write_text("\n".join(["epoch,loss,seconds,dice,iou", *rows]) + "\n")
    assert job.trained() == pytest.approx(part)
