"""Get a published file from where it is published: checked, resumed after an interruption, from a mirror if need be.

This needs pooch, of the extra `fetch`. Nothing else in the package uses a network.
"""

import os
from pathlib import Path

from ..errors import MinistyleError
from .known import known_file

TIMEOUTS = 20, 60  # seconds: to be connected, and between one part of the answer and the next
BLOCK = 1 << 18  # bytes


def cache_folder():
    """Return the folder for files that were fetched."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("ministyle", appauthor=False))


def fetch(name, *, folder=None, progress=True):
    """Return the path of a known file, fetched unless it is there already.

    Parameters
    ----------
    name : str, of a `known.KnownFile` that can be fetched
    folder : path, optional; by default `cache_folder()`
    progress : bool, show a bar on standard error

    Returns
    -------
    Path

    Raises
    ------
    MinistyleError
        pooch is missing, there is no such file, or no address gave the file that it should. What came of it so far is
        kept, and the next try goes on from there. A file that was there already stays as it was.
    """
    known = known_file(name)
    by_hand = (
        f"by hand: download {known.urls[0]}, then 'python -m ministyle weights import {known.file} --dtype float32'"
    )
    if not known.can_be_fetched:
        raise MinistyleError(f"{name} cannot be fetched, because we do not know its whole checksum; {by_hand}")
    try:
        import pooch
    except ImportError:
        raise MinistyleError(
            f"fetching needs pooch, which is not installed; install ministyle with the extra fetch, or {by_hand}"
        ) from None
    folder = cache_folder() if folder is None else Path(folder)
    pooch.get_logger().setLevel("ERROR")
    problems = []
    for url in known.urls:
        download = _Resumed(folder / f"{known.name}-{known.file}.part", progress)
        try:
            path = pooch.retrieve(url, known.checksum, f"{known.name}-{known.file}", folder, downloader=download)
            return Path(path)
        except Exception as error:  # each layer of the network has errors of its own
            problems.append(f"{url}: {' '.join(str(error).split())[:200]}")
    raise MinistyleError(f"{name} could not be fetched ({'; '.join(problems)}); {by_hand}")


class _Resumed:
    """A downloader for pooch that goes on with what an earlier one left in a file."""

    def __init__(self, part, progress):
        self.part, self.progress = part, progress

    def __call__(self, url, output_file, _):
        """Download `url`, and put the whole file where pooch wants it; pooch compares the checksum then."""
        import requests
        from tqdm import tqdm

        start = self.part.stat().st_size if self.part.exists() else 0
        headers = {"Range": f"bytes={start}-"} if start else {}
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUTS) as answer:
            if answer.status_code == 416:  # there is nothing after what we have: it is whole, or of another file
                return os.replace(self.part, output_file)
            answer.raise_for_status()
            resumed = answer.status_code == 206
            left = int(answer.headers.get("Content-Length", 0))
            with (
                open(self.part, "ab" if resumed else "wb") as file,
                tqdm(
                    total=(start if resumed else 0) + left or None,
                    initial=start if resumed else 0,
                    unit="B",
                    unit_scale=True,
                    desc=self.part.name.removesuffix(".part"),
                    disable=not self.progress,
                ) as bar,
            ):
                for block in answer.iter_content(BLOCK):
                    file.write(block)
                    bar.update(len(block))
        return os.replace(self.part, output_file)
