"""Checkpoints: what an interrupted run needs to go on, in a file that is written whole or not at all.

The file is NumPy's `.npz`, without pickles:

    about      JSON: format, versions, what the job is made of, the steps so far, how many scales are done
    pixels     the picture at the present scale, (H, W, 3), as the solver has it: not rounded
    state_*    what the solver knows besides, see `solvers.Snapshot`; nothing where it is SciPy's

What the job is made of is compared before a run goes on: all settings, and hashes of the pictures and of the weights.
"""

import dataclasses
import hashlib
import importlib.metadata
import json
import os
import time
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..arrays import choose_device, to_host
from ..errors import MinistyleError
from ..files import new_file, sha256
from ..solvers import Snapshot, Step, choose_optimizer
from ..version import VERSION
from ..weights.find import find_weights
from .scales import joined

FORMAT = "ministyle checkpoint 1"
EVERY = 60.0  # seconds: little enough to lose
SHARE = 0.05  # of the time may go into writing: a checkpoint that takes long to write is written less often
# Settings that may differ: there is a hash of the weights, and the result does not depend on the threads.
NOT_COMPARED = ("weights", "threads")


@dataclass(frozen=True)
class Standing:
    """Where a run stands.

    Attributes
    ----------
    scale : int, how many scales are done
    former : list of Step, those at the scales that are done, as in `Result.history`
    snapshot : solvers.Snapshot of the present scale, or None before its first step
    """

    scale: int = 0
    former: list = field(default_factory=list, repr=False)
    snapshot: Snapshot | None = field(default=None, repr=False)

    @property
    def history(self):
        """All steps so far, as in `Result.history`."""
        return joined(self.former, self.snapshot.history if self.snapshot else [])


class Checkpoint:
    """A file from which an interrupted run can go on. It is for one run at a time.

    `Job.run` writes it. Whoever keeps the result removes it.

    Parameters
    ----------
    path : path of the file
    every : float, seconds from one writing to the next, about; 0 for no writing at all
    warn : function of str, which is told once if the file cannot be written, and the run goes on

    Attributes
    ----------
    latest : Standing, where the run stands now
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        every: float = EVERY,
        warn: Callable[[str], object] = warnings.warn,
    ) -> None:
        self.path = path
        self.every = every
        self.warn = warn
        self.latest = self._saved = Standing()

    def exists(self) -> bool:
        """Say whether there is such a file."""
        return os.path.isfile(self.path)

    def read(self, job: Any) -> Standing | None:
        """Return where an interrupted run of this job stands, a `Standing`, or None where there is no file.

        `warn` is told if that run used other versions of the software: then the last bits may differ.

        Raises
        ------
        MinistyleError
            The file is damaged or no checkpoint, or it belongs to another job: the sentence names the first difference.
        """
        if not self.exists():
            return None
        about, standing = _read(self.path)
        changes = differences(about["job"], describe(job))
        if changes:
            raise MinistyleError(
                f"'{self.path}' belongs to another run: {changes[0]}; give what that run was given, or begin anew"
            )
        for package, version in _versions().items():
            if about["versions"].get(package) != version:
                then = about["versions"].get(package)
                self.warn(f"'{self.path}' was written with {package} {then}, and this is {version}: bits may differ")
        return standing

    def open(self, job: Any, standing: Standing) -> None:
        """Begin to keep a run of a job, which stands there. Nothing is written yet."""
        self._job, self._about = job, None
        self.latest = self._saved = standing
        self._warned = False
        self._due = time.monotonic() + self.every

    def note(self, standing: Standing) -> None:
        """Note where the run stands, and write it if it is time."""
        self.latest = standing
        if time.monotonic() >= self._due:
            self.save()

    def save(self) -> None:
        """Write where the run stands, unless that is in the file; `warn` is told if that fails."""
        if not self.every or self.latest is self._saved:
            return
        began = time.monotonic()
        try:
            self._about = self._about or describe(self._job)
            _write(self.path, self.latest, self._about)
            self._saved, self._warned = self.latest, False
        except MinistyleError as error:
            if not self._warned:
                self.warn(f"{error}; the run goes on without a checkpoint")
            self._warned = True
        now = time.monotonic()
        self._due = now + max(self.every, (now - began) / SHARE)

    def remove(self) -> None:
        """Remove the file, if there is one: its run is finished."""
        if not self.exists():
            return
        try:
            os.unlink(self.path)
        except OSError as error:
            self.warn(f"'{self.path}' cannot be removed: {error.strerror}")


# What a job is made of ---------------------------------------------------------------------------------


def describe(job):
    """Return what decides how a job's picture comes out, {name: value}, as it looks when read from a file.

    Settings come first, and of arrays there is a hash.
    """
    settings = job.settings
    about = {item.name: getattr(settings, item.name) for item in dataclasses.fields(settings)}
    device = choose_device(settings.device)
    about |= {"device": device, "optimizer": choose_optimizer(settings.optimizer, device)}
    if job.init is not None:  # a picture, which the setting only names
        about["init"] = job.init
    for item in dataclasses.fields(job):
        if item.name not in ("settings", "targets", "origin"):  # the latter two change nothing
            about.setdefault(item.name, getattr(job, item.name))
    about["weight file"] = {"SHA-256": sha256(find_weights(settings.weights))}
    compared = {name: value for name, value in about.items() if name not in NOT_COMPARED}
    return json.loads(json.dumps(compared, default=_plain))


def differences(before, now, name=""):
    """Return how what was described before differs from what is described now, a list of texts.

    Parameters
    ----------
    before, now : dict, list, number, text or None
    name : str, of what these are
    """
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        before, now = ({str(number): value for number, value in enumerate(items, 1)} for items in (before, now))
    if before == now:
        return []
    for one in (before, now):
        if isinstance(one, dict) and "SHA-256" in one:
            return [f"another {name}"]
    if isinstance(before, dict) and isinstance(now, dict):
        names = dict.fromkeys([*now, *before])
        return [text for key in names for text in differences(before.get(key), now.get(key), f"{name} {key}".strip())]
    return [f"{name} (={_shown(before)}) is now {_shown(now)}"]


def _shown(value):
    return value if isinstance(value, str) else json.dumps(value)


def _plain(value):
    """Return what JSON does not know as something that it does: an array as its hash, a dataclass as a dictionary."""
    if isinstance(value, np.ndarray):
        digest = hashlib.sha256(f"{value.dtype} {value.shape}".encode() + np.ascontiguousarray(value).tobytes())
        return {"SHA-256": digest.hexdigest()}
    if dataclasses.is_dataclass(value):
        return {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
    return str(value)


def _versions():
    return {"ministyle": VERSION, **{package: importlib.metadata.version(package) for package in ("numpy", "scipy")}}


# The file ----------------------------------------------------------------------------------------------


def _write(path, standing, job):
    """Write where a run of a job stands; `job` is its description."""
    snapshot = standing.snapshot
    about = {
        "format": FORMAT,
        "versions": _versions(),
        "job": job,
        "scale": standing.scale,
        "former": [dataclasses.asdict(step) for step in standing.former],
        "history": [dataclasses.asdict(step) for step in snapshot.history],
        "state": snapshot.state and list(snapshot.state),
    }
    state = {f"state_{name}": to_host(value) for name, value in (snapshot.state or {}).items()}
    arrays = {"about": np.array(json.dumps(about)), "pixels": to_host(snapshot.pixels), **state}
    with new_file(path) as temporary, temporary.open("wb") as file:
        with zipfile.ZipFile(file, "w") as archive:  # as `np.savez` does, which leaves it open where the disk is full
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as part:
                    np.lib.format.write_array(part, np.asarray(array), allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())  # before the file takes its name: a power cut must not leave an empty one


def _read(path):
    """Return what a file says about its run, a dictionary, and where that stood, a `Standing`."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = dict(archive)
        about = json.loads(arrays["about"].item())
        if about["format"] != FORMAT:
            raise ValueError(f"its format is {about['format']!r}")
        former, history = ([_step(step) for step in about[steps]] for steps in ("former", "history"))
        pixels, state = arrays["pixels"], about["state"]
        if state is not None:
            state = {name: arrays[f"state_{name}"] for name in state}
    except MemoryError:
        raise
    except OSError as error:
        raise MinistyleError(f"'{path}' cannot be read: {error.strerror or error}") from error
    except Exception as error:  # a damaged file fails in any way
        raise MinistyleError(f"'{path}' is damaged, or no checkpoint that this version can read") from error
    return about, Standing(about["scale"], former, Snapshot(pixels, history, state))


def _step(fields):
    return Step(**{**fields, "size": tuple(fields["size"])})
