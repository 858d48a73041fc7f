"""The one exception that users of the package meet."""


class MinistyleError(Exception):
    """What is wrong, where, and what to do about it, in one sentence.

    Every error that bad input can cause is one of these. The command line prints the sentence and
    exits with status 2; a program catches this class.
    """
