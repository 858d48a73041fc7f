"""Numbers for what the eye sees: the subject, the style, speckle and a frame."""

import numpy as np
from scipy import ndimage

from ministyle.losses import gram_matrix

HELD_OUT = ("conv2_2", "conv3_3", "conv4_3")  # layers that no setting optimises the style of
CONTENT = ("conv3_3", "conv4_3")
FRAME = 2  # pixels


def style_distance(network, picture, painting):
    """Return ||G/M - A/M|| / ||A/M||, the mean over layers that were not optimised."""
    ours, theirs = (network.features(image, HELD_OUT) for image in (picture, painting))
    distances = []
    for name in HELD_OUT:
        G, A = (gram_matrix(F) / (F.shape[0] * F.shape[1]) for F in (ours[name], theirs[name]))
        distances.append(float(np.linalg.norm(G - A) / np.linalg.norm(A)))
    return float(np.mean(distances))


def content_kept(network, picture, photograph):
    """Return the correlation of activations with the photograph's, every filter's mean removed, over some layers."""
    ours, theirs = (network.features(image, CONTENT) for image in (picture, photograph))
    correlations = []
    for name in CONTENT:
        F, P = (x - x.mean(axis=(0, 1)) for x in (ours[name], theirs[name]))
        correlations.append(float((F * P).sum() / np.sqrt((F * F).sum() * (P * P).sum())))
    return float(np.mean(correlations))


def edges_kept(picture, photograph, share=0.1):
    """Return how strong the picture's edges are where the photograph has its strongest ones, over the average."""
    ours, theirs = (_edges(luminance(image), 2.0) for image in (picture, photograph))
    strong = theirs >= np.quantile(theirs, 1 - share)
    return float(ours[strong].mean() / ours.mean())


def speckle(picture, painting):
    """Return the energy above half the highest frequency over the painting's, for luminance and for colour.

    Both are relative to the variance of the picture that they are of. A painting without any gets a floor.
    """
    result = []
    for channels in (lambda x: luminance(x)[:, :, np.newaxis], chrominance):
        ours, theirs = (_fine_energy(channels(image)) for image in (picture, painting))
        result.append(float(ours / max(theirs, 1e-4)))
    return tuple(result)


def frame(picture, photograph):
    """Return how much the outermost pixels differ from those further in, more than in the photograph, in grey levels.

    Compared are the mean colour of the outermost 2 pixels along each side and that of the fifth to eighth pixel. What
    differs from place to place along a side is the picture itself; what is left of it in the mean is a frame.
    """
    return float(_step(picture) - _step(photograph))


def luminance(picture):  # (H, W, 3) -> (H, W)
    """Return Rec. 601 luminance."""
    return np.asarray(picture, np.float64) @ [0.299, 0.587, 0.114]


def chrominance(picture):  # (H, W, 3) -> (H, W, 2)
    """Return the differences of blue and red from luminance."""
    Y = luminance(picture)
    return np.stack([picture[:, :, 2] - Y, picture[:, :, 0] - Y], axis=2)


def _edges(grey, sigma):
    return ndimage.gaussian_gradient_magnitude(grey, sigma)


def _fine_energy(channels):
    """Return the share of the variance at frequencies above half the highest, in either direction."""
    centred = channels - channels.mean(axis=(0, 1))
    window = np.hanning(channels.shape[0])[:, None, None] * np.hanning(channels.shape[1])[None, :, None]
    power = np.abs(np.fft.fft2(centred * window, axes=(0, 1))) ** 2
    down, across = (np.abs(np.fft.fftfreq(n)) for n in channels.shape[:2])
    fine = np.maximum(down[:, None], across[None, :]) > 0.25
    return power[fine].sum() / max(power.sum(), 1e-12)


def _step(picture):
    """Return the jump between the mean colours of the outermost pixels and of those further in, mean of four sides."""
    picture = np.asarray(picture, np.float64)
    jumps = []
    for turned in (picture, picture[::-1], picture.swapaxes(0, 1), picture.swapaxes(0, 1)[::-1]):
        outer, inner = (turned[rows].mean(axis=(0, 1)) for rows in (slice(FRAME), slice(2 * FRAME, 4 * FRAME)))
        jumps.append(np.abs(outer - inner).mean())
    return np.mean(jumps)
