"""The one exception that is a user's to mend."""


class UserError(Exception):
    """A mistake in what the user gave: a file, an option, a configuration.

    The message is one line: it names the file or option, says what is wrong and how to mend it. The command line prints
    it without a stack trace and ends with status 2.
    """
