"""Predictions by several processes are those of one."""

from dataclasses import replace
from multiprocessing import active_children

import pytest

from benchmarks.probes import predictions
from benchmarks.workload import Probe

TINY = Probe("memory", "c", "cube", (16, 16, 16), "inference", locations=32)
PROBES = [*(replace(TINY, locations=count) for count in (1, 2, 3)), replace(TINY, quantity="runtime")]


@pytest.mark.parametrize("probes_per_process", [1, 16])
def test_each_probe_has_its_own_prediction(probes_per_process: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictions, "PROBES_PER_PROCESS", probes_per_process)
    outcomes = dict(predictions.predictions(PROBES))
    assert list(map(predictions.predict, PROBES)) == [outcomes[probe] for probe in PROBES]
    assert [outcomes[probe].failure is None for probe in PROBES] == [True, True, True, False]


def test_processes_end_where_the_iteration_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictions, "PROBES_PER_PROCESS", 1)
    answers = predictions.predictions([replace(TINY, locations=count) for count in range(1, 40)])
    next(answers)
    answers.close()
    assert not any(process.name.startswith("ForkServer") for process in active_children())
