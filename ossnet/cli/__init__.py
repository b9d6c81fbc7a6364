"""The command line `ossnet`.

* `__main__`: all commands
* `options`, `device`, `learned_cases`: what several commands share
* a module for each command
"""
