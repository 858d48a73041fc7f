"""Panels: the pictures of an experiment, each kept in a file beside the record of how it was made.

An experiment, be it one of the paper's figures or a factorial design of stimuli, is a list of panels and a folder:

    FOLDER/panels/NAME.png     the picture
    FOLDER/panels/NAME.json    its record: pictures it was made from, settings, losses, software, hashes
    FOLDER/manifest.json       all records
    FOLDER/manifest.csv        the same as a table, a line for each panel

A panel is written as soon as it is finished, and what is there already is not made again; so an experiment that was
interrupted goes on where it stopped. A record says nothing about when, where or how fast, and hence experiments made
in different places can be compared file by file. From its record a panel can be made again, bit for bit.
"""

import csv
import dataclasses
import functools
import hashlib
import importlib.metadata
import io
import json
import os
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from . import __version__, arrays
from .errors import MinistyleError
from .files import sha256, write_text
from .image import check_output, psnr, read_picture, write_picture
from .settings import Settings
from .transfer import make_picture, read_pictures
from .weights.find import find_weights

FORMAT = "ministyle panels 1"
# Settings that are not part of a record: for the weights there is a hash, and on the number of threads nothing depends.
NOT_RECORDED = ("weights", "threads")
STARTS = ("noise", "content", "style")
IN_FLIGHT = 128  # panels handed to the executor at a time: enough for as many workers, and they need not fit in memory
MANIFESTS = ("manifest.json", "manifest.csv")


@dataclass(frozen=True)
class Panel:
    """One picture to be made.

    Attributes
    ----------
    name : str, the file's name without ending
    settings : Settings
    content, style : path of a picture, or None; one alone makes a reconstruction
    size : (height, width), optional, see `transfer.make_picture`
    factors : dict, optional, what the panel stands for in its experiment: factor -> level
    """

    name: str
    settings: Settings
    content: Path | None = None
    style: Path | None = None
    size: tuple | None = None
    factors: dict = field(default_factory=dict)


# Making ----------------------------------------------------------------------------------------------


def render(panels, folder, executor, *, overwrite=False, on_panel=None, on_step=None):
    """Make the panels that are not there yet, and write the manifests.

    Parameters
    ----------
    panels : sequence of Panel
    folder : path, made if it does not exist
    executor : concurrent.futures.Executor
    overwrite : bool
        Make those panels again that are there with other settings or from other pictures.
    on_panel : function of (Panel, record, bool), optional
        Called for every panel that is there, the bool saying whether it was made just now.
    on_step : function of (Panel, Step, pixels), optional
        Called after every iteration, see `transfer`; only for an executor that works in this process.

    Returns
    -------
    list of records (dict), in the order of the panels

    Raises
    ------
    MinistyleError
        Before any work: a picture cannot be read, the folder is not an experiment's or cannot be written to, or a panel
        is there with other settings. After all other panels have been made: some could not be made.
    """
    folder = Path(folder)
    _check_folder(folder)
    plans = {panel.name: _plan(panel, folder) for panel in panels}
    if len(plans) < len(panels):
        raise MinistyleError("two panels have the same name; give the pictures different names")
    records = {name: _kept(folder, plan, overwrite) for name, plan in plans.items()}
    _make_folder(folder)
    for plan in plans.values():
        check_output(folder / plan["file"], overwrite=True)
    try:
        failures = _make_missing(panels, plans, records, folder, executor, on_panel, on_step)
    finally:  # also after an interruption
        _write_manifests(folder, [record for record in records.values() if record])
    if failures:
        name, error = next(iter(failures.items()))
        reason = str(error) or type(error).__name__
        raise MinistyleError(
            f"{len(failures)} of {len(panels)} panels could not be made, the others are kept; {name}: {reason}"
        ) from error
    return list(records.values())


def _make_missing(panels, plans, records, folder, executor, on_panel, on_step):
    """Make all panels without a record, write them and put their records in; return {name: exception}."""
    report = on_panel or (lambda *_: None)
    failures, pending = {}, {}

    def collect(done):
        for future in done:
            panel = pending.pop(future)
            try:
                picture, outcome = future.result()
            except Exception as error:  # a worker may fail in any way
                failures[panel.name] = error
                continue
            records[panel.name] = _keep(folder, plans[panel.name], picture, outcome)
            report(panel, records[panel.name], True)

    for panel in panels:
        if records[panel.name] is not None:
            report(panel, records[panel.name], False)
            continue
        options = {} if on_step is None else {"on_step": functools.partial(on_step, panel)}
        ingredients = *_ingredients(panel), plans[panel.name]["weights_sha256"]
        pending[executor.submit(make_panel, *ingredients, **options)] = panel
        collect(wait(pending, timeout=0).done)
        if len(pending) == IN_FLIGHT:
            collect(wait(pending, return_when=FIRST_COMPLETED).done)
    while pending:
        collect(wait(pending, return_when=FIRST_COMPLETED).done)
    return failures


def make_panel(settings, content, style, size, weights_sha256, on_step=None):
    """Make one picture; this is what runs on a cluster's worker.

    Parameters
    ----------
    settings, content, style, size, on_step : see `transfer.make_picture`
    weights_sha256 : str, the hash of the weight file that is to be used

    Returns
    -------
    picture : uint8 array (H, W, 3)
    outcome : dict, what the record says about it

    Raises
    ------
    MinistyleError
        This machine has other weights, or the loss became infinite.
    """
    weights = find_weights(settings.weights)
    if _sha256_once(weights) != weights_sha256:
        raise MinistyleError(f"weight file '{weights}' is not the one that was asked for, of SHA-256 {weights_sha256}")
    import threadpoolctl

    # With several threads of its own BLAS may round otherwise, and cluster and single machine differ in their number.
    # Our threads are not affected; the plain convolution gets slower.
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        result = make_picture(settings, content, style, size=size, on_step=on_step)
    if result.interrupted:
        raise KeyboardInterrupt
    if not result.completed:
        raise MinistyleError(result.message)
    last = result.history[-1]
    outcome = {
        "losses": _unweighted(last.terms, settings),
        "psnr": psnr(result.image, content) if style is None else None,
        "terms": last.terms,
        "iterations": last.iteration,
        "evaluations": last.evaluations,
        "message": result.message,
        "software": software(settings.device),
    }
    return result.image, outcome


def _unweighted(terms, settings):
    """Return content and style loss as such: the terms added up, without alpha and beta."""
    weights = {"content": settings.content_weight, "style": settings.style_weight}
    return {
        kind: sum(value for name, value in terms.items() if name.startswith(kind)) / weight
        for kind, weight in weights.items()
        if weight and any(name.startswith(kind) for name in terms)
    }


def software(device="auto"):
    """Return what the last bit of a picture may depend on: versions, the package's source, BLAS, the device."""
    blas = {f"{it['internal_api']} {it['version']}, {it.get('architecture')} kernels" for it in arrays.blas_libraries()}
    device = arrays.choose_device(device)
    return {
        "ministyle": __version__,
        "source_sha256": _source_sha256(),
        **{package: importlib.metadata.version(package) for package in ("numpy", "scipy", "pillow")},
        "blas": sorted(blas),
        "device": "cpu" if device == "cpu" else arrays.describe_gpu(),
    }


@functools.cache
def _source_sha256():
    """Return a hash of the package's own modules."""
    digest = hashlib.sha256()
    package = Path(__file__).parent
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def remake(manifest, name=None, *, content=None, style=None, init=None, weights=None, on_step=None):
    """Make a panel again from its record.

    Parameters
    ----------
    manifest : path of a manifest.json, or of a panel's own record
    name : str, the panel's name; not needed where there is only one
    content, style, init : path, optional, of pictures that no longer lie where the record says
    weights : path, optional, of the weight file, where it is not the one found by itself
    on_step : see `transfer`

    Returns
    -------
    picture : uint8 array (H, W, 3)
    record : dict, as it would be written now
    original : dict, as it was read

    Raises
    ------
    MinistyleError
        The record cannot be read, or a picture or the weights are missing or no longer the same.
    """
    manifest = Path(manifest)
    original = _find_record(manifest, name)
    folder = manifest.parent if manifest.name in MANIFESTS else manifest.parent.parent
    given = {"content": content, "style": style, "init": init}
    inputs = {role: given[role] or folder / picture["file"] for role, picture in original["inputs"].items()}
    try:
        settings = {**original["settings"], "init": inputs.get("init") or original["settings"]["init"]}
        size = original["size"] and tuple(original["size"])
        settings = Settings(**settings, weights=weights)
        device = "cpu" if original["software"]["device"] == "cpu" else "cuda"  # and not the better of today's
    except (KeyError, TypeError) as error:
        raise MinistyleError(f"record '{manifest}' of {original['name']} is damaged: {error!r}") from None
    panel = Panel(
        original["name"], settings, inputs.get("content"), inputs.get("style"), size, original.get("factors", {})
    )
    plan = _plan(panel, folder)
    for role, picture in original["inputs"].items():
        if plan["inputs"][role]["sha256"] != picture["sha256"]:
            raise MinistyleError(f"'{inputs[role]}' is not the {role} picture that {original['name']} was made from")
    settings, *pictures = _ingredients(panel)
    settings = dataclasses.replace(settings, device=device)
    picture, outcome = make_panel(settings, *pictures, original["weights_sha256"], on_step=on_step)
    return picture, _record(plan, picture, outcome), original


# Records ---------------------------------------------------------------------------------------------


def _ingredients(panel):
    """Return what `make_panel` works on: pictures, not paths, as a worker may not see this machine's files."""
    settings = panel.settings
    if settings.init not in STARTS:
        settings = dataclasses.replace(settings, init=read_picture(settings.init))
    return settings, *read_pictures(settings, panel.content, panel.style), panel.size


def _plan(panel, folder):
    """Return the part of a panel's record that is known beforehand, as it looks when read from a file."""
    settings = panel.settings
    inputs = {"content": panel.content, "style": panel.style}
    recorded = dataclasses.asdict(settings)
    if settings.init not in STARTS:
        inputs["init"], recorded["init"] = settings.init, None
    plan = {
        "format": FORMAT,
        "name": panel.name,
        "file": f"panels/{panel.name}.png",
        "factors": panel.factors,
        "inputs": {role: _describe_input(path, folder) for role, path in inputs.items() if path is not None},
        "size": panel.size,
        "settings": {name: value for name, value in recorded.items() if name not in NOT_RECORDED},
        "weights_sha256": _sha256_once(find_weights(settings.weights)),
    }
    return json.loads(json.dumps(plan))


def _describe_input(path, folder):
    """Return a picture's path, as seen from the experiment's folder, and the hash of its file."""
    path = Path(path)
    digest = _sha256_once(path, check=read_picture)
    try:
        seen = os.path.relpath(path, folder)
    except ValueError:  # on Windows, another drive
        seen = path.absolute()
    return {"file": Path(seen).as_posix(), "sha256": digest}


def _sha256_once(path, check=None):
    """Return a file's SHA-256, after `check` has read it and said why where it cannot be read.

    Neither is done again unless the file has changed.
    """
    try:
        status = os.stat(path)
        version = status.st_mtime_ns, status.st_size
    except OSError:
        version = None
    return _checked_sha256(path, check, version)


@functools.lru_cache(maxsize=1000)
def _checked_sha256(path, check, version):
    if check is not None:
        check(path)
    return sha256(path)


def _record(plan, picture, outcome):
    return {**plan, **outcome, "picture_sha256": _picture_sha256(picture)}


def _picture_sha256(picture):
    """Return the hash of a picture's pixels, row by row, RGB, whatever file they are kept in."""
    return hashlib.sha256(np.ascontiguousarray(picture, np.uint8).tobytes()).hexdigest()


def _keep(folder, plan, picture, outcome):
    """Write a panel, the record last, and return the record."""
    record = _record(plan, picture, outcome)
    write_picture(folder / plan["file"], picture, overwrite=True)
    write_text(_record_path(folder, plan["name"]), _to_json(record))
    return record


def _kept(folder, plan, overwrite):
    """Return the record of a panel that is there already, or None where it has to be made."""
    try:
        record = _read_json(_record_path(folder, plan["name"]))
    except FileNotFoundError:
        return None
    changes = _differences(record, plan)
    if changes and not overwrite:
        raise MinistyleError(
            f"'{folder / plan['file']}' is there and was made otherwise ({changes[0]}); name another folder, or add "
            "--overwrite"
        )
    if changes:
        return None
    try:
        intact = _picture_sha256(read_picture(folder / plan["file"])) == record["picture_sha256"]
    except MinistyleError:
        intact = False
    return record if intact else None


def _differences(record, plan):
    """Say in what a record's panel differs from a planned one, as far as it matters for the picture."""
    changes = []
    for name, value in plan["settings"].items():
        before = record.get("settings", {}).get(name)
        if before != value:
            changes.append(f"{name} (={before}) is now {value}")
    hashes = [{role: picture["sha256"] for role, picture in one.get("inputs", {}).items()} for one in (record, plan)]
    changes += [f"another {role} picture" for role in hashes[1] if hashes[0].get(role) != hashes[1][role]]
    for name in ("size", "weights_sha256"):
        if record.get(name) != plan[name]:
            changes.append(f"{name} (={record.get(name)}) is now {plan[name]}")
    return changes


def _record_path(folder, name):
    return folder / "panels" / f"{name}.json"


def _check_folder(folder):
    """Refuse a folder that holds something else than an experiment, or that is none."""
    try:
        if folder.exists() and any(folder.iterdir()) and not (folder / "panels").is_dir():
            raise MinistyleError(f"folder '{folder}' holds other files; name a new one")
    except OSError as error:
        raise MinistyleError(f"folder '{folder}' cannot be used: {error.strerror}") from None


def _make_folder(folder):
    """Make the folder of an experiment, if it is not there."""
    try:
        (folder / "panels").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MinistyleError(f"folder '{folder}' cannot be used: {error.strerror}") from None
    if not os.access(folder / "panels", os.W_OK):
        raise MinistyleError(f"folder '{folder}' cannot be used: no permission to write in it")


def _write_manifests(folder, records):
    """Write all records to the two manifests."""
    write_text(folder / "manifest.json", _to_json({"format": FORMAT, "panels": records}))
    rows = [_flat(record) for record in records]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    text = io.StringIO()
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_text(folder / "manifest.csv", text.getvalue())


def _flat(value, name=""):
    """Return a record as one level of columns: {"settings": {"seed": 1}} as {"settings.seed": 1}."""
    if isinstance(value, dict):
        return {k: v for key, part in value.items() for k, v in _flat(part, f"{name}.{key}" if name else key).items()}
    return {name: "+".join(map(str, value)) if isinstance(value, list) else value}


def _find_record(path, name):
    """Return the record of a panel from a manifest, or from its own file."""
    try:
        content = _read_json(path)
    except FileNotFoundError:
        raise MinistyleError(f"there is no manifest '{path}'") from None
    records = content.get("panels", [content])
    names = [record["name"] for record in records]
    if name is None and len(names) == 1:
        (name,) = names
    if name not in names:
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        raise MinistyleError(f"name one of the panels in '{path}', not {name!r}: {shown}")
    return records[names.index(name)]


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
