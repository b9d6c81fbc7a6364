"""Names of weights, without what wrappers put before them."""

import torch

from ossnet.wrappers import without_wrappers

BARE = {"encoder.weight": torch.zeros(2), "head.bias": torch.ones(1)}


def test_wrappers_may_be_nested_either_way() -> None:
    for prefix in ("", "module.", "_orig_mod.", "_orig_mod.module.", "module._orig_mod."):
        assert without_wrappers({f"{prefix}{name}": value for name, value in BARE.items()}) == BARE


def test_a_module_of_that_name_keeps_it() -> None:
    weights = {"module.weight": torch.zeros(1), "head.weight": torch.zeros(1)}
    assert without_wrappers(weights) == weights
    assert without_wrappers({}) == {}
