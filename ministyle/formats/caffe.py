"""Caffe: a network with its numbers, as a message of Protocol Buffers.

There are two versions. The older one, in which VGG was published, calls a layer `layers` and gives every array four
lengths; a bias is 1 x 1 x 1 x C there. The newer one calls it `layer`, and an array has a shape. The numbers of the
fields are those of Caffe's own `caffe.proto`.
"""

from functools import partial
from math import prod

from ..errors import MinistyleError
from . import protobuf
from .format import Format, Tensor, check_extent
from .raw import dtype_of, item_size

NETWORK_NAME, OLD_LAYER, NEW_LAYER = 1, 2, 100
OTHER_NETWORK_FIELDS = {3, 4, 5, 6, 7, 8}  # its inputs, and how it is to be run
LAYER_FIELDS = {OLD_LAYER: (4, 6), NEW_LAYER: (1, 7)}  # a layer's name, its arrays
OLDEST_LAYER = 1  # within an old layer: a layer of a version before both
LENGTHS = (1, 2, 3, 4)  # of an array with four: num, channels, height, width
SHAPE, LENGTHS_OF_SHAPE = 7, 1
DATA = {5: "float32", 8: "float64"}
ARRAY_NAMES = ("weight", "bias")  # in their order within a layer


def looks_like_caffe(file):
    """Say whether a file begins as a network does: at most with a name and inputs, then with a layer that has a name.

    What comes later is not looked at, so that a broken download is still known for what it is.
    """
    for number, value in protobuf.fields(file, protobuf.ENDLESS):
        if number in LAYER_FIELDS:
            return _begins_as_layer(file, value)
        if number == NETWORK_NAME:
            if not protobuf.text(file, value).isprintable():
                return False
        elif number not in OTHER_NETWORK_FIELDS:
            return False
    return False


def _begins_as_layer(file, layer):
    """Say whether a layer begins with a name: its own, or that of its input or output."""
    _, value = next(protobuf.fields(file, layer))
    name = protobuf.text(file, value)
    return 0 < len(name) and name.isprintable()


def tensors(file):
    """Return the arrays of all layers, "conv1_1.weight", "conv1_1.bias" and so on; see `format.Format`."""
    found = {}
    for number, layer in protobuf.fields(file, protobuf.whole(file)):
        if number in LAYER_FIELDS:
            for name, tensor in _layer(file, layer, number):
                if name in found:
                    raise MinistyleError(f"two layers have the name {name.rpartition('.')[0]!r}")
                found[name] = tensor
    return found


def _layer(file, layer, version):
    """Return (name, Tensor) for the arrays of one layer."""
    name_field, array_field = LAYER_FIELDS[version]
    name, arrays = "", []
    for number, value in protobuf.fields(file, layer):
        if version == OLD_LAYER and number == OLDEST_LAYER:
            raise MinistyleError("it is of Caffe's oldest version; bring it up to date with upgrade_net_proto_binary")
        if number == name_field:
            name = protobuf.text(file, value)
        elif number == array_field:
            arrays.append(value)
    names = [*ARRAY_NAMES, *map(str, range(len(ARRAY_NAMES), len(arrays)))]
    return [(f"{name}.{kind}", _array(file, span, name, kind)) for kind, span in zip(names, arrays, strict=False)]


def _array(file, span, layer, kind):
    """Return one array as a `Tensor`."""
    lengths, shape, spans, number_kinds = {}, None, [], set()
    for number, value in protobuf.fields(file, span):
        if number in LENGTHS:
            lengths[number] = protobuf.integers(file, value)[0]
        elif number == SHAPE:
            shape = _shape(file, value)
        elif number in DATA:
            spans.append(value)
            number_kinds.add(DATA[number])
    if shape is None:
        shape = tuple(lengths.get(number, 0) for number in LENGTHS)
    if len(number_kinds) > 1:
        raise MinistyleError(f"layer {layer!r} has an array of numbers of two kinds")
    number_kind = number_kinds.pop() if number_kinds else "float32"
    size = sum(part.size for part in spans)
    check_extent(f"{layer}.{kind}", shape, item_size(number_kind), size)
    if prod(shape) * item_size(number_kind) != size:
        raise MinistyleError(f"layer {layer!r} has an array of the shape {shape} and {size} bytes of numbers for it")
    if kind == ARRAY_NAMES[1]:
        shape = (prod(shape),)
    read = partial(protobuf.array, file, spans, number_kind, shape)
    return Tensor(shape, dtype_of(number_kind), read)


def _shape(file, span):
    """Return the lengths in a message that is a shape."""
    found = [
        protobuf.integers(file, value) for number, value in protobuf.fields(file, span) if number == LENGTHS_OF_SHAPE
    ]
    return tuple(length for some in found for length in some)


CAFFE = Format(
    name="Caffe",
    description="Caffe's networks with their numbers (.caffemodel)",
    recognises=looks_like_caffe,
    tensors=tensors,
)
