"""`grid` and `remake`: a factorial design of stimuli, and one panel made again."""

from pathlib import Path

from ..experiments import stimuli
from ..experiments.figures import RATIO
from ..experiments.panels import remake
from ..pictures.folders import pictures_in
from ..pictures.writing import check_output
from ..terms import STYLE_LAYERS
from .experiment import EXPERIMENT, RATIO_SETTINGS, add_experiment_flags, add_ratios_flag, run_experiment
from .one_picture import write_result
from .parser import add_command, names, seeds, settings_of


def add(commands):
    """Add the commands."""
    command = add_command(
        commands,
        "grid",
        "make a factorial design of stimuli: every combination of pictures, ratios, layers and seeds",
        run_grid,
    )
    command.add_argument("--content", required=True, metavar="DIR", help="folder of photographs, or one picture")
    command.add_argument("--style", required=True, metavar="DIR", help="folder of paintings, or one picture")
    command.add_argument(
        "--layers",
        type=names,
        default=(str(len(STYLE_LAYERS)),),
        metavar="SETS",
        help="sets of style layers, separated by commas: 1 to 5 for the paper's first one to five, or names joined by "
        "+ (default: 5)",
    )
    command.add_argument(
        "--seeds", type=seeds, default=(0,), help="seeds of the noise, separated by commas (default: 0)"
    )
    add_ratios_flag(command, (RATIO,), "as many as you like")
    left_out = (*RATIO_SETTINGS, "style_layers", "seed")
    add_experiment_flags(command, Path("stimuli"), leave_out=left_out, **EXPERIMENT)

    command = add_command(commands, "remake", "make one panel of a figure or grid again, from its record", run_remake)
    command.add_argument("manifest", type=Path, help="manifest.json of the figure or grid, or the panel's own record")
    command.add_argument("name", nargs="?", help="the panel's name")
    command.add_argument("-o", "--output", type=Path, required=True, help="picture to write")
    command.add_argument("--overwrite", action="store_true", help="replace an existing picture")
    for role, picture in (("content", "content picture"), ("style", "style picture"), ("init", "starting picture")):
        command.add_argument(f"--{role}", help=f"the {picture}, if it is no longer where the record says")
    command.add_argument("--weights", help="weight file (default: the one that 'info' shows)")


def run_grid(options):
    """Make a factorial design of stimuli."""
    to_make = stimuli.design(
        pictures_in(options.content),
        pictures_in(options.style),
        settings=settings_of(options),
        ratios=options.ratios,
        layers=[stimuli.parse_layers(text) for text in options.layers],
        seeds=options.seeds,
    )
    folder = options.output
    return run_experiment(options, to_make, folder, lambda records: stimuli.draw_sheets(to_make, folder, records))


def run_remake(options):
    """Make one panel again from its record, and say whether it is the same."""
    check_output(options.output, options.overwrite)
    picture, record, original = remake(
        options.manifest,
        options.name,
        content=options.content,
        style=options.style,
        init=options.init,
        weights=options.weights,
    )
    written = write_result(options.output, picture, options.overwrite)
    same = record["picture_sha256"] == original["picture_sha256"]
    print(f"picture: {written}, {'the same as' if same else 'NOT the same as'} {original['name']}, bit for bit")
    for name, before in original["software"].items():
        if record["software"].get(name) != before:
            print(f"{name}: {before} then, {record['software'].get(name)} now")
    return 0 if same else 1
