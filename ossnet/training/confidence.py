"""Confidence sampling: more locations where past predictions of a training case were uncertain, without bias.

Departure: the paper leaves this to future work: "using the network's confidence of past predictions could be employed
to achieve an adaptive sampling strategy" (Section 5). The method is this suite's proposal, not the authors'.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ossnet.sampling import Sampling, uniform_locations

MIN_UNCERTAINTY = 1e-3
"""Lower bound of a cell's uncertainty in a draw, so that every cell can be drawn again."""


def normalised_entropy(probabilities: Tensor) -> Tensor:
    """Return the uncertainty [...] of probabilities [..., k]: 0 for a certain class, 1 for k equally probable ones."""
    entropy = torch.special.entr(probabilities).sum(-1) / math.log(probabilities.shape[-1])
    return entropy.clamp(0, 1)


class ConfidenceMemory:
    """Uncertainty of past predictions in each cell of each training case, and the draws that it guides.

    Cells are cubes with edges of `sampling.memory_cell` voxels, smaller at the far edges of the volume. All tensors are
    on the CPU, and all locations are those of the cases before augmentation.

    Of the n locations of a case, a share of `confidence_share`, rounded down, is drawn with a density proportional to
    the uncertainty of a voxel's cell, the rest uniformly. Losses are weighted by the ratio of the uniform density to
    that of the whole draw (deterministic mixture sampling with the balance heuristic, Veach and Guibas, SIGGRAPH 1995).
    The expectation of their weighted mean is therefore the mean loss over all voxels, whatever the memory holds, and no
    weight exceeds 1 / (1 - confidence_share). This holds for a given network: its batch norms take their statistics
    from the locations as drawn, without weights, as they do under border sampling.

    Args:
        cases: number of cases; a case is known by its index.
        shape: grid (H, W, D) of the cases in voxels.
        sampling: sampling with the strategy `confidence`.

    Attributes:
        uncertainty: running mean of the normalised entropy of the predictions, [cases, cells] float32 within [0, 1],
            cells in C order; initially 1. It is the whole state of the memory.
    """

    def __init__(self, cases: int, shape: tuple[int, int, int], sampling: Sampling) -> None:
        self.shape = shape
        self.sampling = sampling
        cell = sampling.memory_cell
        self._grid = [-(-edge // cell) for edge in shape]
        self._first_voxels = torch.cartesian_prod(*(torch.arange(0, edge, cell) for edge in shape))  # [cells, 3]
        self._edges = (torch.tensor(shape) - self._first_voxels).clamp(max=cell)  # [cells, 3]
        self._volumes = self._edges.prod(-1)  # [cells], in voxels
        self.uncertainty = torch.ones(cases, len(self._volumes))

    def density(self, cases: Sequence[int]) -> Tensor:
        """Return the density of the uncertainty-guided locations at a voxel of each cell.

        Returns:
            [B, cells] float64 for the cases at B indices, in units of the uniform density.
        """
        uncertainty = self.uncertainty[cases].double().clamp(min=MIN_UNCERTAINTY)
        return uncertainty * self._volumes.sum() / (uncertainty * self._volumes).sum(-1, keepdim=True)

    def draw(self, cases: Sequence[int], generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw voxel indices [B, n, 3] int64 for the cases at B indices, and weights [B, n] float32 of their losses."""
        count = self.sampling.count
        guided_count = int(self.sampling.confidence_share * count)
        density = self.density(cases)
        chosen = self._draw_cells(density, guided_count, generator)
        inside = torch.rand(*chosen.shape, 3, dtype=torch.float64, generator=generator) * self._edges[chosen]
        guided = self._first_voxels[chosen] + inside.long()
        uniform = uniform_locations(self.sampling, len(cases) * (count - guided_count), self.shape, generator)
        locations = torch.cat([guided, uniform.unflatten(0, (len(cases), -1))], dim=1)
        share = guided_count / count
        weights = 1 / (1 - share + share * density.gather(1, self._cells_of(locations)))
        return locations, weights.float()

    def update(self, cases: Sequence[int], locations: Tensor, probabilities: Tensor) -> None:
        """Update the running mean of each cell that holds locations with the mean uncertainty of the predictions there.

        The new mean has the weight `memory_rate`.

        Args:
            cases: indices of B cases.
            locations: voxel indices [B, n, 3] int64.
            probabilities: predictions at the locations, [B, n] for two classes, [B, n, k] for k > 2.
        """
        if probabilities.ndim == 2:
            probabilities = torch.stack([1 - probabilities, probabilities], dim=-1)
        predictions = zip(cases, self._cells_of(locations), normalised_entropy(probabilities), strict=True)
        # One case after the other, since a batch may hold a case twice.
        for case, cells, uncertainty in predictions:
            before = self.uncertainty[case]
            new = before.scatter_reduce(0, cells, uncertainty.to(before.dtype), "mean", include_self=False)
            self.uncertainty[case] = before.lerp(new, self.sampling.memory_rate)

    def _draw_cells(self, density: Tensor, count: int, generator: torch.Generator) -> Tensor:
        """Draw cells [B, count] int64 by inversion of their cumulative distribution."""
        cumulative = (density * self._volumes).cumsum(-1)
        uniform = torch.rand(len(density), count, dtype=torch.float64, generator=generator)
        return torch.searchsorted(cumulative / cumulative[:, -1:], uniform, right=True)

    def _cells_of(self, locations: Tensor) -> Tensor:
        """Return the cell [...] of each voxel [..., 3]."""
        i, j, k = (locations // self.sampling.memory_cell).unbind(-1)
        return (i * self._grid[1] + j) * self._grid[2] + k
