"""Experiments: from a study's grid to its planned runs, and from a planned run to its result.

`grid` plans the runs of a study, with the `estimate` of their work. In a worker process, `pipeline` makes a run: its
`training`, unless that is done, and its scoring. `attempts` records what each process did and where.

The files and processes of runs are those of `benchmarks.runs`, which does without torch.
"""
