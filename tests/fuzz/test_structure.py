"""Properties that hold for all input of a structure; Hypothesis looks for what breaks them.

The oracles are `fractions`, `json`, `pickle` and the standard library's own readers, never the code under test.
"""

import json
import math
import string
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from ministyle.architecture import VGG19
from ministyle.command.parser import count, seconds, size
from ministyle.errors import MinistyleError
from ministyle.experiments import stimuli
from ministyle.jobs.record import as_read, by_role, in_order, parse, settings_from, settings_to_record
from ministyle.pictures.sizes import size_to_fit
from ministyle.settings import MAXIMUM_SIZE, PRESETS, Settings
from ministyle.solvers import SOLVERS

often = settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
LAYERS = st.lists(st.sampled_from(VGG19.convolutions), min_size=1, max_size=5, unique=True)
positive = st.floats(0, 1e6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda parts: st.lists(parts, max_size=4) | st.dictionaries(st.text(max_size=8), parts, max_size=4),
    max_leaves=20,
)


def is_one_sentence(error):
    return bool(str(error).strip()) and len(str(error).splitlines()) == 1


# Sizes ---------------------------------------------------------------------------------------------------

sides = st.integers(1, 70_000)


@often
@given(sides, sides, st.integers(1, 65_500), st.sampled_from(["longest", "shortest"]))
@example(1, 65_500, 1, "longest")
def test_a_size_to_fit_has_the_side_asked_for_and_the_proportions(height, width, length, side):
    reference = max(height, width) if side == "longest" else min(height, width)
    if max(Fraction(before) * length / reference for before in (height, width)) > Fraction(MAXIMUM_SIZE) + Fraction(
        1, 2
    ):
        with pytest.raises(MinistyleError, match=f"at most {MAXIMUM_SIZE}"):
            size_to_fit((height, width), length, side)
        return
    fitted = size_to_fit((height, width), length, side)
    chosen = max(fitted) if side == "longest" else min(fitted)
    assert chosen == length or (side == "shortest" and height == width)
    for before, after in zip((height, width), fitted, strict=True):
        exact = Fraction(before) * length / reference
        assert after >= 1 and (abs(after - exact) <= Fraction(1, 2) or (after == 1 and exact < 1))


@often
@given(st.integers(max_value=0))
def test_a_size_below_one_pixel_is_refused(length):
    with pytest.raises(MinistyleError) as caught:
        size_to_fit((3, 4), length)
    assert is_one_sentence(caught.value)


@often
@given(st.integers(1, 10**6), st.integers(1, 10**6), st.sampled_from("xX"))
def test_a_size_is_parsed_as_width_and_height(width, height, between):
    assert size(f"{width}{between}{height}") == (height, width)
    assert size(str(width)) == (width, width)


@often
@given(st.text(string.digits + "xX-+. ²１", max_size=8))
def test_a_text_is_a_size_of_whole_numbers_or_refused(text):
    for parse_text in (size, count):
        try:
            numbers = parse_text(text)
        except Exception as error:  # argparse makes a sentence of it
            assert type(error).__name__ in ("ArgumentTypeError", "ValueError")
        else:
            assert all(number >= 1 for number in (numbers if isinstance(numbers, tuple) else (numbers,)))


@often
@given(st.floats() | st.integers())
def test_seconds_are_finite_and_not_negative_or_refused(number):
    allowed = math.isfinite(number) and number >= 0
    try:
        assert seconds(repr(number)) == float(number) and allowed
    except Exception as error:
        assert type(error).__name__ == "ArgumentTypeError" and not allowed


# Settings and records ------------------------------------------------------------------------------------


@st.composite
def valid_settings(draw):
    """Keyword arguments that `Settings` must take, written down by hand and not from its own table."""
    content, style = draw(LAYERS), draw(LAYERS)
    every = {
        "image_size": st.integers(16, 65_500) | st.just("content"),
        "side": st.sampled_from(["longest", "shortest"]),
        "style_size": st.none() | st.integers(16, 65_500),
        "style_scale": st.none() | st.floats(0.05, 20) | st.lists(st.floats(0.05, 20), min_size=1, max_size=3),
        "style_blend": st.none() | st.lists(st.floats(0.01, 100), min_size=1, max_size=3).map(tuple),
        "init": st.sampled_from(["noise", "content", "style", "some/picture.png"]),
        "seed": st.integers(0, 2**32),
        "noise_std": positive,
        "iterations": st.integers(1, 10**6),
        "strength": st.floats(0, 1),
        "content_weight": positive,
        "tv_weight": positive,
        "tv_edge": st.floats(1e-3, 1e9),
        "content_layers": st.just(content),
        "content_layer_weights": st.just("equal") | st.just([1.0] * len(content)),
        "style_layers": st.just(tuple(style)),
        "style_layer_weights": st.sampled_from(["equal", "geometric"]) | st.just(tuple(range(len(style)))),
        "convention": st.sampled_from(["relative", "mean", "literal"]),
        "bounds": st.booleans(),
        "optimizer": st.sampled_from(list(SOLVERS)),
        "history_size": st.integers(1, 1000),
        "max_memory": st.none() | st.floats(0.1, 1e6) | st.sampled_from(["2GB", "500 mb", " 1.5 "]),
    }
    chosen = draw(st.lists(st.sampled_from(list(every)), unique=True))
    if "content_layers" not in chosen:
        chosen = [name for name in chosen if name != "content_layer_weights"]
    if "style_layers" not in chosen:
        chosen = [name for name in chosen if name != "style_layer_weights"]
    return {name: draw(every[name]) for name in chosen}


@often
@given(valid_settings(), st.sampled_from(list(PRESETS)))
def test_settings_come_back_from_a_record(changes, preset):
    made = Settings.from_preset(preset, **changes)
    text = json.dumps(as_read(settings_to_record(made)))
    again = settings_from({"settings": json.loads(text)}, "of a test")
    assert again == made and hash(again) == hash(made)
    for name, value in changes.items():
        kept = getattr(made, name)
        if isinstance(value, list | tuple):
            assert list(kept) == list(value)
        elif not isinstance(value, str) and name not in ("style_scale", "style_blend"):
            assert kept == value and type(kept) is type(value)


@often
@given(valid_settings())
def test_settings_with_a_number_out_of_bounds_are_refused_by_name(changes):
    for name, value in {
        "seed": -1,
        "strength": 1.5,
        "iterations": 0,
        "history_size": 1001,
        "noise_std": math.nan,
    }.items():
        with pytest.raises(MinistyleError, match=name) as caught:
            Settings(**{**changes, name: value})
        assert is_one_sentence(caught.value)


@often
@given(JSON)
def test_what_json_can_hold_is_read_as_it_was_written(tree):
    text = json.dumps(tree)
    if isinstance(tree, dict):
        assert parse(text, "file") == json.loads(text)
    else:
        with pytest.raises(MinistyleError) as caught:
            parse(text, "file")
        assert is_one_sentence(caught.value)


@often
@given(st.text(max_size=60))
@example("[" * 100_000)
@example('{"a": ' * 100_000)
@example('{"a": ' + "9" * 5000 + "}")
@example("\ud800")
def test_any_text_is_a_dictionary_or_refused_in_one_sentence(text):
    try:
        content = parse(text, "file")
    except MinistyleError as error:
        assert is_one_sentence(error)
    else:
        assert isinstance(content, dict)


@often
@given(st.sampled_from(["style", "content mask", "style mask"]), st.lists(st.none() | st.integers(), max_size=12))
def test_pictures_of_a_kind_keep_their_order_by_role(kind, pictures):
    roles = by_role(kind, pictures)
    assert list(in_order(kind, dict(sorted(roles.items()))).values()) == [one for one in pictures if one is not None]


# Names of panels -----------------------------------------------------------------------------------------

NAMES = st.lists(st.text(string.ascii_letters + "_-. $é", min_size=1, max_size=6), min_size=1, max_size=3)


@often
@given(NAMES, NAMES, st.lists(st.floats(1e-5, 1e3), min_size=1, max_size=3, unique=True))
def test_a_design_has_each_combination_once_or_is_refused(contents, styles, ratios):
    stems = [[f"{name}".strip(". ") for name in names] for names in (contents, styles)]
    assume(all(all(names) for names in stems))
    given_settings = Settings.from_preset("gatys2015")
    files = [[f"{name}.png" for name in names] for names in stems]
    try:
        panels = stimuli.design(*files, settings=given_settings, ratios=ratios)
    except MinistyleError as error:
        assert any(len(set(names)) < len(names) for names in stems) and is_one_sentence(error)
    else:
        assert len(panels) == len(contents) * len(styles) * len(ratios)
        assert all("/" not in panel.name and "\0" not in panel.name for panel in panels)
        wanted = {(c, s, r) for c in stems[0] for s in stems[1] for r in ratios}
        assert {tuple(panel.factors[name] for name in ("content", "style", "ratio")) for panel in panels} == wanted
