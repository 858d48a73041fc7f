"""Write the page of all commands and flags: `python docs/make_cli.py` makes docs/cli.md from the parser.

The page is Markdown in the repository, so that it can be read on a code host as well; what Sphinx has for argparse
makes it only in the book. A test holds the page against the parser.
"""

import argparse
import re
import textwrap
from pathlib import Path

from ministyle.command import make_parser

PAGE = Path(__file__).with_name("cli.md")
WIDTH = 120  # characters


def page(parser):
    """Return the page, Markdown, for a parser and all parsers below it."""
    commands = list(_commands(parser, parser.prog))
    parts = [
        "# Commands and flags",
        "<!-- Made by `python docs/make_cli.py`; edit the parser, not this page. -->",
        parser.description,
        "A flag's value follows after a space or `=`. `-h` shows any command's flags on the terminal.",
        "\n".join(f"- [`{name}`](#{name.replace(' ', '-')}): {_escaped(about)}" for name, about, _ in commands),
        *_groups(parser, parser.prog, {}),
    ]
    first = {}  # what a flag's line is -> the command where it is shown
    for name, _, command in commands:
        parts += [f"## {name}", _escaped(command.description), f"    {_usage(command)}", *_groups(command, name, first)]
    return "\n\n".join(parts) + "\n"


def _commands(parser, program):
    """Yield (name, help, parser) for every command below a parser; a nested one's name is as in "weights import"."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            about = {choice.dest: choice.help for choice in action._choices_actions}
            for name, command in action.choices.items():
                yield command.prog.removeprefix(program).strip(), about[name], command
                yield from _commands(command, program)


def _usage(command):
    """Return what is typed, with "[FLAGS]" for all that is optional."""
    words = [command.prog]
    if any(action.option_strings for action in command._actions if not _is_help(action)):
        words.append("[FLAGS]")
    words += [f"{action.option_strings[0]} {_value(action)}" for action in command._actions if _is_needed_flag(action)]
    for action in command._actions:
        if not action.option_strings:
            words.append(f"{_value(action)} ..." if action.nargs == "+" else _value(action))
    return " ".join(words)


def _groups(command, name, first):
    """Return the command's flags, group by group: paragraphs and lists.

    A flag that an earlier command has just so, help and default included, is only named; `first` says where it stands.
    """
    parts = []
    for group in command._action_groups:
        lines, elsewhere = [], {}
        for action in group._group_actions:
            if _is_help(action) or isinstance(action, argparse._SubParsersAction):
                continue
            line = f"{_flag(action)}: {_help(command, action)}"
            if not action.option_strings or first.setdefault(line, name) == name:
                lines.append(_wrapped(f"- {line}"))
            else:
                elsewhere.setdefault(first[line], []).append(f"`{action.option_strings[0]}`")
        for other, flags in elsewhere.items():
            lines.append(_wrapped(f"- as for [{other}](#{other.replace(' ', '-')}): {', '.join(flags)}"))
        if lines:
            title = f"**{group.title[0].upper()}{group.title[1:]}.**"
            parts.append(_wrapped(f"{title} {_escaped(group.description or '')}".strip(), indent=""))
            parts.append("\n".join(lines))
    return parts


def _is_help(action):
    return isinstance(action, argparse._HelpAction)


def _is_needed_flag(action):
    return bool(action.option_strings) and action.required


def _flag(action):
    """Return how the flag is written, with what stands for its value."""
    if not action.option_strings:
        return f"`{_value(action)}`"
    takes_value = action.nargs != 0
    return ", ".join(f"`{flag} {_value(action)}`" if takes_value else f"`{flag}`" for flag in action.option_strings)


def _value(action):
    """Return what stands for a value: the choices, or a word in capitals."""
    if action.metavar:
        return action.metavar
    if action.choices:
        return "{" + ",".join(map(str, action.choices)) + "}"
    return action.dest.upper() if action.option_strings else action.dest


def _help(command, action):
    return _escaped(action.help % {**vars(action), "prog": command.prog})


def _escaped(text):
    """Return text with the characters that Markdown would take for its own."""
    return re.sub(r"([\\`*<\[$])", r"\\\1", text)


def _wrapped(text, indent="  "):
    return textwrap.fill(text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    PAGE.write_text(page(make_parser()), encoding="utf-8", newline="\n")
