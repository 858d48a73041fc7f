"""A moving line that shows how far a run is, in a notebook or on a terminal."""

import warnings

from ..solvers import OnStep, Step
from ..types import Array
from .job import Job
from .result import Result


def run_with_progress(job: Job, on_step: OnStep | None = None) -> Result:
    """Make a job's picture, and show how far it is; see `Job.run`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a notebook without ipywidgets gets a line of text, which does as well
        from tqdm.auto import tqdm
    with tqdm(total=sum(scale.iterations for scale in job.scales), unit="it") as bar:

        def show(step: Step, pixels: Array) -> object:
            bar.set_postfix_str(f"loss {step.loss:.4g}", refresh=False)
            bar.update(step.iteration - bar.n)
            return on_step is not None and on_step(step, pixels)

        result = job.run(show)
        if result.completed:  # perhaps before all iterations are made, and then there is nothing left to do
            bar.total = bar.n
        bar.refresh()
    return result
