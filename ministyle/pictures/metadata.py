"""Metadata: what a picture file says beside its pixels: the photograph's EXIF data, and the picture's record.

EXIF is what a camera notes: when, where, with which lens. A result keeps it, but for what is no longer true of it. The
record says how the picture was made, in JSON; what is in it is for others to know (`jobs.record`). A PNG holds it as a
text of its own. The other formats hold it as EXIF's user comment, since that is the one place that all of them have and
that programs hand on when they convert or resize a picture; XMP is often dropped, and a description is shown as the
picture's caption.
"""

from contextlib import suppress

from PIL import ExifTags, Image

from ..errors import MinistyleError, as_damaged
from ..settings import MAX_MEGAPIXELS
from .opening import check_pixels, exif_of, open_picture, without_pillows_limit

KEYWORD = "ministyle"  # of a PNG's text
BEGINNING = '{"format": "ministyle '  # of a record: EXIF's user comment may be the photographer's
CODE = b"ASCII\0\0\0"  # before a user comment

Base = ExifTags.Base
KEPT = (  # of the tags that describe a picture; the others say how its file stores the pixels
    *(Base.ImageDescription, Base.Make, Base.Model, Base.XResolution, Base.YResolution, Base.ResolutionUnit),
    *(Base.Software, Base.DateTime, Base.Artist, Base.Copyright, Base.Rating, Base.RatingPercent),
    *(Base.XPTitle, Base.XPComment, Base.XPAuthor, Base.XPKeywords, Base.XPSubject),
)
# Of the tags that describe the exposure: the maker's notes, which mean nothing once they are moved and fill the 64 KB
# that a JPEG has for all EXIF data; and the photograph's own width, height and thumbnail's data.
DROPPED = (Base.MakerNote, Base.ExifImageWidth, Base.ExifImageHeight, ExifTags.IFD.Interop)
SRGB = 1
LONGEST = 1_000_000  # bytes of EXIF data that a result keeps


def read_exif(source, *, max_megapixels=MAX_MEGAPIXELS):
    """Return what a result keeps of a photograph's EXIF data, or None where there is none.

    Orientation, thumbnail, maker's notes and the photograph's size are left out; where the photograph was taken is not.
    EXIF data that are damaged, or too long to be meant, count as none.

    Parameters
    ----------
    source, max_megapixels : see `reading.read_picture`

    Returns
    -------
    bytes or None

    Raises
    ------
    MinistyleError
        The source cannot be opened as a picture.
    """
    with open_picture(source, max_megapixels=max_megapixels) as picture:
        if picture is None:
            return None
        try:
            with as_damaged("EXIF data"), without_pillows_limit():
                kept = _kept(exif_of(picture, max_megapixels=max_megapixels))
        except MinistyleError:
            return None
    return None if kept is None or len(kept) > LONGEST else kept


def _kept(exif):
    """Return the part of EXIF data that is true of a result, as bytes, or None."""
    kept = Image.Exif()
    for tag in KEPT:
        if tag in exif:
            kept[tag] = exif[tag]
    exposure = {tag: value for tag, value in exif.get_ifd(ExifTags.IFD.Exif).items() if tag not in DROPPED}
    if exposure:
        kept[ExifTags.IFD.Exif] = {**exposure, Base.ColorSpace: SRGB}
    place = exif.get_ifd(ExifTags.IFD.GPSInfo)
    if place:
        kept[ExifTags.IFD.GPSInfo] = dict(place)
    return kept.tobytes() if len(kept) else None


def add_comment(exif, text):
    """Return EXIF data, bytes, with a text of ASCII letters as the user comment; the data may be None."""
    added = Image.Exif()
    added.load(exif or b"")
    added[ExifTags.IFD.Exif] = {**added.get_ifd(ExifTags.IFD.Exif), Base.UserComment: CODE + text.encode("ascii")}
    return added.tobytes()


def read_text(source):
    """Return the text of a picture's record, or None where it has none.

    Parameters
    ----------
    source : see `reading.read_picture`

    Raises
    ------
    MinistyleError
        The source cannot be opened as a picture.
    """
    texts = []
    with open_picture(source) as picture:
        if picture is None:
            return None
        for find in (_own_text, _comment):
            # A text may be damaged, or one that Pillow finds too long.
            with suppress(MinistyleError), as_damaged("a text"), without_pillows_limit():
                texts.append(find(picture))
    return next((text for text in texts if text.startswith(BEGINNING)), None)


def _own_text(picture):
    """Return the text that a PNG holds, or nothing. One that stands behind the pixels takes decoding them."""
    if KEYWORD not in picture.info:
        check_pixels(picture.size, "the picture", MAX_MEGAPIXELS)
        return str(getattr(picture, "text", {}).get(KEYWORD, ""))
    return str(picture.info[KEYWORD])


def _comment(picture):
    """Return EXIF's user comment, or nothing."""
    comment = exif_of(picture).get_ifd(ExifTags.IFD.Exif).get(Base.UserComment, b"")
    return comment.removeprefix(CODE).decode("ascii", "replace")
