"""Draw `painting.jpg`: brush strokes that follow a swirling flow, an example of a style picture.

    python docs/examples/draw_painting.py [OUTPUT]

Lengths are in pixels of the finished picture, x to the right and y down; colours are RGB in 0..255.
All random numbers come from one seeded generator, so every run draws the same picture.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

WIDTH, HEIGHT = 768, 576
SUPERSAMPLING = 3  # drawn this many times larger, then reduced: that is the antialiasing
SEED = 2015
STEPS = 14  # points along one stroke
SWIRLS = np.array(
    [  # centre x, centre y, radius, speed (its sign: the sense of rotation), palette
        (262, 250, 112, 3.4, 0),
        (600, 168, 78, -3.0, 1),
        (560, 440, 66, 3.0, 0),
        (110, 492, 58, -2.6, 1),
        (372, 508, 34, -2.2, 0),
        (66, 84, 46, -3.4, 0),
        (430, 62, 34, -3.4, 0),
        (716, 330, 40, 2.4, 0),
        (722, 40, 26, 2.0, 0),
    ]
)
LAYERS = [  # spacing of the strokes, their length, their width, hairs in the brush: large strokes first
    (12, 180, 28, 14),
    (19, 120, 15, 9),
    (20, 64, 8, 5),
    (24, 32, 4, 3),
]
SKY = np.array(
    [  # the colours between the swirls, from one streak of the flow to the next
        (8, 14, 54),
        (18, 44, 136),
        (30, 96, 196),
        (14, 104, 132),
        (112, 194, 204),
        (26, 66, 168),
        (14, 28, 96),
        (52, 26, 100),
    ]
)
RINGS = np.array(
    [  # the palettes of the swirls, from the centre outwards: a warm and a cool one
        [
            (255, 248, 200),
            (255, 220, 64),
            (250, 160, 24),
            (206, 62, 28),
            (255, 200, 60),
            (16, 96, 126),
            (112, 196, 186),
            (18, 46, 140),
        ],
        [
            (255, 252, 226),
            (255, 226, 120),
            (150, 222, 204),
            (20, 128, 150),
            (226, 240, 214),
            (30, 92, 196),
            (92, 186, 206),
            (12, 30, 100),
        ],
    ]
)
RING_REACH = 2.0  # where the last colour of a swirl lies, in its radii
PITCH = 0.25  # how steeply the strokes wind into a swirl: the tangent of their angle to the circle
ARMS, ARM_DEPTH = 2, 0.12  # spiral arms of a swirl; how far they move its colours, as a share of its reach
STREAK = 150  # pixels from the first colour of SKY to the last, where the flow is as slow as the drift
WAVE_HEIGHT, WAVE_NUMBER = 22, 0.011  # the drift's rise and fall, in pixels and in radians per pixel
# A painter's variation, as standard deviations: of the place in a palette, of the brightness of a stroke
# and again of a hair (as a share), and of each channel of a hair.
PLACE_SPREAD, BRIGHTNESS_SPREAD, CHANNEL_SPREAD = 0.04, 0.12, 7
RELIEF = 0.5  # brightness gained or lost per unit of slope of the paint


def flow_at(points):
    """Return the stream function (n,) and the flow's direction (n, 2) at `points` (n, 2).

    The flow is the stream function's gradient turned by a quarter, so it runs along lines of equal
    value: colours chosen by that value form streaks along the strokes. Swirls also draw it inwards.
    """
    x, y = points.T
    stream = y + WAVE_HEIGHT * np.sin(WAVE_NUMBER * x)
    flow_x, flow_y = 1, -WAVE_HEIGHT * WAVE_NUMBER * np.cos(WAVE_NUMBER * x)
    for centre_x, centre_y, radius, speed, _ in SWIRLS:
        away_x, away_y = (x - centre_x) / radius, (y - centre_y) / radius
        bell = speed * np.exp((1 - away_x**2 - away_y**2) / 2)  # so `speed` is reached at the radius
        stream = stream + radius * bell
        flow_x = flow_x - away_y * bell - PITCH * away_x * np.abs(bell)
        flow_y = flow_y + away_x * bell - PITCH * away_y * np.abs(bell)
    return stream, np.stack([flow_x, flow_y], axis=1) / np.hypot(flow_x, flow_y)[:, None]


def pick(palette, place, generator):
    """Return colours (n, 3) of a palette (k, 3) at `place` (n,) in 0..1, as whole colours.

    A mixture of two neighbours would be dull: strokes of both lie side by side and the eye mixes them.
    """
    index = place * (len(palette) - 1) + generator.uniform(0, 1, len(place))
    return palette[np.clip(index.astype(int), 0, len(palette) - 1)]


def colours_at(points, generator):
    """Return a stroke's colour (n, 3) at each of `points` (n, 2): by place, with a painter's variation."""
    streak = flow_at(points)[0] / STREAK + generator.normal(0, PLACE_SPREAD, len(points))
    colours = pick(SKY, 1 - np.abs(streak % 2 - 1), generator)
    for centre_x, centre_y, radius, speed, palette in SWIRLS:
        away_x, away_y = points[:, 0] - centre_x, points[:, 1] - centre_y
        reach = np.hypot(away_x, away_y) / (radius * RING_REACH)
        # Constant along a stroke, which winds in by PITCH: so the arms follow the strokes.
        turn = np.sign(speed) * np.arctan2(away_y, away_x) + np.log(reach + 1e-3) / PITCH
        place = reach + ARM_DEPTH * np.sin(ARMS * turn) + generator.normal(0, PLACE_SPREAD, len(points))
        inside = place < 1
        colours[inside] = pick(RINGS[int(palette)], place[inside], generator)
    return colours * generator.normal(1, BRIGHTNESS_SPREAD, (len(points), 1))


def grid(spacing, margin):
    """Return points (n, 2) `spacing` apart that cover the picture and `margin` around it."""
    columns, rows = np.meshgrid(
        np.arange(-margin, WIDTH + margin, spacing, dtype=float),
        np.arange(-margin, HEIGHT + margin, spacing, dtype=float),
    )
    return np.stack([columns.ravel(), rows.ravel()], axis=1)


def trace(points, lengths):
    """Follow the flow from `points` (n, 2) over `lengths` (n,); return paths and normals (n, STEPS, 2)."""
    paths, normals = [], []
    for _ in range(STEPS):
        _, flow = flow_at(points)
        paths.append(points)
        normals.append(flow[:, ::-1] * (-1, 1))
        points = points + flow * lengths[:, None] / STEPS
    return np.stack(paths, axis=1), np.stack(normals, axis=1)


def draw_layer(paint, relief, layer, generator):
    """Draw one layer's strokes on `paint` (RGB) and the thickness of their paint on `relief` (grey)."""
    spacing, length, width, hairs = layer
    starts = grid(spacing, length)
    starts += generator.normal(0, spacing / 2, starts.shape)
    generator.shuffle(starts)
    paths, normals = trace(starts, length * generator.uniform(0.6, 1.2, len(starts)))
    colours = colours_at(paths[:, STEPS // 2], generator)
    time = np.linspace(0, 1, STEPS)
    # A brush lands almost at once and leaves slowly, so that the stroke ends in a point.
    taper = np.minimum(1, time / 0.12) ** 0.5 * np.minimum(1, (1 - time) / 0.6) ** 0.6
    for path, normal, colour in zip(paths, normals, colours, strict=True):
        across = normal * (taper[:, None] * width / 2 * generator.uniform(0.7, 1.2))
        for offset in generator.permutation(np.linspace(-1, 1, hairs)):
            hair = slice(generator.integers(0, 3), STEPS - generator.integers(0, 4))  # ragged ends
            sides = [(path + across * (offset + side))[hair] for side in (-1.5 / hairs, 1.5 / hairs)]
            outline = (np.concatenate([sides[0], sides[1][::-1]]) * SUPERSAMPLING).ravel().tolist()
            shade = colour * generator.normal(1, BRIGHTNESS_SPREAD) + generator.normal(0, CHANNEL_SPREAD, 3)
            paint.polygon(outline, fill=tuple(np.clip(shade, 0, 255).astype(int).tolist()))
            relief.polygon(outline, fill=int(generator.integers(60, 200)))


def underpainting(generator):
    """Return a coarse picture of every place's colour: what shows in the gaps between strokes."""
    step = 8
    colours = np.clip(colours_at(grid(step, 0), generator), 0, 255).astype(np.uint8)
    return Image.fromarray(colours.reshape(HEIGHT // step, WIDTH // step, 3))


def lit(paint, relief):
    """Return `paint` as thick paint lit from the upper left, with `relief` as its thickness."""
    slope_y, slope_x = np.gradient(np.asarray(relief, dtype=float))
    light = RELIEF * (slope_x + slope_y)[:, :, None]
    return Image.fromarray(np.clip(np.asarray(paint) + light, 0, 255).astype(np.uint8))


def main():
    """Draw the picture and write it to the file named on the command line."""
    output = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_name("painting.jpg")
    generator = np.random.default_rng(SEED)
    size = (WIDTH * SUPERSAMPLING, HEIGHT * SUPERSAMPLING)
    paint, relief = underpainting(generator).resize(size), Image.new("L", size)
    for layer in LAYERS:
        draw_layer(ImageDraw.Draw(paint), ImageDraw.Draw(relief), layer, generator)
    small = [picture.resize((WIDTH, HEIGHT), Image.Resampling.BOX) for picture in (paint, relief)]
    lit(*small).save(output, quality=92)


if __name__ == "__main__":
    main()
