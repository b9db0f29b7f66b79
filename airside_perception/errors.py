"""The one exception that means: the user can mend this."""


class AirsideError(ValueError):
    """Bad input from the user: the message is one line with what was expected, what came and what to do.

    The command line prints it without a traceback and ends with exit code 2.
    """
