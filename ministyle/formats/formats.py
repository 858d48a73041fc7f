"""All formats, and which one a file has."""

from ..errors import MinistyleError
from .caffe import CAFFE
from .keras import KERAS, KERAS_ARCHIVE
from .matconvnet import MATCONVNET
from .numpy_archive import NPZ
from .onnx import ONNX
from .pytorch import PYTORCH
from .safetensors import SAFETENSORS

# In the order in which they are asked. What has a clear signature comes first.
FORMATS = (KERAS, KERAS_ARCHIVE, PYTORCH, NPZ, MATCONVNET, SAFETENSORS, ONNX, CAFFE)


def format_of(file):
    """Return the `Format` of an open file, judged by what it holds.

    Parameters
    ----------
    file : open for bytes, can seek

    Raises
    ------
    MinistyleError
        It is of none of `FORMATS`.
    """
    for known in FORMATS:
        if _recognises(known, file):
            return known
    importable = "; ".join(known.description for known in FORMATS)
    raise MinistyleError(f"it is damaged, or of an unknown format; what can be imported is: {importable}")


def _recognises(known, file):
    """Say whether a format recognises a file. A file that makes it stumble is not its own."""
    try:
        return known.recognises(file)
    except Exception:  # any; the file is a stranger's
        return False
