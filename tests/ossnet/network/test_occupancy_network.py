import math
import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.testing import assert_close

from ossnet.config import build
from ossnet.errors import UserError
from ossnet.model import Batch, Draw
from ossnet.network.configuration import OccupancyNetworkConfig
from ossnet.network.encoder import Encoding
from ossnet.network.occupancy_network import OccupancyNetwork, OSSNetA, OSSNetD

TINY = {
    "shape": (16, 16, 16),
    "modalities": 2,
    "encoder_channels": (4, 6),
    "patch_size": 3,
    "decoder_width": 8,
    "decoder_blocks": 2,
}
LOG3 = math.log(3)  # Its sigmoid is 3/4.


def config(**changes: object) -> OccupancyNetworkConfig:
    return build(OccupancyNetworkConfig, TINY | changes, "test")


def network(**changes: object) -> OccupancyNetwork:
    torch.manual_seed(0)
    return OccupancyNetwork(config(**changes))


def images(count: int = 1) -> Tensor:
    return torch.randn(count, 2, 16, 16, 16, generator=torch.Generator().manual_seed(0))


def at(locations: list[list[list[int]]], weights: list[list[float]] | None = None) -> Callable[[torch.Generator], Draw]:
    return lambda _: Draw(torch.tensor(locations), None if weights is None else torch.tensor(weights))


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


class Answering(OccupancyNetwork):
    """A network whose answers are given."""

    def answer(self, logits: list[list[list[float]]], segmentation: Tensor) -> "Answering":
        self.answers = torch.tensor(logits), Encoding(torch.zeros(0), segmentation)
        return self

    def forward(self, images: Tensor, locations: Tensor) -> tuple[Tensor, Encoding]:
        return self.answers


# Each switch with what it needs, and the entries of the state dict that it adds, drops or reshapes.
SWITCHES = {
    "larger_context": ({"larger_context": True}, r"patch_encoder\.layers\.[02]\.(weight|bias)"),
    "context_pooling": ({"larger_context": True, "context_pooling": "max"}, r""),
    "output_skips": ({"output_skips": True}, r"encoder\.(skips|head)\..*"),
    "auxiliary_weight": ({"auxiliary_weight": 0.1}, r"encoder\.segmentation\.weight"),
    "activation": ({"activation": "relu"}, r".*\.(numerator|denominator)"),
    "normalization": ({"normalization": "feature"}, r"decoder\..*\.running_(mean|var)"),
    "locations": ({"locations": "scaled"}, r""),
    "patches": ({"patches": False}, r"patch_encoder\..*|decoder\.blocks\.0\.(linear1|skip)\.weight"),
    "conditioning": ({"conditioning": False}, r"decoder\.blocks\..*\.(gamma|beta)\.weight"),
    "latent_input": ({"latent_input": False}, r"decoder\.blocks\.0\.(linear1|skip)\.weight"),
    "classes": ({"classes": 4}, r"decoder\.head\.weight"),
}


def before_and_after(switch: str) -> tuple[OccupancyNetwork, OccupancyNetwork]:
    """Two networks that differ in the switch alone."""
    changes, _ = SWITCHES[switch]
    return network(**{name: value for name, value in changes.items() if name != switch}), network(**changes)


@pytest.mark.parametrize("switch", SWITCHES)
def test_a_switch_changes_the_answer_and_its_own_part_alone(switch: str) -> None:
    models, locations = before_and_after(switch), torch.tensor([[[8, 7, 6], [0, 15, 3]]])
    before, after = ({(name, value.shape) for name, value in model.state_dict().items()} for model in models)
    changed = {name for name, _ in before ^ after}
    _, expected = SWITCHES[switch]
    assert all(re.fullmatch(expected, name) for name in changed)
    assert bool(changed) == bool(expected)
    (plain, _), (switched, encoding) = (model(images(), locations) for model in models)
    assert (encoding.segmentation is not None) == (switch == "auxiliary_weight")
    assert plain.tolist() != switched.tolist() or switch == "auxiliary_weight"


@pytest.mark.parametrize("switch", SWITCHES)
def test_training_makes_every_tensor_where_the_images_are(switch: str) -> None:
    model, locations, draws = network(**SWITCHES[switch][0]), torch.tensor([[[8, 7, 6], [0, 15, 3]]]), generator()
    batch = Batch(images(), torch.ones(1, 16, 16, 16, dtype=torch.uint8), lambda _: Draw(locations))
    # Whatever is made without a word on the device would come to lie on another one than the images.
    with torch.device("meta"):
        loss = model.loss(batch, draws)
        loss.backward()
    assert loss.device.type == "cpu"
    assert all(p.grad is not None and p.grad.device.type == "cpu" for p in model.parameters())


def test_the_encoder_sees_the_volume_at_half_resolution() -> None:
    seen: list[Tensor] = []
    model = network()
    model.encoder.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    model.encode(images())
    assert_close(seen[0], F.avg_pool3d(images(), 2))  # What trilinear scaling to half comes to on even sizes.


@pytest.mark.parametrize(
    ("kind", "expected"), [("voxel", [[0.0, 15.0, 7.5], [3.0, 0.0, 5.0]]), ("scaled", [[-1, 1, 0.5], [-0.6, -1, 0]])]
)
def test_locations_are_fed_in_voxels_or_scaled(kind: str, expected: list[list[float]]) -> None:
    seen: list[Tensor] = []
    model = network(shape=(16, 16, 11), locations=kind).eval()
    model.decoder.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    model.plain_field(images()[0, ..., :11])(torch.tensor([[0.0, 15.0, 7.5], [3.0, 0.0, 5.0]]))
    assert_close(seen[0][0], torch.tensor(expected))


def parameters(**changes: object) -> int:
    return sum(parameter.numel() for parameter in network(**changes).parameters())


# Of TINY: latents of 2^3 values, 2 blocks of width 8, and with output skips 2/2 + 6/2 channels that are joined.
@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"conditioning": False}, -2 * 2 * 2 * 8 * 8),
        ({"latent_input": False}, -2 * 8 * 8),
        ({"locations": "fourier"}, 2 * 32 * 8),
        ({"activation": "gelu"}, -(2 * 2 + 1 + 2 + 2 * 2) * (6 + 4)),
        ({"normalization": "feature"}, 0),
    ],
    ids=str,
)
@pytest.mark.parametrize("output_skips", [False, True])
def test_numbers_of_parameters(changes: dict[str, object], difference: int, output_skips: bool) -> None:
    if output_skips:
        # A latent vector less takes away a channel of the head: a kernel of 5^3, a bias, and factor and summand of the
        # norm behind it. Each output skip has an activation.
        channel = 5 * 5**3 + 3
        difference -= {"conditioning": 2 * channel, "latent_input": channel, "activation": 20}.get(*changes, 0)
    assert parameters(output_skips=output_skips, **changes) - parameters(output_skips=output_skips) == difference


def test_training_and_the_field_agree() -> None:
    model = network(output_skips=True, auxiliary_weight=0.1, larger_context=True).eval()
    locations = torch.tensor([[[8, 7, 6], [0, 15, 3]], [[1, 1, 1], [15, 15, 15]]])
    logits, encoding = model(images(2), locations)
    assert encoding.segmentation is not None
    for i, image in enumerate(images(2)):
        field = model.field(image)
        assert_close(field(locations[i]), logits[i, :, 0].sigmoid(), atol=1e-5, rtol=0)
        assert_close(field.logits(locations[i]), logits[i, :, 0], atol=1e-4, rtol=0)
        assert field.prior is not None
        assert_close(field.prior, encoding.segmentation[i, 0].sigmoid(), atol=1e-5, rtol=0)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_prior_lies_on_the_lowest_grid(classes: int) -> None:
    prior = network(auxiliary_weight=0.1, classes=classes).eval().field(images()[0]).prior
    assert prior is not None
    assert prior.shape == ((2, 2, 2) if classes == 2 else (3, 2, 2, 2))
    if classes > 2:
        assert_close(prior.sum(0), torch.ones(2, 2, 2))


def test_learned_activations_are_a_group_of_their_own() -> None:
    model = network()
    groups = model.parameter_groups()
    names = {id(p): name for name, p in model.named_parameters()}
    assert {names[id(p)].split(".")[-1] for p in groups["activation"]} == {"numerator", "denominator"}
    assert network(activation="relu").parameter_groups()["activation"] == []


@pytest.mark.parametrize("weights", [None, [[2.0, 0.5]]], ids=["without weights", "with weights"])
def test_equation_2_by_hand(weights: list[list[float]] | None) -> None:
    label = torch.zeros(1, 16, 16, 16, dtype=torch.uint8)
    label[0, 15, 2, 3] = 1  # In cell (1, 0, 0) of the 2 x 2 x 2 that the encoder ends with.
    segmentation = torch.zeros(1, 1, 2, 2, 2)
    segmentation[0, 0, 1, 0, 0] = LOG3
    model = Answering(config(auxiliary_weight=0.1)).answer([[[LOG3], [LOG3]]], segmentation)
    loss = model.loss(Batch(images(), label, at([[[15, 2, 3], [3, 2, 15]]], weights)), generator())
    # Weights of the draw are of the first term alone.
    first, second = weights[0] if weights else (1, 1)
    occupancy = -(first * math.log(3 / 4) + second * math.log(1 / 4)) / 2
    auxiliary = -(math.log(3 / 4) + 7 * math.log(1 / 2)) / 8
    assert loss.item() == pytest.approx(occupancy + 0.1 * auxiliary)


def test_equation_2_for_several_classes() -> None:
    label = torch.zeros(1, 16, 16, 16, dtype=torch.uint8)
    label[0, 15, 2, 3], label[0, 9, 7, 7] = 1, 2  # In one cell, which takes the higher.
    segmentation = torch.zeros(1, 3, 2, 2, 2)
    segmentation[0, 2, 1, 0, 0] = math.log(2)
    model = Answering(config(auxiliary_weight=0.5, classes=3)).answer([[[0.0, math.log(2), 0.0]]], segmentation)
    loss = model.loss(Batch(images(), label, at([[[15, 2, 3]]])), generator())
    assert loss.item() == pytest.approx(math.log(2) + 0.5 * (math.log(2) + 7 * math.log(3)) / 8)


@pytest.mark.parametrize("shape", [(16, 16, 16), (17, 13, 22)])
def test_the_auxiliary_target_is_the_max_pooled_label(shape: tuple[int, int, int]) -> None:
    label = (torch.rand(2, *shape, generator=generator()) > 0.995).to(torch.uint8)
    grid = config(shape=shape).lowest_grid
    segmentation = torch.zeros(2, 1, *grid, requires_grad=True)
    model = Answering(config(shape=shape, auxiliary_weight=1.0)).answer([[[0.0]], [[0.0]]], segmentation)
    model.loss(Batch(torch.zeros(2, 2, *shape), label, at([[[0, 0, 0]]] * 2)), generator()).backward()
    assert segmentation.grad is not None
    # The gradient of a mean cross-entropy at logit 0 is (1/2 - target) / cells.
    target = 0.5 - segmentation.grad[:, 0] * segmentation.numel()
    for cell in torch.cartesian_prod(*(torch.arange(edge) for edge in grid)).tolist():
        window = tuple(
            slice(size * i // edge, -(-size * (i + 1) // edge)) for size, i, edge in zip(shape, cell, grid, strict=True)
        )
        assert_close(target[:, *cell], label[:, *window].flatten(1).amax(1).float())


def test_without_the_auxiliary_weight_the_loss_is_the_first_term() -> None:
    batch = Batch(images(), torch.ones(1, 16, 16, 16, dtype=torch.uint8), at([[[1, 2, 3], [4, 5, 6]]]))
    model = network().eval()
    logits, _ = model(batch.images, batch.draw_locations(generator()).locations)
    assert_close(model.loss(batch, generator()), F.softplus(-logits).mean())


@pytest.mark.parametrize("classes", [2, 3])
def test_predictions_are_handed_back_with_their_locations(classes: int) -> None:
    seen: list[tuple[Tensor, Tensor]] = []
    places = [[[1, 2, 3], [15, 0, 4]], [[3, 2, 1], [7, 7, 7]]]
    labels = torch.ones(2, 16, 16, 16, dtype=torch.uint8)
    model = network(classes=classes)
    logits, _ = model(images(2), torch.tensor(places))
    model.loss(Batch(images(2), labels, at(places), lambda *what: seen.append(what)), generator())
    ((locations, predicted),) = seen
    assert locations.tolist() == places
    assert not predicted.requires_grad
    assert_close(predicted, logits[..., 0].sigmoid() if classes == 2 else logits.softmax(-1))


def test_equation_2_for_nested_regions() -> None:
    label = torch.zeros(1, 16, 16, 16, dtype=torch.uint8)
    label[0, 15, 2, 3], label[0, 9, 7, 7] = 1, 2  # In one cell, which is in both regions.
    segmentation = torch.zeros(1, 2, 2, 2, 2)
    segmentation[0, :, 1, 0, 0] = math.log(3)
    model = Answering(config(auxiliary_weight=0.5, classes=3, nested=True))
    model.answer([[[math.log(3), -math.log(3)]]], segmentation)
    seen: list[Tensor] = []
    loss = model.loss(
        Batch(images(), label, at([[[15, 2, 3]]]), lambda _, predicted: seen.append(predicted)), generator()
    )
    # The location is in the outer region alone; both are predicted with 3/4.
    assert loss.item() == pytest.approx(math.log(4 / 3) + 0.5 * (math.log(4 / 3) + 7 * math.log(2)) / 8)
    # Memories of predictions get the probabilities of the classes.
    assert_close(seen[0], torch.tensor([[[0.25, 0.5, 0.25]]]))


def test_labels_are_read_at_the_locations_of_their_own_case() -> None:
    label = torch.randint(0, 3, (2, 16, 16, 16), generator=generator(), dtype=torch.uint8)
    places = [[[1, 2, 3], [15, 0, 4]], [[3, 2, 1], [7, 7, 7]]]
    truth = [[int(label[i, *place]) for place in places[i]] for i in range(2)]
    certain = (20 * F.one_hot(torch.tensor(truth), 3)).float().tolist()
    model = Answering(config(classes=3)).answer(certain, None)
    assert model.loss(Batch(images(2), label, at(places)), generator()).item() < 1e-6


@pytest.mark.parametrize("ask", ["field", "segment", "occupancy"])
def test_an_image_of_another_shape_is_refused(ask: str) -> None:
    locations = [torch.zeros(1, 3)] if ask == "occupancy" else []
    message = "image has shape [2, 16, 16, 15], this model takes [2, 16, 16, 16]: pad or resize it with"
    with pytest.raises(UserError, match=re.escape(message)):
        getattr(network().eval(), ask)(torch.zeros(2, 16, 16, 15), *locations)


@pytest.mark.parametrize("patches", [True, False])
def test_no_network_answers_far_outside(patches: bool) -> None:
    with pytest.raises(ValueError, match="more than one voxel outside the volume"):
        network(patches=patches).eval().occupancy(images()[0], torch.tensor([[0.0, 0.0, 16.1]]))


@pytest.mark.parametrize("patches", [True, False])
def test_any_integer_type_names_the_same_voxels(patches: bool) -> None:
    model, places = network(patches=patches).eval(), np.array([[8, 7, 6], [0, 15, 3]])
    expected = model.occupancy(images()[0], places)
    for dtype in (np.uint8, np.uint16, np.int8, np.int32):
        assert torch.equal(model.occupancy(images()[0], places.astype(dtype)), expected)


def test_presets_build_on_each_other() -> None:
    assert OSSNetA.preset == {}
    assert OSSNetD.preset == {"larger_context": True, "output_skips": True, "auxiliary_weight": 0.1}
