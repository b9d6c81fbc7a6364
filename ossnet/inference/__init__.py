"""Dense segmentation from an occupancy field (Section 3.3).

In reading order:

- `extraction`: the extractors by name, of the paper's text and of its released code;
- `octree`: the levels of an octree, and how contradicting labels are resolved;
- `mesh`: the surface of a segmentation as a triangle mesh.
"""
