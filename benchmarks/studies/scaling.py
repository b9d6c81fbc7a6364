"""Memory and time of every model against the volume's resolution: what operating in function space is for."""

from benchmarks.study import CUBE, DeviceType, EfficiencyStudy, Phase, Probe, Shape

EXTRACTIONS = {
    "unet3d": "dense",
    "unet2d-depth": "dense",
    "onet": "mise",
    "a": "mise",
    "b": "mise",
    "c": "mise",
    "d": "mise",
}
"""The models, and how each segments a whole volume: as it does by default.

On cubes all orientations of the slicing U-Net take the same.
"""

VOXELISED = ("unet3d", "unet2d-depth")
LOCATIONS = 2**14

PREDICTED_EDGES = (64, 128, 256, 512, 1024)
MEASURED_EDGES = (64, 128, 256, 512)

LAPTOP_EDGE = 64
"""All that a GPU is asked of this resolution a CPU is asked, too."""

LAPTOP_LARGER_EDGE = 128
LAPTOP_LARGER_PHASES: dict[str, tuple[Phase, ...]] = {
    "unet3d": ("training", "inference", "extraction"),
    "unet2d-depth": ("training",),
    "onet": ("training", "inference"),
    "c": ("training", "inference"),
}
"""And of this one so much, by model, for a laptop to be done in minutes."""

SLOWEST = ("unet2d-depth", 512)
"""Model and edge: taking all of its slices takes a GPU half a minute."""


def memory(edge: int) -> list[Probe]:
    """Ask for the memory of a training step, on one volume or slice, of one evaluation, and of a whole segmentation.

    A model of all voxels evaluates the whole volume, the slicing U-Net one slice a pass, and that is its segmentation.
    """
    steps = [
        Probe("memory", model, CUBE, cube(edge), phase, _locations(model))
        for phase in ("training", "inference")
        for model in EXTRACTIONS
    ]
    segmentations = [
        Probe("memory", model, CUBE, cube(edge), "extraction", LOCATIONS, extraction=extraction)
        for model, extraction in EXTRACTIONS.items()
        if model not in VOXELISED
    ]
    return steps + segmentations


def runtime(edge: int) -> list[Probe]:
    """Of the same, and of segmenting the whole volume, which for a model of all voxels is its evaluation."""
    training = [Probe("runtime", model, CUBE, cube(edge), "training", _locations(model)) for model in EXTRACTIONS]
    evaluations = [
        Probe("runtime", model, CUBE, cube(edge), "inference", LOCATIONS)
        for model in EXTRACTIONS
        if model not in VOXELISED
    ]
    segmentations = [
        Probe("runtime", model, CUBE, cube(edge), "extraction", _locations(model), extraction=extraction)
        for model, extraction in EXTRACTIONS.items()
    ]
    return training + evaluations + segmentations


def predicted() -> list[Probe]:
    """Memory at every resolution."""
    return [probe for edge in PREDICTED_EDGES for probe in memory(edge)]


def measured(device_type: DeviceType) -> list[Probe]:
    """Memory and time, the lowest resolution first: on a GPU up to 512 voxels a side, on a CPU what takes minutes."""
    if device_type == "cpu":
        larger = memory(LAPTOP_LARGER_EDGE) + runtime(LAPTOP_LARGER_EDGE)
        asked = [probe for probe in larger if probe.phase in LAPTOP_LARGER_PHASES.get(probe.model, ())]
        return [*memory(LAPTOP_EDGE), *runtime(LAPTOP_EDGE), *asked]
    probes = [probe for edge in MEASURED_EDGES for probe in memory(edge) + runtime(edge)]
    # What a GPU's ten minutes are too short for is left for another call, and must not keep the others from theirs.
    return sorted(probes, key=lambda probe: (probe.model, probe.shape[0]) == SLOWEST)


def cube(edge: int) -> Shape:
    """A volume of that many voxels a side."""
    return edge, edge, edge


def _locations(model: str) -> int | None:
    return None if model in VOXELISED else LOCATIONS


SCALING = EfficiencyStudy("scaling", "Memory and time against the volume's resolution", predicted, measured)
