"""The command line `ossnet`.

* `__main__`: all commands
* `options`, `unused`, `device`: what several commands share
* `split_of_run`, `learned_cases`: which cases `evaluate` scores, and which it refuses
* a module for each command; `output_grid` and `surfaces` belong to `segment`
"""
