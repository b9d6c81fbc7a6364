"""Cases in files are cases of the data sets, whose readers open them."""

from pathlib import Path

import nibabel
import numpy as np
import pytest

from benchmarks.probes.stored_cases import AIR_HU, WRITERS, write_cases
from benchmarks.workload import PAPER_VOLUMES
from ossnet.data.sources import open_dataset

SHAPE = (20, 24, 16)


@pytest.mark.parametrize("data", WRITERS)
def test_the_reader_of_the_data_set_finds_cases_with_a_target(data: str, tmp_path: Path) -> None:
    names = write_cases(data, SHAPE, 2, tmp_path / "data")
    dataset = open_dataset(f"{data}:{tmp_path / 'data'}", {}, tmp_path / "cache")
    assert sorted(dataset.names) == names
    _, modalities = PAPER_VOLUMES[data]
    first, second = map(dataset.load, names)
    for case in (first, second):
        assert case.image.shape == (modalities, *SHAPE)
        assert case.label is not None
        assert case.label.shape == SHAPE
        assert 0 < np.count_nonzero(case.label) < 0.1 * case.label.size
        # The corners are outside the body, and the target is within.
        outside = AIR_HU if data == "lits" else 0
        assert (case.image[:, 0, 0, 0] == outside).all()
        assert (case.image[:, case.label > 0] != outside).all()
    assert not np.array_equal(first.image, second.image)


@pytest.mark.parametrize("data", WRITERS)
def test_files_are_small_integers_and_the_same_each_time(data: str, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        write_cases(data, SHAPE, 1, tmp_path / folder)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.nii*"))
    assert len(files) == PAPER_VOLUMES[data][1] + 1
    assert {path.name.endswith(".gz") for path in files} == {data == "brats"}
    for path in files:
        one, two = (nibabel.load(tmp_path / folder / path) for folder in ("one", "two"))
        assert one.get_data_dtype() == (np.uint8 if "seg" in path.name else np.int16)
        assert np.array_equal(one.dataobj, two.dataobj)
