"""Zip archives whose members are not larger than they can be.

A member says how large it is. Deflate makes ten million bytes of zeros from ten thousand, so a small archive can fill
any memory. Trained numbers hardly pack at all.
"""

import zipfile

from ..errors import MinistyleError
from .raw import size_of

SIGNATURE = b"PK\x03\x04"
HEADER = 30  # bytes before the name of the first member
NAME_LENGTH = slice(26, 28)
MOST_MEMBERS = 10_000
COMPRESSION = 20  # times; what holds trained numbers packs 1 to 4 times
UNSUSPICIOUS = 1 << 20  # bytes; small members, such as zero biases and texts, may pack as they like


def member_names(file):
    """Return the names of an archive's members, none if the file is no archive.

    Where the directory at its end is missing, which is what a broken download looks like, it is the first member's.
    """
    file.seek(0)
    header = file.read(HEADER)
    if not header.startswith(SIGNATURE):
        return []
    try:
        return zipfile.ZipFile(file).namelist()
    except Exception:  # any; the file is a stranger's, and what is wrong with it is said by `open_archive`
        file.seek(HEADER)
        return [file.read(int.from_bytes(header[NAME_LENGTH], "little")).decode("utf-8", "replace")]


def open_archive(file):
    """Return the archive in an open file, a zipfile.ZipFile.

    Raises
    ------
    MinistyleError
        It has more members than a network, or they lie on top of each other.
    zipfile.BadZipFile
        It is damaged.
    """
    archive = zipfile.ZipFile(file)
    members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        raise MinistyleError(f"the archive has {len(members)} members, more than a network")
    if sum(member.compress_size for member in members) > size_of(file):
        raise MinistyleError("the members of the archive lie on top of each other")
    return archive


def checked_member(archive, name):
    """Return what an archive says about one member, a zipfile.ZipInfo.

    Raises
    ------
    MinistyleError
        It is missing, encrypted, packed in another way than deflate, or unpacks to more than numbers do.
    """
    try:
        member = archive.getinfo(name)
    except KeyError:
        raise MinistyleError(f"the archive has no member '{name}'") from None
    if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise MinistyleError(f"the member '{name}' is encrypted, or packed in another way than deflate")
    stored = member.compress_type == zipfile.ZIP_STORED
    most = member.compress_size if stored else max(UNSUSPICIOUS, COMPRESSION * member.compress_size)
    if member.file_size > most:
        raise MinistyleError(
            f"the member '{name}' claims to unpack from {member.compress_size} bytes to {member.file_size}, "
            "which numbers do not do"
        )
    return member


def read_member(archive, name):
    """Return the bytes of one member; see `checked_member`."""
    member = checked_member(archive, name)
    data = archive.read(member)
    if len(data) != member.file_size:
        raise MinistyleError(f"the member '{name}' is shorter than the archive says")
    return data
