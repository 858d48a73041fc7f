"""`weights`: make weight files, get them, look at them."""

import shlex
from pathlib import Path

from ..errors import MinistyleError
from ..files import sha256_once
from ..formats.formats import FORMATS
from ..pictures.reading import read_picture
from ..weights.fetch import fetch
from ..weights.file import load_weights
from ..weights.find import find_weights, user_path
from ..weights.importing import import_weights, read_published
from ..weights.known import KNOWN_FILES, PREPROCESSING, SHIPPED_SHA256, known_file
from ..weights.load import load_network
from ..weights.means import mean_activations, store_mean_activations
from ..weights.own import DTYPES
from .parser import add_command, add_device, add_max_megapixels, count, max_megapixels_of


def add(commands):
    """Add the commands."""
    command = add_command(commands, "weights", "make weight files, get them, look at them")
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")

    command = add_command(actions, "import", "make a weight file out of one that others publish", run_import)
    formats = ", ".join(known.name for known in FORMATS)
    command.add_argument("file", help=f"VGG-19 or VGG-16 in one of the formats {formats}; see 'weights list'")
    command.add_argument(
        "-o", "--output", type=Path, help="file to write (default: depends on --dtype; only Oxford's VGG-19 has one)"
    )
    command.add_argument(
        "--dtype",
        choices=DTYPES,
        default="float16",
        help="float16: conv1_1 to conv5_1, for the project's folder weights (default); float32: all layers, unrounded, "
        "for the user's data folder, where they are found from then on",
    )
    command.add_argument(
        "--preprocessing",
        choices=PREPROCESSING,
        help="how the network expects a picture, if nothing else tells: caffe, blue, green, red from 0 to 255, minus "
        "Oxford's means; torch, as torchvision does it",
    )
    command.add_argument("--overwrite", action="store_true", help="replace an existing file")

    command = add_command(actions, "fetch", "download a known file and make a weight file out of it", run_fetch)
    names = [known.name for known in KNOWN_FILES if known.can_be_fetched]
    command.add_argument("name", nargs="?", default=names[0], help=f"{', '.join(names)} (default: {names[0]})")
    command.add_argument("-o", "--output", type=Path, help="file to write (default: in the user's data folder)")
    command.add_argument("--overwrite", action="store_true", help="replace an existing file")
    command.add_argument("-q", "--quiet", action="store_true", help="no progress")

    add_command(actions, "list", "list the weight files in place, and those that are known", run_list)

    command = add_command(actions, "verify", "read a weight file and compare its checksum", run_verify)
    command.add_argument("file", nargs="?", help="ours, or one that others publish (default: the one in use)")

    add_command(actions, "path", "print the path of the weight file in use", run_path)

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
    """Make a weight file out of one that others publish."""
    return _import(
        options.file, options.output, options.overwrite, dtype=options.dtype, preprocessing=options.preprocessing
    )


def run_fetch(options):
    """Download a known file and make a weight file out of it."""
    known = known_file(options.name)
    output = options.output or user_path().with_name(f"{known.architecture.replace('-', '').lower()}-float32.h5")
    if output.exists() and not options.overwrite:  # before the download
        raise MinistyleError(f"'{output}' exists; name another file with -o or add --overwrite")
    return _import(fetch(known.name, progress=not options.quiet), output, options.overwrite, dtype="float32")


def _import(file, output, overwrite, **how):
    made = import_weights(file, output, overwrite=overwrite, **how)
    for sentence in made.found:
        print(f"found: {sentence}")
    print(f"weights: {made.path} ({made.weights.architecture}, {made.path.stat().st_size / 1e6:.1f} MB)")
    if not made.weights.mean_activations:
        print(
            "They have no mean activations yet, which the normalised network, the default, needs. Measure them with\n"
            f"  python -m ministyle weights normalise PHOTO ... --into {shlex.quote(str(made.path))}"
        )
    return 0


def run_list(_):
    """List the weight files in place, and those that are known."""
    used = find_weights()
    print(f"in use  {used}")
    folder = user_path().parent
    for path in sorted(folder.glob("*.h5")) if folder.is_dir() else ():
        if path != used:
            print(f"there   {path}")
    print("\nknown files; 'weights fetch NAME' gets those with a *, 'weights import FILE' takes all:")
    for known in KNOWN_FILES:
        print(f"{'*' if known.can_be_fetched else ' '} {known.name:24} {known.description}")
        print(f"  {'':24} {known.urls[0]}")
    print("\n'weights import' takes, whatever a file is called:")
    for known in FORMATS:
        print(f"  {known.name:24} {known.description}")
    return 0


def run_verify(options):
    """Read a weight file and compare its checksum."""
    path = find_weights(options.file)
    digest = sha256_once(path)
    try:
        found = load_weights(path)
        layers = list(found.layers)
        means = "with" if found.mean_activations else "without"
        origin = found.attributes.get("source_file")
        what = [f"{found.architecture}, {layers[0]} to {layers[-1]}, {means} mean activations, made from {origin}"]
        known = digest == SHIPPED_SHA256
        verdict = "the file that comes with the project, unchanged" if known else "reads well; not a known file"
    except MinistyleError as error:
        try:
            published = read_published(path)
        except MinistyleError as other:
            raise MinistyleError(f"{error}; nor as a published one: {other}") from None
        what = published.describe()
        verdict = "a known file, unchanged" if published.known else "reads well; not a known file"
    print(path, *what, f"SHA-256 {digest}", verdict, sep="\n")
    return 0


def run_path(_):
    """Print the path of the weight file in use."""
    print(find_weights())
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
