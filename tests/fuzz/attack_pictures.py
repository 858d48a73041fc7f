"""Pictures: damaged files of all formats that can be read."""

import functools
import io
import struct
import zlib

import mutators
import numpy as np
from kind import Kind, WrongResultError
from PIL import Image, ImageCms, PngImagePlugin, features

NAME = "photo"


def make_seeds():
    """Return small valid picture files, a list of bytes."""
    y, x = np.mgrid[:20, :30]
    colours = np.stack([8 * x, 12 * y, 4 * x + 6 * y], axis=2).astype(np.uint8)
    rgb = Image.fromarray(colours)
    rgba = Image.fromarray(np.dstack([colours, (8 * x).astype(np.uint8)]))
    deep = Image.fromarray((2000 * x + 7 * y).astype(np.uint16))
    grey = rgb.convert("L")
    profile, srgb = _profile("LAB"), _profile("sRGB")
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x0132] = 6, "maker", "2020:01:01 00:00:00"
    exif[0x8769] = {0x9003: "2020:01:01 00:00:00", 0x829A: 0.01, 0x9286: b"ASCII\0\0\0a comment"}
    exif[0x8825] = {1: "N", 2: (48.0, 30.0, 1.5), 3: "E", 4: (9.0, 3.0, 0.0)}
    frames = [rgb, rgb.rotate(90), rgb.rotate(180)]
    text = PngImagePlugin.PngInfo()
    text.add_itxt("ministyle", '{"format": "ministyle picture 1"}', zip=True)
    text.add_text("Comment", "a comment", zip=True)
    animation = {"save_all": True, "append_images": frames[1:], "duration": 50}
    made = [
        _saved(grey.convert("1"), "PNG"),
        _saved(grey, "PNG"),
        _saved(deep, "PNG"),
        _saved(rgb, "PNG", icc_profile=profile, exif=exif, pnginfo=text, dpi=(72, 72)),
        _saved(rgb, "PNG", icc_profile=srgb, transparency=(0, 0, 0)),
        _saved(rgba, "PNG"),
        _saved(rgb.convert("P"), "PNG", transparency=b"\x00\x80"),
        _saved(rgb, "PNG", **animation),
        deep_png(colours),
        _interlaced(colours),
        _saved(rgb, "JPEG"),
        _saved(rgb, "JPEG", exif=exif, icc_profile=srgb, comment=b"a comment"),
        _saved(rgb, "JPEG", progressive=True, quality=80),
        _saved(rgb.convert("CMYK"), "JPEG", icc_profile=profile),
        _saved(grey, "JPEG"),
        _saved(rgba, "WEBP", exif=exif, icc_profile=srgb),
        _saved(rgb, "WEBP", lossless=True, **animation),
        _saved(rgb, "BMP"),
        _saved(rgb.convert("P"), "BMP"),
        _saved(rgb, "GIF"),
        _saved(frames[0], "GIF", loop=0, **animation),
        _saved(rgb, "TIFF", exif=exif.tobytes()),
        *(_saved(rgb, "TIFF", compression=packed) for packed in ("tiff_lzw", "jpeg", "packbits", "tiff_adobe_deflate")),
        _saved(grey.convert("1"), "TIFF", compression="group4"),
        _saved(deep, "TIFF"),
        _saved(grey.convert("F"), "TIFF"),
        _saved(rgb.convert("CMYK"), "TIFF", icc_profile=profile),
        _saved(rgb, "PPM"),
        _saved(grey.convert("1"), "PPM"),
        b"P3\n3 2\n255\n" + b"1 2 3 " * 6,
        b"Pf\n3 2\n-1.0\n" + np.linspace(0, 255, 6, dtype="<f4").tobytes(),
        _saved(rgba, "TGA", compression="tga_rle"),
        _saved(rgb, "TGA"),
    ]
    if features.check("avif"):
        made.append(_saved(rgba, "AVIF", exif=exif))
    if features.check("jpg_2000"):
        made += [_saved(rgb, "JPEG2000"), _saved(rgba, "JPEG2000", irreversible=True)]
    return made


def _profile(name):
    """Return an ICC profile, made at a fixed date."""
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile(name)).tobytes()
    return data[:24] + struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + data[36:]


def _saved(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def deep_png(colours):
    """Return a PNG of 16 bits for each of three channels, of a uint8 array (H, W, 3)."""
    rows = (257 * colours.astype(">u2")).astype(">u2").tobytes()
    length = len(rows) // colours.shape[0]
    filtered = b"".join(b"\0" + rows[at : at + length] for at in range(0, len(rows), length))
    header = struct.pack(">2I5B", colours.shape[1], colours.shape[0], 16, 2, 0, 0, 0)
    return mutators.png_of([(b"IHDR", header), (b"IDAT", zlib.compress(filtered)), (b"IEND", b"")])


def _interlaced(colours):
    """Return an interlaced PNG (Adam7) of a uint8 array (H, W, 3)."""
    data = b""
    for y, x, down, across in (
        (0, 0, 8, 8),
        (0, 4, 8, 8),
        (4, 0, 8, 4),
        (0, 2, 4, 4),
        (2, 0, 4, 2),
        (0, 1, 2, 2),
        (1, 0, 2, 1),
    ):
        data += b"".join(b"\0" + row.tobytes() for row in colours[y::down, x::across])
    header = struct.pack(">2I5B", colours.shape[1], colours.shape[0], 8, 2, 0, 0, 1)
    return mutators.png_of([(b"IHDR", header), (b"IDAT", zlib.compress(data)), (b"IEND", b"")])


def mutate(random, seed, seeds):
    """Damage a picture file, with or without regard to its format."""
    if random.random() < 0.5:
        if seed.startswith(mutators.PNG):
            return mutators.mutate_png(random, seed, [one for one in seeds if one.startswith(mutators.PNG)])
        if seed[:2] == b"\xff\xd8":
            return mutators.mutate_jpeg(random, seed, [one for one in seeds if one[:2] == b"\xff\xd8"])
        if seed[:4] in (b"II*\0", b"MM\0*"):
            for _ in range(random.choice((1, 1, 2, 4))):
                seed = mutators.mutate_tiff(random, seed)
            return seed
        return mutators.mutate_bytes(random, seed[:60], seeds, 1) + seed[60:]  # where the sizes stand
    return mutators.mutate_bytes(random, seed, seeds)


def consume(data, place):
    """Read a picture and all that its file says, and write a result with its metadata."""
    from ministyle.errors import MinistyleError
    from ministyle.pictures import films, masks, metadata, opening, reading, writing

    path = place.input / NAME
    refusals, faults = [], []

    def attempt(function, *arguments, **options):
        try:
            return function(*arguments, **options)
        except MinistyleError as error:
            refusals.append(error)
        except Exception as error:  # a fault; what else there is, is tried all the same
            faults.append(error)
        return None

    pixels = attempt(reading.read_picture, path)
    size = attempt(opening.size_of, path)
    alpha = attempt(reading.read_alpha, data)
    exif = attempt(metadata.read_exif, data)
    text = attempt(metadata.read_text, data)
    check_pixels(pixels)
    for name, region in (attempt(masks.read_mask, path) or {}).items():
        whole = max(pixels.shape) <= masks.LARGEST  # a larger mask is read smaller
        if (whole and region.shape != pixels.shape[:2]) or not 0 <= region.min() <= region.max() <= 1:
            raise WrongResultError(f"region {name!r} of a mask, of shape {region.shape}, is not 0 to 1 for each pixel")
    if pixels is not None and size is not None and pixels.shape[:2] != size:
        raise WrongResultError(f"size_of says {size}, and the picture has shape {pixels.shape}")
    if alpha is not None and (
        pixels is None or alpha.shape != pixels.shape[:2] or not (0 <= alpha.min() <= alpha.max() <= 1)
    ):
        raise WrongResultError(f"alpha of shape {alpha.shape} is not 0 to 1 for each pixel")
    if text is not None and not isinstance(text, str):
        raise WrongResultError(f"the text is {type(text)}")
    if pixels is not None and size_fits(pixels):
        check_pixels(attempt(reading.read_picture, data, 16))
    if exif is not None:
        for ending in (".png", ".jpg", ".tif"):  # nothing in a photograph may spoil the result of a long run
            small = np.zeros((4, 5, 3))
            writing.write_picture(place.output / f"result{ending}", small, exif=exif, record={"format": "a"})
            check_pixels(reading.read_picture(place.output / f"result{ending}"))
    film = place.output / f"film{animated_ending(data)}"
    film.write_bytes(data)
    if attempt(films.frame_count, film) not in (0, 1):
        for number, (frame, milliseconds) in enumerate(_frames(films, film, attempt)):
            if not milliseconds > 0:
                raise WrongResultError(f"a frame is shown for {milliseconds} ms")
            if number < 4:
                check_pixels(attempt(reading.read_picture, frame))
    if faults:
        raise faults[-1]
    for error in refusals:
        if len(str(error).splitlines()) != 1:
            raise WrongResultError(f"a sentence of several lines: {str(error)[:300]!r}")
    if pixels is None:  # otherwise it is only no mask, or has a damaged frame
        raise refusals[0]


def _frames(films, film, attempt):
    frames = films.read_frames(film)
    while (frame := attempt(next, frames, None)) is not None:
        yield frame


def animated_ending(data):
    """Return the end of the name of an animation, by what the file holds."""
    return ".gif" if data[:3] == b"GIF" else ".webp" if data[:4] == b"RIFF" else ".apng"


def size_fits(pixels):
    """Say whether a picture is small enough to be resized in no time, and not so narrow that it would grow huge."""
    return max(pixels.shape[:2]) < 4000 * min(pixels.shape[:2])


def check_pixels(pixels):
    """Refuse what is no picture: float32 (H, W, 3), finite, 0 to 255."""
    if pixels is None:
        return
    if pixels.dtype != np.float32 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise WrongResultError(f"a picture of type {pixels.dtype} and shape {pixels.shape}")
    if not (np.isfinite(pixels).all() and pixels.min() >= 0 and pixels.max() <= 255):
        raise WrongResultError("a picture with numbers that are not 0 to 255")


def prepare():
    """Import what is needed, before memory is limited."""
    import ministyle.command  # noqa: F401
    from ministyle.pictures.reading import read_picture

    Image.init()
    for data in _seeds():
        read_picture(data)


_seeds = functools.cache(make_seeds)
KIND = Kind("pictures", _seeds, mutate, consume, files=lambda data: {NAME: data}, prepare=prepare)
