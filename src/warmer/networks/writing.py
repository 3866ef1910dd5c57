"""A transformer that writes token after token, and the same arranged so that each token costs little."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from warmer.networks.blocks import Dropout
from warmer.networks.sequences import Attention, Dense, heads_of, places

_FEW = 16
"""Texts up to which one thread writes nearly as quickly as two that are left alone."""


@contextlib.contextmanager
def threads_for(texts: int) -> Iterator[None]:
    """Let one thread compute while few texts are written.

    Several wait for each other in each of the thousand small products of a sentence. Beside another program that computes, such
    a wait lasts until the system lets the last of them go on, and a sentence takes seconds instead of a twentieth of one.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if texts <= _FEW else threads)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class _Writer(nn.Module):
    """One layer of a transformer that writes: it looks at what was written, then at what was read."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.written, self.read = Attention(width, heads), Attention(width, heads)
        self.dense, self.drop = Dense(width, 2 * width), Dropout(dropout)

    def forward(self, x: Tensor, read: tuple[Tensor, Tensor], mask: Tensor) -> Tensor:
        seen = self.norm1(x)
        x = x + self.drop(self.written(seen, self.written.offered(seen), causal=True))
        x = x + self.drop(self.read(self.norm2(x), read, mask))
        found: Tensor = x + self.drop(self.dense(self.norm3(x)))
        return found


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
        self.norm, self.drop = nn.LayerNorm(width), Dropout(dropout)

    def offered(self, memory: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return each layer's keys and values of what was read, `[batch, places, width]`."""
        return [layer.read.offered(memory) for layer in self.writers()]

    def writers(self) -> list[_Writer]:
        """Return the layers."""
        return [layer for layer in self.layers if isinstance(layer, _Writer)]

    @torch.no_grad()
    def looks(self, tokens: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        """Return how much each token looks at each place of what was read while it is written, `[batch, length, places]`.

        The mean over layers and their ways of looking; the token at place i is the one that is written after `tokens[:, i]`.
        """
        found: list[Tensor] = []

        def seen(module: Attention, given: tuple[Tensor, tuple[Tensor, Tensor], Tensor], answer: Tensor) -> None:
            found.append(module.looks(given[0], given[1][0], given[2]).mean(1))

        handles = [layer.read.register_forward_hook(seen) for layer in self.writers()]
        try:
            self(tokens, self.offered(memory), mask)
        finally:
            for handle in handles:
                handle.remove()
        return torch.stack(found).mean(0)

    def forward(self, tokens: Tensor, read: list[tuple[Tensor, Tensor]], mask: Tensor) -> Tensor:
        """Return logits `[batch, length, tokens]` of the token after each; arguments as of `states`."""
        return F.linear(self.states(tokens, read, mask), self.table.weight, self.bias)

    def states(self, tokens: Tensor, read: list[tuple[Tensor, Tensor]], mask: Tensor) -> Tensor:
        """Return what is known after each token, `[batch, length, width]`; the logits of the next one are linear in it.

        Args:
            tokens: written so far, `[batch, length]`.
            read: what `offered` returned.
            mask: `[batch, places]`, True where something was read.
        """
        width = self.table.embedding_dim
        x = self.drop(self.table(tokens) * width**0.5 + places(tokens.shape[1], width, tokens.device))
        looks = mask[:, None, None, :]
        for layer, offered in zip(self.layers, read, strict=True):
            x = layer(x, offered, looks)
        found: Tensor = self.norm(x)
        return found


@dataclass
class _Packed:
    """A layer's weights as one step needs them: asking and offering in one product, and what it has written so far.

    `keys` and `values` are `[texts, heads, room, width / heads]`; the candidates of a text lie side by side, step after step.
    Of what was read the keys are `[texts, heads, width / heads, places]` and the values the other way round.
    """

    layer: _Writer
    weight: Tensor
    bias: Tensor
    read: tuple[Tensor, Tensor]
    keys: Tensor
    values: Tensor


class Incremental:
    """A writer arranged for writing several texts at once, each with several candidates, a token at a time.

    What was written is kept and never moved: each candidate looks, among the keys of all candidates of its text, at those it
    descends from. So a search by beams copies nothing when one candidate drives out another.

    Args:
        writer: in evaluation mode or not, it writes without dropout.
        memory, mask: what was read, `[texts, places, width]`, and where there is something, `[texts, places]`.
        beams: candidates a text.
        longest: tokens written at the most.
    """

    def __init__(self, writer: Writer, memory: Tensor, mask: Tensor, beams: int, longest: int) -> None:
        self.writer, self.beams, self.length = writer, beams, 0
        width, device = writer.table.embedding_dim, memory.device
        self.places = places(longest, width, device)
        self.mask = torch.zeros(mask.shape, device=device).masked_fill_(~mask, float("-inf"))[:, None, None, :]
        self.descent = torch.zeros(len(memory), 1, beams, 0, device=device) if beams > 1 else None
        self.logits = memory.new_empty(len(memory) * beams, writer.table.num_embeddings)
        self.own = torch.full((beams, beams), float("-inf"), device=device).fill_diagonal_(0.0)
        self.layers = [self._packed(layer, memory, longest * beams) for layer in writer.writers()]

    @staticmethod
    def _packed(layer: _Writer, memory: Tensor, room: int) -> _Packed:
        ask, offer = layer.written.ask, layer.written.offer
        keys = memory.new_empty(len(memory), layer.written.heads, room, memory.shape[2] // layer.written.heads)
        weight, bias = torch.cat([ask.weight, offer.weight]), torch.cat([ask.bias, offer.bias])
        seen, found = layer.read.offered(memory)
        read = (seen.transpose(-1, -2).contiguous(), found.contiguous())
        return _Packed(layer, weight, bias, read, keys, torch.empty_like(keys))

    def step(self, tokens: Tensor, going: Tensor | None = None) -> Tensor:
        """Return logits of what comes after `tokens [texts, beams]`, the last ones written: `[texts * beams, tokens]`.

        The next step writes over them.

        Args:
            tokens: the last ones written.
            going: `[texts, beams]`, True for the candidates whose logits are wanted; None: all.
        """
        place, beams = self.length, self.beams
        self.length += 1
        x = self.writer.table(tokens) * self.writer.table.embedding_dim**0.5 + self.places[place]
        if self.descent is not None:
            self.descent = torch.cat([self.descent, self.own.expand(len(tokens), 1, -1, -1)], 3)
        start, end = place * beams, (place + 1) * beams
        for one in self.layers:
            layer = one.layer
            ask, keys, values = F.linear(layer.norm1(x), one.weight, one.bias).chunk(3, -1)
            one.keys[:, :, start:end] = layer.written.split(keys)
            one.values[:, :, start:end] = layer.written.split(values)
            x = x + self._looked(layer.written, ask, one.keys[:, :, :end], one.values[:, :, :end], self.descent)
            x = x + self._read(layer.read, layer.read.ask(layer.norm2(x)), *one.read)
            x = x + layer.dense(layer.norm3(x))
        x = x.flatten(0, 1) if going is None else x[going]
        return torch.addmm(
            self.writer.bias, self.writer.norm(x), self.writer.table.weight.t(), out=self.logits[: len(x)]
        )

    @staticmethod
    def _looked(attention: Attention, ask: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        found = F.scaled_dot_product_attention(attention.split(ask), keys, values, attn_mask=mask)
        answer: Tensor = attention.out(found.transpose(1, 2).flatten(2))
        return answer

    def _read(self, attention: Attention, ask: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Look at what was read; plain products are quicker here than one call that is made for long sequences."""
        asked = attention.split(ask) * keys.shape[2] ** -0.5
        found = (asked @ keys).add_(self.mask).softmax(-1) @ values
        answer: Tensor = attention.out(found.transpose(1, 2).flatten(2))
        return answer

    def follow(self, parents: Tensor) -> None:
        """Say from which candidate each new one descends, `[texts, beams]`."""
        if self.descent is not None:
            index = parents[:, None, :, None].expand(-1, 1, -1, self.descent.shape[3])
            self.descent = self.descent.gather(2, index)

    def keep(self, texts: Tensor) -> None:
        """Go on with some of the texts alone; `texts` is True where."""
        self.mask = self.mask[texts]
        self.descent = None if self.descent is None else self.descent[texts]
        for one in self.layers:
            one.read = (one.read[0][texts], one.read[1][texts])
            one.keys, one.values = self._kept(one.keys, texts), self._kept(one.values, texts)

    def _kept(self, written: Tensor, texts: Tensor) -> Tensor:
        """Return the room of some texts, with what is in use copied."""
        used = self.length * self.beams
        some = written[texts, :, :used]
        found = written.new_empty(len(some), *written.shape[1:])
        found[:, :, :used] = some
        return found
