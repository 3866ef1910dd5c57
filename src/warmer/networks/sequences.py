"""Networks over sequences `[batch, length, width]`: attention, recurrence, convolution; plain torch.nn, knows no kind."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BODIES = ("transformer", "gru", "lstm", "convnet")
"""What can read a sequence."""

Cache = dict[int, tuple[Tensor, Tensor]]
"""Place of a layer → keys and values `[batch, heads, length, width / heads]` of what was already written."""


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
        dropout: share of looks ignored in training.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.ask, self.offer, self.out = nn.Linear(width, width), nn.Linear(width, 2 * width), nn.Linear(width, width)

    def offered(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys and values `[batch, heads, length, width / heads]` of a sequence."""
        keys, values = self.offer(x).chunk(2, -1)
        return self._split(keys), self._split(values)

    def looks(self, x: Tensor, keys: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return how much each place of `x` looks at each place that offered `keys`, `[batch, heads, length, places]`."""
        asked = self._split(self.ask(x)) @ keys.transpose(-1, -2) / keys.shape[-1] ** 0.5
        return (asked if mask is None else asked.masked_fill(~mask, float("-inf"))).softmax(-1)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(
        self, x: Tensor, offered: tuple[Tensor, Tensor], mask: Tensor | None = None, causal: bool = False
    ) -> Tensor:
        """Return what each place of `x` finds among the keys and values; `mask` is True where it may look."""
        share = self.dropout if self.training else 0.0
        found = F.scaled_dot_product_attention(
            self._split(self.ask(x)), *offered, attn_mask=mask, dropout_p=share, is_causal=causal
        )
        answer: Tensor = self.out(found.transpose(1, 2).flatten(2))
        return answer


class _Dense(nn.Sequential):
    def __init__(self, width: int, inner: int, dropout: float) -> None:
        super().__init__(nn.Linear(width, inner), nn.GELU(), nn.Dropout(dropout), nn.Linear(inner, width))


class _Reader(nn.Module):
    """One layer of a transformer that reads: attention, then two dense layers, each added to what came in."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention, self.dense = Attention(width, heads, dropout), _Dense(width, 2 * width, dropout)
        self.drop = nn.Dropout(dropout)

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
        self.norm, self.drop = nn.LayerNorm(width), nn.Dropout(dropout)

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
        between = dropout if depth > 1 else 0.0
        self.cells = made(width, width // 2, depth, batch_first=True, dropout=between, bidirectional=True)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Map `[batch, length, width]`, `mask [batch, length]` True where real, to the same shape."""
        lengths = mask.sum(1).clamp(min=1).cpu()
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        found, _ = nn.utils.rnn.pad_packed_sequence(self.cells(packed)[0], batch_first=True, total_length=x.shape[1])
        answer: Tensor = self.norm(found)
        return answer


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
        self.drop = nn.Dropout(dropout)

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


class _Writer(nn.Module):
    """One layer of a transformer that writes: it looks at what was written, then at what was read."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.written, self.read = Attention(width, heads, dropout), Attention(width, heads, dropout)
        self.dense, self.drop = _Dense(width, 2 * width, dropout), nn.Dropout(dropout)

    def forward(
        self, x: Tensor, read: tuple[Tensor, Tensor], mask: Tensor, before: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        seen = self.norm1(x)
        mine = self.written.offered(seen)
        if before is not None:
            mine = (torch.cat([before[0], mine[0]], 2), torch.cat([before[1], mine[1]], 2))
        x = x + self.drop(self.written(seen, mine, causal=before is None and x.shape[1] > 1))
        x = x + self.drop(self.read(self.norm2(x), read, mask))
        return x + self.drop(self.dense(self.norm3(x))), mine


class Writer(nn.Module):
    """A transformer that writes token after token while it looks at what was read.

    Args:
        tokens: how many there are; their vectors are the readout's weights, too (Press and Wolf 2017, arXiv 1608.05859).
        width, depth: numbers a place; layers.
        dropout: share silenced in training.
    """

    def __init__(self, tokens: int, width: int, depth: int, dropout: float) -> None:
        super().__init__()
        self.table = nn.Embedding(tokens, width)
        nn.init.normal_(self.table.weight, std=width**-0.5)
        self.bias = nn.Parameter(torch.zeros(tokens))
        self.layers = nn.ModuleList([_Writer(width, heads_of(width), dropout) for _ in range(depth)])
        self.norm, self.drop = nn.LayerNorm(width), nn.Dropout(dropout)

    def offered(self, memory: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return each layer's keys and values of what was read, `[batch, places, width]`."""
        return [layer.read.offered(memory) for layer in self._layers()]

    def _layers(self) -> list[_Writer]:
        return [layer for layer in self.layers if isinstance(layer, _Writer)]

    @torch.no_grad()
    def looks(self, tokens: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        """Return how much each token looks at each place of what was read while it is written, `[batch, length, places]`.

        The mean over layers and their ways of looking; the token at place i is the one that is written after `tokens[:, i]`.
        """
        found: list[Tensor] = []

        def seen(module: Attention, given: tuple[Tensor, tuple[Tensor, Tensor], Tensor], answer: Tensor) -> None:
            found.append(module.looks(given[0], given[1][0], given[2]).mean(1))

        handles = [layer.read.register_forward_hook(seen) for layer in self._layers()]
        try:
            self(tokens, self.offered(memory), mask)
        finally:
            for handle in handles:
                handle.remove()
        return torch.stack(found).mean(0)

    def forward(
        self,
        tokens: Tensor,
        read: list[tuple[Tensor, Tensor]],
        mask: Tensor,
        cache: Cache | None = None,
        start: int = 0,
    ) -> Tensor:
        """Return logits `[batch, length, tokens]` of the token after each.

        Args:
            tokens: written so far, `[batch, length]`; with a cache those after the ones in it alone.
            read: what `offered` returned.
            mask: `[batch, places]`, True where something was read.
            cache: is read and filled.
            start: the place of the first token.
        """
        width = self.table.embedding_dim
        x = self.table(tokens) * width**0.5
        x = self.drop(x + places(start + tokens.shape[1], width, x.device)[start:])
        looks = mask[:, None, None, :]
        for place, layer in enumerate(self._layers()):
            before = None if cache is None else cache.get(place)
            x, mine = layer(x, read[place], looks, before)
            if cache is not None:
                cache[place] = mine
        return F.linear(self.norm(x), self.table.weight, self.bias)
