"""`--history`: a table of a run, a row for each iteration.

A row is written as soon as it is known, so that a killed run leaves all but the last one.
"""

import csv
import json
import sys
from contextlib import nullcontext
from pathlib import Path

from ..errors import MinistyleError
from ..files import table_cell
from ..pictures.writing import check_file

FORMATS = (".csv", ".jsonl")


class History:
    """A file with a row for each iteration.

    Parameters
    ----------
    path : path, whose end chooses the format
    overwrite : bool, replace a file that exists
    append : bool
        Go on with a file that exists, as a command does that goes on where it stopped. Without it such a file is
        refused, unless it is to be overwritten.

    Raises
    ------
    MinistyleError
        See `pictures.writing.check_file`.
    """

    def __init__(self, path, overwrite=False, append=False):
        check_file(path, FORMATS, "history", overwrite or append)
        self.path = Path(path)
        self._mode = "w" if overwrite or not append else "a+"
        self._file = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._file:
            self._file.close()

    def add(self, picture, step):
        """Write a row. The run goes on if that fails, and no more rows are written.

        Parameters
        ----------
        picture : str, the output's name
        step : solvers.Step

        Raises
        ------
        MinistyleError
            The file that is to be continued has other columns.
        """
        height, width = step.size
        row = {
            "picture": picture,
            "iteration": step.iteration,
            "evaluations": step.evaluations,
            "seconds": round(step.seconds, 3),
            "width": width,
            "height": height,
            "loss": step.loss,
            **step.terms,
        }
        try:
            if self._file is None:
                self._open(row)
            if self._file:
                self._write(row)
                self._file.flush()
        except OSError as error:
            print(f"ministyle: history '{self.path}' cannot be written: {error.strerror}", file=sys.stderr)
            self._file = False

    @property
    def _is_table(self):
        return self.path.suffix.lower() == ".csv"

    def _open(self, row):
        """Open the file, and see to it that what is there fits and ends with a line."""
        # A name may hold a byte that is no letter; the escape that stands for it is also JSON's.
        self._file = self.path.open(self._mode, encoding="utf-8", errors="backslashreplace", newline="")
        lines = self._lines()
        if lines and not lines[-1].endswith("\n"):
            self._file.write("\n")  # a killed run may have left half a row
        if not self._is_table:
            return
        if not lines:
            csv.writer(self._file, lineterminator="\n").writerow(row)
        elif next(csv.reader(lines[:1])) != list(row):
            raise MinistyleError(
                f"history '{self.path}' cannot be continued, as it has other columns; name another file"
            )

    def _lines(self):
        """Return the lines of the file that is to be continued."""
        if self._mode == "w":
            return []
        self._file.seek(0)
        return list(self._file)

    def _write(self, row):
        if self._is_table:
            csv.writer(self._file, lineterminator="\n").writerow(map(table_cell, row.values()))
        else:
            self._file.write(json.dumps(row, ensure_ascii=False) + "\n")


def open_history(options, append=False, resume=False):
    """Return a context with the `History` that a command's options ask for, or with None.

    Parameters
    ----------
    options : the command's options
    append : bool, go on with a file that is there, unless it is to be overwritten
    resume : bool, go on with it in any case
    """
    if not options.history:
        return nullcontext()
    return History(options.history, options.overwrite and not resume, append or resume)
