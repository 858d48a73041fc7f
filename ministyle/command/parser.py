"""The command line's flags. Those of a run, and their help, are made from `ministyle.settings`."""

import argparse
import dataclasses
import math
import os
import sys
from itertools import takewhile
from pathlib import Path

from .. import arrays
from ..errors import MinistyleError, did_you_mean
from ..jobs.checkpoint import EVERY
from ..settings import GROUPS, PRESETS, Numbers, Settings, choices_of, kind_of
from ..version import VERSION

SECTIONS = {  # of the help: title -> what the flags there do, in a line; the help has those that a command uses
    "pictures": "What it is made from, and which part takes which style.",
    "output": "What is written, and where.",
    "while it runs": "How it goes, and what is said on the way.",
    **{title: line for title, (line, _) in GROUPS.items()},
}
DIGITS = 9  # of a number: of iterations, of pixels along a side


class Help(argparse.HelpFormatter):
    """Help whose first line names only what must be given: all flags follow below, in sections."""

    def add_usage(self, usage, actions, groups, prefix=None):
        """Add the line "usage: ..."."""
        required = [action for action in actions if action.required or not action.option_strings]
        if len(required) < len(actions):
            required.insert(0, argparse.Action([], "flags", nargs="*", metavar="FLAG"))
        super().add_usage(usage, required, (), prefix)


class Parser(argparse.ArgumentParser):
    """An argument parser that complains in one sentence, and whose help has sections.

    Attributes
    ----------
    gathers : str, name of the list that takes words which stand between and after flags, or None
    when_missing : str, what to say if a positional argument is missing, or None
    """

    gathers = when_missing = None

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, formatter_class=Help, allow_abbrev=False, **options)
        self.color = False  # Python 3.14's, which `terminal` would show as escapes
        self._sections = {}

    @classmethod
    def of_program(cls):
        """Return the parser of the program, without commands."""
        description = "Repaint a photograph in the style of a painting (Gatys, Ecker, Bethge 2015)."
        parser = cls(prog="ministyle", description=description)
        parser.add_argument("--version", action="version", version=f"ministyle {VERSION}")
        return parser

    def section(self, title):
        """Return the section of the help that has this title, one of `SECTIONS`; it takes flags as a parser does."""
        if title not in self._sections:
            self._sections[title] = self.add_argument_group(title, SECTIONS[title])
        return self._sections[title]

    def parse_known_args(self, args=None, namespace=None):
        """Parse as `ArgumentParser` does, but refuse an unknown flag first, before something else seems to be missing.

        Where commands follow, only flags before the command are this parser's.
        """
        if any("\0" in str(word) for word in args or ()):
            self.error("no word of a command can hold a zero byte")
        args = sys.argv[1:] if args is None else list(args)
        for argument in takewhile(lambda word: word != "--" and (word[:1] == "-" or not self._subparsers), args):
            flag = argument.split("=")[0]
            is_flag = flag.startswith("-" if self._subparsers else "--") and " " not in argument
            if is_flag and flag not in self._option_string_actions:
                self.error(f"there is no flag {flag}{did_you_mean(flag, self._option_string_actions)}")
        options, rest = super().parse_known_args(args, namespace)
        if rest and rest[0].startswith("-") and rest[0] != "-":
            self.error(f"there is no flag {rest[0]}")
        if rest and self.gathers:
            getattr(options, self.gathers).extend(rest)
        elif rest:
            taken = " and ".join(action.dest for action in self._get_positional_actions())
            self.error(f"'{rest[0]}' is one too many: '{self.prog}' takes {taken or 'flags only'}")
        return options, []

    def _check_value(self, action, value):
        """Refuse a value that is none of the action's choices, as `ArgumentParser` does, with a hint."""
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            error.message += did_you_mean(value, action.choices)
            raise

    def error(self, message):
        """Print what is wrong, and exit with status 2."""
        if message.startswith("the following arguments are required") and self.when_missing:
            message = f"{message}; {self.when_missing}"
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
    command = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
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
    section = command.section("output")
    section.add_argument("-o", "--output", type=Path, default=own_output, help=f"picture to write (default: {output})")
    section.add_argument("--overwrite", action="store_true", help="replace an existing picture")
    section.add_argument("--save-every", type=count, metavar="N", help="save the picture every N iterations, numbered")
    section.add_argument(
        "--history",
        type=Path,
        metavar="FILE",
        help="write the loss and its terms to FILE.csv or FILE.jsonl, a row for each iteration",
    )
    section.add_argument(
        "--evolution", type=Path, metavar="FILE", help="write a film of how the picture comes about: .gif, .webp, .mp4"
    )
    section = command.section("while it runs")
    section.add_argument(
        "--estimate", action="store_true", help="only say how long the picture will take, and how much memory"
    )
    section.add_argument(
        "--list-layers", action="store_true", help="only list the network's layers, with their shapes for this picture"
    )
    section.add_argument(
        "--print-every", type=count, metavar="N", help="print the terms of the loss every N iterations"
    )
    section.add_argument(
        "--checkpoint-every",
        type=seconds,
        default=EVERY,
        metavar="SECONDS",
        help=f"write what --resume needs beside the picture, so often; 0 for never (default: {EVERY:g})",
    )
    section.add_argument(
        "--resume", action="store_true", help="go on from where an interrupted run stopped, if there was one"
    )
    section.add_argument("-q", "--quiet", action="store_true", help="no progress")
    section.add_argument("-v", "--verbose", action="store_true", help="say which weights are used")
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
    command.add_argument_group(
        "settings", f"The flags below, by what they do to the picture. Defaults are those of the preset '{preset}'."
    ).add_argument(
        "--preset", choices=PRESETS, default=preset, help=f"set of defaults to begin with (default: {preset})"
    )
    shown = {**PRESETS[preset], **defaults}
    settings = {setting.name: setting for setting in dataclasses.fields(Settings)}
    for title, (_, names) in GROUPS.items():
        for name in names:
            if name not in leave_out:
                flag = (flags or {}).get(name, "--" + name.replace("_", "-"))
                _add_setting(command.section(title), flag, settings[name], shown.get(name))
    command.set_defaults(**defaults)


def _add_setting(group, flag, setting, own_default):
    """Add one setting's flag. Its default is the command's own, or else the preset's."""
    text = setting.metadata["help"]
    if own_default is not None:
        text += f" (default: {_shown(own_default)})"
    elif setting.default is not None:
        text += f" (default: {_shown(setting.default)}; {setting.metadata['source']})"
    options = {"dest": setting.name, "default": argparse.SUPPRESS, "help": text.replace("%", "%%")}
    if kind_of(setting) is bool:
        group.add_argument(flag, action=argparse.BooleanOptionalAction, **options)
    else:
        lists = {tuple[str, ...]: names, str | Numbers: _layer_weights, Numbers | None: weights}
        parse = {**lists, int | str: _number_or_word}.get(setting.type, kind_of(setting))
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
    add_device(command)


def add_max_megapixels(command):
    """Add `--max-megapixels`, where there are no flags for the settings."""
    setting = next(one for one in dataclasses.fields(Settings) if one.name == "max_megapixels")
    _add_setting(command, "--max-megapixels", setting, setting.default)
    command.set_defaults(max_megapixels=setting.default)


def max_megapixels_of(options):
    """Return the limit of `--max-megapixels`, checked."""
    return Settings(max_megapixels=options.max_megapixels).max_megapixels


def add_device(command):
    """Add `--device`."""
    command.add_argument("--device", choices=arrays.DEVICES, default="auto", help="where to compute (default: auto)")


# Types ---------------------------------------------------------------------------------------------------


def picture(text):
    """Parse the name of one picture; see `check_picture`."""
    try:
        check_picture(text)
    except MinistyleError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def is_folder(name):
    """Say whether a picture's name is that of a folder; standard input, which has no name, is none."""
    return isinstance(name, str | os.PathLike) and os.path.isdir(name)


def check_picture(name):
    """Refuse a folder, with what can be done about it, where one picture is wanted."""
    if is_folder(name):
        raise MinistyleError(
            f"'{name}' is a folder; name one picture. 'transfer FOLDER PAINTING' and 'grid' take folders"
        )


def count(text):
    """Parse a whole number of at least 1."""
    if not text.isdecimal() or len(text) > DIGITS or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1, with at most {DIGITS} digits")
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


def _number_or_word(text):
    """Parse a whole number, or leave it to `Settings` to judge a word."""
    try:
        return int(text)
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


def weights(text):
    """Parse numbers separated by commas."""
    return numbers(text, float, "numbers")


def ratios(text):
    """Parse numbers greater than 0, separated by commas."""
    ratios = numbers(text, float, "numbers")
    if not all(0 < ratio < math.inf for ratio in ratios):
        raise argparse.ArgumentTypeError(f"{text!r} must be numbers greater than 0 and finite")
    return ratios


def seeds(text):
    """Parse whole numbers separated by commas."""
    return numbers(text, int, "whole numbers")
