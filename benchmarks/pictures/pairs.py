"""The pairs of photograph and painting on which settings are compared.

Photographs come from scikit-image's and scikit-learn's packages, paintings are drawn here or come from a folder of the
user's own. Nothing is downloaded.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIZE = 720, 540  # of a painting drawn here: width, height


@dataclass(frozen=True)
class Pair:
    """A photograph and a painting.

    Attributes
    ----------
    name : str
    content, style : path, or array (H, W, 3)
    """

    name: str
    content: object
    style: object


def pairs(folder=None):
    """Return the pairs: of all kinds of photographs and paintings.

    Parameters
    ----------
    folder : path, optional
        A folder with tubingen.jpg, starry_night.jpg, composition_vii.jpg, the_scream.jpg and shipwreck.jpg. Without it
        those pairs are left out.
    """
    found = [
        Pair("face-flat", _skimage("astronaut.png"), flat_shapes()),
        Pair("cat-waves", _skimage("chelsea.png"), waves()),
        Pair("coffee-pencil", _skimage("coffee.png"), pencil()),
        Pair("temple-print", _sklearn("china.jpg"), print_dots()),
        Pair("flower-flat", _sklearn("flower.jpg"), flat_shapes(seed=3)),
        Pair("rocket-brick", _skimage("rocket.jpg"), _skimage("brick.png")),
    ]
    if folder is not None:
        folder = Path(folder)
        town = folder / "tubingen.jpg"
        paintings = ("starry_night", "composition_vii", "the_scream", "shipwreck")
        found += [Pair(f"town-{name}", town, folder / f"{name}.jpg") for name in paintings]
        found += [
            Pair("face-starry_night", _skimage("astronaut.png"), folder / "starry_night.jpg"),
            Pair("cat-scream", _skimage("chelsea.png"), folder / "the_scream.jpg"),
        ]
    return found


def _skimage(name):
    import skimage

    return Path(skimage.__file__).parent / "data" / name


def _sklearn(name):
    import sklearn

    return Path(sklearn.__file__).parent / "datasets" / "images" / name


def flat_shapes(seed=1):
    """Draw flat shapes of bold colours with black outlines."""
    random = np.random.default_rng(seed)
    colours = ["#d7263d", "#f46036", "#2e294e", "#1b998b", "#c5d86d", "#f2e9dc", "#0f4c81", "#ffb000"]
    picture = Image.new("RGB", SIZE, "#f2e9dc")
    draw = ImageDraw.Draw(picture)
    for _ in range(90):
        x, y = random.uniform(0, SIZE[0]), random.uniform(0, SIZE[1])
        radius, corners = random.uniform(25, 110), random.integers(3, 7)
        angles = np.sort(random.uniform(0, 2 * np.pi, corners))
        points = [(x + radius * np.cos(a), y + radius * np.sin(a)) for a in angles]
        draw.polygon(points, fill=str(random.choice(colours)))
        draw.line([*points, points[0]], fill="black", width=6, joint="curve")
    return np.asarray(picture)


def waves(seed=2):
    """Draw an oil painting of sorts: short curved strokes of many colours along a swirling field."""
    random = np.random.default_rng(seed)
    width, height = SIZE
    picture = Image.new("RGB", SIZE, "#22385c")
    draw = ImageDraw.Draw(picture)
    palette = np.array([[30, 60, 120], [70, 120, 190], [240, 205, 90], [225, 140, 50], [15, 35, 70], [190, 215, 225]])
    for _ in range(9000):
        x, y = random.uniform(0, width), random.uniform(0, height)
        place = (np.sin(x / 130) + np.cos(y / 90) + 2) / 4
        colour = palette[int(place * 5.99)] + random.normal(0, 14, 3)
        points = [(x, y)]
        for _ in range(7):
            angle = 2.2 * np.sin(points[-1][0] / 95) + 1.7 * np.cos(points[-1][1] / 75)
            points.append((points[-1][0] + 4 * np.cos(angle), points[-1][1] + 4 * np.sin(angle)))
        draw.line(points, fill=tuple(int(c) for c in colour.clip(0, 255)), width=int(random.integers(2, 6)))
    return np.asarray(picture)


def pencil(seed=4):
    """Draw crossed pencil hatching on paper."""
    random = np.random.default_rng(seed)
    width, height = SIZE
    picture = Image.new("L", SIZE, 240)
    draw = ImageDraw.Draw(picture)
    for _ in range(5000):
        x, y = random.uniform(-50, width), random.uniform(-50, height)
        darkness = (np.sin(x / 85) * np.cos(y / 70) + 1) / 2
        if random.uniform() < darkness:
            length = random.uniform(20, 60)
            slope = 1 if random.uniform() < 0.75 else -1
            end = x + length, y + slope * length * random.uniform(0.8, 1.2)
            draw.line([(x, y), end], fill=int(random.uniform(30, 130)), width=1)
    grey = np.asarray(picture.filter(ImageFilter.GaussianBlur(0.6)), np.float64)
    paper = random.normal(0, 3, grey.shape)
    return np.repeat((grey + paper).clip(0, 255).astype(np.uint8)[:, :, np.newaxis], 3, axis=2)


def print_dots(seed=5):
    """Draw a coarse print: flat areas of few inks, and dots."""
    random = np.random.default_rng(seed)
    width, height = SIZE
    picture = Image.new("RGB", SIZE, "#f4ecd8")
    draw = ImageDraw.Draw(picture)
    for ink in ("#c8452e", "#2f5d62", "#e3b23c", "#1c2321"):
        for _ in range(9):
            x, y, radius = random.uniform(0, width), random.uniform(0, height), random.uniform(40, 120)
            draw.ellipse([x - radius, y - radius / 2, x + radius, y + radius / 2], fill=ink)
    for y in range(0, height, 9):
        for x in range(0, width, 9):
            size = 2.6 * abs(np.sin(x / 110) * np.cos(y / 140))
            draw.ellipse([x - size, y - size, x + size, y + size], fill="#1c2321")
    return np.asarray(picture)
