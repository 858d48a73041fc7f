"""The same loss and gradient in less memory: the picture is worked on in horizontal bands.

An evaluation keeps some 900 bytes for every pixel: activations that style gradients are computed from, masks, and what
is on its way through the network. For a picture of many megapixels that is more than there is. But an activation
depends on no more than the pixels around it: conv5_1 sees 78 of them to each side. So the network is run on one band
of rows after the other, each with that many rows more above and below; what it then says about the band's own rows is
what it would say with the whole picture before it, edges included. Nothing is approximated.

- First pass. A Gram matrix is a sum over positions, so it is summed over bands. With it the style losses are known, and
  their gradients with respect to Gram matrices.
- Second pass. Each band is run forward once more. The gradient with respect to its own rows' activations, and no
  others, is sent back to the pixels, where it reaches the rows above and below too. The picture's gradient is the sum.

The price: rows around each band are run through the network for two bands, and every band twice forward.
"""

from dataclasses import dataclass

from .arrays import array_module
from .errors import MinistyleError
from .network import SEQUENCE, layer_name, pools_before
from .objective import Objective, StyleGradient

# Bands begin at multiples of so many rows. There no pooling layer's windows are cut, nor the fast convolution's tiles
# of 4x4 in conv5, 4 * 2^4 rows high: with the same tiles come the same rounding errors. Otherwise, in float32, here and
# there an activation close to 0 would be positive in a band and not in the whole picture, and the gradient another.
STEP = 64


def reach(layers):
    """Return how many rows to each side the deepest of some layers sees at most, rounded up to a multiple of `STEP`.

    A convolution sees one row more to each side, and a pooling layer half a row; behind p pooling layers rows are 2^p
    pixels apart.
    """
    deepest = max(SEQUENCE.index(layer_name(name)) for name in layers)
    pixels, distance = 0.0, 1
    for name in SEQUENCE[: deepest + 1]:
        if name.startswith("pool"):
            pixels += distance / 2
            distance *= 2
        else:
            pixels += distance
    return int(-(-pixels // STEP)) * STEP


@dataclass(frozen=True)
class Band:
    """Some rows of a picture, and those around them that its activations depend on.

    Attributes
    ----------
    first, last : int, the band's own rows
    top, bottom : int, all its rows
    """

    first: int
    last: int
    top: int
    bottom: int

    def in_picture(self, name):
        """Return the band's own rows in a layer of the whole picture, a slice."""
        pools = pools_before(name)
        return slice(self.first >> pools, self.last >> pools)

    def in_window(self, name):
        """Return the band's own rows in a layer of its window, a slice."""
        pools = pools_before(name)
        return slice((self.first - self.top) >> pools, (self.last - self.top) >> pools)


def cut_into_bands(height, rows, margin):
    """Return the bands of a picture, each `rows` high but for the last, which may be higher by less than `STEP`."""
    firsts = list(range(0, max(1, height - STEP + 1), rows))
    lasts = [*firsts[1:], height]
    return [
        Band(first, last, max(0, first - margin), min(height, last + margin))
        for first, last in zip(firsts, lasts, strict=True)
    ]


class BandedObjective(Objective):
    """An `Objective` that says the same, and never runs the network on more than some rows of a picture.

    Parameters
    ----------
    network : Network, with a border of zeros
    rows : int
        The height of a band, a multiple of 64. Memory is needed for so many rows and those around them.
    **options : see `Objective`

    Raises
    ------
    MinistyleError
        `rows` is impossible; or see `Objective`.
    """

    def __init__(self, network, *, rows, style_margin=0, **options):
        if rows < STEP or rows % STEP:
            raise MinistyleError(f"rows (={rows}) of a band must be a multiple of {STEP}")
        if style_margin:
            raise MinistyleError("a style picture with a margin is not for bands")
        self.rows = rows
        super().__init__(network, **options)

    def __call__(self, pixels):  # (H, W, 3) -> scalar, (H, W, 3)
        """Return the loss of a picture, and its gradient with respect to the pixels; see `Objective`."""
        self.terms = {f"content {name}": 0.0 for name in self.content_targets}
        matrices = self._gram_matrices(pixels, list(self.style_targets)) if self.style_targets else {}
        dG = self._compare_styles(matrices)
        taps = {**self.content_targets, **self.style_targets}
        gradient = array_module(pixels).zeros_like(pixels)
        for band in self._bands(pixels, taps):
            features, tape = self.network.forward(pixels[band.top : band.bottom], taps)
            gradients = {name: self._gradient(name, F, dG.get(name), band, pixels) for name, F in features.items()}
            del features
            gradient[band.top : band.bottom] += self.network.backward(tape, gradients)
        return self._add_total_variation(pixels, gradient)

    def _gradient(self, name, F, dG, band, pixels):
        """Return the gradient with respect to a layer of a band's window, and record the content term."""
        height, width = (side >> pools_before(name) for side in pixels.shape[:2])
        own = F[band.in_window(name)]
        gradient = None
        if name in self.content_targets:
            target = self.content_targets[name]
            self._check_size(name, (height, width, F.shape[2]), target.shape)
            loss, gradient = self._compare_content(name, own, target[band.in_picture(name)])
            if self.convention == "mean":  # over all of the picture's activations, not only the band's
                share = own.size / target.size
                loss, gradient = loss * share, gradient * share
            self.terms[f"content {name}"] += loss
        if dG is not None:
            gradient = StyleGradient(dG * (self.style_weights[name] / (height * width)), own, gradient)
        return _Inside(gradient, band.in_window(name), F)

    def _activations(self, picture, layers):
        """Return a picture's activations, computed band by band: layer -> (H_l, W_l, N)."""
        pixels = self.network.to_device(picture)
        pieces = {}
        for band in self._bands(pixels, layers):
            for name, F in self.network.features(pixels[band.top : band.bottom], layers).items():
                pieces.setdefault(name, []).append(F[band.in_window(name)].copy())
        xp = array_module(pixels)
        return {name: xp.concatenate(arrays) for name, arrays in pieces.items()}

    def _gram_matrices(self, picture, layers, margin=0):
        """Return a picture's Gram matrices per position, summed over bands: layer -> (N, N)."""
        pixels = self.network.to_device(picture)
        sums = dict.fromkeys(layers, 0.0)
        for band in self._bands(pixels, layers):
            for name, F in self.network.features(pixels[band.top : band.bottom], layers).items():
                sums[name] = sums[name] + self._gram_matrix(F[band.in_window(name)])
        height, width, _ = pixels.shape
        return {
            name: total / ((height >> pools_before(name)) * (width >> pools_before(name)))
            for name, total in sums.items()
        }

    def _bands(self, pixels, layers):
        return cut_into_bands(pixels.shape[0], self.rows, reach(layers))


class _Inside:
    """A gradient that is given for some rows of a layer and is zero in all others."""

    def __init__(self, gradient, rows, like):
        self.gradient = gradient
        self.rows = rows
        self.like = like
        self.shape = like.shape

    def __getitem__(self, rows):
        start, stop, _ = rows.indices(self.shape[0])
        result = array_module(self.like).zeros((stop - start, *self.shape[1:]), self.like.dtype)
        first, last = max(start, self.rows.start), min(stop, self.rows.stop)
        if first < last:
            own = slice(first - self.rows.start, last - self.rows.start)
            result[first - start : last - start] = self.gradient[own]
        return result
