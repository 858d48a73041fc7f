"""How Sphinx builds the book: `python -m sphinx -W --keep-going -c docs . docs/_build/html`.

The source is the whole repository, not `docs` alone. So links to the README, the weights' page or a file of the code
lead somewhere in the book and on a code host alike.
"""

from ministyle.version import VERSION

project = "ministyle"
author = "the authors of ministyle"
release = VERSION

root_doc = "docs/index"
include_patterns = ["*.md", "docs/**", "weights/README.md", "benchmarks/README.md"]
exclude_patterns = ["docs/_build"]
extensions = [
    "myst_nb",  # Markdown and notebooks
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "sphinx-mathjax-offline",  # equations without a network
]

myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # notebooks are stored with their outputs; the tests run them
nb_merge_streams = True  # of a progress line, only what it says at the end

default_role = "code"  # docstrings put code in single backticks
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # docstrings say more: shapes and units
numpydoc_show_class_members = False

html_theme = "furo"
html_title = "ministyle"
html_static_path = ["static"]
html_css_files = ["book.css"]
html_show_sourcelink = False
html_show_copyright = False


def keep_tables_and_formulas(app, what, name, obj, options, lines):
    """Show the tables and the indented formulas of a module's docstring as they stand there."""
    if what != "module":
        return
    shown = []
    for line in lines:
        kept = line.startswith(("|", "    "))
        if kept and not (shown and shown[-1].startswith("    ")):
            shown += ["", "::", ""]
        shown.append("    " + line if kept else line)
    lines[:] = shown


def setup(app):
    """Connect what Sphinx has no setting for."""
    app.connect("autodoc-process-docstring", keep_tables_and_formulas)
