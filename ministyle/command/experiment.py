"""What figures and grids have in common: flags, and how their panels are made."""

import sys
from pathlib import Path

from ..errors import check_matplotlib
from ..experiments.executors import InThisProcess, open_executor
from ..experiments.panels import estimate_missing, render
from ..experiments.records import MANIFESTS, files_of
from ..jobs.scales import scales
from .one_picture import print_total, say_if_pyramid_is_in_vain
from .output import check_outputs
from .parser import add_settings, ratios
from .progress import PanelProgress

RATIO_SETTINGS = "content_weight", "style_weight"  # set from the ratio alpha/beta
# With strong noise the start can be seen in the panels; see docs/deviations.md.
EXPERIMENT = {"preset": "gatys2015", "noise_std": 25.0}


def add_experiment_flags(command, folder, *, preset, leave_out=(), **defaults):
    """Add the flags that figures and grids have in common."""
    section = command.section("output")
    section.add_argument("-o", "--output", type=Path, default=folder, help=f"folder to write (default: {folder})")
    section.add_argument(
        "--overwrite", action="store_true", help="make panels again that were made with other settings"
    )
    section = command.section("while it runs")
    section.add_argument(
        "--scheduler", metavar="ADDRESS", help="make the panels on a Dask cluster, such as tcp://10.0.0.1:8786"
    )
    section.add_argument(
        "--estimate", action="store_true", help="only say how long the missing panels will take, and how much memory"
    )
    section.add_argument("-q", "--quiet", action="store_true", help="no progress line")
    add_settings(command, preset, leave_out, **defaults)


def add_ratios_flag(command, default, what):
    """Add `--ratios`; `what` says how many there may be."""
    command.section("style").add_argument(
        "--ratios",
        type=ratios,
        default=default,
        help=f"alpha/beta, separated by commas: {what} (default: {','.join(f'{ratio:g}' for ratio in default)})",
    )


def run_experiment(options, to_make, folder, sheets, draw):
    """Make all panels of an experiment, and the sheets that `draw` makes of their records; refuse to write an input."""
    if options.estimate:
        missing, total = estimate_missing(to_make, folder, overwrite=options.overwrite)
        print_total("panel", missing, len(to_make) - missing, total)
        return 0
    check_matplotlib("a contact sheet")
    inputs = {source for one in to_make for source in (one.content, one.style, one.settings.start_picture)}
    outputs = [*files_of(folder, dict.fromkeys(panel.name for panel in to_make)), *sheets]
    check_outputs(outputs, inputs, to_make[0].settings.weights)
    device = to_make[0].settings.device
    largest = max((panel.settings for panel in to_make), key=lambda settings: settings.image_size)
    if largest.side == "longest":  # otherwise only each picture's proportions tell
        say_if_pyramid_is_in_vain(options, scales(largest, (largest.image_size,) * 2))
    progress = PanelProgress(to_make, options.quiet)
    try:
        with open_executor(options.scheduler, device) as executor, progress:
            records = render(
                to_make,
                folder,
                executor,
                overwrite=options.overwrite,
                on_panel=progress.panel,
                on_step=progress.step if isinstance(executor, InThisProcess) else None,
            )
    except KeyboardInterrupt:
        print(
            f"ministyle: interrupted; {progress.done} of {len(to_make)} panels are kept in '{folder}', and the same "
            "command goes on from there",
            file=sys.stderr,
        )
        return 130
    for path in draw(records):
        print(f"sheet: {path}")
    print(f"panels: {folder / 'panels'}, settings and losses: {', '.join(MANIFESTS)} in '{folder}'")
    return 0
