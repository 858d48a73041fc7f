"""`compare`: how far apart two pictures are, layer by layer."""

import argparse

from ..experiments import features
from ..network import POOLING
from ..weights.load import load_network
from .parser import add_command, add_max_megapixels, add_weights_and_device, count, max_megapixels_of, names, picture


def add(commands):
    """Add the command."""
    command = add_command(commands, "compare", "show how far apart two pictures are, layer by layer", run)
    command.add_argument("picture", type=picture, help="the picture to be judged")
    command.add_argument("reference", type=picture, help="the picture it is compared with")
    command.add_argument(
        "--layers",
        type=names,
        default=features.COMPARED_LAYERS,
        help="layers to compare, separated by commas (default: those of the preset 'default')",
    )
    command.add_argument("--image-size", type=count, default=384, help="longest side in pixels (default: 384)")
    command.add_argument(
        "--pooling",
        choices=POOLING,
        default="average",
        help="how the network shrinks its feature maps (default: average)",
    )
    command.add_argument(
        "--normalised",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="rescale every filter to a mean activation of 1 (default: on)",
    )
    add_weights_and_device(command)
    add_max_megapixels(command)


def run(options):
    """Print how far apart two pictures are, layer by layer."""
    network = load_network(
        options.weights, pooling=options.pooling, normalised=options.normalised, device=options.device
    )
    distances = features.compare(
        options.picture,
        options.reference,
        options.layers,
        image_size=options.image_size,
        network=network,
        max_megapixels=max_megapixels_of(options),
    )
    print(f"{'layer':8}  {'content':>10}  relative  {'style':>10}  relative")
    for one in distances:
        content, style = (
            f"{value:10.4g}  {part:8.3f}"
            for value, part in ((one.content, one.relative_content), (one.style, one.relative_style))
        )
        print(f"{one.layer:8}  {content}  {style}")
    return 0
