"""The command line `ossnet`.

* `options`: the commands and their options
* `__main__`: the work of each command
"""
