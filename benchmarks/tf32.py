"""What TF32 would do to a loss and its gradient: `python -m benchmarks.tf32`, on any processor.

GPUs with TF32 round both factors of a float32 matrix product to 10 bits of mantissa and add up in float32. Here the
factors are rounded beforehand, on the CPU, with the plain convolution.
"""

import numpy as np

from ministyle import Objective, layers, load_network, losses

from .task import CONTENT_WEIGHT, STYLE_WEIGHT, pictures

SIZE = 256
DROPPED = 13  # of float32's 23 bits of mantissa


def main():
    """Print a table of errors against float64."""
    exact_loss, exact = evaluate("float64")
    print("| products | error of the loss | largest error of the gradient | all of its error |")
    print("| --- | --- | --- | --- |")
    for name, rounded in (("float32", False), ("TF32", True)):
        loss, gradient = evaluate("float32", rounded)
        difference = gradient - exact
        largest = abs(difference).max() / abs(exact).max()
        whole = np.linalg.norm(difference) / np.linalg.norm(exact)
        print(f"| {name} | {abs(loss / exact_loss - 1):.1g} | {largest:.1g} | {whole:.1g} |")


def evaluate(dtype, rounded=False):
    """Return loss and gradient half-way between the example photograph and the painting."""
    originals = layers.convolution_forward, losses.gram_matrix, losses.gram_backward
    if rounded:
        convolve, gram_matrix, gram_backward = originals
        layers.convolution_forward = lambda x, kernel, *rest, **more: convolve(tf32(x), tf32(kernel), *rest, **more)
        losses.gram_matrix = lambda F: gram_matrix(tf32(F))
        losses.gram_backward = lambda dG, F: gram_backward(tf32(dG + dG.T) / 2, tf32(F))
    try:
        content, style = pictures(SIZE)
        network = load_network(normalised=True, dtype=dtype, device="cpu", convolution="direct")
        weights = {"content_weight": CONTENT_WEIGHT, "style_weight": STYLE_WEIGHT}
        objective = Objective(network, content=content, style=style, **weights)
        return objective(network.to_device((content + style) / 2))
    finally:
        layers.convolution_forward, losses.gram_matrix, losses.gram_backward = originals


def tf32(x):
    """Round float32 numbers to the nearest that TF32 has, halves to even."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    last = (bits >> np.uint32(DROPPED)) & np.uint32(1)
    half = np.uint32((1 << (DROPPED - 1)) - 1)
    return ((bits + half + last) & ~np.uint32((1 << DROPPED) - 1)).view(np.float32)


if __name__ == "__main__":
    main()
