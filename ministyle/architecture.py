"""VGG-19 and VGG-16 as tables of layers.

A layer's name is the paper's, conv1_1 ... conv5_4, and means the activations after the ReLU.
"""

from dataclasses import dataclass
from functools import cached_property

from .errors import MinistyleError


@dataclass(frozen=True)
class Layer:
    """One layer in the table of an architecture.

    Attributes
    ----------
    name : str, such as "conv4_2" or "pool3"
    kind : "convolution" (3x3, with its ReLU) or "pool" (2x2)
    channels : int, of its output
    halvings : int, how often the picture's sides are halved on the way to its output: 3 for conv4_2
    receptive_field : int, the side in pixels of the square of the picture that one activation depends on
    """

    name: str
    kind: str
    channels: int
    halvings: int
    receptive_field: int

    def size(self, height, width):
        """Return the height and width of the layer's output for a picture of this size."""
        return height >> self.halvings, width >> self.halvings


@dataclass(frozen=True)
class Architecture:
    """A table of 3x3 convolutions in blocks, with a 2x2 pooling layer between one block and the next.

    Attributes
    ----------
    name : str
    blocks : tuple of (channels, names of the block's convolutions)
    """

    name: str
    blocks: tuple

    @cached_property
    def layers(self):
        """All layers, name -> Layer, in the order of the data."""
        table = {}
        field_side, spacing = 1, 1  # pixels: of one activation, and between two neighbouring ones
        for number, (channels, names) in enumerate(self.blocks):
            if number:
                field_side, spacing = field_side + spacing, 2 * spacing
                pool = f"pool{number}"
                table[pool] = Layer(pool, "pool", self.blocks[number - 1][0], number, field_side)
            for name in names:
                field_side += 2 * spacing
                table[name] = Layer(name, "convolution", channels, number, field_side)
        return table

    @cached_property
    def convolutions(self):
        """The names of all convolutions, a tuple in the order of the data."""
        return tuple(name for name, layer in self.layers.items() if layer.kind == "convolution")

    def layer_names(self, names):
        """Return the paper's names of some layers, a tuple; relu4_2 is accepted for conv4_2.

        Raises
        ------
        MinistyleError
            The architecture has no such layer, or a layer is named twice.
        """
        paper_names = tuple(self.layer_name(name) for name in names)
        for name in paper_names:
            if paper_names.count(name) > 1:
                raise MinistyleError(f"layer {name} is named twice in {', '.join(names)}")
        return paper_names

    def layer_name(self, name):
        """Return the paper's name of one layer; see `layer_names`."""
        paper_name = name.replace("relu", "conv")
        if paper_name not in self.convolutions:
            raise MinistyleError(f"layer (={name!r}) must be one of {', '.join(self.convolutions)}")
        return paper_name

    def deepest(self, names):
        """Return the `Layer` among some named ones that comes last."""
        return max((self.layers[name] for name in names), key=lambda layer: layer.receptive_field)


# Simonyan and Zisserman (2014), table 1, column E, without its last pooling layer and its fully connected layers.
VGG19 = Architecture(
    "VGG-19",
    (
        (64, ("conv1_1", "conv1_2")),
        (128, ("conv2_1", "conv2_2")),
        (256, ("conv3_1", "conv3_2", "conv3_3", "conv3_4")),
        (512, ("conv4_1", "conv4_2", "conv4_3", "conv4_4")),
        (512, ("conv5_1", "conv5_2", "conv5_3", "conv5_4")),
    ),
)
# Column D: three convolutions instead of four in each of the last three blocks.
VGG16 = Architecture(
    "VGG-16",
    (
        (64, ("conv1_1", "conv1_2")),
        (128, ("conv2_1", "conv2_2")),
        (256, ("conv3_1", "conv3_2", "conv3_3")),
        (512, ("conv4_1", "conv4_2", "conv4_3")),
        (512, ("conv5_1", "conv5_2", "conv5_3")),
    ),
)
ARCHITECTURES = {architecture.name: architecture for architecture in (VGG19, VGG16)}


def known_layer_names(names):
    """Return the paper's names of some layers, where it is not known yet which architecture they are of.

    Raises
    ------
    MinistyleError
        No architecture has all of them; see `Architecture.layer_names`.
    """
    errors = []
    for architecture in ARCHITECTURES.values():
        try:
            return architecture.layer_names(names)
        except MinistyleError as error:
            errors.append(error)
    raise errors[0]
