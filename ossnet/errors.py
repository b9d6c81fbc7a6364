"""The exception for errors that the user can correct."""


class UserError(Exception):
    """Error caused by user input: a file, an option or a configuration.

    The message is one line. It names the file or option, says what is wrong with it and how to correct it. The command
    line prints it without a traceback and exits with status 2.
    """
