"""Times and answers of the same work done in several ways, measured in turns in one process.

The ways of inference are `released`, the layers as the released code computes them, `plain`, the network as it is
written for reading, and `suite`, what this suite does by default. Those of a training step are those of a
recipe's `memory`.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import partial
from typing import Any, get_args

import torch
from torch import Tensor, nn

from benchmarks.machine.timing import Timing, time_in_turns
from benchmarks.probes.phantom import ClosedFormField, ClosedFormVolume, make_volume
from benchmarks.probes.released_layers import use_released_layers
from benchmarks.workload import Implementation, Probe
from ossnet.field import OccupancyField
from ossnet.inference.extraction import EXTRACTORS, Extraction
from ossnet.memory.workload import Step, Workload
from ossnet.network.execution import Execution, Memory
from ossnet.network.occupancy_network import OccupancyNetwork
from ossnet.registry import model_type

ROUNDS = 7
LIMIT_S = {"cpu": 90.0, "cuda": 5.0}
"""Number of rounds, and seconds after which a comparison has no more rounds than it must have, by type of device."""

TRAINING_EXECUTIONS: Mapping[Implementation, Execution] = {memory: Execution.of(memory) for memory in get_args(Memory)}
"""Ways of a training step: settings of a recipe's `memory`."""

CONDITIONING = 0.05
"""Standard deviation of the weights of conditional batch norms, which an untrained network has at 0."""

MakeField = Callable[[Tensor], OccupancyField]
"""Function from an image [C, H, W, D] to its occupancy field."""


def compare_ways(probe: Probe, device: torch.device | str) -> dict[str, Any]:
    """Compare the ways of a probe's work and return the result, see `ProbeRecord`.

    Raises:
        ValueError: the probe is of another phase, or of a model that does not evaluate locations.
    """
    device = torch.device(device)
    if probe.phase == "training":
        return _compare_steps(probe, device)
    network = untrained(probe).to(device)
    volume = make_volume(probe.shape, probe.config.modalities, device)
    image, ways = volume.image_for(network), ways_of(network)
    if probe.phase == "decoder":
        return _compare_decoders(ways, image, probe.locations or 0, device)
    if probe.phase == "extraction":
        return _compare_extractions(ways, image, volume, probe, device)
    raise ValueError(f"no comparison of the phase {probe.phase}")


def untrained(probe: Probe) -> OccupancyNetwork:
    """Make the network of a probe in evaluation mode, with conditional batch norms that depend on the latents.

    Raises:
        ValueError: the model is no occupancy network.
    """
    torch.manual_seed(0)
    network = model_type(probe.model)(probe.config)
    if not isinstance(network, OccupancyNetwork):
        raise ValueError(f"model {probe.model} is no occupancy network")
    for name, parameter in network.named_parameters():
        if name.endswith(("gamma.weight", "beta.weight")):
            nn.init.normal_(parameter, std=CONDITIONING)
    return network.eval()


def ways_of(network: OccupancyNetwork) -> dict[str, MakeField]:
    """Return the ways to make the field of an image by a network in evaluation mode, by name."""
    released = deepcopy(network)
    use_released_layers(released, computed=True)
    return {"released": released.plain_field, "plain": network.plain_field, "suite": network.field}


def _compare_steps(probe: Probe, device: torch.device) -> dict[str, Any]:
    """Compare training steps of the same network on the same volume."""
    steps: dict[str, Step] = {
        name: Workload(probe.model, probe.config, "training", 1, probe.locations, execution).prepare(device)
        for name, execution in TRAINING_EXECUTIONS.items()
    }
    return _times(time_in_turns(steps, device, ROUNDS, LIMIT_S[device.type]))


@torch.no_grad()
def _compare_decoders(ways: Mapping[str, MakeField], image: Tensor, count: int, device: torch.device) -> dict[str, Any]:
    """Compare a single pass over random voxels, without the encoder."""
    generator = torch.Generator().manual_seed(0)
    along_axes = [torch.randint(size, (count,), generator=generator) for size in image.shape[1:]]
    locations = torch.stack(along_axes, -1).to(device)
    fields = {name: make(image) for name, make in ways.items()}
    answers = {name: field(locations) for name, field in fields.items()}
    steps = {name: partial(field, locations) for name, field in fields.items()}
    errors = {name: float((answer - answers["plain"]).abs().max()) for name, answer in answers.items()}
    return _times(time_in_turns(steps, device, ROUNDS, LIMIT_S[device.type])) | {"largest_error": errors}


@torch.no_grad()
def _compare_extractions(
    ways: Mapping[str, MakeField], image: Tensor, volume: ClosedFormVolume, probe: Probe, device: torch.device
) -> dict[str, Any]:
    """Compare whole segmentations, encoder included, of a closed-form volume.

    Each location is evaluated by the network, and the octree receives the closed form, see `ClosedFormField`.
    """
    assert probe.extraction is not None
    assert probe.locations is not None
    extract, max_locations = EXTRACTORS[probe.extraction], probe.locations
    found: dict[str, Extraction] = {}
    prior = volume.prior_for(ways["plain"](image))

    def segment(name: str, make: MakeField) -> None:
        found[name] = extract(ClosedFormField(make(image), volume.label, prior), None, max_locations)

    steps = {name: partial(segment, name, make) for name, make in ways.items()}
    times = time_in_turns(steps, device, ROUNDS, LIMIT_S[device.type])
    differing = {name: int((one.segmentation != volume.label).sum()) for name, one in found.items()}
    evaluated = {name: list(one.evaluated) for name, one in found.items()}
    return _times(times) | {"evaluated": evaluated, "differing_voxels": differing}


def _times(timings: Mapping[str, Timing]) -> dict[str, Any]:
    return {"seconds": {name: list(timing.seconds) for name, timing in timings.items()}}
