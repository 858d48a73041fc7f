"""`transfer` and `demo`: repaint a photograph."""

import os
from pathlib import Path

from ..errors import MinistyleError
from ..files import shipped_path
from ..pictures.writing import FORMATS
from .batch import make_many, one_or_all, output_stem
from .one_picture import make_one
from .parser import add_command, add_run_flags, check_picture
from .video import is_film, make_film

DEMO_PICTURES = "docs/examples/chelsea.png", "docs/examples/painting.jpg"
DEMO_OUTPUT = "ministyle-demo.png"


def add(commands):
    """Add the commands."""
    command = add_command(commands, "transfer", "repaint a photograph in the style of a painting", run_transfer)
    command.add_argument("content", help="the photograph, or a folder of photographs")
    command.add_argument("style", nargs="*", help="the painting; several are blended")
    command.add_argument(
        "--style",
        dest="paintings",
        nargs="+",
        metavar="PAINTING",
        help="the painting or paintings, where everything that stands before this flag is a photograph",
    )
    command.add_argument(
        "--frames", action="store_true", help="the folder holds the frames of a film, each to begin with the one before"
    )
    command.gathers = "style"
    command.when_missing = "photographs stand before --style"
    add_run_flags(command, "CONTENT-STYLE.png")

    command = add_command(
        commands, "demo", "repaint the project's own photograph, which takes about a minute", run_demo
    )
    add_run_flags(command, DEMO_OUTPUT, own_output=Path(DEMO_OUTPUT))


def run_transfer(options):
    """Repaint a photograph, or several, or an animation."""
    contents, styles = [options.content], options.style
    if options.paintings:
        contents, styles = [*contents, *styles], options.paintings
    if not styles:
        raise MinistyleError(f"name a painting as well: transfer '{options.content}' PAINTING")
    for style in styles:
        check_picture(style)
    if options.frames and len(contents) > 1:
        raise MinistyleError(f"--frames takes one folder of frames, not {len(contents)} pictures")
    if options.frames or (len(contents) == 1 and is_film(options, contents[0])):
        return make_film(options, contents[0], styles)
    if _are_many(options, contents):
        return make_many(options, contents, styles)
    _, _, status = make_one(options, output_stem(contents[0], styles), contents[0], one_or_all(styles))
    return status


def _are_many(options, contents):
    """Say whether there are, or could be, several photographs: `*.jpg --style ... -o FOLDER` may stand for one."""
    if len(contents) > 1 or os.path.isdir(contents[0]):
        return True
    to_folder = options.output is not None and options.output.suffix.lower() not in FORMATS
    return bool(options.paintings) and to_folder


def run_demo(options):
    """Repaint the project's own photograph in the style of the project's own painting."""
    content, style = (shipped_path(relative) for relative in DEMO_PICTURES)
    print(f"repainting {content}\nin the style of {style}")
    _, _, status = make_one(options, output_stem(content, [style]), content, style)
    return status
