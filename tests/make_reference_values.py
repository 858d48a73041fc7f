"""Make `reference_values.npz`: what PyTorch computes from the shipped weights.

    pip install torch h5py numpy
    python tests/make_reference_values.py

Everything is written here a second time, in PyTorch's terms and in float64, and nothing of the package is used: the
weights are read with h5py, convolutions and pooling are PyTorch's, gradients come from autograd. The tests that
compare with these values do not need PyTorch.

The gradient jumps where a unit's activation passes 0, so a unit that is 0 to within float32's rounding would make
the comparison a matter of luck. Of many random pictures the one is taken whose most undecided unit is the most decided.
"""

from pathlib import Path

import h5py
import numpy as np
import torch
from torch.nn import functional

HERE = Path(__file__).resolve().parent
WEIGHTS = HERE.parent / "weights" / "vgg19.h5"
STYLE_LAYERS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
CONTENT_LAYER = "conv4_2"
BLOCKS = {1: 2, 2: 2, 3: 4, 4: 4, 5: 1}  # block -> its convolutions
CONTENT_WEIGHT, STYLE_WEIGHT, TV_WEIGHT = 3.0, 7.0, 0.5
STATISTICS = {"gram": 7.0, "covariance": 2.0, "mean": 3.0}  # of the guided losses, each with its weight
SAMPLES = 1500  # stored of each layer's activations, evenly spaced
TRIALS = 100


def read_parameters(normalised):
    """Return {layer: (kernel (K, C, 3, 3), bias)} as float64, each filter's mean activation divided out if asked."""
    parameters, previous = {}, torch.ones(3, dtype=torch.float64)
    with h5py.File(WEIGHTS) as file:
        for block, count in BLOCKS.items():
            for index in range(1, count + 1):
                name = f"conv{block}_{index}"
                # The float16 numbers are what the network is; float32 holds them exactly.
                kernel = torch.tensor(file[name]["kernel"][...].astype(np.float64)).permute(3, 2, 0, 1)
                bias = torch.tensor(file[name]["bias"][...].astype(np.float64))
                if normalised:
                    mean = torch.tensor(file[name]["mean_activation"][...].astype(np.float64))
                    kernel = kernel * previous.view(1, -1, 1, 1) / mean.view(-1, 1, 1, 1)
                    bias, previous = bias / mean, mean
                parameters[name] = kernel, bias
    return parameters


def run(parameters, pixels, pooling):
    """Return every convolution's output before its ReLU and every pooling layer's input, by name."""
    x = pixels.flip(-1).permute(2, 0, 1)[None]  # (1, BGR, H, W)
    x = x - torch.tensor([103.939, 116.779, 123.68], dtype=torch.float64).view(1, 3, 1, 1)
    before = {}
    for block, count in BLOCKS.items():
        if block > 1:
            before[f"pool{block - 1}"] = x
            x = functional.avg_pool2d(x, 2) if pooling == "average" else functional.max_pool2d(x, 2)
        for index in range(1, count + 1):
            name = f"conv{block}_{index}"
            kernel, bias = parameters[name]
            before[name] = functional.conv2d(x, kernel, bias, padding=1)
            x = functional.relu(before[name])
    return before


def activations(parameters, pixels, pooling):
    """Return {layer: (K, H, W)} after the ReLU at the layers that the losses use."""
    before = run(parameters, pixels, pooling)
    return {name: functional.relu(before[name][0]) for name in (*STYLE_LAYERS, CONTENT_LAYER)}


def decidedness(parameters, pixels, pooling):
    """Return how far the most undecided unit, or maximum, is from changing its mind, relative to its layer."""
    margins = []
    for name, x in run(parameters, pixels, pooling).items():
        if name.startswith("conv"):
            margins.append((x.abs().min() / x.square().mean().sqrt()).item())
        elif pooling == "max":
            windows = functional.unfold(x.permute(1, 0, 2, 3), 2, stride=2)  # (C, 4, positions)
            best, second = windows.topk(2, dim=1).values.unbind(dim=1)
            gaps = (best - second)[best > 0]
            margins.append((gaps.min() / x.square().mean().sqrt()).item())
    return min(margins)


def loss(parameters, pixels, content, style, pooling, convention):
    """Return content, style (one for each layer) and total variation, weights included."""
    F, P, S = (activations(parameters, picture, pooling) for picture in (pixels, content, style))
    difference = F[CONTENT_LAYER] - P[CONTENT_LAYER]
    squares = difference.square()
    terms = [CONTENT_WEIGHT * (0.5 * squares.sum() if convention == "literal" else squares.mean())]
    for name in STYLE_LAYERS:
        N = len(F[name])
        picture, painting = F[name].reshape(N, -1), S[name].reshape(N, -1)
        M, M_style = picture.shape[1], painting.shape[1]
        if convention == "literal":
            assert M == M_style
            E = (picture @ picture.T - painting @ painting.T).square().sum() / (4 * N**2 * M**2)
        else:
            E = (picture @ picture.T / M - painting @ painting.T / M_style).square().mean()
        terms.append(STYLE_WEIGHT * E / len(STYLE_LAYERS))
    roughness = pixels.diff(dim=0).square().sum() + pixels.diff(dim=1).square().sum()
    terms.append(TV_WEIGHT * roughness / pixels.numel())
    return terms


def statistic(x, T, kind):
    """Return a statistic of activations (K, H, W), weighted by the squares of a guide T (H, W)."""
    N = len(x)
    F, w = x.reshape(N, -1), T.reshape(-1) ** 2 / T.square().sum()
    mean = (F * w).sum(dim=1)
    if kind == "mean":
        return mean
    if kind == "covariance":
        F = F - mean[:, None]
    return torch.einsum("ik,jk,k->ij", F, F, w)


def pooled(mask, layer):
    """Return a mask (H, W) as it is at a layer."""
    for _ in range(int(layer[4]) - 1):
        mask = functional.avg_pool2d(mask[None, None], 2)[0, 0]
    return mask


def guided_loss(parameters, pixels, paintings, masks, regions):
    """Return the style losses of several statistics, paintings and layers, in this order, weights included.

    Every painting counts by the area of its region.
    """
    F = activations(parameters, pixels, "average")
    terms = []
    for kind, weight in STATISTICS.items():
        for painting, mask, region in zip(paintings, masks, regions, strict=True):
            S = activations(parameters, painting, "average")
            for name in STYLE_LAYERS:
                target = statistic(S[name], pooled(mask, name), kind)
                difference = statistic(F[name], pooled(region, name), kind) - target
                terms.append(weight * region.mean() / len(STYLE_LAYERS) * difference.square().mean())
    return terms


def random_picture(seed, height, width):
    """Return a picture (H, W, 3) with coarse and fine structure, whole levels 0 to 255."""
    generator = np.random.default_rng(seed)
    coarse = np.kron(generator.uniform(0, 255, (-(-height // 6), -(-width // 6), 3)), np.ones((6, 6, 1)))
    return (0.7 * coarse[:height, :width] + 0.3 * generator.uniform(0, 255, (height, width, 3))).round()


def main():
    networks = {kind: read_parameters(kind == "normalised") for kind in ("raw", "normalised")}

    def seed_decidedness(seed):
        pixels = torch.tensor(random_picture(seed, 35, 46))
        return min(decidedness(networks["raw"], pixels, pooling) for pooling in ("average", "max"))

    seed = max(range(TRIALS), key=seed_decidedness)
    print(f"picture {seed}: the most undecided unit is {seed_decidedness(seed):.1e} of its layer away from its kink")
    pictures = {
        "pixels": random_picture(seed, 35, 46),
        "content": random_picture(1000, 35, 46),
        "style, mean": random_picture(1001, 40, 33),
        "style, literal": random_picture(1002, 35, 46),
    }
    values = {name: picture.astype(np.uint8) for name, picture in pictures.items()}
    values["weights"] = np.array([CONTENT_WEIGHT, STYLE_WEIGHT, TV_WEIGHT])
    pictures = {name: torch.tensor(picture) for name, picture in pictures.items()}
    for kind, parameters in networks.items():
        for pooling in ("average", "max"):
            with torch.no_grad():
                for name, x in activations(parameters, pictures["pixels"], pooling).items():
                    flat = x.permute(1, 2, 0).reshape(-1)  # (H, W, K), as the package has it
                    key = f"{kind}, {pooling}, {name}"
                    values[f"{key}, samples"] = flat[:: max(1, len(flat) // SAMPLES)].numpy()
                    values[f"{key}, norm"] = flat.norm().numpy()
            for convention in ("mean", "literal"):
                pixels = pictures["pixels"].clone().requires_grad_()
                style = pictures[f"style, {convention}"]
                terms = loss(parameters, pixels, pictures["content"], style, pooling, convention)
                sum(terms).backward()
                key = f"{kind}, {pooling}, {convention}"
                values[f"{key}, terms"] = np.array([term.item() for term in terms])
                values[f"{key}, gradient"] = pixels.grad.numpy()
    masks = {"mask": random_picture(1003, 40, 33)[:, :, 0], "region": random_picture(1004, 35, 46)[:, :, 0]}
    values |= {name: mask.astype(np.uint8) for name, mask in masks.items()}
    mask, region = (torch.tensor(mask) / 255 for mask in masks.values())
    pixels = pictures["pixels"].clone().requires_grad_()
    paintings = pictures["style, mean"], pictures["style, literal"]
    terms = guided_loss(
        networks["raw"], pixels, paintings, (mask, torch.ones(35, 46, dtype=torch.float64)), (region, 1 - region)
    )
    sum(terms).backward()
    values["guided, terms"] = np.array([term.item() for term in terms])
    values["guided, gradient"] = pixels.grad.numpy()
    np.savez_compressed(HERE / "reference_values.npz", **values)


if __name__ == "__main__":
    main()
