"""Runs of studies: their folders, plans and processes.

`run_folder` holds the state and the identity of a run, `plan` the runs of a study. `sweep` makes runs through an
`executor`, which starts a process for each: `local` on this machine, `slurm` on a cluster, whose queue `squeue` reads.
`pace` estimates how long they take. In its process, `worker` makes one run by `benchmarks.experiments`.

Nothing here imports torch, so that the state of a study is read in a moment.
"""
