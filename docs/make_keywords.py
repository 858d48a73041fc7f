"""Write the settings' types for editors and type checkers: `python docs/make_keywords.py` makes ministyle/keywords.py.

A type checker does not run the program, so it cannot read the table in `ministyle.settings`. A test holds the file
against that table.
"""

import dataclasses
import inspect
import re
import textwrap
from pathlib import Path

from ministyle.settings import Settings, choices_of
from ministyle.types import Picture

FILE = Path(__file__).resolve().parent.parent / "ministyle/keywords.py"
HEAD = '''"""The settings as keyword arguments, for editors and type checkers; `docs/make_keywords.py` writes it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal, TypedDict

from .types import Picture


class SettingsKeywords(TypedDict, total=False):
    """What a function takes as `**settings`; `settings` has the table, with the checks."""
'''
WIDER = {  # a field's type -> what may be given for it
    int | str: 'int | Literal["content"]',
    tuple[str, ...]: "str | Sequence[str]",
    str | tuple[float, ...]: "str | Sequence[float]",
    tuple[float, ...] | None: "float | Sequence[float] | None",
    Picture: "Picture",
}


def text():
    """Return what the file should hold."""
    return HEAD + "".join(map(_keyword, dataclasses.fields(Settings)))


def _keyword(setting):
    """Return a setting's type, and its help with flags turned into names."""
    about = re.sub(r"--([a-z-]+)", lambda flag: flag[1].replace("-", "_"), setting.metadata["help"])
    default = "" if setting.default is None else f" Default: {setting.default!r}."
    docstring = f'"""{about}.{default}"""'
    lines = textwrap.wrap(docstring, 116, initial_indent="    ", subsequent_indent="    ")
    return f"\n    {setting.name}: {_type(setting)}\n" + "".join(f"{line}\n" for line in lines)


def _type(setting):
    """Return the type of what may be given for a setting, as text."""
    choices = choices_of(setting)
    if choices:
        return "Literal[" + ", ".join(f'"{choice}"' for choice in choices) + "]"
    allowed = WIDER.get(setting.type) or inspect.formatannotation(setting.type)
    return allowed.replace("float", "float | str") if setting.metadata["unit"] else allowed


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
