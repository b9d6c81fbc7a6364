"""Sampled scores, of a model whose segmentation is right."""

from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest
import torch

from benchmarks.scoring.protocols import sampled_protocols, score_sampled
from ossnet.data.prepared import PreparedCase
from ossnet.model import SegmentationModel
from ossnet.training.run import RunSpec
from ossnet.training.validation import Validation


@pytest.mark.parametrize(
    ("name", "released"),
    [
        ("own", []),
        ("glioma", [Validation("released", 512)]),
        ("brats2020", [Validation("released", 512)]),
        ("liver", [Validation("released", 64, 0.4)]),
        ("lits", [Validation("released", 64, 0.4)]),
    ],
)
def test_the_released_protocol_is_that_of_the_papers_data_sets(
    name: str, released: list[Validation], tiny_spec: Callable[..., RunSpec]
) -> None:
    spec = replace(tiny_spec("c"), dataset=name)
    assert sampled_protocols(spec) == (Validation("paper", 512), *released)


def test_each_case_is_scored_by_each_protocol(intensity_model: Callable[..., SegmentationModel]) -> None:
    label = torch.zeros(8, 8, 8, dtype=torch.uint8)
    label[:, :, :4] = 1
    right = PreparedCase("right", label[None].float(), label, None, torch.eye(4).numpy(), (1, 1, 1))
    # Everything is found to be occupied: of the half that is, an IoU of 1/2.
    all_bright = replace(right, name="bright", image=torch.ones(1, 8, 8, 8))
    model = intensity_model((8, 8, 8))
    protocols = [Validation("paper", 4096), Validation("released", 4096)]
    scores = pd.concat(score_sampled(model.field(case.image), case, protocols, 1000) for case in (right, all_bright))
    assert list(scores) == ["protocol", "case", "quantity", "value"]
    values = scores.set_index(["protocol", "case", "quantity"])["value"]
    assert len(values) == 2 * 2 * 2
    for protocol, share in (("paper", 4 / 8), ("released", 4 / 7)):
        assert values[protocol, "right", "dice"] == values[protocol, "right", "iou"] == 1
        # The released code never draws the last of an axis's eight indices.
        assert values[protocol, "bright", "iou"] == pytest.approx(share, abs=0.03)
