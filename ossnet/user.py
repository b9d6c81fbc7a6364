"""The name of the user, which libraries ask for."""

import getpass
import os


def ensure_user_name() -> None:
    """Set `USER` to the number of the user where neither the environment nor the system knows a name.

    Containers often run under a number without an account (`docker run --user 1234`). There `getpass.getuser` raises,
    which MONAI calls when it is imported and torch's compiler when it looks for its cache. Processes that are started
    from this one inherit the variable.
    """
    try:
        getpass.getuser()
    except (KeyError, OSError):  # OSError since Python 3.13.
        os.environ["USER"] = str(os.getuid())
