"""Every link in the documents leads somewhere, and every path and module that they name is there."""

import re
from pathlib import Path

import pytest

import ministyle

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [
    path for folder in (".", "docs", "docs/examples", "docs/results", "weights", "benchmarks")
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
