"""The command line `python -m benchmarks`: a module for each command, or for several that belong together.

* `options`: what several commands share
* `run`, `transfer`, `verify`, `reproduce`: the commands of these names
* `records`: the commands that read records
"""
