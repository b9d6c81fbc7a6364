"""Names of label values, by which it is seen that a value means different things in two data sets.

Data sets have the same values for different things: 1 is the necrotic core in BraTS, and the oedema in Task 1 of the
Medical Segmentation Decathlon.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ossnet.errors import UserError

LabelNames = Mapping[int, str]
"""Names of label values above 0. A value without a name is missing."""

SPELLINGS = {
    "edema": "oedema",
    "nonenhancing": "non enhancing",
    "peritumoral": "peritumoural",
    "tumor": "tumour",
    "tumors": "tumours",
}
"""Words that are spelt in two ways."""

SYNONYMS: Mapping[str, Sequence[str]] = {
    "oedema": (
        "ed",
        "peritumoural oedema",
        "snfh",
        "surrounding non enhancing flair hyperintensity",
        "whole tumour without tumour core",
    ),
    "necrotic core": (
        "ncr",
        "ncr net",
        "necrosis",
        "necrotic and non enhancing tumour core",
        "necrotic tumour core",
        "net",
        "netc",
        "non enhancing",
        "non enhancing tumour",
        "non enhancing tumour core",
        "tumour core without enhancing tumour",
    ),
    "enhancing tumour": ("enhancing", "enhancing tissue", "et", "gd enhancing tumour"),
    "tumour": ("cancer", "liver tumour"),
}
"""Other names of the parts of gliomas in the years of BraTS, and of tumours in the Decathlon, in canonical spelling.

The core of a glioma that does not enhance is one value in BraTS since 2017, whatever of it is necrotic.
"""

_CANONICAL = {other: name for name, others in SYNONYMS.items() for other in others}

_NO_NAME = re.compile(r"(class|label|value)? ?\d*")
"""Names that say nothing, such as `label 1`."""


class Named(NamedTuple):
    """Names of label values and what they belong to.

    Attributes:
        owner: data set or training of the names, in messages.
        names: the names.
    """

    owner: str
    names: LabelNames


def canonical(name: str) -> str:
    """Return a name in lower case, in British spelling and without punctuation; of synonyms, one for all.

    `kidney without tumour` is the kidney, since a voxel has one value.

    >>> canonical("Non-enhancing_tumor")
    'necrotic core'
    """
    words = re.sub(r"[\W_]+", " ", name.casefold()).split()
    spelt = " ".join(SPELLINGS.get(word, word) for word in words)
    if spelt not in _CANONICAL:
        spelt = spelt.partition(" without ")[0]
    return _CANONICAL.get(spelt, spelt)


def canonical_names(names: LabelNames) -> dict[int, str]:
    """Return the canonical names of values, without those that say nothing and those that several values share."""
    found = {value: canonical(name) for value, name in names.items()}
    said = list(found.values())
    return {value: name for value, name in found.items() if not _NO_NAME.fullmatch(name) and said.count(name) == 1}


def refuse_other_names(scored: Iterable[Sequence[int]], one: Named, other: Named, remedy: str) -> None:
    """Raise a UserError if label values mean different things in two places.

    Values that only one of them names are not compared, nor are names that several values share.

    Args:
        scored: sets of label values, each of a class or region. Values of a set may be exchanged among each other, as
            the whole tumour is the same whatever the values of its parts are.
        one: names of the values.
        other: other names of the same values.
        remedy: what to do, for the message.

    Raises:
        UserError: a set differs. The message has its values and both names.
    """
    ours, theirs = canonical_names(one.names), canonical_names(other.names)
    differing = set()
    for values in scored:
        named = [value for value in values if value in ours and value in theirs]
        if sorted(ours[value] for value in named) != sorted(theirs[value] for value in named):
            differing |= {value for value in named if ours[value] != theirs[value]}
    if differing:
        pairs = ", ".join(f"{value} is {one.names[value]!r} and {other.names[value]!r}" for value in sorted(differing))
        raise UserError(f"label values have other meanings in {one.owner} than in {other.owner}: {pairs}; {remedy}")


def not_compared(values: Iterable[int], one: Named, other: Named) -> str | None:
    """Return a sentence for the user if some label values cannot be compared, since they have no names of their own.

    Args:
        values: the label values.
        one: names of the values.
        other: other names of the same values.
    """
    left, owners = set[int](), []
    for place in (one, other):
        if unnamed := set(values) - canonical_names(place.names).keys():
            left |= unnamed
            owners.append(place.owner)
    if not left:
        return None
    shown = ", ".join(map(str, sorted(left)))
    return (
        f"what the label values {shown} mean was not compared, since {' and '.join(owners)} "
        f"{'do' if len(owners) > 1 else 'does'} not name each of them"
    )
