"""The command line `ossnet`.

* `__main__`: all commands
* `options`, `unused`, `device`, `learned_cases`: what several commands share
* a module for each command; `output_grid` and `surfaces` belong to `segment`
"""
