"""Cross-entropy of a last linear layer with thousands of outputs, in little more time than its matrix products take."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_AT_ONCE = 256
"""Rows whose logits stay in a processor's cache between one pass over them and the next."""


def linear_cross_entropy(x: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """Return what `F.cross_entropy(F.linear(x, weight, bias), targets, reduction="none", label_smoothing=smoothing)` returns.

    Some rows' logits are made, become the loss and its slope, and make room for the next. Smoothing takes no pass of its own:
    the mean of all logits is a product with the mean of the weights. Memory for one number a logit is taken, instead of four.

    Args:
        x: `[n, width]`.
        weight, bias: of the layer, `[outputs, width]` and `[outputs]`.
        targets: index of the right output, `[n]`.
        smoothing: probability that is spread evenly over all outputs, 0 to 1.
    """
    found: Tensor = _LinearCrossEntropy.apply(x, weight, bias, targets, smoothing)
    return found


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float) -> Tensor:
        kind = x.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype
        with torch.autocast(kind, enabled=False):
            x_, weight_, bias_ = (one.to(dtype) for one in (x, weight, bias))
            slopes = torch.empty(len(x), len(weight), dtype=dtype, device=x.device)
            losses = torch.empty(len(x), dtype=torch.float32, device=x.device)
            step = _AT_ONCE if kind == "cpu" else max(1, len(x))
            for start in range(0, len(x), step):
                rows = slice(start, start + step)
                logits = torch.addmm(bias_, x_[rows], weight_.t(), out=slopes[rows])
                wanted = targets[rows].unsqueeze(1)
                likely = logits.gather(1, wanted).float()
                largest = logits.amax(1, keepdim=True)
                shares = logits.sub_(largest).exp_()
                total = shares.sum(1, keepdim=True, dtype=torch.float32)
                shares.mul_(total.reciprocal().to(dtype))
                shares.scatter_add_(1, wanted, torch.full_like(shares[:, :1], smoothing - 1))
                losses[rows] = (total.log_().add_(largest) - (1 - smoothing) * likely).squeeze(1)
            if smoothing:
                losses -= smoothing * (x.float() @ weight.float().mean(0) + bias.float().mean())
        ctx.save_for_backward(x_, weight_, slopes)
        ctx.smoothing, ctx.dtypes = smoothing, (x.dtype, weight.dtype, bias.dtype)
        return losses

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, slopes = ctx.saved_tensors
        each = ctx.smoothing / len(weight)
        grad = grad.to(x.dtype)
        weighted = x * grad.unsqueeze(1)
        of_x = (slopes @ weight - each * weight.sum(0)) * grad.unsqueeze(1)
        of_weight = slopes.t() @ weighted - each * weighted.sum(0)
        of_bias = slopes.t() @ grad - each * grad.sum()
        found = (one.to(dtype) for one, dtype in zip((of_x, of_weight, of_bias), ctx.dtypes, strict=True))
        return (*found, None, None)
