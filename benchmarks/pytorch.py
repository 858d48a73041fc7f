"""The same loss in PyTorch, as a good port would compute it: eager, frozen weights, ReLU in place, autograd."""

import contextlib
import math
import time

import torch
from torch.nn import functional

from ministyle.architecture import VGG19
from ministyle.network import MARGIN, normalise
from ministyle.solvers import BOUNDS
from ministyle.terms import CONTENT_LAYERS, STYLE_LAYERS
from ministyle.weights.file import load_weights

from .task import TERM_WEIGHTS

LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
BGR_MEAN = (103.939, 116.779, 123.68)
LOSS_SCALE = 1e6  # PyTorch's solver forgets steps with s . y <= 1e-10, which all steps of the loss as it is have


class Objective:
    """Computes loss and gradient from pixels (H, W, 3), all of them on the host, as `ministyle.Objective` does.

    Parameters
    ----------
    content, style : arrays (H, W, 3)
    weights : dict, name of a term of the loss, as in `ministyle.Evaluation` -> its weight
        The terms are those of the mean convention; a relative one differs only by its weight.
    tv_edge : float, see `ministyle.losses.total_variation_loss`
    mirror : bool, show the network every picture surrounded by its mirror image
    layout : a name of `LAYOUTS`
    threads : int, optional
    device : "cpu" or "cuda"
    """

    def __init__(
        self,
        content,
        style,
        *,
        weights=TERM_WEIGHTS,
        tv_edge=math.inf,
        mirror=False,
        layout="contiguous",
        threads=None,
        device="cpu",
    ):
        if threads:
            torch.set_num_threads(threads)
        self.weights = weights
        self.tv_edge = tv_edge
        self.mirror = mirror
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

    @classmethod
    def of(cls, job, **options):
        """Return the loss that a `ministyle.Job` minimises at full size; of its objective only the weights are used."""
        settings = job.settings
        weights = {term.name: term.weight for term in job.objective_at(job.scales[-1]).terms}
        same = {"tv_edge": settings.tv_edge, "mirror": settings.border == "mirror", "device": job.network.device}
        content, (style,) = job.pictures
        return cls(content, style.picture, weights=weights, **same, **options)

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
        """Return the loss as a tensor."""
        features = self.features(x)
        terms = {f"content {name}": (features[name] - P).square().mean() for name, P in self.content.items()}
        for name, A in self.style.items():
            terms[f"style {name}"] = (gram_matrix(features[name]) - A).square().mean()
        if "total variation" in self.weights:
            terms["total variation"] = total_variation(x, self.tv_edge)
        return sum(weight * terms[name] for name, weight in self.weights.items())

    def features(self, x):
        """Return {layer: activations (1, K, H, W)} of all layers that a loss looks at."""
        margin = MARGIN if self.mirror else 0
        for axis in (2, 3) if self.mirror else ():
            first, last = x.narrow(axis, 0, margin), x.narrow(axis, x.shape[axis] - margin, margin)
            x = torch.cat([first.flip(axis), x, last.flip(axis)], axis)
        x = (x.flip(1) - self.mean).contiguous(memory_format=self.layout)
        features = {}
        wanted = {*CONTENT_LAYERS, *STYLE_LAYERS}
        for name, layer in VGG19.layers.items():
            if layer.kind == "pool":
                x = functional.avg_pool2d(x, 2)
            else:
                x = functional.relu_(functional.conv2d(x, *self.parameters[name], padding=1))
            if name in wanted:
                edge = margin >> layer.halvings
                features[name] = x[:, :, edge : x.shape[2] - edge, edge : x.shape[3] - edge]
            if len(features) == len(wanted):
                return features
        raise AssertionError("the architecture does not have all layers")


def gram_matrix(F):
    """Return the Gram matrix (N, N) of activations (1, N, H, W), per position."""
    columns = F[0].flatten(1)
    return columns @ columns.T / columns.shape[1]


def total_variation(x, edge):
    """Return the total variation of pixels (1, 3, H, W), with a finite edge; see `losses.total_variation_loss`."""
    down = (x[:, :, 1:] - x[:, :, :-1]).square().sum(1)
    right = (x[:, :, :, 1:] - x[:, :, :, :-1]).square().sum(1)
    squares = functional.pad(down, (0, 0, 0, 1)) + functional.pad(right, (0, 1))
    return (squares * (2 * edge / ((squares + edge**2).sqrt() + edge))).sum() / x.numel()


class Reached(Exception):  # noqa: N818
    """The loss is as low as was asked for."""


def minimise(objective, start, evaluations, line_search=None, goal=-math.inf, bounds=None):
    """Minimise with PyTorch's L-BFGS until the loss is as low as `goal`, or for so many evaluations.

    With a line search there may be a few evaluations more, because a step is finished first. PyTorch's solver knows no
    bounds, and pixels leave 0 to 255. There are three ways to count:

    - None: the loss is that of the pixels as they are.
    - "cut": the loss is that of the picture that would be saved, with its pixels cut off. Computing it is not timed.
    - "clamp": before each evaluation the solver's pixels are clamped, as PyTorch's own tutorial does. The solver does
      not know this.

    "free" is the lowest loss of the pixels as they are. The other figures are described in `contenders.optimise`.
    """
    objective(start)  # the first evaluation prepares things
    x = objective.to_tensor(start).requires_grad_()
    # The tolerances are 0. With PyTorch's defaults it stops at once, because its first step is shorter than they are.
    limits = {"max_iter": evaluations, "max_eval": evaluations, "tolerance_grad": 0, "tolerance_change": 0}
    solver = torch.optim.LBFGS([x], line_search_fn=line_search, **limits)
    steps = []
    best = free = math.inf
    inside = untimed = 0.0
    began = time.perf_counter()

    def closure():
        nonlocal best, free, inside, untimed
        entered, before = time.perf_counter(), untimed
        if bounds == "clamp":
            x.data.clamp_(*BOUNDS)
        solver.zero_grad()
        loss = objective.loss(x)
        (LOSS_SCALE * loss).backward()
        found = loss.item()
        left = time.perf_counter()
        inside += left - entered
        free = min(free, found)
        if bounds == "cut":
            with torch.no_grad():
                found = objective.loss(x.clamp(*BOUNDS)).item()
            untimed += time.perf_counter() - left
        best = min(best, found)
        steps.append((left - began - before, len(steps) + 1, best))
        if best <= goal:
            raise Reached
        return LOSS_SCALE * loss

    with contextlib.suppress(Reached):
        solver.step(closure)
    total = time.perf_counter() - began - untimed
    return {"steps": steps, "evaluations": len(steps), "total": total, "solver": total - inside, "free": free}
