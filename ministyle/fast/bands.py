"""The same loss and gradient in less memory: the picture is worked on in horizontal bands.

An evaluation keeps some 900 bytes for every pixel: the activations that style gradients are computed from, masks, and
what is on its way through the network. A picture of many megapixels needs more memory than there is. But an activation
depends only on the pixels around it: conv5_1 sees 78 of them to each side. So the network runs on one band of rows
after the other, each with that many rows more above and below. For the band's own rows it computes what it would
compute for the whole picture, edges included. Nothing is approximated.

- First pass. A term's sum over positions, such as a Gram matrix, is added up band by band. Then the term's value is
  known, and its derivative with respect to the sum.
- Second pass. Each band is run forward once more. The gradient with respect to the activations of its own rows, and no
  others, is sent back to the pixels, where it reaches the rows above and below too. The picture's gradient is the sum.

The price: the rows around each band are computed for two bands, and every band runs forward twice.
"""

from dataclasses import dataclass
from functools import partial

from ..arrays import array_module
from ..errors import MinistyleError
from ..network import surround_backward, surround_forward
from ..objective import Objective
from ..settings import terms_of
from ..styles import GRAM, count
from ..terms import AdditiveTerm, GradientByRows, Scene, StyleTerm

# Bands begin at multiples of this many rows. There, no pooling window is cut, nor a tile of the fast convolution in
# conv5, which is 4 * 2^4 rows high. The same tiles make the same rounding errors. Other bands would let a few
# activations close to 0 be positive in a band and not in the whole picture, and so change the gradient in float32.
MULTIPLE = 64


def margin(architecture, layers):
    """Return how many rows around a band the deepest of some layers sees at most, a multiple of `MULTIPLE`."""
    to_each_side = (architecture.deepest(layers).receptive_field - 1) / 2
    return int(-(-to_each_side // MULTIPLE)) * MULTIPLE


@dataclass(frozen=True)
class Band:
    """Some rows of a picture, and the window around them that their activations depend on.

    Attributes
    ----------
    first, last : int, the band's own rows
    top, bottom : int, the rows of its window
    edge : int, how many pixels at each edge of the picture are its mirror image and belong to no band
    """

    first: int
    last: int
    top: int
    bottom: int
    edge: int = 0

    def in_picture(self, layer):
        """Return the band's own rows in a `Layer` of the whole picture, without its mirror image, a slice."""
        return slice((self.first - self.edge) >> layer.halvings, (self.last - self.edge) >> layer.halvings)

    def in_window(self, layer):
        """Return the band's own rows and columns in a `Layer` of its window, two slices."""
        edge = self.edge >> layer.halvings
        rows = slice((self.first - self.top) >> layer.halvings, (self.last - self.top) >> layer.halvings)
        return rows, slice(edge, -edge or None)


def split_into_bands(height, rows, margin, edge=0):
    """Return the bands of a picture.

    Each is `rows` high, but for the last, which may be higher by less than `MULTIPLE`, and what the edge takes from the
    first and the last.
    """
    firsts = list(range(0, max(1, height - MULTIPLE + 1), rows))
    lasts = [*firsts[1:], height]
    return [
        Band(max(first, edge), min(last, height - edge), max(0, first - margin), min(height, last + margin), edge)
        for first, last in zip(firsts, lasts, strict=True)
    ]


def activations(network, picture, layers, *, rows):
    """Return a picture's activations, computed in bands: layer -> (H_l, W_l, N)."""
    pieces = {}

    def keep(band, layer, F):
        pieces.setdefault(layer.name, []).append(F[band.in_window(layer)].copy())

    _use_bands(network, picture, layers, rows, keep)
    return {name: array_module(arrays[0]).concatenate(arrays) for name, arrays in pieces.items()}


def style_statistics(network, picture, layers, statistic=GRAM, margin=0, guides=None, *, rows):
    """Return a statistic of a picture's activations, summed over bands: layer -> S; see `terms.style_statistics`."""
    if margin:
        raise MinistyleError("a style picture with a margin cannot be worked on in bands")
    guides = guides or {}
    terms = {name: StyleTerm(name, 1.0, None, statistic=statistic, guide=guides.get(name)) for name in layers}
    sums = dict.fromkeys(layers, 0.0)

    def add(band, layer, F):
        sums[layer.name] = sums[layer.name] + _partial_sum(network, terms[layer.name], F, band, layer)

    _use_bands(network, picture, layers, rows, add)
    sizes = {name: network.architecture.layers[name].size(*picture.shape[:2]) for name in layers}
    return {name: statistic.of(sums[name], count(terms[name].guide, sizes[name])) for name in layers}


def compose_banded_objective(network, settings, content, style, *, rows=None, style_rows=None, share=None):
    """Compose what is minimised, in bands where heights of bands are given; see `algorithm.compose_objective`.

    Parameters
    ----------
    rows : int, optional, the height of the bands in which the picture is worked on
    style_rows : int, optional, the height of the bands in which the painting's Gram matrices are computed
    share : see `algorithm.compose_objective`
    """
    scene = banded_scene(network, content, style, rows, style_rows)
    terms = terms_of(settings, scene if share is None else share(scene))
    return Objective(network, terms) if rows is None else BandedObjective(network, terms, rows=rows)


def banded_scene(network, content, style, rows, style_rows):
    """Return a `Scene` whose activations are computed in bands of `rows`, where such are given.

    Statistics of photograph and paintings are computed in bands of the lower of the two heights.
    """
    ways = {}
    if rows is not None:
        ways["activations"] = partial(activations, rows=rows)
    heights = [height for height in (rows, style_rows) if height is not None]
    if heights:
        ways["style_statistics"] = partial(style_statistics, rows=min(heights))
    return Scene(network, content, style, **ways)


class BandedObjective(Objective):
    """An `Objective` that says the same, and never runs the network on more than some rows of a picture.

    Parameters
    ----------
    network : Network, whose border is not periodic
    terms : list of Term, optional, see `Objective`
    rows : int
        The height of a band, a multiple of 64. Memory is needed for so many rows and those around them.
    **options : see `Objective`

    Raises
    ------
    MinistyleError
        `rows` is impossible, a term cannot be computed in bands, or see `Objective`.
    """

    def __init__(self, network, terms=None, *, rows, **options):
        if rows < MULTIPLE or rows % MULTIPLE:
            raise MinistyleError(f"rows (={rows}) of a band must be a multiple of {MULTIPLE}")
        self.rows = rows
        super().__init__(network, terms, **options)
        for term in self.terms:
            if term.layer is not None and not isinstance(term, AdditiveTerm):
                raise MinistyleError(
                    f"the term '{term.name}' cannot be computed in bands, because it is not a function of a sum over "
                    "positions; leave out --max-memory, or choose a smaller --image-size"
                )

    def __call__(self, pixels):  # (H, W, 3) -> Evaluation
        """Evaluate a picture; see `Objective`."""
        shapes = self._check(pixels)
        terms = [term for term in self.terms if term.layer is not None]
        global_terms = [term for term in terms if term.needs_total]
        sums = self._sum_first(global_terms, pixels)
        compared = {term.name: term.compare(sums[term.name], shapes[term.layer]) for term in global_terms}
        derivatives = {name: derivative for name, (_, derivative) in compared.items()}
        surrounded, network = _surrounded(self.network, pixels, self.layers)
        gradient = array_module(pixels).zeros_like(surrounded)
        for band in _bands(self.network, surrounded, self.layers, self.rows):
            features, tape = network.forward(surrounded[band.top : band.bottom], self.layers)
            gradients = {name: self._gradient(name, F, band, derivatives, sums) for name, F in features.items()}
            del features
            gradient[band.top : band.bottom] += network.backward(tape, gradients, release=True)
        gradient = surround_backward(gradient, None) if self.network.margin else gradient
        values = {term.name: term.compare(sums[term.name], shapes[term.layer])[0] for term in terms}
        return self._with_pixel_terms(pixels, values, gradient)

    def _gradient(self, name, F, band, derivatives, sums):
        """Return the gradient at a layer of a band's window, F being its activations there.

        The sums of terms that need no total beforehand are added up on the way.
        """
        layer = self.network.architecture.layers[name]
        own, rows = F[band.in_window(layer)], band.in_picture(layer)
        terms = [term for term in self.terms if term.layer == name]
        for term in terms:
            if not term.needs_total:
                sums[term.name] = sums.get(term.name, 0.0) + term.partial_sum(own, rows)
        parts = [partial(_part, term, own, rows.start, derivatives.get(term.name)) for term in terms]
        return _Inside(GradientByRows(parts, own.shape), band.in_window(layer), F)

    def _scene(self, network, content, style):
        return banded_scene(network, content, style, self.rows, self.rows)

    def _check(self, pixels):
        """Return the shapes of all layers for a picture, after asking every term whether it can look at them."""
        layers = self.network.architecture.layers
        shapes = {name: (*layers[name].size(*pixels.shape[:2]), layers[name].channels) for name in self.layers}
        for term in self.terms:
            if term.layer is not None:
                term.check(shapes[term.layer])
        return shapes

    def _sum_first(self, terms, pixels):
        """Return the sums over all positions that some terms need, added up band by band: term's name -> sum."""
        sums = {term.name: 0.0 for term in terms}

        def add(band, layer, F):
            for term in terms:
                if term.layer == layer.name:
                    sums[term.name] = sums[term.name] + _partial_sum(self.network, term, F, band, layer)

        if terms:
            _use_bands(self.network, pixels, {term.layer for term in terms}, self.rows, add)
        return sums


def _surrounded(network, pixels, layers):
    """Return a picture with the network's margin around it, and the network that takes it so."""
    network.check(pixels.shape, layers)  # here, as with its margin a picture that is too small would pass
    return surround_forward(pixels)[0] if network.margin else pixels, network.without_margin()


def _bands(network, surrounded, layers, rows):
    return split_into_bands(surrounded.shape[0], rows, margin(network.architecture, layers), network.margin)


def _use_bands(network, picture, layers, rows, use):
    """Call `use` with each band, each `Layer`, and the layer's activations in the band's window.

    No band's arrays outlive it. Those of the next band have another size, and would not fit into the gaps around them.
    """
    pixels = network.to_device(picture)
    surrounded, inner = _surrounded(network, pixels, layers)
    for band in _bands(network, surrounded, layers, rows):
        features = inner.features(surrounded[band.top : band.bottom], layers)
        for name in list(features):
            use(band, network.architecture.layers[name], features.pop(name))
        network.backend.release()


def _partial_sum(network, term, F, band, layer):
    """Return a term's sum over a band's own rows, F being the activations in the band's window."""
    own, first = F[band.in_window(layer)], band.in_picture(layer).start
    return sum(network.backend.over_rows(lambda rows: term.partial_sum(own[rows], _shifted(rows, first, own)), own))


def _part(term, own, first, derivative, rows):
    """Return a term's gradient for some of a band's own rows, which begin at row `first` of the layer."""
    return term.gradient(own[rows], _shifted(rows, first, own), derivative)


def _shifted(rows, first, own):
    """Return a slice of a band's own rows as a slice of the layer's rows."""
    start, stop, _ = rows.indices(len(own))
    return slice(first + start, first + stop)


class _Inside:
    """A gradient that is given for some rows and columns of a layer and is zero in all others."""

    def __init__(self, gradient, inside, like):
        self.gradient = gradient
        self.rows, self.columns = inside
        self.like = like
        self.shape = like.shape

    def __getitem__(self, rows):
        start, stop, _ = rows.indices(self.shape[0])
        result = array_module(self.like).zeros((stop - start, *self.shape[1:]), self.like.dtype)
        first, last = max(start, self.rows.start), min(stop, self.rows.stop)
        if first < last:
            own = slice(first - self.rows.start, last - self.rows.start)
            result[first - start : last - start, self.columns] = self.gradient[own]
        return result
