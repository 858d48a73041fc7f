"""Every filter's mean activation: measure it, store it, carry it over to a new file.

The normalised network divides every filter by its mean activation; see `ministyle.network.normalise`.
"""

from dataclasses import replace

import numpy as np

from .. import arrays
from .file import load_weights, shipped_weights, write_weights

CIRCUMSTANCES = "mean_activation_"  # so begin the attributes that say how the means were measured


def mean_activations(network, pictures):
    """Measure the mean of every filter after the ReLU, over pictures and positions.

    Parameters
    ----------
    network : Network, not normalised
    pictures : iterable of arrays (H, W, 3), RGB, 0 to 255
        Every picture counts the same, whatever its size.

    Returns
    -------
    dict, layer name -> float32 (C_out,), on the host
        No mean is smaller than 1/1000 of the average over the filters of its layer. Without this floor, a filter that
        hardly ever fires would be divided by almost nothing, and its noise would drown all other filters.
    """
    sums = dict.fromkeys(network.layers, 0.0)
    count = 0
    for pixels in pictures:
        for name, activations in network.features(pixels, network.layers).items():
            sums[name] = sums[name] + arrays.to_host(activations.mean(axis=(0, 1))).astype(np.float64)
        count += 1
    means = {name: total / count for name, total in sums.items()}
    return {name: np.maximum(mean, mean.mean() / 1000).astype(np.float32) for name, mean in means.items()}


def store_mean_activations(path, means, circumstances):
    """Store mean activations in a weight file. They replace all that the file had.

    Parameters
    ----------
    path : path of an existing weight file
    means : dict, layer name -> (C_out,), from `mean_activations`
    circumstances : dict, attribute name -> value
        How the means were measured: the photographs, their size. Every name begins with "mean_activation_".

    Raises
    ------
    MinistyleError
        The file is not a weight file of this project, or it cannot be written.
    """
    weights = load_weights(path)
    outdated = circumstances_of(weights)
    kept = {name: value for name, value in weights.attributes.items() if name not in outdated}
    write_weights(replace(weights, mean_activations=means, attributes=kept | circumstances))


def known_mean_activations():
    """Return the mean activations of the shipped weight file.

    They belong to its numbers. They do not depend on the precision in which those are stored.

    Returns
    -------
    means : dict, as `mean_activations` returns it; empty if the shipped file is missing
    circumstances : dict, see `store_mean_activations`
    """
    shipped = shipped_weights()
    return ({}, {}) if shipped is None else (shipped.mean_activations, circumstances_of(shipped))


def circumstances_of(weights):
    """Return the attributes that say how the mean activations of a weight file were measured."""
    return {name: value for name, value in weights.attributes.items() if name.startswith(CIRCUMSTANCES)}
