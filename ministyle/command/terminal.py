"""What is printed shows names as they are, but nothing in a name steers the terminal.

A picture, a record or an error message of a library may hold control characters: a file may be named so that printing
it changes a terminal's title, hides a line or turns round what it says. So all that a command prints passes here.
"""

import sys
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout

from ..errors import printable


class PrintableStream:
    """A text stream that writes control characters as escapes; see `errors.printable`. All else is the stream's own.

    Parameters
    ----------
    stream : text stream
    """

    def __init__(self, stream):
        self._stream = stream

    def write(self, text):
        """Write a text. A carriage return at its beginning stays: the progress line begins so."""
        start = "\r" if text.startswith("\r") else ""
        return self._stream.write(start + printable(text.removeprefix(start)))

    def writelines(self, lines):
        """Write several texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name):
        return getattr(self._stream, name)


@contextmanager
def printable_streams():
    """Have all that is printed inside the `with` block pass a `PrintableStream`."""
    with ExitStack() as streams:
        for stream, redirect in ((sys.stdout, redirect_stdout), (sys.stderr, redirect_stderr)):
            if stream is None:  # a program without a console
                continue
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")  # a terminal may lack the letters of a file name
            streams.enter_context(redirect(PrintableStream(stream)))
        yield
