"""`remake`: a picture made again from its record: its own, or that of a panel of a figure or grid."""

from functools import partial
from pathlib import Path

from ..errors import MinistyleError
from ..experiments.panels import find_inputs, remake
from ..jobs.record import by_role
from ..jobs.remaking import Remake
from ..pictures.values import picture_sha256
from ..pictures.writing import check_output, to_levels, write_picture
from .one_picture import write_result
from .output import Writer, check_outputs, output_path
from .parser import add_command, add_max_megapixels, max_megapixels_of

KINDS = {
    "content": "the content picture",
    "style": "the style picture, or all of them in their order",
    "init": "the starting picture",
    "content mask": "the content mask, likewise",
    "style mask": "the style mask, likewise",
}
PANEL_ROLES = ("content", "style", "init")


def add(commands):
    """Add the command."""
    command = add_command(commands, "remake", "make a picture again, from the record that it carries", run_remake)
    command.add_argument(
        "record",
        type=Path,
        help="the picture; or, for a panel of a figure or grid, its manifest.json or the panel's own record",
    )
    command.add_argument("name", nargs="?", help="the panel's name")
    command.add_argument("-o", "--output", type=Path, required=True, help="picture to write")
    command.add_argument("--overwrite", action="store_true", help="replace an existing picture")
    for kind, pictures in KINDS.items():
        flag = f"--{kind.replace(' ', '-')}"
        command.add_argument(
            flag, dest=kind, nargs="+", metavar="FILE", help=f"{pictures}, if the record does not say where it is"
        )
    command.add_argument("--weights", help="weight file (default: the one that 'info' shows)")
    add_max_megapixels(command)


def run_remake(options):
    """Make a picture again from its record, and say whether it is the same."""
    given = {}
    for kind in KINDS:
        given |= by_role(kind, getattr(options, kind) or [])
    if options.record.suffix.lower() == ".json":
        return _remake_panel(options, given)
    if options.name is not None:
        raise MinistyleError(f"a picture carries one record, and no name of a panel is needed (={options.name!r})")
    return _remake_picture(options, given)


def _remake_panel(options, given):
    """Make one panel again from its record."""
    check_output(options.output, options.overwrite)
    for role in given:
        if role not in PANEL_ROLES:
            raise MinistyleError(f"a panel is made without any {role} picture")
    _, inputs = find_inputs(options.record, options.name, **given)
    check_outputs([options.output], [*inputs.values(), options.record], options.weights)
    limit = max_megapixels_of(options)
    picture, record, original = remake(
        options.record, options.name, **given, weights=options.weights, max_megapixels=limit
    )
    written = write_result(options.output, picture, options.overwrite, write_picture)
    return _report(written, original["name"], record, original, record["picture_sha256"])


def _remake_picture(options, given):
    """Make a picture again from the record that it carries."""
    output = output_path(options.output, options.record.name)
    check_outputs([output], [*given.values(), options.record], options.weights)
    limit = max_megapixels_of(options)
    again = Remake.of(options.record, given, weights=options.weights, max_megapixels=limit)
    check_outputs([output], again.sources.values(), options.weights)
    writer = Writer(again.sources, **(again.original["output"] or {}), max_megapixels=limit)
    writer.check(output, options.overwrite)
    result, record = again.run()
    written = write_result(output, result.pixels, options.overwrite, partial(writer.put, record=record))
    digest = picture_sha256(to_levels(result.pixels, writer.bits, writer.alpha))
    return _report(written, options.record.name, record, again.original, digest)


def _report(written, name, record, original, digest):
    """Print whether a picture is the same again, and what was different then; return the exit status."""
    same = digest == original["picture_sha256"]
    print(f"picture: {written}, {'the same as' if same else 'NOT the same as'} {name}, bit for bit")
    then, now = ({**one["software"], "blas_threads": one.get("blas_threads")} for one in (original, record))
    for part, before in then.items():
        if now.get(part) != before:
            print(f"{part}: {before} then, {now.get(part)} now")
    return 0 if same else 1
