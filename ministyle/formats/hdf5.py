"""HDF5: data sets that lie in the file itself, and nothing else.

An HDF5 file may say that its numbers are in another file: a data set may be stored outside, a link may lead into
another file, and a virtual data set is a patchwork of others. A reader that follows these lets a file from a stranger
read any file of yours, or hang at a pipe. A file may also name a filter, which is a library to be loaded. So all these
are refused. Nothing of a data set is read here but its description.
"""

import numpy as np

from ..errors import MinistyleError
from .format import Tensor, check_extent

SIGNATURE = b"\x89HDF\r\n\x1a\n"
FILTERS = {"deflate": 1, "shuffle": 2}  # their numbers in HDF5; those that may have packed a data set
MOST_GROUPS = 1000  # and data sets; a network of ours has some 50
DEEPEST = 8  # groups within groups
LONGEST = 255  # letters of a name
COMPRESSION = 1100  # times: deflate packs no closer than about 1030 to 1


def is_hdf5(file):
    """Say whether an open file begins as an HDF5 file does."""
    file.seek(0)
    return file.read(len(SIGNATURE)) == SIGNATURE


def data_sets(group, prefix=""):
    """Return the data sets in an HDF5 group and in those within it.

    Parameters
    ----------
    group : h5py.File or h5py.Group
    prefix : str, of their names

    Returns
    -------
    dict, name such as "block1_conv1/kernel" -> Tensor

    Raises
    ------
    MinistyleError
        There is a link to another place, a data set whose numbers are not in the file, a filter that is not deflate or
        shuffle, or more than a network has.
    """
    found = {}
    _collect(group, prefix, found, [0])
    return found


def member(group, name, prefix=""):
    """Return what a group has under a name, having checked that it lies in the file itself.

    Do not ask a group `name in group`: HDF5 follows a link to answer that.

    Parameters
    ----------
    group : h5py.File or h5py.Group
    name : str, among `list(group)`
    prefix : str, of the name, for the message

    Raises
    ------
    MinistyleError
        It is a link to another place.
    """
    import h5py

    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise MinistyleError(f"'{prefix}{name}' is a link to another place, which is not followed")
    return group[name]


def group_in(group, name):
    """Return a group within a group; see `member`.

    Raises
    ------
    MinistyleError
        It is a link to another place, or no group.
    """
    import h5py

    inner = member(group, name)
    if not isinstance(inner, h5py.Group):
        raise MinistyleError(f"'{name}' is no group")
    return inner


def _collect(group, prefix, found, count):
    """Add the data sets of a group to those found; `count` holds how many groups and data sets were met."""
    import h5py

    if prefix.count("/") > DEEPEST:
        raise MinistyleError(f"it has groups within groups, deeper than {DEEPEST}")
    for name in group:
        count[0] += 1
        if count[0] > MOST_GROUPS or len(name) > LONGEST:
            raise MinistyleError("it has more groups, or longer names, than a network")
        item = member(group, name, prefix)
        if isinstance(item, h5py.Group):
            _collect(item, f"{prefix}{name}/", found, count)
        elif isinstance(item, h5py.Dataset):
            found[prefix + name] = _tensor(item, prefix + name)


def _tensor(dataset, name):
    """Return a data set as a `Tensor`, having checked where its numbers are."""
    if dataset.is_virtual or dataset.external:
        raise MinistyleError(f"the numbers of '{name}' are in another file, which is not read")
    properties = dataset.id.get_create_plist()
    filters = {properties.get_filter(number)[0] for number in range(properties.get_nfilters())}
    if filters - set(FILTERS.values()):
        raise MinistyleError(f"'{name}' is packed with a filter that is not {' or '.join(FILTERS)}")
    if dataset.shape is None or dataset.dtype.kind not in "fiu":
        return Tensor((), np.dtype(object), lambda: None)  # a text, or nothing: no tensor of a network
    check_extent(name, dataset.shape, dataset.dtype.itemsize, COMPRESSION * dataset.id.get_storage_size())
    return Tensor(dataset.shape, dataset.dtype, lambda: dataset[...])
