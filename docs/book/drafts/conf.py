"""How Sphinx builds the book: `python -m sphinx -W --keep-going docs docs/_build`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ministyle.version import VERSION

project = "ministyle"
author = "the authors of ministyle"
release = VERSION

extensions = [
    "myst_nb",  # Markdown and notebooks
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "sphinx-mathjax-offline",  # equations without a network
]
exclude_patterns = ["_build"]
nitpicky = False
suppress_warnings = ["myst.strikethrough"]

myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # notebooks are stored with their outputs; the tests run them

autodoc_member_order = "bysource"
numpydoc_show_class_members = False

html_theme = "furo"
html_title = "ministyle"
html_static_path = ["static"]
html_css_files = ["book.css"]
