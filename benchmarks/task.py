"""What every contender computes: the loss of these two pictures, with these weights.

It is the paper's loss in the mean convention, with zeros around every feature map and without total variation. Only
`benchmarks.pyramid` takes the loss that the default settings have.
"""

import numpy as np

from ministyle.terms import CONTENT_LAYERS, STYLE_LAYERS

CONTENT_WEIGHT, STYLE_WEIGHT = 1.0, 30.0
TERM_WEIGHTS = {
    **{f"content {layer}": CONTENT_WEIGHT / len(CONTENT_LAYERS) for layer in CONTENT_LAYERS},
    **{f"style {layer}": STYLE_WEIGHT / len(STYLE_LAYERS) for layer in STYLE_LAYERS},
}


def pictures(size):
    """Return the project's example photograph and painting as squares (size, size, 3), RGB, 0 to 255, float32."""
    from PIL import Image

    from ministyle.files import shipped_path

    paths = (shipped_path(f"docs/examples/{name}") for name in ("chelsea.png", "painting.jpg"))
    return [np.asarray(Image.open(path).convert("RGB").resize((size, size)), np.float32) for path in paths]
