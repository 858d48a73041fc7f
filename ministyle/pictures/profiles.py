"""Colour profiles: from the colours that a file's profile defines to sRGB."""

import io

from PIL import ImageCms

MODES = ("RGB", "RGBA", "L", "CMYK")  # of PIL images, for which a profile can be applied


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
