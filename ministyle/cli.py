"""The command line: `python -m ministyle`.

The flags of a run and their help are made from `ministyle.settings`. Bad input ends with one sentence on standard error
and exit status 2; a run that had to stop early, or a gradient that is wrong, with 1; everything else with 0.
"""

import argparse
import dataclasses
import importlib.metadata
import math
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

from . import __version__, arrays, features, figures, gradcheck, image, network, panels, sheet, stimuli, weights
from .errors import MinistyleError
from .executors import InThisProcess, open_executor
from .objective import CONTENT_LAYERS, STYLE_LAYERS
from .settings import PRESETS, Settings
from .transfer import read_pictures, reconstruct_content, reconstruct_style, transfer

DEMO_PICTURES = "docs/examples/chelsea.png", "docs/examples/painting.jpg"
DEMO_OUTPUT = "ministyle-demo.png"
GRADIENT_WIDTH = 52  # of the column with the gradients' names
# About a minute on two cores. The painting is one of very strong contrasts: with less of its style the cat stays a cat.
DEMO_SETTINGS = {"image_size": 320, "iterations": 80, "style_weight": 2.0}


def main(arguments=None):
    """Run the command and return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a file name must not break a terminal without its letters
    options = _parser().parse_args(arguments)
    try:
        status = options.run(options)
        sys.stdout.flush()  # here, where a closed pipe is noticed
        return status
    except MinistyleError as error:
        sentence = str(error)
    except MemoryError:
        sentence = "there is not enough memory; try a smaller --image-size"
    except KeyboardInterrupt:
        print("ministyle: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # as in `... | head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:  # a name too long, a full disk
        sentence = f"{error.filename or 'output'}: {error.strerror}"
    print(f"ministyle: {' '.join(sentence.split())}", file=sys.stderr)
    return 2


# Making pictures -------------------------------------------------------------------------------------


def run_transfer(options):
    """Repaint a photograph: the commands `transfer` and `demo`."""
    inputs = options.content, options.style
    name = f"{Path(options.content).stem}-{Path(options.style).stem}"
    _, status = _make_one(options, inputs, name, lambda **settings: transfer(*inputs, **settings))
    return status


def run_demo(options):
    """Repaint the project's own photograph in the style of the project's own painting."""
    options.content, options.style = (weights.shipped_path(relative) for relative in DEMO_PICTURES)
    print(f"repainting {options.content}\nin the style of {options.style}")
    return run_transfer(options)


def run_content(options):
    """Reconstruct a picture from the activations of a layer."""

    def make(content_layers=CONTENT_LAYERS, **settings):
        return reconstruct_content(options.image, content_layers, **settings)

    result, status = _make_one(options, (options.image,), f"{Path(options.image).stem}-content", make)
    original, _ = read_pictures(result.settings, content=options.image)
    print(f"PSNR against the original: {image.psnr(result.image, original):.1f} dB")
    return status


def run_texture(options):
    """Reconstruct a style from Gram matrices."""

    def make(style_layers=STYLE_LAYERS, **settings):
        return reconstruct_style(
            options.image, style_layers, size=options.output_size, tileable=options.tileable, **settings
        )

    _, status = _make_one(options, (options.image,), f"{Path(options.image).stem}-texture", make)
    return status


def _make_one(options, inputs, name, make):
    """Make one picture, write and report it.

    Parameters
    ----------
    options : the command's flags
    inputs : paths of the pictures it is made from
    name : str, the output's name, without ending, where none is given
    make : function of preset, on_step and settings that returns a Result

    Returns
    -------
    Result, exit status
    """
    changes = _changes(options)
    settings = Settings.from_preset(options.preset, **changes)
    output = options.output or Path(f"{name}.png")
    image.check_output(output, options.overwrite)
    for picture in (*inputs, settings.init):
        if output.exists() and Path(picture).exists() and output.samefile(picture):
            raise MinistyleError(f"output '{output}' is one of the input pictures; choose another name")
    if options.verbose:
        print(f"weights: {weights.find_weights(settings.weights)}")
    with _Progress(settings.iterations, output, options) as progress:
        result = make(preset=options.preset, on_step=progress.update, **changes)
    written = _write_result(output, result.image, options.overwrite)
    _report(result)
    height, width, _ = result.image.shape
    print(f"picture: {written} ({width} x {height})")
    return result, 0 if result.completed else 1


def _changes(options):
    """Return the settings that were given as flags, or that the command has as its own defaults."""
    return {name: value for name, value in vars(options).items() if name in _setting_names()}


def _write_result(output, pixels, overwrite):
    """Write the finished picture; where that has become impossible meanwhile, elsewhere rather than not at all."""
    free, number = output, 1
    while free.exists() and not overwrite:
        free, number = output.with_stem(f"{output.stem}-{number}"), number + 1
    try:
        image.write_picture(free, pixels, overwrite)
    except MinistyleError as error:
        print(f"ministyle: {error}", file=sys.stderr)
        free = Path(tempfile.mkdtemp(prefix="ministyle-")) / output.name
        image.write_picture(free, pixels)
    return free


def _report(result):
    """Print why the solver stopped and how the loss fell, the terms of each kind added up."""
    first, last = result.history[0], result.history[-1]
    print(result.message)
    print(f"{last.iteration} iterations, {last.evaluations} evaluations, {last.seconds:.1f} s")
    print(f"{'loss':17} {first.loss:10.4g} -> {last.loss:10.4g}")
    before, after = _by_kind(first.terms), _by_kind(last.terms)
    for kind in before:
        print(f"  {kind:15} {before[kind]:10.4g} -> {after[kind]:10.4g}")


def _by_kind(terms):
    """Add up the layers' terms: "style conv1_1" and "style conv2_1" to "style"."""
    sums = {}
    for name, value in terms.items():
        kind = name.split(" conv")[0]
        sums[kind] = sums.get(kind, 0.0) + value
    return sums


class _Progress:
    """The progress line, and what is printed and saved on the way."""

    def __init__(self, iterations, output, options):
        self.iterations = iterations
        self.output = output
        self.options = options

    def __enter__(self):
        if self.options.save_every:
            for iteration in range(self.options.save_every, self.iterations + 1, self.options.save_every):
                image.check_output(self._intermediate(iteration), self.options.overwrite)
        self.bar = _bar(self.iterations, self.options.quiet)
        return self

    def __exit__(self, *_):
        self.bar.close()

    def update(self, step, pixels):
        """Show where the optimisation stands; called after every iteration."""
        self.bar.set_postfix_str(f"loss {step.loss:.4g}, {step.evaluations} evaluations")
        self.bar.update(step.iteration - self.bar.n)
        if self._due(step, self.options.print_every):
            self._print(step)
        if step.iteration and self._due(step, self.options.save_every):
            self._save(step, pixels)

    @staticmethod
    def _due(step, every):
        return bool(every) and step.iteration % every == 0

    def _print(self, step):
        """Print the terms of the loss; once nobody reads them any more, no further."""
        terms = "  ".join(f"{name} {value:.4g}" for name, value in step.terms.items())
        try:
            self.bar.write(f"iteration {step.iteration}: loss {step.loss:.6g}  {terms}")
        except OSError:
            self.options.print_every = None

    def _save(self, step, pixels):
        """Save the picture as it is now; that this fails is no reason to end the run."""
        try:
            image.write_picture(self._intermediate(step.iteration), pixels, self.options.overwrite)
        except MinistyleError as error:
            print(f"ministyle: {error}", file=sys.stderr)

    def _intermediate(self, iteration):
        digits = len(str(self.iterations))
        return self.output.with_stem(f"{self.output.stem}-{iteration:0{digits}}")


def _bar(iterations, quiet):
    """Return a progress line."""
    from tqdm import tqdm  # here, so that --help does not wait for it

    # disable=None: no moving line where nobody looks, as in a log file
    return tqdm(total=iterations, disable=True if quiet or sys.stderr is None else None, unit="it")


# Experiments -----------------------------------------------------------------------------------------


def run_figure_1(options):
    """Make figure 1: reconstructions of content and of style."""
    settings = Settings.from_preset(options.preset, **_changes(options))
    figure = figures.figure_1(options.photo, options.painting, settings=settings, originals=options.originals)
    return _run_figure(options, figure)


def run_figure_2(options):
    """Make figure 2: one photograph in several styles."""
    settings = Settings.from_preset(options.preset, **_changes(options))
    figure = figures.figure_2(
        options.photo, options.paintings, settings=settings, ratios=options.ratios, originals=options.originals
    )
    return _run_figure(options, figure)


def run_figure_3(options):
    """Make figure 3: style layers by alpha/beta."""
    settings = Settings.from_preset(options.preset, **_changes(options))
    figure = figures.figure_3(options.photo, options.painting, settings=settings, ratios=options.ratios)
    return _run_figure(options, figure)


def _run_figure(options, figure):
    folder = options.output or Path(figure.name)
    return _run_experiment(options, figure.panels, folder, lambda records: [figures.draw(figure, folder, records)])


def run_grid(options):
    """Make a factorial design of stimuli."""
    to_make = stimuli.design(
        stimuli.pictures_in(options.content),
        stimuli.pictures_in(options.style),
        settings=Settings.from_preset(options.preset, **_changes(options)),
        ratios=options.ratios,
        layers=[stimuli.parse_layers(text) for text in options.layers],
        seeds=options.seeds,
    )
    folder = options.output
    return _run_experiment(options, to_make, folder, lambda records: stimuli.draw_sheets(to_make, folder, records))


def _run_experiment(options, to_make, folder, draw):
    """Make all panels of an experiment, and whatever `draw` makes of their records."""
    sheet.check_matplotlib()
    device = to_make[0].settings.device
    progress = _PanelProgress(to_make, options.quiet)
    try:
        with open_executor(options.scheduler, device) as executor, progress:
            records = panels.render(
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
    print(f"panels: {folder / 'panels'}, settings and losses: {', '.join(panels.MANIFESTS)} in '{folder}'")
    return 0


class _PanelProgress:
    """The progress line of an experiment, and a printed line for each panel."""

    def __init__(self, to_make, quiet):
        self.total = len(to_make)
        self.iterations = sum(panel.settings.iterations for panel in to_make)
        self.quiet = quiet
        self.done = 0
        self.finished_iterations = 0

    def __enter__(self):
        self.bar = _bar(self.iterations, self.quiet)
        self.last = time.monotonic()
        return self

    def __exit__(self, *_):
        self.bar.close()

    def step(self, panel, step, pixels):
        """Show how far the present panel is."""
        self.bar.set_postfix_str(f"{panel.name}: loss {step.loss:.4g}")
        self.bar.update(self.finished_iterations + step.iteration - self.bar.n)

    def panel(self, panel, record, made):
        """Print a line for a panel that is finished, or that was there before."""
        self.done += 1
        if made:
            self.finished_iterations += panel.settings.iterations
            self.bar.update(self.finished_iterations - self.bar.n)
        else:
            self.bar.total -= panel.settings.iterations
        now = time.monotonic()
        seconds, self.last = now - self.last, now
        losses = "  ".join(f"{kind} {value:.4g}" for kind, value in record["losses"].items())
        how = f"{seconds:.1f} s" if made else "was there"
        self.bar.write(f"{self.done} of {self.total}  {panel.name}  {losses}  ({how})")


def run_remake(options):
    """Make one panel again from its record, and say whether it is the same."""
    image.check_output(options.output, options.overwrite)
    picture, record, original = panels.remake(
        options.manifest,
        options.name,
        content=options.content,
        style=options.style,
        init=options.init,
        weights=options.weights,
    )
    written = _write_result(options.output, picture, options.overwrite)
    same = record["picture_sha256"] == original["picture_sha256"]
    print(f"picture: {written}, {'the same as' if same else 'NOT the same as'} {original['name']}, bit for bit")
    for name, before in original["software"].items():
        if record["software"].get(name) != before:
            print(f"{name}: {before} then, {record['software'].get(name)} now")
    return 0 if same else 1


def run_compare(options):
    """Print how far apart two pictures are, layer by layer."""
    net = network.load_network(
        options.weights, pooling=options.pooling, normalised=options.normalised, device=options.device
    )
    distances = features.compare(
        options.picture, options.reference, options.layers, image_size=options.image_size, network=net
    )
    print(f"{'layer':8}  {'content':>10}  relative  {'style':>10}  relative")
    for one in distances:
        content, style = (
            f"{value:10.4g}  {part:8.3f}"
            for value, part in ((one.content, one.relative_content), (one.style, one.relative_style))
        )
        print(f"{one.layer:8}  {content}  {style}")
    return 0


# Weights, gradients, information ---------------------------------------------------------------------


def run_weights_import(options):
    """Make a weight file out of the one that Keras publishes."""
    path = weights.import_weights(
        options.file, options.output, dtype=options.dtype, overwrite=options.overwrite, verify=options.verify
    )
    print(f"weights: {path} ({path.stat().st_size / 1e6:.1f} MB)")
    return 0


def run_weights_normalise(options):
    """Measure the mean activations, for the normalised network, over photographs."""
    source = weights.find_weights(options.weights)
    target = weights.load_weights(options.into).path  # before the work: is it a weight file?
    photographs = [image.read_picture(path, options.image_size) for path in options.photographs]
    means = network.mean_activations(network.load_network(source, device=options.device), photographs)
    circumstances = {
        "mean_activation_photographs": [Path(path).name for path in options.photographs],
        "mean_activation_image_size": options.image_size,
        "mean_activation_pooling": "average",
    }
    weights.store_mean_activations(target, means, circumstances)
    print(f"mean activations of {len(means)} layers over {len(photographs)} photographs: {target}")
    return 0


def run_gradcheck(options):
    """Print the table of gradient checks."""
    to_do = gradcheck.check_gradients(
        options.weights,
        size=options.size,
        directions=options.directions,
        seed=options.seed,
        device=options.device,
        convolution=options.convolution,
    )
    print(f"{'gradient':{GRADIENT_WIDTH}}  method     error    allowed")
    checks = []
    for check in to_do:
        checks.append(check)
        verdict = "ok" if check.passed else "WRONG"
        numbers = f"{check.error:.1e}  {check.tolerance:.0e}"
        print(f"{check.name:{GRADIENT_WIDTH}}  {check.method:9}  {numbers}  {verdict}", flush=True)
    wrong = sum(not check.passed for check in checks)
    print(f"{len(checks)} checks, {wrong} wrong")
    return 1 if wrong else 0


def run_info(options):
    """Print what a report of a problem should contain."""
    print(f"ministyle     {__version__}")
    print(f"Python        {platform.python_version()} on {platform.system()} {platform.machine()}")
    for package in ("numpy", "scipy", "pillow", "h5py", "threadpoolctl", "tqdm", "platformdirs"):
        print(f"{package:13} {importlib.metadata.version(package)}")
    for blas in arrays.blas_libraries():
        details = f"{blas['version']}, {blas.get('architecture')} kernels, {blas['num_threads']} threads"
        print(f"BLAS          {blas['internal_api']} {details}")
    problem = arrays.gpu_problem()
    print(f"GPU           {arrays.describe_gpu() if problem is None else 'none: ' + problem}")
    print(f"device        {arrays.choose_device('auto')}")
    found = weights.load_weights(options.weights)
    layers = list(found.layers)
    normalised = "with" if found.mean_activations else "without"
    print(f"weights       {found.path}")
    print(f"              {layers[0]} to {layers[-1]}, {found.attributes.get('dtype')}, {normalised} mean activations")
    print(f"              SHA-256 {weights.sha256(found.path)}")
    source, digest = (found.attributes.get(name) for name in ("source_file", "source_sha256"))
    print(f"              made from {source}, SHA-256 {digest}")
    print(f"              {found.attributes.get('license')}")
    return 0


# Flags -----------------------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    """An argument parser that complains in one sentence."""

    def error(self, message):
        self.exit(2, f"ministyle: {message}; see '{self.prog} --help'\n")


def _parser():
    description = "Repaint a photograph in the style of a painting (Gatys, Ecker, Bethge 2015)."
    parser = _Parser(prog="ministyle", description=description)
    parser.add_argument("--version", action="version", version=f"ministyle {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    command = _command(commands, "transfer", run_transfer, "repaint a photograph in the style of a painting")
    command.add_argument("content", help="the photograph")
    command.add_argument("style", help="the painting")
    _add_run_flags(command, "CONTENT-STYLE.png")

    command = _command(commands, "demo", run_demo, "repaint the project's photograph, in about a minute")
    _add_run_flags(command, DEMO_OUTPUT, own_output=Path(DEMO_OUTPUT), **DEMO_SETTINGS)

    command = _command(commands, "content", run_content, "reconstruct a picture from one layer's activations")
    command.add_argument("image", help="the picture")
    _add_run_flags(
        command,
        "IMAGE-content.png",
        preset="content-reconstruction",
        leave_out=("style_size", "style_weight", "style_layers", "style_layer_weights"),
        flags={"content_layers": "--layer"},
    )

    command = _command(commands, "texture", run_texture, "reconstruct a style from Gram matrices: make a texture")
    command.add_argument("image", help="the painting, or whatever has the texture")
    command.add_argument(
        "--output-size", type=_size, metavar="WIDTHxHEIGHT", help="in pixels (default: as the picture after scaling)"
    )
    command.add_argument(
        "--tileable", action="store_true", help="let opposite edges fit, so that copies side by side show no seam"
    )
    _add_run_flags(
        command,
        "IMAGE-texture.png",
        preset="texture",
        leave_out=("style_size", "content_weight", "content_layers"),
        flags={"style_layers": "--layers"},
    )

    command = _command(commands, "figure", None, "make the paper's figures 1 to 3 from your own pictures")
    _add_figure_commands(command.add_subparsers(dest="number", required=True, metavar="NUMBER"))

    command = _command(commands, "grid", run_grid, "make a factorial design of stimuli, every combination")
    _add_grid_flags(command)

    command = _command(commands, "remake", run_remake, "make one panel of a figure or grid again, from its record")
    command.add_argument("manifest", type=Path, help="manifest.json of the figure or grid, or one panel's own record")
    command.add_argument("name", nargs="?", help="the panel's name")
    command.add_argument("-o", "--output", type=Path, required=True, help="picture to write")
    command.add_argument("--overwrite", action="store_true", help="replace an existing picture")
    for role in ("content", "style", "init"):
        command.add_argument(f"--{role}", help=f"the {role} picture, where it is no longer where the record says")
    command.add_argument("--weights", help="weight file (default: the one that 'info' shows)")

    command = _command(commands, "compare", run_compare, "show how far apart two pictures are, layer by layer")
    command.add_argument("picture", help="the picture to be judged")
    command.add_argument("reference", help="the picture it is compared with")
    command.add_argument(
        "--layers", type=_names, default=features.COMPARED_LAYERS, help="(default: those of the default preset)"
    )
    command.add_argument("--image-size", type=_count, default=384, help="longest side in pixels (default: 384)")
    command.add_argument("--pooling", choices=network.POOLING, default="average", help="(default: average)")
    command.add_argument(
        "--normalised", action=argparse.BooleanOptionalAction, default=True, help="which network (default: normalised)"
    )
    _add_weights_and_device(command)

    command = _command(commands, "gradcheck", run_gradcheck, "check all gradients against finite differences")
    command.add_argument("--size", type=int, default=32, help="side in pixels of the picture used (default: 32)")
    command.add_argument("--directions", type=int, default=3, help="random directions for each check (default: 3)")
    command.add_argument("--seed", type=int, default=0, help="of everything random (default: 0)")
    command.add_argument(
        "--convolution", choices=network.CONVOLUTIONS, default="direct", help="which convolution (default: direct)"
    )
    _add_weights_and_device(command)

    command = _command(commands, "weights", None, "make weight files")
    _add_weights_commands(command.add_subparsers(dest="action", required=True, metavar="ACTION"))

    command = _command(commands, "info", run_info, "show versions, BLAS, GPU and the weights found")
    command.add_argument("--weights", help="weight file to look at instead of the one found")
    return parser


def _command(commands, name, run, summary):
    command = commands.add_parser(
        name, help=summary, description=summary[0].upper() + summary[1:] + ".", allow_abbrev=False
    )
    command.set_defaults(run=run)
    return command


RATIO_SETTINGS = "content_weight", "style_weight"  # set from the ratio alpha/beta
# With strong noise the start can be seen in the panels; see docs/deviations.md.
EXPERIMENT = {"preset": "gatys2015", "noise_deviation": 25.0}


def _add_figure_commands(numbers):
    command = _command(numbers, "1", run_figure_1, "content and style reconstructions from five layers")
    command.add_argument("photo", help="the picture for the content reconstructions")
    command.add_argument("painting", help="the picture for the style reconstructions")
    left_out = (*RATIO_SETTINGS, "content_layers", "style_layers", "style_layer_weights", "style_size")
    _add_experiment_flags(command, Path("figure1"), preset="texture", leave_out=(*left_out, "normalised"))
    _add_originals_flag(command)

    command = _command(numbers, "2", run_figure_2, "one photograph in several styles")
    command.add_argument("photo", help="the photograph")
    command.add_argument("paintings", nargs="+", metavar="painting", help="the paintings")
    _add_experiment_flags(command, Path("figure2"), leave_out=RATIO_SETTINGS, **EXPERIMENT)
    _add_ratios_flag(command, (figures.RATIO,), "one for all paintings, or one for each")
    _add_originals_flag(command)

    command = _command(numbers, "3", run_figure_3, "growing sets of style layers by alpha/beta")
    command.add_argument("photo", help="the photograph")
    command.add_argument("painting", help="the painting")
    left_out = (*RATIO_SETTINGS, "style_layers", "style_layer_weights")
    _add_experiment_flags(command, Path("figure3"), leave_out=left_out, iterations=200, **EXPERIMENT)
    _add_ratios_flag(command, figures.RATIOS, "a column each")


def _add_grid_flags(command):
    command.add_argument("--content", required=True, metavar="DIR", help="folder of photographs, or one picture")
    command.add_argument("--style", required=True, metavar="DIR", help="folder of paintings, or one picture")
    command.add_argument(
        "--layers",
        type=_names,
        default=(str(len(STYLE_LAYERS)),),
        metavar="SETS",
        help="sets of style layers, separated by commas: 1 to 5 for the paper's first one to five, or names joined by "
        "+ (default: 5)",
    )
    command.add_argument("--seeds", type=_seeds, default=(0,), help="of the noise, separated by commas (default: 0)")
    _add_ratios_flag(command, (figures.RATIO,), "as many as you like")
    left_out = (*RATIO_SETTINGS, "style_layers", "seed")
    _add_experiment_flags(command, Path("stimuli"), leave_out=left_out, **EXPERIMENT)


def _add_originals_flag(command):
    command.add_argument(
        "--no-originals",
        dest="originals",
        action="store_false",
        help="leave the pictures it is made from out of the figure, where they may not be passed on",
    )


def _add_ratios_flag(command, default, what):
    command.add_argument(
        "--ratios",
        type=_ratios,
        default=default,
        help=f"alpha/beta, separated by commas: {what} (default: {','.join(f'{ratio:g}' for ratio in default)})",
    )


def _add_experiment_flags(command, folder, *, preset, leave_out=(), **defaults):
    """Add the flags that figures and grids have in common."""
    command.add_argument("-o", "--output", type=Path, default=folder, help=f"folder (default: {folder})")
    command.add_argument(
        "--overwrite", action="store_true", help="make those panels again that are there with other settings"
    )
    command.add_argument(
        "--scheduler", metavar="ADDRESS", help="make the panels on a Dask cluster, such as tcp://10.0.0.1:8786"
    )
    command.add_argument("-q", "--quiet", action="store_true", help="no progress line")
    _add_settings(command, preset, leave_out, **defaults)


def _add_run_flags(command, output, *, own_output=None, preset="default", leave_out=(), flags=None, **defaults):
    """Add the flags of a command that makes one picture.

    Parameters
    ----------
    command : parser
    output : str, the output's name as the help shows it
    own_output : path, the output's name, where it does not depend on the pictures
    preset, leave_out, flags, **defaults : see `_add_settings`
    """
    command.add_argument("-o", "--output", type=Path, default=own_output, help=f"picture to write (default: {output})")
    command.add_argument("--overwrite", action="store_true", help="replace an existing picture")
    command.add_argument(
        "--print-every", type=_count, metavar="N", help="print the terms of the loss each N iterations"
    )
    command.add_argument("--save-every", type=_count, metavar="N", help="save the picture each N iterations, numbered")
    command.add_argument("-q", "--quiet", action="store_true", help="no progress line")
    command.add_argument("-v", "--verbose", action="store_true", help="say which weights are used")
    _add_settings(command, preset, leave_out, flags, **defaults)


def _add_settings(command, preset, leave_out=(), flags=None, **defaults):
    """Add a flag for every setting, and one for the preset.

    Parameters
    ----------
    command : parser
    preset : str, the preset that the command begins with
    leave_out : names of settings that mean nothing here
    flags : dict, setting's name -> flag, where it has another name here
    **defaults : settings with a default of the command's own
    """
    command.add_argument(
        "--preset", choices=PRESETS, default=preset, help=f"defaults to begin with (default: {preset})"
    )
    group = command.add_argument_group("settings", f"Defaults are those of the preset {preset}.")
    shown = {**PRESETS[preset], **defaults}
    for setting in dataclasses.fields(Settings):
        if setting.name not in leave_out:
            flag = (flags or {}).get(setting.name, "--" + setting.name.replace("_", "-"))
            _add_setting(group, flag, setting, shown.get(setting.name))
    command.set_defaults(**defaults)


def _add_setting(group, flag, setting, own_default):
    """Add one setting's flag; without the flag, the command's own default counts, or else the preset's."""
    default = ",".join(setting.default) if isinstance(setting.default, tuple) else setting.default
    text = setting.metadata["help"]
    if own_default is not None:
        text += f" (default: {own_default})"
    elif default is not None:
        text += f" (default: {default}; {setting.metadata['source']})"
    options = {"dest": setting.name, "default": argparse.SUPPRESS, "help": text.replace("%", "%%")}
    if setting.type is bool:
        group.add_argument(flag, action=argparse.BooleanOptionalAction, **options)
    else:
        parse = {tuple: _names, str | tuple: _layer_weights}.get(setting.type, setting.type)
        choices = setting.metadata["choices"]
        metavar = None if choices else setting.name.split("_")[-1].upper()
        group.add_argument(flag, type=parse, choices=choices, metavar=metavar, **options)


def _add_weights_commands(actions):
    command = _command(actions, "import", run_weights_import, "make a weight file out of the one that Keras publishes")
    command.add_argument("file", help=weights.KERAS_FILE)
    command.add_argument("-o", "--output", type=Path, help="file to write (default: depends on --dtype)")
    command.add_argument(
        "--dtype",
        choices=weights.DTYPES,
        default="float16",
        help="float16: conv1_1 to conv5_1 for the project's weights/ (default); float32: all layers, exactly, into the "
        "user's data folder, where they are found from then on",
    )
    command.add_argument("--overwrite", action="store_true", help="replace an existing file")
    command.add_argument(
        "--no-verify", dest="verify", action="store_false", help="accept a file that is not the published one"
    )
    command = _command(actions, "normalise", run_weights_normalise, "measure the mean activations over photographs")
    command.add_argument("photographs", nargs="+", metavar="PHOTOGRAPH")
    command.add_argument("--image-size", type=_count, default=384, help="longest side in pixels (default: 384)")
    command.add_argument("--into", required=True, help="weight file to store them in, in place of those it has")
    _add_weights_and_device(command)


def _add_weights_and_device(command):
    command.add_argument("--weights", help="weight file (default: the one that 'info' shows)")
    command.add_argument("--device", choices=arrays.DEVICES, default="auto", help="where to compute (default: auto)")


def _setting_names():
    return {setting.name for setting in dataclasses.fields(Settings)}


def _count(text):
    """Parse a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def _names(text):
    """Parse names separated by commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _layer_weights(text):
    """Parse a rule's name, or numbers separated by commas."""
    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError:
        return text


def _size(text):
    """Parse a size, "512x384" or "512" for a square, as (height, width)."""
    width, _, height = text.lower().partition("x")
    return _count(height or width), _count(width)


def _numbers(text, kind, what):
    """Parse numbers separated by commas."""
    try:
        return tuple(kind(number) for number in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not {what} separated by commas") from None


def _ratios(text):
    """Parse numbers greater than 0, separated by commas."""
    ratios = _numbers(text, float, "numbers")
    if not all(0 < ratio < math.inf for ratio in ratios):
        raise argparse.ArgumentTypeError(f"{text!r} must be numbers greater than 0 and finite")
    return ratios


def _seeds(text):
    """Parse whole numbers separated by commas."""
    return _numbers(text, int, "whole numbers")
