"""Films: animated GIF, WebP and PNG files in; animated GIF and WebP files, and MP4 videos, out."""

import itertools
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence

from ..errors import MinistyleError, as_damaged
from ..files import new_file
from ..settings import MAX_MEGAPIXELS
from .opening import check_pixels, open_picture, without_pillows_limit
from .writing import check_file

# Ends of names. The frames of other files are pages, or one picture in two sizes; and a photograph is not opened twice.
ANIMATED = (".gif", ".webp", ".apng")
DURATION = 100  # milliseconds of a frame that does not say how long it is shown, as in browsers


@dataclass(frozen=True)
class FilmFormat:
    """A file format for films.

    Attributes
    ----------
    name : str, for messages
    write : function of (frames, durations, path)
        Writes uint8 arrays (H, W, 3), RGB, each shown for so many milliseconds.
    check : function of (), optional
        Raises MinistyleError if something is not installed.
    """

    name: str
    write: Callable
    check: Callable = lambda: None


def frame_count(source):
    """Return how many frames an animated file has; 1 for any other picture, and for what is none."""
    if not isinstance(source, str | os.PathLike) or Path(source).suffix.lower() not in ANIMATED:
        return 1
    try:
        with open_picture(source) as film:
            return getattr(film, "n_frames", 1)
    except MinistyleError:  # whoever reads it says what is wrong with it
        return 1


def read_frames(source, *, max_megapixels=MAX_MEGAPIXELS):
    """Yield (PIL image, milliseconds) for each frame of an animated file, decoded when it is asked for.

    Raises
    ------
    MinistyleError
        A frame is damaged or has too many pixels, see `reading.read_picture`.
    """
    with open_picture(source, max_megapixels=max_megapixels) as film:
        check_pixels(film.size, f"'{source}'", max_megapixels)
        frames = ImageSequence.Iterator(film)
        for number in itertools.count(1):
            with as_damaged(f"frame {number} of '{source}'"), without_pillows_limit():
                frame = next(frames, None)
                if frame is None:
                    return
                frame = frame.copy()
            yield frame, frame.info.get("duration") or DURATION


def _pillow_format(name, **options):
    """Return a format that Pillow writes."""

    def write(frames, durations, path):
        first, *others = map(Image.fromarray, frames)
        first.save(path, format=name, save_all=True, append_images=others, duration=list(durations), loop=0, **options)

    return FilmFormat(name, write)


def _import_av():
    """Return PyAV, or say how it is installed."""
    try:
        import av
    except ImportError:
        raise MinistyleError(
            "a film in MP4 needs PyAV, which is not installed: pip install av; or choose .gif or .webp"
        ) from None
    return av


def _write_mp4(frames, durations, path):
    """Write H.264 as all players take it: with even sides, and all frames of one length, some of them repeated."""
    av = _import_av()
    hundredths = [max(1, round(duration / 10)) for duration in durations]
    length = math.gcd(*hundredths)
    height, width = frames[0].shape[:2]
    with av.open(str(path), "w", format="mp4") as film:
        stream = film.add_stream("libx264", rate=Fraction(100, length), options={"crf": "16"})
        stream.width, stream.height, stream.pix_fmt = width + width % 2, height + height % 2, "yuv420p"
        for pixels, hundredth in zip(frames, hundredths, strict=True):
            padded = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), "edge")
            for _ in range(hundredth // length):
                film.mux(stream.encode(av.VideoFrame.from_ndarray(padded, format="rgb24")))
        film.mux(stream.encode())


FORMATS = {  # the end of a file's name -> its format
    ".gif": _pillow_format("GIF"),
    ".webp": _pillow_format("WEBP", lossless=True),  # else frames that hardly differ become one
    ".mp4": FilmFormat("MP4", _write_mp4, _import_av),
}


def check_film(path, overwrite=False):
    """Check, before a long run begins, that a film can be written to `path`; see `writing.check_file` for the errors.

    Raises
    ------
    MinistyleError
        Also if the format needs a library that is not installed.
    """
    check_file(path, FORMATS, "film", overwrite)
    FORMATS[Path(path).suffix.lower()].check()


def write_film(path, frames, durations, overwrite=False):
    """Write a film to a file, whole or not at all.

    Parameters
    ----------
    path : path of the file; the end of its name chooses the format, see `FORMATS`
    frames : sequence of uint8 arrays (H, W, 3), RGB, all of one size
    durations : sequence of int, how many milliseconds each frame is shown
    overwrite : bool, replace a file that exists

    Raises
    ------
    MinistyleError
        The film is refused, see `check_film`. The format cannot hold it, or the disk is full.
    """
    path = Path(path)
    check_film(path, overwrite)
    if len({frame.shape for frame in frames}) > 1:
        raise MinistyleError(f"film '{path}' cannot be written: its frames differ in size")
    film_format = FORMATS[path.suffix.lower()]
    with new_file(path) as temporary:
        try:
            film_format.write(frames, durations, temporary)
        except ValueError as error:
            raise MinistyleError(f"film '{path}' cannot be written as {film_format.name}: {error}") from error
