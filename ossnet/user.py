"""The user name that libraries look up."""

import getpass
import os


def ensure_user_name() -> None:
    """Set `USER` to the user ID where neither the environment nor the system has a user name.

    Containers often run under an ID without an account (`docker run --user 1234`). `getpass.getuser` raises there,
    which MONAI calls when it is imported and torch's compiler when it looks for its cache. Child processes inherit the
    variable.
    """
    try:
        getpass.getuser()
    except (KeyError, OSError):  # OSError since Python 3.13.
        os.environ["USER"] = str(os.getuid())
