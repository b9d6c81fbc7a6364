import torch

from ossnet.wrappers import without_wrappers

BARE = {"encoder.weight": torch.zeros(2), "head.bias": torch.ones(1)}


def test_names_of_weights_lose_wrappers_that_are_nested_either_way() -> None:
    for prefix in ("", "module.", "_orig_mod.", "_orig_mod.module.", "module._orig_mod."):
        assert without_wrappers({f"{prefix}{name}": value for name, value in BARE.items()}) == BARE
    # A module that is named as a wrapper keeps its name.
    for weights in ({"module.weight": torch.zeros(1), "head.weight": torch.zeros(1)}, {}):
        assert without_wrappers(weights) == weights
