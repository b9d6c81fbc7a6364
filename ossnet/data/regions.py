"""Regions of a label: named sets of stored label values, to be scored or to be learned as nested regions.

The regions of BraTS are those of its challenge: the whole tumour includes the core, and the core the enhancing tumour.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field

from ossnet.data.label_names import LabelNames, Named, canonical_names, refuse_other_names

RegionValue = Annotated[int, Field(ge=1, le=255)]

MEAN = "mean"
"""Name of the mean over classes or regions in tables, which is therefore no region's."""


class Region(NamedTuple):
    """A named region of a label.

    Attributes:
        name: name in tables.
        values: stored label values of its voxels, without the background.
    """

    name: str
    values: tuple[RegionValue, ...]


NAMED: Mapping[str, tuple[Region, ...]] = {
    "brats": (
        Region("whole tumour", (1, 2, 4)),
        Region("tumour core", (1, 4)),
        Region("enhancing tumour", (4,)),
    ),
    "brats2023": (
        Region("whole tumour", (1, 2, 3)),
        Region("tumour core", (1, 3)),
        Region("enhancing tumour", (3,)),
    ),
    "brats-msd": (
        Region("whole tumour", (1, 2, 3)),
        Region("tumour core", (2, 3)),
        Region("enhancing tumour", (3,)),
    ),
    "lits": (Region("liver", (1, 2)), Region("tumour", (2,))),
}
"""Sets of regions by name.

The enhancing tumour has the value 4 up to BraTS 2021, and 3 from 2023 on. Task 1 of the Medical Segmentation Decathlon
has other values for the rest, too: 1 is the oedema and 2 the core that is not enhancing.
"""


LABEL_NAMES: Mapping[str, LabelNames] = {
    "brats": {1: "necrotic core", 2: "oedema", 4: "enhancing tumour"},
    "brats2023": {1: "necrotic core", 2: "oedema", 3: "enhancing tumour"},
    "brats-msd": {1: "oedema", 2: "non-enhancing tumour", 3: "enhancing tumour"},
    "lits": {1: "liver", 2: "tumour"},
}
"""Names of the label values of which the regions in `NAMED` consist."""


def assumed_names(regions: Any) -> LabelNames:
    """Return the names of label values that regions assume; none if they are not of `NAMED`, by their name or all."""
    return next((LABEL_NAMES[name] for name, of_name in NAMED.items() if regions in (name, of_name)), {})


def refuse_other_regions(regions: str, option: str, *places: Named) -> None:
    """Raise a UserError if regions of a name do not consist of what the label values mean.

    Args:
        regions: a name in `NAMED`; another one is left to `as_pairs`.
        option: what gave the regions, for messages.
        places: names of the label values in the data or the training that the regions are for.
    """
    for place in places:
        known = canonical_names(place.names)
        fitting = [name for name, names in LABEL_NAMES.items() if canonical_names(names) == known]
        choice = f"{fitting[0]}, which fits," if fitting else "other regions"
        refuse_other_names(
            [region.values for region in NAMED.get(regions, ())],
            Named(f"{option}={regions}", assumed_names(regions)),
            place,
            f"give {choice} or a table of label values by region",
        )


def as_pairs(regions: Any) -> Any:
    """Return the regions of a name in `NAMED`, or of a table of label values by name, as a sequence of pairs.

    Such a sequence, as it is stored, is returned as it is, and so is None.

    Raises:
        ValueError: there is no such name, or it is something else.
    """
    if isinstance(regions, str):
        if regions not in NAMED:
            raise ValueError(f"{regions!r} is none of {', '.join(NAMED)}; or give a table of label values by name")
        return NAMED[regions]
    pairs = tuple(regions.items()) if isinstance(regions, Mapping) else regions
    if pairs is not None and not (isinstance(pairs, list | tuple) and all(map(_is_pair, pairs))):
        raise ValueError(
            f"{regions!r} gives no regions; give one of {', '.join(NAMED)}, or a table with a list of label values for "
            "each region, such as {core=[1,4],oedema=[2]}"
        )
    return pairs


def _is_pair(item: Any) -> bool:
    """Return whether something is a name and a list of values."""
    return (
        isinstance(item, list | tuple)
        and len(item) == 2
        and isinstance(item[0], str)
        and isinstance(item[1], list | tuple)
    )


def require_distinct(regions: tuple[Region, ...]) -> tuple[Region, ...]:
    """Return regions as they are.

    Raises:
        ValueError: there is none, two have the same name, or one has no value or the same twice.
    """
    names = [region.name for region in regions]
    if not names or len({*names, MEAN, ""}) < len(names) + 2:
        raise ValueError(f"regions must have different names other than {MEAN!r}, at least one; got {names}")
    for name, values in regions:
        if not values or len(set(values)) < len(values):
            raise ValueError(f"region {name!r} holds {list(values)}; give at least one label value, each once")
    return regions


def outermost_first(regions: Sequence[Region]) -> tuple[Region, ...]:
    """Return nested regions from the outermost inwards, with their values in increasing order.

    Raises:
        ValueError: of two regions, neither includes the other.
    """
    ordered = sorted((Region(name, tuple(sorted(values))) for name, values in regions), key=lambda r: -len(r.values))
    for outer, inner in pairwise(ordered):
        if not set(inner.values) < set(outer.values):
            raise ValueError(
                f"regions {outer.name!r} {list(outer.values)} and {inner.name!r} {list(inner.values)} are not nested; "
                "each region must include the next smaller one and more"
            )
    return tuple(ordered)


Regions = Annotated[tuple[Region, ...], BeforeValidator(as_pairs), AfterValidator(require_distinct)]
"""Type of regions in configurations, see `as_pairs`."""

NestedRegions = Annotated[Regions, AfterValidator(outermost_first)]
"""Type of nested regions in configurations."""


def label_values_of(regions: Sequence[Region]) -> tuple[int, ...]:
    """Return the label value of each class of nested regions, as they are ordered by `outermost_first`.

    They are that of the background, 0, then that of each region without the next inner one. A segmentation is written
    in these values.

    Raises:
        ValueError: a region without the next inner one has several values, of which none could be chosen.
    """
    values = [0]
    for region, inner in zip(regions, [*regions[1:], None], strict=True):
        own = set(region.values) - set(inner.values if inner else ())
        if len(own) > 1:
            without = f" without {inner.name!r}" if inner else ""
            raise ValueError(
                f"region {region.name!r}{without} holds the label values {sorted(own)}, and a segmentation cannot be "
                "written back in several; add a region between them, or leave a value out"
            )
        values += own
    return tuple(values)


def regions_for(dataset: str, regions: Any) -> Any:
    """Return the regions for a data set: `brats2023` for `brats` in the data set of that name, others as they are."""
    return dataset if (dataset, regions) == ("brats2023", "brats") else regions
