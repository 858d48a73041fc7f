"""ONNX: a network as a graph, as a message of Protocol Buffers.

The numbers are the graph's initializers. Their names mean nothing, but the nodes of the graph name them, and nodes are
listed in the order in which they are computed. So a tensor is called after its node. The numbers of the fields are
those of ONNX's own `onnx.proto`.
"""

from functools import partial
from math import prod

from ..errors import MinistyleError
from . import protobuf
from .format import Format, Tensor, check_extent
from .raw import BFLOAT16, dtype_of, item_size

VERSION, GRAPH = 1, 7  # fields of a model
OTHER_MODEL_FIELDS = {2, 3, 4, 5, 6, 8, 14, 20, 25, 26}  # producer, domain, version, document, operators, metadata
NEWEST = 1000  # version that we take for one; it is 13 in 2026
NODE, INITIALIZER = 1, 5  # of a graph
NODE_INPUT, NODE_KIND = 1, 4
LENGTHS, KIND, NAME, RAW, EXTERNAL_PLACE, PLACE = 1, 2, 8, 9, 13, 14  # of an initializer
KINDS = {1: "float32", 10: "float16", 11: "float64", 16: BFLOAT16}
TYPED = {4: "float32", 10: "float64"}  # a field for numbers of one kind; the others of KINDS must be raw
NODES = {  # kind of node -> what its tensors are called, and what its inputs after the first are
    "Conv": ("conv", ("weight", "bias")),
    "BatchNormalization": ("batchnorm", ("weight", "bias", "running_mean", "running_var")),
    "Gemm": ("gemm", ("weight", "bias")),
}
NOT_OF_A_NODE = "initializer"


def looks_like_onnx(file):
    """Say whether a file begins as a model does: with a version, then with what comes before its graph.

    What comes later is not looked at, so that a broken download is still known for what it is.
    """
    versions = 0
    for number, value in protobuf.fields(file, protobuf.ENDLESS):
        if number == VERSION and isinstance(value, int) and 0 < value < NEWEST:
            versions += 1
        elif number == GRAPH or number not in OTHER_MODEL_FIELDS:
            return versions == 1 and number == GRAPH
    return False


def tensors(file):
    """Return all tensors of floating-point numbers; see `format.Format`.

    Returns
    -------
    dict
        "conv00.weight", "conv00.bias" and so on, in the order of the network; likewise "batchnorm00..." and
        "gemm00...". What no such node has is called "initializer." and its name in the file.
    """
    graph = [value for number, value in protobuf.fields(file, protobuf.whole(file)) if number == GRAPH]
    if len(graph) != 1:
        raise MinistyleError("it has no graph, or several")
    nodes, initializers = [], {}
    for number, value in protobuf.fields(file, graph[0]):
        if number == NODE:
            nodes.append(_node(file, value))
        elif number == INITIALIZER:
            name, tensor = _initializer(file, value)
            if name in initializers:
                raise MinistyleError(f"two tensors have the name {name!r}")
            initializers[name] = tensor
    return _called_after_nodes(nodes, initializers)


def _node(file, span):
    """Return (kind, names of inputs) of a node."""
    kind, inputs = "", []
    for number, value in protobuf.fields(file, span):
        if number == NODE_KIND:
            kind = protobuf.text(file, value)
        elif number == NODE_INPUT:
            inputs.append(protobuf.text(file, value))
    return kind, inputs


def _called_after_nodes(nodes, initializers):
    """Return the tensors by names that follow the order of the nodes."""
    found, used, counts = {}, set(), dict.fromkeys(NODES, 0)
    for kind, (_, *inputs) in [(kind, inputs) for kind, inputs in nodes if kind in NODES and inputs]:
        prefix, suffixes = NODES[kind]
        for suffix, name in zip(suffixes, inputs, strict=False):
            if name not in initializers:
                raise MinistyleError(f"the {suffix} {name!r} of a node of the kind {kind} is computed, not stored")
            found[f"{prefix}{counts[kind]:02}.{suffix}"] = initializers[name]
            used.add(name)
        counts[kind] += 1
    rest = {f"{NOT_OF_A_NODE}.{name}": tensor for name, tensor in initializers.items() if name not in used}
    return {name: tensor for name, tensor in (found | rest).items() if tensor is not None}


def _initializer(file, span):
    """Return (name, Tensor) of an initializer; None for one that does not hold floating-point numbers."""
    shape, kind, name, spans = [], None, "", {}
    for number, value in protobuf.fields(file, span):
        if number == EXTERNAL_PLACE or (number == PLACE and value != 0):
            raise MinistyleError("the numbers are in another file, which is not read; store the model as one file")
        if number == LENGTHS:
            shape += protobuf.integers(file, value)
        elif number == KIND:
            kind = KINDS.get(value)
        elif number == NAME:
            name = protobuf.text(file, value)
        elif number == RAW or TYPED.get(number):
            spans.setdefault(TYPED.get(number), []).append(value)
    if kind is None:
        return name, None
    return name, _tensor(file, name, tuple(shape), kind, spans)


def _tensor(file, name, shape, kind, spans):
    """Return an initializer as a `Tensor`; `spans` are those of raw numbers (key None) and of numbers of a kind."""
    size = sum(part.size for parts in spans.values() for part in parts if isinstance(part, protobuf.Span))
    check_extent(name, shape, item_size(kind), size)
    if set(spans) - {None, kind} or len(spans) > 1 or prod(shape) * item_size(kind) != size:
        raise MinistyleError(f"tensor {name!r} of the shape {shape} has other numbers than it says")
    parts = [part for some in spans.values() for part in some]
    return Tensor(shape, dtype_of(kind), partial(protobuf.array, file, parts, kind, shape))


ONNX = Format(
    name="ONNX",
    description="ONNX models in one file (.onnx)",
    recognises=looks_like_onnx,
    tensors=tensors,
)
