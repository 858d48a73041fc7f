"""Settings: values of every type as settings, arguments of functions, sizes, and flags of command lines."""

import dataclasses
import functools
import math
import shlex
import sys
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import mutators
import numpy as np
from attack_records import StartedError, pictures
from kind import Kind, WrongResultError

PRESET_NAMES = ("default", "gatys2015", "gatys-pytorch", "texture", "content-reconstruction")
NUMBERS = (
    "0",
    "1",
    "-1",
    "2",
    "16",
    "0.5",
    "1e9",
    "1e309",
    "nan",
    "inf",
    "-inf",
    "0x10",
    "1_000",
    "\uff11\uff12",
    "²",
    "٣",
    " 3 ",
)
WORDS = (
    *(text for text in mutators.TEXTS if "\0" not in text),
    *NUMBERS,
    "9" * 5000,
    "1,2,,3",
    ",",
    "2GB",
    "1e400GB",
    "GB",
    "4 mb",
)
NO_OUTPUTS = (
    "",
    ".",
    "/",
    "/dev/null",
    "/nonexistent/a.png",
    "a.xyz",
    "x" * 300 + ".png",
    "photo.png/a.png",
)
COMMANDS = ("transfer", "content", "texture", "grid", "remake", "compare", "info", "demo")
LEFT_OUT = ("--scheduler", "--help", "-h", "-o", "--output")  # a network; and what is given at the end
GIVEN = ("photo.png", "painting.png", "mask.png")


@dataclass(frozen=True)
class Call:
    """A call of the package.

    Attributes
    ----------
    what : str, a key of `CALLS`
    values : what it takes
    """

    what: str
    values: object


class Text(str):
    """A text of a class of its own."""


class Odd:
    """Something that no function expects, and that has no hash."""

    __hash__ = None

    def __repr__(self):
        return "Odd()"


def odd_value(random):
    """Return a value of some type, seldom a sensible one."""
    plain = mutators.value(random)
    picture = np.arange(96, dtype=np.float32).reshape(4, 8, 3)
    others = (
        lambda: np.float32(random.choice((0, 0.5, 1, 1e30, math.nan, math.inf))),
        lambda: np.int64(random.choice(mutators.INTEGERS)),
        lambda: np.bool_(True),
        lambda: np.array(random.choice((0, 1.5, math.nan))),
        lambda: np.array([1.0, 2.0]),
        lambda: picture.astype(random.choice((np.uint8, np.float64, np.complex64, bool, np.int8))),
        lambda: picture[:, :, : random.choice((0, 1, 2))],
        lambda: np.full((3, 4, 3), random.choice((math.nan, 1e38, -1, 0.5)), np.float32),
        lambda: Fraction(1, 3),
        lambda: Decimal(random.choice(("0.5", "NaN", "1e9999"))),
        lambda: 1j,
        lambda: b"bytes",
        lambda: bytearray(b"\x89PNG\r\n\x1a\n"),
        lambda: Path(random.choice(mutators.TEXTS)),
        lambda: {1, 2},
        lambda: range(3),
        lambda: (1, 2, "three"),
        lambda: tuple(mutators.value(random) for _ in range(random.randrange(4))),
        lambda: [odd_value(random) for _ in range(random.randrange(3))],
        lambda: Text("noise"),
        lambda: len,
        lambda: Odd(),
        lambda: int,
        lambda: random.choice(NUMBERS),
    )
    return plain if random.random() < 0.4 else random.choice(others)()


def right_value(random, field):
    """Return a value that a setting may have, by its declaration."""
    from ministyle.settings import Numbers, choices_of, kind_of

    choices, kind = choices_of(field), kind_of(field)
    low = field.metadata["minimum"] or 0
    high = min(field.metadata["maximum"], 64 if kind is int else low + 10)
    if choices:
        return random.choice(choices)
    if kind is bool:
        return random.random() < 0.5
    if kind is int:
        return random.randint(low, max(low, high))
    if kind is float:
        return random.uniform(low, high)
    if field.type == Numbers | None:
        return tuple(random.uniform(max(low, 0.1), min(high, 3)) for _ in range(random.randint(1, 2)))
    return field.default


def some_settings(random):
    """Return some settings, each right or odd, name -> value."""
    from ministyle.settings import Settings

    fields = dataclasses.fields(Settings)
    chosen = random.sample(fields, random.choice((1, 1, 2, 5, len(fields))))
    oddness = random.choice((0, 0.1, 0.5, 1))
    return {
        field.name: odd_value(random) if random.random() < oddness else right_value(random, field) for field in chosen
    }


def mutate(random, seed, seeds):
    """Return another call of the same function."""
    make = {
        "settings": lambda: some_settings(random),
        "preset": lambda: (_odd_or(random, 0.1, random.choice(PRESET_NAMES)), _perhaps_unknown(random)),
        "transfer": lambda: _arguments(random),
        "sizes": lambda: _sizes(random),
        "command": lambda: _words(random),
    }
    return Call(seed.what, make[seed.what]())


def _perhaps_unknown(random):
    """Return some settings, seldom with one that there is not."""
    unknown = random.choice(("no_such", "", "style_weigth", "\x1b[2J"))
    return some_settings(random) | ({unknown: 1} if random.random() < 0.1 else {})


def _odd_or(random, oddness, value):
    return odd_value(random) if random.random() < oddness else value


def _arguments(random):
    """Return a function's name, its arguments and its settings."""
    settings = {"image_size": random.choice((16, 20, 32)), **some_settings(random)}
    function = random.choice(("transfer", "transfer", "reconstruct_style", "reconstruct_content", "estimate_transfer"))
    taken = {
        "transfer": lambda: {
            "content": _odd_or(random, 0.1, "photo.png"),
            "style": _odd_or(random, 0.15, random.choice(("painting.png", ["painting.png", "photo.png"]))),
            "content_mask": _odd_or(
                random, 0.2, random.choice((None, None, "mask.png", "alpha", ["mask.png", "mask.png"]))
            ),
        },
        "reconstruct_style": lambda: {
            "image": _odd_or(random, 0.1, "painting.png"),
            "layers": _odd_or(random, 0.3, ("conv1_1", "conv2_1")),
            "size": _odd_or(random, 0.5, random.choice((None, (20, 32), [16, 16], (2**31, 1)))),
            "tileable": _odd_or(random, 0.1, random.random() < 0.5),
        },
        "reconstruct_content": lambda: {
            "image": _odd_or(random, 0.1, "photo.png"),
            "layer": _odd_or(random, 0.4, "conv2_1"),
        },
    }
    arguments = taken.get(function, taken["transfer"])()
    if random.random() < 0.3:
        arguments["preset"] = _odd_or(random, 0.2, random.choice(PRESET_NAMES))
    return function, arguments, {name: value for name, value in settings.items() if name not in arguments}


def _sizes(random):
    """Return a picture's (height, width), a size and a side; or a text that should be a size."""
    if random.random() < 0.4:
        return random.choice(
            (*WORDS, f"{random.randint(-1, 999)}x{random.randint(-1, 999)}", "5x", "x", "x5", "1x2x3", "3X4")
        )
    shape = tuple(random.choice((1, 2, 3, 7, 30, 1999, 65500)) for _ in range(2))
    return (
        shape,
        random.choice((1, 2, 16, 17, 500, 65500, 0, -1)),
        random.choice(("longest", "shortest", "longest", "shortest", "", "\x1b[2J")),
    )


def _words(random):
    """Return the words of a command line; names of pictures stand for the files that there are."""
    command = random.choice(COMMANDS)
    words = [command]
    some = [
        random.choice(GIVEN) if random.random() < 0.85 else random.choice(WORDS)
        for _ in range(random.choice((1, 1, 2, 3)))
    ]
    own = {
        "transfer": ["photo.png", random.choice(GIVEN)] if random.random() < 0.8 else some,
        "grid": ["--content", "photo.png", "--style", random.choice(GIVEN)],
        "compare": ["photo.png", random.choice(GIVEN)],
        "demo": ["--image-size", "16"],
    }
    words += own.get(command, some[:1])
    flags = flags_of(command)
    oddness = random.choice((0.1, 0.5, 1))
    for flag, action in random.sample(sorted(flags.items()), min(len(flags), random.choice((0, 1, 2, 4)))):
        words.append(flag)
        if action.nargs == 0:
            continue
        for _ in range(random.choice((1, 1, 2)) if action.nargs == "+" else 1):
            words.append(str(_right_word(random, action)) if random.random() > oddness else random.choice(WORDS))
    if command in ("compare", "info"):
        return words
    good = {"grid": "OUTPUT/grid"}.get(
        command, random.choice(("OUTPUT/a.png", "OUTPUT/a.jpg", "OUTPUT/a.tif", "OUTPUT/a.gif"))
    )
    odd = random.random() < 0.1 and command != "grid"
    return [*words, "-o", random.choice(NO_OUTPUTS) if odd else good]


def _right_word(random, action):
    """Return a word that a flag may take, by its choices or the names of what it takes."""
    if action.choices:
        return random.choice(tuple(action.choices))
    return random.choice(
        ("16", "32", "1", "0.5", "0", "conv1_1", "conv1_1,conv2_1", "0.1,0.2", "mask.png", "alpha", "2GB", "noise")
    )


@functools.cache
def flags_of(command):
    """Return the flags of a command, flag -> action of the parser."""
    from ministyle.command import make_parser

    commands = next(action for action in make_parser()._actions if action.dest == "command")
    flags = commands.choices[command]._option_string_actions
    return {flag: action for flag, action in flags.items() if flag not in LEFT_OUT}


def make_seeds():
    """Return valid calls of all sorts."""
    photo = ["transfer", "photo.png", "painting.png", "--image-size", "16", "-o", "OUTPUT/a.png"]
    both = {"content": "photo.png", "style": "painting.png"}
    return [
        Call("settings", {}),
        Call("preset", ("gatys2015", {"iterations": 3})),
        Call("transfer", ("transfer", both, {"image_size": 16})),
        Call("sizes", ((30, 20), 16, "longest")),
        Call("command", photo),
    ]


# What is done with them ----------------------------------------------------------------------------------


def consume(call, place):
    """Make the call, up to where the network would be needed."""
    CALLS[call.what](call.values, place)


def _settings(values, place):
    from ministyle.settings import Settings

    check_settings(Settings(**values))


def _preset(values, place):
    from ministyle.settings import Settings

    preset, changes = values
    check_settings(Settings.from_preset(preset, **changes))


def check_settings(settings):
    """Refuse settings that are outside their limits, or that a record does not bring back."""
    from ministyle.jobs.record import NOT_RECORDED, as_read, settings_from, settings_to_record
    from ministyle.settings import Settings

    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, int | float) and not _within(number, field.metadata):
                raise WrongResultError(f"{field.name} is {value!r}")
            if type(number) not in (int, float, bool, str, type(None)) and field.name not in ("init", "weights"):
                raise WrongResultError(f"{field.name} holds a {type(number).__name__}: {value!r}")
    repr(settings)
    hash(settings)
    default = Settings()
    plain = dataclasses.replace(settings, **{name: getattr(default, name) for name in NOT_RECORDED})
    if isinstance(plain.init, str):  # not a picture, which a record has no room for
        if settings != dataclasses.replace(settings):
            raise WrongResultError(f"settings differ from themselves: {settings!r}")
        back = settings_from({"settings": as_read(settings_to_record(plain))}, "of a test")
        if back != plain:
            raise WrongResultError(f"{plain!r} come back from a record as {back!r}")


def _within(number, limits):
    low = -math.inf if limits["minimum"] is None else limits["minimum"]
    return math.isfinite(number) and low <= number <= limits["maximum"]


def _transfer(values, place):
    import ministyle

    function, arguments, settings = values
    here = {name: _in_place(value, place) for name, value in {**arguments, **settings}.items()}
    try:
        getattr(ministyle, function)(**here)
    except StartedError:
        return


def _in_place(value, place):
    """Return a value in which the names of pictures are the paths that they have here."""
    if isinstance(value, list):
        return [_in_place(part, place) for part in value]
    return str(place.input / value) if isinstance(value, str) and value in GIVEN else value


def _sizes_consumed(values, place):
    import argparse

    from ministyle.command import parser
    from ministyle.pictures.sizes import size_to_fit

    if isinstance(values, str):
        for parse in (parser.size, parser.count, parser.seconds):
            try:
                result = parse(values)
            except (argparse.ArgumentTypeError, ValueError):  # which `argparse` makes sentences of
                continue
            if not all(0 <= number < math.inf for number in (result if isinstance(result, tuple) else (result,))):
                raise WrongResultError(f"{parse.__name__} makes {result!r} of {values!r}")
        return
    shape, size, side = values
    result = size_to_fit(shape, size, side)
    reference = max(shape) if side == "longest" else min(shape)
    for length, fitted in zip(shape, result, strict=True):
        exact = Fraction(length) * Fraction(size) / reference
        if not (isinstance(fitted, int) and fitted >= 1 and (fitted == 1 or abs(fitted - exact) <= Fraction(1, 2))):
            raise WrongResultError(f"size_to_fit{values} is {result}")


def _command(words, place):
    words = [str(place.input / word) if word in GIVEN else word.replace("OUTPUT", str(place.output)) for word in words]
    try:
        place.run(words)
    except StartedError:
        place.printed()


CALLS = {"settings": _settings, "preset": _preset, "transfer": _transfer, "sizes": _sizes_consumed, "command": _command}


def files(call):
    """Return the pictures, and the call as text."""
    text = shlex.join(call.values) if call.what == "command" else repr(call.values)
    return {**pictures(), "call.txt": f"{call.what}: {text}".encode("utf-8", "backslashreplace")}


def prepare():
    """Import what is needed, and let no work begin."""
    import matplotlib.font_manager  # noqa: F401  which starts a program, to find fonts

    import ministyle.command

    def start(*_, **__):
        raise StartedError

    for name, module in list(sys.modules.items()):
        if name.startswith("ministyle") and hasattr(module, "load_network"):
            module.load_network = start
    for command in COMMANDS:
        flags_of(command)
    ministyle.command.make_parser()


KIND = Kind("settings", make_seeds, mutate, consume, files=files, prepare=prepare, longest=20_000)
