"""Folders of pictures."""

from pathlib import Path

from PIL import Image

from ..errors import MinistyleError
from .opening import READABLE, register_formats


def pictures_in(path):
    """Return the pictures in a folder, by name, or the one picture that `path` is.

    What is a picture is told by the end of its name. Other files, hidden ones and subfolders are left out.

    Raises
    ------
    MinistyleError
        There is no such folder or file, or no picture in it.
    """
    path = Path(path)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise MinistyleError(f"there is no folder or picture '{path}'")
    register_formats()
    endings = {ending for ending, name in Image.EXTENSION.items() if name in READABLE}
    pictures = sorted(p for p in path.iterdir() if p.suffix.lower() in endings and not p.name.startswith("."))
    if not pictures:
        raise MinistyleError(f"there is no picture in folder '{path}'")
    return pictures
