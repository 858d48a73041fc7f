"""16 bits per channel, in colour: Pillow reads and writes only the upper 8 of them.

Both formats are written here, because it takes few lines: a PNG is chunks around what `zlib` compresses, a TIFF is
Pillow's own directory of tags before the bare numbers. A library would be one more requirement, and those that write
such pictures leave out the profile, the EXIF data or the text.
"""

import struct
import zlib

import numpy as np
from PIL import Image, TiffImagePlugin, TiffTags

PNG_COLOUR_TYPES = {3: 2, 4: 6}  # number of channels -> truecolour, truecolour with alpha
PNG_FILTER_UP = 2  # each byte minus the one above it
LARGEST_TIFF = 2**32 - 2**20  # bytes of numbers: a TIFF file has less than 4 GB, and tags take some
SWAPPED = {"RGB;16B": "RGB;16L", "RGB;16L": "RGB;16B", "RGBA;16B": "RGBA;16L", "RGBA;16L": "RGBA;16B"}
if struct.pack("=H", 1) == struct.pack("<H", 1):  # ;16N is the order of this machine
    SWAPPED |= {"RGB;16N": "RGB;16B", "RGBA;16N": "RGBA;16B"}
else:
    SWAPPED |= {"RGB;16N": "RGB;16L", "RGBA;16N": "RGBA;16L"}


def has_sixteen_bits(picture):
    """Say whether a PIL image, which has not been decoded yet, has 16 bits for each of three or four channels."""
    return bool(picture.tile) and all(_raw_mode(tile) in SWAPPED for tile in picture.tile)


def decode_lower_bytes(picture):
    """Let a PIL image of 16 bits, which has not been decoded yet, decode to the lower bytes.

    Pillow decodes the first of two bytes if it is told that the numbers begin with the upper one, the second if it is
    told the reverse. So the reverse is what it is told here.
    """
    picture.tile = [tile._replace(args=_swapped(tile.args)) for tile in picture.tile]


def _raw_mode(tile):
    """Return how a tile stores its numbers, such as "RGB;16B"."""
    return tile.args[0] if isinstance(tile.args, tuple) and tile.args else tile.args


def _swapped(arguments):
    """Return a decoder's arguments with the reverse order of bytes."""
    return (SWAPPED[arguments[0]], *arguments[1:]) if isinstance(arguments, tuple) else SWAPPED[arguments]


def write_png(levels, file, *, profile=None, exif=None, text=None):
    """Write a PNG of 16 bits per channel.

    Parameters
    ----------
    levels : uint16 array (H, W, 3) or (H, W, 4)
    file : file open for bytes
    profile : bytes, an ICC profile, optional
    exif : bytes, EXIF data as Pillow returns them, optional
    text : (keyword, str), optional
    """
    height, width, channels = levels.shape
    rows = levels.astype(">u2").view(np.uint8).reshape(height, -1)
    filtered = np.empty((height, 1 + rows.shape[1]), np.uint8)
    filtered[:, 0] = PNG_FILTER_UP
    filtered[0, 1:] = rows[0]
    filtered[1:, 1:] = rows[1:] - rows[:-1]
    chunks = [(b"IHDR", struct.pack(">2I5B", width, height, 16, PNG_COLOUR_TYPES[channels], 0, 0, 0))]
    if profile:
        chunks.append((b"iCCP", b"ICC Profile\0\0" + zlib.compress(profile)))
    if text:
        keyword, value = text
        chunks.append((b"iTXt", keyword.encode("latin-1") + b"\0\0\0\0\0" + value.encode()))
    if exif:
        chunks.append((b"eXIf", exif.removeprefix(b"Exif\0\0")))
    file.write(b"\x89PNG\r\n\x1a\n")
    for name, data in [*chunks, (b"IDAT", zlib.compress(filtered)), (b"IEND", b"")]:
        file.write(struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)))


def write_tiff(levels, file, *, profile=None, exif=None):
    """Write a TIFF of 16 bits per channel, uncompressed, which every program reads.

    Parameters
    ----------
    levels, file, profile, exif : see `write_png`

    Raises
    ------
    ValueError
        The picture has 4 GB or more.
    """
    height, width, channels = levels.shape
    data = levels.astype("<u2").tobytes()
    if len(data) > LARGEST_TIFF:
        raise ValueError("a TIFF file holds less than 4 GB")
    tags = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"II")
    kept = Image.Exif()
    kept.load(exif or b"")
    for tag in kept:
        tags[tag] = kept.get_ifd(tag) if tag in TiffTags.TAGS_V2_GROUPS else kept[tag]
    tags[TiffImagePlugin.IMAGEWIDTH] = width
    tags[TiffImagePlugin.IMAGELENGTH] = height
    tags[TiffImagePlugin.BITSPERSAMPLE] = (16,) * channels
    tags[TiffImagePlugin.SAMPLESPERPIXEL] = channels
    tags[TiffImagePlugin.COMPRESSION] = 1  # none
    tags[TiffImagePlugin.PHOTOMETRIC_INTERPRETATION] = 2  # RGB
    tags[TiffImagePlugin.PLANAR_CONFIGURATION] = 1  # channels last
    tags[TiffImagePlugin.ROWSPERSTRIP] = height
    tags[TiffImagePlugin.STRIPOFFSETS] = 0  # from the end of the tags; Pillow adds where that is
    tags[TiffImagePlugin.STRIPBYTECOUNTS] = len(data)
    for tag in (TiffImagePlugin.STRIPOFFSETS, TiffImagePlugin.STRIPBYTECOUNTS):
        tags.tagtype[tag] = TiffTags.LONG
    if channels == 4:
        tags[TiffImagePlugin.EXTRASAMPLES] = 2  # opacity, by which the colours are not multiplied
    if profile:
        tags[TiffImagePlugin.ICCPROFILE] = profile
    tags.save(file)
    file.write(data)
