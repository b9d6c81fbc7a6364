"""The command line `ossnet`.

* `__main__`: all commands
* `options`, `device`: what several commands share
* a module for each command
"""
