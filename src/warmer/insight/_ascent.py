"""Change an input until…: objective × parametrisation × transforms × constraint.

    walk             step after step along a rule of the gradient, kept within a constraint   (fooling, dreaming)
    Fourier, grow    a picture as a spectrum, grown by Adam under random transforms           (feature pictures)

An objective maps inputs `[n, …]` to one number each, `[n]`; it is made larger.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from warmer.insight import _watch
from warmer.training.adversary import Objective, slope

Rule = Callable[[Tensor], Tensor]

# Colours of ImageNet's photos, decorrelated (Olah et al., Lucid): a step along a column changes them as photos do.
IMAGENET_COLOURS = ((0.26, 0.09, 0.02), (0.27, 0.0, -0.05), (0.27, -0.09, 0.03))


def walk(objective: Objective, x: Tensor, rule: Rule, within: Rule, steps: int) -> Iterator[Tensor]:
    """Yield the inputs after each of `steps` steps `x ← within(x + rule(gradient))`."""
    for _ in range(steps):
        _, gradient = slope(objective, x)
        x = within(x + rule(gradient)).detach()
        yield x


def flat_norm(x: Tensor) -> Tensor:
    """Return each input's Euclidean length, shaped to divide by, at least 1e-12."""
    return x.flatten(1).norm(dim=1).clamp(min=1e-12).view(-1, *[1] * (x.dim() - 1))


class Fourier:
    """Pictures as spectra (Olah, Mordvintsev and Schubert 2017, Feature Visualization): all scales grow alike.

    Args:
        n, channels: how many pictures, and of how many channels.
        size: height and width.
        colours: matrix `[channels, channels]` from independent to real colours.
        generator: of the random start.
        smooth: how much faster coarse waves grow than fine ones: 1: in photos' proportion.
    """

    def __init__(
        self,
        n: int,
        channels: int,
        size: tuple[int, int],
        colours: Tensor,
        generator: torch.Generator,
        smooth: float = 1.0,
    ) -> None:
        frequency = torch.sqrt(torch.fft.fftfreq(size[0]).view(-1, 1) ** 2 + torch.fft.rfftfreq(size[1]) ** 2)
        self.scale = max(size) * (max(size) * frequency).clamp(min=1) ** -smooth
        self.size, self.colours = size, colours / colours.norm(dim=0).max()
        shape = (n, channels, *frequency.shape, 2)
        self.spectrum = (torch.randn(shape, generator=generator) * 0.01).requires_grad_(True)

    def picture(self) -> Tensor:
        """Return the pictures, `[n, channels, height, width]` in 0..1."""
        scaled = torch.view_as_complex(self.spectrum) * self.scale
        plane = torch.fft.irfft2(scaled, s=self.size, norm="ortho") / 4
        return torch.sigmoid(torch.einsum("nchw,dc->ndhw", plane, self.colours))


def grow(objective: Objective, start: Fourier, steps: int, disturbed: Rule, rate: float = 0.05) -> Tensor:
    """Return pictures grown by Adam so that the objective is large however they are disturbed at random.

    Args:
        objective: what is made larger.
        start: the pictures.
        steps: of Adam.
        disturbed: pictures → the same, moved and turned a little, say.
        rate: of learning.
    """
    from warmer.training.optimisers import AdamW

    optimiser = AdamW([start.spectrum], lr=rate, weight_decay=0.0)
    for step in range(steps):
        # Silent units must first be woken.
        with torch.enable_grad(), _watch.leaking() if step < steps / 2 else contextlib.nullcontext():
            value = objective(disturbed(start.picture()))
            (start.spectrum.grad,) = torch.autograd.grad(-value.sum(), start.spectrum)
        optimiser.step()
    return start.picture().detach()


def jittered(x: Tensor, generator: torch.Generator) -> Tensor:
    """Pad with grey, move, scale by up to 5 (10) %, turn by up to 5° (10°) small (large) pictures, all at random."""
    side = x.shape[-1]
    large = side > 64
    pad = 12 if large else max(1, side // 16)
    most = 0.1 if large else 0.05
    padded = F.pad(x, (pad,) * 4, value=0.5)
    chance = torch.rand(4, generator=generator) * 2 - 1
    scale = 1 + most * float(chance[0])
    angle = math.radians(10 if large else 5) * float(chance[1])
    reach = 2 * pad / padded.shape[-1]
    theta = torch.tensor(
        [
            [math.cos(angle) * scale, -math.sin(angle) * scale, reach * float(chance[2])],
            [math.sin(angle) * scale, math.cos(angle) * scale, reach * float(chance[3])],
        ]
    ) * torch.tensor([[side / padded.shape[-1], side / padded.shape[-1], 1.0]])
    grid = F.affine_grid(theta.expand(len(x), 2, 3), [len(x), x.shape[1], side, side], align_corners=False)
    return F.grid_sample(padded, grid, mode="bilinear", padding_mode="border", align_corners=False)
