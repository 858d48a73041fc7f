"""What every contender computes: the loss of these two pictures, with these weights."""

import numpy as np

from ministyle.settings import Settings

CONTENT_WEIGHT, STYLE_WEIGHT = Settings().content_weight, Settings().style_weight


def pictures(size):
    """Return the project's example photograph and painting as squares (size, size, 3), RGB, 0 to 255, float32."""
    from PIL import Image

    from ministyle.files import shipped_path

    paths = (shipped_path(f"docs/examples/{name}") for name in ("chelsea.png", "painting.jpg"))
    return [np.asarray(Image.open(path).convert("RGB").resize((size, size)), np.float32) for path in paths]
