"""One training step of every model, in the sizes of the profile `laptop`: loss, gradients and optimiser."""

import pytest
import torch

from benchmarks.micro.measure import Measure
from ossnet.config import build
from ossnet.model import ModelConfig
from ossnet.network import OccupancyNetwork
from ossnet.profile import load_profile
from ossnet.registry import model_names, model_type
from ossnet.workload import Workload

MODALITIES = 4
SHAPE = (48, 48, 32)
LOCATIONS = 256


def config_of(model: str) -> ModelConfig:
    kind = model_type(model)
    network = load_profile("laptop").table[kind.family]["network"]
    size = {"shape": SHAPE, "modalities": MODALITIES}
    config: ModelConfig = build(kind.config_type, size | network | kind.preset, f"model {model}")
    return config


@pytest.mark.parametrize("model", model_names())
def bench_training_step(measure: Measure, device: torch.device, model: str) -> None:
    locations = LOCATIONS if issubclass(model_type(model), OccupancyNetwork) else None
    step = Workload(model, config_of(model), "training", locations=locations).prepare(device, seed=0)
    measure("training step", (1, MODALITIES, *SHAPE), "volumes", 1, step)
