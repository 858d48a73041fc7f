"""`info`."""

import hashlib
import shutil
import sys

import h5py
import numpy as np
import PIL
import psutil
import pytest
import scipy
import threadpoolctl
import tqdm
from commands import SHIPPED, run

import ministyle
from ministyle.weights.known import KNOWN_FILES

pytestmark = pytest.mark.usefixtures("folder")


def test_info_shows_what_a_report_of_a_problem_needs(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    status, out, err = run("info")
    assert (status, err) == (0, "")
    shown = dict(line.split(maxsplit=1) for line in out.splitlines() if not line.startswith(" "))
    assert shown["ministyle"] == ministyle.__version__
    modules = {
        "numpy": np,
        "scipy": scipy,
        "h5py": h5py,
        "pillow": PIL,
        "threadpoolctl": threadpoolctl,
        "tqdm": tqdm,
        "psutil": psutil,
    }
    assert {name: shown[name] for name in modules} == {name: module.__version__ for name, module in modules.items()}
    assert shown["Python"].startswith("{}.{}.{}".format(*sys.version_info))
    assert "threads" in shown["BLAS"]
    assert shown["GPU"].startswith("none: CuPy is not installed") and shown["device"] == "cpu"
    assert shown["weights"] == str(SHIPPED)
    assert hashlib.sha256(SHIPPED.read_bytes()).hexdigest() in out
    assert KNOWN_FILES[0].sha256 in out and "CC BY 4.0" in out


def test_info_looks_at_the_file_it_is_given(monkeypatch):
    shutil.copy(SHIPPED, "copy.h5")
    assert ["weights", "copy.h5"] in [line.split() for line in run("info", "--weights", "copy.h5")[1].splitlines()]
    monkeypatch.setenv("MINISTYLE_WEIGHTS", "copy.h5")
    assert ["weights", "copy.h5"] in [line.split() for line in run("info")[1].splitlines()]
