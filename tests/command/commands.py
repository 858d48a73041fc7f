"""How the tests run commands. They work in the fixture `folder`."""

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest

import ministyle
from ministyle.command import main
from ministyle.files import shipped_path
from ministyle.jobs.job import Job
from ministyle.jobs.result import Result
from ministyle.solvers import Step

SMALL = ("--image-size", "32")  # the photograph becomes 32 x 24: conv5_1 still has positions
TRANSFER = ("transfer", "photo.png", "painting.png", *SMALL)
QUICK = (*SMALL, "--iterations", "1", "--style-layers", "conv1_1")
SHIPPED = shipped_path("weights/vgg19.h5")
TOO_LONG = "a" * 300  # file systems allow a name 255 bytes


class Terminal(io.StringIO):
    """What looks on, as the progress line believes."""

    def isatty(self):
        return True


def run(*arguments, stderr=None):
    """Run a command; return its status, standard output and standard error."""
    stdout, stderr = io.StringIO(), stderr or io.StringIO()
    with redirect_stdout(stdout), redirect_stderr(stderr):
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as end:
            status = end.code
    return status, stdout.getvalue(), stderr.getvalue()


def from_the_shell(*arguments, stdout=subprocess.PIPE):
    """Run a command in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(Path(ministyle.__file__).parents[1])}
    command = [sys.executable, "-m", "ministyle", *arguments]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, env=environment, check=False)


def contents(folder):
    """Return what a folder's files hold, {name: bytes}."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def note_jobs(monkeypatch):
    """Have jobs not run: each is only noted, and a red picture is its result. Return the list of notes."""
    jobs = []

    def run(self, on_step=None, **options):
        jobs.append(self)
        pixels = np.full((*self.size, 3), (255.0, 0.0, 0.0))
        terms = {"content conv4_2": 4.0, "style conv1_1": 2.0, "style conv2_1": 1.0, "total variation": 1.0}
        steps = [
            Step(i, i + 1, 8 / 2**i, {name: term / 2**i for name, term in terms.items()}, 0.0, self.size)
            for i in range(3)
        ]
        for step in steps:
            on_step(step, pixels - 100 + step.iteration)
        return Result(pixels, steps, "the solver's own words", True, self.settings)

    monkeypatch.setattr(Job, "run", run)
    return jobs


def let_happen(monkeypatch, happen):
    """Have something happen as soon as the work has begun."""
    work = Job.run

    def run(self, on_step=None, **options):
        happen()
        return work(self, on_step, **options)

    monkeypatch.setattr(Job, "run", run)


def forbid_work(monkeypatch):
    """Fail if any work begins."""
    let_happen(monkeypatch, lambda: pytest.fail("the work began"))
