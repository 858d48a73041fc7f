"""What a kind of input consists of, and the place in which the product is given one."""

import errno
import io
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import SimpleNamespace

LIMIT_MB = 1000  # of the process that works on an input, at its peak


class WrongResultError(BaseException):
    """The product took an input, and made something wrong of it; it passes where the product catches exceptions."""


class EndedError(BaseException):
    """Work in a child process ended as it must not.

    Parameters
    ----------
    outcome : one of `parent.HARM`
    signature, text : str, see `parent.Outcome`
    """

    def __init__(self, outcome, signature, text=""):
        super().__init__(signature)
        self.outcome, self.signature, self.text = outcome, signature, text


@dataclass(frozen=True)
class Kind:
    """A kind of input.

    Attributes
    ----------
    name : str
    seeds : function () -> list of values
        Valid inputs, of which others are made. The first inputs of a run are the seeds themselves, which must not be
        refused.
    mutate : function (random, seed, seeds) -> value
        A changed seed. It may take parts of other seeds.
    consume : function (value, place)
        Lets the product have the input. It raises `WrongResultError` if the result is not right. The product's own
        exceptions pass.
    files : function value -> dict, name -> bytes
        What is put into `place.input` before; also what is kept of an input that did harm.
    prepare : function ()
        Imports what is needed, before memory is limited.
    children : bool
        May the product start child processes?
    longest : int, letters that a sentence may have
    """

    name: str
    seeds: Callable
    mutate: Callable
    consume: Callable
    files: Callable = lambda value: {"input": value}
    prepare: Callable = lambda: None
    children: bool = False
    longest: int = 2000

    def input(self, seed, number, seeds):
        """Return the input of a number, always the same; `seed` is the run's."""
        if number < len(seeds):
            return seeds[number]
        random = Random(f"{self.name} {seed} {number}")
        return self.mutate(random, random.choice(seeds), seeds)


class Place:
    """The folders in which an input is worked on.

    Attributes
    ----------
    input : Path, has the input's files; they must stay as they are
    work : Path, the current folder, must stay empty; so must `home` and `tmp`, where temporary files go
    output : Path, may be written to
    cache : Path, may be written to, and is kept
    trace : Path of the file in which a process that crashes or hangs says where
    child_mb : float, the peak of a child process that the consumer knows of
    """

    def __init__(self, scratch):
        self.input, self.work, self.output, self.home, self.tmp = (
            scratch / name for name in ("input", "work", "output", "home", "tmp")
        )
        self.cache = Path(os.environ.get("MPLCONFIGDIR", scratch / "cache"))
        for folder in (self.input, self.work, self.output, self.home, self.tmp):
            folder.mkdir(exist_ok=True)
        self.clear()  # of what an input left that ended the process
        self._files = {}
        self._out, self._err, self.trace = (scratch / name for name in ("out.txt", "err.txt", "crash.txt"))
        self.child_mb = 0.0

    def fill(self, files):
        """Write the files of an input."""
        self._files = files
        self.child_mb = 0.0
        for name, data in files.items():
            path = self.input / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def changed(self):
        """Return the files that should not be there, or have changed."""
        there = {str(path.relative_to(self.input)): path for path in self.input.rglob("*") if not path.is_dir()}
        changed = [f"{name} is not the input any more" for name in self._files.keys() ^ there.keys()]
        changed += [
            f"{name} has changed"
            for name in self._files.keys() & there.keys()
            if there[name].read_bytes() != self._files[name]
        ]
        stray = [path for folder in (self.work, self.home, self.tmp) for path in folder.rglob("*")]
        return changed + [f"{path.parent.name}/{path.name}" for path in stray]

    def clear(self):
        """Empty all folders but the cache."""
        for folder in (self.input, self.work, self.output, self.home, self.tmp):
            for entry in os.scandir(folder):
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path)
                else:
                    os.unlink(entry.path)

    def capture(self):
        """Let all that the process prints, also from C, go to files."""
        for number, path in ((1, self._out), (2, self._err)):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
            os.dup2(descriptor, number)
            os.close(descriptor)

    def printed(self):
        """Return what was printed since the last time on standard output and standard error."""
        texts = []
        for number, stream, path in ((1, sys.stdout, self._out), (2, sys.stderr, self._err)):
            stream.flush()
            texts.append(path.read_bytes().decode(errors="backslashreplace") if path.stat().st_size else "")
            os.ftruncate(number, 0)
        return texts

    def run(self, words):
        """Run a command line in this process; return its exit status, standard output and standard error.

        Raises
        ------
        WrongResultError
            The status is none of the command's, it was refused without one sentence, or it would steer the terminal.
        """
        from ministyle.command import main

        self.printed()
        try:
            status = main(words)
        except SystemExit as end:  # from the parser
            status = end.code
        out, err = self.printed()
        shown = f"{words} -> {status}, {err[:500]!r}"
        if status not in (0, 1, 2):
            raise WrongResultError(f"exit status {status}: {shown}")
        if status == 2 and (len(err.splitlines()) != 1 or not err.startswith("ministyle: ")):
            raise WrongResultError(f"refused, but not with one sentence: {shown}")
        for text in (out, err):
            steering = steering_letters(text)
            if steering:
                raise WrongResultError(f"control characters {steering} on the terminal: {words} printed {text[:500]!r}")
        return status, out, err

    def judge_printed(self, error):
        """Return what is wrong with a refusal as the program prints it, or None."""
        from ministyle import command

        def refuse(_):
            raise error

        with redirect_stderr(io.StringIO()) as printed:
            command._run(SimpleNamespace(run=refuse))
        steering = steering_letters(printed.getvalue())
        return f"control characters {steering} on the terminal: {printed.getvalue()[:300]!r}" if steering else None


def where_it_ended(trace):
    """Return the first line of the product in what `faulthandler` wrote about a process that ended."""
    lines = [line.strip() for line in trace.splitlines() if "/ministyle/" in line]
    return lines[0].rpartition("/ministyle/")[2].replace('", line ', ":") if lines else "no traceback"


def is_memory(error):
    """Say whether an error, or what caused it, is that memory ran out."""
    while error is not None:
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
            return True
        error = error.__cause__ or error.__context__
    return False


def where(error):
    """Return what tells an error from others: its type, and the last line of the product that it went through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "/ministyle/" in frame.filename] or frames
    last, deepest = own[-1], frames[-1]
    at = f"{last.filename.rpartition('/ministyle/')[2]}:{last.lineno} {last.name}"
    inside = "" if deepest is last else f" ({os.path.basename(deepest.filename)} {deepest.name})"
    return f"{type(error).__name__} at {at}{inside}"


def steering_letters(text):
    """Return the letters of a text that would steer a terminal, or hide something."""
    return sorted({letter for letter in text if not (letter.isprintable() or letter in "\n\t\r")})
