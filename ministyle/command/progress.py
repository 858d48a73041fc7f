"""The progress line, and what is printed and saved on the way."""

import sys
import time

from ..errors import MinistyleError
from ..jobs.scales import scales
from ..pictures.writing import check_output, write_picture


class Progress:
    """The progress line, and what is printed and saved on the way.

    Parameters
    ----------
    job : Job
    output : path of the finished picture
    options : the command's options
    done : int, the iterations that an earlier run has made
    """

    def __init__(self, job, output, options, done=0):
        self.job = job
        self.iterations = sum(scale.iterations for scale in job.scales)
        self.output = output
        self.options = options
        self.done = done

    def __enter__(self):
        if self.options.save_every:
            for iteration in range(self.options.save_every, self.iterations + 1, self.options.save_every):
                check_output(self._intermediate(iteration), self.options.overwrite)
        self.bar = progress_bar(self.iterations, self.options.quiet, self.done)
        return self

    def __exit__(self, *_):
        self.bar.close()

    def update(self, step, pixels):
        """Show where the optimisation stands; called after every iteration."""
        self.bar.set_postfix_str(f"loss {step.loss:.4g}, {step.evaluations} evaluations")
        self.bar.update(step.iteration - self.bar.n)
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
            write_picture(self._intermediate(step.iteration), self.job.coloured(pixels), self.options.overwrite)
        except MinistyleError as error:
            print(f"ministyle: {error}", file=sys.stderr)

    def _intermediate(self, iteration):
        digits = len(str(self.iterations))
        return self.output.with_stem(f"{self.output.stem}-{iteration:0{digits}}")


def progress_bar(iterations, quiet, done=0):
    """Return a progress line, some of whose iterations may be done."""
    from tqdm import tqdm  # here, so that --help does not wait for it

    # disable=None: no moving line where there is no terminal, as in a log file
    return tqdm(total=iterations, initial=done, disable=True if quiet or sys.stderr is None else None, unit="it")


def _iterations(panel):
    """Return how many iterations a panel takes if it is square; a narrow one may leave out a scale of its pyramid."""
    side = panel.settings.image_size
    return sum(scale.iterations for scale in scales(panel.settings, (side, side)))


class PanelProgress:
    """The progress line of an experiment, and a printed line for each panel."""

    def __init__(self, to_make, quiet):
        self.total = len(to_make)
        self.iterations = sum(map(_iterations, to_make))
        self.quiet = quiet
        self.done = 0
        self.finished_iterations = 0

    def __enter__(self):
        self.bar = progress_bar(self.iterations, self.quiet)
        self.last = time.monotonic()
        return self

    def __exit__(self, *_):
        self.bar.close()

    def step(self, panel, step, pixels):
        """Show how far the present panel is."""
        self.bar.set_postfix_str(f"{panel.name}: loss {step.loss:.4g}")
        iteration = min(step.iteration, _iterations(panel))
        self.bar.update(self.finished_iterations + iteration - self.bar.n)

    def panel(self, panel, record, made):
        """Print a line for a panel that is finished, or that was there before."""
        self.done += 1
        if made:
            self.finished_iterations += _iterations(panel)
            self.bar.update(self.finished_iterations - self.bar.n)
        else:
            self.bar.total -= _iterations(panel)
        now = time.monotonic()
        seconds, self.last = now - self.last, now
        losses = "  ".join(f"{kind} {value:.4g}" for kind, value in record["losses"].items())
        how = f"{seconds:.1f} s" if made else "was there"
        self.bar.write(f"{self.done} of {self.total}  {panel.name}  {losses}  ({how})")
