"""What a format that can be imported consists of."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Format:
    """A file format in which others publish a network.

    Attributes
    ----------
    description : str
        What file it is, in a few words, with the name of the file. Error messages and the command's help show it.
    recognises : function path -> bool
        Whether a file looks like one of this format. It must accept any file and raise nothing.
    read : function path -> dict, layer name -> (kernel (3, 3, C_in, C_out), bias (C_out,))
        Read all convolutions, in network order. It raises MinistyleError if the file cannot be read.
    architecture, channel_order, pixel_mean, pixel_scale : see `ministyle.weights.file.Weights`
    license, citation : str
        How the numbers may be used, and whom to cite.
    sha256, md5 : str or None
        The checksum of the published file, if there is only one: its SHA-256, or its MD5 where only that is known.
    """

    description: str
    recognises: Callable
    read: Callable
    architecture: str
    channel_order: str
    pixel_mean: tuple
    pixel_scale: tuple
    license: str
    citation: str
    sha256: str | None = None
    md5: str | None = None

    @property
    def checksum(self):
        """The checksum with its name, such as "SHA-256 bde7...", or None."""
        if self.sha256:
            return f"SHA-256 {self.sha256}"
        return f"MD5 {self.md5}" if self.md5 else None
