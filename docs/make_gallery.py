"""Make the gallery of all knobs: `python docs/make_gallery.py` makes docs/gallery.md and its pictures, docs/gallery.

A picture that is there is left alone; to make one again, delete it. On two cores a picture takes some 20 seconds.
"""

import os
import tempfile
import textwrap
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from ministyle.command import main as run
from ministyle.pictures.metadata import add_comment, read_text

DOCS = Path(__file__).resolve().parent
PAGE, FOLDER = DOCS / "gallery.md", DOCS / "gallery"
EXAMPLES = "docs/examples/"
PHOTOGRAPH, SWIRLS, PANES = (EXAMPLES + name for name in ("chelsea.png", "painting.jpg", "painting-2.jpg"))
BOTH = f"{SWIRLS} {PANES}"
CAT, LEFT, SWIRL = (f"{EXAMPLES}mask-{name}.png" for name in ("cat", "left", "swirl"))
COMMON = {"--image-size": "192", "--iterations": "30"}  # unless a picture says otherwise
QUALITY = 85  # of a JPEG
WIDTH = 120  # of the page's lines, characters


TOP = f"""\
# Every knob, in pictures

<!-- Made by `python docs/make_gallery.py`; edit that file, not this page. -->

What does a setting do to a picture? Each row below changes one, and has a picture for each value. All are made from the
[example pictures](examples/README.md), the cat, the swirls and the panes, so you can make them too.

| `chelsea.png` | `painting.jpg` | `painting-2.jpg` |
| --- | --- | --- |
| ![the cat Chelsea]({Path(PHOTOGRAPH).relative_to("docs")}) | ![the swirls]({Path(SWIRLS).relative_to("docs")}) | \
![the panes]({Path(PANES).relative_to("docs")}) |

The pictures are small, 192 pixels wide, and the runs are short, 30 iterations; one takes some 20 seconds on two cores.
Before you judge a setting by them, read [how the default was chosen](pictures.md), from larger ones. This command makes
the picture that stands in most rows as *the default*; each row has the commands of its other pictures. They work in the
folder that has the `README.md`.

    python -m ministyle {{default}} -o default.png

Each picture was saved as a small JPEG that carries the record of how it was made, which `info` shows:

    python -m ministyle info docs/gallery/default.jpg"""


class Shown(NamedTuple):
    """A picture: the name of its file, what stands below it, the flags of its command, and the paintings."""

    name: str
    caption: str
    flags: str = ""
    paintings: str = SWIRLS


class Row(NamedTuple):
    """A knob: its title, what one sees, and its pictures."""

    title: str
    seen: str
    pictures: tuple[Shown, ...]


DEFAULT = Shown("default", "the default")


def flagged(name, flags, paintings=SWIRLS):
    """Return a picture whose flags are its caption."""
    return Shown(name, f"`{flags}`", flags, paintings)


ROWS = (
    Row(
        "How much style",
        "At 0.2 fur, chin and background are still the photograph's, only tinted. At 0.8 swirls are on the chin "
        "and the forehead, where the photograph has none.",
        (
            flagged("strength-0.2", "--strength 0.2"),
            Shown("default", "`--strength 0.5`, the default"),
            flagged("strength-0.8", "--strength 0.8"),
        ),
    ),
    Row(
        "How large the strokes are",
        "With 0.5 there are small dabs, with 2 long strokes that follow the cheek and the forehead.",
        (
            flagged("style-scale-0.5", "--style-scale 0.5"),
            Shown("default", "`--style-scale 1`, the default"),
            flagged("style-scale-2", "--style-scale 2"),
        ),
    ),
    Row(
        "Several paintings",
        "The painting with the larger share wins. With 3 to 1 the swirls stay, in fewer and flatter strokes; with "
        "1 to 3 there are black outlines and panes, and some of the swirls' blue is left in one eye. [More about "
        "paintings and masks](styles.md).",
        (
            Shown("default", "the swirls alone"),
            Shown("blend-3-1", "both, `--style-blend 3,1`", "--style-blend 3,1", BOTH),
            Shown("blend-1-3", "both, `--style-blend 1,3`", "--style-blend 1,3", BOTH),
            Shown("panes", "the panes alone", "", PANES),
        ),
    ),
    Row(
        "A part of the photograph",
        "White takes the first painting; black stays as in the photograph, or takes the second painting where "
        "there are two. The seam between the two is sharp.",
        (
            flagged("content-mask", f"--content-mask {CAT}"),
            Shown("content-mask-two", "the same with both paintings", f"--content-mask {CAT}", BOTH),
            Shown("content-mask-left", f"both, `--content-mask {LEFT}`", f"--content-mask {LEFT}", BOTH),
        ),
    ),
    Row(
        "A part of the painting",
        "Only the large swirl counts, so the cat is orange and red, and the blue is gone.",
        (DEFAULT, flagged("style-mask", f"--style-mask {SWIRL}")),
    ),
    Row(
        "Whose colours",
        "The cat has its own colours in all three. The first two are soft; with `photo-match` the eyes turn "
        "brown. The last has the strongest light and dark: it is the first picture, whose colours were exchanged "
        "at the end.",
        (
            DEFAULT,
            flagged("colours-photo-luminance", "--colours photo-luminance"),
            flagged("colours-photo-match", "--colours photo-match"),
            flagged("colours-after", "--colours-after photo-luminance"),
        ),
    ),
    Row(
        "Which statistics are matched",
        "Covariances give larger patches of one colour, and the blue and the orange of the painting are purer. "
        "Mean activations alone keep the cat's face as it is, even its green eyes, and still bring the painting's "
        "colours.",
        (
            Shown("default", "Gram matrices, the default"),
            flagged("covariance", "--style-weight 0 --covariance-weight 1"),
            flagged("mean", "--style-weight 0 --mean-weight 1"),
        ),
    ),
    Row(
        "Content layers",
        "With conv2_2 as well, the whiskers and the nose are sharper. With conv3_1 alone the strokes are short "
        "dabs, and a spiral sits on the nose.",
        (
            flagged("content-conv3_1", "--content-layers conv3_1"),
            flagged("content-two", "--content-layers conv2_2,conv4_2 --content-layer-weights 0.3,0.7"),
            Shown("default", "`--content-layers conv4_2`, the default"),
        ),
    ),
    Row(
        "Style layers",
        "conv1_1 brings colours and hardly a stroke, the first three layers short strokes, all five the long "
        "bands on the forehead. When all count the same, those bands cover the cheeks and the background too.",
        (
            flagged("style-1", "--style-layers conv1_1"),
            flagged("style-3", "--style-layers conv1_1,conv2_1,conv3_1"),
            Shown("default", "conv1_1 to conv5_1, the default"),
            flagged("style-equal", "--style-layer-weights equal"),
        ),
    ),
    Row(
        "Total variation",
        "Without it there are fine bright lines on the strokes, best seen on the forehead. Ten times the default "
        "wipes out all strokes but those around the eyes.",
        (
            flagged("tv-0", "--tv-weight 0"),
            Shown("default", "`--tv-weight 2e-3`, the default"),
            flagged("tv-0.02", "--tv-weight 2e-2"),
        ),
    ),
    Row(
        "What lies around the picture",
        "There is little to see in pictures this small. With zeros there is a thin pale line along the right "
        "edge, and with the edge itself repeated a row of small dabs along the lower one.",
        (
            Shown("default", "`--border mirror`, the default"),
            flagged("border-zero", "--border zero"),
            flagged("border-replicate", "--border replicate"),
        ),
    ),
    Row(
        "Bounds",
        "There is little to see: without bounds cheek and chin are painted a little less, and the eyes have lost "
        "their spiral.",
        (Shown("default", "`--bounds`, the default"), flagged("no-bounds", "--no-bounds")),
    ),
    Row(
        "Where it begins",
        "From noise the cat has to be found first: after 30 iterations there are two yellow eyes and a nose, "
        "after 100 a cat, in other colours than from the photograph.",
        (
            Shown("default", "`--init content`, the default"),
            flagged("init-noise", "--init noise"),
            flagged("init-noise-long", "--init noise --iterations 100"),
        ),
    ),
    Row(
        "How long it runs",
        "After 5 iterations the photograph has stronger colours and hardly any style. After 30 the cat is "
        "painted; after 60 there is more orange on the cheek, and not much else has changed.",
        (
            flagged("iterations-5", "--iterations 5"),
            Shown("default", "`--iterations 30`"),
            flagged("iterations-60", "--iterations 60"),
        ),
    ),
    Row(
        "Pooling",
        "With the maximum the strokes on the cheek and around the eyes are in shorter pieces, and the nose is "
        "speckled.",
        (Shown("default", "`--pooling average`, the default"), flagged("pooling-max", "--pooling max")),
    ),
    Row(
        "Presets",
        "At the weights of both presets the painting wins. With `gatys2015`, from noise, nothing is left of the "
        "cat; with `gatys-pytorch` there are two eyes, and a swirl for a nose.",
        (
            DEFAULT,
            flagged("gatys2015", "--preset gatys2015 --iterations 100"),
            flagged("gatys-pytorch", "--preset gatys-pytorch --side longest --iterations 100"),
        ),
    ),
)


def command(picture):
    """Return what follows `python -m ministyle` in a picture's command, without the output."""
    common = " ".join(f"{flag} {value}" for flag, value in COMMON.items() if flag not in picture.flags.split())
    return " ".join(f"transfer {PHOTOGRAPH} {picture.paintings} {picture.flags} {common}".split())


def commands():
    """Return the commands of all pictures, name -> command, each once."""
    return {picture.name: command(picture) for row in ROWS for picture in row.pictures}


def make(name, arguments):
    """Make a picture with the program, and store it as a small JPEG that carries the program's record."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "picture.png"
        if run([*arguments.split(), "--quiet", "-o", str(made)]):
            raise SystemExit(f"{name} was not finished")
        with Image.open(made) as picture:
            exif = add_comment(None, read_text(made))
            picture.save(FOLDER / f"{name}.jpg", quality=QUALITY, optimize=True, exif=exif)


def page():
    """Return the page, Markdown."""
    return "\n\n".join([TOP.format(default=command(DEFAULT)), *map(section, ROWS)]) + "\n"


def section(row):
    """Return a knob's section: what one sees, the pictures side by side, and their commands."""
    captions = [picture.caption for picture in row.pictures]
    images = [
        f"![{caption.replace('`', '')}](gallery/{picture.name}.jpg)"
        for caption, picture in zip(captions, row.pictures, strict=True)
    ]
    table = [captions, ["---"] * len(captions), images]
    typed = [
        f"    python -m ministyle {command(picture)} -o {picture.name}.png"
        for picture in row.pictures
        if picture.name != DEFAULT.name
    ]
    return "\n\n".join(
        [
            f"## {row.title}",
            textwrap.fill(row.seen, WIDTH, break_long_words=False, break_on_hyphens=False),
            "\n".join(f"| {' | '.join(cells)} |" for cells in table),
            "\n".join(typed),
        ]
    )


def main():
    """Make the pictures that are missing, and the page."""
    os.chdir(DOCS.parent)  # the commands' paths begin there
    FOLDER.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
    for name, arguments in commands().items():
        if not (FOLDER / f"{name}.jpg").exists():
            print(name, arguments, flush=True)
            make(name, arguments)


if __name__ == "__main__":
    main()
