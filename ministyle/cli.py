"""The command line: `python -m ministyle`.

`flags` says what can be asked for; here it is done. Bad input ends with one sentence on standard error
and exit status 2; a run that had to stop early, or a gradient that is wrong, with 1; everything else with 0.
"""

import dataclasses
import importlib.metadata
import itertools
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

from . import __version__, arrays, features, figures, gradcheck, image, network, panels, sheet, stimuli
from .errors import MinistyleError
from .estimate import estimate, memory_warning
from .executors import InThisProcess, open_executor
from .files import sha256, shipped_path
from .flags import make_parser
from .objective import CONTENT_LAYERS, STYLE_LAYERS
from .pyramid import levels
from .settings import Settings
from .transfer import picture_size, read_pictures, reconstruct_content, reconstruct_style, transfer
from .weights.file import load_weights
from .weights.find import find_weights
from .weights.importing import import_weights
from .weights.means import mean_activations, store_mean_activations

DEMO_PICTURES = "docs/examples/chelsea.png", "docs/examples/painting.jpg"
GRADIENT_WIDTH = 52  # of the column with the gradients' names


def main(arguments=None):
    """Run the command and return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a file name must not break a terminal without its letters
    options = make_parser().parse_args(arguments)
    try:
        status = COMMANDS[options.run](options)
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

    def make(**settings):
        return transfer(*inputs, **settings)

    _, status = _make_one(options, name, make, content=options.content, style=options.style)
    return status


def run_demo(options):
    """Repaint the project's own photograph in the style of the project's own painting."""
    options.content, options.style = (shipped_path(relative) for relative in DEMO_PICTURES)
    print(f"repainting {options.content}\nin the style of {options.style}")
    return run_transfer(options)


def run_content(options):
    """Reconstruct a picture from the activations of a layer."""

    def make(content_layers=CONTENT_LAYERS, **settings):
        return reconstruct_content(options.image, content_layers, **settings)

    result, status = _make_one(options, f"{Path(options.image).stem}-content", make, content=options.image)
    if result is not None:
        original, _ = read_pictures(result.settings, content=options.image)
        print(f"PSNR against the original: {image.psnr(result.image, original):.1f} dB")
    return status


def run_texture(options):
    """Reconstruct a style from Gram matrices."""
    shape = {"size": options.output_size, "tileable": options.tileable}

    def make(style_layers=STYLE_LAYERS, **settings):
        return reconstruct_style(options.image, style_layers, **shape, **settings)

    _, status = _make_one(options, f"{Path(options.image).stem}-texture", make, style=options.image, **shape)
    return status


def _make_one(options, name, make, *, content=None, style=None, size=None, tileable=False):
    """Say what it will take to make a picture; unless no more is asked for, make it, write and report it.

    Parameters
    ----------
    options : the command's flags
    name : str, the output's name, without ending, where none is given
    make : function of preset, on_step and settings that returns a Result
    content, style : paths of the pictures it is made from
    size, tileable : see `transfer.make_picture`

    Returns
    -------
    Result or None, exit status
    """
    changes = _changes(options)
    settings = Settings.from_preset(options.preset, **changes)
    output = options.output or Path(f"{name}.png")
    if not options.estimate:
        image.check_output(output, options.overwrite)
    pictures = read_pictures(settings, content, style)
    whole_size = picture_size(*pictures, size, tileable)
    _warn_of_memory(settings, whole_size, *pictures)
    if options.estimate:
        print(estimate(settings, *pictures, size=size, tileable=tileable))
        return None, 0
    for picture in filter(None, (content, style, settings.init)):
        if output.exists() and Path(picture).exists() and output.samefile(picture):
            raise MinistyleError(f"output '{output}' is one of the input pictures; choose another name")
    if options.verbose:
        print(f"weights: {find_weights(settings.weights)}")
    with _Progress(sum(level.iterations for level in levels(settings, whole_size)), output, options) as progress:
        if not progress.bar.disable:
            progress.bar.write(str(estimate(settings, *pictures, size=size, tileable=tileable)))
        result = make(preset=options.preset, on_step=progress.update, **changes)
    written = _write_result(output, result.image, options.overwrite)
    _report(result)
    height, width, _ = result.image.shape
    print(f"picture: {written} ({width} x {height})")
    return result, 0 if result.completed else 1


def _warn_of_memory(settings, size, content, style):
    """Say where this machine, or its GPU, has not enough memory, and what can be done."""
    import psutil

    on_gpu = arrays.choose_device(settings.device) == "cuda"
    available = arrays.free_gpu_memory() if on_gpu else psutil.virtual_memory().available
    warning = memory_warning(settings, size, content is not None, style is not None, available)
    if warning:
        print(f"ministyle: {warning}", file=sys.stderr)


def _changes(options):
    """Return the settings that were given as flags, or that the command has as its own defaults."""
    names = {setting.name for setting in dataclasses.fields(Settings)}
    return {name: value for name, value in vars(options).items() if name in names}


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
    """Print why the solver stopped and how the loss fell, on the last level the terms of each kind added up."""
    print(result.message)
    by_level = [list(steps) for _, steps in itertools.groupby(result.history, lambda step: step.size)]
    for steps in by_level[:-1]:
        height, width = steps[0].size
        print(f"{f'loss, {width} x {height}':17} {steps[0].loss:10.4g} -> {steps[-1].loss:10.4g}")
    first, last = by_level[-1][0], by_level[-1][-1]
    bands = f", in bands of {result.band_rows} rows" if result.band_rows else ""
    print(f"{last.iteration} iterations, {last.evaluations} evaluations, {last.seconds:.1f} s{bands}")
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
    folder = options.output
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


def _iterations(panel):
    """Return how many iterations a panel takes if it is square; a narrow one may leave out a level of its pyramid."""
    side = panel.settings.image_size
    return sum(level.iterations for level in levels(panel.settings, (side, side)))


class _PanelProgress:
    """The progress line of an experiment, and a printed line for each panel."""

    def __init__(self, to_make, quiet):
        self.total = len(to_make)
        self.iterations = sum(map(_iterations, to_make))
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
        iteration = min(step.iteration, _iterations(panel))
        self.bar.update(self.finished_iterations + iteration - self.bar.n)

    def panel(self, panel, record, made):
        """Print a line for a panel that is finished, or that was there before."""
        self.done += 1
        if made:
            self.finished_iterations += _iterations(panel)
            self.bar.update(self.finished_iterations - self.bar.n)
        else:
            self.bar.total -= _iterations(panel)
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
    """Turn a published file into a weight file."""
    path = import_weights(
        options.file, options.output, dtype=options.dtype, overwrite=options.overwrite, verify=options.verify
    )
    print(f"weights: {path} ({path.stat().st_size / 1e6:.1f} MB)")
    return 0


def run_weights_normalise(options):
    """Measure the mean activations, for the normalised network, over photographs."""
    source = find_weights(options.weights)
    target = load_weights(options.into).path  # before the work: is it a weight file?
    photographs = [image.read_picture(path, options.image_size) for path in options.photographs]
    means = mean_activations(network.load_network(source, device=options.device), photographs)
    circumstances = {
        "mean_activation_photographs": [Path(path).name for path in options.photographs],
        "mean_activation_image_size": options.image_size,
        "mean_activation_pooling": "average",
    }
    store_mean_activations(target, means, circumstances)
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
    for package in ("numpy", "scipy", "pillow", "h5py", "threadpoolctl", "tqdm", "platformdirs", "psutil"):
        print(f"{package:13} {importlib.metadata.version(package)}")
    for blas in arrays.blas_libraries():
        details = f"{blas['version']}, {blas.get('architecture')} kernels, {blas['num_threads']} threads"
        print(f"BLAS          {blas['internal_api']} {details}")
    problem = arrays.gpu_problem()
    print(f"GPU           {arrays.describe_gpu() if problem is None else 'none: ' + problem}")
    print(f"device        {arrays.choose_device('auto')}")
    found = load_weights(options.weights)
    layers = list(found.layers)
    normalised = "with" if found.mean_activations else "without"
    print(f"weights       {found.path}")
    print(f"              {layers[0]} to {layers[-1]}, {found.attributes.get('dtype')}, {normalised} mean activations")
    print(f"              SHA-256 {sha256(found.path)}")
    source, digest = (found.attributes.get(name) for name in ("source_file", "source_sha256"))
    print(f"              made from {source}, SHA-256 {digest}")
    print(f"              {found.attributes.get('license')}")
    return 0


COMMANDS = {
    "transfer": run_transfer,
    "demo": run_demo,
    "content": run_content,
    "texture": run_texture,
    "figure_1": run_figure_1,
    "figure_2": run_figure_2,
    "figure_3": run_figure_3,
    "grid": run_grid,
    "remake": run_remake,
    "compare": run_compare,
    "weights_import": run_weights_import,
    "weights_normalise": run_weights_normalise,
    "gradcheck": run_gradcheck,
    "info": run_info,
}
