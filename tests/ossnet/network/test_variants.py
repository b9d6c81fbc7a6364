import pytest
import torch

from baselines.onet import ONet
from ossnet.network.occupancy_network import OccupancyNetwork, OccupancyNetworkConfig
from ossnet.network.released import DATASETS
from ossnet.network.variants import OSSNetA, OSSNetB, OSSNetC, OSSNetD

PARAMETERS = {
    ONet: (6_890_753, 9_057_237),
    OSSNetA: (7_245_438, 9_409_177),
    OSSNetB: (7_254_358, 9_409_520),
    OSSNetC: (8_695_733, 10_866_490),
    OSSNetD: (8_704_653, 10_866_833),
}


@pytest.mark.parametrize("dataset", ["brats", "lits"])
@pytest.mark.parametrize("variant", PARAMETERS)
def test_sizes_are_the_released_ones(variant: type[OccupancyNetwork], dataset: str) -> None:
    with torch.device("meta"):
        network = variant(OccupancyNetworkConfig(**DATASETS[dataset], **variant.preset))
    assert sum(p.numel() for p in network.parameters()) == PARAMETERS[variant][dataset == "lits"]


def test_presets_build_on_each_other() -> None:
    assert OSSNetA.preset == {}
    assert OSSNetD.preset == {"larger_context": True, "output_skips": True, "auxiliary_weight": 0.1}
