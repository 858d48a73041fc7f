"""A Neural Algorithm of Artistic Style, whole: `python docs/pico.py PHOTO PAINTING OUT [PIXELS [ITERATIONS]]`."""

import sys

import h5py
import numpy as np
from PIL import Image, ImageOps
from scipy.optimize import minimize

CONTENT, STYLE = "conv4_2", ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"]
ALPHA, BETA = 1.0, 1.0


def load(path="weights/vgg19.h5", dtype="float32"):  # -> {layer: (kernel (3, 3, C, K), bias (K,))}
    network, before = {}, np.ones(3)
    with h5py.File(path) as file:
        for name in file.attrs["layers"]:
            kernel, bias, mean = (file[name][part][()].astype(dtype) for part in ("kernel", "bias", "mean_activation"))
            network[name] = (kernel * before[:, None] / mean).astype(dtype), bias / mean  # every filter's mean is 1
            before = mean
    return network


def convolve(x, kernel):  # (H, W, C), (3, 3, C, K) -> (H, W, K)
    (H, W, _), x = x.shape, np.pad(x, ((1, 1), (1, 1), (0, 0)))
    return sum(x[i : i + H, j : j + W] @ kernel[i, j] for i in range(3) for j in range(3))


def forward(x, network):  # (H, W, 3) -> {layer: F (H, W, N)}
    x, features = x[:, :, ::-1] - np.array([103.939, 116.779, 123.68], x.dtype), {}
    for name, (kernel, bias) in network.items():
        if name.endswith("_1") and features:  # before a new block, the mean of every 2x2 positions
            H, W, C = x.shape
            x = x[: H // 2 * 2, : W // 2 * 2].reshape(H // 2, 2, W // 2, 2, C).mean((1, 3))
        x = features[name] = np.maximum(convolve(x, kernel) + bias, 0)
    return features


def backward(dF, features, network):  # {layer: dL/dF (H, W, N)} -> dL/dx (H, W, 3)
    dx = 0.0
    for name, F in reversed(features.items()):
        if np.ndim(dx) and len(dx) < len(F):  # the mean gives each of its four positions a quarter
            dx = dx.repeat(2, axis=0).repeat(2, axis=1) / 4
            dx = np.pad(dx, ((0, F.shape[0] - dx.shape[0]), (0, F.shape[1] - dx.shape[1]), (0, 0)))
        dy = (dx + dF.get(name, 0)) * (F > 0)
        dx = convolve(dy, network[name][0][::-1, ::-1].swapaxes(2, 3))
    return dx[:, :, ::-1]


def gram(F):  # (H, W, N) -> (N, N), per position
    columns = F.reshape(-1, F.shape[2])
    return columns.T @ columns / len(columns)


def loss_and_gradient(x, network, P, A):  # P: the photograph's activations, A: the painting's Gram matrices
    features = forward(x, network)
    difference = features[CONTENT] - P[CONTENT]
    loss, dF = ALPHA * (difference**2).mean(), {CONTENT: ALPHA * 2 * difference / difference.size}
    for name in STYLE:
        F, difference = features[name], gram(features[name]) - A[name]
        loss += BETA / len(STYLE) * (difference**2).mean()
        dF[name] = dF.get(name, 0) + BETA / len(STYLE) * 4 * F @ difference / difference.size / (F.size / F.shape[2])
    return loss, backward(dF, features, network)


if __name__ == "__main__":
    content, style, out, size, iterations = [*sys.argv[1:], *["256", "100"][len(sys.argv) - 4 :]]
    pictures = (ImageOps.contain(Image.open(path).convert("RGB"), (int(size),) * 2) for path in (content, style))
    photo, painting = (np.asarray(picture, "float32") for picture in pictures)
    network, how = load(), {"options": {"maxiter": int(iterations), "ftol": 0, "gtol": 0}}
    targets = forward(photo, network), {name: gram(F) for name, F in forward(painting, network).items()}
    unit = np.abs(loss_and_gradient(photo, network, *targets)[1]).mean() or 1.0  # makes the first trial about 1 long

    def objective(x):
        loss, dx = loss_and_gradient(x.reshape(photo.shape).astype("float32"), network, *targets)
        return float(loss / unit), (dx / unit).astype(float).ravel()

    x = minimize(objective, photo.ravel(), jac=True, method="L-BFGS-B", bounds=[(0, 255)] * photo.size, **how).x
    Image.fromarray(x.reshape(photo.shape).round().astype("uint8")).save(out)
