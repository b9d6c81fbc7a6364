import pytest

from ossnet.config import build
from ossnet.errors import UserError
from ossnet.network.configuration import OccupancyNetworkConfig


def config(**changes: object) -> OccupancyNetworkConfig:
    settings = {"shape": (16, 16, 16), "modalities": 2, "encoder_channels": (4, 6)}
    return build(OccupancyNetworkConfig, settings | changes, "test")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"larger_context": True, "patches": False}, "larger_context widens the patches"),
        ({"patch_size": 4}, "patch_size is 4"),
        ({"patch_size": 0}, "patch_size"),
        ({"encoder_channels": (4, 4, 4, 4)}, "4 encoder blocks halve shape"),
        ({"shape": (16, 16, 7)}, "use fewer encoder_channels"),
        ({"shape": (15, 8, 9)}, "to one voxel, .* use fewer encoder_channels or a larger shape"),
        ({"encoder_channels": ()}, "encoder_channels"),
        ({"encoder_channels": (4, 0)}, "encoder_channels"),
        ({"encoder_channels": (1, 4), "output_skips": True}, "output_skips halve encoder_channels"),
        ({"auxiliary_weight": -0.1}, "auxiliary_weight"),
        ({"activation": "tanh"}, "activation"),
        ({"normalisation": "feature"}, "normalisation"),
        ({"conditioning": False, "latent_input": False}, "no latent reaches the decoder"),
    ],
)
def test_a_setting_that_cannot_be_is_an_error(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint) as caught:
        config(**changes)
    assert "\n" not in str(caught.value)


def test_grids_of_odd_volumes() -> None:
    assert config(shape=(17, 24, 31)).encoder_shape == (8, 12, 15)
    assert config(shape=(17, 24, 31)).lowest_grid == (2, 3, 3)
