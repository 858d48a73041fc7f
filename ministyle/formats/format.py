"""What a format that can be imported consists of."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import MinistyleError


@dataclass(frozen=True)
class Tensor:
    """A tensor in a file, which is not read yet.

    Attributes
    ----------
    shape : tuple of int, as the file has it
    dtype : NumPy data type
    read : function () -> array of that shape and type
        It raises MinistyleError, or an error of the library that reads, where the file is damaged.
    """

    shape: tuple
    dtype: np.dtype
    read: Callable


@dataclass(frozen=True)
class Format:
    """A file format in which others publish a network.

    Attributes
    ----------
    name : str, such as "PyTorch"
    description : str
        Which files these are, in a few words, with the ends of their names. Error messages and the help show it.
    recognises : function file -> bool
        Whether an open file looks like one of this format, judged by what it holds and not by its name. The file is
        open for bytes and can seek. The function must accept any file; an exception counts as no.
    tensors : function file -> dict, name -> Tensor
        All tensors of the file. The two of a convolution have names that differ only in what follows the last "." or
        "/", such as "features.0.weight" and "features.0.bias". Names sort, with their numbers taken as numbers, in the
        order of the network, where they have no names of the paper's. It raises MinistyleError where the file is
        damaged, holds what this format does not allow, or would run code. Where a library reads, it may raise the
        library's own errors instead, so whoever calls it does so within `errors.as_damaged`. The file must stay open
        until the tensors are read.
    """

    name: str
    description: str
    recognises: Callable
    tensors: Callable


def check_extent(name, shape, itemsize, limit):
    """Refuse a tensor that claims to be larger than what there is of the file.

    Parameters
    ----------
    name : str, of the tensor
    shape : sequence of int, as the file claims it
    itemsize : int, bytes of a number
    limit : int, bytes that there are

    Raises
    ------
    MinistyleError
    """
    size = itemsize
    for length in shape:
        if length < 0:
            raise MinistyleError(f"tensor {name!r} claims to have the shape {tuple(shape)}")
        size *= length
    if size > limit:
        raise MinistyleError(f"tensor {name!r} claims to have {size} bytes, and the file has {limit} for it")
