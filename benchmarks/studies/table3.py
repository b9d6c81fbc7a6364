"""Table 3: memory of every model, at the paper's resolutions."""

from dataclasses import replace

from benchmarks.layout import Layout
from benchmarks.probes.published import (
    FULL_LOCATIONS,
    UNETS,
    extractions,
    lean_trainings,
    paper_batches,
    published_memory,
    unet_memory,
    unet_probe,
)
from benchmarks.studies import successors
from benchmarks.studies.memory_table import table3_tables
from benchmarks.study import DeviceType, Study
from benchmarks.workload import Probe


def predicted() -> list[Probe]:
    """Return each of the paper's numbers for this suite and for the paper's code, and what the paper has no numbers of.

    The latter are lean trainings, the paper's batches, whole segmentations, variants of its U-Nets, and later models.
    """
    rows = [number.probe for number in published_memory()]
    released = [replace(probe, implementation="released") for probe in rows]
    variants = [unet_probe(number, unets) for unets in UNETS for number in unet_memory()]
    others = [*lean_trainings(), *paper_batches(), *extractions(), *variants, *successors.paper_volumes()]
    return list(dict.fromkeys([*rows, *released, *others]))


def measured(device_type: DeviceType) -> list[Probe]:
    """Return, on a GPU, each of the paper's numbers, its batches and whole segmentations.

    On a CPU only what takes seconds is measured: one pass of the function-space models on BraTS. A training step takes
    up to a minute there, and so does a slice of the slicing U-Net, which has many filters.
    """
    rows = [number.probe for number in published_memory()]
    if device_type == "cuda":
        return [*rows, *paper_batches(), *extractions()]
    return [
        probe
        for probe in rows
        if (probe.dataset, probe.phase, probe.locations) == ("brats", "inference", FULL_LOCATIONS)
    ]


def evidence() -> list[Probe]:
    """Return the probes of the paper's own numbers, by which its claims are judged."""
    return [number.probe for number in published_memory()]


TABLE3 = Study(
    Layout("table3", "Table 3: memory"),
    predicted=predicted,
    measured=measured,
    tables=lambda found: table3_tables(found.answers),
    evidence=evidence,
)
