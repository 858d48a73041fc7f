"""What editors and type checkers see: types on all that is public, and every setting by its name."""

import dataclasses
import inspect
import runpy

import jedi
import pytest

import ministyle
from ministyle.files import shipped_path
from ministyle.keywords import SettingsKeywords
from ministyle.settings import PRESETS, Settings

NAMES = [setting.name for setting in dataclasses.fields(Settings)]
TAKE_SETTINGS = {  # function -> the preset whose values its signature shows
    "transfer": "default",
    "estimate_transfer": "default",
    "reconstruct_content": "content-reconstruction",
    "reconstruct_style": "texture",
    "Settings.from_preset": "default",
}


def public_functions():
    """Yield (name, function) for every public function, and for every method and property of a public class."""
    for name in ministyle.__all__:
        thing = getattr(ministyle, name)
        if inspect.isfunction(thing):
            yield name, thing
        elif inspect.isclass(thing):
            for inner, member in vars(thing).items():
                function = inspect.unwrap(getattr(member, "fget", None) or getattr(member, "func", None) or member)
                if inspect.isfunction(getattr(function, "__func__", function)) and not inner.startswith("_"):
                    yield f"{name}.{inner}", getattr(function, "__func__", function)


FUNCTIONS = dict(public_functions())


def test_the_list_of_public_functions_is_no_empty_one():
    assert {"transfer", "Job.run", "Job.of", "Job.pictures", "Result.image", "Settings.from_preset"} <= set(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_public_function_method_and_property_says_what_it_takes_and_returns(name):
    signature = inspect.signature(FUNCTIONS[name])
    assert signature.return_annotation is not signature.empty
    bare = [parameter.name for parameter in signature.parameters.values() if parameter.annotation is parameter.empty]
    assert set(bare) <= {"self", "cls"}


def test_the_file_of_the_settings_types_is_what_the_settings_say():
    made = runpy.run_path(str(shipped_path("docs/make_keywords.py")))["text"]()
    path = shipped_path("ministyle/keywords.py")
    assert path.read_text(encoding="utf-8") == made, "run 'python docs/make_keywords.py'"
    assert list(SettingsKeywords.__annotations__) == NAMES


@pytest.mark.parametrize(("name", "preset"), TAKE_SETTINGS.items())
def test_a_signature_names_every_setting_with_its_value_in_the_preset(name, preset):
    parameters = inspect.signature(FUNCTIONS[name]).parameters
    assert list(parameters)[-len(NAMES) :] == NAMES
    for setting in dataclasses.fields(Settings):
        assert parameters[setting.name].default == PRESETS[preset].get(setting.name, setting.default)
        assert parameters[setting.name].annotation == SettingsKeywords.__annotations__[setting.name].__forward_arg__


def offered(source):
    """Return what Jedi completes, and the parameters that it shows, at the end of a program."""
    [signature] = source.get_signatures()
    return [completion.name for completion in source.complete()], [parameter.name for parameter in signature.params]


@pytest.mark.parametrize("name", TAKE_SETTINGS)
def test_an_editor_completes_the_names_of_settings(name):
    """Jedi reads the package's files."""
    completions, parameters = offered(jedi.Script(f"import ministyle\nministyle.{name}(ima"))
    assert "image_size=" in completions
    assert parameters[-len(NAMES) :] == NAMES


@pytest.mark.parametrize("name", [name for name in TAKE_SETTINGS if "." not in name])
def test_a_notebook_completes_the_names_of_settings(name):
    """Jedi asks the function itself."""
    completions, parameters = offered(jedi.Interpreter(f"ministyle.{name}(ima", [{"ministyle": ministyle}]))
    assert "image_size=" in completions
    assert parameters[-len(NAMES) :] == NAMES
