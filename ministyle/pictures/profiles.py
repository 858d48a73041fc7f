"""Colour profiles: from the colours that a file's profile defines to sRGB, and sRGB's own profile."""

import functools
import io
import struct

from PIL import ImageCms

MODES = ("RGB", "RGBA", "L", "CMYK")  # of PIL images, for which a profile can be applied
SRGB_NAMES = ("sRGB", "sRGB built-in", "sRGB IEC61966-2.1")


def transform_to_srgb(profile, mode):
    """Return a function that converts PIL images from a colour profile to sRGB.

    Parameters
    ----------
    profile : bytes, an ICC profile
    mode : str, of the images, one of `MODES`

    Returns
    -------
    function of PIL image -> PIL image
        RGB, or RGBA if `mode` is RGBA. With a damaged profile it returns an image as it is.
    """
    output_mode = mode if mode == "RGBA" else "RGB"
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, output_mode)
    except (ImageCms.PyCMSError, OSError):
        return lambda picture: picture
    return transform.apply


def is_srgb(profile):
    """Say whether a colour profile, bytes, goes by a name of sRGB itself; its colours are to be left as they are."""
    try:
        return ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile))).strip() in SRGB_NAMES
    except (ImageCms.PyCMSError, OSError):
        return False


@functools.cache
def srgb_profile():
    """Return the ICC profile of sRGB, bytes.

    LittleCMS notes in it when it was made, and on what kind of computer. The same picture should be the same file, so
    the date is that of the standard, IEC 61966-2-1, and the computer is left open.
    """
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile[:24] + struct.pack(">6H", 1999, 10, 18, 0, 0, 0) + profile[36:40] + bytes(4) + profile[44:]
