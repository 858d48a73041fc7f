import dataclasses
import json
import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from conftest import sentence
from PIL import Image

from ministyle.losses import content_loss
from ministyle.objective import Objective
from ministyle.pictures.colours import METHODS
from ministyle.settings import COLOURS, GROUPS, PRESETS, STARTS, Settings, choices_of, terms_of
from ministyle.solvers import SOLVERS
from ministyle.terms import Scene, Term

FIELDS = dataclasses.fields(Settings)
WHOLE_NUMBERS = [field.name for field in FIELDS if field.type is int]
NUMBERS = [field.name for field in FIELDS if field.type is float]


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("image_size", 15, "15"),
        ("image_size", -1, "-1"),
        ("image_size", 65501, "65501"),
        ("style_size", 15, "15"),
        ("style_size", 65501, "65501"),
        ("seed", -1, "-1"),
        ("iterations", 0, "0"),
        ("history_size", 0, "0"),
        ("history_size", 1001, "1001"),
        ("content_weight", -0.5, "-0.5"),
        pytest.param("content_weight", 10**400, "1000", id="content_weight-beyond all floats"),
        ("style_weight", -1, "-1"),
        ("tv_weight", -1e-9, "-1e-09"),
        ("tv_edge", 0, "0"),
        ("strength", -0.1, "-0.1"),
        ("strength", 1.01, "1.01"),
        ("border", "periodic", "'periodic'"),
        ("noise_std", -0.1, "-0.1"),
        ("learning_rate", -1, "-1"),
        ("max_memory", 0.05, "0.05"),
        ("max_memory", "much", "'much'"),
        ("max_memory", "2 TB", "'2 TB'"),
        ("max_memory", "2\n3GB", "2GB or 500MB"),
        ("max_memory", "50MB", "0.05"),
        ("threads", 0, "0"),
        ("ftol", -1.0, "-1.0"),
        ("gtol", -1.0, "-1.0"),
        ("side", "widest", "'widest'"),
        ("convention", "median", "'median'"),
        ("pooling", "Max", "'Max'"),
        ("pooling", None, "None"),
        ("dtype", "float16", "'float16'"),
        ("device", "gpu", "'gpu'"),
        ("optimizer", "newton", "'newton'"),
        ("convolution", "fastest", "'fastest'"),
        ("colours", "photo", "'photo'"),
        ("colours", None, "None"),
        ("colours_after", "painting", "'painting'"),
        ("weights", 5, "5"),
        ("init", 5, "5"),
        ("init", None, "None"),
        ("style_layer_weights", "equally", "'equally'"),
        ("style_layer_weights", None, "None"),
        ("style_layer_weights", 3.0, "3.0"),
        ("style_layer_weights", (1, 2, 3, 4, "x"), "'x'"),
        ("style_layer_weights", (1, 2, 3, 4, math.nan), "nan"),
        ("style_layer_weights", (1, 2, 3, 4, math.inf), "inf"),
        ("style_layer_weights", (1, 2, 3, 4, -1), "-1"),
    ],
)
def test_an_impossible_value_is_refused_and_shown(name, value, shown):
    refusal = sentence(Settings, **{name: value})
    assert name in refusal and shown in refusal


@pytest.mark.parametrize("name", WHOLE_NUMBERS)
@pytest.mark.parametrize("value", [True, 100.0, "100", math.nan, (100,)])
def test_a_whole_number_is_an_integer_and_nothing_else(name, value):
    refusal = sentence(Settings, **{name: value})
    assert name in refusal and repr(value) in refusal


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *product(NUMBERS, [math.nan, math.inf, -math.inf, True, "one"]),
        *((name, "1") for name in NUMBERS if name != "max_memory"),  # which may be "1GB"
        *((name, None) for name in NUMBERS if getattr(Settings(), name) is not None),
    ],
)
def test_a_number_is_finite_and_no_other_type(name, value):
    refusal = sentence(Settings, **{name: value})
    assert name in refusal and str(value) in refusal


@pytest.mark.parametrize("name", NUMBERS)
def test_a_whole_number_serves_as_a_number(name):
    assert getattr(Settings(**{name: 1}), name) == 1


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("image_size", np.int64(32), 32),
        ("seed", np.uint8(7), 7),
        ("tv_weight", np.float64(0.5), 0.5),
        ("noise_std", np.float32(12.5), 12.5),
        ("content_weight", np.int32(3), 3.0),
        ("bounds", np.True_, True),
        ("normalised", np.bool_(False), False),
    ],
)
def test_numpy_s_scalars_become_python_s(name, value, kept):
    settings = Settings(**{name: value})
    stored = getattr(settings, name)
    assert stored == kept
    assert type(stored) is type(kept)
    assert json.loads(json.dumps(dataclasses.asdict(settings)))[name] == kept


def test_numpy_s_scalars_among_layer_weights_become_python_s():
    settings = Settings(style_layer_weights=[np.float32(0.5), np.int64(1), 2, 3.0, np.float64(4)])
    assert settings.style_layer_weights == (0.5, 1.0, 2.0, 3.0, 4.0)
    assert {type(weight) for weight in settings.style_layer_weights} == {float}
    json.dumps(dataclasses.asdict(settings))


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_is_kept_as_a_float(name):
    assert type(getattr(Settings(**{name: 1}), name)) is float


@pytest.mark.parametrize("value", [np.array([1, 2]), np.float64(32.0), np.True_])
def test_what_numpy_has_besides_whole_numbers_is_no_whole_number(value):
    assert "image_size" in sentence(Settings, image_size=value)


@pytest.mark.parametrize("name", ["normalised", "bounds"])
@pytest.mark.parametrize("value", [0, 1, "yes", None])
def test_a_switch_is_true_or_false(name, value):
    refusal = sentence(Settings, **{name: value})
    assert name in refusal and repr(value) in refusal


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("image_size", 16),
        ("image_size", 65500),
        ("style_size", 16),
        ("style_size", 65500),
        ("iterations", 1),
        ("seed", 0),
        ("tv_weight", 0),
        ("history_size", 1000),
        ("noise_std", 0),
        ("learning_rate", 0),
        ("max_memory", 0.1),
        ("threads", 1),
    ],
)
def test_the_least_and_the_greatest_value_allowed_are_allowed(name, limit):
    assert getattr(Settings(**{name: limit}), name) == limit


def test_what_is_none_by_default_may_be_none():
    settings = Settings(style_size=None, weights=None)
    assert settings.style_size is None and settings.weights is None


def test_the_weight_file_may_be_a_path():
    assert Settings(weights=Path("vgg.h5")).weights == Path("vgg.h5")


# Layers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["content_layers", "style_layers"])
class TestLayers:
    def test_relu_is_a_synonym_of_conv(self, name):
        layers = ["relu1_1", "conv2_2", "relu3_4", "conv4_2", "relu5_4"]
        settings = Settings(**{name: layers, "style_layer_weights": "equal"})
        assert getattr(settings, name) == ("conv1_1", "conv2_2", "conv3_4", "conv4_2", "conv5_4")

    @pytest.mark.parametrize("unknown", ["conv6_1", "conv1_3", "pool1", "CONV1_1", " conv1_1", ""])
    def test_an_unknown_layer_is_shown(self, name, unknown):
        assert repr(unknown) in sentence(Settings, **{name: ("conv1_1", unknown)})

    def test_a_single_name_is_one_layer(self, name):
        settings = Settings(**{name: "relu4_2", "style_layer_weights": "equal"})
        assert getattr(settings, name) == ("conv4_2",)

    @pytest.mark.parametrize("value", [None, 5, (4,), ("conv1_1", None)])
    def test_what_is_no_names_is_shown(self, name, value):
        refusal = sentence(Settings, **{name: value})
        assert name in refusal and repr(value) in refusal

    @pytest.mark.parametrize("layers", [(), ("conv1_1", "conv1_1"), ("conv1_1", "relu1_1")])
    def test_none_at_all_or_one_twice_is_refused(self, name, layers):
        assert name in sentence(Settings, **{name: layers})


@pytest.mark.parametrize("numbers", [(), (1,), (1, 2, 3, 4), (1, 2, 3, 4, 5, 6)])
def test_there_must_be_one_weight_for_each_style_layer(numbers):
    refusal = sentence(Settings, style_layer_weights=numbers)
    assert f"{len(numbers)} numbers" in refusal and "5 style layers" in refusal


def test_the_number_of_layer_weights_goes_by_the_layers_chosen():
    settings = Settings(style_layers=("conv1_1", "conv3_1"), style_layer_weights=(1, 2.5))
    assert settings.style_layer_weights == (1, 2.5)
    assert "2 style layers" in sentence(Settings, style_layers=("conv1_1", "conv3_1"), style_layer_weights=(1,) * 5)


def test_the_same_layer_under_two_names_is_named_in_the_refusal():
    refusal = sentence(Settings, style_layers=("relu1_1", "conv2_1", "conv1_1"))
    assert "style_layers" in refusal and "conv1_1 is named twice" in refusal


# Choices ---------------------------------------------------------------------------------------------


def test_the_colours_to_choose_from_are_the_methods_there_are():
    field = next(field for field in FIELDS if field.name == "colours")
    assert choices_of(field) == tuple(method.name for method in METHODS)
    for name in choices_of(field):
        assert Settings(colours=name).colours == name


def test_a_method_added_later_can_be_chosen(monkeypatch):
    assert "'sepia'" in sentence(Settings, colours="sepia")
    monkeypatch.setitem(COLOURS, "sepia", METHODS[0])
    assert Settings(colours="sepia").colours == "sepia"


def test_every_solver_can_be_chosen_and_auto():
    for name in ("auto", *SOLVERS):
        assert Settings(optimizer=name).optimizer == name


def test_what_has_no_choices_is_free():
    free = {field.name for field in FIELDS if choices_of(field) is None}
    assert {"seed", "weights", "content_weight", "style_layers"} <= free
    assert not free & {"side", "pooling", "optimizer", "colours", "device"}


# The loss --------------------------------------------------------------------------------------------


class Darkness(Term):
    """The mean of all pixels."""

    def value_and_gradient(self, F, over_rows):
        return self.weight * F.mean(), np.full_like(F, self.weight / F.size)


def darkness(scene, options):
    """Return a term of darkness where the settings weigh it."""
    return [Darkness("darkness", None, options.darkness_weight)] if options.darkness_weight else []


@dataclasses.dataclass(frozen=True)
class DarkSettings(Settings):
    """Settings with a term more."""

    darkness_weight: float = dataclasses.field(
        default=0.0,
        metadata={
            **next(field for field in FIELDS if field.name == "tv_weight").metadata,
            "help": "weight of the mean of all pixels",
            "term": darkness,
        },
    )


def test_a_setting_that_names_a_term_is_all_that_a_new_term_of_the_loss_needs(network64, random):
    pixels, content, style = random.uniform(0, 255, (3, 16, 16, 3))
    scene = Scene(network64, content, style)
    plain = DarkSettings(content_layers=("conv1_1",), style_layers=("conv1_1", "conv2_1"), tv_weight=0.5)
    dark = dataclasses.replace(plain, darkness_weight=4)
    names = ["content conv1_1", "style conv1_1", "style conv2_1", "total variation"]
    assert [term.name for term in terms_of(plain, scene)] == names
    made = terms_of(dark, scene)
    assert [term.name for term in made] == [*names, "darkness"]
    before, after = (Objective(network64, terms_of(settings, scene))(pixels) for settings in (plain, dark))
    assert after.terms["darkness"] == pytest.approx(4 * pixels.mean(), rel=1e-14)
    assert after.loss == pytest.approx(before.loss + 4 * pixels.mean(), rel=1e-14)
    np.testing.assert_allclose(after.gradient - before.gradient, 4 / pixels.size, atol=1e-12)
    assert "-1" in sentence(DarkSettings, darkness_weight=-1)


def test_the_settings_of_the_loss_reach_its_terms(network64, random):
    pixels, content, style = random.uniform(0, 255, (3, 16, 16, 3))
    settings = Settings(
        convention="literal",
        content_weight=2,
        style_weight=3,
        tv_weight=0,
        content_layers=("conv2_1",),
        style_layers=("conv1_1", "conv2_1"),
        style_layer_weights=(0.25, 0.5),
    )
    made = terms_of(settings, Scene(network64, content, style))
    assert [(term.name, term.weight) for term in made] == [
        ("content conv2_1", 2),
        ("style conv1_1", 0.75),
        ("style conv2_1", 1.5),
    ]
    (F, P) = (network64.features(picture, ["conv2_1"])["conv2_1"] for picture in (pixels, content))
    value = Objective(network64, made)(pixels).terms["content conv2_1"]
    assert value == pytest.approx(2 * content_loss(F, P, "literal")[0], rel=1e-12)


# The table itself, presets ---------------------------------------------------------------------------


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_every_setting_says_what_it_is_and_where_its_default_comes_from(field):
    assert len(field.metadata["help"]) > 5
    assert len(field.metadata["source"]) > 2


def test_every_setting_is_in_one_group():
    grouped = [name for _, names in GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(field.name for field in FIELDS)


def test_every_group_says_in_a_line_what_it_is_about():
    for title, (line, names) in GROUPS.items():
        assert title and names and line.endswith(".") and len(line) < 80


def test_settings_cannot_be_changed_afterwards():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().iterations = 5


def test_settings_made_from_lists_equal_those_made_from_tuples_and_can_be_hashed():
    values = {"content_layers": ("conv3_1",), "style_layers": ("conv1_1", "conv2_1"), "style_layer_weights": (1, 2)}
    from_tuples, from_lists = Settings(**values), Settings(**{name: list(value) for name, value in values.items()})
    assert from_lists == from_tuples
    assert hash(from_lists) == hash(from_tuples)


PIXELS = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)


@pytest.mark.parametrize("to_start", [np.array, Image.fromarray], ids=["array", "PIL image"])
def test_settings_with_a_picture_to_begin_with_are_compared_by_its_value(to_start):
    one, same, other, smaller = (Settings(init=to_start(it)) for it in (PIXELS, PIXELS.copy(), 9 + PIXELS, PIXELS[:2]))
    assert one == same and hash(one) == hash(same) and len({one, same, other}) == 2
    assert one != other and one != smaller and one != Settings() and Settings() != one
    assert one != dataclasses.replace(same, seed=1)


def test_settings_equal_nothing_else():
    assert Settings() != "settings" and Settings() != dataclasses.asdict(Settings())


@pytest.mark.parametrize("start", STARTS)
def test_a_start_by_name_is_no_picture(start):
    assert Settings(init=start).start_picture is None


def test_anything_else_to_begin_with_is_a_picture():
    assert Settings(init="noise.png").start_picture == "noise.png"
    assert Settings(init=PIXELS).start_picture is PIXELS


def test_the_presets_cannot_be_changed():
    with pytest.raises(TypeError):
        PRESETS["mine"] = {}
    with pytest.raises(TypeError):
        PRESETS["default"]["iterations"] = 1


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_valid_and_says_nothing_that_is_no_setting(preset):
    settings = Settings.from_preset(preset)
    assert {name: getattr(settings, name) for name in PRESETS[preset]} == PRESETS[preset]


@pytest.mark.parametrize("preset", PRESETS)
def test_a_change_beats_the_preset_and_leaves_it_alone(preset):
    before = dict(PRESETS[preset])
    changed = Settings.from_preset(preset, iterations=7)
    assert changed == dataclasses.replace(Settings.from_preset(preset), iterations=7)
    assert PRESETS[preset] == before
    assert Settings.from_preset(preset).iterations != 7


def test_the_default_preset_is_the_defaults():
    assert Settings.from_preset() == Settings.from_preset("default") == Settings()


def test_the_paper_s_preset_says_what_the_paper_says():
    paper = Settings.from_preset("gatys2015")
    assert (paper.pooling, paper.init, paper.content_layers) == ("average", "noise", ("conv4_2",))
    assert paper.style_layers == ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
    assert paper.style_layer_weights == "equal" and paper.normalised


def test_an_unknown_preset_is_shown_with_those_there_are():
    refusal = sentence(Settings.from_preset, "gatys")
    assert "'gatys'" in refusal
    assert all(name in refusal for name in PRESETS)


@pytest.mark.parametrize(
    ("unknown", "meant"),
    [("iteration", "iterations"), ("imagesize", "image_size"), ("normalized", "normalised"), ("style_layer", "style_")],
)
def test_a_misspelt_setting_is_refused_with_a_hint(unknown, meant):
    refusal = sentence(Settings.from_preset, **{unknown: 1})
    assert repr(unknown) in refusal and f"did you mean {meant}" in refusal


def test_a_setting_like_no_other_is_refused_without_a_hint():
    refusal = sentence(Settings.from_preset, zzz=1)
    assert "'zzz'" in refusal and "mean" not in refusal


def test_a_change_is_checked_as_well():
    assert "-3" in sentence(Settings.from_preset, "gatys2015", iterations=-3)


@pytest.mark.parametrize(("asked", "gigabytes"), [("4GB", 4.0), ("1500 mb", 1.5), ("2", 2.0), (3, 3.0)])
def test_an_amount_of_memory_may_have_a_unit(asked, gigabytes):
    assert Settings(max_memory=asked).max_memory == gigabytes
