"""Records: the files of an experiment, and what they say about each picture.

    FOLDER/panels/NAME.png     the picture
    FOLDER/panels/NAME.json    its record: pictures it was made from, settings, losses, software, hashes
    FOLDER/manifest.json       all records
    FOLDER/manifest.csv        the same as a table, with a line for each panel

    FOLDER/panels/NAME.unfinished.png    the picture of a panel that was interrupted, until the panel is made

A panel is written as soon as it is finished, its record last. A panel that has a record is not made again, so an
interrupted experiment continues where it stopped. A record does not say when, where or how fast the panel was made, so
the files of experiments made in different places can be compared byte by byte. A panel can be made again from its
record, bit for bit.
"""

import csv
import dataclasses
import functools
import hashlib
import io
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import MinistyleError
from ..files import sha256, write_text
from ..jobs.job import STARTS
from ..pictures.reading import read_picture
from ..pictures.writing import write_picture
from ..settings import Settings
from ..weights.find import find_weights

FORMAT = "ministyle panels 1"
# Settings that are not in a record: it has the hash of the weights, and the result does not depend on the threads.
NOT_RECORDED = ("weights", "threads")
MANIFESTS = ("manifest.json", "manifest.csv")
ROLES = ("content", "style", "init")  # of the pictures that a panel is made from


@dataclass(frozen=True)
class Panel:
    """One picture to be made.

    Attributes
    ----------
    name : str, the file's name without ending
    settings : Settings
    content, style : path of a picture, or None; one alone makes a reconstruction
    size : (height, width), optional, see `jobs.job.Job.of`
    factors : dict, optional
        What the panel stands for in its experiment: name of a factor -> its value, a text or a number.
    """

    name: str
    settings: Settings
    content: Path | None = None
    style: Path | None = None
    size: tuple | None = None
    factors: dict = field(default_factory=dict)


# Plans and records -----------------------------------------------------------------------------------


def plan_panel(panel, folder):
    """Return the part of a panel's record that is known before it is made, as it looks when read from a file.

    Raises
    ------
    MinistyleError
        A picture or the weight file cannot be read, or a value cannot be written to a record.
    """
    settings = panel.settings
    inputs = {"content": panel.content, "style": panel.style}
    recorded = {setting.name: getattr(settings, setting.name) for setting in dataclasses.fields(settings)}
    pictures_of(panel)  # so that a picture that cannot be read is noticed here
    if _starts_from_file(settings):
        inputs["init"], recorded["init"] = settings.init, None
    plan = {
        "format": FORMAT,
        "name": panel.name,
        "file": f"panels/{panel.name}.png",
        "factors": {str(name): value for name, value in panel.factors.items()},
        "inputs": {role: _describe_input(path, folder) for role, path in inputs.items() if path is not None},
        "size": panel.size,
        "settings": {name: value for name, value in recorded.items() if name not in NOT_RECORDED},
        "weights_sha256": sha256_once(find_weights(settings.weights)),
    }
    return json.loads(json.dumps(plan, default=_plain_number))


def make_record(plan, picture, outcome):
    """Return the record of a panel that has been made as planned."""
    return {**plan, **outcome, "picture_sha256": picture_sha256(picture)}


def recorded_settings(record):
    """Return the settings that a panel was made with, {name: value}, as they look when read from a file.

    A setting that is missing in the record is newer than the record. The panel was made as if it had its default, or
    what counted earlier.
    """
    fields = [setting for setting in dataclasses.fields(Settings) if setting.name not in NOT_RECORDED]
    return {**{setting.name: _as_read(_earlier(setting)) for setting in fields}, **record["settings"]}


def differences(record, plan):
    """Return how a recorded panel differs from a planned one, a list of texts."""
    settings = recorded_settings(record)
    changes = []
    for name, value in plan["settings"].items():
        before = settings[name]
        if before != value:
            changes.append(f"{name} (={before}) is now {value}")
    hashes = [{role: picture["sha256"] for role, picture in one["inputs"].items()} for one in (record, plan)]
    changes += [f"another {role} picture" for role in hashes[1] if hashes[0].get(role) != hashes[1][role]]
    for name in ("size", "weights_sha256"):
        if record.get(name) != plan[name]:
            changes.append(f"{name} (={record.get(name)}) is now {plan[name]}")
    return changes


def _earlier(setting):
    """Return what counted before there was a setting."""
    earlier = setting.metadata["earlier"]
    return setting.default if earlier is None else earlier


def picture_sha256(picture):
    """Return the hash of a picture's pixels, row by row, RGB. It does not depend on the file format."""
    return hashlib.sha256(np.ascontiguousarray(picture, np.uint8).tobytes()).hexdigest()


def pictures_of(panel):
    """Return a panel's content, style and start, as arrays (H, W, 3) or None; each file is decoded once.

    Raises
    ------
    MinistyleError
        A picture is not a file, or cannot be read.
    """
    settings = panel.settings
    content = _decode("content", panel.content, settings.image_size, settings.side)
    style = _decode("style", panel.style, settings.style_size or settings.image_size, settings.side)
    return content, style, _decode("init", settings.init) if _starts_from_file(settings) else None


def sha256_once(path):
    """Return a file's SHA-256, computed once unless the file has changed."""
    return _sha256(path, _version(path))


def _starts_from_file(settings):
    return not isinstance(settings.init, str) or settings.init not in STARTS


def _decode(role, path, size=None, side="longest"):
    if path is None:
        return None
    if not isinstance(path, str | os.PathLike):
        raise MinistyleError(f"the {role} picture of a panel must be a file, not {type(path).__name__}")
    return _read(path, size, side, _version(path))


def _version(path):
    """Return what changes when a file changes, or None where there is no file."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


@functools.lru_cache(maxsize=64)
def _read(path, size, side, version):
    return read_picture(path, size, side)


@functools.lru_cache(maxsize=1000)
def _sha256(path, version):
    return sha256(path)


def _describe_input(path, folder):
    """Return a picture's path, as seen from the experiment's folder, and the hash of its file."""
    path = Path(path)
    try:
        seen = os.path.relpath(path, folder)
    except ValueError:  # on Windows, another drive
        seen = path.absolute()
    return {"file": Path(seen).as_posix(), "sha256": sha256_once(path)}


def _as_read(value):
    """Return a value as it looks when read from a file."""
    return json.loads(json.dumps(value))


def _plain_number(value):
    """Return a NumPy scalar, which `json` does not know, as a number of Python's."""
    if isinstance(value, np.generic):
        return value.item()
    raise MinistyleError(f"a record can hold numbers and texts, not {type(value).__name__}")


# Files -------------------------------------------------------------------------------------------------


def prepare_folder(folder):
    """Make the folder of an experiment, unless it is there.

    Raises
    ------
    MinistyleError
        The folder holds other files than those of an experiment, or cannot be used.
    """
    try:
        if folder.exists() and any(folder.iterdir()) and not (folder / "panels").is_dir():
            raise MinistyleError(f"folder '{folder}' holds other files; name a new one")
        (folder / "panels").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MinistyleError(f"folder '{folder}' cannot be used: {error.strerror}") from None
    if not os.access(folder / "panels", os.W_OK):
        raise MinistyleError(f"folder '{folder}' cannot be used: no permission to write in it")


def keep(folder, plan, picture, outcome):
    """Write a panel, its record last, and return the record."""
    record = make_record(plan, picture, outcome)
    write_picture(folder / plan["file"], picture, overwrite=True)
    unfinished_path(folder, plan["name"]).unlink(missing_ok=True)
    write_text(_record_path(folder, plan["name"]), _to_json(record))
    return record


def kept(folder, plan, overwrite):
    """Return the record of a panel that is there already, or None if the panel has to be made.

    Raises
    ------
    MinistyleError
        A panel of this name is there, was made differently, and `overwrite` is not set. Or its record is damaged.
    """
    path = _record_path(folder, plan["name"])
    try:
        record = _read_json(path)
    except FileNotFoundError:
        return None
    _check_record(record, path)
    if (record["name"], record["file"]) != (plan["name"], plan["file"]):
        raise MinistyleError(f"'{path}' is the record of another panel, {record['name']!r}")
    changes = differences(record, plan)
    if changes and not overwrite:
        raise MinistyleError(
            f"'{folder / plan['file']}' is there and was made differently ({changes[0]}); name another folder, or add "
            "--overwrite"
        )
    if changes:
        return None
    try:
        intact = picture_sha256(read_picture(folder / plan["file"])) == record["picture_sha256"]
    except MinistyleError:
        intact = False
    return record if intact else None


def unfinished_path(folder, name):
    """Return where the picture of an interrupted panel is kept."""
    return folder / "panels" / f"{name}.unfinished.png"


def write_manifests(folder, records):
    """Write all records to the two manifests."""
    write_text(folder / "manifest.json", _to_json({"format": FORMAT, "panels": records}))
    rows = [_flat(record) for record in records]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    text = io.StringIO()
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_text(folder / "manifest.csv", text.getvalue())


def find_record(path, name):
    """Return the record of a panel from a manifest, or from its own file.

    Raises
    ------
    MinistyleError
        There is no such file or panel, or the record is damaged.
    """
    try:
        content = _read_json(path)
    except FileNotFoundError:
        raise MinistyleError(f"there is no manifest '{path}'") from None
    records = content.get("panels", [content])
    if not isinstance(records, list) or not records:
        raise MinistyleError(f"'{path}' is damaged: it has no list of panels")
    for record in records:
        _check_record(record, path)
    names = [record["name"] for record in records]
    if name is None and len(names) == 1:
        (name,) = names
    if name not in names:
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        wrong = "" if name is None else f", not {name!r}"
        raise MinistyleError(f"name one of the panels in '{path}'{wrong}: {shown}")
    return records[names.index(name)]


def _record_path(folder, name):
    return folder / "panels" / f"{name}.json"


def _check_record(record, path):
    """Refuse a record that lacks what every record has.

    Single settings are not looked at: `Settings` does that, and a record may be older than one of them.
    """
    if not isinstance(record, dict):
        raise MinistyleError(f"'{path}' is damaged: one of its records is {record!r}, not a dictionary")
    part = _invalid_part(record)
    if part is not None:
        raise MinistyleError(f"'{path}' is damaged: the record of {record.get('name')!r} has no valid {part}")


def _invalid_part(record):
    """Return the name of a part that is missing or of the wrong type, or None."""
    for part, is_valid in PARTS.items():
        if not is_valid(record.get(part)):
            return part
    for role in ("content", "style"):
        if role in record["inputs"] and _is_weighted(role, record["settings"]) and role not in record["losses"]:
            return "losses"
    return "psnr" if (record["psnr"] is None) != ("style" in record["inputs"]) else None


def _is_weighted(role, settings):
    """Say whether content or style counts at all, from a record's settings, which may be anything."""
    if settings.get("convention") == "relative" and settings.get("strength") == {"content": 1, "style": 0}[role]:
        return False
    return settings.get(f"{role}_weight") != 0


def _is_text(value):
    return isinstance(value, str)


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


def _are_inputs(value):
    """Say whether a value is a dictionary, role -> {"file": text, "sha256": text}."""
    return isinstance(value, dict) and all(
        role in ROLES
        and isinstance(picture, dict)
        and _is_text(picture.get("file"))
        and _is_text(picture.get("sha256"))
        for role, picture in value.items()
    )


def _is_size(value):
    sides = value if isinstance(value, list) else []
    return value is None or (len(sides) == 2 and all(isinstance(side, int) and side > 0 for side in sides))


# What every record has: part -> function that says whether a value is valid.
PARTS = {
    "name": _is_text,
    "file": _is_text,
    "factors": lambda value: isinstance(value, dict),
    "inputs": _are_inputs,
    "size": _is_size,
    "settings": lambda value: isinstance(value, dict),
    "weights_sha256": _is_text,
    "losses": lambda value: isinstance(value, dict) and all(map(_is_number, value.values())),
    "psnr": lambda value: value is None or _is_number(value),
    "software": lambda value: isinstance(value, dict) and _is_text(value.get("device")),
    "picture_sha256": _is_text,
}


def _read_json(path):
    """Read one of our own files."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise MinistyleError(f"'{path}' cannot be read as a record: {error}") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise MinistyleError(f"'{path}' is not a record of panels that this version can read")
    return content


def _to_json(content):
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _flat(value, name=""):
    """Return a record as one flat dictionary: {"settings": {"seed": 1}} becomes {"settings.seed": 1}."""
    if isinstance(value, dict):
        return {k: v for key, part in value.items() for k, v in _flat(part, f"{name}.{key}" if name else key).items()}
    return {name: "+".join(map(str, value)) if isinstance(value, list) else value}
