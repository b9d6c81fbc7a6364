import pickle
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ossnet.errors import UserError
from ossnet.network.configuration import OccupancyNetworkConfig
from ossnet.network.occupancy_network import OccupancyNetwork
from ossnet.network.released import (
    DATASETS,
    VARIANTS,
    load_released,
    read_state_dict,
    released_name,
    rename,
    with_released_inference,
)


class Marker:
    """Unpickling it makes a file, if code is run at all."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return Path.touch, (self.path,)


def message_of(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        load_released(path, "o-net", "brats")
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


@pytest.mark.parametrize("form", ["torch", "torch of old", "plain pickle"])
def test_code_in_a_file_is_never_run(form: str, tmp_path: Path) -> None:
    path, marker = tmp_path / "weights.pt", tmp_path / "code was run"
    content = {"weight": torch.zeros(2), "extra": Marker(marker)}
    if form == "plain pickle":
        path.write_bytes(pickle.dumps({"extra": Marker(marker)}))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form == "torch")
    assert "not a whole checkpoint of tensors alone" in message_of(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    "content", [[torch.zeros(2)], torch.zeros(2), {"w": 1.0}, {0: torch.zeros(2)}, {"model": {"w": torch.zeros(2)}}]
)
def test_what_is_no_state_dict(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "weights.pt")
    assert "not a plain state dict" in message_of(tmp_path / "weights.pt")


@pytest.mark.parametrize("zipped", [True, False])
@given(data=st.data())
def test_damage_is_a_users_error(zipped: bool, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("damaged") / "weights.pt"
    torch.save({"weight": torch.arange(6.0)}, path, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) // 2))])
    with pytest.raises(UserError, match="not a whole checkpoint"):
        read_state_dict(path)
    damaged = bytearray(whole)
    for place in data.draw(st.lists(st.integers(0, min(len(whole), 400) - 1), min_size=1, max_size=4)):
        damaged[place] = data.draw(st.integers(0, 255))
    path.write_bytes(damaged)
    with suppress(UserError):  # Some damage does not show, but none leads to another error.
        read_state_dict(path)


def test_no_file(tmp_path: Path) -> None:
    assert "No such file" in message_of(tmp_path / "weights.pt")
    assert "cannot read" in message_of(tmp_path)
    (tmp_path / "empty.pt").touch()
    assert "not a whole checkpoint" in message_of(tmp_path / "empty.pt")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"variant": "ossnet-e"}, "unknown variant 'ossnet-e'; choose one of o-net, ossnet-a"),
        ({"dataset": "BraTS"}, "unknown dataset 'BraTS'; choose one of brats, lits"),
        ({"context_pooling": "mean"}, "unknown context_pooling 'mean'; choose one of average, max"),
    ],
)
def test_unknown_names_are_answered_with_those_there_are(
    changes: dict[str, Any], complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=complaint):
        load_released(tmp_path / "weights.pt", **({"variant": "o-net", "dataset": "brats"} | changes))


def save_released(path: Path, variant: str) -> dict[str, torch.Tensor]:
    """Write the first weights of a variant in the released naming and return them in ours."""
    network = OccupancyNetwork(OccupancyNetworkConfig(**VARIANTS[variant], **DATASETS["brats"]))
    torch.save({released_name(name): value for name, value in network.state_dict().items()}, path)
    return network.state_dict()


@pytest.fixture(scope="module")
def weights_of_a(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("released") / "a.pt"
    save_released(path, "ossnet-a")
    return path


@pytest.mark.parametrize(
    ("variant", "dataset", "first"),
    [
        ("o-net", "brats", r"decoder\.patch_mapping\.mapping\.0\.bias \(unknown\)"),
        ("ossnet-b", "brats", r"decoder\.patch_mapping\.mapping\.0\.weight \(shape \[[\d, ]+\], not \[[\d, ]+\]\)"),
        ("ossnet-c", "brats", r"encoder\.segmentation_mapping\.0\.weight \(missing\)"),
        ("ossnet-a", "lits", r"encoder\.blocks\.4"),
    ],
)
def test_weights_of_another_variant_are_refused(variant: str, dataset: str, first: str, weights_of_a: Path) -> None:
    with pytest.raises(UserError, match=f"{variant} for {dataset}: .* entries differ, the first is {first}"):
        load_released(weights_of_a, variant, dataset)


@pytest.mark.parametrize("prefix", ["", "module."], ids=["one GPU", "several GPUs"])
def test_a_state_dict_comes_back_as_it_was(prefix: str, tmp_path: Path) -> None:
    state = {"weight": torch.arange(6.0).view(2, 3), "count": torch.tensor(3)}
    torch.save({f"{prefix}{name}": value for name, value in state.items()}, tmp_path / "weights.pt")
    read = read_state_dict(tmp_path / "weights.pt")
    assert read.keys() == state.keys()
    assert all(torch.equal(read[name], state[name]) for name in state)


def test_our_own_names_stay() -> None:
    for name in ("encoder.blocks.0.main.4.weight", "decoder.head.weight", "encoder.skips.2.norm.running_var"):
        assert rename(name) == name


def test_the_larger_patches_are_pooled_as_asked(tmp_path: Path) -> None:
    state = save_released(tmp_path / "b.pt", "ossnet-b")
    assert load_released(tmp_path / "b.pt", "ossnet-b", "brats").config.context_pooling == "average"
    network = load_released(tmp_path / "b.pt", "ossnet-b", "brats", context_pooling="max")
    assert network.config.context_pooling == "max"
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("larger_context", [True, False])
def test_the_released_code_infers_with_maxima_of_the_larger_patches(larger_context: bool) -> None:
    torch.manual_seed(0)
    sizes = {"encoder_channels": (4, 4), "decoder_width": 8, "decoder_blocks": 1, "patch_size": 3}
    config = OccupancyNetworkConfig((16, 16, 16), 1, larger_context=larger_context, **sizes)
    network = OccupancyNetwork(config).eval()
    pooled = OccupancyNetwork(replace(config, context_pooling="max")).eval()
    pooled.load_state_dict(network.state_dict())
    image, locations = torch.randn(1, 16, 16, 16), torch.randint(16, (50, 3))
    released = with_released_inference(network)
    answer = released.field(image)(locations)
    assert torch.equal(answer, pooled.field(image)(locations))
    assert torch.equal(answer, network.field(image)(locations)) is not larger_context
    assert network.config == config
    assert released.decoder.head.weight is network.decoder.head.weight
