"""Ways to damage the files in which networks are published, with regard to what they consist of."""

import functools
import io
import json
import pickletools
import struct
import time
import warnings
import zipfile
import zlib

import mutators
import numpy as np

SECRET = 12345.0  # the numbers of a file that no weight file may lead to
SECRET_FILE = "secret.h5"  # beside the weight file; seen from the folder of work, it is at SECRET_PATH
SECRET_PATH = "../input/secret.h5"
COMMAND = "touch stray"  # a pickle that is run leaves a file behind


# Zip archives --------------------------------------------------------------------------------------------


METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


def members(data):
    """Return the members of a valid archive, a list of (name, data)."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [(info.filename, archive.read(info)) for info in archive.infolist()]


def zip_of(parts, method=zipfile.ZIP_STORED):
    """Return an archive of members, with right checksums."""
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", method) as archive:
        warnings.simplefilter("ignore")  # of two members with one name
        for name, data in parts:
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return file.getvalue()


def mutate_zip(random, data, mutate_member):
    """Return an archive with a member damaged, left out, renamed or packed differently; the checksums are right."""
    parts = members(data)
    method = random.choice(
        (zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    )
    at, kind = random.randrange(len(parts)), random.randrange(8)
    name, part = parts[at]
    if kind == 0:
        del parts[at]
    elif kind == 1:
        parts.insert(random.randrange(len(parts) + 1), (name, random.choice(parts)[1]))
    elif kind == 2:
        parts[at] = random.choice(("../" + name, "/" + name, name + "\x1b[2J", "", name.upper(), "é/" + name)), part
    elif kind == 3:
        parts[at] = name, bytes(random.choice((0, 10**6, 3 * 10**7)))
        method = zipfile.ZIP_DEFLATED
    else:
        parts[at] = name, mutate_member(random, name, part)
    made = zip_of(parts, method)
    return _claims(random, made) if random.random() < 0.2 else made


def _claims(random, data):
    """Change a size or a place that the directory of an archive claims."""
    at = data.rfind(b"PK\x01\x02", 0, random.randrange(len(data)))
    at = data.find(b"PK\x01\x02") if at < 0 else at
    field = at + random.choice((10, 20, 24, 28, 30, 42))
    return data[:field] + struct.pack("<I", random.choice(mutators.INTEGERS) & 0xFFFFFFFF) + data[field + 4 :]


# Pickles -------------------------------------------------------------------------------------------------

HOSTILE = (
    b"cposix\nsystem\n(S'" + COMMAND.encode() + b"'\ntR",
    b"c__builtin__\neval\n(S'1'\ntR",
    b"cbuiltins\ngetattr\n(cbuiltins\nint\nS'__class__'\ntR",
    b"\x8c\x05posix\x8c\x06system\x93\x8c\x0b" + COMMAND.encode() + b"\x85R",
    b"ctorch._utils\n_rebuild_tensor_v2\n",
    b"ctorch\nFloatStorage\n",
    b"ccollections\nOrderedDict\n)R",
    b"N\x85" + b"2\x86" * 60,  # a tuple of tuples that has 2^60 parts
    b"\x8b" + struct.pack("<i", 2**31 - 1),
    b"\x8b" + struct.pack("<i", 100_000) + b"\x7f" * 100_000,
    b"X" + struct.pack("<I", 2**32 - 1),
    b"\x8e" + struct.pack("<Q", 2**63),
    b"\x95" + struct.pack("<Q", 2**62),
    b"(" * 5000,
    b"]" * 3000 + b"a" * 2999,
    b"r" + struct.pack("<I", 2**32 - 1),
    b"j" + struct.pack("<I", 2**31),
    b"I" + b"9" * 6000 + b"\n",
    b"F1e999\n",
    b"Q",
    b"P1\n",
    b"\x82\x01",
    b"}q\x00h\x00h\x00s",  # a dictionary that is its own key
    b"]q\x01h\x01a",  # a list that holds itself
)


def mutate_pickle(random, data):
    """Return a pickle with operations inserted, left out, repeated or with other arguments."""
    try:
        places = [place for _, _, place in pickletools.genops(data)]
    except Exception:  # several pickles, or one that is damaged already
        return mutators.mutate_bytes(random, data, [data], 1)
    at = random.choice(places)
    after = next((place for place in places if place > at), len(data))
    kind = random.randrange(6)
    if kind == 0:
        return data[:at] + data[after:]
    if kind == 1:
        return data[:after] + data[at:after] * random.choice((1, 2, 30)) + data[after:]
    if kind == 2:
        return data[:at] + random.choice(pickletools.opcodes).code.encode("latin-1") + data[at:]
    if kind == 3:
        return data[:at] + mutators.put_integer(random, data[at:after], data) + data[after:]
    return data[:at] + random.choice(HOSTILE) + data[random.choice((at, after)) :]


# Safetensors and NumPy -----------------------------------------------------------------------------------


def mutate_safetensors(random, data):
    """Return a file of safetensors with another header, whose length is right, or with another length."""
    (length,) = struct.unpack("<Q", data[:8])
    header, rest = data[8 : 8 + length], data[8 + length :]
    if random.random() < 0.1:
        return struct.pack("<Q", random.choice((0, length - 1, length + 1, 2**31, 2**63, 2**64 - 1))) + data[8:]
    tree = json.loads(header)
    if random.random() < 0.5:
        one = tree[random.choice([name for name in tree if name != "__metadata__"])]
        one["shape"] = random.choice(
            ([], [0], [-1, 3], [2**32, 2**32], [10**400], one["shape"] * 20, [1.5], "3", None, [True])
        )
        if random.random() < 0.5:
            one["data_offsets"] = random.choice(([0, 0], [0, 2**63], [-8, 0], [8, 4], [0], [0, len(rest)], [0.0, 4.0]))
    else:
        tree = mutators.mutate_tree(random, tree)
    header = mutators.to_json(tree, ensure_ascii=random.random() < 0.5)
    return struct.pack("<Q", len(header)) + header + rest


NPY_HEADERS = (
    "{'descr': '<f4', 'fortran_order': False, 'shape': (%d,), }",
    "{'descr': '|O', 'fortran_order': False, 'shape': (%d,), }",
    "{'descr': '<f4', 'fortran_order': True, 'shape': (-%d, 2), }",
    "{'descr': '<c16', 'fortran_order': False, 'shape': (%d, 99999999999), }",
    "{'descr': [('a', '<f4', (%d,))], 'fortran_order': False, 'shape': (2,), }",
    "{'descr': '<V%d', 'fortran_order': False, 'shape': (2,), }",
    "{'descr': '<f2', 'fortran_order': False, 'shape': (), 'extra': __import__('os').system('touch stray %d')}",
    "{'descr': '<M8[%dns]', 'fortran_order': False, 'shape': (2,), }",
    "(" * 2000 + "%d",
)


def mutate_npy(random, data):
    """Return an array of NumPy's with another header, or other bytes."""
    if not data.startswith(b"\x93NUMPY") or random.random() < 0.3:
        return mutators.mutate_bytes(random, data, [data], 1)
    (length,) = struct.unpack("<H", data[8:10])
    header, rest = data[10 : 10 + length], data[10 + length :]
    if random.random() < 0.6:
        header = (random.choice(NPY_HEADERS) % random.choice((0, 3, 10**6, 2**40, 2**62))).encode()
    else:
        header = mutators.mutate_bytes(random, header, [header], 1)
    if random.random() < 0.3:
        rest = b"cposix\nsystem\n(S'" + COMMAND.encode() + b"'\ntR." + rest
    return data[:8] + struct.pack("<H", min(len(header), 65535)) + header + rest


# Protocol Buffers ----------------------------------------------------------------------------------------


def varint(number):
    """Return a number as Protocol Buffers have it."""
    number &= 2**64 - 1
    parts = []
    while True:
        number, last = number >> 7, number & 127
        parts.append(last | (128 if number else 0))
        if not number:
            return bytes(parts)


def _read_varint(data, at):
    number, shift = 0, 0
    while True:
        number |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:
            return number, at


def message(data):
    """Return the fields of a message, a list of (number, wire type, value); it may raise IndexError or ValueError."""
    fields, at = [], 0
    while at < len(data):
        key, at = _read_varint(data, at)
        kind = key & 7
        if kind == 0:
            part, at = _read_varint(data, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            part, at = data[at : at + size], at + size
        elif kind == 2:
            size, at = _read_varint(data, at)
            part, at = data[at : at + size], at + size
            if len(part) < size:
                raise ValueError("cut off")
        else:
            raise ValueError("no message")
        fields.append((key >> 3, kind, part))
    return fields


def message_of(fields):
    """Return a message of fields, with right lengths."""
    parts = []
    for number, kind, part in fields:
        body = varint(part) if kind == 0 else varint(len(part)) + part if kind == 2 else part
        parts.append(varint(number << 3 | kind) + body)
    return b"".join(parts)


def mutate_message(random, data, depth=4):
    """Return a message in which one field, somewhere within, was damaged, left out or repeated."""
    try:
        fields = message(data)
    except (IndexError, ValueError):
        fields = []
    if not fields:
        return mutators.mutate_bytes(random, data or b"\0", [data or b"\0"], 1)
    at = random.randrange(len(fields))
    number, kind, part = fields[at]
    if kind == 2 and depth and random.random() < 0.75:
        fields[at] = number, kind, mutate_message(random, part, depth - 1)
        return message_of(fields)
    choice = random.randrange(5)
    if choice == 0:
        del fields[at]
    elif choice == 1:
        fields[at:at] = [fields[at]] * random.choice((1, 2, 100))
    elif choice == 2:
        fields[at] = random.choice((number + 1, 1, 7, 13, 14, 100, 2**28)), kind, part
    elif kind == 0:
        fields[at] = number, 0, random.choice((*mutators.INTEGERS, 2**40, 2**63))
    else:
        fields[at] = (
            number,
            2,
            random.choice((b"", b"\xff" * 12, b"\x80" * 30, bytes(part)[:1] * 3000 if kind == 2 else b"ab")),
        )
    return message_of(fields)


# MATLAB --------------------------------------------------------------------------------------------------


def mutate_matlab(random, data):
    """Return a MATLAB file in which one variable, packed or not, was damaged."""
    at = 128
    elements = []
    while at + 8 <= len(data):
        kind, length = struct.unpack("<II", data[at : at + 8])
        elements.append((kind, data[at + 8 : at + 8 + length]))
        at += 8 + length
    if not elements:
        return mutators.mutate_bytes(random, data, [data], 1)
    place = random.randrange(len(elements))
    kind, part = elements[place]
    if kind == 15:
        try:
            part = zlib.compress(mutators.mutate_bytes(random, zlib.decompress(part), [part], 1))
        except zlib.error:
            part = part[::-1]
    elif random.random() < 0.5 and len(part) > 8:
        field = random.randrange(0, len(part) - 4, 4)
        part = (
            part[:field]
            + struct.pack("<I", random.choice((*range(20), *mutators.INTEGERS)) & 0xFFFFFFFF)
            + part[field + 4 :]
        )
    else:
        part = mutators.mutate_bytes(random, part, [part], 1)
    elements[place] = kind, part
    return data[:128] + b"".join(struct.pack("<II", kind, len(part)) + part for kind, part in elements)


# HDF5 ----------------------------------------------------------------------------------------------------


@functools.cache
def secret():
    """Return an HDF5 file whose numbers are secret; they are where an array of a small weight file would be."""
    import h5py

    with h5py.File("in memory", "w", driver="core", backing_store=False) as file:
        for name, shape in (("kernel", (3, 3, 3, 4)), ("bias", (4,)), ("mean_activation", (4,))):
            file[name] = np.full(shape, SECRET, np.float32)
        file["more"] = np.full(20_000, SECRET, np.float32)
        file.flush()
        return bytes(file.id.get_file_image())


def mutate_hdf5(random, data):
    """Return an HDF5 file changed with h5py, or in its bytes, or both."""
    if random.random() < 0.6:
        data = _with_oddities(random, data)
    if random.random() < 0.6:
        where = random.random()
        if where < 0.4:  # where HDF5 describes the file
            return mutators.mutate_bytes(random, data[:2048], [data]) + data[2048:]
        return mutators.mutate_bytes(random, data, [data])
    return data


def _with_oddities(random, data):
    """Return an HDF5 file with one to three strange things in it."""
    import h5py

    core = {"driver": "core", "backing_store": False}
    started = int(time.time())
    with h5py.File("in memory", "w", **core) as file:
        with h5py.File(io.BytesIO(data), "r") as whole:
            for name in whole:
                whole.copy(name, file)
            for name, value in whole.attrs.items():
                file.attrs[name] = value
        for _ in range(random.choice((1, 1, 2, 3))):
            items = [file]
            file.visititems(lambda _, item, items=items: items.append(item))
            groups = [item for item in items if isinstance(item, h5py.Group)]
            arrays = [item for item in items if isinstance(item, h5py.Dataset)]
            oddity = random.choice(LEADING if random.random() < 0.3 else ODDITIES)
            try:
                oddity(random, file, random.choice(groups), random.choice(arrays) if arrays else None)
            except (ValueError, OSError, TypeError, KeyError, RuntimeError, AttributeError, OverflowError):
                continue  # not everything goes together
        file.flush()
        made = bytes(file.id.get_file_image())
    for second in range(started, int(time.time()) + 1):  # HDF5 notes when a type was stored
        made = made.replace(struct.pack("<II", 1, second), struct.pack("<II", 1, 0))
    return made


def _replace(array, **options):
    """Put another data set in the place of one."""
    group, name = array.parent, array.name.rpartition("/")[2]
    del group[name]
    group.create_dataset(name, **options)


def _attribute(random, file, group, array):
    holder = random.choice([one for one in (file, group, array) if one is not None])
    name = random.choice([*holder.attrs, "format", "layer_names", "pixel_mean", "network"])
    odd = (
        "",
        "x" * 5000,
        "\x1b[2J\n",
        1,
        -1.5,
        float("nan"),
        [1, 2],
        np.zeros((2, 2)),
        b"\xff\xfe",
        ["a", "b"],
        np.float16(1),
    )
    if random.random() < 0.2:
        holder.attrs.pop(name, None)
    else:
        holder.attrs[name] = random.choice((*odd, np.array([0.0, -1.0, np.inf]), np.bool_(True)))


def _shape(random, file, group, array):
    shape = random.choice(((), (0,), (3, 3, 3, 0), (7,), (3, 3, 3), array.shape[::-1], (1,) * 30, (3, 3, 2**40, 2)))
    size = int(np.prod(shape, dtype=object))
    options = {"data": np.ones(shape, np.float32)} if size < 10**5 else {"shape": shape, "dtype": "f4", "chunks": True}
    _replace(array, **options)


def _endless(random, file, group, array):
    """Claim numbers that were never stored."""
    _replace(array, shape=(3, 3, 2**20, 2**20), dtype="f4", chunks=(3, 3, 64, 64), fillvalue=random.choice((0, 1)))


def _type(random, file, group, array):
    kinds = ("f8", ">f4", "c8", "i8", "?", "S10", "f2", "u1", "V4", [("a", "f4"), ("b", "i4")], ("f4", (2,)))
    _replace(array, shape=array.shape, dtype=np.dtype(random.choice(kinds)))


def _text(random, file, group, array):
    import h5py

    odd = (h5py.string_dtype(), h5py.vlen_dtype(np.float32), h5py.ref_dtype, h5py.enum_dtype({"a": 1}))
    _replace(array, shape=array.shape[:1], dtype=random.choice(odd))


def _numbers(random, file, group, array):
    shape = array.shape if array.size < 10**6 else (7,)  # another oddity may have made it enormous
    values = np.full(shape, random.choice((np.nan, np.inf, -np.inf, 1e38, 0, 65504)), np.float32)
    _replace(array, data=values, compression=random.choice((None, "gzip")))


def _filter(random, file, group, array):
    kinds = {"compression": "lzf"}, {"fletcher32": True}, {"scaleoffset": 2}, {"compression": "gzip", "shuffle": True}
    data = array[...] if array.size < 10**5 else np.zeros(4)
    _replace(array, data=data, chunks=True, **random.choice(kinds))


def _bomb(random, file, group, array):
    _replace(array, data=np.zeros((3, 3, 512, 1024), np.float32), compression="gzip", compression_opts=9)


def _external_link(random, file, group, array):
    import h5py

    if random.random() < 0.5:
        name = array.name
        del file[name]
        within = random.choice((name.rpartition("/")[2], "more"))
        file[name] = h5py.ExternalLink(random.choice((SECRET_FILE, SECRET_PATH)), within)
        return
    target = random.choice((SECRET_FILE, "/dev/zero", "/etc/passwd", "input", "../input", "\x1b[2J"))
    link = h5py.ExternalLink(target, random.choice(("/", "/kernel")))
    group[random.choice(("kernel", "bias", "link", "\x1b[2J"))] = link


def _soft_link(random, file, group, array):
    import h5py

    group[random.choice(("kernel", "loop", "zzz"))] = h5py.SoftLink(random.choice(("/", "/loop", ".", "/nowhere")))


def _hard_loop(random, file, group, array):
    group[random.choice(("loop", "again"))] = random.choice((file, group))


def _external_storage(random, file, group, array):
    target = random.choice((SECRET_FILE, SECRET_PATH, SECRET_PATH, "/dev/zero", "/proc/self/environ"))
    _replace(array, shape=array.shape, dtype="f4", external=[(target, 2048, max(4, 4 * array.size))])


def _virtual(random, file, group, array):
    import h5py

    layout = h5py.VirtualLayout(shape=array.shape, dtype="f4")
    target = random.choice((SECRET_FILE, SECRET_PATH, ".", "/dev/zero"))
    layout[...] = h5py.VirtualSource(target, array.name.rpartition("/")[2], shape=array.shape)
    parent, name = array.parent, array.name.rpartition("/")[2]
    del parent[name]
    parent.create_virtual_dataset(name, layout)


def _many(random, file, group, array):
    for number in range(random.choice((50, 1500))):
        group.create_group(f"g{number}")


def _deep(random, file, group, array):
    for _ in range(random.choice((5, 12, 300))):
        group = group.create_group("g")
    group["kernel"] = np.zeros(3, np.float32)


def _name(random, file, group, array):
    names = ("x" * 300, "\x1b]0;title\x07", "a\nb", "conv9_9", "é", ".hidden", "kernel", b"\xff\xfe")
    group.create_group(random.choice(names))


def _move(random, file, group, array):
    file.move(array.name, random.choice(("kernel", group.name + "/bias", group.name + "/vars/0")))


def _committed(random, file, group, array):
    group[random.choice(("kernel", "type"))] = np.dtype("f4")


def _empty(random, file, group, array):
    import h5py

    _replace(array, data=h5py.Empty("f4"))


def _drop(random, file, group, array):
    del file[random.choice((array.name, array.parent.name))]


LEADING = (_external_link, _external_storage, _external_storage, _virtual)  # to other files
ODDITIES = (
    *(_attribute, _attribute, _shape, _endless, _type, _text, _numbers, _filter, _bomb, _soft_link),
    *(_hard_loop, _many, _deep, _name, _move, _committed, _empty, _drop),
)
