"""The errors that a user can mend: each message names the argument, its value and the remedy."""


class UserError(Exception):
    """Base of the errors that the command line prints as one line, without a traceback."""
