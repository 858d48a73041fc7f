"""A picture made again from the record that its file carries."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from ..errors import MinistyleError
from ..files import sha256_once
from ..settings import MAX_MEGAPIXELS
from ..styles import Style
from ..weights.find import find_weights
from .job import Job
from .record import (
    OPTIONAL,
    check_inputs,
    describe_inputs,
    device_of,
    in_order,
    outcome,
    plan_picture,
    read_record,
    settings_from,
)


@dataclass(frozen=True)
class Remake:
    """A picture to be made again. `Remake.of` makes one from a picture file.

    Attributes
    ----------
    original : dict, the record
    sources : dict, role -> path of a picture that it was made from
    job : Job
    """

    original: dict
    sources: dict
    job: Job

    @classmethod
    def of(cls, path, sources=None, *, weights=None, max_megapixels=MAX_MEGAPIXELS):
        """Read a picture's record, and find and check what it was made from.

        Parameters
        ----------
        path : path of a picture file that carries a record
        sources : dict, role -> path of a picture, where the record does not say where it is
        weights : path, optional, of the weight file; by default the one that `find_weights` finds
        max_megapixels : see `pictures.reading.read_picture`

        Raises
        ------
        MinistyleError
            The picture has no record, or a damaged one, or one that says it is unfinished. Or a picture or the weight
            file is missing or another one.
        """
        path, original = Path(path), read_record(path)
        if original.get("unfinished"):
            raise MinistyleError(f"'{path}' is unfinished, as its record says; only finished pictures are made again")
        sources = _find_sources(original, sources or {}, path.name)
        settings = settings_from(original, f"in '{path}'", init=sources.get("init"), weights=weights)
        if "init" not in sources and settings.start_picture is not None:
            raise MinistyleError(f"record in '{path}' is damaged: it names no picture to start from")
        found = find_weights(weights)
        if sha256_once(found) != original["weights_sha256"]:
            raise MinistyleError(f"'{found}' is not the weight file that {path.name} was made with")
        settings = dataclasses.replace(settings, device=device_of(original), max_megapixels=max_megapixels)
        pictures, masks, regions = (_by_number(kind, sources) for kind in ("style", "style mask", "content mask"))
        content_mask = regions.pop("", original["content_mask"])  # one for all styles
        styles = [
            Style(picture, mask=masks.get(number), region=regions.get(number)) for number, picture in pictures.items()
        ]
        job = Job.of(
            settings,
            sources.get("content"),
            styles or None,
            content_mask=content_mask,
            size=original["size"] and tuple(original["size"]),
            tileable=bool(original["tileable"]),
        )
        return cls(original, sources, job)

    def run(self, on_step=None):
        """Make the picture.

        Parameters
        ----------
        on_step : see `jobs.job.Job.run`

        Returns
        -------
        result : Result
        record : dict, as `pictures.writing.write_picture` takes it

        Raises
        ------
        MinistyleError
            The loss became infinite.
        KeyboardInterrupt
            The user interrupted.
        """
        result, settings = self.job.run(on_step), self.job.settings
        if result.interrupted or result.stopped:
            raise KeyboardInterrupt
        if not result.completed:
            raise MinistyleError(result.message)
        how = {name: self.original[name] for name in OPTIONAL}
        with_paths = any("file" in picture for picture in self.original["inputs"].values())
        plan = plan_picture(settings, describe_inputs(self.sources, with_paths), **how)
        plan["settings"]["device"] = self.original["settings"].get("device", "auto")
        about = {"message": result.message, "psnr": self.job.psnr_of(result.image)}
        return result, {**plan, **outcome(result.history[-1], settings, **about)}


def _by_number(kind, sources):
    """Return the pictures of a kind, number -> picture, in order; the number is a text, empty where there is one."""
    return {role.removeprefix(kind): picture for role, picture in in_order(kind, sources).items()}


def _find_sources(record, given, name):
    """Return the pictures that another one was made from, role -> path, having checked that they are the same."""
    for role in given:
        if role not in record["inputs"]:
            raise MinistyleError(f"{name} was made without any {role} picture")
    sources = {}
    for role, picture in record["inputs"].items():
        if role not in given and "file" not in picture:
            raise MinistyleError(
                f"{name} was made from a {role} picture; say which one, with --{role.replace(' ', '-')}"
            )
        sources[role] = given.get(role) or picture["file"]
    check_inputs(record, sources, name)
    return sources
