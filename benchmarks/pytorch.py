"""The same loss in PyTorch, as a good port would compute it: eager, frozen weights, ReLU in place, autograd."""

import time

import numpy as np
import torch
from torch.nn import functional

from ministyle.architecture import VGG19
from ministyle.network import normalise
from ministyle.terms import CONTENT_LAYERS, STYLE_LAYERS
from ministyle.weights.file import load_weights

from .task import CONTENT_WEIGHT, STYLE_WEIGHT

LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
BGR_MEAN = (103.939, 116.779, 123.68)


class Objective:
    """Computes loss and gradient from pixels (H, W, 3), all of them on the host, as `ministyle.Objective` does."""

    def __init__(self, content, style, layout="contiguous", threads=None, device="cpu"):
        if threads:
            torch.set_num_threads(threads)
        self.device = device
        self.layout = LAYOUTS[layout]
        self.parameters = {}
        for name, (kernel, bias) in normalise(load_weights()).items():
            kernel = torch.tensor(kernel).permute(3, 2, 0, 1).to(device).contiguous(memory_format=self.layout)
            self.parameters[name] = kernel, torch.tensor(bias).to(device)
        self.mean = torch.tensor(BGR_MEAN, device=device).view(1, 3, 1, 1)
        with torch.no_grad():
            photograph, painting = (self.features(self.to_tensor(picture)) for picture in (content, style))
            self.content = {name: photograph[name] for name in CONTENT_LAYERS}
            self.style = {name: gram_matrix(painting[name]) for name in STYLE_LAYERS}

    def __call__(self, pixels):
        """Return loss and gradient (H, W, 3)."""
        x = self.to_tensor(pixels).requires_grad_()
        loss = self.loss(x)
        loss.backward()
        return loss.item(), x.grad[0].permute(1, 2, 0).cpu().numpy()

    def to_tensor(self, pixels):
        """Return pixels (H, W, 3) as (1, 3, H, W), RGB, 0 to 255."""
        return torch.tensor(pixels).permute(2, 0, 1)[None].contiguous().to(self.device)

    def loss(self, x):
        """Return the loss of the mean convention as a tensor."""
        features = self.features(x)
        content = sum((features[name] - P).square().mean() for name, P in self.content.items())
        style = sum((gram_matrix(features[name]) - A).square().mean() for name, A in self.style.items())
        return CONTENT_WEIGHT * content + STYLE_WEIGHT * style / len(self.style)

    def features(self, x):
        """Return {layer: activations (1, K, H, W)} of all layers that a loss looks at."""
        x = (x.flip(1) - self.mean).contiguous(memory_format=self.layout)
        features = {}
        wanted = {*CONTENT_LAYERS, *STYLE_LAYERS}
        for name, layer in VGG19.layers.items():
            if layer.kind == "pool":
                x = functional.avg_pool2d(x, 2)
            else:
                x = functional.relu_(functional.conv2d(x, *self.parameters[name], padding=1))
            if name in wanted:
                features[name] = x
            if len(features) == len(wanted):
                return features
        raise AssertionError("the architecture does not have all layers")


def gram_matrix(F):
    """Return the Gram matrix (N, N) of activations (1, N, H, W), per position."""
    columns = F[0].flatten(1)
    return columns @ columns.T / columns.shape[1]


def minimise(content, style, evaluations, line_search=None, **options):
    """Minimise with PyTorch's L-BFGS, beginning with the photograph; see `contenders.optimise`."""
    objective = Objective(content, style, **options)
    objective(content)  # the first evaluation prepares things
    x = objective.to_tensor(content).requires_grad_()
    # The tolerances are 0. With PyTorch's defaults it stops at once, because its first step is shorter than they are.
    limits = {"max_iter": evaluations, "max_eval": evaluations, "tolerance_grad": 0, "tolerance_change": 0}
    solver = torch.optim.LBFGS([x], line_search_fn=line_search, **limits)
    steps = []
    inside = 0.0
    began = time.perf_counter()

    def closure():
        nonlocal inside
        entered = time.perf_counter()
        solver.zero_grad()
        loss = objective.loss(x)
        loss.backward()
        steps.append((time.perf_counter() - began, len(steps) + 1, loss.item()))
        inside += time.perf_counter() - entered
        return loss

    solver.step(closure)
    total = time.perf_counter() - began
    best = np.minimum.accumulate([loss for *_, loss in steps])
    return {
        "steps": [(seconds, count, float(loss)) for (seconds, count, _), loss in zip(steps, best, strict=True)],
        "evaluations": len(steps),
        "total": total,
        "solver": total - inside,
    }
