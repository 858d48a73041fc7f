"""The one exception that users of the package meet, and what its sentences share."""

import difflib
from collections.abc import Collection, Iterable


class MinistyleError(Exception):
    """What is wrong, where, and what to do about it, in one sentence.

    Every error that bad input can cause is one of these. The command line prints the sentence and
    exits with status 2; a program catches this class.
    """


def check_choice(name: str, value: object, choices: Collection[str]) -> None:
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


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Return the end of a sentence that proposes what a misspelt word may have meant, or nothing.

    Parameters
    ----------
    word : str
    known : iterable of str, or of what is shown as one
    """
    similar = difflib.get_close_matches(str(word), map(str, known), n=1)
    return f"; did you mean {similar[0]}?" if similar else ""


def check_matplotlib(what: str) -> None:
    """Make sure, before long work begins, that something can be drawn.

    Parameters
    ----------
    what : str, for the message

    Raises
    ------
    MinistyleError
        Matplotlib is not installed.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise MinistyleError(
            f"{what} needs Matplotlib, which is not installed; install ministyle with the extra plot"
        ) from None
