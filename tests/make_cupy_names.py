"""Write ``cupy_names.json``: the names the installed CuPy has and the arguments they take.

The stand-in for CuPy (``cupy_standin.py``) refuses whatever this record does not hold. Run the
script where CuPy is installed; it touches no GPU::

    python tests/make_cupy_names.py
"""

import importlib
import inspect
import json
from pathlib import Path

RECORD = Path(__file__).with_name("cupy_names.json")
MODULES = ("cupy", "cupy.cuda", "cupy.cuda.runtime", "cupy.lib.stride_tricks", "cupy.linalg", "cupy.random")


def stub_of(function):
    """Return the parameters of a Python function as a stub file would, or None if unreadable."""
    if inspect.isclass(function) or not callable(function):
        return None
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return None
    empty = inspect.Parameter.empty
    parameters = [
        parameter.replace(annotation=empty, default=empty if parameter.default is empty else ...)
        for parameter in signature.parameters.values()
    ]
    return str(inspect.Signature(parameters)).replace("Ellipsis", "...")


def stub_of_method(method):
    """Return the parameters of a compiled method, which its docstring opens with, or None.

    Cython writes ``class.name(self, int axis=-1, out=None) -> type`` there.
    """
    opening = (method.__doc__ or "").split("\n")[0].split(" -> ")[0]
    if not callable(method) or not opening.endswith(")") or "(self" not in opening:
        return None
    parts = opening[opening.index("(") + 1 : -1].split(", ")[1:]
    stubs = []
    for part in parts:
        declaration, has_default, _ = part.partition("=")
        stubs.append(declaration.split()[-1] + ("=..." if has_default else ""))
    return f"({', '.join(stubs)})"


def names_of(module):
    """Return the public names of a module, each with its parameters, ``"ufunc"`` or None."""
    import cupy

    values = {name: getattr(module, name) for name in dir(module) if not name.startswith("_")}
    return {name: "ufunc" if isinstance(value, cupy.ufunc) else stub_of(value) for name, value in values.items()}


def names_of_ndarray(ndarray):
    """Return the public names and the operators of the array class, with their parameters."""
    names = [name for name in dir(ndarray) if not name.startswith("_") or name.startswith("__")]
    names = [name for name in names if "pyx" not in name and name not in dir(object)]
    # Every object has the comparisons, so the line above took them out.
    names += ["__lt__", "__le__", "__eq__", "__ne__", "__gt__", "__ge__"]
    return {name: None if name.startswith("__") else stub_of_method(getattr(ndarray, name)) for name in names}


def record():
    """Return the whole record for the installed CuPy."""
    import cupy

    names = {module: names_of(importlib.import_module(module)) for module in MODULES}
    names["cupy.ndarray"] = names_of_ndarray(cupy.ndarray)
    return {"version": cupy.__version__, "names": names}


if __name__ == "__main__":
    RECORD.write_text(json.dumps(record(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
