"""The command line's flags. Those of a run, and their help, are made from `ministyle.settings`."""

import argparse
import dataclasses
import math
import re
from pathlib import Path

from . import __version__, arrays, features, figures, network
from .objective import STYLE_LAYERS
from .settings import PRESETS, Settings
from .weights.file import DTYPES
from .weights.importing import FORMATS

DEMO_OUTPUT = "ministyle-demo.png"
# About a minute on two cores. The painting is one of very strong contrasts: with less of its style the cat stays a cat.
DEMO_SETTINGS = {"image_size": 320, "iterations": 80, "style_weight": 2.0}
RATIO_SETTINGS = "content_weight", "style_weight"  # set from the ratio alpha/beta
# With strong noise the start can be seen in the panels; see docs/deviations.md.
EXPERIMENT = {"preset": "gatys2015", "noise_deviation": 25.0}


class _Parser(argparse.ArgumentParser):
    """An argument parser that complains in one sentence."""

    def error(self, message):
        self.exit(2, f"ministyle: {message}; see '{self.prog} --help'\n")


def make_parser():
    """Return the parser of the command line; what it parses has an attribute `run`, the name of a command."""
    description = "Repaint a photograph in the style of a painting (Gatys, Ecker, Bethge 2015)."
    parser = _Parser(prog="ministyle", description=description)
    parser.add_argument("--version", action="version", version=f"ministyle {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    command = _command(commands, "transfer", "transfer", "repaint a photograph in the style of a painting")
    command.add_argument("content", help="the photograph")
    command.add_argument("style", help="the painting")
    _add_run_flags(command, "CONTENT-STYLE.png")

    command = _command(commands, "demo", "demo", "repaint the project's photograph, in about a minute")
    _add_run_flags(command, DEMO_OUTPUT, own_output=Path(DEMO_OUTPUT), **DEMO_SETTINGS)

    command = _command(commands, "content", "content", "reconstruct a picture from one layer's activations")
    command.add_argument("image", help="the picture")
    _add_run_flags(
        command,
        "IMAGE-content.png",
        preset="content-reconstruction",
        leave_out=("style_size", "style_weight", "style_layers", "style_layer_weights"),
        flags={"content_layers": "--layer"},
    )

    command = _command(commands, "texture", "texture", "reconstruct a style from Gram matrices: make a texture")
    command.add_argument("image", help="the painting, or whatever has the texture")
    command.add_argument(
        "--output-size", type=_size, metavar="WIDTHxHEIGHT", help="in pixels (default: as the picture after scaling)"
    )
    command.add_argument(
        "--tileable", action="store_true", help="let opposite edges fit, so that copies side by side show no seam"
    )
    _add_run_flags(
        command,
        "IMAGE-texture.png",
        preset="texture",
        leave_out=("style_size", "content_weight", "content_layers"),
        flags={"style_layers": "--layers"},
    )

    command = _command(commands, "figure", None, "make the paper's figures 1 to 3 from your own pictures")
    _add_figure_commands(command.add_subparsers(dest="number", required=True, metavar="NUMBER"))

    command = _command(commands, "grid", "grid", "make a factorial design of stimuli, every combination")
    _add_grid_flags(command)

    command = _command(commands, "remake", "remake", "make one panel of a figure or grid again, from its record")
    command.add_argument("manifest", type=Path, help="manifest.json of the figure or grid, or one panel's own record")
    command.add_argument("name", nargs="?", help="the panel's name")
    command.add_argument("-o", "--output", type=Path, required=True, help="picture to write")
    command.add_argument("--overwrite", action="store_true", help="replace an existing picture")
    for role in ("content", "style", "init"):
        command.add_argument(f"--{role}", help=f"the {role} picture, where it is no longer where the record says")
    command.add_argument("--weights", help="weight file (default: the one that 'info' shows)")

    command = _command(commands, "compare", "compare", "show how far apart two pictures are, layer by layer")
    command.add_argument("picture", help="the picture to be judged")
    command.add_argument("reference", help="the picture it is compared with")
    command.add_argument(
        "--layers", type=_names, default=features.COMPARED_LAYERS, help="(default: those of the default preset)"
    )
    command.add_argument("--image-size", type=_count, default=384, help="longest side in pixels (default: 384)")
    command.add_argument("--pooling", choices=network.POOLING, default="average", help="(default: average)")
    command.add_argument(
        "--normalised", action=argparse.BooleanOptionalAction, default=True, help="which network (default: normalised)"
    )
    _add_weights_and_device(command)

    command = _command(commands, "gradcheck", "gradcheck", "check all gradients against finite differences")
    command.add_argument("--size", type=int, default=32, help="side in pixels of the picture used (default: 32)")
    command.add_argument("--directions", type=int, default=3, help="random directions for each check (default: 3)")
    command.add_argument("--seed", type=int, default=0, help="of everything random (default: 0)")
    command.add_argument(
        "--convolution", choices=network.CONVOLUTIONS, default="direct", help="which convolution (default: direct)"
    )
    _add_weights_and_device(command)

    command = _command(commands, "weights", None, "make weight files")
    _add_weights_commands(command.add_subparsers(dest="action", required=True, metavar="ACTION"))

    command = _command(commands, "info", "info", "show versions, BLAS, GPU and the weights found")
    command.add_argument("--weights", help="weight file to look at instead of the one found")
    return parser


def _command(commands, name, run, summary):
    """Add a command; `run` is its name for `cli`, or None where commands of its own follow."""
    command = commands.add_parser(
        name, help=summary, description=summary[0].upper() + summary[1:] + ".", allow_abbrev=False
    )
    command.set_defaults(run=run)
    return command


def _add_figure_commands(numbers):
    command = _command(numbers, "1", "figure_1", "content and style reconstructions from five layers")
    command.add_argument("photo", help="the picture for the content reconstructions")
    command.add_argument("painting", help="the picture for the style reconstructions")
    left_out = (*RATIO_SETTINGS, "content_layers", "style_layers", "style_layer_weights", "style_size")
    _add_experiment_flags(command, Path("figure1"), preset="texture", leave_out=(*left_out, "normalised"))
    _add_originals_flag(command)

    command = _command(numbers, "2", "figure_2", "one photograph in several styles")
    command.add_argument("photo", help="the photograph")
    command.add_argument("paintings", nargs="+", metavar="painting", help="the paintings")
    _add_experiment_flags(command, Path("figure2"), leave_out=RATIO_SETTINGS, **EXPERIMENT)
    _add_ratios_flag(command, (figures.RATIO,), "one for all paintings, or one for each")
    _add_originals_flag(command)

    command = _command(numbers, "3", "figure_3", "growing sets of style layers by alpha/beta")
    command.add_argument("photo", help="the photograph")
    command.add_argument("painting", help="the painting")
    left_out = (*RATIO_SETTINGS, "style_layers", "style_layer_weights")
    _add_experiment_flags(command, Path("figure3"), leave_out=left_out, iterations=200, **EXPERIMENT)
    _add_ratios_flag(command, figures.RATIOS, "a column each")


def _add_grid_flags(command):
    command.add_argument("--content", required=True, metavar="DIR", help="folder of photographs, or one picture")
    command.add_argument("--style", required=True, metavar="DIR", help="folder of paintings, or one picture")
    command.add_argument(
        "--layers",
        type=_names,
        default=(str(len(STYLE_LAYERS)),),
        metavar="SETS",
        help="sets of style layers, separated by commas: 1 to 5 for the paper's first one to five, or names joined by "
        "+ (default: 5)",
    )
    command.add_argument("--seeds", type=_seeds, default=(0,), help="of the noise, separated by commas (default: 0)")
    _add_ratios_flag(command, (figures.RATIO,), "as many as you like")
    left_out = (*RATIO_SETTINGS, "style_layers", "seed")
    _add_experiment_flags(command, Path("stimuli"), leave_out=left_out, **EXPERIMENT)


def _add_originals_flag(command):
    command.add_argument(
        "--no-originals",
        dest="originals",
        action="store_false",
        help="leave the pictures it is made from out of the figure, where they may not be passed on",
    )


def _add_ratios_flag(command, default, what):
    command.add_argument(
        "--ratios",
        type=_ratios,
        default=default,
        help=f"alpha/beta, separated by commas: {what} (default: {','.join(f'{ratio:g}' for ratio in default)})",
    )


def _add_experiment_flags(command, folder, *, preset, leave_out=(), **defaults):
    """Add the flags that figures and grids have in common."""
    command.add_argument("-o", "--output", type=Path, default=folder, help=f"folder (default: {folder})")
    command.add_argument(
        "--overwrite", action="store_true", help="make those panels again that are there with other settings"
    )
    command.add_argument(
        "--scheduler", metavar="ADDRESS", help="make the panels on a Dask cluster, such as tcp://10.0.0.1:8786"
    )
    command.add_argument("-q", "--quiet", action="store_true", help="no progress line")
    _add_settings(command, preset, leave_out, **defaults)


def _add_run_flags(command, output, *, own_output=None, preset="default", leave_out=(), flags=None, **defaults):
    """Add the flags of a command that makes one picture.

    Parameters
    ----------
    command : parser
    output : str, the output's name as the help shows it
    own_output : path, the output's name, where it does not depend on the pictures
    preset, leave_out, flags, **defaults : see `_add_settings`
    """
    command.add_argument("-o", "--output", type=Path, default=own_output, help=f"picture to write (default: {output})")
    command.add_argument("--overwrite", action="store_true", help="replace an existing picture")
    command.add_argument(
        "--print-every", type=_count, metavar="N", help="print the terms of the loss each N iterations"
    )
    command.add_argument("--save-every", type=_count, metavar="N", help="save the picture each N iterations, numbered")
    command.add_argument("--estimate", action="store_true", help="only say how long it will take, and how much memory")
    command.add_argument("-q", "--quiet", action="store_true", help="no progress line")
    command.add_argument("-v", "--verbose", action="store_true", help="say which weights are used")
    _add_settings(command, preset, leave_out, flags, **defaults)


def _add_settings(command, preset, leave_out=(), flags=None, **defaults):
    """Add a flag for every setting, and one for the preset.

    Parameters
    ----------
    command : parser
    preset : str, the preset that the command begins with
    leave_out : names of settings that mean nothing here
    flags : dict, setting's name -> flag, where it has another name here
    **defaults : settings with a default of the command's own
    """
    command.add_argument(
        "--preset", choices=PRESETS, default=preset, help=f"defaults to begin with (default: {preset})"
    )
    group = command.add_argument_group("settings", f"Defaults are those of the preset {preset}.")
    shown = {**PRESETS[preset], **defaults}
    for setting in dataclasses.fields(Settings):
        if setting.name not in leave_out:
            flag = (flags or {}).get(setting.name, "--" + setting.name.replace("_", "-"))
            _add_setting(group, flag, setting, shown.get(setting.name))
    command.set_defaults(**defaults)


def _add_setting(group, flag, setting, own_default):
    """Add one setting's flag; without the flag, the command's own default counts, or else the preset's."""
    default = ",".join(setting.default) if isinstance(setting.default, tuple) else setting.default
    text = setting.metadata["help"]
    if own_default is not None:
        text += f" (default: {own_default})"
    elif default is not None:
        text += f" (default: {default}; {setting.metadata['source']})"
    options = {"dest": setting.name, "default": argparse.SUPPRESS, "help": text.replace("%", "%%")}
    if setting.type is bool:
        group.add_argument(flag, action=argparse.BooleanOptionalAction, **options)
    else:
        parse = {tuple: _names, str | tuple: _layer_weights}.get(setting.type, setting.type)
        if setting.metadata["unit"] == "GB":
            parse = _gigabytes
        choices = setting.metadata["choices"]
        metavar = None if choices else setting.name.split("_")[-1].upper()
        group.add_argument(flag, type=parse, choices=choices, metavar=metavar, **options)


def _add_weights_commands(actions):
    command = _command(actions, "import", "weights_import", "turn a published file into a weight file")
    command.add_argument("file", help="; or ".join(known.description for known in FORMATS.values()))
    command.add_argument("-o", "--output", type=Path, help="file to write (default: depends on --dtype)")
    command.add_argument(
        "--dtype",
        choices=DTYPES,
        default="float16",
        help="float16: conv1_1 to conv5_1 for the project's weights/ (default); float32: all layers, exactly, into the "
        "user's data folder, where they are found from then on",
    )
    command.add_argument("--overwrite", action="store_true", help="replace an existing file")
    command.add_argument(
        "--no-verify", dest="verify", action="store_false", help="accept a file that is not the published one"
    )
    command = _command(actions, "normalise", "weights_normalise", "measure the mean activations over photographs")
    command.add_argument("photographs", nargs="+", metavar="PHOTOGRAPH")
    command.add_argument("--image-size", type=_count, default=384, help="longest side in pixels (default: 384)")
    command.add_argument("--into", required=True, help="weight file to store them in, in place of those it has")
    _add_weights_and_device(command)


def _add_weights_and_device(command):
    command.add_argument("--weights", help="weight file (default: the one that 'info' shows)")
    command.add_argument("--device", choices=arrays.DEVICES, default="auto", help="where to compute (default: auto)")


def _count(text):
    """Parse a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def _names(text):
    """Parse names separated by commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _layer_weights(text):
    """Parse a rule's name, or numbers separated by commas."""
    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError:
        return text


def _size(text):
    """Parse a size, "512x384" or "512" for a square, as (height, width)."""
    width, _, height = text.lower().partition("x")
    return _count(height or width), _count(width)


def _numbers(text, kind, what):
    """Parse numbers separated by commas."""
    try:
        return tuple(kind(number) for number in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not {what} separated by commas") from None


def _ratios(text):
    """Parse numbers greater than 0, separated by commas."""
    ratios = _numbers(text, float, "numbers")
    if not all(0 < ratio < math.inf for ratio in ratios):
        raise argparse.ArgumentTypeError(f"{text!r} must be numbers greater than 0 and finite")
    return ratios


def _seeds(text):
    """Parse whole numbers separated by commas."""
    return _numbers(text, int, "whole numbers")


def _gigabytes(text):
    """Parse an amount of memory, "2GB", "500MB" or "2", as a number of GB."""
    number, unit = re.fullmatch(r"(.*?)\s*(GB|MB|)", text.strip(), re.IGNORECASE).groups()
    try:
        return float(number) / (1000 if unit.upper() == "MB" else 1)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an amount of memory such as 2GB or 500MB") from None
