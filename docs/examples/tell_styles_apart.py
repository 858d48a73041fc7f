"""Tell paintings apart by their Gram matrices: `python tell_styles_apart.py PICTURE PICTURE ...`.

The paper conjectures that style features, which were learnt from photographs of objects alone, separate paintings by
style. Here is the simplest test of it. Each picture is cut in two halves, left and right, and each half into square
patches. The left half's patches give a mean for each picture; a patch of a right half is recognised if the mean nearest
to it, in Euclidean distance, is its own picture's. Three kinds of features are compared: Gram matrices, the activations
of conv4_2, and histograms of colours. Each is tried with the pictures in grey as well.
"""

import argparse
from pathlib import Path

import numpy as np

import ministyle
from ministyle.pictures.reading import read_picture

BINS = 8  # of the histograms, for each colour
GREY = (0.299, 0.587, 0.114)  # of red, green and blue


def main(arguments=None):
    """Print a table: features by pictures, the share of patches that are recognised."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", nargs="+")
    parser.add_argument("--image-size", type=int, default=768, help="longest side of the pictures (default: 768)")
    parser.add_argument("--patch", type=int, default=128, help="side of a patch (default: 128)")
    options = parser.parse_args(arguments)
    network = ministyle.load_network(normalised=True)
    halves = [halve(read_picture(path, options.image_size), options.patch) for path in options.pictures]
    names = [Path(path).stem for path in options.pictures]
    print(f"patches tried: {sum(len(right) for _, right in halves)}; chance: {1 / len(names):.0%}\n")
    in_colour = recognised(halves, network)
    in_grey = recognised([[grey(half) for half in both] for both in halves], network)
    print("| features | " + " | ".join(names) + " | all | all, in grey |")
    print("| --- " * (len(names) + 3) + "|")
    for kind, right in in_colour.items():
        shares = [*right, np.concatenate(right), np.concatenate(in_grey[kind])]
        print(f"| {kind} | " + " | ".join(f"{share.mean():.0%}" for share in shares) + " |")


def halve(picture, size):
    """Return the patches of the left and of the right half, two arrays (count, size, size, 3)."""
    middle = picture.shape[1] // 2
    return [patches(half, size) for half in (picture[:, :middle], picture[:, middle:])]


def patches(picture, size):
    """Cut a picture into squares, each overlapping the next by half."""
    height, width, _ = picture.shape
    corners = [(y, x) for y in range(0, height - size + 1, size // 2) for x in range(0, width - size + 1, size // 2)]
    return np.stack([picture[y : y + size, x : x + size] for y, x in corners])


def grey(pictures):
    """Return pictures without their colours."""
    return np.repeat((pictures @ np.float32(GREY))[..., np.newaxis], 3, axis=-1)


def histogram(patch):
    """Return the shares of BINS^3 boxes of colours."""
    counts, _ = np.histogramdd(patch.reshape(-1, 3), bins=BINS, range=[(0, 256)] * 3)
    return counts.ravel() / counts.sum()


def recognised(halves, network):
    """Return, for each kind of features and each picture, which patches of its right half are nearest to its left."""
    described = [[[describe(patch, network) for patch in half] for half in both] for both in halves]
    result = {}
    for kind in described[0][0][0]:
        means = np.stack([np.mean([patch[kind] for patch in left], axis=0) for left, _ in described])
        nearest = [[np.linalg.norm(means - patch[kind], axis=1).argmin() for patch in right] for _, right in described]
        result[kind] = [np.array(found) == number for number, found in enumerate(nearest)]
    return result


def describe(patch, network):
    """Return a patch's features of each kind, of length 1, so that a patch of little contrast counts like any other."""
    features = {
        "Gram matrices, conv1_1 to conv5_1": ministyle.style_features(patch, network=network),
        "Gram matrix, conv1_1": ministyle.style_features(patch, ["conv1_1"], network=network),
        "Gram matrix, conv5_1": ministyle.style_features(patch, ["conv5_1"], network=network),
        "activations, conv4_2": network.features(patch, ["conv4_2"])["conv4_2"].ravel(),
        "histogram of colours": histogram(patch),
    }
    return {kind: vector / np.linalg.norm(vector) for kind, vector in features.items()}


if __name__ == "__main__":
    main()
