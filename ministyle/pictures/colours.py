"""Colours: whose colours a result gets, the painting's or the photograph's.

`METHODS` lists them. A new one takes a file with its functions, like `luminance.py`, and one line in the list.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import MinistyleError
from ..settings import COLOURS
from . import luminance, matching


def keep_both(content, style):
    """Return both pictures as they are: the style includes the painting's colours, as in the paper of 2015."""
    return content, style


def keep_result(picture, content):
    """Return the result as it is."""
    return picture


@dataclass(frozen=True)
class ColourMethod:
    """What happens to the colours before and after a run.

    All pictures are float32 arrays (H, W, 3), RGB, 0 to 255. `content` is the photograph and `style` the painting. A
    reconstruction has only one of them, and the other is None.

    Attributes
    ----------
    name : str
    help : str, what it does, in a line
    prepare : function of (content, style) -> (content, style)
        Returns what the run works with. Of several paintings, each is prepared by itself.
    complete : function of (picture, content) -> picture
        Returns the finished picture. `picture` is the result of the run; `content` is the photograph as it was before
        the run, in colour.
    recolour : function of (picture, content) -> picture, or None
        Does to the result of any run what the method stands for. None if there is no such thing.
    needs_photograph : bool
    """

    name: str
    help: str
    prepare: Callable = keep_both
    complete: Callable = keep_result
    recolour: Callable | None = None
    needs_photograph: bool = True

    def before(self, content, style):
        """Return photograph and painting as the run works with them; see `prepare`.

        Raises
        ------
        MinistyleError
            The method needs a photograph, and there is none.
        """
        self.check(content)
        return self.prepare(content, style)

    def after(self, picture, content):
        """Return the finished picture, given the result of the run and the photograph; see `complete` and `before`."""
        self.check(content)
        return self.complete(picture, content)

    def check(self, content):
        """Refuse that there is no photograph where the method needs one."""
        if self.needs_photograph and content is None:
            raise MinistyleError(f"the colours {self.name!r} come from a photograph, and there is none; leave them out")


METHODS = (
    ColourMethod("painting", "the painting's colours", needs_photograph=False),
    ColourMethod(
        "photo-luminance",
        "the photograph's; the painting gives light and dark only",
        luminance.to_luminance,
        luminance.with_chrominance,
        luminance.with_chrominance,
    ),
    ColourMethod(
        "photo-match",
        "the photograph's palette, which the painting gets first",
        matching.with_photographs_palette,
        recolour=matching.match,
    ),
)
COLOURS.update((method.name, method) for method in METHODS)


def check_colours(settings, content):
    """Refuse settings whose colours come from a photograph, where there is none: `content` is None."""
    for name in filter(None, (settings.colours, settings.colours_after)):
        COLOURS[name].check(content)


def finish(picture, content, settings):  # (H, W, 3) -> (H, W, 3)
    """Return the result of a run in the colours that the settings ask for, given the photograph or None."""
    picture = COLOURS[settings.colours].after(picture, content)
    if settings.colours_after is None:
        return picture
    return COLOURS[settings.colours_after].recolour(picture, content)
