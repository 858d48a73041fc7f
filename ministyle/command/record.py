"""What `info` shows of a picture's record, and the command that makes the picture again."""

import dataclasses
import json
import shlex

from ..jobs.record import NOT_RECORDED, in_order, read_record, settings_from
from ..pictures.opening import open_picture
from ..settings import PRESETS, Settings
from .reconstruct import CONTENT_LACKS, TEXTURE_LACKS

# What a picture is made from, a photograph, a painting -> the command, its own preset, settings without a flag, and
# settings whose flag has another name.
COMMANDS = {
    (True, True): ("transfer", "default", (), {}),
    (True, False): ("content", "content-reconstruction", CONTENT_LACKS, {"content_layers": "--layer"}),
    (False, True): ("texture", "texture", TEXTURE_LACKS, {"style_layers": "--layers"}),
}
LONGEST = 300  # letters shown of a text in a record


def show_record(path):
    """Print how a picture was made, and the command that makes it again.

    Raises
    ------
    MinistyleError
        The file is no picture, it has no record, or the record is damaged.
    """
    record = read_record(path)
    command = command_of(record, path)
    with open_picture(path) as picture:
        about = f"{picture.width} x {picture.height}, {picture.format}"
    print(f"picture       {about}{', unfinished' if record.get('unfinished') else ''}")
    for role, source in record["inputs"].items():
        print(f"{role:13} SHA-256 {_shown(source['sha256'] or 'unknown: it was no file')}")
        if "file" in source:
            print(f"{'':13} {_shown(source['file'])}")
    print(f"weights       SHA-256 {_shown(record['weights_sha256'])}")
    print(f"pixels        SHA-256 {_shown(record['picture_sha256'])}")
    for part in ("iterations", "evaluations", "message", "psnr"):
        if record.get(part) is not None:
            print(f"{part:13} {_shown(record[part])}")
    for kind, loss in record["losses"].items():
        print(f"{_shown(kind) + ' loss':13} {loss:.6g}")
    for part, value in {**record["software"], "blas_threads": record.get("blas_threads")}.items():
        print(f"{_shown(part):13} {_shown(value)}")
    print(f"made by       {command or 'Python; no command makes such a picture'}")


def command_of(record, path):
    """Return the command that makes a picture, with placeholders for files whose names the record does not tell.

    It is None where only Python can make the picture: for several paintings, or masks, without a photograph, and for a
    size of one's own beside a photograph.

    Raises
    ------
    MinistyleError
        A setting in the record is impossible.
    """
    files = {role: picture.get("file", role.upper().replace(" ", "-")) for role, picture in record["inputs"].items()}
    settings = settings_from(record, f"in '{path}'", init=files.pop("init", None))
    styles = in_order("style", files)
    alone = len(styles) > 1 or record["content_mask"] or any("mask" in role for role in files)
    if alone if "content" not in files and styles else record["size"]:
        return None
    name, own_preset, lacks, own_flags = COMMANDS.get(("content" in files, bool(styles)), COMMANDS[True, True])
    words = [name, *(files.pop(role) for role in ("content", *styles) if role in files)]
    for kind in ("content mask", "style mask"):
        masks = in_order(kind, files).values()
        words += [f"--{kind.replace(' ', '-')}", *masks] if masks else []
    words += ["--content-mask", record["content_mask"]] if record["content_mask"] else []
    preset, changes = _nearest_preset(settings, own_preset, (*NOT_RECORDED, *lacks))
    words += [] if preset == own_preset else ["--preset", preset]
    for setting, value in changes.items():
        words += _flag(own_flags.get(setting, f"--{setting.replace('_', '-')}"), value)
    words += _flags_of_output(record)
    return _printable(f"python -m ministyle {shlex.join(words)}")


def _flags_of_output(record):
    """Return the flags that say what the picture and its file are like."""
    words = ["--output-size", "{1}x{0}".format(*record["size"])] if record["size"] else []
    words += ["--tileable"] if record["tileable"] else []
    output = record["output"] or {}
    words += ["--bits", "16"] if output.get("bits") == 16 else []
    if "content" in record["inputs"]:
        words += ["--alpha", "keep"] if output.get("alpha") == "keep" else []
        words += [] if output.get("exif", True) else ["--no-exif"]
    return words


def _nearest_preset(settings, own, left_out):
    """Return the preset from which the fewest settings differ, and those, name -> value; the own one if in doubt."""
    differing = {}
    for preset in sorted(PRESETS, key=lambda preset: preset != own):
        start = Settings.from_preset(preset)
        differing[preset] = {
            setting.name: getattr(settings, setting.name)
            for setting in dataclasses.fields(Settings)
            if setting.name not in left_out and getattr(settings, setting.name) != getattr(start, setting.name)
        }
    nearest = min(differing, key=lambda preset: len(differing[preset]))
    return nearest, differing[nearest]


def _flag(flag, value):
    """Return a flag and its value as words of a command."""
    if isinstance(value, bool):
        return [flag if value else f"--no-{flag.removeprefix('--')}"]
    return [flag, ",".join(map(str, value)) if isinstance(value, tuple) else str(value)]


def _shown(value):
    """Return a part of a record as one short line. It comes from a file that anybody may have written."""
    text = value if isinstance(value, str) else json.dumps(value)
    return _printable(text if len(text) <= LONGEST else f"{text[:LONGEST]}...")


def _printable(text):
    """Return a text without what would steer a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
