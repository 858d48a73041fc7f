"""Files: those that come with the project, their hashes, and how a new one is written whole or not at all."""

import errno
import functools
import hashlib
import io
import os
import re
import stat
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import MinistyleError

PACKAGE = Path(__file__).resolve().parent
# A file that is being written is called `.ministyle-PID-...`. Where the process was killed, nobody removes it but the
# next one that writes in the folder. On a file system that machines share, the process may be another machine's, and
# may still be writing; but then its file has not been left alone for so long.
STRAY_AGE = 3600  # seconds
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet takes a text that begins so for a formula


def shipped_path(relative):
    """Return where a file that comes with the project lies, in a checkout or in an installed package.

    Parameters
    ----------
    relative : str
        The file's path in the project, such as "weights/vgg19.h5". A wheel carries the same tree inside the package,
        under `shipped`.
    """
    installed = PACKAGE / "shipped" / relative
    return installed if installed.exists() else PACKAGE.parent / relative


def open_regular(path):
    """Open a regular file to read its bytes.

    A pipe that nobody writes to would make us wait for ever, and a device may have no end.

    Raises
    ------
    MinistyleError
        It is a pipe, a device or a socket.
    OSError, ValueError
        It cannot be opened, as with `open`; a folder is an IsADirectoryError.
    """
    return _Bounded(io.FileIO(path, "rb", opener=_open_regular))


class _Bounded(io.BufferedReader):
    """A file of which nobody asks more bytes than it has; Python takes memory for all of them first."""

    def __init__(self, raw):
        super().__init__(raw)
        self._size = os.fstat(raw.fileno()).st_size

    def read(self, size=-1):
        """Return the next bytes."""
        return super().read(size if size is None or size < 0 else min(size, max(0, self._size - self.tell())))


def _open_regular(path, flags):
    kind = "socket"
    try:
        handle = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
        mode = os.fstat(handle).st_mode
        if stat.S_ISREG(mode):
            return handle
        os.close(handle)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        kind = "pipe" if stat.S_ISFIFO(mode) else "device"
    except OSError as error:
        if error.errno != errno.ENXIO:  # what a socket says
            raise
    raise MinistyleError(f"'{path}' is a {kind}, and only files are read; save what it holds in a file")


def sha256(path):
    """Return a file's SHA-256 as 64 hexadecimal digits; see `open_regular` for the errors."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_once(path):
    """Return a file's SHA-256, computed once unless the file has changed."""
    return _sha256(path, version_of(path))


def version_of(path):
    """Return what changes when a file changes, or None where there is no file."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # ValueError: a name with a zero byte in it
        return None
    return status.st_mtime_ns, status.st_size


@functools.lru_cache(maxsize=1000)
def _sha256(path, version):
    return sha256(path)


@contextmanager
def new_file(path):
    """Yield the path of an empty file that takes the place of `path` once it is complete, and only then.

    It lies beside `path` under another name until the `with` block ends, so that an interrupted program leaves neither
    half a file nor a damaged old one. What killed programs left there earlier is removed.

    Raises
    ------
    MinistyleError
        The file cannot be written; the disk is full, for instance.
    """
    path = Path(path)
    temporary = None
    try:
        _sweep(path.parent.absolute())
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".ministyle-{os.getpid()}-", suffix=path.suffix)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        raise MinistyleError(f"'{path}' cannot be written: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_text(path, text):
    """Write a text file, UTF-8, whole or not at all; see `new_file` for the errors.

    What UTF-8 does not hold, a byte of a file's name that is no letter, is written as JSON would escape it.
    """
    with new_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")


def read_regular(path, limit):
    """Return the bytes of a regular file of at most `limit` bytes.

    Raises
    ------
    MinistyleError
        It has more.
    MinistyleError, OSError, ValueError
        See `open_regular`.
    """
    with open_regular(path) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise MinistyleError(f"'{path}' has more than {limit / 1e6:g} MB")
    return content


def table_cell(value):
    """Return a value as a cell of a CSV table. A text that a spreadsheet would take for a formula gets an apostrophe.

    Numbers stay as they are.
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


@functools.cache  # once for each folder: looking through a large one takes a while
def _sweep(folder):
    """Remove the files that killed processes left half written in a folder."""
    for path in folder.glob(".ministyle-*"):
        name = re.match(r"\.ministyle-(\d{1,9})-", path.name)
        with suppress(OSError):  # it may be another user's, or just have gone
            if name and time.time() - path.stat().st_mtime > STRAY_AGE and not _is_running(int(name[1])):
                path.unlink()


def _is_running(pid):
    import psutil  # here, because it is rarely needed

    return psutil.pid_exists(pid)


def _umask():
    """Return the process's file mode mask; asking for it means setting it for a moment."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
