"""A stand-in for CuPy, to test the GPU path of the code where there is no GPU.

NumPy does the arithmetic; the stand-in only refuses what CuPy refuses: mixing its arrays with
NumPy's, names CuPy lacks, arguments CuPy does not take. ``cupy_names.json`` says which those are.
Where CuPy's rule is lax (some calls happen to work on a NumPy array), the stand-in is the stricter.

It also keeps count of what crosses between host and device, and of which functions are called: see `watched`.
"""

import contextlib
import functools
import inspect
import json
import operator
import sys
import threading
import types
from pathlib import Path

import numpy as np

_RECORD = json.loads(Path(__file__).with_name("cupy_names.json").read_text(encoding="utf-8"))
_NAMES = _RECORD["names"]
# The readable signature of einsum ends in **kwargs, but its body takes these two alone.
_NAMES["cupy"]["einsum"] = "(*operands, dtype=..., optimize=...)"
_SCALARS = (bool, int, float, complex, np.generic)
_DTYPES = "?bBhHiIlLqQefdFD"
_PASSED_ON = (np.generic, np.dtype, np.finfo, np.iinfo, np.ndindex, Exception)
# NumPy answers these with a Python bool or int, CuPy with an array.
_ARRAY_VALUED = ("allclose", "array_equal", "array_equiv", "count_nonzero")
# What NumPy has under the same name is of another kind: host memory, or a source of host arrays.
_NOT_MODELLED = ("data", "flat", "default_rng", "cstruct", "dump", "dumps", "tofile")
_IMPLICIT = "Implicit conversion to a NumPy array is not allowed. Please use `.get()`."


class Traffic:
    """What happened while it was watched.

    Attributes
    ----------
    to_device, to_host : list of int, the number of elements in each transfer
    synchronisations : int, how often the host had to wait for the device, transfers to the host included
    calls : set of (module or class, function, number of positional arguments, tuple of keywords)
    """

    def __init__(self):
        self.to_device = []
        self.to_host = []
        self.synchronisations = 0
        self.calls = set()


_watchers = []


@contextlib.contextmanager
def watched():
    """Count what happens until the block ends, on all threads; see `Traffic`."""
    traffic = Traffic()
    _watchers.append(traffic)
    try:
        yield traffic
    finally:
        _watchers.remove(traffic)


def _note(*, to_device=None, to_host=None, waits=False, call=None):
    for traffic in _watchers:
        if to_device is not None:
            traffic.to_device.append(to_device)
        if to_host is not None:
            traffic.to_host.append(to_host)
        traffic.synchronisations += waits or to_host is not None
        if call is not None:
            traffic.calls.add(call)


def _note_call(path, name, args, kwargs):
    _note(call=(path, name, len(args), tuple(sorted(kwargs))))


# Their results' sizes depend on values, so the host waits for these.
_WAITING = ("nonzero", "flatnonzero", "argwhere", "unique", "extract", "compress", "bincount")


@functools.cache
def _signature(text):
    """Turn the recorded text of a signature into one that arguments can be bound to."""
    return inspect.signature(eval(f"lambda {text[1:-1]}: None"))  # the text is the project's own


def _check_call(name, text, args, kwargs):
    """Raise TypeError where the recorded signature would not take these arguments."""
    if text == "ufunc":
        if unknown := set(kwargs) - {"out", "dtype", "casting"}:
            raise TypeError(f"Wrong arguments {sorted(unknown)} for {name}")
        _check_operands(*(argument for argument in args if argument is not None))
    elif text:
        for parameter, value in _signature(text).bind(*args, **kwargs).arguments.items():
            listed = isinstance(value, (list, tuple))
            if parameter == "tup" and listed:
                refused = not all(isinstance(element, ndarray) for element in value)
            elif parameter == "condition":
                refused = not isinstance(value, ndarray)
            else:
                refused = listed and parameter in ("a", "b", "x", "y", "array")
            if refused:
                raise TypeError(f"{name}: {parameter!r} takes cupy.ndarray, no list, numpy.ndarray or scalar")


def _check_operands(*operands):
    """Raise TypeError unless each operand is a stand-in array or a scalar (CuPy refuses lists too)."""
    for operand in operands:
        if not isinstance(operand, (ndarray, *_SCALARS)):
            raise TypeError(f"Unsupported type {type(operand)}")


def _unwrap(value, known):
    """Return the NumPy form of an argument, noting in `known` which array wraps which data."""
    if isinstance(value, ndarray):
        known[id(value._data)] = value
        return value._data
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}")
    if isinstance(value, dict):
        return {key: _unwrap(item, known) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items = [_unwrap(item, known) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    return value


def _wrap(result, known=()):
    """Return a result with every NumPy array and scalar in it wrapped; `out=` comes back itself."""
    if isinstance(result, (np.ndarray, np.generic)):
        if id(result) in known:
            return known[id(result)]
        if result.dtype.char not in _DTYPES:
            raise ValueError(f"Unsupported dtype {result.dtype}")
        wrapped = ndarray.__new__(ndarray)
        wrapped._data = np.asarray(result)
        return wrapped
    if isinstance(result, (list, tuple)):
        items = [_wrap(item, known) for item in result]
        return tuple(items) if isinstance(result, tuple) else items
    return result


def _forward(function, path, name, text, owner=None):
    """Return a function that checks its arguments and lets NumPy's `function` do the work."""

    def call(*args, **kwargs):
        _check_call(name, text, args, kwargs)
        _note_call(path, name, args, kwargs)
        if name in _WAITING:
            _note(waits=True)
        known = {} if owner is None else {id(owner._data): owner}
        result = function(*_unwrap(args, known), **_unwrap(kwargs, known))
        return _wrap(np.asarray(result) if name in _ARRAY_VALUED else result, known)

    return call


def _index(key):
    """Return an index as a tuple for NumPy, noting what an index by values costs."""
    key = key if isinstance(key, tuple) else (key,)
    for part in key:
        if isinstance(part, (list, np.ndarray)):
            _note(to_device=np.size(part))
        elif isinstance(part, ndarray) and part.dtype == bool:
            _note(waits=True)  # how many there are is seen on the host
    return _unwrap(key, {})


def _fetched(array, result):
    """Return what came to the host of an array, noting it."""
    _note(to_host=array._data.size)
    return result


def _wait():
    """Wait for nothing, and note it."""
    _note(waits=True)


class ndarray:  # noqa: N801
    """An array that keeps apart from NumPy's as a ``cupy.ndarray`` does."""

    __slots__ = ("_data",)
    __array_ufunc__ = None

    def __init__(self, shape, dtype=float):
        self._data = np.empty(shape, dtype)

    def __getattr__(self, name):
        if name.startswith("_") or name not in _NAMES["cupy.ndarray"]:
            raise AttributeError(f"'ndarray' object has no attribute {name!r}")
        if name in _NOT_MODELLED or not hasattr(self._data, name):
            raise NotImplementedError(f"the stand-in does not model cupy.ndarray.{name}")
        value = getattr(self._data, name)
        if callable(value):
            function = _forward(value, "cupy.ndarray", name, _NAMES["cupy.ndarray"][name], owner=self)
            if name in ("item", "tolist"):
                return lambda *args, **kwargs: _fetched(self, function(*args, **kwargs))
            return function
        return _wrap(value)

    def __array__(self, dtype=None, copy=None):
        raise TypeError(_IMPLICIT)

    def __array_function__(self, function, kinds, args, kwargs):
        raise TypeError(f"numpy.{function.__name__} was called with a cupy.ndarray")

    def __getitem__(self, key):
        key = _index(key)
        # With an Ellipsis NumPy gives a 0-d view where it would otherwise copy out a scalar.
        return _wrap(self._data[key if any(part is Ellipsis for part in key) else (*key, Ellipsis)])

    def __setitem__(self, key, value):
        key = _index(key)
        if not any(isinstance(part, (list, np.ndarray)) for part in key):
            _check_operands(value)  # CuPy takes a list as value only beside an array or list as index
        self._data[key] = _unwrap(value, {})

    def __len__(self):
        return len(self._data)

    def __iter__(self):
        return (self[position] for position in range(len(self)))

    def get(self, stream=None, order="C", out=None, blocking=True):
        """Return a copy in host memory."""
        _note_call("cupy.ndarray", "get", (stream, order, out, blocking), {})
        _note(to_host=self._data.size)
        if out is None:
            return self._data.copy(order=order)
        np.copyto(out, self._data, casting="no")
        return out

    def set(self, arr, stream=None):
        """Copy a NumPy array of the same shape and type into this one."""
        if not isinstance(arr, np.ndarray) or arr.dtype != self.dtype or arr.shape != self.shape:
            raise TypeError("Only a numpy.ndarray of the same shape and dtype can be set to cupy.ndarray")
        _note_call("cupy.ndarray", "set", (arr,), {})
        _note(to_device=arr.size)
        self._data[...] = arr

    def fill(self, value):
        """Fill the array with one scalar."""
        _note_call("cupy.ndarray", "fill", (value,), {})
        self[...] = value

    @property
    def flags(self):
        """The flags of the memory layout that CuPy has; ``writeable`` is not among them."""
        names = ("c_contiguous", "f_contiguous", "owndata")
        return types.SimpleNamespace(**{name: getattr(self._data.flags, name) for name in names})

    @property
    def device(self):
        """The one device there is."""
        return _Device()

    def __copy__(self):
        return _wrap(self._data.copy())

    def __deepcopy__(self, memo):
        return self.__copy__()

    def __repr__(self):
        return _fetched(self, repr(self._data))

    def __str__(self):
        return _fetched(self, str(self._data))

    def __format__(self, specification):
        return _fetched(self, format(self._data, specification))


def _install_operators():
    """Give the array class its operators; ``@=`` is left out, for CuPy has none."""

    def binary(function, swapped=False):
        def method(self, other):
            _check_operands(other)
            other = _unwrap(other, {})
            return _wrap(function(other, self._data) if swapped else function(self._data, other))

        return method

    def in_place(function):
        def method(self, other):
            _check_operands(other)
            function(self._data, _unwrap(other, {}))
            return self

        return method

    arithmetic = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul")
    for name in (*arithmetic, "and", "or", "xor", "lshift", "rshift"):
        function = getattr(operator, f"__{name}__")
        setattr(ndarray, f"__{name}__", binary(function))
        setattr(ndarray, f"__r{name}__", binary(function, swapped=True))
        if name != "matmul":
            setattr(ndarray, f"__i{name}__", in_place(getattr(operator, f"__i{name}__")))
    for name in ("lt", "le", "eq", "ne", "gt", "ge"):
        setattr(ndarray, f"__{name}__", binary(getattr(operator, name)))
    for name in ("neg", "pos", "abs", "invert"):
        function = getattr(operator, f"__{name}__")
        setattr(ndarray, f"__{name}__", lambda self, function=function: _wrap(function(self._data)))
    for kind in (bool, int, float, complex):
        setattr(ndarray, f"__{kind.__name__}__", lambda self, kind=kind: _fetched(self, kind(self._data)))
    ndarray.__hash__ = None


_install_operators()


def _from_host(function):
    """Return `array`, `asarray` or `asanyarray`, which take host data and never share its memory."""

    def create(*args, **kwargs):
        arguments = _signature(_NAMES["cupy"][function.__name__]).bind(*args, **kwargs).arguments
        arguments.pop("blocking", None)
        source = arguments.pop("obj" if "obj" in arguments else "a")
        known = {}
        _note_call("cupy", function.__name__, args, kwargs)
        from_host = not isinstance(source, ndarray)
        source = source.copy() if isinstance(source, np.ndarray) else _unwrap(source, known)
        result = _wrap(function(source, **arguments), known)
        if from_host:
            _note(to_device=result.size)
        return result

    return create


def asnumpy(a, stream=None, order="C", out=None, *, blocking=True):
    """Return a copy in host memory; NumPy arrays and sequences are taken as they are."""
    _note_call("cupy", "asnumpy", (a,), {})
    return a.get(stream, order, out, blocking) if isinstance(a, ndarray) else np.asarray(a, order=order)


_current = threading.local()  # each thread has a current device of its own


class _Device:
    """A device that has nothing to do."""

    def __init__(self, device=0):
        self.id = device
        self.mem_info = (8 * 2**30, 8 * 2**30)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return None

    def use(self):
        """Make this the current device of the thread."""
        _current.device = self.id

    def synchronize(self):
        """Wait for nothing."""
        _wait()


class CUDARuntimeError(RuntimeError):
    """What CuPy raises when the driver or the device fails."""


class OutOfMemoryError(MemoryError):
    """What CuPy raises when the device has no memory left."""


class _Module(types.ModuleType):
    """A module that has what CuPy's has by that name, and NumPy's arithmetic behind it."""

    def __getattr__(self, name):
        path = self.__name__
        if name.startswith("_") or name not in _NAMES.get(path, ()):
            raise AttributeError(f"module {path!r} has no attribute {name!r}")
        source = functools.reduce(lambda at, part: getattr(at, part, None), path.split(".")[1:], np)
        value = getattr(source, name, NotImplemented)
        passed_on = isinstance(value, type) and issubclass(value, _PASSED_ON)
        if passed_on or value is None or isinstance(value, float):
            return value
        if name in _NOT_MODELLED or isinstance(value, type) or not callable(value):
            raise NotImplementedError(f"the stand-in does not model {path}.{name}")
        return _forward(value, path, name, _NAMES[path][name])


def make_module():
    """Return a new module that stands in for ``cupy``."""
    modules = {path: _Module(path) for path in ("cupy", "cupy.lib", *_NAMES) if path != "cupy.ndarray"}
    for path in set(modules) - {"cupy"}:
        parent, _, child = path.rpartition(".")
        setattr(modules[parent], child, modules[path])
    nothing = types.SimpleNamespace(synchronize=_wait)
    pool = types.SimpleNamespace(free_all_blocks=lambda: None, used_bytes=lambda: 0, total_bytes=lambda: 0)
    cupy, cuda, runtime = modules["cupy"], modules["cupy.cuda"], modules["cupy.cuda.runtime"]
    vars(runtime).update(
        CUDARuntimeError=CUDARuntimeError,
        getDeviceCount=lambda: 1,
        getDevice=lambda: getattr(_current, "device", 0),
        getDeviceProperties=lambda device: {"name": b"stand-in", "totalGlobalMem": 8 * 2**30},
        memGetInfo=lambda: (8 * 2**30, 8 * 2**30),
        deviceSynchronize=_wait,
    )
    vars(cuda).update(
        Device=_Device,
        Stream=types.SimpleNamespace(null=nothing),
        get_current_stream=lambda: nothing,
        is_available=lambda: True,
        memory=types.SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
    )
    linalg = types.SimpleNamespace(COMPUTE_TYPE_DEFAULT="float32", COMPUTE_TYPE_TF32="tf32", compute_type="float32")

    def set_compute_type(dtype, compute_type):
        assert dtype is np.float32
        linalg.compute_type = compute_type

    linalg.set_compute_type = set_compute_type
    vars(cupy).update(
        _core=types.SimpleNamespace(_routines_linalg=linalg),
        __version__=_RECORD["version"],
        ndarray=ndarray,
        asnumpy=asnumpy,
        get_array_module=lambda *args: cupy if any(isinstance(arg, ndarray) for arg in args) else np,
        get_default_memory_pool=lambda: pool,
        **{function.__name__: _from_host(function) for function in (np.array, np.asarray, np.asanyarray)},
    )
    return cupy


module = make_module()


@contextlib.contextmanager
def installed():
    """Let ``import cupy`` find the stand-in until the block ends."""
    before = sys.modules.get("cupy")
    sys.modules["cupy"] = module
    try:
        yield module
    finally:
        del sys.modules["cupy"]
        if before is not None:
            sys.modules["cupy"] = before
