"""Table 3: memory of every model, at the paper's resolutions."""

from dataclasses import replace

from benchmarks.probes.published import (
    FULL_LOCATIONS,
    UNETS,
    extractions,
    paper_batches,
    published_memory,
    unet_memory,
    unet_probe,
)
from benchmarks.studies.memory_table import table3_grids
from benchmarks.study import DeviceType, Layout, Probe, Study


def predicted() -> list[Probe]:
    """Each number as this suite takes it and as the paper's code does, and what the paper has no number of.

    That is its batches, whole segmentations and variants of U-Nets.
    """
    rows = [number.probe for number in published_memory()]
    released = [replace(probe, implementation="released") for probe in rows]
    variants = [unet_probe(number, unets) for unets in UNETS for number in unet_memory()]
    return list(dict.fromkeys([*rows, *released, *paper_batches(), *extractions(), *variants]))


def measured(device_type: DeviceType) -> list[Probe]:
    """On a GPU every number, the paper's batches and whole segmentations.

    On a CPU only what takes seconds there: one pass of the function-space models on BraTS. A training step takes up to
    a minute, and so does a slice of the slicing U-Net, whose filters are many.
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
    """Return the probes that claims are judged by: those of the paper's own numbers."""
    return [number.probe for number in published_memory()]


TABLE3 = Study(
    Layout("table3", "Table 3: memory"),
    predicted=predicted,
    measured=measured,
    tables=lambda found: table3_grids(found.answers),
    evidence=evidence,
)
