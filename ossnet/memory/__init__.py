"""Memory of models: predicted without a GPU, counted while they run, and compared with the memory that a GPU has.

In reading order:

- `workload`: a training step, an evaluation or an extraction of any model;
- `ellipsoid`: the ellipsoid that an extraction finds in place of a network's predictions;
- `footprint`: prediction or count of a workload's peak memory by parts;
- `parts`: contexts around the parts of a model, to which memory and time are attributed;
- `accounting`: account of all storages, from their allocation to their release;
- `allocator`: model of torch's caching allocator;
- `changes`: settings that lower the memory of a workload;
- `fits`: whether a model fits into a GPU, and with which settings it would.
"""
