"""Tests of the package as a whole: its reading order, its docstrings, and its installed forms.

It is used in three ways: from a checkout, from an editable install and from a wheel. Each is set up here in a virtual
environment of its own, without a network, and must find the weights and the demo's pictures.
"""

import ast
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from configparser import ConfigParser
from email.parser import Parser
from pathlib import Path

import h5py
import pytest

import ministyle

ROOT = Path(__file__).resolve().parent.parent


def parse(path):
    """Parse a module. In a subfolder, turn its relative imports into absolute ones."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(tree) if len(package) > 1 else ():
        if isinstance(node, ast.ImportFrom) and node.level:
            above = package[: len(package) + 1 - node.level]
            node.module, node.level = ".".join(filter(None, [*above, node.module])), 0
    return tree


# Name -> syntax tree. A module in a subfolder is called "folder.module".
MODULES = {
    ".".join(path.relative_to(ROOT / "ministyle").with_suffix("").parts): parse(path)
    for path in (ROOT / "ministyle").rglob("*.py")
}
SHIPPED = "weights/vgg19.h5", "docs/examples/chelsea.png", "docs/examples/painting.jpg"

# Reading order ---------------------------------------------------------------------------------------


def reading_order():
    """Return the modules as the table in the package's docstring lists them, then those that stand above all.

    A subfolder counts as the modules in its own table, and then its `__init__`.
    """
    order = []
    for name in listed("__init__"):
        folder = f"{name}.__init__"
        order += [*(f"{name}.{module}" for module in listed(folder)), folder] if folder in MODULES else [name]
    return [*order, "__init__", "__main__"]


def listed(module):
    """Return the names in the table of a module's docstring."""
    return re.findall(r"^\| `(\w+)` \|", ast.get_docstring(MODULES[module]), re.MULTILINE)


_, _rooms = ast.get_docstring(MODULES["__init__"]).split("| room |")
ROOMS = set(re.findall(r"^\| `(\w+)` \|", _rooms, re.MULTILINE))


def imported(tree):
    """Return the full names of all that a module of the package imports, at its top or inside a function."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            source = ".".join(filter(None, ["ministyle" if node.level else None, node.module]))
            names |= {f"{source}.{alias.name}" for alias in node.names}
    return names


def imported_modules(tree):
    """Return the package's own modules among them."""
    names = [name.split(".")[1:3] for name in imported(tree) if name.startswith("ministyle.")]
    return {next((own for own in candidates(*name) if own in MODULES), "__init__") for name in names}


def candidates(module, inner=""):
    """Return what `ministyle.module.inner` may be: a module in a folder, a module or a folder with a definition."""
    return f"{module}.{inner}", module, f"{module}.__init__"


@pytest.mark.parametrize(
    "source",
    [
        "from .arrays import to_host",
        "from . import arrays",
        "import ministyle.arrays",
        "import ministyle.arrays as a",
        "from ministyle import arrays",
        "from ministyle.arrays import to_host",
        "def f():\n    from .arrays import to_host",
    ],
)
def test_no_way_to_import_a_module_is_overlooked(source):
    assert imported_modules(ast.parse(source)) == {"arrays"}


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("from .fast import bands", "fast.bands"),
        ("from .fast.bands import margin", "fast.bands"),
        ("import ministyle.fast.bands", "fast.bands"),
        ("from . import fast", "fast.__init__"),
        ("from .fast import FastBackend", "fast.__init__"),
    ],
)
def test_no_way_to_import_from_a_room_is_overlooked(source, module):
    assert imported_modules(ast.parse(source)) == {module}


def test_the_reading_map_names_every_module_once():
    assert sorted(reading_order()) == sorted(MODULES)


def test_the_top_of_the_package_imports_no_room():
    """The paper's story needs nothing but itself; what a room offers is handed in, or registers itself."""
    top = {name.split(".")[0] for name in reading_order() if name.split(".")[0] not in ROOMS} - {"__init__", "__main__"}
    for module in MODULES:
        if module.split(".")[0] in top:
            assert {name.split(".")[0] for name in imported_modules(MODULES[module])} <= top, module


def test_every_folder_is_a_room_or_the_solvers():
    folders = {module.split(".")[0] for module in MODULES if "." in module}
    assert folders == ROOMS | {"solvers"}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_only_modules_above_it_in_the_reading_map(module):
    order = reading_order()
    assert imported_modules(MODULES[module]) <= set(order[: order.index(module)])


def test_only_arrays_imports_cupy():
    importing = {name for name, tree in MODULES.items() if any(i.split(".")[0] == "cupy" for i in imported(tree))}
    assert importing == {"arrays"}


def test_what_the_package_imports_is_what_setup_cfg_requires():
    distributions = importlib.metadata.packages_distributions()
    foreign = {name.split(".")[0] for tree in MODULES.values() for name in imported(tree)}
    foreign -= {"ministyle", "cupy", *sys.stdlib_module_names}
    required = re.findall(r"^[\w-]+", setup_cfg()["options"]["install_requires"], re.MULTILINE)
    # module -> extra
    optional = {"av": "video", "distributed": "cluster", "matplotlib": "plot", "pooch": "fetch", "requests": "fetch"}
    assert sorted(distributions[name][0].lower() for name in foreign - set(optional)) == sorted(required)
    for name, extra in optional.items():
        assert re.search(rf"^{name}\b", setup_cfg()["options.extras_require"][extra], re.MULTILINE)


def test_only_executors_knows_dask():
    names = {"dask", "distributed"}
    assert {m for m, tree in MODULES.items() if names & {i.split(".")[0] for i in imported(tree)}} == {
        "experiments.executors"
    }


# Names and docstrings --------------------------------------------------------------------------------


def public_definitions():
    """Yield (where, node) for every public function, class and method."""
    for module, tree in MODULES.items():
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                yield f"{module}.{node.name}", node
                for inner in node.body if isinstance(node, ast.ClassDef) else ():
                    if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_"):
                        yield f"{module}.{node.name}.{inner.name}", inner


def test_every_module_and_every_public_function_class_and_method_has_a_docstring():
    places = [*MODULES.items(), *public_definitions()]
    assert [where for where, node in places if not ast.get_docstring(node)] == []


def test_all_lists_just_what_the_package_takes_from_its_modules():
    taken = {name.split(".")[-1] for name in imported(MODULES["__init__"])} - {"fast", "version"}
    assert sorted(ministyle.__all__) == sorted(taken)


@pytest.mark.parametrize("name", ministyle.__all__)
def test_every_public_name_is_there_and_is_a_documented_definition_or_a_constant(name):
    documented = {node.name for _, node in public_definitions() if ast.get_docstring(node)}
    assert hasattr(ministyle, name)
    assert name in documented or name.isupper()


# Installed forms -------------------------------------------------------------------------------------


def setup_cfg():
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def version():
    """Return the version that the package states."""
    return re.search(r'^VERSION = "(.+)"$', (ROOT / "ministyle/version.py").read_text("utf-8"), re.MULTILINE)[1]


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def copy_checkout(to):
    """Copy what belongs to the project, without what builds and tools leave behind."""
    left_behind = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for folder in ("ministyle", "weights", "docs", "tests"):
        shutil.copytree(ROOT / folder, to / folder, ignore=left_behind)
    for path in ROOT.iterdir():
        if path.is_file() and not path.name.startswith("."):
            shutil.copy(path, to)
    return to


def run(*command, cwd):
    """Run a command with nothing of this process's paths and settings for ministyle, and return what it prints."""
    private = ("PYTHONPATH", "PYTHONHOME", "MINISTYLE_WEIGHTS")
    environment = {name: value for name, value in os.environ.items() if name not in private}
    environment |= {"XDG_DATA_HOME": str(cwd / "no-data"), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def make_environment(folder):
    """Make a virtual environment that sees what is installed here, but for any ministyle, and return its Python."""
    borrowed = folder / "borrowed"
    borrowed.mkdir(parents=True)
    for packages in {Path(entry) for entry in sys.path if entry.endswith("-packages")}:
        for entry in packages.iterdir():
            if "ministyle" not in entry.name and not (borrowed / entry.name).exists():
                (borrowed / entry.name).symlink_to(entry)
    venv.create(folder / "venv", with_pip=False)
    [python] = [*folder.glob("venv/bin/python"), *folder.glob("venv/Scripts/python.exe")]
    purelib = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip()
    (Path(purelib) / "borrowed.pth").write_text(f"{borrowed}\n", encoding="utf-8")
    return python


def pip(*arguments, cwd):
    offline = ("--no-deps", "--no-build-isolation", "--check-build-dependencies", "--no-index", "--no-cache-dir")
    return run(sys.executable, "-m", "pip", *arguments, *offline, cwd=cwd)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Return a wheel whose checkout is gone."""
    folder = tmp_path_factory.mktemp("wheel")
    checkout = copy_checkout(tmp_path_factory.mktemp("checkout"))
    pip("wheel", "--wheel-dir", folder, checkout, cwd=folder)
    shutil.rmtree(checkout)
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def wheel_python(wheel, tmp_path_factory):
    """Return the Python of an environment into which the wheel is installed."""
    folder = tmp_path_factory.mktemp("wheel-environment")
    python = make_environment(folder)
    pip("--python", python, "install", wheel, cwd=folder)
    return python


@pytest.fixture(scope="module", params=["checkout", "editable", "wheel"])
def use(request, tmp_path_factory):
    """Return, for each way of use: Python with its flags, the folder to run it in, where the package and data lie."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "wheel":
        python = request.getfixturevalue("wheel_python")
        [package] = python.parent.parent.glob("[lL]ib/**/ministyle")
        return [python, "-I"], folder, package, package / "shipped"
    checkout = copy_checkout(tmp_path_factory.mktemp("checkout"))
    python = make_environment(folder)
    if request.param == "checkout":
        return [python], checkout, checkout / "ministyle", checkout
    pip("--python", python, "install", "--editable", checkout, cwd=folder)
    return [python, "-I"], folder, checkout / "ministyle", checkout


PROBE = f"""
import json, ministyle
from ministyle import files
from ministyle.command.transfer import DEMO_PICTURES
from ministyle.weights.file import load_weights
found = load_weights()
print(json.dumps({{
    "package": ministyle.__file__,
    "version": ministyle.__version__,
    "shipped": [str(files.shipped_path(relative)) for relative in {SHIPPED}],
    "demo": list(DEMO_PICTURES),
    "weights": str(found.path),
    "first": [float(number) for number in found.layers["conv1_1"][0][0, 0, 0]],
}}))
"""


def test_weights_and_pictures_are_found_in_checkout_editable_install_and_wheel(use):
    python, folder, package, data = use
    seen = json.loads(run(*python, "-c", PROBE, cwd=folder))
    assert Path(seen["package"]) == package / "__init__.py"
    assert seen["version"] == version()
    assert seen["shipped"] == [str(data / relative) for relative in SHIPPED]
    assert seen["weights"] == str(data / "weights/vgg19.h5")
    assert set(seen["demo"]) <= set(SHIPPED)
    for relative in SHIPPED:
        assert sha256(data / relative) == sha256(ROOT / relative)
    with h5py.File(ROOT / "weights/vgg19.h5") as file:
        assert seen["first"] == file["conv1_1/kernel"][0, 0, 0].tolist()


def test_info_names_version_and_weights_in_checkout_editable_install_and_wheel(use):
    python, folder, _, data = use
    lines = [line.split() for line in run(*python, "-m", "ministyle", "info", cwd=folder).splitlines()]
    assert ["ministyle", version()] in lines
    assert ["weights", str(data / "weights/vgg19.h5")] in lines
    assert ["SHA-256", sha256(ROOT / "weights/vgg19.h5")] in lines


def test_installed_command_repaints_the_shipped_pictures(wheel_python, tmp_path):
    command = wheel_python.with_name("ministyle" + wheel_python.suffix)
    assert run(command, "--version", cwd=tmp_path) == f"ministyle {version()}\n"
    run(command, "demo", "--image-size", 32, "--iterations", 1, "--device", "cpu", "--quiet", cwd=tmp_path)
    assert (tmp_path / "ministyle-demo.png").read_bytes().startswith(b"\x89PNG")


def test_the_citation_is_of_this_version():
    assert re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text("utf-8"), re.MULTILINE)[1] == version()


@pytest.mark.slow
def test_type_checkers_accept_a_program_that_uses_the_installed_package_and_find_its_mistakes(wheel_python, tmp_path):
    program = shutil.copy(ROOT / "tests/typing/public_api.py", tmp_path)
    strict = ("--strict", "--config-file=", f"--python-executable={wheel_python}", "--cache-dir=cache")
    assert "no issues found" in run(sys.executable, "-m", "mypy", *strict, program, cwd=tmp_path)


# The wheel and the source archive --------------------------------------------------------------------


def contents(wheel):
    """Return a wheel's files, path -> SHA-256, without its own list of files."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/RECORD")]
        assert len(names) == len(set(names))
        return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in names}


def test_wheel_holds_the_modules_weights_pictures_and_licences_and_nothing_else(wheel):
    information = f"ministyle-{version()}.dist-info"
    shipped = [*SHIPPED, "docs/examples/README.md", "weights/README.md", "weights/LICENSE"]
    expected = {
        **{f"ministyle/{name}.py": ROOT / f"ministyle/{name}.py" for name in (m.replace(".", "/") for m in MODULES)},
        **{f"ministyle/shipped/{relative}": ROOT / relative for relative in shipped},
        "ministyle/py.typed": ROOT / "ministyle/py.typed",
        f"{information}/licenses/LICENSE": ROOT / "LICENSE",
        f"{information}/licenses/weights/LICENSE": ROOT / "weights/LICENSE",
    }
    made_by_the_build = {f"{information}/{name}" for name in ("METADATA", "WHEEL", "entry_points.txt", "top_level.txt")}
    held = contents(wheel)
    assert sorted(held) == sorted({*expected, *made_by_the_build})
    assert {name: held[name] for name in expected} == {name: sha256(path) for name, path in expected.items()}


def test_wheel_states_version_licence_and_requirements(wheel):
    with zipfile.ZipFile(wheel) as archive:
        metadata = Parser().parsestr(archive.read(f"ministyle-{version()}.dist-info/METADATA").decode())
    assert metadata["Version"] == version()
    assert "MIT AND CC-BY-4.0" in (metadata["License"], metadata["License-Expression"])
    assert metadata.get_all("License-File") == ["LICENSE", "weights/LICENSE"]
    required = [line for line in metadata.get_all("Requires-Dist") if "extra ==" not in line]
    assert required == setup_cfg()["options"]["install_requires"].split()
    assert metadata.get_payload().strip() == (ROOT / "README.md").read_text(encoding="utf-8").strip()


def test_source_archive_holds_all_tests_and_makes_the_same_wheel(wheel, tmp_path):
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    build = "from setuptools.build_meta import build_sdist; build_sdist('..')"
    run(sys.executable, "-c", build, cwd=copy_checkout(checkout))
    shutil.rmtree(checkout)
    [path] = tmp_path.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        archive.extractall(tmp_path, filter="data")
    unpacked = tmp_path / f"ministyle-{version()}"
    tests = [relative for relative in os.listdir(ROOT / "tests") if not relative.startswith(("_", "."))]
    assert sorted(os.listdir(unpacked / "tests")) == sorted(tests)
    pip("wheel", "--wheel-dir", tmp_path, unpacked, cwd=tmp_path)
    [again] = tmp_path.glob("*.whl")
    assert contents(again) == contents(wheel)


def test_what_the_image_is_built_from_makes_the_same_wheel(wheel, tmp_path):
    kept = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text("utf-8"), re.MULTILINE)
    checkout = tmp_path / "checkout"
    for relative in kept:
        (checkout / relative).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / relative).is_dir():
            shutil.copytree(ROOT / relative, checkout / relative, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / relative, checkout / relative)
    pip("wheel", "--wheel-dir", tmp_path, checkout, cwd=tmp_path)
    [made] = tmp_path.glob("*.whl")
    assert contents(made) == contents(wheel)
