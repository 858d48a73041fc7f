"""Records: how a picture was made, so that it can be made again.

A record is a dictionary that JSON can hold. A picture's file carries one, see `pictures.metadata`; a panel of an
experiment has one beside it, see `experiments.records`. Both have the same parts:

| part | what it says |
|---|---|
| `format` | which kind of record it is, and of which version |
| `inputs` | the pictures it was made from: role -> SHA-256 of the file, and where that was, if that is wanted |
| `size`, `tileable`, `content_mask` | what was asked for, beside pictures and settings |
| `output` | what was asked for of the file |
| `unfinished` | true of a picture that was saved on the way, or whose run broke off |
| `settings` | all settings that the pixels depend on |
| `weights_sha256` | the hash of the weight file |
| `losses`, `psnr`, `terms`, `iterations`, `evaluations`, `message` | what came of it |
| `software`, `blas_threads` | versions, BLAS, device: what the last bit may depend on |
| `picture_sha256` | the hash of the pixels, see `pictures.values.picture_sha256` |

It does not say when, where or by whom a picture was made, and no names of files unless they are wanted. A record comes
from a file that anybody may have written: `parse` refuses what is damaged.
"""

import dataclasses
import functools
import hashlib
import importlib.metadata
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import arrays
from ..errors import MinistyleError
from ..files import PACKAGE, sha256_once
from ..pictures.metadata import read_text
from ..settings import MAXIMUM_SIZE, Settings
from ..styles import as_styles
from ..terms import alpha_and_beta
from ..version import VERSION
from ..weights.find import find_weights
from .regions import ALPHA, NUMBERS, as_masks, is_alpha, with_own_numbers

FORMAT = "ministyle picture 1"
SAVED = {"bits": 8, "alpha": "white", "exif": False}  # the output that `Result.save` writes
# Settings that are not in a record: it has the hash of the weights, and the result does not depend on the others.
NOT_RECORDED = ("weights", "threads", "max_megapixels")
OPTIONAL = ("size", "tileable", "content_mask", "output")  # parts of a record that count as None where they are missing
LONGEST = 200_000  # letters of a record; it has some 3000
DEEPEST = 20  # lists and dictionaries within one another; a manifest has 5
ROLE = re.compile(r"(content|style|init)( mask)?( [1-9]\d{0,3})?")  # of a picture that another one is made from


# Making records --------------------------------------------------------------------------------------


def sources_of(settings, content=None, style=None, content_mask=None):
    """Return what a picture is made from, role -> picture, given what `jobs.job.Job.of` is given.

    A role is "content", "style", "content mask", "style mask" or "init", which is the picture to begin with; see
    `by_role` for several of them. The region of a style is its content mask. Where the photograph's opacity alone is
    the mask, there is none: see `alpha_mask`.
    """
    styles = as_styles(style)
    masks = as_masks(content_mask) or [one.region for one in styles]
    kinds = {
        "content": [content],
        "style": [one.picture for one in styles],
        "content mask": [] if alpha_mask(content_mask) else masks,
        "style mask": [one.mask for one in styles],
        "init": [settings.start_picture],
    }
    return {role: picture for kind, pictures in kinds.items() for role, picture in by_role(kind, pictures).items()}


def alpha_mask(content_mask):
    """Return `ALPHA` if the photograph's opacity alone is the content mask, otherwise None."""
    masks = as_masks(content_mask)
    return ALPHA if len(masks) == 1 and is_alpha(masks[0]) else None


def describe_inputs(sources, with_paths=False):
    """Return the part of a record that says which pictures a picture is made from, role -> description.

    Parameters
    ----------
    sources : dict, role -> path, bytes, open file, PIL image or array, see `sources_of`
    with_paths : bool, note where files are, as absolute paths
    """
    no_files = [role for role, source in sources.items() if role.startswith("content mask") and is_alpha(source)]
    return {role: _describe(None if role in no_files else source, with_paths) for role, source in sources.items()}


def plan_picture(settings, inputs, **how):
    """Return the part of a record that is known before the picture is made.

    Parameters
    ----------
    settings : Settings
    inputs : dict, see `describe_inputs`
    **how : what else there is to say, such as `size` and `tileable`

    Raises
    ------
    MinistyleError
        The weight file cannot be found.
    """
    plan = {
        "format": FORMAT,
        "inputs": inputs,
        "settings": settings_to_record(settings),
        "weights_sha256": sha256_once(find_weights(settings.weights)),
        "blas_threads": max((it["num_threads"] for it in arrays.blas_libraries()), default=1),
        **how,
    }
    if "init" in inputs:
        plan["settings"]["init"] = None
    return as_read(plan)


@dataclass(frozen=True)
class Origin:
    """What a job's picture is made from. It holds no picture, so that it can go wherever the job goes.

    Attributes
    ----------
    inputs : dict, see `describe_inputs`
    size : (height, width) of the picture, where it was asked for, or None
    content_mask : `ALPHA` or None, see `alpha_mask`
    numbers : dict, the settings that paintings have numbers of their own for
    """

    inputs: dict
    size: tuple | None
    content_mask: str | None
    numbers: dict

    @classmethod
    def of(cls, settings, content, style, content_mask, size):
        """Return the origin of a job that has been made of these, see `jobs.job.Job.of`; the files are hashed here."""
        inputs = describe_inputs(sources_of(settings, content, style, content_mask))
        settings = with_own_numbers(settings, as_styles(style))
        return cls(inputs, size, alpha_mask(content_mask), {name: getattr(settings, name) for name in NUMBERS})

    def plan(self, settings, tileable):
        """Return what is known of a record before the picture is made, given the job's settings."""
        how = {"size": self.size, "tileable": tileable, "content_mask": self.content_mask, "output": SAVED}
        return plan_picture(dataclasses.replace(settings, **self.numbers), self.inputs, **how)


def by_role(kind, sources):
    """Return a list of pictures as a dictionary: "style", or "style 1", "style 2" and so on; None is left out."""
    numbers = [""] if len(sources) == 1 else [f" {number}" for number in range(1, len(sources) + 1)]
    return {kind + number: source for number, source in zip(numbers, sources, strict=True) if source is not None}


def in_order(kind, sources):
    """Return the pictures of a kind, role -> picture, in the order of their numbers; see `by_role`."""
    roles = [role for role in sources if role == kind or re.fullmatch(rf"{kind} \d+", role)]
    return {role: sources[role] for role in sorted(roles, key=lambda role: int(role.removeprefix(kind) or 1))}


def settings_to_record(settings):
    """Return settings as a dictionary, without those that are not recorded."""
    names = [setting.name for setting in dataclasses.fields(settings)]
    return {name: getattr(settings, name) for name in names if name not in NOT_RECORDED}


def outcome(step, settings, *, message, psnr=None, unfinished=False):
    """Return the part of a record that is known when a picture has been made.

    Parameters
    ----------
    step : solvers.Step, the last one
    settings : Settings
    message : str, why the optimisation stopped
    psnr : float, decibels, of a content reconstruction against its original, otherwise None
    unfinished : bool, is it not the picture that the run was to end with?
    """
    return {
        **({"unfinished": True} if unfinished else {}),
        "losses": _unweighted(step.terms, settings),
        "psnr": psnr,
        "terms": step.terms,
        "iterations": step.iteration,
        "evaluations": step.evaluations,
        "message": message,
        "software": software(settings.device),
    }


def software(device="auto"):
    """Return all that the last bit of a picture may depend on: versions, the package's source, BLAS, the device."""
    blas = {f"{it['internal_api']} {it['version']}, {it.get('architecture')} kernels" for it in arrays.blas_libraries()}
    device = arrays.choose_device(device)
    return {
        "ministyle": VERSION,
        "source_sha256": _source_sha256(),
        **{package: importlib.metadata.version(package) for package in ("numpy", "scipy", "pillow")},
        "blas": sorted(blas),
        "device": "cpu" if device == "cpu" else arrays.describe_gpu(),
    }


def as_read(value):
    """Return a value as it looks when read from a file.

    Raises
    ------
    MinistyleError
        It holds something else than numbers, texts, lists and dictionaries.
    """
    return json.loads(json.dumps(value, default=_plain_number))


def _describe(source, with_path):
    """Return the hash of a picture's file, or None for an array, and the file's path if it is wanted."""
    if isinstance(source, str | os.PathLike):
        path = {"file": Path(source).absolute().as_posix()} if with_path else {}
        return {**path, "sha256": sha256_once(source)}
    if hasattr(source, "read") and source.seekable():
        source.seek(0)
        source = source.read()
    is_file = isinstance(source, bytes | bytearray | memoryview)
    return {"sha256": hashlib.sha256(source).hexdigest() if is_file else None}


def _unweighted(terms, settings):
    """Return the content loss and the style loss: the sums of their terms, without alpha and beta."""
    weights = dict(zip(("content", "style"), alpha_and_beta(settings), strict=True))
    return {
        kind: sum(value for name, value in terms.items() if name.startswith(kind)) / weight
        for kind, weight in weights.items()
        if weight and any(name.startswith(kind) for name in terms)
    }


@functools.cache
def _source_sha256():
    """Return a hash of the package's own modules."""
    digest = hashlib.sha256()
    for name in sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py")):
        digest.update(name.encode() + (PACKAGE / name).read_bytes())
    return digest.hexdigest()


def _plain_number(value):
    """Return a NumPy scalar, which `json` does not know, as a number of Python's."""
    if isinstance(value, np.generic):
        return value.item()
    raise MinistyleError(f"a record can hold numbers and texts, not {type(value).__name__}")


# Reading records -------------------------------------------------------------------------------------


def read_record(path):
    """Return the record that a picture file carries.

    Raises
    ------
    MinistyleError
        The file is no picture, it has no record, or the record is damaged.
    """
    try:
        text = read_text(path)
    except MinistyleError as error:
        raise MinistyleError(f"'{path}' cannot be read as a record: {error}") from None
    if text is None:
        raise MinistyleError(f"'{path}' cannot be read as a record: it is a picture that carries none")
    if len(text) > LONGEST:
        raise MinistyleError(f"'{path}' cannot be read as a record: {len(text)} letters are too many to be one")
    record = parse(text, path)
    if record.get("format") != FORMAT:
        raise MinistyleError(f"'{path}' carries a record that this version cannot read")
    record |= {part: None for part in OPTIONAL if part not in record}
    part = invalid_part(record)
    if part is not None:
        raise MinistyleError(f"'{path}' carries a damaged record: it has no valid {part}")
    return record


def parse(text, path):
    """Return a record, or several, that were written as JSON to a file; only that it is a dictionary is sure.

    Raises
    ------
    MinistyleError
        The text is no JSON, or too long or too deep to be a record.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MinistyleError(f"'{path}' cannot be read as a record: {error}") from None
    if not isinstance(content, dict):
        raise MinistyleError(f"'{path}' cannot be read as a record: it is a {type(content).__name__}")
    if _is_deeper(content, DEEPEST):
        raise MinistyleError(f"'{path}' cannot be read as a record: it is nested deeper than {DEEPEST}")
    return content


def _is_deeper(value, depth):
    """Say whether lists and dictionaries are nested deeper than that."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return depth < 0 or any(_is_deeper(part, depth - 1) for part in parts)


def recorded_settings(record):
    """Return the settings that a picture was made with, {name: value}, as they look when read from a file.

    A setting that is missing in the record is newer than the record. The picture was made as if it had its default, or
    what counted earlier.
    """
    fields = [setting for setting in dataclasses.fields(Settings) if setting.name not in NOT_RECORDED]
    return {**{setting.name: as_read(_earlier(setting)) for setting in fields}, **record["settings"]}


def settings_from(record, name, *, init=None, weights=None):
    """Return the `Settings` that a record stands for.

    Parameters
    ----------
    record : dict
    name : str, of the record, for messages
    init : path, optional, the picture to begin with, where there is one
    weights : path, optional, of the weight file

    Raises
    ------
    MinistyleError
        A setting in the record is impossible or unknown.
    """
    try:
        settings = {**recorded_settings(record), "init": init or record["settings"]["init"]}
        return Settings(**settings, weights=weights)
    except (KeyError, TypeError) as error:
        raise MinistyleError(f"record {name} is damaged: {error!r}") from None


def device_of(record):
    """Return the kind of device that a picture was made on, which need not be the best that is there today."""
    return "cpu" if record["software"]["device"] == "cpu" else "cuda"


def check_inputs(record, sources, what):
    """Refuse pictures that are not those that a picture was made from.

    Parameters
    ----------
    record : dict
    sources : dict, role -> path
    what : str, the picture, for messages

    Raises
    ------
    MinistyleError
        A file is missing, it is a pipe or a device, or it has another hash.
    """
    for role, picture in record["inputs"].items():
        try:
            found = sha256_once(sources[role])
        except (MinistyleError, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise MinistyleError(f"the {role} picture '{sources[role]}' cannot be read: {reason}") from None
        if picture["sha256"] not in (None, found):
            raise MinistyleError(f"'{sources[role]}' is not the {role} picture that {what} was made from")


def differences(record, plan):
    """Return how a recorded picture differs from a planned one, a list of texts; see `plan_picture`."""
    settings = recorded_settings(record)
    changes = []
    for name, value in plan["settings"].items():
        before = settings[name]
        if before != value:
            changes.append(f"{name} (={before}) is now {value}")
    hashes = [{role: picture["sha256"] for role, picture in one["inputs"].items()} for one in (record, plan)]
    roles = dict.fromkeys([*hashes[1], *hashes[0]])
    changes += [f"another {role} picture" for role in roles if hashes[0].get(role) != hashes[1].get(role)]
    for name in ("size", "weights_sha256", "output"):
        if record.get(name) != plan.get(name):
            changes.append(f"{name} (={record.get(name)}) is now {plan.get(name)}")
    return changes


def invalid_part(record, parts=None):
    """Return the name of a part of a record that is missing or of the wrong type, or None.

    Single settings are not looked at: `Settings` does that, and a record may be older than one of them.
    """
    for part, is_valid in {**PARTS, **(parts or {})}.items():
        if not is_valid(record.get(part)):
            return part
    for role in ("content", "style"):
        if in_order(role, record["inputs"]) and _is_weighted(role, record["settings"]) and role not in record["losses"]:
            return "losses"
    if record.get("unfinished") or not record["inputs"]:
        return None
    if "psnr" not in record:
        return "psnr"
    return "psnr" if (record["psnr"] is None) != bool(in_order("style", record["inputs"])) else None


def _earlier(setting):
    """Return what counted before there was a setting."""
    earlier = setting.metadata["earlier"]
    return setting.default if earlier is None else earlier


def _is_weighted(role, settings):
    """Say whether content or style counts at all, from a record's settings, which may be anything."""
    if settings.get("convention") == "relative" and settings.get("strength") == {"content": 1, "style": 0}[role]:
        return False
    return settings.get(f"{role}_weight") != 0


def is_text(value):
    """Say whether a part of a record is a text."""
    return isinstance(value, str)


def _is_number(value):
    return isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1e300)


def _are_inputs(value):
    """Say whether a value is a dictionary, role -> {"sha256": text or None}, perhaps with "file": text."""
    return isinstance(value, dict) and all(
        ROLE.fullmatch(role)
        and isinstance(picture, dict)
        and "sha256" in picture
        and (picture["sha256"] is None or is_text(picture["sha256"]))
        and is_text(picture.get("file", ""))
        for role, picture in value.items()
    )


def _is_size(value):
    sides = value if isinstance(value, list) else []
    return value is None or (len(sides) == 2 and all(type(side) is int and 0 < side <= MAXIMUM_SIZE for side in sides))


def _is_output(value):
    return value is None or (
        isinstance(value, dict)
        and value.get("bits") in (8, 16)
        and value.get("alpha") in ("keep", "white")
        and isinstance(value.get("exif"), bool)
    )


# What every record has: part -> function that says whether a value is valid.
PARTS = {
    "inputs": _are_inputs,
    "size": _is_size,
    "tileable": lambda value: value is None or isinstance(value, bool),
    "content_mask": lambda value: value in (None, ALPHA),
    "output": _is_output,
    "unfinished": lambda value: value is None or isinstance(value, bool),
    "settings": lambda value: isinstance(value, dict),
    "weights_sha256": is_text,
    "losses": lambda value: isinstance(value, dict) and all(map(_is_number, value.values())),
    "psnr": lambda value: value is None or _is_number(value),
    "software": lambda value: isinstance(value, dict) and is_text(value.get("device")),
    "picture_sha256": is_text,
}
