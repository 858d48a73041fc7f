"""`transfer` with several photographs: a picture of each, and the same command goes on where it stopped."""

import sys
import time
from collections import Counter
from dataclasses import replace

from ..cost.estimate import Total
from ..errors import MinistyleError
from ..jobs.batch import Batch
from ..jobs.record import differences, read_record
from ..jobs.scales import with_own_size
from ..pictures.folders import pictures_in
from ..pictures.writing import FORMATS
from ..weights.find import find_weights
from .history import open_history
from .one_picture import print_total, warn_of_memory
from .output import Writer, check_outputs, stem_of
from .parser import is_folder, settings_of
from .progress import Progress


def output_stem(content, styles):
    """Return the name of the picture that is made from a photograph and paintings, without an ending."""
    return "-".join(map(stem_of, (content, *styles)))


def make_many(options, contents, inputs):
    """Repaint several photographs, and say of each what became of it.

    Parameters
    ----------
    options : the command's options
    contents : names of photographs, and of folders of photographs
    inputs : output.Inputs, the paintings and masks

    Returns
    -------
    int, the exit status, see `Series.run`

    Raises
    ------
    MinistyleError
        Before any work: the output is no folder, two pictures would have one name, or what all photographs share cannot
        be had.
    """
    folder = output_folder(options, contents)
    photographs = [photo for name in contents for photo in (pictures_in(name) if is_folder(name) else [name])]
    _check_stems(photographs)
    outputs = [folder / f"{output_stem(photo, inputs.styles)}.png" for photo in photographs]
    series = Series(options, outputs, photographs, inputs, lambda batch, photo, last: batch.job(photo), lambda it: it)
    return series.estimate(photographs) if options.estimate else series.run(photographs)


def output_folder(options, contents):
    """Return the folder that the pictures go to, and refuse whatever is no folder for them."""
    folder = options.output
    if folder is None:
        raise MinistyleError("several photographs become several pictures; name a folder for them with -o")
    if folder.is_file() or (folder.suffix.lower() in FORMATS and not folder.is_dir()):
        raise MinistyleError(f"output '{folder}' must be a folder, as several pictures go into it")
    for name in contents:
        if is_folder(name) and folder.is_dir() and folder.samefile(name):
            raise MinistyleError(
                f"output '{folder}' is the folder of the photographs, and its pictures would count as photographs next "
                "time; name another folder"
            )
    return folder


def _check_stems(photographs):
    """Refuse photographs whose pictures would have the same name."""
    known = {}
    for photo in photographs:
        other = known.setdefault(stem_of(photo), photo)
        if other is not photo:
            raise MinistyleError(f"'{other}' and '{photo}' would become pictures of the same name; rename one of them")


def _unfinished(output):
    """Return where the picture of an interrupted run is kept."""
    return output.with_suffix(f".unfinished{output.suffix}")


class Series:
    """Pictures that are made one after the other, each written as soon as it is finished.

    A picture that is there is not made again, unless with `--overwrite`. If its record says that it was made in another
    way, that is an error, but not if it carries no record.

    Parameters
    ----------
    options : the command's options
    outputs : list of paths, all in one folder, of the pictures to be made
    sources : list of paths, all photographs or frames, and what they come from, as far as they are files
    inputs : output.Inputs, the paintings and masks
    job_of : function of (Batch, content, last) -> Job
        Makes the job for one of the contents; `last` is the finished picture before, a path, or None for the first.
    file_of : function of content -> path or None
        Returns the file of one of the contents. Without one, as in a film, its picture carries no record.
    film : bool, are they frames, whose settings are not those of the options?
    """

    def __init__(self, options, outputs, sources, inputs, job_of, file_of, film=False):
        if options.evolution:
            raise MinistyleError("--evolution makes a film of one picture, and here are several")
        self.options, self.outputs, self.inputs = options, outputs, inputs
        self._sources = [*sources, *inputs.sources(settings_of(options)).values()]
        self._check_outputs([options.history, *outputs, *map(_unfinished, outputs)])
        self.job_of, self.file_of, self.film = job_of, file_of, film
        self.counts = Counter()
        self._batch = None
        self._warned = set()

    def estimate(self, contents):
        """Print what the missing pictures will take, and return the exit status; for the arguments see `run`."""
        self._prepare()
        total, timed, last = Total(), {}, None
        for content, output in zip(contents, self.outputs, strict=True):
            if self._is_there(output):
                self.counts["there"] += 1
            else:
                try:
                    total += self.job_of(self._batch, content, last).estimate(timed)
                    self.counts["made"] += 1
                except MinistyleError as error:
                    self._say(error)
            last = self.inputs.styles[0]  # as good as the finished picture, for an estimate
        print_total("picture", self.counts["made"], self.counts["there"], total)
        return self._status()

    def run(self, contents, *, append=True):
        """Make the pictures that are not there.

        Parameters
        ----------
        contents : iterable of what `job_of` takes, as many as there are outputs
        append : bool, go on with a history that is there

        Returns
        -------
        int, the exit status: 0; 1 if some pictures could not be made, 2 if none; 130 after an interruption

        Raises
        ------
        MinistyleError
            The folder cannot be made, or what all pictures share cannot be had.
        """
        folder = self.outputs[0].parent
        try:
            with open_history(self.options, append) as history:
                self._prepare()
                folder.mkdir(parents=True, exist_ok=True)
                self._make_all(contents, history)
        except FileExistsError:
            raise MinistyleError(f"folder '{folder}' cannot be made: there is a file of that name") from None
        except KeyboardInterrupt:
            done = self.counts["made"] + self.counts["there"]
            print(f"ministyle: interrupted; {done} of {len(self.outputs)} pictures are finished", file=sys.stderr)
            return 130
        words = {"made": "made", "there": "there before (--overwrite makes them again)", "failed": "could not be made"}
        print(f"pictures: {', '.join(f'{self.counts[key]} {words[key]}' for key in words if self.counts[key])}")
        return self._status()

    def _check_outputs(self, outputs):
        check_outputs(outputs, self._sources, settings_of(self.options).weights)

    def _prepare(self):
        """Make what all pictures share, unless none is missing."""
        if all(map(self._is_there, self.outputs)):
            return
        settings = settings_of(self.options)
        self._batch = Batch(settings, self.inputs.style, self.inputs.content_mask, sketch=self.options.estimate)
        if self.options.verbose:
            print(f"weights: {find_weights(settings.weights)}")

    def _make_all(self, contents, history):
        """Make the pictures one by one. One that cannot be made costs no other."""
        last = None
        for number, (content, output) in enumerate(zip(contents, self.outputs, strict=True), 1):
            label = f"{number} of {len(self.outputs)}"
            try:
                if self._is_there(output):
                    self._check_same(content, output)
                    self.counts["there"] += 1
                    print(f"{label}  {output.name}  (was there)")
                else:
                    print(f"{label}  {output.name}  {self._make(content, output, last, history, label)}", flush=True)
                    self.counts["made"] += 1
            except MinistyleError as error:
                self._say(error)
                continue
            last = output

    def _check_same(self, content, output):
        """Refuse a picture that is there if its record says that it was made in another way."""
        if self.film:
            return
        try:
            record = read_record(output)
        except MinistyleError:  # it carries none
            return
        file, settings = self.file_of(content), settings_of(self.options)
        settings = with_own_size(settings, file, self.inputs.style)
        changes = differences(record, self._writer(settings, content).plan_of(settings))
        if changes:
            raise MinistyleError(
                f"'{output}' is there and was made differently ({changes[0]}); name another folder, or add --overwrite"
            )

    def _writer(self, settings, content):
        return Writer.of(self.options, settings, replace(self.inputs, content=self.file_of(content)))

    def _make(self, content, output, last, history, label):
        """Make and write one picture, and return what there is to say about it."""
        began = time.monotonic()
        job = self.job_of(self._batch, content, last)
        warn_of_memory(job, self._warned)
        writer = self._writer(job.settings, content)
        writer.check(output, self.options.overwrite)
        writer.plan(job)
        progress = Progress(job, output, self.options, writer, history, label=label)
        self._check_outputs(progress.intermediates())
        with progress:
            if not progress.bar.disable and not self.counts["made"]:
                progress.bar.write(f"{job.estimate()}, for the first of {len(self.outputs)} pictures")
            result = job.run(progress.update)
        unfinished = _unfinished(output)
        path = output if result.completed else unfinished
        about = {"message": result.message, "unfinished": not result.completed}
        writer.write(path, result.pixels, True, result.history[-1], **about)
        if result.interrupted:
            raise KeyboardInterrupt
        if not result.completed:
            raise MinistyleError(f"'{output}': {result.message}")
        unfinished.unlink(missing_ok=True)
        losses = f"loss {result.history[0].loss:.4g} -> {result.history[-1].loss:.4g}"
        return f"{losses}  ({time.monotonic() - began:.1f} s)"

    def _is_there(self, output):
        return output.exists() and not self.options.overwrite

    def _say(self, error):
        """Say why a picture could not be made."""
        print(f"ministyle: {error}", file=sys.stderr)
        self.counts["failed"] += 1

    def _status(self):
        if not self.counts["failed"]:
            return 0
        return 1 if self.counts["made"] or self.counts["there"] else 2
