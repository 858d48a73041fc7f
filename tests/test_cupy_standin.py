"""Tests that the stand-in for CuPy refuses and allows what CuPy does."""

import copy
import json
import operator
import sys

import cupy_standin
import make_cupy_names
import numpy as np
import pytest

cp = cupy_standin.module
HOST = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def x():
    """Return a 2 by 3 float32 stand-in array with 0 to 5."""
    return cp.asarray(HOST)


def values(array):
    """Return the values of a stand-in array as nested lists."""
    assert type(array) is cp.ndarray
    return array.get().tolist()


BINARY = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul"]
COMPARISONS = ["lt", "le", "eq", "ne", "gt", "ge"]
IN_PLACE = ["iadd", "isub", "imul", "itruediv", "ifloordiv", "imod", "ipow"]


@pytest.mark.parametrize("name", BINARY + COMPARISONS)
@pytest.mark.parametrize("host", [HOST, np.array(2.0, np.float32), HOST.tolist(), None])
def test_binary_operators_refuse_what_is_not_an_array_of_the_device_or_a_scalar(x, name, host):
    function = getattr(operator, name)
    with pytest.raises(TypeError):
        function(x, host)
    with pytest.raises(TypeError):
        function(host, x)


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place_operators_refuse_host_arrays_on_either_side(x, name):
    function = getattr(operator, name)
    host = HOST.copy()
    for left, right in [(x, host), (host, x), (x, np.array(2.0)), (x, HOST.tolist())]:
        with pytest.raises(TypeError):
            function(left, right)
    assert values(x) == HOST.tolist()
    assert (host == HOST).all()


@pytest.mark.parametrize("name", ["and_", "or_", "xor", "iand", "ior", "ixor"])
def test_logical_operators(x, name):
    function = getattr(operator, name)
    mask, host = x > 2, HOST > 2
    for left, right in [(mask, host), (host.copy(), mask)]:
        with pytest.raises(TypeError):
            function(left, right)
    assert values(function(mask, x < 4)) == function(HOST > 2, HOST < 4).tolist()


@pytest.mark.parametrize(
    "call",
    [
        np.asarray,
        np.array,
        np.float32,
        np.sum,
        np.sqrt,
        np.linalg.norm,
        lambda x: np.maximum(x, 0),
        lambda x: np.stack([x, x]),
        lambda x: np.add(HOST, HOST, out=x),
        lambda x: np.einsum("ij->", x),
        lambda x: HOST.copy().__setitem__(..., x),
        lambda x: np.add.reduce(x),
    ],
)
def test_numpy_refuses_the_array(x, call):
    with pytest.raises(TypeError):
        call(x)
    with pytest.raises(TypeError):
        call(x[0, 0])


@pytest.mark.parametrize(
    "call",
    [
        lambda x: cp.sum(HOST),
        lambda x: cp.maximum(x, HOST),
        lambda x: cp.maximum(x, np.array(0.0)),
        lambda x: cp.where(x > 0, x, HOST),
        lambda x: cp.stack([x, HOST]),
        lambda x: cp.stack([HOST, HOST]),
        lambda x: cp.einsum("ij,ij->", x, HOST),
        lambda x: cp.tensordot(x, HOST),
        lambda x: cp.pad(HOST, 1),
        lambda x: cp.zeros_like(HOST),
        lambda x: cp.ascontiguousarray(HOST),
        lambda x: cp.matmul(x, HOST.T),
        lambda x: cp.add(x, 1, out=HOST.copy()),
        lambda x: cp.add(x, 1, out=(HOST.copy(),)),
        lambda x: cp.linalg.norm(HOST),
        lambda x: cp.random.permutation(HOST),
        lambda x: x.dot(HOST.T),
        lambda x: x.clip(HOST, None),
        lambda x: x.sum(axis=np.array(1)),
        lambda x: x[np.array([0])],
        lambda x: x[HOST > 2],
        lambda x: x[:, [0, np.array(1)]],
        lambda x: x.__setitem__(0, HOST[0]),
        lambda x: x.__setitem__(np.array([0]), 1),
        lambda x: x.__setitem__([0], HOST[0]),
        lambda x: x.fill(HOST),
    ],
)
def test_host_arrays_are_refused_as_argument_index_and_value(x, call):
    with pytest.raises(TypeError, match=r"numpy\.ndarray"):
        call(x)
    assert values(x) == HOST.tolist()


@pytest.mark.parametrize(
    "call",
    [
        lambda x: cp.sum([x, x]),
        lambda x: cp.sum([1.0, 2.0]),
        lambda x: cp.maximum([1.0, 2.0, 3.0], x),
        lambda x: cp.stack([[1.0], [2.0]]),
        lambda x: cp.concatenate([x, [[1.0, 2.0, 3.0]]]),
        lambda x: cp.where(True, x, x),
        lambda x: cp.reshape([1, 2], (2, 1)),
        lambda x: x.__setitem__(0, [1, 2, 3]),
    ],
)
def test_lists_are_refused_where_cupy_refuses_them(x, call):
    with pytest.raises(TypeError):
        call(x)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: x.sum(where=x > 2),
        lambda x: x.max(initial=0),
        lambda x: x.reshape(shape=(3, 2)),
        lambda x: x.item(0),
        lambda x: cp.sum(x, initial=0),
        lambda x: cp.mean(x, where=x > 2),
        lambda x: cp.maximum(x, 0, where=x > 2),
        lambda x: cp.sqrt(x, order="C"),
        lambda x: cp.einsum("ij->j", x, out=x[0]),
        lambda x: cp.clip(x, min=0, max=1),
        lambda x: cp.zeros_like(x, device="cpu"),
        lambda x: cp.linalg.norm(x, axes=0),
        lambda x: cp.asarray(x, like=x),
    ],
)
def test_arguments_cupy_does_not_know_are_refused(x, call):
    with pytest.raises(TypeError):
        call(x)


@pytest.mark.parametrize("name", ["ctypes", "resize", "to_device", "__array_interface__", "setflags"])
def test_attributes_cupy_lacks_are_missing(x, name):
    assert hasattr(HOST, name)
    assert not hasattr(x, name)


@pytest.mark.parametrize("name", ["ma", "strings", "errstate", "nditer", "einsum_path", "nanquantile"])
def test_functions_cupy_lacks_are_missing(name):
    assert hasattr(np, name)
    assert not hasattr(cp, name)


def test_other_names_and_attributes_are_missing(x):
    for missing in ["multi_dot", "vector_norm"]:
        assert hasattr(np.linalg, missing)
        assert not hasattr(cp.linalg, missing)
    assert not hasattr(cp.lib, "format")
    assert not hasattr(cp.cuda, "synchronise")
    assert not hasattr(x.flags, "writeable")
    with pytest.raises(AttributeError):
        x.label = "image"


@pytest.mark.parametrize("name", ["fft", "RawKernel", "mgrid", "fuse"])
def test_what_is_not_modelled_says_so(name):
    with pytest.raises(NotImplementedError, match=name):
        getattr(cp, name)


def test_host_memory_of_an_array_is_out_of_reach(x):
    for name in ["data", "flat"]:
        with pytest.raises(NotImplementedError):
            getattr(x, name)
    assert type(x[0].base) is cp.ndarray


def test_types_the_device_has_not_are_refused():
    for host in [np.array(["a"]), np.array([None]), np.array([1], dtype=np.longdouble)]:
        with pytest.raises(ValueError, match="Unsupported dtype"):
            cp.asarray(host)


def test_the_way_to_the_device_and_back_copies():
    host = HOST.copy()
    for function in [cp.asarray, cp.array, cp.asanyarray]:
        x = function(host)
        for back in [x.get(), cp.asnumpy(x)]:
            assert type(back) is np.ndarray
            back[...] = -1
            assert values(x) == HOST.tolist()
        x[...] = -1
        assert (host == HOST).all()
    x.set(host)
    assert values(x) == HOST.tolist()
    with pytest.raises(TypeError):
        x.set(host.astype(np.float64))
    out = np.empty_like(HOST)
    assert x.get(out=out) is out
    assert (out == HOST).all()
    assert cp.asnumpy(host) is host


def test_asarray_takes_dtype_lists_and_scalars(x):
    assert cp.asarray(HOST, dtype=cp.float64).dtype == np.float64
    assert values(cp.array([1, 2], dtype=np.float32)) == [1, 2]
    assert values(cp.asarray([x[0, 1], x[1, 2]])) == [1, 5]
    assert cp.asarray(3.0).shape == ()
    assert cp.asarray(x) is x
    assert cp.array(x) is not x


def test_scalars_are_allowed_and_keep_the_type_as_numpy_2_says(x):
    results = [x + 1, 1 + x, x * 2.5, 2.5 / x[1], x**2, 2**x, x - True, np.float32(2) * x, x * np.float32(2)]
    for result in results:
        assert type(result) is cp.ndarray
        assert result.dtype == np.float32
    assert (np.float64(2) * x).dtype == np.float64
    assert (x + cp.asarray(1.0)).dtype == np.float64
    assert (x[0, 0] * 2.0).dtype == np.float32
    assert values(np.float32(2) * x) == (2 * HOST).tolist()
    x *= np.float32(2)
    assert values(x) == (2 * HOST).tolist()


def test_comparisons_and_unary_operators(x):
    assert values(x > 2) == (HOST > 2).tolist()
    assert values(np.float32(2) > x) == (HOST < 2).tolist()
    assert values(x == x) == [[True] * 3] * 2
    assert values(-x) == (-HOST).tolist()
    assert values(abs(-x)) == HOST.tolist()
    assert values(~(x > 2)) == (HOST <= 2).tolist()
    assert values(2 - x) == (2 - HOST).tolist()
    assert values(x @ x.T) == (HOST @ HOST.T).tolist()
    with pytest.raises(TypeError, match="unhashable"):
        hash(x)


def test_reductions_give_0d_arrays(x):
    results = [x.sum(), x.mean(), cp.max(x), cp.vdot(x, x), cp.linalg.norm(x), cp.einsum("ij->", x), x[1, 2]]
    results += [x.argmax(), cp.allclose(x, x), cp.array_equal(x, x), cp.isfinite(x).all(), cp.any(x > 2)]
    results += [x[0] @ x[1], cp.sqrt(2.0), x.sum() + x.mean(), cp.dot(x[0], x[0]), cp.count_nonzero(x)]
    for result in results:
        assert type(result) is cp.ndarray
        assert result.shape == ()
        assert np.isscalar(result.item())
    assert float(x.sum()) == 15.0
    assert int(x.max()) == 5
    assert bool(cp.isfinite(x).all()) is True
    assert f"{x.mean():.3f}" == "2.500"
    assert values(x.sum(axis=0, keepdims=True)) == [[3, 5, 7]]


def test_truth_length_and_iteration(x):
    with pytest.raises(ValueError, match="ambiguous"):
        bool(x)
    assert len(x) == 2
    assert [values(row) for row in x] == HOST.tolist()
    for function in [len, iter]:
        with pytest.raises(TypeError):
            function(x.sum())


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x[0],
        lambda x: x[..., ::-1],
        lambda x: x[:, None],
        lambda x: x[1, 2],
        lambda x: x[0:1, 2],
        lambda x: x.T,
        lambda x: x.reshape(3, 2),
        lambda x: x.reshape(-1),
        lambda x: x.ravel(),
        lambda x: x.transpose(1, 0),
        lambda x: x.swapaxes(0, 1),
        lambda x: cp.reshape(x, (6,)),
        lambda x: cp.transpose(x),
        lambda x: cp.moveaxis(x, 0, 1),
        lambda x: x.astype(np.float32, copy=False),
        lambda x: cp.ascontiguousarray(x),
        lambda x: cp.lib.stride_tricks.as_strided(x, (2, 2), (12, 4)),
        lambda x: next(iter(x)),
    ],
)
def test_views_share_memory(x, view):
    part = view(x)
    assert type(part) is cp.ndarray
    part += 10
    assert float(x.sum()) == 15 + 10 * part.size
    part[...] = 10
    assert float((x == 10).sum()) == part.size


@pytest.mark.parametrize(
    "duplicate",
    [
        lambda x: x.copy(),
        lambda x: x + 0,
        lambda x: x[[0, 1]],
        lambda x: x[x > -1],
        lambda x: x.astype(np.float32),
        lambda x: x.flatten(),
        lambda x: cp.ascontiguousarray(x.T),
        copy.copy,
        copy.deepcopy,
    ],
)
def test_copies_do_not_share_memory(x, duplicate):
    other = duplicate(x)
    other *= 0
    assert values(x) == HOST.tolist()


def test_in_place_operators_change_the_array_itself(x):
    before, alias = x, x[:]
    x *= 2
    x += x[0]
    x -= cp.asarray(np.float32(1))
    x[0] /= 2
    assert x is before
    expected = 2 * HOST + 2 * HOST[0] - 1
    expected[0] /= 2
    assert values(alias) == expected.tolist()
    total = x.sum()
    same = total
    total += 1
    assert same is total
    # CuPy has no in-place matrix product, so this makes a new array, as there.
    square = x @ x.T
    old = square
    square @= square
    assert square is not old


def test_indexing_and_assignment(x):
    assert values(x[..., [2, 0]]) == HOST[..., [2, 0]].tolist()
    assert values(x[cp.asarray([1])]) == HOST[[1]].tolist()
    assert values(x[x > 2]) == [3, 4, 5]
    assert values(x[np.int64(1), 1:]) == [4, 5]
    x[0] = x[1]
    x[x > 4] = 0
    x[[1]] = [7, 8, 9]
    x[0, 0] = np.float32(6)
    x[0, 1] = x[1, 1]
    assert values(x) == [[6, 8, 0], [7, 8, 9]]
    x.fill(2)
    assert values(x) == [[2] * 3] * 2


def test_out_is_written_and_returned(x):
    out = cp.empty_like(x)
    assert cp.maximum(x, 2, out=out) is out
    assert values(out) == np.maximum(HOST, 2).tolist()
    assert cp.multiply(x, 2, out) is out
    assert x.sum(axis=0, out=out[0]).shape == (3,)
    assert values(out[0]) == HOST.sum(axis=0).tolist()
    square = cp.empty((2, 2), dtype=cp.float32)
    assert cp.matmul(x, x.T, out=square) is square
    assert values(square) == (HOST @ HOST.T).tolist()


def test_functions_the_code_relies_on_agree_with_numpy(x):
    calls = {
        "pad": lambda xp, a: xp.pad(a, ((1, 0), (0, 2)), mode="reflect"),
        "einsum": lambda xp, a: xp.einsum("ij,kj->ik", a, a, optimize=True),
        "tensordot": lambda xp, a: xp.tensordot(a, a, axes=([1], [1])),
        "where": lambda xp, a: xp.where(a > 2, a, 0),
        "stack": lambda xp, a: xp.stack([a, a], axis=-1),
        "concatenate": lambda xp, a: xp.concatenate([a, a]),
        "clip": lambda xp, a: xp.clip(a, 1, 4),
        "clip method": lambda xp, a: a.clip(1, 4),
        "square": lambda xp, a: xp.square(a),
        "zeros_like": lambda xp, a: xp.zeros_like(a),
        "zeros": lambda xp, a: xp.zeros((2, 1), dtype=xp.float32),
        "windows": lambda xp, a: xp.lib.stride_tricks.sliding_window_view(a, 2, axis=1),
        "newaxis": lambda xp, a: a[:, xp.newaxis] * xp.pi,
        "nonzero": lambda xp, a: xp.nonzero(a)[0],
        "svd": lambda xp, a: xp.linalg.svd(a)[1],
    }
    for name, call in calls.items():
        expected, result = call(np, HOST), call(cp, x)
        assert result.dtype == expected.dtype, name
        assert values(result) == expected.tolist(), name
    assert cp.result_type(np.float32, np.float64) == cp.float64
    assert cp.finfo(cp.float32).eps == np.finfo(np.float32).eps
    assert (x.shape, x.ndim, x.size, x.nbytes, x.strides, x.dtype) == ((2, 3), 2, 6, 24, (12, 4), np.float32)
    assert x.flags.c_contiguous
    assert not x.T.flags.c_contiguous
    assert cp.ndarray((2, 3), np.float32).shape == (2, 3)


def test_device_pool_and_array_module(x):
    assert cp.cuda.runtime.getDeviceCount() == 1
    assert cp.cuda.runtime.getDeviceProperties(0)["name"] == b"stand-in"
    assert len(cp.cuda.runtime.memGetInfo()) == 2
    assert issubclass(cp.cuda.runtime.CUDARuntimeError, RuntimeError)
    assert issubclass(cp.cuda.memory.OutOfMemoryError, MemoryError)
    with cp.cuda.Device(0) as device:
        device.synchronize()
    cp.cuda.Stream.null.synchronize()
    pool = cp.get_default_memory_pool()
    pool.free_all_blocks()
    assert pool.used_bytes() == pool.total_bytes() == 0
    assert cp.get_array_module(1, x) is cp
    assert cp.get_array_module(HOST) is np


def test_installed_puts_back_what_was_there(monkeypatch):
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    with cupy_standin.installed():
        import cupy

        assert cupy is cp
    assert "cupy" not in sys.modules
    other = cupy_standin.make_module()
    monkeypatch.setitem(sys.modules, "cupy", other)
    with pytest.raises(KeyError), cupy_standin.installed():
        raise KeyError
    assert sys.modules["cupy"] is other


def test_the_stand_in_has_no_operator_that_cupy_lacks():
    recorded = json.loads(make_cupy_names.RECORD.read_text(encoding="utf-8"))["names"]["cupy.ndarray"]
    defined = {name for name in vars(cp.ndarray) if name not in vars(object)}
    own = {"__array_ufunc__", "__getattr__", "__module__", "__slots__", "_data"}
    assert defined - own <= set(recorded)


def test_the_record_is_that_of_the_installed_cupy():
    cupy = pytest.importorskip("cupy")
    recorded = json.loads(make_cupy_names.RECORD.read_text(encoding="utf-8"))
    if cupy.__version__ != recorded["version"]:
        pytest.skip(f"CuPy {cupy.__version__} is installed, the record is of {recorded['version']}")
    assert make_cupy_names.record() == recorded
