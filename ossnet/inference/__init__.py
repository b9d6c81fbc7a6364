"""Dense segmentation from an occupancy field (Section 3.3).

In reading order:

- `extraction`: the extractors by name, of the paper's text and of its released code;
- `octree`: the levels of an octree, and how contradicting labels are resolved;
- `adaptive`: what the adaptive extraction evaluates;
- `interpolated_level`: its levels, of evaluated and interpolated logits;
- `audit`: bound on what an extraction misses, from random voxels that it skipped;
- `mesh`: the surface of a mask or of probabilities as a triangle mesh;
- `surface`: the surface of a field's segmentation, placed between voxels by its logits;
- `smoothing`: smoothing of meshes.
"""
