"""Panels, the pictures of an experiment: make all of them, or make one again from its record.

`records` writes them to files.
"""

import dataclasses
import functools
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, wait
from pathlib import Path

from .. import arrays
from ..cost.estimate import Total
from ..errors import MinistyleError, sentence_of
from ..files import sha256_once
from ..jobs.job import Job
from ..jobs.record import check_inputs, device_of, settings_from
from ..jobs.record import outcome as outcome_of
from ..pictures.writing import check_output, write_picture
from ..settings import MAX_MEGAPIXELS
from ..weights.find import find_weights
from . import records
from .records import Panel, plan_panel

IN_FLIGHT = 128  # panels handed to the executor at a time: enough for as many workers, and they need not fit in memory


def render(panels, folder, executor, *, overwrite=False, on_panel=None, on_step=None):
    """Make the panels that are not there yet, and write the manifests, which list all panels of the folder.

    Parameters
    ----------
    panels : sequence of Panel
    folder : path, made if it does not exist
    executor : concurrent.futures.Executor, see `executors.open_executor`
    overwrite : bool
        Make a panel again if it is there but was made with other settings or from other pictures.
    on_panel : function of (Panel, record, bool), optional
        Called for every panel, once it is there. The bool says whether it has just been made.
    on_step : function of (Panel, Step, pixels), optional
        Called after every iteration, see `jobs.job.Job.run`. It needs an executor that works in this process.

    Returns
    -------
    list of records (dict), in the order of the panels

    Raises
    ------
    MinistyleError
        Before any work: a picture cannot be read, the folder does not belong to an experiment or cannot be written to,
        a record is damaged, or a panel is there with other settings. After all other panels have been made: some panels
        could not be made.
    KeyboardInterrupt
        The user interrupted. Finished panels are kept. Running panels stop after their iteration, and their pictures
        are kept as unfinished ones. A second interruption ends the waiting for them.
    """
    folder = Path(folder)
    plans = _plans(panels, folder)
    records.prepare_folder(folder)
    for plan in plans.values():
        check_output(folder / plan["file"], overwrite=True)
    made = {name: records.kept(folder, plan, overwrite) for name, plan in plans.items()}
    records.others(folder, plans)  # so that a damaged one is noticed before the work
    try:
        failures = _make_missing(panels, plans, made, folder, executor, on_panel, on_step)
    finally:  # also after an interruption
        own = [record for record in made.values() if record]
        records.write_manifests(folder, [*own, *records.others(folder, plans)])
    if failures:
        name, reason = next(iter(failures.items()))
        raise MinistyleError(
            f"{len(failures)} of {len(panels)} panels could not be made, the others are kept; {name}: {reason}"
        )
    return list(made.values())


def estimate_missing(panels, folder, *, overwrite=False):
    """Return how many panels are not there yet, and what they will take one after the other. Nothing is written.

    Parameters
    ----------
    panels, folder, overwrite : see `render`

    Returns
    -------
    count : int
    total : cost.estimate.Total

    Raises
    ------
    MinistyleError
        See `render`, before any work.
    """
    folder = Path(folder)
    plans = _plans(panels, folder, sketch=True)
    missing = [panel for panel in panels if records.kept(folder, plans[panel.name], overwrite) is None]
    total, timed, networks = Total(), {}, {}
    with arrays.OneBlasThread():  # as in `make_panel`
        for panel in missing:
            job = _job(panel, sketch=True)
            kind = job.settings.weights, *job.network_options.items()
            job.lend(networks.get(kind) or networks.setdefault(kind, job.network))
            total += job.estimate(timed)
    return len(missing), total


def _plans(panels, folder, *, sketch=False):
    """Return the panels' plans, {name: plan}; two panels of the same name are refused."""
    plans = {panel.name: plan_panel(panel, folder, sketch=sketch) for panel in panels}
    if len(plans) < len(panels):
        raise MinistyleError("two panels have the same name; give the pictures different names")
    return plans


def _make_missing(panels, plans, made, folder, executor, on_panel, on_step):
    """Make and write all panels that have no record yet, and put their records into `made`.

    Return the panels that could not be made, {name: reason}.
    """
    report = on_panel or (lambda *_: None)
    failures, unfinished, pending = {}, [], {}

    def keep(done):
        """Write the results of some panels. A panel leaves `pending` last, so no interruption loses it."""
        for future in done:
            panel = pending[future]
            try:
                picture, outcome = future.result()
            except Exception as error:  # a worker may fail in any way
                failures[panel.name] = sentence_of(error)
                _drop_tracebacks(error)
            else:
                if outcome is None:
                    unfinished.append(panel)
                    write_picture(records.unfinished_path(folder, panel.name), picture, overwrite=True)
                else:
                    made[panel.name] = records.keep(folder, plans[panel.name], picture, outcome)
            del pending[future]
            if made[panel.name] is not None:
                report(panel, made[panel.name], True)

    def collect(done):
        keep(done)
        if unfinished:
            raise KeyboardInterrupt

    try:
        for panel in panels:
            if made[panel.name] is not None:
                report(panel, made[panel.name], False)
                continue
            options = {} if on_step is None else {"on_step": functools.partial(on_step, panel)}
            pending[executor.submit(make_panel, _job(panel), plans[panel.name]["weights_sha256"], **options)] = panel
            collect(wait(pending, timeout=0).done)
            if len(pending) == IN_FLIGHT:
                collect(_wait(pending, FIRST_COMPLETED))
        while pending:
            collect(_wait(pending, FIRST_COMPLETED))
    except KeyboardInterrupt:
        try:
            if hasattr(executor, "stop"):  # panels are running in this process
                executor.stop()
                _wait([future for future in pending if not future.cancel()], ALL_COMPLETED)
        finally:  # also after a second interruption, which ends the waiting
            keep([future for future in pending if future.done() and not future.cancelled()])
        raise
    return failures


def _wait(futures, return_when):
    """Wait for one or all of some futures, and return those that are done.

    The wait has a break once a second, because on Windows a keyboard interrupt does not end a wait.
    """
    while True:
        done, waiting = wait(futures, timeout=1, return_when=return_when)
        if not waiting or (done and return_when == FIRST_COMPLETED):
            return done


def _drop_tracebacks(error):
    """Drop the tracebacks of an error and its causes, which keep a panel's network alive."""
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


def make_panel(job, weights_sha256, on_step=None):
    """Make one picture. On a cluster, this function runs on a worker.

    Parameters
    ----------
    job : Job
    weights_sha256 : str, the hash that the weight file must have
    on_step : see `jobs.job.Job.run`

    Returns
    -------
    picture : uint8 array (H, W, 3)
    outcome : dict, what the record says about the picture, or None if the picture was interrupted

    Raises
    ------
    MinistyleError
        This machine has other weights, or the loss became infinite.
    """
    settings = job.settings
    weights = find_weights(settings.weights)
    if sha256_once(weights) != weights_sha256:
        raise MinistyleError(f"weight file '{weights}' is not the one that was asked for, of SHA-256 {weights_sha256}")
    # BLAS may round differently with another number of threads of its own, and machines differ in that number. So it
    # gets one. That makes the plain convolution slower; the fast one has threads of its own.
    with arrays.OneBlasThread():
        result = job.run(on_step)
    if result.interrupted or result.stopped:
        return result.image, None
    if not result.completed:
        raise MinistyleError(result.message)
    ratio = job.psnr_of(result.image)
    return result.image, outcome_of(result.history[-1], settings, message=result.message, psnr=ratio)


def _job(panel, *, sketch=False):
    """Return a panel's job, or a sketch of it, see `Job.of`.

    It holds pictures, not paths, because a worker may not see this machine's files.
    """
    content, style, init = records.pictures_of(panel, sketch=sketch)
    settings = panel.settings if init is None else dataclasses.replace(panel.settings, init=init)
    return Job.of(settings, content, style, size=panel.size, sketch=sketch)


def find_inputs(manifest, name=None, *, content=None, style=None, init=None):
    """Return a panel's record, and the pictures that it was made from.

    Parameters
    ----------
    manifest, name, content, style, init : see `remake`

    Returns
    -------
    record : dict
    inputs : dict, role -> path; nothing is known of them so far

    Raises
    ------
    MinistyleError
        The record cannot be read or is damaged.
    """
    manifest = Path(manifest)
    original = records.find_record(manifest, name)
    given = {"content": content, "style": style, "init": init}
    folder = _folder_of(manifest)
    return original, {role: given[role] or folder / picture["file"] for role, picture in original["inputs"].items()}


def _folder_of(manifest):
    """Return the folder of an experiment, given the path of its manifest or of a panel's record."""
    return manifest.parent if manifest.name in records.MANIFESTS else manifest.parent.parent


def remake(
    manifest,
    name=None,
    *,
    content=None,
    style=None,
    init=None,
    weights=None,
    max_megapixels=MAX_MEGAPIXELS,
    on_step=None,
):
    """Make a panel again from its record.

    Parameters
    ----------
    manifest : path of a manifest.json, or of a panel's own record
    name : str, the panel's name; not needed where there is only one
    content, style, init : path, optional, of a picture that is no longer where the record says
    weights : path, optional, of the weight file; by default the one that `find_weights` finds
    max_megapixels : see `pictures.reading.read_picture`
    on_step : see `jobs.job.Job.run`

    Returns
    -------
    picture : uint8 array (H, W, 3)
    record : dict, as it would be written now
    original : dict, as it was read

    Raises
    ------
    MinistyleError
        The record cannot be read or is damaged. Or a picture or the weight file is missing or has changed.
    KeyboardInterrupt
        The user interrupted.
    """
    manifest = Path(manifest)
    original, inputs = find_inputs(manifest, name, content=content, style=style, init=init)
    settings = settings_from(original, f"'{manifest}' of {original['name']}", init=inputs.get("init"), weights=weights)
    settings = dataclasses.replace(settings, max_megapixels=max_megapixels)
    size = original.get("size") and tuple(original["size"])
    check_inputs(original, inputs, original["name"])
    panel = Panel(original["name"], settings, inputs.get("content"), inputs.get("style"), size, original["factors"])
    plan = plan_panel(panel, _folder_of(manifest))
    job = dataclasses.replace(_job(panel), settings=dataclasses.replace(settings, device=device_of(original)))
    picture, outcome = make_panel(job, original["weights_sha256"], on_step=on_step)
    if outcome is None:
        raise KeyboardInterrupt
    return picture, records.make_record(plan, picture, outcome), original
