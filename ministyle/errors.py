"""The one exception that users of the package meet, and what its sentences share."""

import difflib
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

LONGEST = 1500  # letters of a sentence
LONGEST_REASON = 300  # letters of a library's own words
# What steers a terminal, other than the ends of lines: C0 and C1 control characters, and what turns the direction of
# writing round. And what no encoding holds: bytes of a file's name that are no letters.
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class MinistyleError(Exception):
    """What is wrong, where, and what to do about it, in one sentence.

    Every error that bad input can cause is one of these. The command line prints the sentence and
    exits with status 2; a program catches this class.

    Parameters
    ----------
    sentence : str
        It becomes one line, without what would steer a terminal, and the middle of a very long one is left out: the
        values in it may be arrays, or whatever a stranger wrote.
    """

    def __init__(self, sentence: str) -> None:
        line = printable(" ".join(sentence.split()))
        super().__init__(line if len(line) <= LONGEST else f"{line[: LONGEST // 2]} ... {line[-LONGEST // 3 :]}")


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
        reason = str(error).strip()[:LONGEST_REASON] or type(error).__name__
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


def printable(text: str) -> str:
    r"""Return a text in which escapes, such as "\x1b", stand for whatever would steer a terminal.

    Letters of all languages, tabs and the ends of lines stay.
    """
    return STEERING.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def sentence_of(error: BaseException) -> str:
    """Return one sentence for an exception that input, the system or a lack of memory may cause.

    Those that only a mistake of ours causes are shown as they are.
    """
    if isinstance(error, MinistyleError):
        text = str(error)
    elif isinstance(error, MemoryError):
        on_gpu = type(error).__name__ == "OutOfMemoryError"  # CuPy's
        text = "the GPU has not enough memory; try --device cpu or" if on_gpu else "there is not enough memory; try"
        text += " a smaller --image-size, or --max-memory"
    elif isinstance(error, RecursionError):
        text = f"something is nested too deeply: {error}"
    elif isinstance(error, OverflowError):
        text = f"a number is too large: {error}"
    elif isinstance(error, OSError) and error.strerror:  # a name too long, a full disk
        name = error.filename or "output"
        text = f"{name if isinstance(name, str) else repr(name)}: {error.strerror}"
    elif isinstance(error, OSError | UnicodeError):
        text = str(error) or f"the system refuses something, and does not say what ({type(error).__name__})"
    else:
        text = repr(error)
    return " ".join(text.split())


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
