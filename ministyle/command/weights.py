"""`weights import` and `weights normalise`: make weight files."""

from pathlib import Path

from ..errors import MinistyleError
from ..pictures.reading import read_picture
from ..weights.file import DTYPES, load_weights
from ..weights.importing import import_weights
from ..weights.keras import KERAS_FILE, KERAS_VGG16_FILE
from ..weights.load import load_network
from ..weights.means import mean_activations, store_mean_activations
from .parser import add_command, add_device, add_max_megapixels, count, max_megapixels_of


def add(commands):
    """Add the commands."""
    command = add_command(commands, "weights", "make weight files")
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")

    command = add_command(actions, "import", "make a weight file out of one that Keras publishes", run_import)
    command.add_argument("file", help=f"VGG-19 as Keras publishes it, {KERAS_FILE}, or VGG-16, {KERAS_VGG16_FILE}")
    command.add_argument(
        "-o", "--output", type=Path, help="file to write (default: depends on --dtype; for VGG-16 there is none)"
    )
    command.add_argument(
        "--dtype",
        choices=DTYPES,
        default="float16",
        help="float16: conv1_1 to conv5_1, for the project's folder weights (default); float32: all layers, unrounded, "
        "for the user's data folder, where they are found from then on",
    )
    command.add_argument("--overwrite", action="store_true", help="replace an existing file")
    command.add_argument(
        "--no-verify", dest="verify", action="store_false", help="accept a file that is not the published one"
    )
    command = add_command(
        actions, "normalise", "measure mean activations over photographs, for the normalised network", run_normalise
    )
    command.add_argument(
        "photographs", nargs="+", metavar="PHOTOGRAPH", help="a photograph; many different ones are best"
    )
    command.add_argument("--image-size", type=count, default=384, help="longest side in pixels (default: 384)")
    command.add_argument("--into", required=True, help="weight file that gets them, in place of those that it has")
    command.add_argument("--weights", help="weight file of the network that is measured (default: that of --into)")
    add_device(command)
    add_max_megapixels(command)


def run_import(options):
    """Make a weight file out of one that Keras publishes."""
    path = import_weights(
        options.file, options.output, dtype=options.dtype, overwrite=options.overwrite, verify=options.verify
    )
    made = load_weights(path)
    print(f"weights: {path} ({made.architecture}, {path.stat().st_size / 1e6:.1f} MB)")
    if not made.mean_activations:
        print(
            "They have no mean activations yet, which the normalised network, the default, needs. Measure them with\n"
            f"  python -m ministyle weights normalise PHOTO ... --into {path}"
        )
    return 0


def run_normalise(options):
    """Measure the mean activations, for the normalised network, over photographs."""
    target = load_weights(options.into)
    source = load_weights(options.weights) if options.weights else target
    if source.architecture != target.architecture:
        raise MinistyleError(
            f"the mean activations of '{source.path}' ({source.architecture}) do not fit '{target.path}' "
            f"({target.architecture})"
        )
    limit = max_megapixels_of(options)
    photographs = [read_picture(path, options.image_size, max_megapixels=limit) for path in options.photographs]
    means = mean_activations(load_network(source, device=options.device), photographs)
    circumstances = {
        "mean_activation_photographs": [Path(path).name for path in options.photographs],
        "mean_activation_image_size": options.image_size,
        "mean_activation_pooling": "average",
    }
    store_mean_activations(target.path, means, circumstances)
    count = "1 photograph" if len(photographs) == 1 else f"{len(photographs)} photographs"
    print(f"mean activations of {len(means)} layers over {count}: {target.path}")
    return 0
