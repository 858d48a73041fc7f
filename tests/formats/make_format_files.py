"""Make small files of every format that can be imported, with the frameworks themselves.

    python tests/formats/make_format_files.py PART ...

The parts are torch, keras, keras2, onnx, safetensors, matlab, numpy and caffe, each of which needs its framework alone,
and expected, which needs torch. They can be made in different environments. The numbers are drawn by NumPy from a fixed
seed, so all files hold the same ones. The tests need none of the frameworks. HDF5 takes much room for its groups, which
packs well, so files of Keras are stored with gzip.
"""

import gzip
import subprocess
import sys
import tempfile
import zlib
from collections import OrderedDict
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / "files"
CHANNELS = (4, 5, 6, 7, 8)
CONVOLUTIONS = {"vgg19": (2, 2, 4, 4, 4), "vgg16": (2, 2, 3, 3, 3)}  # in each block
DENSE = {"fc6": (8, 9), "fc7": (9, 9), "fc8": (9, 10)}  # behind a picture of 32 x 32, so one position is left
EPSILON = 1e-5


# The numbers -----------------------------------------------------------------------------------------


def draw(seed, *shape):
    """Return float32 numbers that depend on a text alone."""
    return np.random.default_rng(zlib.crc32(seed.encode())).standard_normal(shape).astype(np.float32)


def convolutions(network="vgg19"):
    """Return all convolutions, name -> (kernel (3, 3, C_in, C_out), bias (C_out,))."""
    layers, channels_in = {}, 3
    for block, (channels, count) in enumerate(zip(CHANNELS, CONVOLUTIONS[network], strict=True), 1):
        for number in range(1, count + 1):
            name = f"conv{block}_{number}"
            kernel = draw(f"{name} kernel", 3, 3, channels_in, channels) * np.float32((2 / 9 / channels_in) ** 0.5)
            layers[name] = kernel, draw(f"{name} bias", channels) / 8
            channels_in = channels
    return layers


def dense():
    """Return the fully connected layers on top, name -> (matrix (in, out), bias (out,))."""
    return {name: (draw(f"{name} kernel", *shape), draw(f"{name} bias", shape[1])) for name, shape in DENSE.items()}


def batch_norm(name, channels):
    """Return what batch normalisation has behind a convolution, each (C,)."""
    return {
        "weight": 1 + draw(f"{name} gamma", channels) / 8,
        "bias": draw(f"{name} beta", channels) / 8,
        "running_mean": draw(f"{name} mean", channels) / 8,
        "running_var": 1 + draw(f"{name} variance", channels) ** 2,
    }


def oihw(kernel):
    """Return a kernel (3, 3, C_in, C_out) as PyTorch, Caffe and ONNX have it."""
    return np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))


def picture():
    """Return an input of the network, (16, 16, 3)."""
    return 10 * draw("picture", 16, 16, 3)


# PyTorch ---------------------------------------------------------------------------------------------


def torchvision_state(network="vgg19", normalised=False, top=False):
    """Return a state_dict with torchvision's names."""
    import torch

    state, place, block = OrderedDict(), 0, "1"
    for name, (kernel, bias) in convolutions(network).items():
        if name[4] != block:
            place, block = place + 1, name[4]  # a pooling layer
        state[f"features.{place}.weight"] = torch.from_numpy(oihw(kernel))
        state[f"features.{place}.bias"] = torch.from_numpy(bias)
        place += 1
        if normalised:
            for kind, array in batch_norm(name, bias.size).items():
                state[f"features.{place}.{kind}"] = torch.from_numpy(array)
            state[f"features.{place}.num_batches_tracked"] = torch.tensor(7)
            place += 1
        place += 1  # a ReLU
    for name, (matrix, bias) in dense().items() if top else ():
        place = 3 * (int(name[2]) - 6)
        state[f"classifier.{place}.weight"] = torch.from_numpy(matrix.T.copy())
        state[f"classifier.{place}.bias"] = torch.from_numpy(bias)
    return state


def make_torch():
    import torch

    state = torchvision_state(top=True)
    torch.save(state, FOLDER / "torchvision.pth")
    torch.save(torchvision_state("vgg16"), FOLDER / "torchvision-vgg16.pth")
    torch.save(torchvision_state(normalised=True), FOLDER / "torchvision-bn.pth")
    gatys = OrderedDict()
    for name, (kernel, bias) in convolutions().items():
        gatys[f"{name}.weight"], gatys[f"{name}.bias"] = torch.from_numpy(oihw(kernel)), torch.from_numpy(bias)
    torch.save(gatys, FOLDER / "gatys-legacy.pth", _use_new_zipfile_serialization=False)
    parameters = OrderedDict((name, torch.nn.Parameter(tensor)) for name, tensor in torchvision_state().items())
    parameters["features.0.weight"] = torch.nn.Parameter(
        state["features.0.weight"].permute(1, 2, 3, 0).contiguous().permute(3, 0, 1, 2)  # other strides
    )
    checkpoint = {"epoch": 3, "best": 0.5, "tags": ["a", ("b", None, True)], "state_dict": parameters}
    torch.save(checkpoint, FOLDER / "checkpoint.pth", pickle_protocol=4)
    row = torch.cat([tensor.flatten() for tensor in gatys.values()])  # one storage for all
    parts = row.split([tensor.numel() for tensor in gatys.values()])
    views = {name: part.view(gatys[name].shape) for name, part in zip(gatys, parts, strict=True)}
    torch.save(views, FOLDER / "one-storage-legacy.pth", _use_new_zipfile_serialization=False)
    torch.save({name: tensor.bfloat16() for name, tensor in gatys.items()}, FOLDER / "bfloat16.pth")
    torch.save({name: tensor.half() for name, tensor in gatys.items()}, FOLDER / "float16.pth")


class TorchNetwork:
    """Computes activations with PyTorch, (1, C, H, W)."""

    def __init__(self, network="vgg19"):
        import torch

        self.torch = torch
        self.layers = {
            name: (torch.from_numpy(oihw(kernel)), torch.from_numpy(bias))
            for name, (kernel, bias) in convolutions(network).items()
        }

    def activations(self, pixels):
        """Return what all layers make of an input (H, W, 3), name -> (H, W, C) after the ReLU; average pooling."""
        functional = self.torch.nn.functional
        x, found, block = self.torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None].double(), {}, "1"
        for name, (kernel, bias) in self.layers.items():
            if name[4] != block:
                x, block = functional.avg_pool2d(x, 2), name[4]
            x = functional.relu(functional.conv2d(x, kernel.double(), bias.double(), padding=1))
            found[name] = x[0].permute(1, 2, 0).numpy()
        return found


def make_expected():
    """Store the numbers of all files, an input, and the activations that PyTorch computes from it in float64."""
    for network in CONVOLUTIONS:
        arrays = {}
        for name, (kernel, bias) in convolutions(network).items():
            arrays[f"{name}/kernel"], arrays[f"{name}/bias"] = kernel, bias
        if network == "vgg19":
            for name, (matrix, bias) in dense().items():
                arrays[f"{name}/kernel"], arrays[f"{name}/bias"] = matrix, bias
            for name, (_, bias) in convolutions().items():
                for kind, array in batch_norm(name, bias.size).items():
                    arrays[f"bn{name[4:]}/{kind}"] = array
        arrays["picture"] = picture()
        activations = TorchNetwork(network).activations(picture())
        for name in ("conv1_1", "conv3_1", list(activations)[-1]):
            arrays[f"activations/{name}"] = activations[name]
        np.savez_compressed(FOLDER / ("expected.npz" if network == "vgg19" else "expected-vgg16.npz"), **arrays)


# Keras -----------------------------------------------------------------------------------------------


def keras_model(keras, named=True, top=False, network="vgg19"):
    """Return a functional model with Keras's own layer names or those it gives by itself."""
    layers = keras.layers
    keras.backend.clear_session()
    inputs = x = layers.Input((32, 32, 3))
    block = "1"
    for name, (kernel, _) in convolutions(network).items():
        if name[4] != block:
            x, block = layers.AveragePooling2D(2, name=f"block{block}_pool" if named else None)(x), name[4]
        called = f"block{name[4]}_conv{name[6]}" if named else None
        x = layers.Conv2D(kernel.shape[-1], 3, padding="same", activation="relu", name=called)(x)
    if top:
        x = layers.Flatten(name="flatten" if named else None)(layers.AveragePooling2D(2)(x))
        for number, (_, bias) in enumerate(dense().values(), 1):
            x = layers.Dense(bias.size, name=f"fc{number}" if named else None)(x)
    model = keras.Model(inputs, x)
    arrays = list(convolutions(network).values()) + (list(dense().values()) if top else [])
    with_numbers = [layer for layer in model.layers if layer.get_weights()]
    for layer, numbers in zip(with_numbers, arrays, strict=True):
        layer.set_weights(numbers)
    return model


def pack_keras_files():
    """Replace the files of Keras by ones with gzip."""
    for path in [*FOLDER.glob("*.h5"), *FOLDER.glob("*.keras")]:
        Path(f"{path}.gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))
        path.unlink()


def make_keras():
    import keras

    named = keras_model(keras)
    named.save_weights(FOLDER / "keras3-named.weights.h5")
    keras_model(keras, named=False).save_weights(FOLDER / "keras3.weights.h5")
    keras_model(keras, named=False, top=True).save(FOLDER / "keras3.keras")
    keras_model(keras, top=True).save(FOLDER / "keras3-whole.h5")
    keras_model(keras, network="vgg16").save_weights(FOLDER / "keras3-vgg16.weights.h5")
    pack_keras_files()


def make_keras2():
    import tf_keras

    keras_model(tf_keras).save_weights(FOLDER / "keras2-notop.h5")
    keras_model(tf_keras, top=True).save_weights(FOLDER / "keras2-top.h5")
    model = keras_model(tf_keras, named=False)
    model.compile("adam", "mse")
    model.save(FOLDER / "keras2-whole.h5")
    keras_model(tf_keras, named=False).save(FOLDER / "keras2.keras")
    pack_keras_files()


# ONNX ------------------------------------------------------------------------------------------------


def onnx_model(raw):
    """Return a model whose initializers lie in another order than its nodes, and have names that mean nothing."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, initializers, x, block = [], [], "data", "1"
    for place, (name, (kernel, bias)) in enumerate(convolutions().items()):
        if name[4] != block:
            nodes.append(helper.make_node("AveragePool", [x], [f"pool{block}"], kernel_shape=[2, 2], strides=[2, 2]))
            x, block = f"pool{block}", name[4]
        names = [f"w{(7 * place) % 17}", f"b{(5 * place) % 17}"]
        nodes.append(helper.make_node("Conv", [x, *names], [f"c{place}"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [f"c{place}"], [f"r{place}"]))
        x = f"r{place}"
        for called, array in zip(names, (oihw(kernel), bias), strict=True):
            if raw:
                initializers.append(numpy_helper.from_array(array, called))
            else:
                initializers.append(helper.make_tensor(called, TensorProto.FLOAT, array.shape, array.ravel()))
    initializers.append(numpy_helper.from_array(np.array([1, 2], np.int64), "shape"))
    initializers.append(numpy_helper.from_array(draw("unused", 3), "unused"))
    graph = helper.make_graph(
        nodes,
        "vgg",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, [1, 3, 32, 32])],
        [helper.make_tensor_value_info(x, TensorProto.FLOAT, [1, 8, 2, 2])],
        initializers[::-1],
    )
    return helper.make_model(graph, producer_name="tests")


def make_onnx():
    import onnx

    for raw in (True, False):
        model = onnx_model(raw)
        onnx.checker.check_model(model)
        onnx.save(model, FOLDER / ("raw.onnx" if raw else "float-data.onnx"))
    onnx.save(
        onnx_model(True),
        FOLDER / "external.onnx",
        save_as_external_data=True,
        location="external.onnx.data",
        size_threshold=0,
    )
    (FOLDER / "external.onnx.data").unlink()


def make_onnx_export():
    """Export with torch.onnx, which needs torch and onnx."""
    import torch
    from torch import nn

    layers, block = [], "1"
    for name, (kernel, bias) in convolutions().items():
        if name[4] != block:
            block = name[4]
            layers.append(nn.AvgPool2d(2))
        layers += [nn.Conv2d(kernel.shape[2], bias.size, 3, padding=1), nn.ReLU()]
        layers[-2].weight.data, layers[-2].bias.data = torch.from_numpy(oihw(kernel)), torch.from_numpy(bias)
    torch.onnx.export(nn.Sequential(*layers), torch.zeros(1, 3, 32, 32), FOLDER / "export.onnx", dynamo=False)


# The others ------------------------------------------------------------------------------------------


def make_safetensors():
    from safetensors.numpy import save_file

    arrays = {}
    for name, tensor in torchvision_names().items():
        arrays[name] = tensor
    save_file(arrays, FOLDER / "torchvision.safetensors", metadata={"format": "pt"})
    save_file({name: array.astype(np.float16) for name, array in arrays.items()}, FOLDER / "float16.safetensors")


def torchvision_names():
    """Return the convolutions as NumPy arrays with torchvision's names."""
    arrays, place, block = {}, 0, "1"
    for name, (kernel, bias) in convolutions().items():
        if name[4] != block:
            place, block = place + 1, name[4]
        arrays[f"features.{place}.weight"], arrays[f"features.{place}.bias"] = oihw(kernel), bias
        place += 2
    return arrays


def cells(values):
    """Return values as a row of MATLAB's cells."""
    row = np.empty((1, len(values)), object)
    for place, value in enumerate(values):
        row[0, place] = value
    return row


def matlab_layers(nesting):
    """Return the cells that describe the layers, in one of two nestings."""
    found, block = [], "1"
    for name, (kernel, bias) in convolutions().items():
        if name[4] != block:
            found.append({"name": f"pool{block}", "type": "pool", "pool": np.array([2.0, 2.0])})
            block = name[4]
        layer = {"name": name, "type": "conv", "pad": np.ones(4), "stride": np.ones(2)}
        if nesting == "weights":
            layer["weights"] = cells([kernel, bias[:, None]])
        else:
            layer |= {"filters": kernel, "biases": bias[None]}
        found += [layer, {"name": f"relu{name[4:]}", "type": "relu"}]
    return cells(found)


def make_matlab():
    from scipy import io

    meta = {"normalization": {"averageImage": np.array([123.68, 116.779, 103.939])}}
    io.savemat(FOLDER / "matconvnet-weights.mat", {"layers": matlab_layers("weights"), "meta": meta})
    layers = matlab_layers("filters")
    io.savemat(FOLDER / "matconvnet-filters.mat", {"layers": layers, "classes": {"name": "x"}}, do_compression=True)
    io.savemat(FOLDER / "matconvnet-net.mat", {"net": {"layers": matlab_layers("weights"), "meta": meta}})


def make_numpy():
    short, slash = {}, {}
    for name, (kernel, bias) in convolutions().items():
        short[f"{name}_W"], short[f"{name}_b"] = kernel, bias
        slash[f"{name}/kernel"], slash[f"{name}/bias"] = np.asfortranarray(kernel), bias
    np.savez(FOLDER / "short-names.npz", **short)
    np.savez_compressed(FOLDER / "slashes.npz", **slash)


CAFFE_SCHEMA = """
syntax = "proto2";
package tests;
message BlobShape { repeated int64 dim = 1 [packed = true]; }
message BlobProto {
  optional BlobShape shape = 7;
  repeated float data = 5 [packed = true];
  repeated double double_data = 8 [packed = true];
  optional int64 num = 1 [default = 0];
  optional int64 channels = 2 [default = 0];
  optional int64 height = 3 [default = 0];
  optional int64 width = 4 [default = 0];
}
message V1LayerParameter {
  repeated string bottom = 2;
  repeated string top = 3;
  optional string name = 4;
  optional int32 type = 5;
  repeated BlobProto blobs = 6;
}
message LayerParameter {
  optional string name = 1;
  optional string type = 2;
  repeated string bottom = 3;
  repeated string top = 4;
  repeated BlobProto blobs = 7;
}
message NetParameter {
  optional string name = 1;
  repeated string input = 3;
  repeated int64 input_dim = 4;
  repeated LayerParameter layer = 100;
  repeated V1LayerParameter layers = 2;
}
"""  # the part of Caffe's caffe.proto that a network with numbers takes, with its field numbers


def caffe_classes(folder):
    """Compile the schema and return the module."""
    (folder / "ministyle_caffe.proto").write_text(CAFFE_SCHEMA, encoding="utf-8")
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{folder}", f"--python_out={folder}"]
    subprocess.run([*command, "ministyle_caffe.proto"], check=True)
    sys.path.insert(0, str(folder))
    import ministyle_caffe_pb2

    return ministyle_caffe_pb2


def add_blob(blobs, array, *, old, double=False):
    """Add an array, with four lengths (`old`) or a shape."""
    blob = blobs.add()
    if old:
        lengths = (1,) * (4 - array.ndim) + array.shape
        blob.num, blob.channels, blob.height, blob.width = lengths
    else:
        blob.shape.dim.extend(array.shape)
    (blob.double_data if double else blob.data).extend(array.ravel().tolist())


def make_caffe():
    with tempfile.TemporaryDirectory() as folder:
        classes = caffe_classes(Path(folder))
    layers = [(name, oihw(kernel), bias) for name, (kernel, bias) in convolutions().items()]
    layers += [(name, matrix.T, bias) for name, (matrix, bias) in dense().items()]
    for version, double in ((1, False), (2, False), (2, True)):
        network = classes.NetParameter(name="VGG_ILSVRC_19_layers", input=["data"], input_dim=[10, 3, 32, 32])
        before = "data"
        for name, kernel, bias in layers:
            convolution = name.startswith("conv")
            layer = (network.layers if version == 1 else network.layer).add(name=name, bottom=[before], top=[name])
            layer.type = (
                (4 if convolution else 14) if version == 1 else "Convolution" if convolution else "InnerProduct"
            )
            for array in (kernel, bias):
                add_blob(layer.blobs, array, old=version == 1, double=double)
            relu = (network.layers if version == 1 else network.layer).add(name="relu" + name[4:], bottom=[name])
            relu.type = 18 if version == 1 else "ReLU"
            before = name
        called = f"v{version}{'-double' if double else ''}.caffemodel"
        (FOLDER / called).write_bytes(network.SerializeToString())


PARTS = {
    "torch": make_torch,
    "expected": make_expected,
    "keras": make_keras,
    "keras2": make_keras2,
    "onnx": make_onnx,
    "onnx-export": make_onnx_export,
    "safetensors": make_safetensors,
    "matlab": make_matlab,
    "numpy": make_numpy,
    "caffe": make_caffe,
}

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for part in sys.argv[1:]:
        PARTS[part]()
