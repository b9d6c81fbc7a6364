"""Memory and time of each run of a study, from its records. This module never imports torch."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from benchmarks.markup import machine_text
from benchmarks.report.score_records import Record, Records

MEMORY = ("allocated_bytes", "reserved_bytes", "process_bytes", "resident_bytes")
"""The counts of memory in `benchmarks.machine.peak_memory`."""

PHASES = ("training", "segmentation")

COSTS = [
    *(f"{phase}_{kind}" for phase in PHASES for kind in MEMORY),
    *("training_s", "validation_s", "segmentation_s", "steps", "locations_seen", "voxels_seen", "parameters"),
]
"""The columns of `costs_of` that hold numbers."""


def costs_of(records: Sequence[Records], columns: Sequence[str] = ()) -> pd.DataFrame:
    """Return the costs of every run that has a result, one row per run.

    Args:
        records: the records of the study.
        columns: the study's columns that identify a row of its table, without the model.

    Returns:
        Columns dataset, profile, protocol, model, seed, `columns`, `device` and `COSTS`. The latter are peaks of memory
        in bytes, of training and of segmentation (see `benchmarks.experiments.training` and
        `benchmarks.machine.peak_memory`);
        `training_s`, the seconds of all epochs over all attempts, and `validation_s`, the part of them for validation;
        `segmentation_s`, the median over cases of the seconds of a segmentation; `steps` of the optimiser;
        `locations_seen` or `voxels_seen`, the number of locations or voxels whose labels were learned from, counted
        every time; and the model's `parameters`. NaN stands for what was not recorded, as in records of earlier
        versions.
    """
    rows = [
        {
            **{name: row[name] for name in ("dataset", "profile", "model", "seed")},
            "protocol": row["result"]["protocol"],
            **{name: row["columns"].get(name) for name in columns},
            **_costs(row),
        }
        for part in records
        for row in part.rows
        if row.get("scores") and "result" in row
    ]
    head = ["dataset", "profile", "protocol", "model", "seed", *columns, "device"]
    return pd.DataFrame(rows, columns=[*head, *COSTS]).astype(dict.fromkeys(COSTS, float))


def _costs(row: Record) -> dict[str, Any]:
    scoring = row.get("provenance", {})
    training = row.get("training", {})
    # Earlier versions trained within the run, and counted no memory.
    trained = training.get("provenance", scoring)
    memory = {"training": training.get("provenance", {}).get("memory", {}), "segmentation": scoring.get("memory", {})}
    return {
        "device": device_of(trained),
        **{f"{phase}_{kind}": memory[phase].get(kind) for phase in PHASES for kind in MEMORY},
        **{name: trained.get("timing", {}).get(name) for name in ("training_s", "validation_s")},
        "segmentation_s": scoring.get("timing", {}).get("extraction_s_median"),
        **{name: training.get("result", {}).get(name) for name in ("steps", "locations_seen", "voxels_seen")},
        "parameters": training.get("result", row["result"]).get("parameters"),
    }


def device_of(provenance: Mapping[str, Any]) -> str:
    """Return the machine of the last attempt, see `machine_text`; empty if not recorded."""
    attempts = provenance.get("attempts")
    return machine_text(attempts[-1]) if attempts else ""
