"""Which weight file is used."""

import os
from pathlib import Path

from ..errors import MinistyleError
from ..files import shipped_path

ENVIRONMENT_VARIABLE = "MINISTYLE_WEIGHTS"


def user_path():
    """Return the path of the user's own full-precision weight file, whether it exists or not."""
    import platformdirs

    return Path(platformdirs.user_data_dir("ministyle", appauthor=False)) / "vgg19-float32.h5"


def find_weights(path=None):
    """Return the path of the weight file to use.

    The first of these wins:

    1. `path`,
    2. the environment variable MINISTYLE_WEIGHTS,
    3. the file that `python -m ministyle weights import --dtype float32` writes into the user's data folder,
    4. the file that comes with the project.

    Parameters
    ----------
    path : path, optional

    Raises
    ------
    MinistyleError
        `path` or the environment variable names a missing file (no other file replaces it), or no file is found at all.
    """
    for asked, origin in ((path, "weights"), (os.environ.get(ENVIRONMENT_VARIABLE), ENVIRONMENT_VARIABLE)):
        if asked:
            asked = Path(asked).expanduser()
            if not _is_file(asked):
                raise MinistyleError(f"{origin}: there is no file '{asked}'")
            return asked
    for candidate in (user_path(), shipped_path("weights/vgg19.h5")):
        if candidate.is_file():
            return candidate
    raise MinistyleError(
        f"no weight file found: name one with --weights or {ENVIRONMENT_VARIABLE}, or make one with "
        "'python -m ministyle weights import FILE'"
    )


def _is_file(path):
    """Say whether there is a file; a name that no file can have is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, or with a zero byte
        return False
