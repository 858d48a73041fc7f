"""The command line's flags. Those of a run, and their help, are made from `ministyle.settings`."""

import argparse
import dataclasses
import math
from pathlib import Path

from .. import arrays
from ..errors import did_you_mean
from ..jobs.checkpoint import EVERY
from ..settings import PRESETS, Settings, choices_of
from ..version import VERSION


class Parser(argparse.ArgumentParser):
    """An argument parser that complains in one sentence."""

    @classmethod
    def of_program(cls):
        """Return the parser of the program, without commands."""
        description = "Repaint a photograph in the style of a painting (Gatys, Ecker, Bethge 2015)."
        parser = cls(prog="ministyle", description=description)
        parser.add_argument("--version", action="version", version=f"ministyle {VERSION}")
        return parser

    def parse_known_args(self, args=None, namespace=None):
        """Parse as `ArgumentParser` does, but refuse an unknown flag here, where those that there are are known."""
        options, rest = super().parse_known_args(args, namespace)
        for argument in rest:
            flag = argument.split("=")[0]
            if flag.startswith("--"):
                self.error(f"there is no flag {flag}{did_you_mean(flag, self._option_string_actions)}")
        return options, rest

    def _check_value(self, action, value):
        """Refuse a value that is none of the action's choices, as `ArgumentParser` does, with a hint."""
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            error.message += did_you_mean(value, action.choices)
            raise

    def error(self, message):
        """Print what is wrong, and exit with status 2."""
        end = " See" if message.endswith("?") else "; see"
        self.exit(2, f"ministyle: {message}{end} '{self.prog} --help'\n")


def add_command(commands, name, summary, run=None):
    """Add a command and return its parser.

    Parameters
    ----------
    commands : what `add_subparsers` returned
    name, summary : str
    run : function of the parsed options that returns the exit status, or None where commands of its own follow
    """
    command = commands.add_parser(
        name, help=summary, description=summary[0].upper() + summary[1:] + ".", allow_abbrev=False
    )
    command.set_defaults(run=run)
    return command


def settings_of(options):
    """Return the `Settings` that parsed options stand for."""
    names = {setting.name for setting in dataclasses.fields(Settings)}
    changes = {name: value for name, value in vars(options).items() if name in names}
    return Settings.from_preset(options.preset, **changes)


def add_run_flags(command, output, *, own_output=None, preset="default", leave_out=(), flags=None, **defaults):
    """Add the flags of a command that makes one picture.

    Parameters
    ----------
    command : parser
    output : str, the output's name as the help shows it
    own_output : path, the output's name, where it does not depend on the pictures
    preset, leave_out, flags, **defaults : see `add_settings`
    """
    command.add_argument("-o", "--output", type=Path, default=own_output, help=f"picture to write (default: {output})")
    command.add_argument("--overwrite", action="store_true", help="replace an existing picture")
    command.add_argument(
        "--print-every", type=count, metavar="N", help="print the terms of the loss every N iterations"
    )
    command.add_argument("--save-every", type=count, metavar="N", help="save the picture every N iterations, numbered")
    command.add_argument(
        "--estimate", action="store_true", help="only say how long the picture will take, and how much memory"
    )
    command.add_argument(
        "--checkpoint-every",
        type=seconds,
        default=EVERY,
        metavar="SECONDS",
        help=f"write what --resume needs beside the picture, so often; 0 for never (default: {EVERY:g})",
    )
    command.add_argument(
        "--resume", action="store_true", help="go on from where an interrupted run stopped, if there was one"
    )
    command.add_argument("-q", "--quiet", action="store_true", help="no progress line")
    command.add_argument("-v", "--verbose", action="store_true", help="say which weights are used")
    add_settings(command, preset, leave_out, flags, **defaults)


def add_settings(command, preset, leave_out=(), flags=None, **defaults):
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
        "--preset", choices=PRESETS, default=preset, help=f"set of defaults to begin with (default: {preset})"
    )
    group = command.add_argument_group("settings", f"The defaults shown are those of the preset '{preset}'.")
    shown = {**PRESETS[preset], **defaults}
    for setting in dataclasses.fields(Settings):
        if setting.name not in leave_out:
            flag = (flags or {}).get(setting.name, "--" + setting.name.replace("_", "-"))
            _add_setting(group, flag, setting, shown.get(setting.name))
    command.set_defaults(**defaults)


def _add_setting(group, flag, setting, own_default):
    """Add one setting's flag. Its default is the command's own, or else the preset's."""
    text = setting.metadata["help"]
    if own_default is not None:
        text += f" (default: {_shown(own_default)})"
    elif setting.default is not None:
        text += f" (default: {_shown(setting.default)}; {setting.metadata['source']})"
    options = {"dest": setting.name, "default": argparse.SUPPRESS, "help": text.replace("%", "%%")}
    if setting.type is bool:
        group.add_argument(flag, action=argparse.BooleanOptionalAction, **options)
    else:
        parse = {tuple: names, str | tuple: _layer_weights}.get(setting.type, setting.type)
        if setting.metadata["unit"] == "GB":  # which `Settings` reads itself
            parse = str
        choices = choices_of(setting)
        metavar = None if choices else setting.name.split("_")[-1].upper()
        group.add_argument(flag, type=parse, choices=choices, metavar=metavar, **options)


def _shown(default):
    """Return a default as a user would type it."""
    if isinstance(default, bool):
        return "on" if default else "off"
    return ",".join(default) if isinstance(default, tuple) else default


def add_weights_and_device(command):
    """Add `--weights` and `--device`."""
    command.add_argument("--weights", help="weight file (default: the one that 'info' shows)")
    command.add_argument("--device", choices=arrays.DEVICES, default="auto", help="where to compute (default: auto)")


# Types ---------------------------------------------------------------------------------------------------


def count(text):
    """Parse a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def seconds(text):
    """Parse a time of at least 0, in seconds."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number of at least 0")
    return seconds


def names(text):
    """Parse names separated by commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _layer_weights(text):
    """Parse a rule's name, or numbers separated by commas."""
    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError:
        return text


def size(text):
    """Parse a size, "512x384" or "512" for a square, as (height, width)."""
    width, _, height = text.lower().partition("x")
    return count(height or width), count(width)


def numbers(text, kind, what):
    """Parse numbers separated by commas."""
    try:
        return tuple(kind(number) for number in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not {what} separated by commas") from None


def ratios(text):
    """Parse numbers greater than 0, separated by commas."""
    ratios = numbers(text, float, "numbers")
    if not all(0 < ratio < math.inf for ratio in ratios):
        raise argparse.ArgumentTypeError(f"{text!r} must be numbers greater than 0 and finite")
    return ratios


def seeds(text):
    """Parse whole numbers separated by commas."""
    return numbers(text, int, "whole numbers")
