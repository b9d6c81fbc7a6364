"""Smoothing of triangle meshes that keeps their volume (Taubin, A signal processing approach to fair surface design).

A step moves every vertex towards the mean of its neighbours, which also shrinks the mesh; a slightly larger step in the
opposite direction follows, which undoes the shrinking but not the smoothing. MISE smooths, too, by gradients of the
network; Section 3.3 leaves that out in practice.
"""

import numpy as np
from scipy.sparse import csr_array

TOWARDS, AWAY = 0.5, -0.53
"""Shares of the way to the neighbours' mean: Taubin's lambda and mu, whose pass band 1 / lambda + 1 / mu is 0.11."""


def smooth_mesh(vertices: np.ndarray, faces: np.ndarray, rounds: int) -> np.ndarray:
    """Return the vertices [v, 3] of a closed mesh after rounds of smoothing; its faces stay the same.

    Args:
        vertices: vertices [v, 3] in mm, each of which belongs to a face.
        faces: indices [f, 3] of vertices.
        rounds: number of rounds, each of a step towards the neighbours and one away from them.
    """
    # Each edge of a closed mesh is walked once in both directions.
    start, end = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).T
    neighbours = csr_array((np.ones(len(start)), (start, end)), shape=(len(vertices), len(vertices)))
    count = neighbours.sum(axis=1)[:, None]
    for _ in range(rounds):
        for share in (TOWARDS, AWAY):
            vertices = vertices + share * (neighbours @ vertices / count - vertices)
    return vertices
