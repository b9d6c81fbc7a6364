"""Records of few seeds and cases, whose means are known, segmentations, and records of memory and runtime."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.probes import records as probe_records
from benchmarks.probes.records import ProbeRecord
from benchmarks.report.score_records import Records
from benchmarks.workload import Probe

SHIFTS = {"x": 0.1, "y": -0.1}
"""By how much a case scores more than the mean of all."""

WriteRecords = Callable[..., Path]


def row(model: str, seed: int, columns: Mapping[str, Any], dice: float | None) -> dict[str, Any]:
    overlap = {case: None if dice is None else dice + shift for case, shift in SHIFTS.items()}
    distance = dict.fromkeys(SHIFTS, None if dice is None else 10 * (1 - dice))
    scores = {"dice": overlap, "iou": overlap, "hausdorff95": distance}
    return {"model": model, "seed": seed, "columns": columns, "result": {"protocol": "dense"}, "scores": scores}


@pytest.fixture(scope="session")
def write_records() -> WriteRecords:
    """Write what a study left on a data set: a mean Dice for each run (None: no valid score), or why it failed."""

    def write(
        folder: Path,
        study: str,
        runs: Sequence[tuple[str, int, Mapping[str, Any], float | str | None]],
        dataset: str = "glioma",
        profile: str = "laptop",
    ) -> Path:
        head = {"study": study, "dataset": dataset, "profile": profile}
        rows = [
            head | {"model": model, "seed": seed, "columns": columns, "failure": outcome}
            if isinstance(outcome, str)
            else head | row(model, seed, columns, outcome)
            for model, seed, columns, outcome in runs
        ]
        Records(study, dataset, profile, tuple(rows)).write(folder)
        return folder / f"{study}-{dataset}-{profile}.jsonl"

    return write


@pytest.fixture(scope="session")
def write_case() -> Callable[..., Path]:
    """Write a case that all of some models segment as its label."""

    def write(path: Path, *models: str) -> Path:
        mask = np.zeros((8, 9, 7), bool)
        mask[2:6, 3:7, 2:5] = True
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(
            path,
            **{"case": np.array("case"), "modality": np.array("flair"), "label": mask, "models": np.array(models)},
            **{"image": mask + np.random.default_rng(0).random(mask.shape), "dice": np.ones(len(models))},
            **{"predictions": np.stack([mask] * len(models)), "affine": np.diag([-2.0, -2.0, 2.0, 1.0])},
        )
        return path

    return write


Answer = tuple[Probe, Mapping[str, Any] | str]


@pytest.fixture(scope="session")
def write_probes() -> Callable[..., Path]:
    """Write a machine's results for the probes of a study (a text: why it failed); return the folder of records."""

    def write(results: Path, study: str, machine: str, answers: Sequence[Answer]) -> Path:
        provenance = {"cpu": {"model": "Test(R) CPU @ 2.90GHz", "torch_threads": 1}}
        records = [
            ProbeRecord(study, probe, machine, None, result, provenance)
            if isinstance(result, str)
            else ProbeRecord(study, probe, machine, result, None, provenance)
            for probe, result in answers
        ]
        probe_records.write_records(records, results)
        return results / "efficiency"

    return write
