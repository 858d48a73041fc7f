"""`figure 1`, `figure 2`, `figure 3`: the paper's figures from anybody's pictures."""

from pathlib import Path

from ..experiments import figures
from .experiment import EXPERIMENT, RATIO_SETTINGS, add_experiment_flags, add_ratios_flag, run_experiment
from .parser import add_command, picture, settings_of


def add(commands):
    """Add the commands."""
    command = add_command(commands, "figure", "make the paper's figures 1 to 3 from your own pictures")
    numbers = command.add_subparsers(dest="number", required=True, metavar="NUMBER")

    command = add_command(numbers, "1", "content and style reconstructions from five layers", run_1)
    command.add_argument("photo", type=picture, help="the picture for the content reconstructions")
    command.add_argument("painting", type=picture, help="the picture for the style reconstructions")
    layers = "content_layers", "style_layers", "style_layer_weights"
    left_out = (*RATIO_SETTINGS, *layers, "style_size", "normalised", "colours", "colours_after")
    add_experiment_flags(command, Path("figure1"), preset="texture", leave_out=left_out)
    _add_originals_flag(command)

    command = add_command(numbers, "2", "one photograph in several styles", run_2)
    command.add_argument("photo", type=picture, help="the photograph")
    command.add_argument("paintings", type=picture, nargs="+", metavar="painting", help="the paintings")
    add_experiment_flags(command, Path("figure2"), leave_out=RATIO_SETTINGS, **EXPERIMENT)
    add_ratios_flag(command, (figures.RATIO,), "one for all paintings, or one for each")
    _add_originals_flag(command)

    command = add_command(numbers, "3", "growing sets of style layers by alpha/beta", run_3)
    command.add_argument("photo", type=picture, help="the photograph")
    command.add_argument("painting", type=picture, help="the painting")
    left_out = (*RATIO_SETTINGS, "style_layers", "style_layer_weights")
    add_experiment_flags(command, Path("figure3"), leave_out=left_out, iterations=200, **EXPERIMENT)
    add_ratios_flag(command, figures.RATIOS, "a column each")


def _add_originals_flag(command):
    command.add_argument(
        "--no-originals",
        dest="originals",
        action="store_false",
        help="leave the pictures that it is made from out of the figure, as when they may not be passed on",
    )


def run_1(options):
    """Make figure 1: reconstructions of content and of style."""
    settings = settings_of(options)
    return _run(
        options, figures.figure_1(options.photo, options.painting, settings=settings, originals=options.originals)
    )


def run_2(options):
    """Make figure 2: one photograph in several styles."""
    settings = settings_of(options)
    figure = figures.figure_2(
        options.photo, options.paintings, settings=settings, ratios=options.ratios, originals=options.originals
    )
    return _run(options, figure)


def run_3(options):
    """Make figure 3: style layers by alpha/beta."""
    settings = settings_of(options)
    return _run(options, figures.figure_3(options.photo, options.painting, settings=settings, ratios=options.ratios))


def _run(options, figure):
    folder = options.output
    sheets = [figures.sheet_path(figure, folder)]
    return run_experiment(
        options, figure.panels, folder, sheets, lambda records: [figures.draw(figure, folder, records)]
    )
