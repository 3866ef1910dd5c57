"""Networks over sequences `[batch, length, width]`: attention, recurrence, convolution; plain torch.nn, knows no kind."""

from __future__ import annotations

import math
import warnings
from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from warmer.networks.blocks import Dropout, attend

BODIES = ("transformer", "gru", "lstm", "convnet")
"""What can read a sequence."""


def places(length: int, width: int, device: torch.device) -> Tensor:
    """Return `[length, width]` sines and cosines of falling frequency (Vaswani et al. 2017, arXiv 1706.03762)."""
    rates = torch.exp(torch.arange(0, width, 2, device=device) * (-math.log(10_000.0) / width))
    angles = torch.arange(length, device=device).unsqueeze(1) * rates
    return torch.stack([angles.sin(), angles.cos()], 2).flatten(1)[:, :width]


class Attention(nn.Module):
    """Every place looks at places of the same or another sequence, several ways at once.

    Args:
        width: of both sequences.
        heads: ways of looking; divides `width`.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.ask, self.offer, self.out = nn.Linear(width, width), nn.Linear(width, 2 * width), nn.Linear(width, width)

    def offered(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys and values `[batch, heads, length, width / heads]` of a sequence."""
        keys, values = self.offer(x).chunk(2, -1)
        return self.split(keys), self.split(values)

    def looks(self, x: Tensor, keys: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return how much each place of `x` looks at each place that offered `keys`, `[batch, heads, length, places]`."""
        found = self.split(self.ask(x)) * keys.shape[-1] ** -0.5 @ keys.transpose(-1, -2)
        return (found if mask is None else found.masked_fill(~mask, float("-inf"))).softmax(-1)

    def split(self, x: Tensor) -> Tensor:
        """Return `[batch, length, width]` as `[batch, heads, length, width / heads]`."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(
        self, x: Tensor, offered: tuple[Tensor, Tensor], mask: Tensor | None = None, causal: bool = False
    ) -> Tensor:
        """Return what each place of `x` finds among the keys and values; `mask` is True where it may look."""
        found = attend(self.split(self.ask(x)), *offered, mask, causal)
        answer: Tensor = self.out(found.transpose(1, 2).flatten(2))
        return answer


class Dense(nn.Sequential):
    """Two dense layers, the inner one bent."""

    def __init__(self, width: int, inner: int) -> None:
        layers = {"0": nn.Linear(width, inner), "1": nn.GELU(), "3": nn.Linear(inner, width)}  # as in older model files
        super().__init__(OrderedDict(layers))


class _Reader(nn.Module):
    """One layer of a transformer that reads: attention, then two dense layers, each added to what came in.

    Only what is added is dropped: dropping looks and inner activations, too, made translators learn later and no better.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention, self.dense = Attention(width, heads), Dense(width, 2 * width)
        self.drop = Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        seen = self.norm1(x)
        x = x + self.drop(self.attention(seen, self.attention.offered(seen), mask))
        found: Tensor = x + self.drop(self.dense(self.norm2(x)))
        return found


class Transformer(nn.Module):
    """Layers that let every place of a sequence look at every other (normalised before each step, so that it trains calmly).

    Args:
        width, depth: numbers a place; layers.
        dropout: share silenced in training.
    """

    def __init__(self, width: int, depth: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList([_Reader(width, heads_of(width), dropout) for _ in range(depth)])
        self.norm, self.drop = nn.LayerNorm(width), Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Map `[batch, length, width]`, `mask [batch, length]` True where real, to the same shape."""
        x = self.drop(x + places(x.shape[1], x.shape[2], x.device))
        looks = mask[:, None, None, :]
        for layer in self.layers:
            x = layer(x, looks)
        found: Tensor = self.norm(x)
        return found


class Recurrent(nn.Module):
    """A gated recurrent network that reads from both ends (GRU: Cho et al. 2014; LSTM: Hochreiter and Schmidhuber 1997).

    Args:
        cell: "gru" or "lstm".
        width, depth: numbers a place, half from each end; layers.
        dropout: share silenced between layers in training.
    """

    def __init__(self, cell: str, width: int, depth: int, dropout: float) -> None:
        super().__init__()
        made = nn.GRU if cell == "gru" else nn.LSTM
        self.cells = made(width, width // 2, depth, batch_first=True, bidirectional=True)
        self.drop, self.norm = Dropout(dropout), nn.LayerNorm(width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Map `[batch, length, width]`, `mask [batch, length]` True where real, to the same shape."""
        lengths, order = mask.sum(1, keepdim=True), torch.arange(x.shape[1], device=x.device)
        # What is read from its end is turned round up to its own length, and padding stays behind it. torch's packed
        # sequences do the same at half the speed.
        turned = torch.where(order < lengths, lengths - 1 - order, order).unsqueeze(2)
        for layer in range(self.cells.num_layers):
            x = self.drop(x) if layer else x
            back = self._read(x.gather(1, turned.expand_as(x)), f"l{layer}_reverse")
            x = torch.cat([self._read(x, f"l{layer}"), back.gather(1, turned.expand_as(back))], 2)
        answer: Tensor = self.norm(x)
        return answer

    def _read(self, x: Tensor, name: str) -> Tensor:
        """Read a sequence from its begin with one layer's weights of one direction."""
        cells = self.cells
        weights = [getattr(cells, f"{part}_{name}") for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        start = x.new_zeros(1, len(x), cells.hidden_size)
        how = (weights, True, 1, 0.0, self.training, False, True)
        with warnings.catch_warnings():
            # A GPU wants all weights in one piece and copies them into one; that is little beside the reading.
            warnings.filterwarnings("ignore", message="RNN module weights are not part of single contiguous chunk")
            found: Tensor = (
                torch.lstm(x, (start, start), *how)[0] if cells.mode == "LSTM" else torch.gru(x, start, *how)[0]
            )
        return found


class Convolutions(nn.Module):
    """Residual one-dimensional convolutions that look ever further.

    Args:
        width, depth: numbers a place; layers.
        dropout: share silenced in training.
    """

    def __init__(self, width: int, depth: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [nn.Conv1d(width, width, 5, padding=2 * 2**level, dilation=2**level) for level in range(depth)]
        )
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(depth)])
        self.drop = Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Map `[batch, length, width]`, `mask [batch, length]` True where real, to the same shape."""
        keep = mask.unsqueeze(2)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            seen = (norm(x) * keep).transpose(1, 2)
            x = x + self.drop(F.gelu(layer(seen).transpose(1, 2)))
        return x


def body(name: str, width: int, depth: int, dropout: float) -> nn.Module:
    """Return one of `BODIES`, a module `(x, mask) → [batch, length, width]`."""
    if name == "transformer":
        return Transformer(width, depth, dropout)
    if name == "convnet":
        return Convolutions(width, depth, dropout)
    return Recurrent(name, width, depth, dropout)


def heads_of(width: int) -> int:
    """Return how many ways of looking suit a width: one for 32 numbers each, of those that divide it."""
    return next(heads for heads in range(max(1, width // 32), 0, -1) if width % heads == 0)
