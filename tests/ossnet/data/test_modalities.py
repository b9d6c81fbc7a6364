from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ossnet.data.case import Dataset
from ossnet.data.modalities import with_modalities
from ossnet.data.prepared import PreparedCases
from ossnet.data.preprocessing import Preprocessing
from ossnet.data.voxels import kept_voxel_digest
from ossnet.errors import UserError


def test_modalities_are_chosen_by_name_and_come_in_the_given_order(dataset: Dataset) -> None:
    whole = dataset.load("a")
    turned = with_modalities(dataset, ["t1", "flair"])
    case = turned.load("a")
    assert case.modalities == turned.modalities == ("t1", "flair")
    np.testing.assert_array_equal(case.image, whole.image[::-1])
    one = with_modalities(turned, ("flair",)).load("a")
    np.testing.assert_array_equal(one.image, whole.image[:1])
    np.testing.assert_array_equal(one.label, whole.label)
    assert with_modalities(dataset, dataset.modalities) is dataset


def test_the_data_set_stays_the_same_and_its_cases_are_told_from_whole_ones(dataset: Dataset, tmp_path: Path) -> None:
    one = with_modalities(dataset, ["t1"])
    assert (one.name, one.splits, one.fingerprint) == (dataset.name, dataset.splits, dataset.fingerprint)
    digests = [{data.content(name) for name in "abcde"} for data in (dataset, one, with_modalities(dataset, ["flair"]))]
    assert len(set.union(*digests)) == 15
    # By their voxels, a copy is recognised in any order of modalities.
    turned = with_modalities(dataset, ["t1", "flair"])
    whole, same, part = (kept_voxel_digest(data, "a", tmp_path) for data in (dataset, turned, one))
    assert whole == same != part
    preprocessing = Preprocessing((16, 16, 16), fit="pad")
    prepared = [PreparedCases(data, "test", preprocessing, tmp_path)[0].image for data in (turned, one)]
    assert [len(image) for image in prepared] == [2, 1]
    np.testing.assert_array_equal(prepared[0][:1], prepared[1])


def test_upper_and_lower_case_do_not_matter_unless_there_are_both(dataset: Dataset) -> None:
    for names in (["T1", "Flair"], ["t1", "FLAIR"]):
        turned = with_modalities(dataset, names)
        assert turned.modalities == ("t1", "flair")
        assert turned.contents == with_modalities(dataset, ["t1", "flair"]).contents
    assert with_modalities(dataset, ["FLAIR", "T1"]) is dataset
    both = replace(dataset, modalities=("FLAIR", "flair", "t1"))
    assert with_modalities(both, ["flair", "FLAIR"]).modalities == ("flair", "FLAIR")
    with pytest.raises(UserError, match="Flair may be FLAIR or flair of data set own"):
        with_modalities(both, ["T1", "Flair"])
    with pytest.raises(UserError, match="flair is given twice"):
        with_modalities(dataset, ["FLAIR", "flair"])


def test_a_choice_that_there_is_not_is_refused(dataset: Dataset) -> None:
    with pytest.raises(UserError, match="own has no t2, only the modalities flair, t1"):
        with_modalities(dataset, ["t1", "t2"])
    with pytest.raises(UserError, match="t1 is given twice"):
        with_modalities(dataset, ["t1", "flair", "t1"])
