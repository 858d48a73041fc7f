"""`grid`: a factorial design of stimuli."""

from pathlib import Path

from ..experiments import stimuli
from ..experiments.figures import RATIO
from ..pictures.folders import pictures_in
from ..terms import STYLE_LAYERS
from .experiment import EXPERIMENT, RATIO_SETTINGS, add_experiment_flags, add_ratios_flag, run_experiment
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
    left_out = (*RATIO_SETTINGS, "style_layers", "seed")
    add_experiment_flags(command, Path("stimuli"), leave_out=left_out, **EXPERIMENT)
    add_ratios_flag(command, (RATIO,), "as many as you like")


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
    sheets = stimuli.sheet_paths(to_make, folder).values()
    return run_experiment(
        options, to_make, folder, sheets, lambda records: stimuli.draw_sheets(to_make, folder, records)
    )
