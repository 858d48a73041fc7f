"""The progress line, or plain lines where there is no terminal, and what is printed and saved on the way."""

import itertools
import math
import sys
import time

from ..cost.estimate import duration
from ..errors import MinistyleError
from ..jobs.scales import scales

OFTEN = 5  # seconds: no plain line follows another, or the beginning, sooner; a short run has none
SELDOM = 30  # seconds: nor later, unless a single iteration takes as long


class Progress:
    """The progress line, and what is printed and saved on the way.

    Parameters
    ----------
    job : Job
    output : path of the finished picture
    options : the command's options
    writer : output.Writer, of the pictures on the way
    history : History to which a row is added after every iteration, or None
    evolution : Evolution that keeps frames of a film, or None
    label : str, before the line, to tell several pictures apart
    done : int, the iterations that an earlier run has made
    """

    def __init__(self, job, output, options, writer, history=None, evolution=None, label="", done=0):
        self.job = job
        self.iterations = sum(scale.iterations for scale in job.scales)
        self.costs = _costs(job.scales)
        self.output = output
        self.options = options
        self.writer = writer
        self.history, self.evolution = history, evolution
        self.label, self.done = label, done

    def intermediates(self):
        """Return the paths of the pictures that will be saved on the way."""
        every = self.options.save_every
        return [self._intermediate(i) for i in range(every, self.iterations + 1, every)] if every else []

    def __enter__(self):
        for path in self.intermediates():
            self.writer.check(path, self.options.overwrite)
        label = {"desc": self.label, "leave": False} if self.label else {}
        self.bar = progress_bar(self.iterations, self.options.quiet, unit="it", initial=self.done, **label)
        self.lines = plain_lines(self.bar, self.options.quiet, self.label)
        return self

    def __exit__(self, *_):
        self.bar.close()

    def update(self, step, pixels):
        """Show where the optimisation stands; called after every iteration."""
        self.bar.set_postfix_str(f"loss {step.loss:.4g}, {step.evaluations} evaluations")
        self.bar.update(step.iteration - self.bar.n)
        if self.lines:
            done = self.costs[min(step.iteration, self.iterations)]
            text = f"iteration {step.iteration} of {self.iterations}, loss {step.loss:.4g}"
            self.lines.update(done, self.costs[-1], text)
        if self.history:
            self.history.add(self.output.name, step)
        if self.evolution:
            self.evolution.add(step, pixels)
        if self._due(step, self.options.print_every):
            self._print(step)
        if step.iteration and self._due(step, self.options.save_every):
            self._save(step, pixels)

    @staticmethod
    def _due(step, every):
        return bool(every) and step.iteration % every == 0

    def _print(self, step):
        """Print the terms of the loss, as long as somebody reads them."""
        terms = "  ".join(f"{name} {value:.4g}" for name, value in step.terms.items())
        try:
            self.bar.write(f"iteration {step.iteration}: loss {step.loss:.6g}  {terms}")
        except OSError:
            self.options.print_every = None

    def _save(self, step, pixels):
        """Save the picture as it is now. The run goes on if that fails."""
        try:
            path, picture = self._intermediate(step.iteration), self.job.coloured(pixels)
            self.writer.write(path, picture, self.options.overwrite, step, unfinished=True)
        except MinistyleError as error:
            print(f"ministyle: {error}", file=sys.stderr)

    def _intermediate(self, iteration):
        digits = len(str(self.iterations))
        return self.output.with_stem(f"{self.output.stem}-{iteration:0{digits}}")


class PlainLines:
    """Progress as a log file has it: a line at every tenth of the work, and at least every `SELDOM` seconds.

    Parameters
    ----------
    label : str, at the beginning of each line
    """

    def __init__(self, label=""):
        self.label = label
        self.began = None

    def update(self, done, total, text):
        """Print a line if it is time.

        Parameters
        ----------
        done, total : float, of the work, in any unit
        text : str, what else there is to say
        """
        now, tenth = time.monotonic(), int(10 * done / total + 1e-9)
        if self.began is None:  # later than the command: the network has been loaded
            self.began, self.before, self.last, self.tenth = now, done, now, tenth
            return
        waited = now - self.last
        if waited < OFTEN or (waited < SELDOM and tenth == self.tenth):
            return
        self.last, self.tenth = now, tenth
        left = (now - self.began) * (total - done) / max(done - self.before, 1e-9)
        try:
            print(f"{self.label}{done / total:4.0%}  {text}, {duration(left)} left", file=sys.stderr, flush=True)
        except OSError:  # nobody reads them any more
            self.last = math.inf


def plain_lines(bar, quiet, label=""):
    """Return `PlainLines` where a progress line does not show, or None where nothing is to be shown."""
    return PlainLines(f"{label}: " if label else "") if bar.disable and not quiet and sys.stderr else None


def progress_bar(total, quiet, **options):
    """Return a progress line; the options are tqdm's."""
    from tqdm import tqdm  # here, so that --help does not wait for it

    # disable=None: no moving line where there is no terminal, as in a log file
    return tqdm(total=total, disable=True if quiet or sys.stderr is None else None, **options)


def _costs(scales):
    """Return the cost of no iteration, of the first, of the first two, and so on, as a number of pixels."""
    each = [math.prod(scale.size) for scale in scales for _ in range(scale.iterations)]
    return [0, *itertools.accumulate(each)]


def _scales(panel):
    """Return a panel's scales if it is square; a narrow one may leave out a scale of its pyramid."""
    side = panel.settings.image_size
    return scales(panel.settings, (side, side))


def _iterations(panel):
    """Return how many iterations a panel takes."""
    return len(_costs(_scales(panel))) - 1


class PanelProgress:
    """The progress line of an experiment, and a printed line for each panel."""

    def __init__(self, to_make, quiet):
        self.total = len(to_make)
        self.iterations = sum(map(_iterations, to_make))
        self.cost = sum(_costs(_scales(panel))[-1] for panel in to_make)
        self.quiet = quiet
        self.done = 0
        self.finished_iterations = self.finished_cost = 0

    def __enter__(self):
        self.bar = progress_bar(self.iterations, self.quiet)
        self.lines = plain_lines(self.bar, self.quiet)
        self.last = time.monotonic()
        return self

    def __exit__(self, *_):
        self.bar.close()

    def step(self, panel, step, pixels):
        """Show how far the present panel is."""
        self.bar.set_postfix_str(f"{panel.name}: loss {step.loss:.4g}")
        costs = _costs(_scales(panel))
        iteration = min(step.iteration, len(costs) - 1)
        self.bar.update(self.finished_iterations + iteration - self.bar.n)
        if self.lines:
            text = f"{panel.name}: iteration {iteration} of {len(costs) - 1}, loss {step.loss:.4g}"
            self.lines.update(self.finished_cost + costs[iteration], self.cost, text)

    def panel(self, panel, record, made):
        """Print a line for a panel that is finished, or that was there before."""
        self.done += 1
        if made:
            self.finished_iterations += _iterations(panel)
            self.finished_cost += _costs(_scales(panel))[-1]
            self.bar.update(self.finished_iterations - self.bar.n)
        else:
            self.bar.total -= _iterations(panel)
            self.cost -= _costs(_scales(panel))[-1]
        now = time.monotonic()
        seconds, self.last = now - self.last, now
        losses = "  ".join(f"{kind} {value:.4g}" for kind, value in record["losses"].items())
        how = f"{seconds:.1f} s" if made else "was there"
        self.bar.write(f"{self.done} of {self.total}  {panel.name}  {losses}  ({how})")
