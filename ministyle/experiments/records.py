"""Records: the files of an experiment, and what they say about each picture.

    FOLDER/panels/NAME.png     the picture
    FOLDER/panels/NAME.json    its record, see `jobs.record`; and the panel's name and factors
    FOLDER/manifest.json       all records, those of the latest call first
    FOLDER/manifest.csv        the same as a table, with a line for each panel

    FOLDER/panels/NAME.unfinished.png    the picture of a panel that was interrupted, until the panel is made

A panel is written as soon as it is finished, its record last. A panel that has a record is not made again, so an
interrupted experiment continues where it stopped. A record does not say when, where or how fast the panel was made, so
the files of experiments made in different places can be compared byte by byte. A panel can be made again from its
record, bit for bit.
"""

import csv
import functools
import io
import json
import os
import reprlib
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..errors import MinistyleError, printable
from ..files import read_regular, sha256_once, table_cell, version_of, write_text
from ..jobs.record import as_read, differences, invalid_part, is_text, parse, settings_to_record
from ..jobs.regions import SKETCH
from ..jobs.scales import with_own_size
from ..pictures.reading import read_picture
from ..pictures.values import picture_sha256, to_uint8
from ..pictures.writing import write_picture
from ..settings import Settings
from ..weights.find import find_weights

FORMAT = "ministyle panels 1"
MANIFESTS = ("manifest.json", "manifest.csv")
ROLES = ("content", "style", "init")  # of the pictures that a panel is made from
LARGEST = 100_000_000  # bytes of a manifest; a panel takes some 4000


@dataclass(frozen=True)
class Panel:
    """One picture to be made.

    Attributes
    ----------
    name : str, the file's name without ending: without separators of folders, and letters that steer a terminal
    settings : Settings
    content, style : path of a picture, or None; one alone makes a reconstruction
    size : (height, width), optional, see `jobs.job.Job.of`
    factors : dict, optional
        What the panel stands for in its experiment: name of a factor -> its value, a text or a number.

    Raises
    ------
    MinistyleError
        The name is none for a file.
    """

    name: str
    settings: Settings
    content: Path | None = None
    style: Path | None = None
    size: tuple | None = None
    factors: dict = field(default_factory=dict)

    def __post_init__(self):
        """Check the name, and turn a picture's own size, as an image size, into a number."""
        if not _is_name(self.name):
            raise MinistyleError(
                f"a panel cannot be named {self.name!r}, since that is no name for a file; give the "
                "picture that it is named after another name"
            )
        object.__setattr__(self, "settings", with_own_size(self.settings, self.content, self.style))


# Plans and records -----------------------------------------------------------------------------------


def plan_panel(panel, folder, *, sketch=False):
    """Return the part of a panel's record that is known before it is made, as it looks when read from a file.

    Parameters
    ----------
    panel : Panel
    folder : path, of the experiment
    sketch : bool, see `pictures_of`

    Raises
    ------
    MinistyleError
        A picture or the weight file cannot be read, or a value cannot be written to a record.
    """
    settings = panel.settings
    inputs, recorded = {"content": panel.content, "style": panel.style}, settings_to_record(settings)
    pictures_of(panel, sketch=sketch)  # so that a picture that cannot be read is noticed here
    if settings.start_picture is not None:
        inputs["init"], recorded["init"] = settings.init, None
    plan = {
        "format": FORMAT,
        "name": panel.name,
        "file": f"panels/{panel.name}.png",
        "factors": {str(name): value for name, value in panel.factors.items()},
        "inputs": {role: _describe_input(path, folder) for role, path in inputs.items() if path is not None},
        "size": panel.size,
        "settings": recorded,
        "weights_sha256": sha256_once(find_weights(settings.weights)),
    }
    return as_read(plan)


def make_record(plan, picture, outcome):
    """Return the record of a panel that has been made as planned."""
    return {**plan, **outcome, "picture_sha256": picture_sha256(picture)}


def pictures_of(panel, *, sketch=False):
    """Return a panel's content, style and start, as arrays (H, W, 3) or None; each file is decoded once.

    Parameters
    ----------
    panel : Panel
    sketch : bool, are small ones enough, as for an estimate?

    Raises
    ------
    MinistyleError
        A picture is not a file, or cannot be read.
    """
    settings = panel.settings
    if sketch:
        settings = replace(settings, image_size=SKETCH, style_size=None, side="longest")
    limit = settings.max_megapixels
    content = _decode("content", panel.content, limit, settings.image_size, settings.side)
    style = _decode("style", panel.style, limit, settings.style_size or settings.image_size, settings.side)
    return content, style, _decode("init", settings.start_picture, limit, SKETCH if sketch else None)


def _decode(role, path, max_megapixels, size=None, side="longest"):
    if path is None:
        return None
    if not isinstance(path, str | os.PathLike):
        raise MinistyleError(f"the {role} picture of a panel must be a file, not {type(path).__name__}")
    return _read(path, size, side, max_megapixels, version_of(path))


@functools.lru_cache(maxsize=64)
def _read(path, size, side, max_megapixels, version):
    return read_picture(path, size, side, max_megapixels=max_megapixels)


def _describe_input(path, folder):
    """Return a picture's path, as seen from the experiment's folder, and the hash of its file."""
    path = Path(path)
    try:
        seen = os.path.relpath(path, folder)
    except ValueError:  # on Windows, another drive
        seen = path.absolute()
    return {"file": Path(seen).as_posix(), "sha256": sha256_once(path)}


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
        intact = picture_sha256(to_uint8(read_picture(picture_path(folder, record)))) == record["picture_sha256"]
    except MinistyleError:
        intact = False
    return record if intact else None


def unfinished_path(folder, name):
    """Return where the picture of an interrupted panel is kept."""
    return folder / "panels" / f"{name}.unfinished.png"


def picture_path(folder, record):
    """Return where the picture of a panel lies.

    Raises
    ------
    MinistyleError
        A link leads to another place.
    """
    path = folder / _file_of(record["name"])
    if os.path.realpath(path.parent) != os.path.dirname(os.path.realpath(path)):
        raise MinistyleError(f"the picture of panel {record['name']!r} is not in '{path.parent}'; make it again")
    return path


def files_of(folder, names):
    """Return the paths of all files that an experiment with panels of these names writes, without drawings."""
    ours = [path for name in names for path in (_record_path(folder, name), unfinished_path(folder, name))]
    return [*(folder / _file_of(name) for name in names), *ours, *(folder / name for name in MANIFESTS)]


def others(folder, names):
    """Return the records of the panels in a folder that have other names: another experiment may have made them.

    Raises
    ------
    MinistyleError
        One of them is damaged.
    """
    found = []
    for path in sorted((folder / "panels").glob("*.json")):
        if path.stem not in names and path.with_suffix(".png").is_file():
            record = _read_json(path)
            _check_record(record, path)
            if record["name"] != path.stem:
                raise MinistyleError(f"'{path}' is the record of another panel, {record['name']!r}")
            found.append(record)
    return found


def write_manifests(folder, records):
    """Write records to the two manifests."""
    write_text(folder / "manifest.json", _to_json({"format": FORMAT, "panels": records}))
    rows = [_flat(record) for record in records]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(map(table_cell, columns))
    table.writerows([table_cell(row.get(column, "")) for column in columns] for row in rows)
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


def _file_of(name):
    return f"panels/{name}.png"


def _check_record(record, path):
    """Refuse a record that lacks what every panel's record has."""
    if not isinstance(record, dict):
        raise MinistyleError(f"'{path}' is damaged: one of its records is {reprlib.repr(record)}, not a dictionary")
    part = invalid_part(record, PARTS) or (None if _are_inputs(record["inputs"]) else "inputs")
    if part is None and record["file"] != _file_of(record["name"]):
        part = "file"
    if part is not None:
        name = reprlib.repr(record.get("name"))
        raise MinistyleError(f"'{path}' is damaged: the record of {name} has no valid {part}")


def _is_name(value):
    """Say whether a value is a text that can be a file's name, wherever the experiment is copied to."""
    return (
        is_text(value)
        and value not in ("", ".", "..")
        and printable(value) == value
        and not set(value) & set("/\\\n\t")
    )


def _are_inputs(inputs):
    """Say whether inputs are those of a panel, each of them a file."""
    return all(
        role in ROLES and is_text(picture.get("file")) and is_text(picture.get("sha256"))
        for role, picture in inputs.items()
    )


# What a panel's record has beside what every record has: part -> function that says whether a value is valid.
PARTS = {
    "name": _is_name,
    "file": is_text,
    "factors": lambda value: isinstance(value, dict),
    "unfinished": lambda value: value is None,
}


def _read_json(path):
    """Read one of our own files."""
    try:
        text = read_regular(path, LARGEST).decode()
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise MinistyleError(f"'{path}' cannot be read as a record: {error}") from None
    content = parse(text, path)
    if content.get("format") != FORMAT:
        raise MinistyleError(f"'{path}' is not a record of panels that this version can read")
    return content


def _to_json(content):
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _flat(value, name=""):
    """Return a record as one flat dictionary: {"settings": {"seed": 1}} becomes {"settings.seed": 1}."""
    if isinstance(value, dict):
        return {k: v for key, part in value.items() for k, v in _flat(part, f"{name}.{key}" if name else key).items()}
    return {name: "+".join(map(str, value)) if isinstance(value, list) else value}
