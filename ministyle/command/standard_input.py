"""`-` in place of a picture: standard input."""

import io
import sys

from ..errors import MinistyleError
from ..pictures.opening import bytes_of_stream

PLACES = (  # names of options
    *("content", "style", "paintings", "content_mask", "style_mask", "init", "image", "picture", "reference"),
    *("photo", "painting"),
)
COMMANDS = ("transfer", "content", "texture", "compare")  # the others note the names of files


class StandardInput(io.BytesIO):
    """A picture's bytes, which may be read several times, though standard input is read once."""

    def __str__(self):
        """Return what the user typed."""
        return "-"


def take_standard_input(options):
    """Put what standard input holds in the place where a command's options have `-` for a picture.

    Raises
    ------
    MinistyleError
        There is more than one such place, the command takes files only, or there is nothing to read.
    """
    named = [(place, getattr(options, place, None)) for place in PLACES]
    times = sum(value.count("-") if isinstance(value, list) else value == "-" for _, value in named)
    if not times:
        return
    if options.command not in COMMANDS:
        raise MinistyleError(f"'-' is standard input, and '{options.command}' takes files only")
    if times > 1:
        raise MinistyleError("'-' is standard input, which can be read once; name a file for each other picture")
    if sys.stdin is None or sys.stdin.isatty():
        raise MinistyleError("'-' is standard input, and there is no picture on it: cat photo.jpg | ministyle ...")
    data = StandardInput(bytes_of_stream(sys.stdin.buffer))
    if not data.getbuffer():
        raise MinistyleError("'-' is standard input, which is empty (0 bytes)")
    for place, value in named:
        if value == "-":
            setattr(options, place, data)
        elif isinstance(value, list):
            setattr(options, place, [data if one == "-" else one for one in value])
