"""The study `sizes`: OSS-Net C with smaller and larger patches, decoders and encoders."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from benchmarks.layout import Layout
from benchmarks.studies.ablations import QUANTITIES
from benchmarks.study import Point, Study

if TYPE_CHECKING:
    from ossnet.training.profile import Profile

MODEL = "c"
BASELINE = ("OSS-Net C", "as it is")
CHANGES = (
    *("smaller patches", "larger patches"),
    *("narrower decoder", "wider decoder"),
    *("fewer decoder blocks", "more decoder blocks"),
    *("shallower encoder", "deeper encoder"),
)

DEFAULTS = {
    "patch_size": 7,
    "decoder_width": 512,
    "decoder_blocks": 5,
    "encoder_channels": (16, 32, 64, 128),
}
"""The paper's sizes, which a profile changes."""


def grid(profile: "Profile") -> Sequence[Point]:
    """Return every size with every seed of the profile."""
    rows = {BASELINE: dict[str, Any]()} | sizes_of(DEFAULTS | profile.settings(MODEL).get("network", {}))
    return [
        Point(MODEL, seed, {"change": change, "size": size}, {"network": network} if network else {})
        for (change, size), network in rows.items()
        for seed in profile.seeds
    ]


def sizes_of(network: Mapping[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return settings by change and size, which is a text, around those of a network.

    Patches are 2 voxels smaller or larger, decoders have half or twice the width, or 2 blocks fewer or more; encoders
    have one block fewer, the last one, or one more, with twice as many channels.
    """
    patch, width, blocks = (network[name] for name in ("patch_size", "decoder_width", "decoder_blocks"))
    channels = list(network["encoder_channels"])
    sizes = (
        *((str(size), {"patch_size": size}) for size in (patch - 2, patch + 2)),
        *((str(size), {"decoder_width": size}) for size in (width // 2, 2 * width)),
        *((str(size), {"decoder_blocks": size}) for size in (blocks - 2, blocks + 2)),
        *((str(len(size)), {"encoder_channels": size}) for size in (channels[:-1], [*channels, 2 * channels[-1]])),
    )
    return {(change, size): settings for change, (size, settings) in zip(CHANGES, sizes, strict=True)}


SIZES = Study(
    Layout(
        table="sizes",
        title="Sizes of OSS-Net C",
        heads={"model": None, "change": "Change", "size": "Size"},
        rows=[(MODEL, *BASELINE), *((MODEL, change) for change in CHANGES)],
        baseline=(MODEL, *BASELINE),
        quantities=QUANTITIES,
        note=(
            "Size: the edge of a patch in voxels, the number of features or of blocks of the decoder, or the number of "
            "blocks of the encoder"
        ),
    ),
    grid,
    only_by_name=True,
)
