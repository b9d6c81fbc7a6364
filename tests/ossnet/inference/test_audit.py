"""Bounds by hand, coverage on injected errors, and what an audit sees of every extraction."""

import numpy as np
import pytest
import torch
from torch import Tensor

from ossnet.field import Grid, VoxelField
from ossnet.inference.audit import Audit, draw_skipped, extract_and_audit, samples_for
from ossnet.inference.extraction import EXTRACTORS, Extraction, dense

SHAPE = (24, 20, 18)
VOXELS = 24 * 20 * 18


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ball_field() -> VoxelField:
    places = torch.cartesian_prod(*map(torch.arange, SHAPE)).float()
    margin = 6.3 - (places - torch.tensor([11.0, 9.0, 8.0])).norm(dim=-1)
    field = VoxelField(margin.sigmoid().view(SHAPE))
    field.prior = field.probabilities[0, ::4, ::4, ::4]  # type: ignore[assignment]
    return field


def test_bounds_by_hand() -> None:
    # Without a miss 1 - 0.05^(1/m), about 3 / m; here of half of the voxels.
    assert Audit(20_000, 10_000, 1000, 0).bound == pytest.approx((1 - 0.05 ** (1 / 1000)) / 2)
    assert Audit(10_000, 10_000, 1000, 0).bound == pytest.approx(3 / 1000, rel=0.01)
    # Two of ten: the rate p with P(X <= 2) = 0.05, from tables 0.507.
    assert Audit(10_000, 10_000, 10, 2).bound == pytest.approx(0.507, abs=5e-4)
    assert Audit(10_000, 5000, 10, 10).bound == 0.5
    assert Audit(10_000, 50, 50, 2).bound == 2 / 10_000
    assert Audit(10_000, 0, 0, 0).bound == 0
    assert Audit(10_000, 100, 0, 0).bound == 0.01


@pytest.mark.parametrize("bound", [0.3, 1e-2, 1e-3])
@pytest.mark.parametrize("skipped", [100_000, 60_000])
def test_the_number_of_samples_reaches_the_bound_and_no_smaller_one_does(bound: float, skipped: int) -> None:
    count = samples_for(bound, skipped, 100_000)
    assert Audit(100_000, skipped, count, 0).bound <= bound * (1 + 1e-9)
    assert Audit(100_000, skipped, count - 1, 0).bound > bound


def test_no_more_samples_than_there_is_to_sample() -> None:
    assert samples_for(1e-6, 500, 1000) == 500
    assert samples_for(1e-3, 1, 1000) == 0
    assert samples_for(1e-3, 0, 1000) == 0
    for bound in (0.0, 1.0, -1.0):
        with pytest.raises(ValueError, match="between 0 and 1"):
            samples_for(bound, 10, 10)


def test_only_skipped_voxels_are_drawn_and_all_alike() -> None:
    evaluated = torch.zeros(4, 3, 2, dtype=torch.bool)
    evaluated[1:] = True
    drawn = draw_skipped(evaluated, 5, seeded())
    assert torch.equal(drawn, draw_skipped(evaluated, 5, seeded()))
    assert not torch.equal(drawn, draw_skipped(evaluated, 5, seeded(1)))
    assert torch.equal(draw_skipped(evaluated, 6, seeded()), (~evaluated).nonzero())
    evaluated[1, 0, 0] = False
    many = draw_skipped(torch.cat([evaluated] * 200), 6000, seeded())
    assert not torch.cat([evaluated] * 200)[tuple(many.T)].any()
    counts = np.bincount(many[:, 0] % 4, minlength=4)
    assert counts.tolist() == pytest.approx([6000 * 6 / 7, 6000 / 7, 0, 0], abs=120)


@pytest.mark.parametrize("name", EXTRACTORS)
def test_an_audit_changes_no_extraction_and_knows_what_was_skipped(name: str) -> None:
    field = ball_field()
    grid = Grid.over(field)
    plain = EXTRACTORS[name](field, grid, 300)
    audited, audit = extract_and_audit(EXTRACTORS[name], field, grid, 300, 1e-9, seeded())
    assert torch.equal(audited.segmentation, plain.segmentation)
    assert audited.evaluated == plain.evaluated
    assert audit.voxels == VOXELS
    assert audit.skipped == audit.sampled == VOXELS - sum(plain.evaluated)
    # All skipped voxels were sampled, and evaluated ones cannot differ.
    assert audit.differing == int((plain.segmentation != dense(field).segmentation).sum())
    assert audit.bound == audit.differing / VOXELS


def test_an_audit_on_another_grid() -> None:
    field = ball_field()
    grid = Grid.over(field, (30, 11, 25))
    extraction, audit = extract_and_audit(EXTRACTORS["adaptive"], field, grid, 1000, 0.01, seeded())
    assert audit.voxels == 30 * 11 * 25
    assert audit.skipped == audit.voxels - sum(extraction.evaluated)
    assert audit.bound <= 0.01


def injected(clustered: bool, count: int) -> Tensor:
    """A segmentation of an empty field, with wrong voxels scattered or in a cube."""
    wrong = torch.zeros(40, 40, 40, dtype=torch.uint8)
    if clustered:
        edge = round(count ** (1 / 3))
        wrong[20 : 20 + edge, 3 : 3 + edge, 7 : 7 + edge] = 1
    else:
        wrong.view(-1)[torch.randperm(wrong.numel(), generator=seeded())[:count]] = 1
    return wrong


@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("count", [27, 216, 1000])
def test_the_bound_covers_injected_errors_in_95_percent_of_audits(clustered: bool, count: int) -> None:
    wrong = injected(clustered, count)
    share = float(wrong.float().mean())
    field = VoxelField(torch.zeros(40, 40, 40))

    def flawed(*_: object) -> Extraction:
        return Extraction(wrong, (0,))

    bounds = np.array(
        [extract_and_audit(flawed, field, Grid.over(field), 2**16, 2e-3, seeded(seed))[1].bound for seed in range(600)]
    )
    # 600 audits estimate a coverage of 95 % with a standard error of 0.9 %; the exact bound covers more at some shares.
    assert (bounds >= share).mean() >= 0.95 - 2.5 * 0.009
    # It is a bound of use: on average no more than 3.5 times what there is, or than what it was to reach.
    assert bounds.mean() < 3.5 * max(share, 2e-3)
