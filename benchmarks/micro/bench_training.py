"""One training step of every model at the sizes of the profile `laptop`: loss, gradients and optimiser."""

import pytest
import torch

from benchmarks.micro.measure import Measure
from benchmarks.micro.volumes import TRAINED
from ossnet.memory.fits import model_config
from ossnet.memory.workload import Workload, locations_for
from ossnet.registry import model_names, model_type
from ossnet.training.profile import load_profile

MODALITIES = 4
LOCATIONS = 256


@pytest.mark.parametrize("model", model_names())
def bench_training_step(measure: Measure, device: torch.device, model: str) -> None:
    """Time a training step."""
    of_family = load_profile("laptop").table[model_type(model).family]
    config = model_config(model, TRAINED, MODALITIES, {"network": of_family["network"]})
    step = Workload(model, config, "training", locations=locations_for(model, LOCATIONS)).prepare(device, seed=0)
    measure("training step", (1, MODALITIES, *TRAINED), "volumes", 1, step)
