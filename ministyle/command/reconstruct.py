"""`content` and `texture`: reconstruct a picture from activations, a style from Gram matrices."""

from .one_picture import make_one
from .output import Inputs, add_file_flags, stem_of
from .parser import add_command, add_run_flags, picture, size

# Settings that mean nothing to the two commands.
CONTENT_LACKS = (
    "style_size",
    "style_scale",
    "style_blend",
    "style_weight",
    "covariance_weight",
    "mean_weight",
    "style_layers",
    "style_layer_weights",
    "colours",
    "colours_after",
)
TEXTURE_LACKS = (
    "style_size",
    "style_scale",
    "style_blend",
    "content_weight",
    "content_layers",
    "content_layer_weights",
    "colours",
    "colours_after",
)


def add(commands):
    """Add the commands."""
    command = add_command(commands, "content", "reconstruct a picture from one layer's activations", run_content)
    command.add_argument("image", type=picture, help="the picture")
    add_run_flags(
        command,
        "IMAGE-content.png",
        preset="content-reconstruction",
        leave_out=CONTENT_LACKS,
        flags={"content_layers": "--layer"},
    )
    add_file_flags(command)

    command = add_command(commands, "texture", "reconstruct a style from Gram matrices: make a texture", run_texture)
    command.add_argument("image", type=picture, help="the painting, or whatever has the texture")
    add_run_flags(
        command,
        "IMAGE-texture.png",
        preset="texture",
        leave_out=TEXTURE_LACKS,
        flags={"style_layers": "--layers"},
    )
    section = command.section("the picture")
    section.add_argument(
        "--output-size",
        type=size,
        metavar="WIDTHxHEIGHT",
        help="size of the texture in pixels (default: that of the picture after scaling)",
    )
    section.add_argument(
        "--tileable", action="store_true", help="let opposite edges fit, so that copies side by side show no seam"
    )
    add_file_flags(command, photograph=False)


def run_content(options):
    """Reconstruct a picture from the activations of a layer."""
    job, result, status = make_one(options, f"{stem_of(options.image)}-content", Inputs(options.image))
    if result is not None:
        print(f"PSNR against the original: {job.psnr_of(result.image):.1f} dB")
    return status


def run_texture(options):
    """Reconstruct a style from Gram matrices."""
    name = f"{stem_of(options.image)}-texture"
    inputs = Inputs(styles=(options.image,))
    _, _, status = make_one(options, name, inputs, size=options.output_size, tileable=options.tileable)
    return status
