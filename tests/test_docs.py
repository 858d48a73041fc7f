"""Every link in the documents leads somewhere, and every path and module that they name is there."""

import json
import re
from pathlib import Path

import pytest

import ministyle
from ministyle.command import make_parser
from ministyle.files import sha256

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [
    path for folder in (".", "docs", "docs/book", "docs/examples", "docs/results", "weights", "benchmarks")
    for path in sorted((ROOT / folder).glob("*.md"))
]  # fmt: skip


def anchors(path):
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path):
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not target.startswith(("http:", "https:")):
            file, _, anchor = target.partition("#")
            linked = path if not file else (path.parent / file).resolve()
            assert linked.exists(), target
            if anchor:
                assert anchor in anchors(linked), target


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_and_module_that_is_named_is_there(path):
    text = path.read_text(encoding="utf-8")
    for named in re.findall(r"`((?:ministyle|tests|benchmarks|docs|weights)/[\w./-]+\.\w+)`", text):
        assert (ROOT / named).exists() or "NAME" in named, named
    for module in re.findall(r"`(ministyle(?:\.\w+)+)", text):
        parts = module.split(".")
        there = any(
            (ROOT / "/".join(parts[:length])).with_suffix(".py").exists() or (ROOT / "/".join(parts[:length])).is_dir()
            for length in range(len(parts), 1, -1)
        )

        assert there or hasattr(ministyle, parts[1]), module


@pytest.mark.parametrize("name", ministyle.__all__)
def test_every_public_name_is_on_the_page_of_the_modules(name):
    text = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    assert re.search(rf"ministyle\.{name}\b(?!\.)", text)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_an_equation_with_a_number_is_one_line(path):
    # Sphinx wraps equations that contain "\\" in an environment in which MathJax allows no \tag.
    equations = re.findall(r"\$\$(.+?)\$\$", path.read_text(encoding="utf-8"), re.DOTALL)
    assert not [one for one in equations if r"\tag" in one and "\\\\" in one]


def test_every_picture_has_its_papers():
    manifest = json.loads((ROOT / "docs/manifest.json").read_text(encoding="utf-8"))
    pictures, inputs = manifest["pictures"], manifest["inputs"]
    there = [path for folder in ("results", "figures", "gallery") for path in (ROOT / "docs" / folder).iterdir()]
    there = {str(path.relative_to(ROOT / "docs")) for path in there if path.suffix in {".png", ".jpg", ".svg"}}
    assert set(pictures) == there
    for about in pictures.values():
        assert about["command"].startswith("python ") and set(about["inputs"]) <= set(inputs)
        if about["command"].startswith("python -m ministyle "):
            make_parser().parse_args(about["command"].split()[3:])
    assert all(about["licence"] and about["what"] for about in inputs.values())
    for name, about in {**pictures, **inputs}.items():
        if "/" in name:  # other inputs do not come with the project
            assert sha256(ROOT / "docs" / name) == about["sha256"], name
