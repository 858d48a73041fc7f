"""Where a command's picture goes, and what its file holds beside the pixels."""

import os
from pathlib import Path

from ..errors import MinistyleError
from ..jobs.job import STARTS
from ..jobs.record import by_role, outcome, plan_picture
from ..pictures.metadata import read_exif
from ..pictures.reading import read_alpha
from ..pictures.writing import BITS, check_output, write_picture

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


def sources_of(settings, **pictures):
    """Return the picture files that a picture is made from, role -> path, and the one that it begins with.

    Parameters
    ----------
    settings : Settings
    **pictures : path, list of paths or None, for each kind: `content`, `style`, `content_mask`, `style_mask`
    """
    sources = {}
    for kind, paths in {**pictures, "init": None if settings.init in STARTS else settings.init}.items():
        sources |= by_role(kind.replace("_", " "), paths if isinstance(paths, list) else [paths])
    return sources


def check_inputs_survive(outputs, sources):
    """Refuse to write a file that is one of the input pictures, by whatever name.

    Parameters
    ----------
    outputs : list of Path
    sources : dict, role -> path

    Raises
    ------
    MinistyleError
        Some output is one of the inputs.
    """
    inputs = [source for source in sources.values() if os.path.exists(source)]
    for output in outputs:
        if os.path.exists(output) and any(output.samefile(source) for source in inputs):
            raise MinistyleError(f"output '{output}' is one of the input pictures; choose another name")


class Writer:
    """Writes a command's pictures, with all that belongs into their files.

    Parameters
    ----------
    sources : dict, role -> path
    bits : 8 or 16, per channel
    alpha : "keep" or "white", what becomes of the photograph's transparency
    exif : bool, keep the photograph's EXIF data

    Raises
    ------
    MinistyleError
        The photograph cannot be read.
    """

    def __init__(self, sources, *, bits=8, alpha="white", exif=True):
        self.sources = sources
        self.how = {"bits": bits, "alpha": alpha, "exif": exif}
        content = sources.get("content")
        self.bits = bits
        self.alpha = read_alpha(content) if alpha == "keep" and content is not None else None
        self.exif = read_exif(content) if exif and content is not None else None

    def check(self, path, overwrite):
        """Check, before a long run begins, that a picture can be written to `path`; see `check_output`."""
        check_output(path, overwrite, bits=self.bits, alpha=self.alpha is not None)

    def plan(self, job, *, size=None, content_mask=None, with_paths=False):
        """Note what is known before the work: what the picture will be made from, and how.

        Parameters
        ----------
        job : Job
        size : (height, width) of the picture, where it was asked for
        content_mask : "alpha" or None; masks that are files are among the sources
        with_paths : bool, note where the input pictures are
        """
        self.settings = job.settings
        how = {"size": size, "tileable": job.tileable, "content_mask": content_mask, "output": self.how}
        self.planned = plan_picture(job.settings, self.sources, with_paths=with_paths, **how)

    def write(self, path, pixels, overwrite, step, *, message=None, psnr=None, unfinished=False):
        """Write a picture; see `write_picture`.

        Parameters
        ----------
        path, pixels, overwrite : see `write_picture`
        step : solvers.Step, the last one so far
        message, psnr : see `jobs.record.outcome`
        unfinished : bool, is it not the picture that the run was to end with?
        """
        record = {**self.planned, **outcome(step, self.settings, message=message, psnr=psnr)}
        if unfinished:
            record["unfinished"] = True
        self.put(path, pixels, overwrite, record)

    def put(self, path, pixels, overwrite, record):
        """Write a picture with a record."""
        write_picture(path, pixels, overwrite, record=record, bits=self.bits, alpha=self.alpha, exif=self.exif)
