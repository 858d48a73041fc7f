"""Colours: whose colours a result gets, the painting's or the photograph's.

`METHODS` lists them. A new one takes a file with its two functions, like `luminance.py`, and one line in the list.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ..settings import COLOURS
from . import luminance


@dataclass(frozen=True)
class ColourMethod:
    """What happens to the colours before and after a run.

    All pictures are float32 arrays (H, W, 3), RGB, 0 to 255. `content` is the photograph and `style` the painting; a
    reconstruction has only one of them, and the other is None. A function that needs the other raises a MinistyleError.

    Attributes
    ----------
    name : str
    help : str, what it does, in a line
    before : function of (content, style) -> (content, style)
        Returns what the run works with.
    after : function of (picture, content) -> picture
        Returns the finished picture. `picture` is the result of the run; `content` is the photograph as it was before
        the run, in colour.
    """

    name: str
    help: str
    before: Callable
    after: Callable


def keep_both(content, style):
    """Return both pictures as they are: the style includes the painting's colours, as in the paper of 2015."""
    return content, style


def keep_result(picture, content):
    """Return the result as it is."""
    return picture


METHODS = (
    ColourMethod("painting", "the painting's colours", keep_both, keep_result),
    ColourMethod("photo-luminance", "the photograph's", luminance.to_luminance, luminance.with_chrominance),
)
COLOURS.update((method.name, method) for method in METHODS)
