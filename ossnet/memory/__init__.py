"""Memory of models: predicted without a GPU, counted while they run, and compared with the memory that a GPU has.

`workload` makes a training step, an evaluation or an extraction of any model, and `footprint` predicts or counts its
peak memory by parts, on the account of storages in `accounting` and the model of torch's allocator in `allocator`.
`fits` answers whether a model fits into a GPU, and with which settings it would.
"""
