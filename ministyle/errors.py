"""The one exception that users of the package meet, and what its sentences share."""

import difflib


class MinistyleError(Exception):
    """What is wrong, where, and what to do about it, in one sentence.

    Every error that bad input can cause is one of these. The command line prints the sentence and
    exits with status 2; a program catches this class.
    """


def check_choice(name, value, choices):
    """Refuse a value that is none of the choices.

    Parameters
    ----------
    name : str, of the setting or argument
    value
    choices : collection of str
    """
    if value not in choices:
        hint = did_you_mean(value, choices)
        raise MinistyleError(f"{name} (={value!r}) must be one of {', '.join(choices)}{hint}")


def did_you_mean(word, known):
    """Return the end of a sentence that proposes what a misspelt word may have meant, or nothing.

    Parameters
    ----------
    word : str
    known : iterable of str, or of what is shown as one
    """
    similar = difflib.get_close_matches(str(word), map(str, known), n=1)
    return f"; did you mean {similar[0]}?" if similar else ""
