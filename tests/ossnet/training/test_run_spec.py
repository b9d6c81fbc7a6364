"""Specifications of runs: their identities, their files, and the models that they make."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ossnet.config import build, plain
from ossnet.data.folds import Fold
from ossnet.errors import UserError
from ossnet.registry import model_names
from ossnet.sampling import FIELDS_OF
from ossnet.training.run import RunSpec, read_spec, write_spec

MakeSpec = Callable[..., RunSpec]


@pytest.mark.parametrize("name", model_names())
def test_a_specification_comes_back_from_its_file(name: str, tiny_spec: MakeSpec, tmp_path: Path) -> None:
    spec = tiny_spec(name)
    write_spec(tmp_path, spec)
    again = read_spec(tmp_path)
    assert again == spec
    assert again.identity == spec.identity
    assert again.config == spec.config


def test_a_fold_makes_another_run_and_none_changes_nothing(tiny_spec: MakeSpec) -> None:
    spec = tiny_spec()
    assert "fold" not in plain(spec)
    assert len({spec.identity, *(replace(spec, fold=Fold(number, 5)).identity for number in range(5))}) == 6


def leaves(tree: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    return [
        leaf
        for key, value in tree.items()
        for leaf in (leaves(value, (*path, key)) if isinstance(value, dict) else [(*path, key)])
    ]


OTHER = {
    **{"strategy": "border", "protocol": "released", "schedule": "step", "fit": "none", "orientation": "RAS"},
    **{"normalise": "none", "label_values": [0, 3], "steps_per_epoch": 5, "border_share": 0.25, "flip_axes": [2]},
    **{"probability": 0.25, "decay": 0.5, "lookahead_alpha": 0.5, "model": "d", "betas": [0.5, 0.5]},
    **{"shape": [8, 8, 8], "milestones": [1], "modalities": ["x", "y"], "dataset": "other", "fingerprint": "other"},
    **{"border_width": 9, "encoder_channels": [8, 8], "auxiliary_weight": 0.5, "output_skips": False},
    **{"confidence_share": 0.25, "memory_rate": 0.25, "activation": "relu", "normalization": "feature"},
    **{"patches": False, "larger_context": True, "context_pooling": "nearest", "network.locations": "scaled"},
}


def test_every_field_makes_another_identity(tiny_spec: MakeSpec) -> None:
    spec = tiny_spec()
    values = plain(spec)
    paths = [path for path in leaves(values) if path != ("schema_version",)]
    identities = {spec.identity}
    for path in paths:
        changed = json.loads(json.dumps(values))
        table = changed
        for key in path[:-1]:
            table = table[key]
        name = ".".join(path) if ".".join(path) in OTHER else path[-1]
        table[path[-1]] = OTHER[name] if name in OTHER else table[path[-1]] + 1
        for strategy, fields in FIELDS_OF.items():
            if path[-2:] in [("sampling", name) for name in fields]:
                changed["recipe"]["sampling"]["strategy"] = strategy
        if path == ("recipe", "validation", "border_share"):
            changed["recipe"]["validation"]["protocol"] = "released"
        identities.add(build(RunSpec, changed, ".".join(path)).identity)
    assert len(identities) == 1 + len(paths) > 25


def test_nothing_else_makes_another_identity(tiny_spec: MakeSpec) -> None:
    spec = tiny_spec()
    backwards = dict(reversed(plain(spec).items()))
    backwards["network"] = dict(reversed(spec.network.items()))
    assert build(RunSpec, backwards, "").identity == spec.identity
    assert len(spec.identity) == 64


def test_a_version_that_is_not_known_is_refused(tiny_spec: MakeSpec, tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text(json.dumps(plain(tiny_spec()) | {"schema_version": 3}))
    with pytest.raises(UserError, match=r"spec\.json: schema_version"):
        read_spec(tmp_path)


def test_initial_weights_are_the_seeds_and_leave_the_global_generator_alone(tiny_spec: MakeSpec) -> None:
    state = torch.random.get_rng_state()
    first, again, other = (tiny_spec(seed=seed).make_model().state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_size_follows_from_the_data(tiny_spec: MakeSpec) -> None:
    config = tiny_spec().config
    assert (config.shape, config.modalities, config.classes) == ((16, 16, 16), 2, 2)


def test_a_specification_may_begin_with_a_byte_order_mark(tiny_spec: MakeSpec, tmp_path: Path) -> None:
    write_spec(tmp_path, tiny_spec())
    (tmp_path / "spec.json").write_bytes(b"\xef\xbb\xbf" + (tmp_path / "spec.json").read_bytes())
    assert read_spec(tmp_path) == tiny_spec()
