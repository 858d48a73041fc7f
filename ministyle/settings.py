"""Every setting of a run, each with its default and the reason for it.

The command's flags and help are made from this table, and so is the loss: a setting that is a term's weight names the
function that makes the term.
"""

import dataclasses
import inspect
import math
import numbers
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType, UnionType
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, get_args

import numpy as np

from .architecture import known_layer_names
from .arrays import DEVICES, equal
from .errors import MinistyleError, check_choice, did_you_mean
from .keywords import SettingsKeywords
from .network import BACKENDS, DTYPES, POOLING
from .solvers import LEARNING_RATE, SOLVERS
from .terms import (
    CONTENT_LAYER_WEIGHTS,
    CONTENT_LAYERS,
    CONVENTIONS,
    STYLE_LAYER_WEIGHTS,
    STYLE_LAYERS,
    content_terms,
    covariance_terms,
    mean_terms,
    style_terms,
    total_variation_terms,
)
from .types import Picture

STARTS = ("noise", "content", "style")  # what `init` may name; anything else is a picture
SIDES = ("longest", "shortest")
BORDERS = ("mirror", "zero", "replicate")  # a tileable picture has a periodic one
Numbers = tuple[float, ...]  # the type of a setting that is several numbers
COLOURS = {}  # ways to treat the colours of photograph and painting, name -> method; `pictures.colours` fills it
OWN_SIZE = "content"  # as an image size: that of the photograph itself
MAXIMUM_SIZE = 65500  # pixels: what a JPEG file can hold
# What a picture file may decode to, in millions of pixels. Cameras and scanners have up to some 60; larger photographs
# are JPEG files, which are decoded smaller. Decoded bytes take at most 8 a pixel, so the limit is half a gigabyte.
MAX_MEGAPIXELS = 64.0
Function = TypeVar("Function", bound=Callable[..., Any])


def _setting(
    default, help, source, choices=None, minimum=None, maximum=math.inf, unit=None, term=None, earlier=None
) -> Any:
    """Declare a field of `Settings`.

    Parameters
    ----------
    default : value
    help : str, what it is, with units
    source : str, where the default comes from
    choices : collection of str, or a function that returns it, optional; all that is allowed
    minimum, maximum : number, optional, the least and the most that are allowed
    unit : str, optional, that may follow the number in a string
    term : function (Scene, Settings) -> list of Term, optional
        For a weight: makes the terms of the loss that it weighs. See `terms.content_terms`.
    earlier : value, optional
        What pictures were made with before there was this setting, where it is not the default.
    """
    limits = {"minimum": minimum, "maximum": maximum, "unit": unit}
    about = {"help": help, "source": source, "choices": choices, "term": term, "earlier": earlier}
    return field(default=default, metadata={**about, **limits})


def kind_of(setting: "dataclasses.Field[Any]") -> Any:
    """Return the type of a field of `Settings`: of several, the first."""
    return get_args(setting.type)[0] if isinstance(setting.type, UnionType) else setting.type


def choices_of(setting):
    """Return the values that a field of `Settings` can have, a tuple, or None where it is free."""
    choices = setting.metadata["choices"]
    return choices and tuple(choices() if callable(choices) else choices)


@dataclass(frozen=True, eq=False)
class Settings:
    """How a picture is made. `Settings.from_preset` begins with another set of defaults.

    The fields, with units, defaults and where these come from, are what `python -m ministyle transfer --help` shows.

    Raises
    ------
    MinistyleError
        A value is impossible; the sentence shows it.
    """

    image_size: int | str = _setting(
        512,
        "length of the picture's side in pixels, or 'content': that of the photograph, or of the picture that a "
        "reconstruction has instead",
        "ours: a minute on two cores",
        minimum=16,
        maximum=MAXIMUM_SIZE,
    )
    side: str = _setting("longest", "which side --image-size and --style-size measure", "ours", SIDES)
    style_size: int | None = _setting(
        None,
        "the same for the style picture; by default that of --image-size",
        "the authors' code",
        minimum=16,
        maximum=MAXIMUM_SIZE,
    )
    style_scale: Numbers | None = _setting(
        None,
        "how many times that size: one number, or one for each style picture; larger means larger brush strokes",
        "ours",
        minimum=0.05,
        maximum=20,
    )
    style_blend: Numbers | None = _setting(
        None, "how much each of several style pictures counts, such as 2,1; by default all alike", "ours", minimum=0
    )
    init: Picture = _setting(
        "content",
        "what to start from: 'noise', 'content', 'style' or a picture file",
        "docs/pictures.md: blurred-start; the paper starts from noise",
    )
    seed: int = _setting(0, "seed of the noise", "ours", minimum=0)
    noise_std: float = _setting(
        25.0,
        "standard deviation of the noise in grey levels (0 to 255)",
        "ours: faint noise leaves no grain",
        minimum=0,
    )
    iterations: int = _setting(60, "steps of the solver, at full size", "ours: a minute on two cores", minimum=1)
    strength: float = _setting(
        0.5,
        "how much style, from 0, the photograph, to 1, the style alone; it counts in the relative convention",
        "docs/pictures.md: strength-0.3, strength-0.7",
        minimum=0,
        maximum=1,
    )
    content_weight: float = _setting(
        1.0,
        "more of the photograph: alpha of equation 7; in the relative convention times what the strength says",
        "ours",
        minimum=0,
        term=content_terms,
    )
    style_weight: float = _setting(
        1.0, "more of the painting: beta of equation 7, likewise", "ours", minimum=0, term=style_terms
    )
    covariance_weight: float = _setting(
        0.0,
        "the same for covariances of activations, which are Gram matrices after each filter's mean is taken off",
        "the paper has Gram matrices; docs/gallery.md shows both",
        minimum=0,
        term=covariance_terms,
    )
    mean_weight: float = _setting(
        0.0,
        "the same for mean activations",
        "the paper has Gram matrices; docs/gallery.md: the photograph's forms stay",
        minimum=0,
        term=mean_terms,
    )
    tv_weight: float = _setting(
        2e-3,
        "calms speckle: weight of the total variation",
        "docs/pictures.md: no-variation",
        minimum=0,
        term=total_variation_terms,
    )
    tv_edge: float = _setting(
        20.0,
        "spares outlines: neighbouring pixels that differ by more grey levels count as edges in the total variation",
        "docs/pictures.md: squared-variation",
        minimum=1e-3,
        maximum=1e9,
        earlier=1e9,
    )
    content_layers: tuple[str, ...] = _setting(
        CONTENT_LAYERS,
        "what stays of the photograph: layers whose activations are matched, separated by commas; 'transfer "
        "--list-layers' shows those there are",
        "the paper, figure 2",
    )
    content_layer_weights: str | Numbers = _setting(
        "equal",
        "how alpha is divided among the content layers: 'equal' (1 / number of layers) or a number for each",
        "ours; the paper has one content layer",
    )
    style_layers: tuple[str, ...] = _setting(
        STYLE_LAYERS,
        "what comes of the painting: layers whose Gram matrices are matched, separated by commas",
        "the paper, figure 2",
    )
    style_layer_weights: str | Numbers = _setting(
        "geometric",
        "w_l of equation 5: 'geometric' (each 2/3 of the next shallower one, 1 in all), 'equal' (1 / number of layers, "
        "as in the paper), 'inverse-square' (1 / N^2 for N filters) or a number for each style layer",
        "docs/pictures.md: equal-layers",
    )
    convention: str = _setting(
        "relative",
        "losses relative to those of the photograph ('relative'), as in the authors' code ('mean') or the paper's "
        "equations ('literal')",
        "docs/pictures.md: mean-losses",
        CONVENTIONS,
    )
    pooling: str = _setting(
        "average",
        "how the network shrinks its feature maps",
        "the paper, Methods; docs/pictures.md: max-pooling",
        POOLING,
    )
    normalised: bool = _setting(
        True, "rescale every filter to a mean activation of 1", "the authors' code; docs/pictures.md: raw-network"
    )
    border: str = _setting(
        "mirror",
        "what the network sees around a picture: its mirror image, or zeros around every feature map, or its own edge "
        "again around every feature map ('replicate')",
        "docs/pictures.md: zeros-around",
        BORDERS,
        earlier="zero",
    )
    bounds: bool = _setting(
        True, "keep pixels within 0 to 255 while optimising, not only when saving", "docs/pictures.md: free-pixels"
    )
    optimizer: str = _setting(
        "auto",
        "SciPy's L-BFGS-B on the host, or our own L-BFGS or Adam where the picture is; 'auto' takes SciPy's on a CPU, "
        "our L-BFGS on a GPU",
        "ours",
        ("auto", *SOLVERS),
    )
    history_size: int = _setting(10, "steps that L-BFGS remembers", "SciPy", minimum=1, maximum=1000)
    learning_rate: float = _setting(
        LEARNING_RATE, "about how many grey levels (0 to 255) Adam moves a pixel in one step", "ours", minimum=0
    )
    ftol: float = _setting(0.0, "stop when a step lowers the loss by no more than this share of it", "ours", minimum=0)
    gtol: float = _setting(
        0.0, "stop when no component of the gradient, loss per grey level, exceeds this", "ours", minimum=0
    )
    weights: str | os.PathLike[str] | None = _setting(None, "weight file; by default the one that 'info' shows", "ours")
    pyramid: bool = _setting(
        True,
        "coarse to fine: begin with a picture of 120 to 240 pixels and double it until it has its size, with half the "
        "iterations at each size but the last",
        "the authors' later papers; docs/pictures.md: one-scale",
    )
    max_memory: float | None = _setting(
        None,
        "GB that the program may take; a picture that takes more is worked on in bands",
        "ours",
        minimum=0.1,
        unit="GB",
    )
    max_megapixels: float = _setting(
        MAX_MEGAPIXELS,
        "millions of pixels to which a picture file may decode; a larger one is refused, as a small file can hold "
        "enormous pictures",
        "ours: 0.5 GB while it is read",
        minimum=0.01,
        maximum=1e6,
    )
    dtype: str = _setting("float32", "type the network computes in", "ours", DTYPES)
    convolution: str = _setting(
        "auto",
        "'winograd' is fast and for the CPU, 'direct' is plain; 'auto' takes the fast one where it can",
        "ours",
        lambda: ("auto", *BACKENDS),
    )
    threads: int | None = _setting(
        None, "threads of the fast convolution; by default all cores", "ours", minimum=1, maximum=1024
    )
    tf32: bool = _setting(
        False, "let a GPU round the numbers it multiplies to 10 bits: faster, and 1000 times less exact", "ours"
    )
    colours: str = _setting(
        "painting",
        "whose colours the picture gets: 'painting'; the photograph's, and the painting gives light and dark only "
        "('photo-luminance'); or the photograph's, which the painting gets before the run ('photo-match')",
        "the paper",
        lambda: COLOURS,
    )
    colours_after: str = _setting(
        None,
        "whose colours the finished picture gets: the photograph's at every pixel ('photo-luminance'), or all in all "
        "('photo-match'); by default they stay",
        "the paper",
        lambda: [name for name, method in COLOURS.items() if method.recolour],
    )
    device: str = _setting("auto", "where to compute; 'auto' takes a GPU where there is one", "ours", DEVICES)

    if TYPE_CHECKING:  # what is allowed is more than what the fields hold afterwards: "4GB", a list of layers

        def __init__(self, **settings: Unpack[SettingsKeywords]) -> None: ...

    def __post_init__(self) -> None:
        """Refuse what is impossible, before any work begins."""
        for setting in dataclasses.fields(self):
            object.__setattr__(self, setting.name, _checked(setting, getattr(self, setting.name)))
        for name in ("content_layers", "style_layers"):
            object.__setattr__(self, name, _layers(name, getattr(self, name)))
        for kind, rules in (("content", CONTENT_LAYER_WEIGHTS), ("style", STYLE_LAYER_WEIGHTS)):
            name, layers = f"{kind}_layer_weights", getattr(self, f"{kind}_layers")
            object.__setattr__(self, name, _layer_weights(name, getattr(self, name), rules, layers))
        if self.style_blend is not None and not any(self.style_blend):
            raise MinistyleError("the weights of the style pictures (style_blend) must not all be 0")

    def __eq__(self, other: object) -> bool:
        """Compare by value, also the pictures to begin with."""
        if not isinstance(other, Settings):
            return NotImplemented
        return all(equal(value, getattr(other, name)) for name, value in vars(self).items())

    def __hash__(self) -> int:
        """Return a number that equal settings share; `init` may be an array, and does not count."""
        return hash(tuple(value for name, value in vars(self).items() if name != "init"))

    @property
    def start_picture(self) -> Picture | None:
        """The picture to begin with, or None where `init` names another start."""
        return None if isinstance(self.init, str) and self.init in STARTS else self.init

    @classmethod
    def from_preset(cls, preset: str = "default", **changes: Unpack[SettingsKeywords]) -> "Settings":
        """Return a preset's settings, with changes.

        Parameters
        ----------
        preset : a name of `PRESETS`
        **changes : settings that differ from the preset's
        """
        check_choice("preset", preset, PRESETS)
        known = [setting.name for setting in dataclasses.fields(cls)]
        for name in changes:
            if name not in known:
                raise MinistyleError(f"there is no setting {name!r}{did_you_mean(name, known)}")
        kept = {name: value for name, value in PRESETS[preset].items() if name not in changes}
        return Settings(**kept, **changes)  # a call from which editors know the settings' names


# Every setting, by what it does to the picture: title -> (that, in a line; names). The help has them in this order.
GROUPS = {
    "the picture": ("How large it becomes.", ("image_size", "side")),
    "style": (
        "How much of the photograph stays, and which of the painting's forms come.",
        (
            "strength",
            "content_weight",
            "style_weight",
            "covariance_weight",
            "mean_weight",
            "style_size",
            "style_scale",
            "style_blend",
            "content_layers",
            "content_layer_weights",
            "style_layers",
            "style_layer_weights",
            "convention",
        ),
    ),
    "colours": ("Whose colours it has.", ("colours", "colours_after")),
    "smoothness": ("Without speckle, frame and burnt-out spots.", ("tv_weight", "tv_edge", "border", "bounds")),
    "start": ("What it is before the first step.", ("init", "seed", "noise_std")),
    "solver": (
        "How far the repainting goes, and by which way.",
        ("iterations", "pyramid", "optimizer", "history_size", "learning_rate", "ftol", "gtol"),
    ),
    "network": ("What sees the pictures.", ("weights", "pooling", "normalised")),
    "speed and memory": (
        "These hardly change it.",
        ("device", "max_memory", "max_megapixels", "threads", "convolution", "dtype", "tf32"),
    ),
}


def terms_of(settings, scene):
    """Return the terms of the loss that the settings ask for, a list; see `terms.Scene`."""
    makers = [setting.metadata["term"] for setting in dataclasses.fields(settings)]
    return [term for make in makers if make is not None for term in make(scene, settings)]


def _checked(setting, value):
    """Check one value against its field's choices, type and limits; return it as Python's own type."""
    name, choices = setting.name, choices_of(setting)
    if value is None and setting.default is None:
        return None
    if choices is not None:
        check_choice(name, value, choices)
    if setting.type == int | str and isinstance(value, str):
        if value != OWN_SIZE:
            raise MinistyleError(f"{name} (={value!r}) must be a whole number or {OWN_SIZE!r}")
        return value
    if setting.metadata["unit"] == "GB" and isinstance(value, str):
        value = _gigabytes(name, value)
    kind = kind_of(setting)
    if kind in (int, float):
        _check_number(name, value, kind, setting.metadata["minimum"], setting.metadata["maximum"])
        return kind(value)
    if kind == Numbers:
        return _numbers(setting, value)
    if kind is bool:
        if not isinstance(value, bool | np.bool_):
            raise MinistyleError(f"{name} (={value!r}) must be True or False")
        return bool(value)
    if name == "weights" and not isinstance(value, str | os.PathLike):
        raise MinistyleError(f"{name} (={value!r}) must be a path")
    if name == "init" and hasattr(value, "pixels"):  # of a `Result` only the picture counts, not where it came from
        return value.pixels
    if name == "init" and (value is None or isinstance(value, numbers.Number)):
        raise MinistyleError(f"{name} (={value!r}) must be 'noise', 'content', 'style' or a picture")
    return value


def _check_number(name, value, kind, minimum, maximum=math.inf):
    """Refuse what is no number, no finite one, or outside its limits; `kind` is int or float."""
    allowed = numbers.Integral if kind is int else numbers.Real
    if not isinstance(value, allowed) or isinstance(value, bool):
        raise MinistyleError(f"{name} (={value!r}) must be a {'whole ' if kind is int else ''}number")
    try:
        number = float(value)
    except OverflowError:  # a whole number of hundreds of digits
        number = math.inf
    if not math.isfinite(number) or not minimum <= number <= maximum:
        limits = f"at least {minimum}" if maximum == math.inf else f"from {minimum} to {maximum}"
        raise MinistyleError(f"{name} (={value}) must be {limits}" + (" and finite" if kind is float else ""))


def _gigabytes(name, text):
    """Return an amount of memory, "2GB", "500MB" or "2", as a number of GB."""
    number, unit = re.fullmatch(r"(.*?)\s*(GB|MB|)", text.strip(), re.IGNORECASE | re.DOTALL).groups()
    try:
        return float(number) / (1000 if unit.upper() == "MB" else 1)
    except ValueError:
        raise MinistyleError(f"{name} (={text!r}) must be an amount of memory such as 2GB or 500MB") from None


def _layers(name, value):
    """Return layers' names as a tuple of the paper's names; a single name counts as one layer."""
    names = (value,) if isinstance(value, str) else value
    if not isinstance(names, tuple | list) or not all(isinstance(layer, str) for layer in names):
        raise MinistyleError(f"{name} (={value!r}) must be names of layers")
    if not names:
        raise MinistyleError(f"{name} must name at least one layer")
    try:
        return known_layer_names(names)
    except MinistyleError as error:
        raise MinistyleError(f"{name}: {error}") from None


def _layer_weights(name, value, rules, layers):
    """Return layers' weights as the name of a rule or a tuple of numbers, one for each layer."""
    if isinstance(value, str) and value in rules:
        return value
    if isinstance(value, str) or not isinstance(value, tuple | list):
        raise MinistyleError(f"{name} (={value!r}) must be {', '.join(rules)} or numbers")
    for weight in value:
        _check_number(name, weight, float, 0)
    if len(value) != len(layers):
        raise MinistyleError(f"{name} has {len(value)} numbers for {len(layers)} {name.split('_')[0]} layers")
    return tuple(float(weight) for weight in value)


def _numbers(setting, value):
    """Return several numbers as a tuple; a single one counts as one."""
    values = (value,) if isinstance(value, numbers.Number) else value
    if not isinstance(values, tuple | list) or not values:
        raise MinistyleError(f"{setting.name} (={value!r}) must be one or more numbers")
    for number in values:
        _check_number(setting.name, number, float, setting.metadata["minimum"], setting.metadata["maximum"])
    return tuple(float(number) for number in values)


# What the paper and the authors' code have in common, and the defaults do otherwise.
_AUTHORS = {
    "convention": "mean",
    "border": "zero",
    "style_layer_weights": "equal",
    "bounds": False,
    "pyramid": False,
    "tv_weight": 0.0,
}
_PRESETS = {
    # The picture one wants at once; docs/pictures.md says what it was chosen from.
    "default": {},
    # Figure 1, above. The raw network: in the normalised one rare filters count as much as common ones, and the same
    # number of iterations leaves 2 dB more noise in what comes back from conv1_1. A relative loss: layers differ by a
    # factor of 180 in variance, and one weight of total variation should fit them all.
    "content-reconstruction": {
        **_AUTHORS,
        "convention": "relative",
        "normalised": False,
        "init": "noise",
        # Without these two, grain of the noise stays that pooling hides from the layer, see docs/deviations.md.
        "bounds": True,
        "tv_weight": 3e-4,
        "image_size": 256,
        "iterations": 290,
    },
    # Figure 1, below.
    "texture": {
        **_AUTHORS,
        "init": "noise",
        "bounds": True,
        "tv_weight": 1e-5,  # 1e-4 blurs the strokes that conv1_1 and conv2_1 make, none leaves grain
        "image_size": 256,
        "iterations": 290,
    },
    # The paper: white noise, average pooling, every style layer counting the same; and the normalised network, in which
    # the authors published their weights. The captions' alpha/beta do not fit these losses, see docs/deviations.md.
    "gatys2015": {
        **_AUTHORS,
        "normalised": True,
        "pooling": "average",
        "init": "noise",
        "noise_std": 60.0,
        "content_weight": 1.0,
        "style_weight": 10.0,
        # The paper says neither. Without them grain from the noise stays in the picture, see docs/deviations.md.
        "bounds": True,
        "tv_weight": 1e-3,
        "image_size": 256,
        "iterations": 290,  # about 300 evaluations
    },
    # The authors' PyTorch notebook of 2017, setting by setting; PyTorch's L-BFGS there keeps 100 steps.
    "gatys-pytorch": {
        **_AUTHORS,
        "normalised": False,
        "pooling": "max",
        "init": "content",
        "content_weight": 1.0,
        "style_weight": 1e3,
        "style_layer_weights": "inverse-square",
        "image_size": 512,
        "side": "shortest",
        "iterations": 500,
        "history_size": 100,
    },
}
PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {name: MappingProxyType(changes) for name, changes in _PRESETS.items()}
)


def names_settings(preset: str) -> Callable[[Function], Function]:
    """Return a decorator: a function's signature, as `help` and notebooks show it, names all that **settings may be.

    Parameters
    ----------
    preset : str, the function's own, whose values are shown as defaults
    """
    types = {name: kind.__forward_arg__ for name, kind in SettingsKeywords.__annotations__.items()}
    named = [
        inspect.Parameter(
            setting.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=PRESETS[preset].get(setting.name, setting.default),
            annotation=types.get(setting.name, inspect.Parameter.empty),
        )
        for setting in dataclasses.fields(Settings)
    ]

    def decorate(function: Function) -> Function:
        signature = inspect.signature(function)
        *own, _ = signature.parameters.values()  # the last one is **settings
        setattr(function, "__signature__", signature.replace(parameters=[*own, *named]))  # noqa: B010  for mypy
        return function

    return decorate


names_settings("default")(vars(Settings)["from_preset"].__func__)  # which came before there was anything to name
