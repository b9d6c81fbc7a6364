"""Sampling by confidence: more locations where past predictions of a training case were unsure, without bias.

The paper leaves it to future work: "using the network's confidence of past predictions could be employed to achieve an
adaptive sampling strategy" (Section 5). What is here is this suite's proposal, not the authors'.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ossnet.sampling import Sampling, uniform_locations

FLOOR = 1e-3
"""The least unsureness that a cell is drawn by, so that none is given up for good."""


def normalised_entropy(probabilities: Tensor) -> Tensor:
    """How unsure predictions are: 0 of one class alone to 1 of all k alike, [...] of probabilities [..., k]."""
    entropy = torch.special.entr(probabilities).sum(-1) / math.log(probabilities.shape[-1])
    return entropy.clamp(0, 1)


class ConfidenceMemory:
    """How unsure the network was of its past predictions, in each cell of each training case, and draws by it.

    Cells are cubes of `sampling.memory_cell` voxels an edge, smaller at the far edges of the volume. Everything here is
    on the CPU, and of the cases before augmentation.

    Of the n locations of a case the part `confidence_share`, rounded down, is drawn with a density proportional to the
    unsureness of a voxel's cell, the rest uniformly. Losses are weighted by the uniform density over that of the whole
    draw (deterministic mixture sampling with the balance heuristic, Veach and Guibas, SIGGRAPH 1995). So their weighted
    mean has the mean loss over all voxels for its expectation, whatever the memory holds, and no weight exceeds
    1 / (1 - confidence_share). That is so for a given network: the statistics of its batch norms are those of the
    locations as drawn, without weights, as they are under border sampling.

    Args:
        cases: their number; a case is known by its index.
        shape: their grid (H, W, D) in voxels.

    Attributes:
        unsureness: running mean of the predictions' normalised entropy, [cases, cells] float32 within [0, 1], the cells
            in C order; 1 to start with, where nothing was predicted yet. It is all that a training has to keep.
    """

    def __init__(self, cases: int, shape: tuple[int, int, int], sampling: Sampling) -> None:
        self.shape = shape
        self.sampling = sampling
        cell = sampling.memory_cell
        self._grid = [-(-edge // cell) for edge in shape]
        self._first_voxels = torch.cartesian_prod(*(torch.arange(0, edge, cell) for edge in shape))  # [cells, 3]
        self._edges = (torch.tensor(shape) - self._first_voxels).clamp(max=cell)  # [cells, 3]
        self._volumes = self._edges.prod(-1)  # [cells], in voxels
        self.unsureness = torch.ones(cases, len(self._volumes))

    def density(self, cases: Sequence[int]) -> Tensor:
        """Of the unsure part of a draw at a voxel of each cell, in units of the uniform density: [B, cells] float64."""
        unsureness = self.unsureness[cases].double().clamp(min=FLOOR)
        return unsureness * self._volumes.sum() / (unsureness * self._volumes).sum(-1, keepdim=True)

    def draw(self, cases: Sequence[int], generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Voxel indices [B, n, 3] int64 of the cases at B indices, and the weights [B, n] float32 of their losses."""
        count = self.sampling.count
        unsure_count = int(self.sampling.confidence_share * count)
        density = self.density(cases)
        chosen = self._draw_cells(density, unsure_count, generator)
        inside = torch.rand(*chosen.shape, 3, dtype=torch.float64, generator=generator) * self._edges[chosen]
        unsure = self._first_voxels[chosen] + inside.long()
        uniform = uniform_locations(self.sampling, len(cases) * (count - unsure_count), self.shape, generator)
        locations = torch.cat([unsure, uniform.unflatten(0, (len(cases), -1))], dim=1)
        share = unsure_count / count
        weights = 1 / (1 - share + share * density.gather(1, self._cells_of(locations)))
        return locations, weights.float()

    def remember(self, cases: Sequence[int], locations: Tensor, probabilities: Tensor) -> None:
        """Let the cells that were visited take a part `memory_rate` of the mean unsureness of the visit.

        Args:
            cases: B indices.
            locations: voxel indices [B, n, 3] int64.
            probabilities: predicted there, [B, n] for two classes, [B, n, k] for k > 2.
        """
        if probabilities.ndim == 2:
            probabilities = torch.stack([1 - probabilities, probabilities], dim=-1)
        visits = zip(cases, self._cells_of(locations), normalised_entropy(probabilities), strict=True)
        # One after the other, since a case may be twice in a batch.
        for case, cells, unsureness in visits:
            before = self.unsureness[case]
            visit = before.scatter_reduce(0, cells, unsureness.to(before.dtype), "mean", include_self=False)
            self.unsureness[case] = before.lerp(visit, self.sampling.memory_rate)

    def _draw_cells(self, density: Tensor, count: int, generator: torch.Generator) -> Tensor:
        """Cells [B, count] int64 by inversion of their cumulative distribution."""
        cumulative = (density * self._volumes).cumsum(-1)
        uniform = torch.rand(len(density), count, dtype=torch.float64, generator=generator)
        return torch.searchsorted(cumulative / cumulative[:, -1:], uniform, right=True)

    def _cells_of(self, locations: Tensor) -> Tensor:
        """The cell [...] that holds each voxel [..., 3]."""
        i, j, k = (locations // self.sampling.memory_cell).unbind(-1)
        return (i * self._grid[1] + j) * self._grid[2] + k
