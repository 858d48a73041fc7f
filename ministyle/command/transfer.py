"""`transfer` and `demo`: repaint a photograph."""

from dataclasses import replace
from pathlib import Path

from ..errors import MinistyleError
from ..files import shipped_path
from ..jobs.regions import ALPHA
from ..pictures.writing import FORMATS
from .batch import make_many, output_stem
from .one_picture import make_one
from .output import Inputs, add_file_flags, output_path
from .parser import add_command, add_run_flags, check_picture, is_folder
from .video import is_film, make_film

NO_MASK = "none"  # in place of a style mask
DEMO_PICTURES = "docs/examples/chelsea.png", "docs/examples/painting.jpg"
DEMO_OUTPUT = "ministyle-demo.png"


def add(commands):
    """Add the commands."""
    command = add_command(commands, "transfer", "repaint a photograph in the style of a painting", run_transfer)
    command.add_argument("content", help="the photograph, or a folder of photographs; - is standard input")
    command.add_argument("style", nargs="*", help="the painting; several are blended")
    section = command.section("pictures")
    section.add_argument(
        "--style",
        dest="paintings",
        nargs="+",
        metavar="PAINTING",
        help="the painting or paintings, where everything that stands before this flag is a photograph",
    )
    section.add_argument(
        "--content-mask",
        action="append",
        default=[],
        metavar="FILE",
        help="which part of the picture takes the style: white does, black stays as in the photograph. With two "
        "paintings, white takes the first style and black the second; or give the flag once for each painting. With "
        f"colour-coded masks, a region takes the style of its colour. '{ALPHA}' is the photograph's opacity",
    )
    section.add_argument(
        "--style-mask",
        action="append",
        default=[],
        metavar="FILE",
        help="which part of a painting counts: white does. Give the flag once for each painting, "
        f"'{NO_MASK}' for all of it",
    )
    section.add_argument(
        "--frames", action="store_true", help="the folder holds the frames of a film, each to begin with the one before"
    )
    command.gathers = "style"
    command.when_missing = "photographs stand before --style"
    add_run_flags(command, "CONTENT-STYLE.png")
    add_file_flags(command)

    command = add_command(
        commands, "demo", "repaint the project's own photograph, which takes about a minute", run_demo
    )
    add_run_flags(command, DEMO_OUTPUT, own_output=Path(DEMO_OUTPUT))
    add_file_flags(command)


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
    inputs = Inputs(None, tuple(styles), tuple(options.content_mask), _style_masks(options, styles))
    if options.frames or (len(contents) == 1 and is_film(options, contents[0])):
        return make_film(options, contents[0], inputs)
    if _are_many(options, contents):
        return make_many(options, contents, inputs)
    inputs = replace(inputs, content=contents[0])
    _, _, status = make_one(options, output_stem(contents[0], styles), inputs)
    return status


def _style_masks(options, styles):
    """Return the masks of the paintings, each a path or None."""
    masks = tuple(None if mask == NO_MASK else mask for mask in options.style_mask)
    if masks and len(masks) != len(styles):
        raise MinistyleError(
            f"{len(styles)} style pictures need as many style masks, got {len(masks)}; '{NO_MASK}' stands for no mask"
        )
    return masks


def _are_many(options, contents):
    """Say whether there are, or could be, several photographs: `*.jpg --style ... -o FOLDER` may stand for one."""
    if len(contents) > 1 or is_folder(contents[0]):
        return True
    to_folder = options.output is not None and options.output.suffix.lower() not in FORMATS
    return bool(options.paintings) and to_folder


def run_demo(options):
    """Repaint the project's own photograph in the style of the project's own painting."""
    content, style = (shipped_path(relative) for relative in DEMO_PICTURES)
    options.output = output_path(options.output, DEMO_OUTPUT)
    print(f"repainting {content}\nin the style of {style}")
    _, _, status = make_one(options, "", Inputs(content, (style,)))
    return status
