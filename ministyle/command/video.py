"""`transfer` with an animation, or a folder of frames: every frame repainted.

A frame begins with the result of the frame before and takes fewer steps, so what stands still hardly flickers. There is
no optical flow: strokes do not travel with what moves, which is painted anew.
"""

import os
import re
import shutil
import tempfile
from contextlib import suppress
from functools import partial
from pathlib import Path

from ..errors import MinistyleError
from ..pictures import films
from ..pictures.folders import pictures_in
from ..pictures.reading import read_picture
from ..pictures.sizes import resize
from ..pictures.values import to_uint8
from ..pictures.writing import FORMATS
from .batch import Series, output_folder, output_stem
from .output import check_outputs
from .parser import settings_of

NO_FLOW = "each frame begins with the one before; there is no optical flow, so strokes do not travel with what moves"
FRAME = 40  # milliseconds, where the frames are files, which do not say it


def is_film(options, content):
    """Say whether all frames of an animated picture are to be repainted; if only the first is, print that."""
    count = films.frame_count(content)
    if count == 1:
        return False
    ending = "" if options.output is None else options.output.suffix.lower()
    if options.output is not None and (ending in films.FORMATS or ending not in FORMATS):
        return True
    print(
        f"'{content}' is animated, and only the first of its {count} frames is used; -o NAME.gif, NAME.webp, NAME.mp4 "
        "or a folder repaints all"
    )
    return False


def make_film(options, content, inputs):
    """Repaint an animation, or the frames in a folder, into a film or into a folder of numbered frames.

    Parameters
    ----------
    options : the command's options
    content : name of an animated file or, with `--frames`, of a folder
    inputs : output.Inputs, the paintings and masks

    Returns
    -------
    int, the exit status, see `batch.Series.run`

    Raises
    ------
    MinistyleError
        Before any work: the output cannot be written, a frame cannot be read, or see `batch.Series.run`.
    """
    stem = output_stem(content, inputs.styles)
    options.output = options.output or Path(stem)
    settings = settings_of(options)
    if options.frames:
        frames, durations = _frames_in_folder(content)
    else:
        frames, durations = _frames_in_file(content, settings.max_megapixels)
    names = [f"{stem}-{number:0{max(4, len(str(len(durations))))}}.png" for number in range(1, len(durations) + 1)]
    to_file = options.output.suffix.lower() in films.FORMATS
    sources = [content, *(frames if options.frames else [])]
    check_outputs([options.output, options.history], sources + list(inputs.sources(settings).values()))
    if not to_file:
        folder = output_folder(options, [content])
        return _run(options, frames, [folder / name for name in names], sources, inputs)
    if options.save_every:
        raise MinistyleError("--save-every needs a folder as output, not a film")
    if options.estimate:
        return _run(options, frames, [Path(name) for name in names], [], inputs)
    films.check_film(options.output, options.overwrite)
    return _through_files(options, frames, names, durations, sources, inputs)


def _through_files(options, frames, names, durations, sources, inputs):
    """Make a film of frames that lie in a temporary folder meanwhile; they stay there if it cannot be written."""
    folder = Path(tempfile.mkdtemp(prefix="ministyle-"))
    outputs, kept = [folder / name for name in names], False
    try:
        status = _run(options, frames, outputs, sources, inputs, append=False)
        _write(options, outputs, durations)
    except MinistyleError as error:
        kept = any(folder.iterdir())
        raise MinistyleError(f"{error}; the frames are in '{folder}'" if kept else str(error)) from error
    finally:
        if not kept:
            shutil.rmtree(folder)
    return status


def _run(options, frames, outputs, sources, inputs, **flags):
    series = Series(options, outputs, sources, inputs, _job, _file, film=True)
    pairs = _with_the_one_before(frames)
    if options.estimate:
        return series.estimate(pairs)
    print(NO_FLOW)
    return series.run(pairs, **flags)


def _with_the_one_before(frames):
    """Yield each frame together with the one before it, (None, first), (first, second), and so on."""
    before = None
    for frame in frames:
        yield before, frame
        before = frame


def _job(batch, frames, last):
    """Return a frame's job; `last` is the finished frame before it, or None."""
    before, frame = frames
    if last is not None:
        with suppress(MinistyleError):  # the frame before may be damaged; if this one is, that is said below
            return batch.next_frame(frame, before, last)
    return batch.job(frame)


def _file(frames):
    """Return the file of a frame; without one its picture carries no record."""
    _, frame = frames
    return frame if isinstance(frame, str | Path) else None


def _write(options, outputs, durations):
    """Write the film, after an interruption with the frames that are finished."""
    made = [(path, duration) for path, duration in zip(outputs, durations, strict=True) if path.exists()]
    if made:
        read = partial(read_picture, max_megapixels=settings_of(options).max_megapixels)
        size = read(made[0][0]).shape[:2]  # files in a folder may differ
        frames = [to_uint8(resize(read(path), *size)) for path, _ in made]
        films.write_film(options.output, frames, [duration for _, duration in made], options.overwrite)
        print(f"film: {options.output} ({len(made)} frames, {size[1]} x {size[0]})")


def _frames_in_file(source, max_megapixels):
    """Return the frames of an animated file, decoded one by one, and a list of their durations."""
    read = partial(films.read_frames, source, max_megapixels=max_megapixels)
    durations = [duration for _, duration in read()]
    return (frame for frame, _ in read()), durations


def _frames_in_folder(folder):
    """Return the files of a folder's frames in the order of their numbers, and a list of their durations."""
    if not os.path.isdir(folder):
        raise MinistyleError(f"--frames needs a folder of frames, and '{folder}' is none")
    paths = sorted(pictures_in(folder), key=_by_number)
    return paths, [FRAME] * len(paths)


def _by_number(path):
    """Return a key by which frame-2 comes before frame-10."""
    return [
        (not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in re.split(r"(\d+)", path.name)
    ]
