"""Records of memory and runtime as numbers that claims are judged by."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.probes.answers import Answers
from benchmarks.probes.records import GIGABYTE, PREDICTED, ProbeRecord
from benchmarks.study import Study
from benchmarks.workload import Probe


@dataclass(frozen=True, eq=False)
class ProbeEvidence:
    """The numbers of one study of memory or runtime, in the columns that `benchmarks.claims.judge.judge` takes.

    Attributes:
        gpu: the GPU that measured, as tables name it; None if none has.
        numbers: its measurements: memory in GB of 10^9 bytes, exact; runtimes in seconds with the interval of their
            median.
        failures: the measurements that failed, each with its `reason`.
        predicted: the predictions for this suite.
    """

    gpu: str | None
    numbers: pd.DataFrame
    failures: pd.DataFrame
    predicted: pd.DataFrame


def read_judged(study: Study, results: Path, reference: Path) -> ProbeEvidence:
    """Read the numbers of a study that the paper's claims are about.

    Args:
        study: the study.
        results: a results folder.
        reference: the results folder whose records of a GPU are read if the first has none.

    Raises:
        UserError: a file cannot be read.
    """
    answers = Answers.read(study.name, results, reference)
    gpu = answers.gpu
    probes = study.evidence()
    measured = [] if gpu is None else _records(probes, answers, gpu)
    return ProbeEvidence(
        None if gpu is None else answers.title(gpu),
        _numbers(study.name, measured),
        pd.DataFrame(
            {**_head(study.name, record.probe), "reason": record.failure}
            for record in measured
            if record.failure is not None
        ),
        _numbers(study.name, _records(probes, answers, PREDICTED)),
    )


def quantity_of(probe: Probe) -> str:
    """Return the quantity of claims that a probe measures."""
    return f"{probe.phase}_memory" if probe.quantity == "memory" else "inference_runtime"


def _records(probes: Sequence[Probe], answers: Answers, machine: str) -> list[ProbeRecord]:
    records = [answers.of(machine, probe) for probe in probes]
    return [record for record in records if record is not None]


def _numbers(study: str, records: Sequence[ProbeRecord]) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for record in records:
        if record.result is None:
            continue
        head = _head(study, record.probe)
        if record.probe.quantity == "memory":
            value = record.result["allocated_bytes"] / GIGABYTE
            rows.append({**head, "unit": "GB", "value": value, "low": value, "high": value})
        else:
            median, low, high = (record.result[name] for name in ("median_s", "low_s", "high_s"))
            rows.append({**head, "unit": "s", "value": median, "low": low, "high": high})
    return pd.DataFrame(rows)


def _head(study: str, probe: Probe) -> dict[str, Any]:
    """Return the columns of `benchmarks.claims.schema.Column` that identify a probe."""
    head: dict[str, Any] = {"table": study, "dataset": probe.dataset, "model": probe.model}
    head["resolution"] = probe.resolution
    if probe.locations is not None:
        head["locations"] = probe.locations
    head["quantity"] = quantity_of(probe)
    if probe.quantity == "memory":
        return head
    how = {"slices": probe.batch_size} if probe.locations is None else {"extraction": probe.extraction}
    return {**head, **how}
