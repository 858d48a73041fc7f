"""Files: those that come with the project, their hashes, and how a new one is written whole or not at all."""

import functools
import hashlib
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

from .errors import MinistyleError

PACKAGE = Path(__file__).resolve().parent


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


def sha256(path):
    """Return a file's SHA-256 as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def md5(path):
    """Return a file's MD5 as 32 hexadecimal digits: it tells a damaged file, not a forged one."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def sha256_once(path):
    """Return a file's SHA-256, computed once unless the file has changed."""
    return _sha256(path, version_of(path))


def version_of(path):
    """Return what changes when a file changes, or None where there is no file."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


@functools.lru_cache(maxsize=1000)
def _sha256(path, version):
    return sha256(path)


@contextmanager
def new_file(path):
    """Yield the path of an empty file that takes the place of `path` once it is complete, and only then.

    It lies beside `path` under another name until the `with` block ends, so that an interrupted program leaves neither
    half a file nor a damaged old one.

    Raises
    ------
    MinistyleError
        The file cannot be written; the disk is full, for instance.
    """
    path = Path(path)
    temporary = None
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=path.suffix)
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
    """Write a text file, UTF-8, whole or not at all; see `new_file` for the errors."""
    with new_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def _umask():
    """Return the process's file mode mask; asking for it means setting it for a moment."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
