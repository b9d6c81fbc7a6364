import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from ossnet.data.prepared import PreparedCase
from ossnet.model import SegmentationModel
from ossnet.training.validation import Validation, score

Model = Callable[..., SegmentationModel]
SHAPE = (10, 8, 6)
BRIGHT = 3
"""Number of the ten slabs that are bright in the image."""


def make_case(labelled: int = BRIGHT, name: str = "one") -> PreparedCase:
    """A case whose first slabs are bright, and the first `labelled` of them its label."""
    image, label = torch.zeros(1, *SHAPE), torch.zeros(SHAPE, dtype=torch.uint8)
    image[:, :BRIGHT] = 1
    label[:labelled] = 1
    return PreparedCase(name, image, label, None, np.eye(4), (1, 1, 1))


PROTOCOLS = [
    Validation(locations=500),
    Validation(protocol="released", locations=500),
    Validation(protocol="released", locations=500, border_share=0.4),
    Validation(protocol="dense"),
]


@pytest.mark.parametrize("validation", PROTOCOLS)
def test_a_perfect_model_scores_1_and_0_where_there_is_nothing_to_find(
    validation: Validation, intensity_model: Model
) -> None:
    model = intensity_model(SHAPE)
    assert score(model, [make_case()], 2, validation) == {"one": {"dice": 1, "iou": 1}}
    assert score(model, [make_case(labelled=0)], 2, validation) == {"one": {"dice": 0, "iou": 0}}


def test_the_dense_protocol_counts_every_voxel(intensity_model: Model) -> None:
    scores = score(intensity_model(SHAPE), [make_case(labelled=4)], 2, Validation(protocol="dense"))
    # Predicted 3 slabs, labelled 4, 3 in common.
    assert scores["one"] == {"dice": pytest.approx(6 / 7), "iou": pytest.approx(3 / 4)}


def test_sampled_protocols_estimate_the_dense_one(intensity_model: Model) -> None:
    scores = score(intensity_model(SHAPE), [make_case(labelled=4)], 2, Validation(locations=20_000))
    assert scores["one"]["iou"] == pytest.approx(3 / 4, abs=0.02)


def test_the_released_protocol_misses_the_last_slab(intensity_model: Model) -> None:
    case = make_case()
    case.label[-1] = 1
    scores = {
        protocol: score(intensity_model(SHAPE), [case], 2, Validation(protocol=protocol, locations=2000))["one"]["dice"]
        for protocol in ("paper", "released")
    }
    assert scores["released"] == 1
    assert scores["paper"] < 0.95


def test_scores_near_the_border_are_lower(intensity_model: Model) -> None:
    shape = (40, 8, 6)
    image, label = torch.zeros(1, *shape), torch.zeros(shape, dtype=torch.uint8)
    image[:, :20], label[:21] = 1, 1
    case = PreparedCase("one", image, label, None, np.eye(4), (1, 1, 1))
    everywhere, near = (
        score(intensity_model(shape), [case], 2, Validation(protocol="released", locations=600, border_share=share))[
            "one"
        ]["iou"]
        for share in (0, 1)
    )
    # 20 of 21 slabs are right; of the 14 slabs around the edge between 20 and 21, those up to 20 are 7.
    assert everywhere == pytest.approx(20 / 21, abs=0.03)
    assert near == pytest.approx(6 / 7, abs=0.03)


def test_locations_depend_on_the_name_alone(intensity_model: Model) -> None:
    model, validation = intensity_model(SHAPE), Validation(locations=50)
    cases = [make_case(labelled=4, name=name) for name in ("a", "b")]
    scores = score(model, cases, 2, validation)
    assert score(model, cases[::-1], 2, validation) == scores
    assert scores["a"] != scores["b"]


def test_a_score_that_is_not_defined_is_nan(intensity_model: Model) -> None:
    model = intensity_model(SHAPE, threshold=2.0)
    for validation in (Validation(locations=50), Validation(protocol="dense")):
        scores = score(model, [make_case(labelled=0)], 2, validation)
        assert all(math.isnan(value) for value in scores["one"].values())


def test_the_mean_over_classes_is_over_those_that_occur() -> None:
    class Everything(torch.nn.Module):
        def segment(self, image: torch.Tensor) -> torch.Tensor:
            return torch.ones(SHAPE, dtype=torch.uint8)

    # Class 1: all voxels predicted, 3 of 10 slabs labelled. Class 2: neither, so not counted.
    scores = score(Everything(), [make_case()], 3, Validation(protocol="dense"))
    assert scores["one"]["iou"] == pytest.approx(0.3)


def test_the_model_is_scored_in_evaluation_mode(intensity_model: Model) -> None:
    model = intensity_model(SHAPE).train()
    score(model, [make_case()], 2, Validation(locations=5))
    assert not model.training


def test_only_the_released_protocol_has_a_border_share() -> None:
    with pytest.raises(ValueError, match="border_share"):
        Validation(border_share=0.4)
