"""Ways to damage bytes and JSON trees. Each takes a `random.Random` first, so that all can be repeated."""

import copy
import json
import struct
import zlib

INTEGERS = (0, 1, -1, 2, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**31 - 1, -(2**31), 2**32 - 1, 2**24)
MOST = 400_000  # bytes of an input


# Bytes -------------------------------------------------------------------------------------------------


def flip_bits(random, data, other):
    """Flip one to eight bits."""
    data = bytearray(data)
    for _ in range(random.randint(1, 8)):
        at = random.randrange(len(data))
        data[at] ^= 1 << random.randrange(8)
    return bytes(data)


def change_bytes(random, data, other):
    """Replace one to four bytes near each other."""
    data, at = bytearray(data), random.randrange(len(data))
    for offset in range(random.randint(1, 4)):
        data[(at + offset) % len(data)] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))
    return bytes(data)


def _span(random, data):
    """Return the beginning and the end of a part of the data, short ones more often than long ones."""
    start = random.randrange(len(data))
    return start, min(len(data), start + max(1, int(len(data) ** random.random())))


def delete_part(random, data, other):
    """Leave out a part."""
    start, end = _span(random, data)
    return data[:start] + data[end:]


def double_part(random, data, other):
    """Repeat a part."""
    start, end = _span(random, data)
    return data[:end] + data[start:end] * random.choice((1, 1, 2, 50)) + data[end:]


def swap_part(random, data, other):
    """Replace a part by one of another seed."""
    start, end = _span(random, data)
    first, last = _span(random, other)
    return data[:start] + other[first:last] + data[end:]


def splice(random, data, other):
    """Begin with one seed and end with another."""
    return data[: random.randrange(len(data))] + other[random.randrange(len(other)) :]


def truncate(random, data, other):
    """Leave out the end."""
    return data[: random.randrange(len(data))]


def put_integer(random, data, other):
    """Put an interesting integer somewhere, in either order of bytes."""
    size = random.choice((1, 2, 4, 4, 8))
    number = random.choice(INTEGERS) & (256**size - 1)
    at = random.randrange(len(data))
    return data[:at] + number.to_bytes(size, random.choice(("little", "big"))) + data[at + size :]


def add_rubbish(random, data, other):
    """Put random bytes at the end or somewhere."""
    at = random.choice((len(data), random.randrange(len(data))))
    return data[:at] + random.randbytes(random.choice((1, 4, 100, 2000))) + data[at:]


BYTES = (
    flip_bits,
    flip_bits,
    change_bytes,
    change_bytes,
    delete_part,
    double_part,
    swap_part,
    splice,
    truncate,
    put_integer,
    put_integer,
    add_rubbish,
)


def mutate_bytes(random, data, seeds, times=None):
    """Return data damaged once or several times; `seeds` are what parts are taken from."""
    for _ in range(times or random.choice((1, 1, 1, 2, 3, 5))):
        data = random.choice(BYTES)(random, data or b"\0", random.choice(seeds) or b"\0")[:MOST]
    return data


# Chunks of a PNG -----------------------------------------------------------------------------------------

PNG = b"\x89PNG\r\n\x1a\n"


def png_chunks(data):
    """Return the chunks of a valid PNG, a list of (name, data)."""
    chunks, at = [], len(PNG)
    while at + 12 <= len(data):
        length, name = struct.unpack(">I4s", data[at : at + 8])
        chunks.append((name, data[at + 8 : at + 8 + length]))
        at += 12 + length
    return chunks


def png_of(chunks):
    """Return a PNG of chunks, with right lengths and checksums."""
    parts = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    ]
    return PNG + b"".join(parts)


def _repack(random, data, seeds):
    """Damage what is compressed in data, and compress it again."""
    try:
        return zlib.compress(mutate_bytes(random, zlib.decompress(data), seeds, 1))
    except zlib.error:
        return mutate_bytes(random, data, seeds, 1)


def mutate_png(random, data, others):
    """Return a PNG whose chunks were damaged, left out, repeated or moved; checksums are right.

    Parameters
    ----------
    random : random.Random
    data : bytes, a valid PNG
    others : list of valid PNGs, from which chunks are taken
    """
    chunks = png_chunks(data)
    for _ in range(random.choice((1, 1, 2, 3))):
        at = random.randrange(len(chunks)) if chunks else 0
        kind = random.randrange(7) if chunks else 4
        if kind == 0:
            del chunks[at]
        elif kind == 1:
            chunks.insert(random.randrange(len(chunks) + 1), chunks[at])
        elif kind == 2:
            chunks[at] = chunks[at][0], mutate_bytes(random, chunks[at][1] or b"\0", [data], 1)
        elif kind == 3:
            chunks[at] = chunks[at][0], _repack(random, chunks[at][1], [data])
        elif kind == 4:
            chunks.insert(at, random.choice(png_chunks(random.choice(others))))
        elif kind == 5:
            random.shuffle(chunks)
        else:
            chunks = [(name, _header(random, part)) if name == b"IHDR" else (name, part) for name, part in chunks]
    return png_of(chunks)


def _header(random, header):
    """Return a PNG's header with another size, depth, colour type or interlacing."""
    fields = list(struct.unpack(">2I5B", header[:13].ljust(13, b"\0")))
    at = random.randrange(7)
    fields[at] = random.choice(INTEGERS) & 0xFFFFFFFF if at < 2 else random.choice((0, 1, 2, 3, 4, 6, 8, 16, 255))
    if random.random() < 0.1:
        fields[:2] = random.choice(((20000, 20000), (9000, 9000), (13000, 13000), (1, 10**8), (10**8, 1)))
    return struct.pack(">2I5B", *fields)


# Directories of a TIFF, and segments of a JPEG -------------------------------------------------------------


def mutate_tiff(random, data):
    """Return a TIFF with a changed entry of its first directory."""
    order = "<" if data[:2] == b"II" else ">"
    (at,) = struct.unpack(order + "I", data[4:8])
    if at + 2 > len(data):
        return data
    (count,) = struct.unpack(order + "H", data[at : at + 2])
    entry = at + 2 + 12 * random.randrange(max(1, count))
    tag, kind, length, value = struct.unpack(order + "HHII", data[entry : entry + 12].ljust(12, b"\0"))
    field = random.randrange(5)
    if field == 0:
        tag = random.choice(
            (256, 257, 258, 259, 262, 273, 277, 278, 279, 284, 317, 320, 338, 339, 34665, 34675, 0, 65535)
        )
    elif field == 1:
        kind = random.randrange(14)
    elif field == 2:
        length = random.choice(INTEGERS) & 0xFFFFFFFF
    else:
        value = random.choice((*INTEGERS, 3, 4, 5, 6, 7, 8, 34712, random.randrange(len(data)), at)) & 0xFFFFFFFF
    return data[:entry] + struct.pack(order + "HHII", tag, kind, length, value) + data[entry + 12 :]


def mutate_jpeg(random, data, others):
    """Return a JPEG with a segment damaged, left out or taken from another one; the lengths are right."""
    segments, rest = _segments(data)
    foreign, _ = _segments(random.choice(others))
    kind, at = random.randrange(4), random.randrange(len(segments))
    if kind == 0:
        del segments[at]
    elif kind == 1 and foreign:
        segments.insert(at, random.choice(foreign))
    elif kind == 2:
        segments[at] = segments[at][0], mutate_bytes(random, segments[at][1] or b"\0", [data], 1)[:65000]
    else:
        rest = mutate_bytes(random, rest or b"\0", [data], 1)
    parts = [marker + struct.pack(">H", len(part) + 2) + part for marker, part in segments]
    return b"\xff\xd8" + b"".join(parts) + rest


def _segments(data):
    """Return the segments of a JPEG before its pixels, a list of (marker, data), and the rest."""
    segments, at = [], 2
    while data[at : at + 1] == b"\xff" and data[at + 1 : at + 2] != b"\xda" and at + 4 <= len(data):
        (length,) = struct.unpack(">H", data[at + 2 : at + 4])
        segments.append((data[at : at + 2], data[at + 4 : at + 2 + length]))
        at += 2 + length
    return segments, data[at:]


# Trees of JSON -------------------------------------------------------------------------------------------

TEXTS = (
    "",
    "x",
    "\x1b[31mred\x1b[0m\x07",
    "two\nlines",
    "a\rb",
    "\u202egnp.exe",
    "\u2028",
    "\ud800",
    "\0",
    "x" * 5000,
    "nan",
    "1e999",
    "../../../etc/passwd",
    "/dev/zero",
    "/dev/stdin",
    "/nonexistent/\x1b]0;title\x07.png",
    "-o",
    "--overwrite",
    "$(id)",
    "content",
    "noise",
    "conv1_1",
    "conv9_9",
    "[" * 3000,
    "é" * 200,
    "con\tent",
    "%s%n{0}{name}",
)
DEEP, HUGE = "@deep@", "@huge@"  # which `to_json` replaces: Python does not write such things
VALUES = (
    *(None, True, False, 0, 1, -1, 2**31 - 1, 2**32, 2**63, 2**64, -(2**63), 10**400, 0.5, -0.0, 1e308, 1e-308),
    *(
        float("nan"),
        float("inf"),
        float("-inf"),
        [],
        {},
        [None],
        [[]],
        [1, 2],
        [1, "a"],
        {"a": 1},
        {"": {}},
        DEEP,
        HUGE,
    ),
)


def value(random):
    """Return some value of JSON, often an unpleasant one."""
    return copy.deepcopy(random.choice(VALUES)) if random.random() < 0.6 else random.choice(TEXTS)


def _ways(tree, way=()):
    """Yield the ways to all nodes of a tree."""
    yield way
    if isinstance(tree, dict | list):
        for key, part in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from _ways(part, (*way, key))


def _at(tree, way):
    for key in way:
        tree = tree[key]
    return tree


def mutate_tree(random, tree, times=None):
    """Return a tree of JSON with wrong, missing, additional or exchanged parts."""
    tree = copy.deepcopy(tree)
    for _ in range(times or random.choice((1, 1, 1, 2, 4))):
        ways = [way for way in _ways(tree) if way]
        if not ways:
            return value(random)
        *above, key = random.choice(ways)
        node = _at(tree, above)
        kind = random.randrange(8)
        if kind == 0:
            del node[key]
        elif kind == 1:
            node[key] = copy.deepcopy(_at(tree, random.choice(ways)))
        elif kind == 2 and isinstance(node, dict):
            node[random.choice(TEXTS) if random.random() < 0.5 else str(key) + " 2"] = copy.deepcopy(node[key])
        elif kind == 3 and isinstance(node, dict):
            node[random.choice(TEXTS)] = node.pop(key)
        elif kind == 4 and isinstance(node[key], int | float):
            node[key] = random.choice((-node[key], node[key] * 1e6, node[key] + 1, str(node[key]), [node[key]]))
        elif kind == 4 and isinstance(node[key], str):
            node[key] = random.choice((node[key].upper(), node[key][:-1], node[key] + "\n", node[key] + "\x1b[2J"))
        elif kind == 5:
            node[key] = [node[key]] if random.random() < 0.5 else {key if isinstance(key, str) else "a": node[key]}
        else:
            node[key] = value(random)
    return tree


def to_json(tree, **options):
    """Return a tree as JSON, bytes; what stands for deep nesting and huge numbers becomes that."""
    text = json.dumps(tree, **options)
    text = text.replace(f'"{DEEP}"', "[" * 1500 + "]" * 1500).replace(f'"{HUGE}"', "9" * 5000)
    return text.encode("utf-8", "surrogatepass")
