"""docs/cli.md has all commands and flags, as the parser has them."""

import argparse
import re
import runpy

import pytest

from ministyle.command import make_parser
from ministyle.files import shipped_path
from ministyle.settings import Settings

page = runpy.run_path(str(shipped_path("docs/make_cli.py")))["page"]


@pytest.fixture
def written():
    return shipped_path("docs/cli.md").read_text(encoding="utf-8")


def sections(text):
    """Return what stands below each heading of a page, as one line."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)[1:]
    return {name: " ".join(body.split()) for name, body in zip(parts[::2], parts[1::2], strict=True)}


@pytest.mark.parametrize("columns", ["40", "200"])
def test_the_page_is_up_to_date_whatever_the_terminals_width(written, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    assert written == page(make_parser()), "docs/cli.md is out of date; make it with: python docs/make_cli.py"


def test_no_line_is_longer_than_120_characters(written):
    assert max(map(len, written.splitlines())) <= 120


def test_every_flag_of_every_command_is_in_its_section(written):
    found = sections(written)
    commands = make_parser()._subparsers._group_actions[0].choices
    for name, command in commands.items():
        for flag in {action.option_strings[0] for action in command._actions if action.option_strings} - {"-h"}:
            assert f"`{flag}`" in found[name] or f"`{flag} " in found[name], (name, flag)
    for setting in ("image_size", "strength", "content_layers"):
        default = Settings.__dataclass_fields__[setting].default
        shown = default if isinstance(default, int | float) else ",".join(default)
        flag = setting.replace("_", "-")
        assert re.search(rf"`--{flag} \w+`: [^`]*\(default: {shown}[;)]", found["transfer"])


def test_what_a_command_has_as_another_does_stands_there(written):
    found = sections(written)
    for name, body in found.items():
        for other, flags in re.findall(r"as for \[(.+?)\]\(#.+?\): ((?:`[\w-]+`,? ?)+)", body):
            for flag in re.findall(r"`(.+?)`", flags):
                assert f"- `{flag}" in found[other], (name, other, flag)


@pytest.fixture
def parser():
    """A parser with two commands, groups of flags, and characters that Markdown or argparse take for their own."""
    parser = argparse.ArgumentParser(prog="prog", description="What it is.")
    commands = parser.add_subparsers()
    for name in ("one", "two"):
        command = commands.add_parser(name, help=f"the {name}", description="Of [a] kind.")
        command.add_argument("file", nargs="+", help="what to read")
        group = command.add_argument_group("sizes", "In pixels.")
        group.add_argument("-s", "--size", type=int, default=5, help="at most 100%% of a*b (default: %(default)s)")
        group.add_argument("--kind", choices=("x", "y"), required=name == "two", help=f"the kind, {name}")
        command.add_argument("--fast", action=argparse.BooleanOptionalAction, help="be fast")
    return parser


def test_flags_stand_in_their_groups_with_values_and_defaults(parser):
    assert sections(page(parser))["one"] == (
        r"Of \[a] kind. prog one [FLAGS] file ... "
        "**Positional arguments.** - `file`: what to read "
        "**Options.** - `--fast`, `--no-fast`: be fast "
        "**Sizes.** In pixels. "
        r"- `-s SIZE`, `--size SIZE`: at most 100% of a\*b (default: 5) - `--kind {x,y}`: the kind, one"
    )


def test_a_flag_that_an_earlier_command_has_just_so_is_only_named(parser):
    body = sections(page(parser))["two"]
    assert body.startswith(r"Of \[a] kind. prog two [FLAGS] --kind {x,y} file ...")
    assert body.endswith("**Sizes.** In pixels. - `--kind {x,y}`: the kind, two - as for [one](#one): `-s`")
    assert "- `file`: what to read" in body and "- as for [one](#one): `--fast` **Sizes" in body
