"""Regions of labels: what they make of classes and label values, and back."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ossnet.config import build, digest, plain
from ossnet.data.case import Case
from ossnet.data.label_names import canonical_names
from ossnet.data.preprocessing import Preprocessing, class_indices, prepare
from ossnet.data.regions import LABEL_NAMES, NAMED, Region, assumed_names, regions_for
from ossnet.errors import UserError

SHAPE = (3, 1, 2)


def with_regions(regions: Any, **others: Any) -> Preprocessing:
    return build(Preprocessing, {"shape": SHAPE, "regions": regions, **others}, "test")


BRATS = with_regions("brats")


@pytest.mark.parametrize(
    ("regions", "values"),
    [
        ("brats", (0, 2, 1, 4)),
        ("brats2023", (0, 2, 1, 3)),
        ("lits", (0, 1, 2)),
        ({"tumour": [3]}, (0, 3)),
        ({"inner": [7], "outer": [9, 7]}, (0, 9, 7)),
    ],
)
def test_classes_are_ordered_from_the_outermost_region_inwards(regions: Any, values: tuple[int, ...]) -> None:
    preprocessing = with_regions(regions)
    assert (preprocessing.label_values, preprocessing.classes) == (values, len(values))
    assert [set(region.values) for region in preprocessing.regions or ()] == [
        set(values[depth:]) for depth in range(1, len(values))
    ]


def test_a_label_comes_back_as_it_was_stored() -> None:
    label = np.array([[[0, 1]], [[2, 4]], [[4, 0]]], dtype=np.uint8)
    case = Case("x", np.zeros((1, *SHAPE), np.float32), label, np.diag([-1.0, -1, 1, 1]), ("t1",))
    prepared = prepare(case, BRATS)
    assert prepared.label is not None
    np.testing.assert_array_equal(prepared.label, [[[0, 2]], [[1, 3]], [[3, 0]]])
    np.testing.assert_array_equal(BRATS.stored(prepared.label), label)


def test_they_come_back_from_plain_values_whatever_their_order() -> None:
    assert build(Preprocessing, plain(BRATS), "test") == BRATS
    table = {"enhancing tumour": [4], "tumour core": [4, 1], "whole tumour": [2, 1, 4]}
    assert with_regions(table) == BRATS
    assert BRATS.regions is not None
    assert BRATS.regions[1] == Region("tumour core", (1, 4))
    assert replace(BRATS, orientation="RAS").regions == BRATS.regions


def test_without_regions_the_plain_values_are_as_before() -> None:
    values = plain(Preprocessing(shape=SHAPE))
    assert "regions" not in values
    assert digest(plain(BRATS)) != digest(plain(replace(BRATS, regions=None)))


@pytest.mark.parametrize(
    ("regions", "words"),
    [
        ("bratz", ("'bratz'", "brats", "lits")),
        ({}, ("regions",)),
        ({"mean": [1]}, ("'mean'",)),
        ({"a": []}, ("'a'",)),
        ({"a": [1, 1]}, ("'a'", "[1, 1]")),
        ({"a": [0, 1]}, ("regions",)),
        ({"a": [256]}, ("regions",)),
        ([["a", [1, 2]], ["a", [1]]], ("'a'", "different")),
        *((wrong, ("regions: ", str(wrong), "{core=[1,4],oedema=[2]}")) for wrong in ({"wt": 1}, [1, 2], 3)),
        ({"a": [1, 2], "b": [2, 3]}, ("'a' [1, 2]", "'b' [2, 3]", "not nested")),
        ({"a": [1, 2], "b": [1, 2]}, ("'a'", "'b'", "not nested")),
        ({"whole": [1, 2, 4], "inner": [4]}, ("'whole' without 'inner'", "[1, 2]")),
        ({"whole": [1, 2]}, ("'whole'", "[1, 2]")),
    ],
)
def test_regions_that_cannot_be_learned_are_named(regions: Any, words: tuple[str, ...]) -> None:
    with pytest.raises(UserError) as caught:
        with_regions(regions)
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize("others", [{"classes": 3}, {"label_values": (0, 1, 2, 4), "classes": 4}])
def test_other_classes_next_to_regions_are_refused(others: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"\(0, 2, 1, 4\)"):
        with_regions("brats", **others)


def test_a_label_value_in_no_region_is_named() -> None:
    with pytest.raises(UserError, match=r"case x: .* 3.*brats2023"):
        class_indices(np.array([1, 3], np.uint8), BRATS, "x")


def test_regions_of_one_name_are_of_the_same_parts_in_every_set() -> None:
    parts: dict[str, set[frozenset[str]]] = {}
    for key, regions in NAMED.items():
        names = canonical_names(LABEL_NAMES[key])
        assert names.keys() == set(regions[0].values)
        for region in regions:
            parts.setdefault(region.name, set()).add(frozenset(names[value] for value in region.values))
    assert {name: len(found) for name, found in parts.items()} == dict.fromkeys(parts, 1)
    assert len(parts) == 5


def test_what_regions_assume_is_found_by_their_name_and_by_themselves() -> None:
    assert assumed_names("brats") == assumed_names(BRATS.regions) == LABEL_NAMES["brats"]
    for regions in (None, {"tumour": [3]}, with_regions({"tumour": [3]}).regions):
        assert assumed_names(regions) == {}


def test_the_enhancing_tumour_is_4_or_3() -> None:
    assert regions_for("brats2023", "brats") == "brats2023"
    assert regions_for("brats2020", "brats") == regions_for("own", "brats") == "brats"
    assert regions_for("brats2023", {"tumour": [3]}) == {"tumour": [3]}
