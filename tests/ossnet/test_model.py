from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from ossnet.checks import STRICT, checked
from ossnet.config import build
from ossnet.data.slices import Slicing
from ossnet.errors import UserError
from ossnet.model import Batch, ModelConfig, SegmentationModel

CONFIG = {"shape": (5, 4, 3), "modalities": 1}


@dataclass
class HalfSpace:
    """The occupancy sigmoid(i - threshold) of the first coordinate i; remembers how many locations came a pass."""

    shape: tuple[int, int, int]
    threshold: Tensor
    classes: int = 2
    prior: Tensor | None = None
    passes: list[int] = field(default_factory=list)

    @property
    def device(self) -> torch.device:
        return self.threshold.device

    def __call__(self, locations: Tensor) -> Tensor:
        self.passes.append(len(locations))
        return (locations[:, 0] - self.threshold).sigmoid()


class Threshold(SegmentationModel):
    """Occupied is what lies beyond the mean of the image."""

    config_type = ModelConfig
    family = "threshold"

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.scale = nn.Parameter(torch.ones(()))

    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        return self.scale * batch.images.mean()

    def field(self, image: Tensor) -> HalfSpace:
        assert image.dtype == torch.float32
        self.last = HalfSpace(self.config.shape, self.scale * image.mean())
        return self.last


def model() -> Threshold:
    return Threshold(build(ModelConfig, CONFIG, "test"))


def test_all_voxels_are_learned_from_unless_locations_are_evaluated() -> None:
    class Implicit(Threshold):
        evaluates_locations = True

    assert model().slicing is None
    assert model().learned_per_case(7) == 5 * 4 * 3
    assert Implicit(build(ModelConfig, CONFIG, "test")).learned_per_case(7) == 7


def test_a_model_with_a_slice_axis_learns_from_its_slices() -> None:
    @checked(frozen=True, config=STRICT)
    class SliceConfig(ModelConfig):
        slices_per_case: int = 2
        max_slices: int = 2

    class Slices(Threshold):
        slice_axis = 1
        config_type = SliceConfig

    slices = Slices(Slices.config_for((5, 4, 3), 1))
    assert slices.slicing == Slicing(axis=1, count=2)
    assert slices.learned_per_case(7) == 5 * 2 * 3


def test_a_configuration_for_any_resolution_has_the_preset() -> None:
    class Classes(Threshold):
        preset = {"classes": 3}

    assert Threshold.config_for((5, 4, 3), 2) == ModelConfig((5, 4, 3), 2)
    assert Classes.config_for((5, 4, 3), 2) == ModelConfig((5, 4, 3), 2, classes=3)


def test_by_default_each_child_module_is_a_part() -> None:
    threshold = model()
    threshold.first, threshold.second = nn.Identity(), nn.ReLU()
    assert threshold.parts() == {"first": [threshold.first], "second": [threshold.second]}


@pytest.mark.parametrize(("classes", "outputs"), [(2, 1), (3, 3), (4, 4)])
def test_outputs(classes: int, outputs: int) -> None:
    assert build(ModelConfig, CONFIG | {"classes": classes}, "test").outputs == outputs


@pytest.mark.parametrize(
    "changes",
    [{"shape": (5, 4)}, {"shape": (5, 0, 3)}, {"shape": (5, 4, 2.5)}, {"modalities": 0}, {"classes": 1}, {"colour": 1}],
)
def test_a_size_that_cannot_be_is_an_error(changes: dict[str, object]) -> None:
    with pytest.raises(UserError, match=next(iter(changes))):
        build(ModelConfig, CONFIG | changes, "test")


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_occupancy_of_arrays_and_tensors(dtype: type[np.generic]) -> None:
    image = np.full((1, 5, 4, 3), 2, dtype)
    locations = [[2.0, 0.0, 0.0], [3.5, 1.0, 2.0]]
    expected = torch.tensor([0.0, 1.5]).sigmoid()
    occupancy = model().occupancy(image, np.array(locations, np.float32))
    assert not occupancy.requires_grad
    assert_close(occupancy, expected)
    assert_close(model().occupancy(torch.as_tensor(image), torch.tensor(locations)), expected)


@pytest.mark.parametrize(("limit", "passes"), [(2, [2, 2, 1]), (5, [5]), (100, [5])])
def test_no_pass_exceeds_the_limit(limit: int, passes: list[int]) -> None:
    threshold = model()
    threshold.occupancy(np.zeros((1, 5, 4, 3)), np.zeros((5, 3), np.int64), limit)
    assert threshold.last.passes == passes
    threshold.segment(np.zeros((1, 5, 4, 3)), 50)
    assert threshold.last.passes == [50, 10]


def test_segment_marks_what_is_more_likely_inside_than_not() -> None:
    segmentation = model().segment(np.full((1, 5, 4, 3), 2.0))
    expected = torch.tensor([0, 0, 0, 1, 1], dtype=torch.uint8)
    assert torch.equal(segmentation, expected[:, None, None].expand(5, 4, 3))


def test_all_parameters_are_weights_unless_a_model_says_otherwise() -> None:
    threshold = model()
    assert threshold.parameter_groups() == {"weights": [threshold.scale], "activation": []}


def test_flipped_arrays_are_arrays() -> None:
    image, locations = np.arange(60.0).reshape(1, 5, 4, 3), np.array([[0.0, 1.0, 2.0], [4.0, 3.0, 2.0]])
    answer = model().occupancy(image[:, ::-1], locations[::-1])
    assert_close(answer, model().occupancy(image[:, ::-1].copy(), locations[::-1].copy()))
    assert torch.equal(model().segment(image[..., ::-1]), model().segment(image[..., ::-1].copy()))


@pytest.mark.parametrize("any_grid", [True, False])
def test_an_image_must_be_the_models(any_grid: bool) -> None:
    threshold = model()
    threshold.any_grid = any_grid
    threshold.check_image(torch.zeros(1, 5, 4, 3))
    for shape in [(2, 5, 4, 3), (5, 4, 3), (1, 1, 5, 4, 3), *([] if any_grid else [(1, 5, 4, 2)])]:
        takes = "[1, H, W, D]" if any_grid else "[1, 5, 4, 3]"
        with pytest.raises(UserError) as caught:
            threshold.check_image(torch.zeros(shape))
        assert f"image has shape {list(shape)}, this model takes {takes}: pad or resize" in str(caught.value)
