"""The types that signatures name: arrays and pictures.

Shapes, units and ranges stand in the docstrings; a type checker knows nothing about them.
"""

import os
from typing import Any, BinaryIO, Protocol, TypeAlias

from numpy.typing import NDArray
from PIL import Image

Array: TypeAlias = Any  # NumPy's, or on a GPU CuPy's, which type checkers do not know


class HasPixels(Protocol):
    """What carries a picture with it, as a `Result` does.

    Attributes
    ----------
    pixels : array (H, W, 3), RGB, 0 to 255
    """

    @property
    def pixels(self) -> Array:
        """The picture."""


Picture: TypeAlias = str | os.PathLike[str] | bytes | BinaryIO | Image.Image | NDArray[Any] | HasPixels
