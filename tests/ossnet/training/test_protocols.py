"""Sampled scores, of a model whose segmentation is right or one that finds everything to be occupied."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from ossnet.data.case import Case, Dataset
from ossnet.data.prepared import PreparedCase
from ossnet.data.preprocessing import Preprocessing
from ossnet.errors import UserError
from ossnet.model import SegmentationModel
from ossnet.network.configuration import OccupancyNetworkConfig
from ossnet.network.occupancy_network import OccupancyNetwork
from ossnet.training.protocols import evaluate_sampled, sampled_protocol, score_case_sampled, score_sampled
from ossnet.training.validation import Validation

Model = Callable[..., SegmentationModel]


def test_the_released_protocol_depends_on_the_data_set() -> None:
    assert sampled_protocol("paper", "lits") == Validation("paper", 2**17)
    for brats in ("brats2020", "glioma", "own"):
        assert sampled_protocol("released", brats) == Validation("released", 2**17)
    for lits in ("lits", "liver"):
        assert sampled_protocol("released", lits) == Validation("released", 2**14, 0.4)


def test_each_case_is_scored_by_each_protocol(intensity_model: Model) -> None:
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


LABEL = np.zeros((6, 8, 8), np.uint8)
LABEL[:3] = 1
CASE = Case("case", LABEL[None].astype(np.float32), LABEL, np.diag([-1.0, -1.0, 1.0, 1.0]), ("ct",))
PAD = Preprocessing(shape=(8, 8, 8), fit="pad", normalise="none")


def test_a_case_is_scored_on_its_prepared_grid(intensity_model: Model) -> None:
    everything = intensity_model(PAD.shape, threshold=-1.0)
    dataset = Dataset("own", ("ct",), {"test": ("case",), "validation": ()}, {"case": CASE}.__getitem__, "f")
    scores = evaluate_sampled(everything, PAD, dataset, "test", [Validation("paper", 4096)], 1000)
    assert set(scores["protocol"]) == {"paper"}
    assert set(scores["evaluated"]) == {4096}
    # Three of eight planes, the padded ones included, are occupied.
    assert scores.set_index("quantity")["value"]["iou"] == pytest.approx(3 / 8, abs=0.03)
    with pytest.raises(UserError, match="no case in split validation"):
        evaluate_sampled(everything, PAD, dataset, "validation", [Validation("paper", 8)], 1000)
    with pytest.raises(UserError, match="has no label"):
        score_case_sampled(everything, replace(CASE, label=None), PAD, [Validation("paper", 8)])


def test_the_released_protocol_pools_the_larger_patches_by_their_maximum() -> None:
    torch.manual_seed(0)
    sizes = {"encoder_channels": (4, 4), "decoder_width": 8, "decoder_blocks": 1, "patch_size": 3}
    config = OccupancyNetworkConfig(shape=(32, 32, 32), modalities=1, larger_context=True, **sizes)
    network = OccupancyNetwork(config).eval()
    fitting = replace(PAD, shape=(32, 32, 32))
    protocols = [Validation("paper", 2000), Validation("released", 2000)]
    # Patches alone decide: the sign of their first feature, less its median, is what averages and maxima differ in.
    noise = np.random.default_rng(0).normal(size=(1, 32, 32, 32)).astype(np.float32)
    case = Case("noise", noise, (noise[0] > 0).astype(np.uint8), CASE.affine, ("ct",))
    network.load_state_dict(network.state_dict() | {"decoder.head.weight": torch.randn(1, 8)})
    averaged, maximal = (
        OccupancyNetwork(replace(config, context_pooling=pooling)).eval() for pooling in ("average", "max")
    )
    for other in (averaged, maximal):
        other.load_state_dict(network.state_dict())
    scores = score_case_sampled(network, case, fitting, protocols).set_index(["protocol", "quantity"])["value"]
    of_averages = score_case_sampled(averaged, case, fitting, protocols[:1]).set_index(["protocol", "quantity"])[
        "value"
    ]
    # Another name of the protocol leaves a network as it is, so that this one is asked for maxima by its configuration.
    image = torch.from_numpy(noise)
    prepared = PreparedCase("noise", image, torch.from_numpy(case.label), None, case.affine, (1, 1, 1))
    of_maxima = score_sampled(maximal.field(image), prepared, protocols[1:]).set_index(["protocol", "quantity"])[
        "value"
    ]
    assert scores["paper"].equals(of_averages["paper"])
    assert scores["released"].equals(of_maxima["released"])
    not_pooled = score_sampled(averaged.field(image), prepared, protocols[1:])["value"]
    assert scores["released"].tolist() != not_pooled.tolist()
    assert network.config.context_pooling == "average"
