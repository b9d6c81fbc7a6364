import pickle
import time
from dataclasses import replace
from pathlib import Path
from threading import Barrier, Thread

from ossnet.data import preparation
from ossnet.data.case import Case, Dataset
from ossnet.data.preparation import prepare_all
from ossnet.data.prepared import PreparedCases
from ossnet.data.preprocessing import Preprocessing
from ossnet.sampling import Sampling

PREPROCESSING = Preprocessing(shape=(16, 16, 16), fit="pad")


def test_cases_that_cannot_be_prepared_keep_none_from_it(dataset: Dataset, tmp_path: Path) -> None:
    def load(name: str) -> Case:
        case = dataset.load(name)
        return replace(case, label=None) if name in "bd" else case

    changed = replace(dataset, load=load)
    parts = [PreparedCases(changed, split, PREPROCESSING, tmp_path) for split in ("train", "validation")]
    reports: list[tuple[int, int, str]] = []
    problems = prepare_all(parts, 1, lambda *report: reports.append(report))
    assert problems.keys() == {"b", "d"}
    assert reports == [(done, 4, name) for done, name in enumerate("abcd", start=1)]
    assert len(list(tmp_path.rglob("case.json"))) == 2


def test_a_task_can_go_to_another_process(dataset: Dataset, tmp_path: Path) -> None:
    task = preparation._Task(PreparedCases(dataset, "test", PREPROCESSING, tmp_path), "e")
    assert preparation._prepare(pickle.loads(pickle.dumps(task))) == ("e", None)
    assert len(list(tmp_path.rglob("case.json"))) == 1


def test_two_at_once_prepare_a_case_once(dataset: Dataset, tmp_path: Path) -> None:
    loaded: list[str] = []
    both = Barrier(2)

    def load(name: str) -> Case:
        loaded.append(name)
        time.sleep(0.05)
        return dataset.load(name)

    def work() -> None:
        cases = PreparedCases(replace(dataset, load=load), "train", PREPROCESSING, tmp_path, Sampling("border"))
        both.wait()
        assert prepare_all([cases], 1, lambda *_: None) == {}

    threads = [Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(loaded) == ["a", "b", "c"]
