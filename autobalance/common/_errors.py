"""The one exception that says: the input is wrong, and here is what to do about it."""


class InputError(ValueError):
    """Data, options or a file that cannot be used.

    The message is one line that names the place and the value and says what helps. The commands print it as
    ``error: ...`` and exit with status 2; from Python it is an ordinary ``ValueError``.
    """


class Unfinished(Exception):
    """Work is left that nobody does any more; what is done is kept, and the same work goes on from there."""
