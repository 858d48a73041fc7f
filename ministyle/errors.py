"""The one exception that users of the package meet, and what its sentences share."""

import difflib
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

LONGEST_REASON = 300  # letters of a library's own words


class MinistyleError(Exception):
    """What is wrong, where, and what to do about it, in one sentence.

    Every error that bad input can cause is one of these. The command line prints the sentence and
    exits with status 2; a program catches this class.
    """


@contextmanager
def as_damaged(what: str) -> Iterator[None]:
    """Turn whatever a library raises about a file into the one exception.

    Decoders meet files that nobody foresaw, and each has errors of its own: OSError, SyntaxError, struct.error,
    RecursionError. This is the one place that knows it. It is for code that reads what strangers wrote, and for no
    other: a mistake of ours must stay visible.

    Parameters
    ----------
    what : str, the file as a sentence begins with it, such as "picture 'photo.jpg'"

    Raises
    ------
    MinistyleError
        For any other exception inside the `with` block; those that are one already pass.
    """
    try:
        yield
    except MinistyleError:
        raise
    except MemoryError as error:
        raise MinistyleError(f"{what} takes more memory than there is, or is damaged") from error
    except KeyError as error:
        raise MinistyleError(f"{what} is damaged: {error.args[0] if error.args else error!r}") from error  # no quotes
    except Exception as error:
        reason = " ".join(str(error).split())[:LONGEST_REASON] or type(error).__name__
        raise MinistyleError(f"{what} is damaged: {reason}") from error


def check_choice(name: str, value: object, choices: Collection[str]) -> None:
    """Refuse a value that is none of the choices.

    Parameters
    ----------
    name : str, of the setting or argument
    value
    choices : collection of str
    """
    if not any(isinstance(value, type(choice)) and value == choice for choice in choices):  # it may have no hash
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
