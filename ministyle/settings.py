"""Every setting of a run, each with its default and the reason for it.

The command's flags and help are made from this table.
"""

import dataclasses
import difflib
from dataclasses import dataclass, field
from pathlib import Path

from .arrays import DEVICES
from .errors import MinistyleError
from .image import SIDES
from .losses import CONVENTIONS
from .network import DTYPES, POOLING, layer_name
from .objective import CONTENT_LAYERS, STYLE_LAYER_WEIGHTS, STYLE_LAYERS


def _setting(default, help, source, choices=None, minimum=None):
    """Declare a field of `Settings`.

    Parameters
    ----------
    default : value
    help : str, what it is, with units
    source : str, where the default comes from
    choices : collection of str, optional, all that is allowed
    minimum : number, optional, the least that is allowed
    """
    metadata = {"help": help, "source": source, "choices": choices and tuple(choices), "minimum": minimum}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """How a picture is made. `Settings.from_preset` begins with another set of defaults.

    Raises
    ------
    MinistyleError
        A value is impossible; the sentence shows it.
    """

    image_size: int = _setting(
        384, "length of the picture's side in pixels", "ours: a few minutes on two cores", minimum=16
    )
    side: str = _setting("longest", "which side --image-size and --style-size measure", "ours", SIDES)
    style_size: int = _setting(
        None, "the same of the style picture; by default as --image-size", "the authors' code", minimum=16
    )
    init: str = _setting(
        "content", "start from 'noise', 'content', 'style' or a picture file", "ours; the paper starts from noise"
    )
    seed: int = _setting(0, "of the noise", "ours", minimum=0)
    iterations: int = _setting(200, "steps of the solver", "ours: the loss hardly falls any more", minimum=1)
    content_weight: float = _setting(1.0, "alpha of equation 7", "the authors' later code", minimum=0)
    style_weight: float = _setting(1e3, "beta of equation 7", "the authors' later code", minimum=0)
    tv_weight: float = _setting(0.0, "weight of the total variation", "the paper has none", minimum=0)
    content_layers: tuple = _setting(CONTENT_LAYERS, "layers whose activations are kept", "the paper, figure 2")
    style_layers: tuple = _setting(STYLE_LAYERS, "layers whose Gram matrices are matched", "the paper, figure 2")
    style_layer_weights: str | tuple = _setting(
        "inverse-square",
        "w_l of equation 5: 'equal' (1 / number of layers), 'inverse-square' (1 / N^2 for N filters) or a number "
        "for each style layer",
        "the authors' later code",
    )
    convention: str = _setting(
        "mean", "losses as in the authors' code ('mean') or the paper's equations ('literal')", "ours", CONVENTIONS
    )
    pooling: str = _setting("average", "how the network shrinks its feature maps", "the paper, Methods", POOLING)
    normalised: bool = _setting(False, "rescale every filter to a mean activation of 1", "the authors' later code")
    bounds: bool = _setting(
        False, "keep pixels within 0 to 255 while optimising, not only when saving", "the authors' code"
    )
    history_size: int = _setting(10, "steps that L-BFGS remembers", "SciPy", minimum=1)
    ftol: float = _setting(0.0, "stop when the loss falls by less than this, relatively", "ours", minimum=0)
    gtol: float = _setting(0.0, "stop when no gradient exceeds this", "ours", minimum=0)
    weights: str = _setting(None, "weight file; by default the one that 'info' shows", "ours")
    dtype: str = _setting("float32", "type the network computes in", "ours", DTYPES)
    device: str = _setting("auto", "where to compute; 'auto' takes a GPU where there is one", "ours", DEVICES)

    def __post_init__(self):
        """Refuse what is impossible, before any work begins."""
        for setting in dataclasses.fields(self):
            _check(setting, getattr(self, setting.name))
        for name in ("content_layers", "style_layers"):
            layers = tuple(layer_name(layer) for layer in getattr(self, name))
            if not layers or len(set(layers)) < len(layers):
                raise MinistyleError(f"{name} (={','.join(layers)!r}) must name at least one layer, and none twice")
            object.__setattr__(self, name, layers)
        weights = self.style_layer_weights
        if isinstance(weights, str) and weights not in STYLE_LAYER_WEIGHTS:
            raise MinistyleError(
                f"style_layer_weights (={weights!r}) must be {' or '.join(STYLE_LAYER_WEIGHTS)} or numbers"
            )
        if not isinstance(weights, str) and len(weights) != len(self.style_layers):
            raise MinistyleError(
                f"style_layer_weights has {len(weights)} numbers for {len(self.style_layers)} style layers"
            )

    @classmethod
    def from_preset(cls, preset="default", **changes):
        """Return a preset's settings, with changes.

        Parameters
        ----------
        preset : a name of `PRESETS`
        **changes : settings that differ from the preset's
        """
        if preset not in PRESETS:
            raise MinistyleError(f"preset (={preset!r}) must be one of {', '.join(PRESETS)}")
        known = [setting.name for setting in dataclasses.fields(cls)]
        for name in changes:
            if name not in known:
                similar = difflib.get_close_matches(name, known, n=1)
                hint = f"; did you mean {similar[0]}?" if similar else ""
                raise MinistyleError(f"there is no setting {name!r}{hint}")
        return cls(**{**PRESETS[preset], **changes})


def _check(setting, value):
    """Check one value against its field's choices, minimum and type."""
    name, choices, minimum = setting.name, setting.metadata["choices"], setting.metadata["minimum"]
    if value is None and setting.default is None:
        return
    if choices is not None and value not in choices:
        raise MinistyleError(f"{name} (={value!r}) must be one of {', '.join(choices)}")
    if setting.type in (int, float):
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole and not (setting.type is float and isinstance(value, float)):
            kind = "a whole number" if setting.type is int else "a number"
            raise MinistyleError(f"{name} (={value!r}) must be {kind}")
        if not minimum <= value < float("inf"):  # written so that nan is refused, too
            raise MinistyleError(f"{name} (={value}) must be a finite number of at least {minimum}")
    if setting.type is bool and not isinstance(value, bool):
        raise MinistyleError(f"{name} (={value!r}) must be True or False")
    if name == "weights" and not isinstance(value, str | Path):
        raise MinistyleError(f"{name} (={value!r}) must be a path")


PRESETS = {
    # The picture one wants at once; docs/deviations.md says what it was chosen from.
    "default": {},
    # The paper: white noise, average pooling, the normalised network, every style layer counting the same. The
    # captions' alpha/beta belong to other units and far longer runs; docs/deviations.md has the comparison.
    "gatys2015": {
        "normalised": True,
        "pooling": "average",
        "init": "noise",
        "content_weight": 1e8,
        "style_weight": 1e9,
        "style_layer_weights": "equal",
        "image_size": 256,
        "iterations": 300,
    },
    # The authors' PyTorch notebook of 2017, setting by setting; PyTorch's L-BFGS there keeps 100 steps.
    "gatys-pytorch": {
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
