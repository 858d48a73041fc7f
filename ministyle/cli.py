"""The command line: `python -m ministyle`.

The flags of a run and their help are made from `ministyle.settings`. Bad input ends with one sentence on standard error
and exit status 2; a run that had to stop early, or a gradient that is wrong, with 1; everything else with 0.
"""

import argparse
import dataclasses
import importlib.metadata
import os
import platform
import sys
import tempfile
from pathlib import Path

from . import __version__, arrays, gradcheck, image, network, weights
from .errors import MinistyleError
from .settings import PRESETS, Settings
from .transfer import transfer

DEMO_PICTURES = "docs/examples/chelsea.png", "docs/examples/painting.jpg"
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
    changes = {name: value for name, value in vars(options).items() if name in _setting_names()}
    settings = Settings.from_preset(options.preset, **changes)
    output = options.output or Path(f"{Path(options.content).stem}-{Path(options.style).stem}.png")
    image.check_output(output, options.overwrite)
    for picture in (options.content, options.style, settings.init):
        if output.exists() and Path(picture).exists() and output.samefile(picture):
            raise MinistyleError(f"output '{output}' is one of the input pictures; choose another name")
    if options.verbose:
        print(f"weights: {weights.find_weights(settings.weights)}")
    with _Progress(settings.iterations, output, options) as progress:
        result = transfer(options.content, options.style, preset=options.preset, on_step=progress.update, **changes)
    written = _write_result(output, result.image, options.overwrite)
    _report(result)
    height, width, _ = result.image.shape
    print(f"picture: {written} ({width} x {height})")
    return 0 if result.completed else 1


def run_demo(options):
    """Repaint the project's own photograph in the style of the project's own painting."""
    options.content, options.style = (weights.shipped_path(relative) for relative in DEMO_PICTURES)
    print(f"repainting {options.content}\nin the style of {options.style}")
    return run_transfer(options)


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
        from tqdm import tqdm  # here, so that --help does not wait for it

        if self.options.save_every:
            for iteration in range(self.options.save_every, self.iterations + 1, self.options.save_every):
                image.check_output(self._intermediate(iteration), self.options.overwrite)
        # disable=None: no moving line where nobody looks, as in a log file
        disable = True if self.options.quiet or sys.stderr is None else None
        self.bar = tqdm(total=self.iterations, disable=disable, unit="it")
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
    import threadpoolctl

    print(f"ministyle     {__version__}")
    print(f"Python        {platform.python_version()} on {platform.system()} {platform.machine()}")
    for package in ("numpy", "scipy", "pillow", "h5py", "threadpoolctl", "tqdm", "platformdirs"):
        print(f"{package:13} {importlib.metadata.version(package)}")
    for library in threadpoolctl.threadpool_info():
        if library["user_api"] == "blas":
            details = f"{library['version']}, {library.get('architecture')} kernels, {library['num_threads']} threads"
            print(f"BLAS          {library['internal_api']} {details}")
            break
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
    _add_run_flags(command)

    command = _command(commands, "demo", run_demo, "repaint the project's photograph, in about a minute")
    _add_run_flags(command, output=Path("ministyle-demo.png"), **DEMO_SETTINGS)

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


def _add_run_flags(command, output=None, **defaults):
    """Add the flags of a run: those of the command itself, and one for every setting.

    `output` and `defaults` are the command's own defaults, where it has any.
    """
    shown = output or "CONTENT-STYLE.png"
    command.add_argument("-o", "--output", type=Path, help=f"picture to write (default: {shown})")
    command.add_argument("--overwrite", action="store_true", help="replace an existing picture")
    command.add_argument("--preset", choices=PRESETS, default="default", help="defaults to begin with")
    command.add_argument(
        "--print-every", type=_count, metavar="N", help="print the terms of the loss each N iterations"
    )
    command.add_argument("--save-every", type=_count, metavar="N", help="save the picture each N iterations, numbered")
    command.add_argument("-q", "--quiet", action="store_true", help="no progress line")
    command.add_argument("-v", "--verbose", action="store_true", help="say which weights are used")
    group = command.add_argument_group("settings", "Defaults are those of the default preset.")
    for setting in dataclasses.fields(Settings):
        _add_setting(group, setting, defaults.get(setting.name))
    command.set_defaults(output=output, **defaults)


def _add_setting(group, setting, own_default):
    """Add one setting's flag; without the flag, the command's own default counts, or else the preset's."""
    default = ",".join(setting.default) if isinstance(setting.default, tuple) else setting.default
    text = setting.metadata["help"]
    if own_default is not None:
        text += f" (default: {own_default})"
    elif default is not None:
        text += f" (default: {default}; {setting.metadata['source']})"
    flag = "--" + setting.name.replace("_", "-")
    if setting.type is bool:
        group.add_argument(flag, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=text)
    else:
        parse = {tuple: _names, str | tuple: _layer_weights}.get(setting.type, setting.type)
        choices = setting.metadata["choices"]
        metavar = None if choices else setting.name.split("_")[-1].upper()
        group.add_argument(
            flag, type=parse, choices=choices, metavar=metavar, default=argparse.SUPPRESS, help=text.replace("%", "%%")
        )


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
