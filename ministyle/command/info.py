"""`info`: what a report of a problem should contain; or how a picture was made."""

import importlib.metadata
import platform

from .. import arrays
from ..files import sha256
from ..version import VERSION
from ..weights.file import load_weights
from .parser import add_command
from .record import show_record


def add(commands):
    """Add the command."""
    summary = "show versions, BLAS, GPU and the weights found, or how a picture was made"
    command = add_command(commands, "info", summary, run)
    command.add_argument("picture", nargs="?", help="picture that carries the record of how it was made")
    command.add_argument("--weights", help="weight file to look at instead of the one found")


def run(options):
    """Print what a report of a problem should contain, or a picture's record."""
    if options.picture is not None:
        show_record(options.picture)
        return 0
    print(f"ministyle     {VERSION}")
    print(f"Python        {platform.python_version()} on {platform.system()} {platform.machine()}")
    for package in ("numpy", "scipy", "pillow", "h5py", "threadpoolctl", "tqdm", "platformdirs", "psutil"):
        print(f"{package:13} {importlib.metadata.version(package)}")
    for blas in arrays.blas_libraries():
        details = f"{blas['version']}, {blas.get('architecture')} kernels, {blas['num_threads']} threads"
        print(f"BLAS          {blas['internal_api']} {details}")
    problem = arrays.gpu_problem()
    print(f"GPU           {arrays.describe_gpu() if problem is None else 'none: ' + problem}")
    print(f"device        {arrays.choose_device('auto')}")
    found = load_weights(options.weights)
    layers = list(found.layers)
    what = f"{found.architecture}, {layers[0]} to {layers[-1]}, {found.attributes.get('dtype')}"
    normalised = "with" if found.mean_activations else "without"
    print(f"weights       {found.path}")
    print(f"              {what}, {normalised} mean activations")
    print(f"              SHA-256 {sha256(found.path)}")
    source, digest = (found.attributes.get(name) for name in ("source_file", "source_sha256"))
    print(f"              made from {source}, SHA-256 {digest}")
    print(f"              {found.attributes.get('license')}")
    return 0
