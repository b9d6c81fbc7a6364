"""Figure 5: runtime of a whole segmentation against the locations of a pass, with both inferences of Section 3.3.

The paper's text and its released code differ in what the improved inference evaluates of the first grid: all that the
encoder's segmentation leaves unoccupied, or only what it marks as occupied. See `ossnet.inference.extraction`.

The paper averages over its validation cases and uses the encoder's own segmentations. Here one closed-form volume is
segmented, from its target max-pooled to the encoder's grid, which misses nothing and marks too much; what priors of
trained models come to is for `benchmarks.studies.inference`.
"""

from benchmarks.study import DeviceType, EfficiencyStudy, Probe, Shape

MODEL = "c"
DATASET = "brats"
READINGS = {"the paper's text": ("mise", "paper-prior"), "the released code": ("released", "released-prior")}
"""The original and the improved inference, as each has them."""

SHAPES: dict[DeviceType, Shape] = {"cuda": (256, 256, 160), "cpu": (128, 128, 80)}
"""The paper's volume; half of its resolution, which a laptop segments in seconds."""

LOCATIONS: dict[DeviceType, tuple[int, ...]] = {
    "cuda": tuple(2**power for power in range(8, 18)),
    "cpu": (2**8, 2**12, 2**16),
}
"""Most locations of a pass. A laptop takes minutes for each: the ends, and where the paper's runtimes turn flat."""

FULL_LOCATIONS = 2**14
"""A laptop is asked for the paper's volume as well, with this number alone: it takes minutes."""

SLICING = "unet2d-depth"
"""The slicing U-Net in its best orientation on BraTS (Table 2)."""

SLICES = (1, 32)
"""Slices of a pass: Section 4.3 has times for one and for several, taken to be the 32 of a training batch."""


def predicted() -> list[Probe]:
    """None: no time is predicted."""
    return []


def measured(device_type: DeviceType) -> list[Probe]:
    """Both inferences, in both readings, and on a GPU the slicing U-Net that Section 4.3 compares them with."""
    shape = SHAPES[device_type]
    probes = [
        probe(shape, locations, extraction)
        for locations in LOCATIONS[device_type]
        for pair in READINGS.values()
        for extraction in pair
    ]
    if device_type == "cpu":
        probes += [
            probe(SHAPES["cuda"], FULL_LOCATIONS, extraction) for pair in READINGS.values() for extraction in pair
        ]
    else:
        probes += [
            Probe("runtime", SLICING, DATASET, shape, "extraction", batch_size=slices, extraction="dense")
            for slices in SLICES
        ]
    return probes


def probe(shape: Shape, locations: int, extraction: str) -> Probe:
    """The runtime of one extraction of a whole volume."""
    return Probe("runtime", MODEL, DATASET, shape, "extraction", locations, extraction=extraction)


FIGURE5 = EfficiencyStudy("figure5", "Figure 5: runtime of a segmentation", predicted, measured)
