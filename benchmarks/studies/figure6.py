"""Figure 6: memory of one pass against its number of locations, at the resolution of BraTS."""

from benchmarks.study import DeviceType, EfficiencyStudy, Implementation, Probe, Shape

MODELS = ("onet", "c")
DATASET = "brats"
SHAPE: Shape = (256, 256, 160)
LOCATIONS = tuple(2**power for power in range(8, 19))
LAPTOP_LOCATIONS = (2**8, 2**11, 2**14)
"""A pass of more takes a CPU minutes."""


def probes(locations: tuple[int, ...], implementation: Implementation = "suite") -> list[Probe]:
    """One pass of both models with each number of locations."""
    return [
        Probe("memory", model, DATASET, SHAPE, "inference", count, implementation=implementation)
        for model in MODELS
        for count in locations
    ]


def predicted() -> list[Probe]:
    """As this suite takes it, and as the code behind the paper's figure does."""
    return probes(LOCATIONS) + probes(LOCATIONS, "released")


def measured(device_type: DeviceType) -> list[Probe]:
    """Every number of locations on a GPU, a few on a CPU."""
    return probes(LOCATIONS if device_type == "cuda" else LAPTOP_LOCATIONS)


FIGURE6 = EfficiencyStudy("figure6", "Figure 6: memory of one pass", predicted, measured)
