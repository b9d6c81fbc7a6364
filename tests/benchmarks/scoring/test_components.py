"""Components that a segmentation has found, counted by hand."""

import numpy as np
import pytest
import torch

from benchmarks.scoring.components import recall_of_lesions, recall_of_small


def test_small_components_by_hand() -> None:
    everything = torch.zeros(12, 12, 12, dtype=torch.uint8)
    everything[:5, :5, :5] = 1  # 125 voxels are not small
    everything[7:9, 7, 7] = 1
    everything[9, 8, 8] = 1  # joined to the former at a corner
    everything[11, 0, 0] = 1
    everything[11, 11, 0] = 2
    assert np.isnan(recall_of_small(torch.zeros_like(everything), everything))
    found = everything.clone()
    assert recall_of_small(everything, found) == 1
    found[7:9] = 0
    found[:5] = 0
    assert recall_of_small(everything, found) == 1
    found[9] = 0
    found[11, 11, 0] = 1
    assert recall_of_small(everything, found) == pytest.approx(1 / 3)


def test_lesions_by_hand() -> None:
    label = np.zeros((12, 12, 12), np.uint8)
    label[:5, :5, :5] = 1  # 125 voxels, large
    label[7:9, 7, 7] = 1
    label[11, 0, 0] = 1
    assert recall_of_lesions(label, label) == {"lesions_found_small": 1, "lesions_found_large": 1}
    found = np.zeros_like(label)
    found[8:10, 7, 7] = 1
    assert recall_of_lesions(label, found) == {"lesions_found_small": 1 / 2, "lesions_found_large": 0}
    found[4, 4, 4] = 1
    assert recall_of_lesions(label, found)["lesions_found_large"] == 1
    assert np.isnan(list(recall_of_lesions(found * 0, label).values())).all()
    # Components of at most 100 voxels are small.
    label[:5, :5, :5] = 0
    label[:5, :5, :4] = 1
    assert recall_of_lesions(label, found * 0)["lesions_found_small"] == 0
    assert np.isnan(recall_of_lesions(label, found)["lesions_found_large"])
