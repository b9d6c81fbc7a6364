"""The machine: what it is, the time and memory that work takes on it, and processes of its own for that work.

`provenance` describes machine, code and versions, `nvml` reads a GPU's driver. `timing`, `resident` and `peak_memory`
measure, `median` has the interval of a median, and `host_memory` reads what is free. `forkserver` and
`subprocess_worker` start processes.

All but `host_memory` run with torch, numpy, pandas and nvidia-ml-py alone, as `make gpu` does.
"""
