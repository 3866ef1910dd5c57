"""Small parts that several networks share."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "gelu": F.gelu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}
"""Name → function of each number by itself."""


class Activation(nn.Module):
    """What bends a layer's answer, so that layers do not collapse into one.

    Args:
        name: one of `ACTIVATIONS`.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def forward(self, x: Tensor) -> Tensor:
        """Map each number by itself."""
        return ACTIVATIONS[self.name](x)

    def extra_repr(self) -> str:
        """Return the name."""
        return self.name


class MemberLinear(nn.Module):
    """One linear layer of its own for each member of an ensemble, `[batch * members, in] → [batch * members, out]`.

    With one member it computes what `torch.nn.Linear` computes, from weights of shape `[1, in, out]`.
    """

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(inputs)
        self.members = members
        self.weight = nn.Parameter(torch.empty(members, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(members, outputs).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        """Apply each member's layer to its own rows."""
        split = x.unflatten(0, (-1, self.members)).transpose(0, 1)  # [members, batch, in]
        return torch.baddbmm(self.bias.unsqueeze(1), split, self.weight).transpose(0, 1).flatten(0, 1)


class Readout(nn.Linear):
    """The last layer of a head: its outputs are answers, and no features any more."""


def readout(inputs: int, outputs: int, members: int = 1) -> nn.Module:
    """Return the last linear layer of a head; a separate one for each member."""
    return Readout(inputs, outputs) if members == 1 else MemberLinear(members, inputs, outputs)


def exact(x: Tensor) -> Tensor:
    """Return numbers in at least single precision."""
    return x if x.dtype == torch.float64 else x.float()


def attend(asked: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None, causal: bool = False) -> Tensor:
    """Return the mean of values, each by how alike its key is to what is asked; on a processor in single precision.

    There the way back through it takes ten times as long in bf16.

    Args:
        asked, keys, values: `[batch, heads, places, width]`.
        mask: True where it may be looked; None: everywhere.
        causal: each place looks at those before it and at itself alone.
    """
    if asked.device.type != "cpu":
        return F.scaled_dot_product_attention(asked, keys, values, attn_mask=mask, is_causal=causal)
    with torch.autocast("cpu", enabled=False):
        single = F.scaled_dot_product_attention(
            exact(asked), exact(keys), exact(values), attn_mask=mask, is_causal=causal
        )
    return single.to(asked.dtype)


class SharedLinear(nn.Module):
    """The first layer of an ensemble that shares its weights: member i computes `(x · r_i) W + b_i`.

    The scales are drawn at random, so that members differ from the start; what follows can be the same for all (the small
    variant of TabM: Gorishniy, Kotelnikov and Babenko 2024, arXiv 2410.24210). Unlike there, each member has a bias of its
    own: where the inputs are few, the shared layers could not tell otherwise whose scales they are looking at.

    Args:
        members: ensemble size.
        inputs, outputs: widths.
    """

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(inputs)
        self.members = members
        self.scale = nn.Parameter(torch.randn(members, inputs))
        self.weight = nn.Parameter(torch.empty(outputs, inputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(members, outputs).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        """Map `[batch, inputs]` to `[batch * members, outputs]`."""
        mixed = (x.unsqueeze(1) * self.scale).flatten(0, 1) @ self.weight.t()
        return (mixed.unflatten(0, (-1, self.members)) + self.bias).flatten(0, 1)


class Dropout(nn.Module):
    """Silence a share of activations at random in training, and make the others larger by as much (Srivastava et al. 2014).

    Like `torch.nn.Dropout`, but with a byte of randomness a number, so several times as fast on a CPU; the share is
    rounded to 256ths.

    Args:
        share: of activations silenced, at least 0 and below 1.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = round(share * 256) / 256

    def forward(self, x: Tensor) -> Tensor:
        """Silence some of `x`, of any shape."""
        if not self.training or self.share == 0:
            return x
        words = torch.empty((x.numel() + 7) // 8, dtype=torch.int64, device=x.device)
        chance = words.random_(-(2**63), None).view(torch.uint8)[: x.numel()].view(x.shape)
        return x * (chance >= round(self.share * 256)).to(x.dtype).mul_(1 / (1 - self.share))

    def extra_repr(self) -> str:
        """Return the share."""
        return f"share={self.share:g}"


class PiecewiseLinear(nn.Module):
    """Numbers as piecewise-linear codes over quantile bins, then a linear map of their own each.

    Gorishniy, Rubachev and Babenko 2022 (arXiv 2203.05556): component j of a number is 0 below bin j, 1 above it, and
    rises linearly inside. Outside the outer bins the code stays linear, so that order is never lost. Missing numbers (NaN)
    get a learned vector.

    Args:
        edges: one tuple of rising bin edges a column, at least two edges each.
        width: numbers in each column's code.
    """

    def __init__(self, edges: tuple[tuple[float, ...], ...], width: int) -> None:
        super().__init__()
        bins = max(len(column) - 1 for column in edges)
        left = torch.zeros(len(edges), bins)
        size = torch.ones(len(edges), bins)
        used = torch.zeros(len(edges), bins)
        for row, column in enumerate(edges):
            known = torch.tensor(column, dtype=torch.float64)
            count = len(column) - 1
            left[row, :count] = known[:-1].float()
            size[row, :count] = (known[1:] - known[:-1]).float().clamp(min=1e-30)
            used[row, :count] = 1
        lowest, highest = torch.zeros(len(edges), bins), torch.ones(len(edges), bins)
        lowest[:, 0] = -1.0
        for row, column in enumerate(edges):
            highest[row, len(column) - 2] = 2.0
        for name, value in (("left", left), ("size", size), ("used", used), ("low", lowest), ("high", highest)):
            self.register_buffer(name, value)
        bound = 1 / math.sqrt(bins)
        self.weight = nn.Parameter(torch.empty(len(edges), bins, width).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(len(edges), width).uniform_(-bound, bound))
        self.missing = nn.Parameter(torch.empty(len(edges), width).uniform_(-bound, bound))

    left: Tensor
    size: Tensor
    used: Tensor
    low: Tensor
    high: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Map `[batch, columns]`, NaN where missing, to `[batch, columns, width]`."""
        absent = x.isnan()
        known = torch.where(absent, self.left[:, 0], x).unsqueeze(-1)
        code = ((known - self.left) / self.size).clamp(self.low, self.high) * self.used
        found = torch.einsum("ncb,cbw->ncw", code, self.weight) + self.bias
        return torch.where(absent.unsqueeze(-1), self.missing, found)


class Standardise(nn.Module):
    """Numbers, centred, scaled and softly clipped, with a column more that says "missing".

    `x / √(1 + (x/3)²)` after centring (RealMLP, Holzmüller et al. 2024, arXiv 2407.04491): outliers cannot dominate.

    Args:
        centre, scale: one a column; `scale` is more than zero.
        clipped: no: nothing bends, as a linear network wants it.
    """

    def __init__(self, centre: tuple[float, ...], scale: tuple[float, ...], clipped: bool = True) -> None:
        super().__init__()
        self.clipped = clipped
        self.register_buffer("centre", torch.tensor(centre))
        self.register_buffer("scale", torch.tensor(scale))

    centre: Tensor
    scale: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Map `[batch, columns]` to `[batch, 2 * columns]`."""
        absent = x.isnan()
        scaled = (torch.where(absent, self.centre, x) - self.centre) / self.scale
        scaled = scaled / torch.sqrt(1 + (scaled / 3) ** 2) if self.clipped else scaled
        return torch.cat([scaled, absent.to(x.dtype)], dim=1)


class FrozenNorm(nn.Module):
    """Batch normalisation with the statistics it was trained with: they never change, its scale and shift may.

    Fine-tuning with a few examples a batch would spoil them. The keys are those of `torch.nn.BatchNorm2d`.
    """

    EPS = 1e-5

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    running_mean: Tensor
    running_var: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `[batch, channels, height, width]`."""
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, training=False, eps=self.EPS
        )


class BatchInstanceNorm(nn.BatchNorm2d):
    """Batch normalisation in which what each example itself shows has its share (Nam and Kim 2018, arXiv 1805.07925).

    A hand, a pen or a voice changes how much filters find all along; where that is in part taken out, letters of hands never
    seen look more like those that were learned. What an example shows counts as given: no gradient goes through it. The keys
    are those of `torch.nn.BatchNorm2d`.

    Args:
        channels: of the input.
        own: share, 0 to 1, of the example's own mean and variance in those that are normalised to 0 and 1.
    """

    def __init__(self, channels: int, own: float) -> None:
        super().__init__(channels)
        self.own = own

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:  # type: ignore[override]
        """Normalise `[batch, channels, rows, columns]`, of which the columns count where `mask [batch, columns]` is 1."""
        x = super().forward(x)
        mean, scale = self._shown(x, mask)
        # Normalised by the batch alone, x had this mean and was larger by this scale; weight and bias were on top.
        shift = self.bias * (1 - scale) - self.own * self.weight * mean * scale
        return torch.addcmul(shift[:, :, None, None].to(x.dtype), x, scale[:, :, None, None].to(x.dtype))

    @torch.no_grad()
    def _shown(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return of each example, `[batch, channels]`, its mean before weight and bias, and what it is to be multiplied with."""
        count = (mask.sum(1, keepdim=True) * x.shape[2]).clamp(min=1)
        real = mask[:, None].expand(-1, x.shape[2], -1).reshape(len(x), 1, -1).to(x.dtype)
        places = x.permute(0, 2, 3, 1).flatten(1, 2)  # products with matrices are the quickest sums
        mean, power = ((real @ some)[:, 0].to(count.dtype) / count for some in (places, places.square()))
        square = self.weight.square() + self.eps
        variance = (power - mean.square()).clamp(min=0) / square
        scale = (1 - self.own + self.own * variance + self.eps).rsqrt()
        return (mean - self.bias) * self.weight / square, scale


class ColumnLayer(nn.Module):
    """Convolution, normalisation, rectifier, pooling, over columns some of which are padding.

    Args:
        inputs, outputs: channels.
        side: of the kernel.
        stride: rows and columns that become one.
        pool: rows and columns of which the largest is kept afterwards.
        residual: whether the result is added to what came in (He et al. 2016, arXiv 1512.03385).
        own: share of each example's own mean and variance in the normalisation.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        side: int = 3,
        stride: tuple[int, int] = (1, 1),
        pool: tuple[int, int] = (1, 1),
        residual: bool = False,
        own: float = 0.0,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, side, stride=stride, padding=side // 2, bias=False)
        self.norm = BatchInstanceNorm(outputs, own) if own else nn.BatchNorm2d(outputs)
        self.stride, self.pool, self.residual = stride, pool, residual

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Map `[batch, inputs, rows, columns]`, 0 in the padding, and its mask `[batch, columns]` to fewer of both."""
        mask, found = _fewer(mask, self.stride[1]), self.conv(x)
        found = self.norm(found, mask) if isinstance(self.norm, BatchInstanceNorm) else self.norm(found)
        found = torch.relu(x + found if self.residual else found) * mask[:, None, None].to(found.dtype)
        if self.pool != (1, 1):
            found = F.max_pool2d(found, self.pool, ceil_mode=True)
        return found, _fewer(mask, self.pool[1])


def _fewer(mask: Tensor, times: int) -> Tensor:
    """Return the mask `[batch, columns]`, 1 or 0, of so many times fewer columns."""
    if times == 1:
        return mask
    return F.max_pool1d(mask.unsqueeze(1), times, ceil_mode=True).squeeze(1)
