"""The exercise sheets: what is taken out, and what is left.

A sheet is a Python file with functions of the package, copied from their source when it is written. Of some of them
only the first lines and the docstring are left, with hints in the place of the rest.
"""

import ast
import inspect
import textwrap
from dataclasses import dataclass

from .. import layers, losses
from ..errors import MinistyleError
from ..fast import winograd
from ..files import write_text
from ..solvers import lbfgs
from . import check


@dataclass(frozen=True)
class Blank:
    """A function whose body is taken out.

    Attributes
    ----------
    function : function of the package; its source is the solution
    hints : tuple of sentences
    """

    function: object
    hints: tuple


@dataclass(frozen=True)
class Sheet:
    """One file of exercises.

    Attributes
    ----------
    name : str, of the file, without its ending
    title : str
    imports : str, source code
    given : tuple of functions of the package that are left as they are
    blanks : tuple of `Blank`
    """

    name: str
    title: str
    imports: str
    given: tuple
    blanks: tuple

    def source(self):
        """Return the sheet's source."""
        parts = [f'"""{self.title}"""\n\n{self.imports}']
        parts += [inspect.getsource(function).rstrip() for function in self.given]
        parts += [blanked(blank.function, blank.hints) for blank in self.blanks]
        return "\n\n\n".join(parts) + "\n"


SHEETS = (
    Sheet(
        "layers_backward",
        "Exercise 1: the backward passes of convolution, ReLU and pooling.",
        "from ministyle.arrays import array_module\nfrom ministyle.layers import BORDERS, _windows",
        (
            layers.convolution_forward,
            layers.relu_forward,
            layers.average_pool_forward,
            layers.max_pool_forward,
        ),
        (
            Blank(
                layers.relu_backward,
                ("y is max(x, 0). How much does y change when x changes a little, if x > 0, and if x < 0?",),
            ),
            Blank(
                layers.average_pool_backward,
                (
                    "Each of a block's four positions has a quarter of the mean.",
                    "`_windows(dx)` returns the four positions of every block as views; what you write there is in dx.",
                    "A position that no block contains cannot change the loss.",
                ),
            ),
            Blank(
                layers.max_pool_backward,
                ("Only the winner of a block changes its maximum. `cache` says which of the four it was.",),
            ),
            Blank(
                layers.convolution_backward,
                (
                    "Which outputs does x[h, w, c] enter, and with which number of the kernel?",
                    "With zeros or with copies around the picture, this is a convolution again: of dy, with a kernel "
                    "that is turned and whose last two axes are exchanged.",
                    "With a replicated border, think of the padded picture first: its border repeats pixels, so what "
                    "arrives in the border belongs to those. Begin without it; the other borders are tested alone.",
                ),
            ),
        ),
    ),
    Sheet(
        "gram",
        "Exercise 2: from the gradient with respect to the Gram matrix to that with respect to the activations.",
        "import numpy as np",
        (losses.gram_matrix,),
        (
            Blank(
                losses.gram_backward,
                (
                    "G = F F^T, so dG = dF F^T + F dF^T. In the code `columns` is F^T.",
                    "<dG, dF F^T> = <dG F, dF>. What is <dG, F dF^T>?",
                    "dG need not be symmetric.",
                ),
            ),
        ),
    ),
    Sheet(
        "two_loop",
        "Exercise 3: L-BFGS's two loops.",
        "from ministyle.arrays import array_module\nfrom ministyle.solvers.lbfgs import _dot",
        (),
        (
            Blank(
                lbfgs.two_loops,
                (
                    "Begin without `free`: the check tests that case alone, and the other one after it.",
                    "First loop, from the latest pair to the oldest: alpha = rho (s . d); d = d - alpha y.",
                    "Second loop, from the oldest to the latest: beta = rho (y . d); d = d + (alpha - beta) s.",
                    "Start with d = -g, and the result is -H g. Do not change `gradient` itself.",
                ),
            ),
        ),
    ),
    Sheet(
        "winograd_transforms",
        "Exercise 4: Winograd's three matrices.",
        "import numpy as np\nfrom numpy.polynomial import polynomial\n\n"
        "from ministyle.fast.winograd import POINTS, TAPS",
        (),
        (
            Blank(
                winograd.transforms,
                (
                    "The formulas stand at the top of `ministyle/fast/winograd.py`.",
                    "`polynomial.polyfromroots(roots)` returns the coefficients of prod (x - root), constant first.",
                    "Try F(2, 3) by hand: points 0, 1, -1 and infinity, four products for two outputs.",
                ),
            ),
        ),
    ),
)

README = """\
# Exercises

Some functions of ministyle, with their bodies taken out. Each says in its docstring what it returns, and has hints.
Fill them in, in this order, and ask after each:

    python check.py

It needs nothing but ministyle. It says `to do`, `wrong` with a reason, or `right` for each function. It knows no
solutions: it checks what must hold for the right function and for no other.

| file | functions |
|---|---|
{rows}

The solutions are the package: `ministyle/layers.py`, `ministyle/losses.py`, `ministyle/solvers/lbfgs.py`,
`ministyle/fast/winograd.py`.
"""


def blanked(function, hints):
    """Return a function's source with its body, docstring aside, replaced by hints.

    Parameters
    ----------
    function : function with a docstring
    hints : sequence of sentences
    """
    lines = inspect.getsource(function).splitlines()
    (definition,) = ast.parse("\n".join(lines)).body
    kept = lines[: definition.body[0].end_lineno]
    for hint in hints:
        first, *others = textwrap.wrap(hint, 100)
        kept += [f"    # Hint: {first}", *(f"    #       {line}" for line in others)]
    return "\n".join([*kept, f'    raise NotImplementedError("{function.__name__}")'])


def write_exercises(folder):
    """Write the sheets, the program that checks them, and a README.

    Parameters
    ----------
    folder : path, which must not exist, or be empty

    Returns
    -------
    list of paths

    Raises
    ------
    MinistyleError
        The folder cannot be made, or has something in it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise MinistyleError(f"folder '{folder}' is not empty; choose another one, so that no work is lost")
    except OSError as error:
        raise MinistyleError(f"cannot use folder '{folder}': {error.strerror}") from error
    rows = (
        f"| `{sheet.name}.py` | {', '.join(f'`{blank.function.__name__}`' for blank in sheet.blanks)} |"
        for sheet in SHEETS
    )
    texts = {
        "README.md": README.format(rows="\n".join(rows)),
        **{f"{sheet.name}.py": sheet.source() for sheet in SHEETS},
        "check.py": inspect.getsource(check),
    }
    for name, text in texts.items():
        write_text(folder / name, text)
    return [folder / name for name in texts]
