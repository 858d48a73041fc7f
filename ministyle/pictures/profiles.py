"""Colour profiles: from the colours that a file's profile defines to sRGB, and sRGB's own profile."""

import functools
import io
import struct

from PIL import ImageCms

MODES = ("RGB", "RGBA", "L", "CMYK")  # of PIL images, for which a profile can be applied
SRGB_NAMES = ("sRGB", "sRGB built-in", "sRGB IEC61966-2.1")


def to_srgb(picture, profile):
    """Convert a PIL image from its colour profile to sRGB.

    Parameters
    ----------
    picture : PIL image, in one of `MODES`
    profile : bytes, an ICC profile

    Returns
    -------
    PIL image
        RGB, or RGBA if the picture is RGBA. A picture with a damaged profile is returned as it is.
    """
    output_mode = picture.mode if picture.mode == "RGBA" else "RGB"
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"), outputMode=output_mode)
    except (ImageCms.PyCMSError, OSError):
        return picture


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
