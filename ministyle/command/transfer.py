"""`transfer` and `demo`: repaint a photograph."""

from pathlib import Path

from ..files import shipped_path
from .one_picture import make_one
from .output import add_file_flags, output_path
from .parser import add_command, add_run_flags

DEMO_PICTURES = "docs/examples/chelsea.png", "docs/examples/painting.jpg"
DEMO_OUTPUT = "ministyle-demo.png"


def add(commands):
    """Add the commands."""
    command = add_command(commands, "transfer", "repaint a photograph in the style of a painting", run_transfer)
    command.add_argument("content", help="the photograph")
    command.add_argument("style", help="the painting")
    add_run_flags(command, "CONTENT-STYLE.png")
    add_file_flags(command)

    command = add_command(
        commands, "demo", "repaint the project's own photograph, which takes about a minute", run_demo
    )
    add_run_flags(command, DEMO_OUTPUT, own_output=Path(DEMO_OUTPUT))
    add_file_flags(command)


def run_transfer(options):
    """Repaint a photograph."""
    name = f"{Path(options.content).stem}-{Path(options.style).stem}"
    _, _, status = make_one(options, name, options.content, options.style)
    return status


def run_demo(options):
    """Repaint the project's own photograph in the style of the project's own painting."""
    options.content, options.style = (shipped_path(relative) for relative in DEMO_PICTURES)
    options.output = output_path(options.output, DEMO_OUTPUT)
    print(f"repainting {options.content}\nin the style of {options.style}")
    return run_transfer(options)
