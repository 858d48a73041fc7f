"""Records: those that pictures carry, those of panels, and manifests, damaged as JSON, as text and as files."""

import contextlib
import functools
import hashlib
import io
import json
import shlex
import shutil
import zlib
from dataclasses import dataclass, fields
from random import Random

import mutators
import numpy as np
from kind import Kind, WrongResultError
from PIL import Image, PngImagePlugin

SIZE = 24, 32  # of the photograph and the painting
PANEL = "photo_painting_to-conv2_1_0.001_0"
CARRIERS = ("itxt", "zipped itxt", "text", "ztxt", "jpeg", "webp", "tiff", "two texts")
ENDINGS = {"jpeg": ".jpg", "webp": ".webp", "tiff": ".tif"}
ODD_FILES = (
    ".",
    "..",
    "/dev/zero",
    "/dev/full",
    "/dev/tty",
    "/proc/self/mem",
    "/proc/self/environ",
    "x" * 300,
    "a\0b",
    "",
)
PANEL_FILES = {"panel": f"out/panels/{PANEL}.json", "manifest": "out/manifest.json"}


class StartedError(BaseException):
    """The work would begin here. It is no `Exception`, so that nobody takes it for a fault."""


@dataclass(frozen=True)
class Record:
    """A record as it lies in a file.

    Attributes
    ----------
    where : one of `CARRIERS`, or of `PANEL_FILES`
    text : bytes, JSON
    damage : int, a seed for damage to the file itself, or 0
    """

    where: str
    text: bytes
    damage: int = 0


@functools.cache
def pictures():
    """Return what the records' pictures are made from, name -> bytes."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    photo = np.stack([5 * x, 7 * y, x + y], axis=2).astype(np.uint8)
    painting = np.stack([9 * y, 3 * x + y, 255 - 4 * x], axis=2).astype(np.uint8)
    mask = np.where(x < 16, 255, 0).astype(np.uint8)
    return {"photo.png": _png(photo), "painting.png": _png(painting), "mask.png": _png(mask)}


def _png(levels, **options):
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "PNG", **options)
    return file.getvalue()


def make_seeds():
    """Return valid records of several kinds, in all the files that carry them."""
    carried = [_text(record) for record in _picture_records()]
    panel = panel_record()
    manifest = {"format": panel["format"], "panels": [panel, {**panel, "name": "other", "file": "panels/other.png"}]}
    of_pictures = [Record(where, text) for text in carried for where in CARRIERS]
    return [*of_pictures, *[Record("panel", _text(panel)), Record("manifest", _text(manifest))] * 12]


def _text(record):
    return json.dumps(record).encode()


def _picture_records():
    """Return records of a transfer, with all there may be in it, and of reconstructions."""
    from ministyle.jobs.record import outcome, plan_picture
    from ministyle.settings import Settings
    from ministyle.solvers import Step

    small = {"image_size": 32, "iterations": 2}
    photo, painting, mask = ({"sha256": sha256(name)} for name in pictures())
    step = Step(2, 3, 1.0, {"content conv4_2": 0.5, "style conv1_1": 0.5}, 0.1, SIZE)

    def record(settings, inputs, psnr=None, **how):
        result = outcome(step, settings, message="done", psnr=psnr)
        return {**plan_picture(settings, inputs, **how), **result, "picture_sha256": "0" * 64}

    output = {"bits": 16, "alpha": "keep", "exif": True}
    yield record(Settings(**small), {"content": photo, "style": painting})
    both = {"content": photo, "style 1": painting, "style 2": {**painting, "file": "/nonexistent/a b.png"}}
    masks = {"content mask 1": mask, "content mask 2": mask, "style mask 1": mask}
    mixed = Settings(
        **small, style_blend=(2, 1), init="start.png", max_memory="2GB", style_layer_weights=[1, 2, 3, 4, 5]
    )
    yield record(mixed, {**both, **masks, "init": photo}, output=output, content_mask=None)
    yield record(Settings.from_preset("content-reconstruction", **small), {"content": photo}, psnr=30.0)
    yield record(Settings.from_preset("texture", **small), {"style": painting}, size=[32, 48], tileable=True)


def sha256(name):
    """Return the hash of one of the pictures."""
    return hashlib.sha256(pictures()[name]).hexdigest()


def settings_of_panel():
    """Return the settings of the one panel."""
    from ministyle.settings import Settings

    return Settings.from_preset("gatys2015", image_size=32, iterations=2, style_layers=("conv1_1", "conv2_1"))


def make_panel(folder):
    """Return the one panel of an experiment whose pictures lie in a folder."""
    from ministyle.experiments.records import Panel

    factors = {"content": "photo", "style": "painting", "layers": "to-conv2_1", "ratio": 0.001, "seed": 0}
    return Panel(PANEL, settings_of_panel(), folder / "photo.png", folder / "painting.png", factors=factors)


@functools.cache
def panel_record():
    """Return the record of the one panel, whose picture is the photograph."""
    from ministyle.files import sha256 as of_file
    from ministyle.files import shipped_path
    from ministyle.jobs.record import as_read, settings_to_record

    levels = np.asarray(Image.open(io.BytesIO(pictures()["photo.png"])))
    inputs = {role: {"file": f"../{name}.png", "sha256": sha256(f"{name}.png")} for role, name in ROLES.items()}
    return as_read(
        {
            "format": "ministyle panels 1",
            "name": PANEL,
            "file": f"panels/{PANEL}.png",
            "factors": {"content": "photo", "style": "painting", "layers": "to-conv2_1", "ratio": 0.001, "seed": 0},
            "inputs": inputs,
            "size": None,
            "settings": settings_to_record(settings_of_panel()),
            "weights_sha256": of_file(shipped_path("weights/vgg19.h5")),
            "losses": {"content": 1.0, "style": 2.5},
            "psnr": None,
            "terms": {"content conv4_2": 1.0, "style conv1_1": 2.5},
            "iterations": 2,
            "evaluations": 3,
            "message": "done",
            "software": {"ministyle": "0.1.0", "device": "cpu"},
            "picture_sha256": hashlib.sha256(levels.tobytes()).hexdigest(),
        }
    )


ROLES = {"content": "photo", "style": "painting"}


def mutate(random, seed, seeds):
    """Damage a record as JSON, as text, or the file that carries it."""
    kind, text, damage = random.random(), seed.text, 0
    if kind < 0.05:
        text = _with_odd_files(random, json.loads(text))
    elif kind < 0.75:
        text = mutators.to_json(mutators.mutate_tree(random, json.loads(text)), ensure_ascii=random.random() < 0.8)
    elif kind < 0.85:
        text = mutators.mutate_bytes(random, text, [one.text for one in seeds])
    elif kind < 0.88:
        text = text[:-1] + random.choice(
            (b', "a": ' + b"[" * 100_000, b', "a": "' + b"x" * random.choice((10**5, 3 * 10**6)) + b'"}')
        )
    else:
        damage = random.randrange(1, 2**31)
    return Record(seed.where, text, damage)


def _with_odd_files(random, tree):
    """Return a record as JSON that says that its pictures are what nobody should read."""
    for record in tree.get("panels", [tree]):
        for picture in record["inputs"].values():
            picture["file"] = random.choice(ODD_FILES)
            picture["sha256"] = random.choice((picture["sha256"], "0" * 64))
    return _text(tree)


def files(record):
    """Return the files of an input, name -> bytes: the pictures, and what holds the record."""
    made = dict(pictures())
    if record.where in PANEL_FILES:
        name = PANEL_FILES[record.where]
        whole = _text(panel_record())
        made |= {f"out/panels/{PANEL}.png": made["photo.png"], PANEL_FILES["panel"]: whole}
        made[PANEL_FILES["manifest"]] = _text({"format": "ministyle panels 1", "panels": [panel_record()]})
        made[name] = record.text
    else:
        name = "result" + ENDINGS.get(record.where, ".png")
        made[name] = carry(record.where, record.text)
    if record.damage:
        made[name] = mutators.mutate_bytes(Random(record.damage), made[name], [made[name]])
    return made


def carry(where, text):
    """Return a picture file that carries a text as its record."""
    from ministyle.pictures.metadata import add_comment

    if where in ENDINGS:
        file = io.BytesIO()
        exif = add_comment(None, text.decode("utf-8", "replace").encode("ascii", "replace").decode())
        try:
            Image.new("RGB", (4, 3)).save(file, where.upper(), exif=exif)
        except (ValueError, OSError):  # longer than a JPEG can hold
            return carry("itxt", text)
        return file.getvalue()
    texts = PngImagePlugin.PngInfo()
    keyword = b"ministyle\0"
    if "itxt" in where:
        packed = where != "itxt"
        data = text if not packed else _zip(text)
        texts.add(b"iTXt", keyword + (b"\1\0" if packed else b"\0\0") + b"\0\0" + data)
    if where in ("text", "two texts"):
        texts.add(b"tEXt", keyword + text)
    if where in ("ztxt", "two texts"):
        texts.add(b"zTXt", keyword + b"\0" + _zip(text))
    file = io.BytesIO()
    Image.new("RGB", (4, 3)).save(file, "PNG", pnginfo=texts)
    return file.getvalue()


def _zip(data):
    return zlib.compress(data)


def consume(record, place):
    """Read a record, print it, and do all that can be done with it before the work begins."""
    (_consume_panel if record.where in PANEL_FILES else _consume_picture)(record, place)


def _consume_picture(record, place):
    from ministyle.errors import MinistyleError
    from ministyle.jobs.record import read_record
    from ministyle.jobs.remaking import Remake

    path = place.input / ("result" + ENDINGS.get(record.where, ".png"))
    status, out, _ = place.run(["info", str(path)])
    read = read_record(path)
    if status == 0:
        check_command(read, out, place)
    Remake.of(path, {role: place.input / _file_of(role) for role in read["inputs"]})
    if any("file" in picture for picture in read["inputs"].values()):
        with contextlib.suppress(MinistyleError):
            Remake.of(path)


def _file_of(role):
    """Return the picture that a valid record has in a role."""
    return "mask.png" if "mask" in role else "painting.png" if role.startswith("style") else "photo.png"


def check_command(record, printed, place):
    """Refuse a printed command that does not make the picture that the record tells of."""
    from ministyle.command import make_parser
    from ministyle.command.parser import settings_of
    from ministyle.jobs.record import NOT_RECORDED, settings_from

    shown = printed.rpartition("made by       ")[2]
    if shown.startswith("Python; no command"):
        return
    words = shlex.split(shown)
    if words[:3] != ["python", "-m", "ministyle"]:
        raise WrongResultError(f"info prints no command: {printed[-300:]!r}")
    try:
        options = make_parser().parse_args(words[3:])
        made = settings_of(options)
    except SystemExit:
        refusal = place.printed()[1]
        if "is a folder" in refusal:  # what the record names need not be there any more
            return
        raise WrongResultError(f"the command that info prints is refused: {refusal!r}: {words}") from None
    if options.command != "transfer":
        return
    if getattr(options, "output", None) or getattr(options, "overwrite", False):
        raise WrongResultError(f"the command that info prints writes where the record says: {words}")
    meant = settings_from(record, "here", init=record["inputs"].get("init", {}).get("file", "INIT"))
    for field in fields(meant):
        before, now = getattr(meant, field.name), getattr(made, field.name)
        if field.name not in (*NOT_RECORDED, "init") and before != now:
            raise WrongResultError(f"{field.name} (={before}) is {now} in the command that info prints: {words}")


def _consume_panel(record, place):
    from ministyle.errors import MinistyleError
    from ministyle.experiments import panels, stimuli
    from ministyle.experiments.records import find_record

    manifest, folder = place.input / PANEL_FILES[record.where], place.output / "out"
    given = {role: place.input / f"{name}.png" for role, name in ROLES.items()}
    refusals = []

    def attempt(function, *arguments, **options):
        try:
            return function(*arguments, **options)
        except StartedError:
            pass
        except MinistyleError as error:
            refusals.append(error)
        return None

    json.dumps(attempt(find_record, manifest, PANEL))
    attempt(panels.remake, manifest, PANEL, **given)
    attempt(panels.remake, manifest, PANEL)
    attempt(place.run, ["remake", str(manifest), PANEL, "-o", str(place.output / "again.png")])
    shutil.copytree(place.input / "out", folder)
    panel = make_panel(place.input)
    kept = attempt(panels.render, [panel], folder, _NoWork())
    if kept is not None:
        if [one["name"] for one in kept] != [PANEL]:
            raise WrongResultError(f"records of other panels are kept: {kept!r}")
        for path in stimuli.draw_sheets([panel], folder, kept):
            Image.open(path).load()
    if refusals:
        raise refusals[0]


class _NoWork:
    """An executor that would begin the work."""

    def submit(self, *_, **__):
        raise StartedError


def prepare():
    """Import what is needed, and let no work begin."""
    import matplotlib.figure
    import matplotlib.font_manager  # noqa: F401  which starts a program, to find fonts

    import ministyle.command  # noqa: F401
    from ministyle.experiments import panels, stimuli  # noqa: F401

    def no_panel(*_, **__):
        raise StartedError

    panels.make_panel = no_panel


KIND = Kind("records", functools.cache(make_seeds), mutate, consume, files=files, prepare=prepare)
