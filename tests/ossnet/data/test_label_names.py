"""Names of label values, and what they are taken for."""

import doctest
from collections.abc import Sequence

import pytest

from ossnet.data import label_names
from ossnet.data.label_names import Named, canonical, canonical_names, refuse_other_names
from ossnet.data.regions import LABEL_NAMES
from ossnet.errors import UserError

DECATHLON = {1: "edema", 2: "non-enhancing tumor", 3: "enhancing tumour"}
EACH = [(1,), (2,), (3,)]


@pytest.mark.parametrize(
    "same",
    [
        ("oedema", "Edema", "peritumoral_edema", "ED", "SNFH"),
        ("necrotic core", "Necrotic tumor core", "NCR/NET", "NETC", "non-enhancing tumor", "nonenhancing_tumour"),
        ("enhancing tumour", "Enhancing Tumor", "ET", "GD-enhancing tumor"),
        ("tumour", "cancer", "Tumor"),
        ("left kidney", "Left_Kidney", "left kidney without tumor and cyst"),
    ],
)
def test_spellings_and_usual_synonyms_are_one_name(same: Sequence[str]) -> None:
    assert {canonical(name) for name in same} == {same[0]}
    assert not doctest.testmod(label_names).failed


def test_other_names_stay_apart() -> None:
    names = ["liver", "tumour", "oedema", "necrotic core", "enhancing tumour", "whole tumour", "tumour core", "cyst"]
    assert [canonical(name) for name in names] == names


def test_names_that_say_nothing_or_are_shared_are_left_out() -> None:
    names = {1: "label 1", 2: "2", 3: "-", 4: "Edema", 5: "lesion", 6: "Lesion", 7: "class_7", 8: "class B"}
    assert canonical_names(names) == {4: "oedema", 8: "class b"}


def refused(scored: Sequence[Sequence[int]], one: dict[int, str], other: dict[int, str]) -> str:
    """The message, or nothing where the names agree."""
    try:
        refuse_other_names(scored, Named("a", one), Named("b", other), "mend it")
    except UserError as error:
        return str(error)
    return ""


def test_values_of_other_meanings_are_named_with_both_names() -> None:
    message = refused(EACH, dict(LABEL_NAMES["brats2023"]), DECATHLON)
    assert "in a than in b: 1 is 'necrotic core' and 'edema', 2 is 'oedema' and 'non-enhancing tumor'; mend" in message
    assert refused([(3,)], dict(LABEL_NAMES["brats2023"]), DECATHLON) == ""
    assert refused(EACH, dict(LABEL_NAMES["brats-msd"]), DECATHLON) == ""


def test_values_without_two_names_are_not_compared() -> None:
    assert refused(EACH, {}, DECATHLON) == refused(EACH, DECATHLON, {}) == ""
    assert refused(EACH, {1: "oedema", 2: "cyst"}, {1: "edema", 3: "vessel"}) == ""
    # Both values are of a class without a part of its own.
    assert refused([(1,), (2,)], {1: "whole tumour", 2: "whole tumour"}, DECATHLON) == ""


def test_values_may_be_exchanged_within_a_region() -> None:
    brats = dict(LABEL_NAMES["brats2023"])
    assert refused([(1, 2, 3), (3,)], brats, DECATHLON) == ""
    message = refused([(1, 2, 3), (1, 3)], brats, DECATHLON)
    assert "1 is 'necrotic core' and 'edema'; mend" in message
    assert refused([(1, 2, 3)], brats, DECATHLON | {3: "cyst"}).count(" is ") == 3
