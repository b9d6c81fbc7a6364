"""How a command ends: what a user is told in one line, and the exit status."""

import sys
from collections.abc import Callable

from ossnet.errors import UserError
from ossnet.memory import is_out_of_memory


def run_command(program: str, command: Callable[[], int]) -> int:
    """The exit status of `command`: its own; 2 for a user's mistake or too little memory, 130 when interrupted.

    Those end with one line on standard error that starts with the program's name, any other error as usual.
    """
    try:
        return command()
    except UserError as error:
        problem, status = " ".join(str(error).split()), 2
    except KeyboardInterrupt:
        problem, status = "interrupted; what was finished is kept, the same command goes on from there", 130
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        problem = "out of memory; lower --max-locations, or recipe.batch_size with --set, or free memory"
        status = 2
    print(f"{program}: {problem}", file=sys.stderr)
    return status
