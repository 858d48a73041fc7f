"""What a command's picture is made from, where it goes, and what its file holds beside the pixels."""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ..errors import MinistyleError
from ..jobs.record import alpha_mask, describe_inputs, outcome, plan_picture, sources_of
from ..pictures.metadata import read_exif
from ..pictures.reading import read_alpha
from ..pictures.writing import BITS, check_output, write_picture
from ..settings import MAX_MEGAPIXELS
from ..styles import Style
from ..weights.find import find_weights

ALPHA = ("keep", "white")


def add_file_flags(command, *, photograph=True):
    """Add the flags that say what a picture's file holds; some of them need a photograph."""
    section = command.section("output")
    section.add_argument("--bits", type=int, choices=BITS, default=8, help="bits per channel; 16 in PNG and TIFF")
    section.add_argument(
        "--record-paths",
        action="store_true",
        help="note in the picture's record where the input pictures are, which may be private",
    )
    if not photograph:
        command.set_defaults(alpha="white", exif=False)
        return
    section.add_argument(
        "--alpha",
        choices=ALPHA,
        default="white",
        help="the photograph's transparency: 'keep' it, in PNG, WebP, AVIF and TIFF, or lay it on white (default)",
    )
    section.add_argument(
        "--no-exif",
        dest="exif",
        action="store_false",
        help="leave out the photograph's EXIF data, such as where and when it was taken",
    )


def stem_of(source):
    """Return the name of a picture, without an ending, by which pictures that are made from it are called."""
    return Path(source).stem if isinstance(source, str | os.PathLike) else "stdin"


def output_path(given, name):
    """Return the path of the picture to write.

    Parameters
    ----------
    given : Path or None, what the user says; an existing folder gets the picture under its default name
    name : str, the default name
    """
    if given is None:
        return Path(name)
    return given / name if os.path.isdir(given) else given  # not `Path.is_dir`, which raises if the name is too long


@dataclass(frozen=True)
class Inputs:
    """The pictures that a picture is made from, as the user names them.

    Attributes
    ----------
    content : path or None
    styles : tuple of paths
    content_masks : tuple of paths, or of `jobs.regions.ALPHA`, the photograph's own opacity
    style_masks : tuple of paths or None, one for each painting, or empty
    """

    content: str | Path | None = None
    styles: tuple = ()
    content_masks: tuple = ()
    style_masks: tuple = ()

    @property
    def style(self):
        """What `jobs.job.Job.of` takes for the paintings."""
        masks = self.style_masks or (None,) * len(self.styles)
        return [Style(picture, mask=mask) for picture, mask in zip(self.styles, masks, strict=True)] or None

    @property
    def content_mask(self):
        """What `jobs.job.Job.of` takes for the content masks."""
        return list(self.content_masks) or None

    def sources(self, settings):
        """Return the picture files, role -> path, and the one that the picture begins with; see `jobs.record`."""
        return sources_of(settings, self.content, self.style, self.content_mask)


def check_outputs(outputs, sources, weights=None):
    """Refuse to write a file that is an input, by whatever name, or two files of one name.

    Parameters
    ----------
    outputs : list of paths of all files that will be written; whatever is None is left out
    sources : iterable of paths of pictures
    weights : path of the weight file, or None for the one that is found

    Raises
    ------
    MinistyleError
        Some output is one of the inputs, or two outputs have one name. Or there is no weight file.
    """
    outputs = [Path(output) for output in outputs if output is not None]
    taken = {
        _identity(source): "one of the input pictures" for source in sources if isinstance(source, str | os.PathLike)
    }
    taken[_identity(find_weights(weights))] = "the weight file"
    for output in outputs:
        what = taken.get(_identity(output)) if os.path.exists(output) else None
        if what:
            raise MinistyleError(f"output '{output}' is {what}; choose another name")
    for place, times in Counter(map(_place, outputs)).items():
        if times > 1:
            raise MinistyleError(f"two outputs are named '{os.path.basename(place)}'; give each a name of its own")


def _place(path):
    """Return a name of a file that does not depend on links to its folder."""
    return os.path.join(os.path.realpath(path.parent), path.name)


def _identity(path):
    """Return what two names of one file have in common, or None where there is no file."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


class Writer:
    """Writes a command's pictures, with all that belongs into their files.

    Parameters
    ----------
    sources : dict, role -> path
    bits : 8 or 16, per channel
    alpha : "keep" or "white", what becomes of the photograph's transparency
    exif : bool, keep the photograph's EXIF data
    with_paths : bool, note where the input pictures are
    alpha_mask : "alpha" if the photograph's opacity is the content mask, or None
    max_megapixels : see `pictures.reading.read_picture`

    Raises
    ------
    MinistyleError
        The photograph cannot be read.
    """

    def __init__(
        self,
        sources,
        *,
        bits=8,
        alpha="white",
        exif=True,
        with_paths=False,
        alpha_mask=None,
        max_megapixels=MAX_MEGAPIXELS,
    ):
        self.sources = sources
        self.how = {"bits": bits, "alpha": alpha, "exif": exif}
        self.with_paths, self.alpha_mask = with_paths, alpha_mask
        content = sources.get("content")
        self.bits = bits
        keeps_alpha = alpha == "keep" and content is not None
        self.alpha = read_alpha(content, max_megapixels=max_megapixels) if keeps_alpha else None
        self.exif = read_exif(content, max_megapixels=max_megapixels) if exif and content is not None else None

    @classmethod
    def of(cls, options, settings, inputs):
        """Return the writer that a command's options ask for, for a picture that is made from some `Inputs`."""
        return cls(
            inputs.sources(settings),
            bits=options.bits,
            alpha=options.alpha,
            exif=options.exif,
            with_paths=options.record_paths,
            alpha_mask=alpha_mask(inputs.content_mask),
            max_megapixels=settings.max_megapixels,
        )

    def check(self, path, overwrite):
        """Check, before a long run begins, that a picture can be written to `path`; see `check_output`."""
        check_output(path, overwrite, bits=self.bits, alpha=self.alpha is not None)

    def plan(self, job, size=None):
        """Note what is known before the work: what the picture will be made from, and how.

        Parameters
        ----------
        job : Job
        size : (height, width) of the picture, where it was asked for
        """
        self.settings = job.settings
        self.planned = self.plan_of(job.settings, size, job.tileable)

    def plan_of(self, settings, size=None, tileable=False):
        """Return the part of the record that is known before the work; see `plan` and `jobs.record.plan_picture`."""
        how = {"size": size, "tileable": tileable, "content_mask": self.alpha_mask, "output": self.how}
        return plan_picture(settings, describe_inputs(self.sources, self.with_paths), **how)

    def write(self, path, pixels, overwrite, step, *, message=None, **about):
        """Write a picture; see `write_picture`.

        Parameters
        ----------
        path, pixels, overwrite : see `write_picture`
        step : solvers.Step, the last one so far
        message, **about : see `jobs.record.outcome`
        """
        record = {**self.planned, **outcome(step, self.settings, message=message, **about)}
        self.put(path, pixels, overwrite, record)

    def put(self, path, pixels, overwrite, record):
        """Write a picture with a record."""
        write_picture(path, pixels, overwrite, record=record, bits=self.bits, alpha=self.alpha, exif=self.exif)
