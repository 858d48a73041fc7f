"""The files that are known: a table of what has been published, and of what comes with the project.

A known file tells by its checksum what no file says about itself: how its network expects a picture, and under which
licence it may be used.
"""

import hashlib
from dataclasses import dataclass

from ..architecture import VGG16, VGG19
from ..errors import MinistyleError, did_you_mean

# Of weights/vgg19.h5. A file with another checksum is read in a process of its own, see `isolated`. A test compares.
SHIPPED_SHA256 = "f87a7352b35debd96b4bb46d178b3ef2ed97353c7ce0f45aa4ec961ae49a97ce"

BLOCK = 1 << 20  # bytes that are hashed at a time


@dataclass(frozen=True)
class Preprocessing:
    """How a network expects a picture: (pixel - mean) / scale, with pixels 0 to 255.

    Attributes
    ----------
    channel_order : "RGB" or "BGR"
    pixel_mean, pixel_scale : tuple of 3 floats, in the network's channel order
    """

    channel_order: str
    pixel_mean: tuple
    pixel_scale: tuple

    def in_order(self, channel_order):
        """Return the same in a channel order."""
        if channel_order == self.channel_order:
            return self
        return Preprocessing(channel_order, self.pixel_mean[::-1], self.pixel_scale[::-1])


# What `weights import --preprocessing` takes.
PREPROCESSING = {
    # The Oxford network was trained on blue, green, red, 0 to 255, minus these means; nothing was divided.
    "caffe": Preprocessing("BGR", (103.939, 116.779, 123.68), (1.0, 1.0, 1.0)),
    # torchvision's: red, green, blue, 0 to 1, minus means, over standard deviations; here in grey levels.
    "torch": Preprocessing(
        "RGB",
        tuple(255 * mean for mean in (0.485, 0.456, 0.406)),
        tuple(255 * deviation for deviation in (0.229, 0.224, 0.225)),
    ),
}

OXFORD_LICENSE = "CC BY 4.0, Visual Geometry Group, University of Oxford"
TORCHVISION_LICENSE = "BSD-3-Clause, torchvision"
CITATION = (
    "K. Simonyan, A. Zisserman: Very Deep Convolutional Networks for Large-Scale Image Recognition, "
    "arXiv:1409.1556, 2014"
)


@dataclass(frozen=True)
class KnownFile:
    """A published weight file.

    Attributes
    ----------
    name : str, that `weights fetch` takes
    file : str, the file's name where it is published
    description : str
    architecture : str
    preprocessing : Preprocessing
    license : str
    sha256, md5 : str, hexadecimal digits of its checksum, or "" where we do not know it
        A short SHA-256 is the beginning of one, as torchvision writes it into the file's name.
    urls : tuple of str, where it can be had; the first that works is taken
    """

    name: str
    file: str
    description: str
    architecture: str
    preprocessing: Preprocessing
    license: str = OXFORD_LICENSE
    sha256: str = ""
    md5: str = ""
    urls: tuple = ()

    @property
    def checksum(self):
        """The checksum with its name, as pooch writes it: "sha256:bde7..."."""
        return f"sha256:{self.sha256}" if self.sha256 else f"md5:{self.md5}"

    @property
    def can_be_fetched(self):
        """Whether the whole checksum and an address are known."""
        return bool(self.urls) and (len(self.sha256) == 64 or bool(self.md5))


_CAFFE, _TORCH = PREPROCESSING["caffe"], PREPROCESSING["torch"]
_KERAS = "https://storage.googleapis.com/tensorflow/keras-applications/"
_KERAS_MIRROR = "https://github.com/fchollet/deep-learning-models/releases/download/v0.1/"
_TORCHVISION = "https://download.pytorch.org/models/"
_JOHNSON = "https://web.eecs.umich.edu/~justincj/models/"
_MATCONVNET = "https://www.vlfeat.org/matconvnet/models/"


def _keras(name, architecture, suffix, **checksum):
    file = f"{name}_weights_tf_dim_ordering_tf_kernels{suffix}.h5"
    what = f"{architecture.name} as Keras publishes it, {'without' if suffix else 'with'} its fully connected layers"
    urls = f"{_KERAS}{name}/{file}", _KERAS_MIRROR + file
    return KnownFile(
        name if suffix else f"{name}-with-top", file, what, architecture.name, _CAFFE, urls=urls, **checksum
    )


def _matconvnet(name, architecture, folder, what, **checksum):
    file = f"imagenet-vgg-verydeep-{architecture.name[-2:]}.mat"
    description = f"{architecture.name} as MatConvNet {what}"
    urls = (_MATCONVNET + folder + file,)
    return KnownFile(name, file, description, architecture.name, _CAFFE.in_order("RGB"), urls=urls, **checksum)


def _pytorch(name, file, what, address, preprocessing, license=OXFORD_LICENSE):
    """Return a file whose name, such as vgg19-dcbb9e9d.pth, has the beginning of its SHA-256."""
    network, digits = file.removesuffix(".pth").split("-")
    architecture = VGG19.name if network == "vgg19" else VGG16.name
    description = f"{architecture} as {what}"
    return KnownFile(
        name, file, description, architecture, preprocessing, license, sha256=digits, urls=(address + file,)
    )


# Checksums: of Keras's files as in its source, keras/src/applications/; of torchvision's and Johnson's as in the names
# of their files; of MatConvNet's as in its list of models.
KNOWN_FILES = (
    _keras(
        "vgg19",
        VGG19,
        "_notop",
        sha256="bde7da0dfd621cbf86e11ce04e4946a9a42634c2cfd21318bba090d860699e35",
        md5="253f8cb515780f3b799900260a226db6",
    ),
    _keras("vgg16", VGG16, "_notop", md5="6d6bbae143d832006294945121d1f1fc"),
    _keras("vgg19", VGG19, "", md5="cbe5617147190e668d6c5d5026f83318"),
    _keras("vgg16", VGG16, "", md5="64373286793e3c8b2b4e3219cbf3544b"),
    _matconvnet("vgg19-matconvnet", VGG19, "", "publishes it", md5="106118b7cf60435e6d8e04f6a6dc3657"),
    _matconvnet(
        "vgg19-matconvnet-beta16", VGG19, "beta16/", "published it first", md5="8ee3263992981a1d26e73b3ca028a123"
    ),
    _matconvnet("vgg16-matconvnet", VGG16, "", "publishes it", md5="f72d927587ca4c97fbd165ec9cb9997f"),
    *(
        _pytorch(f"{file[:5]}-johnson", file, "J. Johnson turned it into PyTorch's format, for BGR", _JOHNSON, _CAFFE)
        for file in ("vgg19-d01eb7cb.pth", "vgg16-00b39a1b.pth")
    ),
    *(
        _pytorch(f"{file[:5]}-torchvision", file, "torchvision trained it", _TORCHVISION, _TORCH, TORCHVISION_LICENSE)
        for file in ("vgg19-dcbb9e9d.pth", "vgg16-397923af.pth")
    ),
)


def known_file(name):
    """Return the `KnownFile` of a name.

    Raises
    ------
    MinistyleError
        There is none.
    """
    names = [known.name for known in KNOWN_FILES]
    if name not in names:
        raise MinistyleError(
            f"no known file is called {name!r}; there are {', '.join(names)}{did_you_mean(name, names)}"
        )
    return KNOWN_FILES[names.index(name)]


def checksums(file):
    """Return an open file's SHA-256 and MD5 as hexadecimal digits; it is read once, from its beginning."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    file.seek(0)
    while block := file.read(BLOCK):
        sha256.update(block)
        md5.update(block)
    return sha256.hexdigest(), md5.hexdigest()


def identify(sha256, md5):
    """Return the `KnownFile` with one of these checksums, or None."""
    for known in KNOWN_FILES:
        if (known.sha256 and sha256.startswith(known.sha256)) or (known.md5 and md5 == known.md5):
            return known
    return None
