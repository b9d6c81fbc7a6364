"""Names of a model's weights, whatever the model was wrapped in when they were saved."""

from torch import Tensor

WRAPPERS = ("module.", "_orig_mod.")
"""Prefixes that `DataParallel` (distributed or not) and `torch.compile` give to the names of a model's weights."""


def without_wrappers(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a state dict with the names that the model had before it was wrapped, if it was."""
    for wrapper in WRAPPERS * 2:
        if weights and all(name.startswith(wrapper) for name in weights):
            weights = {name.removeprefix(wrapper): value for name, value in weights.items()}
    return weights
