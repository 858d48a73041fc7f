"""`content` and `texture`: reconstruct a picture from activations, a style from Gram matrices."""

from pathlib import Path

from ..pictures.values import psnr
from .one_picture import make_one
from .parser import add_command, add_run_flags, picture, size


def add(commands):
    """Add the commands."""
    command = add_command(commands, "content", "reconstruct a picture from one layer's activations", run_content)
    command.add_argument("image", type=picture, help="the picture")
    add_run_flags(
        command,
        "IMAGE-content.png",
        preset="content-reconstruction",
        leave_out=("style_size", "style_weight", "style_layers", "style_layer_weights", "colours"),
        flags={"content_layers": "--layer"},
    )

    command = add_command(commands, "texture", "reconstruct a style from Gram matrices: make a texture", run_texture)
    command.add_argument("image", type=picture, help="the painting, or whatever has the texture")
    command.add_argument(
        "--output-size",
        type=size,
        metavar="WIDTHxHEIGHT",
        help="size of the texture in pixels (default: that of the picture after scaling)",
    )
    command.add_argument(
        "--tileable", action="store_true", help="let opposite edges fit, so that copies side by side show no seam"
    )
    add_run_flags(
        command,
        "IMAGE-texture.png",
        preset="texture",
        leave_out=("style_size", "content_weight", "content_layers", "colours"),
        flags={"style_layers": "--layers"},
    )


def run_content(options):
    """Reconstruct a picture from the activations of a layer."""
    job, result, status = make_one(options, f"{Path(options.image).stem}-content", content=options.image)
    if result is not None:
        print(f"PSNR against the original: {psnr(result.image, job.photograph):.1f} dB")
    return status


def run_texture(options):
    """Reconstruct a style from Gram matrices."""
    name = f"{Path(options.image).stem}-texture"
    _, _, status = make_one(options, name, style=options.image, size=options.output_size, tileable=options.tileable)
    return status
