"""Protocols that studies score by, in addition to the dense one."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from benchmarks.scoring.protocols import protocols_of
from ossnet.training.run import RunSpec
from ossnet.training.validation import Validation


@pytest.mark.parametrize(
    ("name", "released"),
    [
        ("own", []),
        ("glioma", [Validation("released", 512)]),
        ("brats2020", [Validation("released", 512)]),
        ("liver", [Validation("released", 64, 0.4)]),
        ("lits", [Validation("released", 64, 0.4)]),
    ],
)
def test_the_released_protocol_is_that_of_the_papers_data_sets(
    name: str, released: list[Validation], tiny_spec: Callable[..., RunSpec]
) -> None:
    spec = replace(tiny_spec("c"), dataset=name)
    assert protocols_of(spec) == (Validation("paper", 512), *released)


def test_a_training_as_by_the_released_code_is_scored_at_as_many_locations(tiny_spec: Callable[..., RunSpec]) -> None:
    spec = tiny_spec(
        "c", changes={"recipe": {"validation": {"protocol": "released", "locations": 64, "border_share": 0.4}}}
    )
    assert protocols_of(replace(spec, dataset="lits")) == (
        Validation("paper", 512),
        Validation("released", 64, 0.4),
    )
