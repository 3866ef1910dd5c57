"""Where each part of an answer comes from: exact where it can be computed another way."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import warmer
from warmer.errors import InputError
from warmer.kinds._ordered import aligned
from warmer.networks.sequences import Attention
from warmer.networks.writing import Writer


def ways(tokens, places):
    """Every way to say tokens in so many places, nothing (0) being allowed in between, as CTC has it."""
    for way in itertools.product(range(max(tokens) + 1), repeat=places):
        kept = [token for token, _ in itertools.groupby(way) if token]
        if kept == tokens:
            yield way


@settings(max_examples=40, deadline=None)
@given(
    tokens=st.lists(st.integers(1, 2), min_size=1, max_size=3),
    places=st.integers(3, 6),
    seed=st.integers(0, 1000),
)
def test_the_likeliest_way_is_found(tokens, places, seed):
    logs = np.log(np.random.default_rng(seed).dirichlet(np.ones(3), places))
    possible = list(ways(tokens, places))
    assume(possible)  # equal neighbours need nothing in between, and there may be no room for it
    best = max(possible, key=lambda way: sum(logs[place, token] for place, token in enumerate(way)))
    found = aligned(logs, tokens)
    said = [0] * places
    for token, row in zip(tokens, found, strict=True):
        for place in np.flatnonzero(row):
            said[place] = token
    assert tuple(said) == best


@torch.no_grad()
def test_looks_are_what_attention_uses():
    torch.manual_seed(0)
    attention = Attention(16, 4).eval()
    x, other = torch.randn(2, 3, 16), torch.randn(2, 5, 16)
    keys, values = attention.offered(other)
    mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])[:, None, None, :]
    shares = attention.looks(x, keys, mask)
    assert torch.allclose(shares.sum(-1), torch.ones(2, 4, 3))
    assert float(shares[1, :, :, 3:].abs().max()) == 0
    assert torch.allclose(
        attention.out((shares @ values).transpose(1, 2).flatten(2)), attention(x, (keys, values), mask), atol=1e-6
    )


def test_a_writer_tells_where_it_looks():
    torch.manual_seed(0)
    writer = Writer(10, 16, 2, 0.0).eval()
    memory, mask = torch.randn(1, 4, 16), torch.tensor([[True, True, True, False]])
    found = writer.looks(torch.tensor([[1, 5, 6]]), memory, mask)
    assert found.shape == (1, 3, 4)
    assert torch.allclose(found.sum(-1), torch.ones(1, 3), atol=1e-6)
    assert float(found[..., 3].abs().max()) == 0
    assert not any(layer.read._forward_hooks for layer in writer.layers)


def test_each_written_word_is_told_with_where_it_looked_most():
    words = {"one": "eins", "two": "zwei", "three": "drei", "four": "vier", "five": "fünf"}
    said = [" ".join(order) for n in (2, 3) for order in itertools.permutations(words, n)]
    pairs = [(text, " ".join(words[word] for word in reversed(text.split()))) for text in said]
    model = warmer.learn(pairs, signature="text -> text", width=32, depth=1, dropout=0, epochs=20, advice=False)
    texts = ("two five one", "four three")
    found = warmer.look(model).alignment(*texts)
    for text, sheet in zip(texts, found.sheets.values(), strict=True):
        written, places, shares = zip(*sheet.rows, strict=True)
        assert " ".join(word for word in written if word != "■") == model(text).value
        assert set(places) <= {*text.split(), "■"}
        assert all(1 / 4 <= share <= 1 for share in shares)  # the strongest of at most four
    with pytest.raises(InputError, match="does not fit"):
        warmer.look(warmer.learn("iris", epochs=2, folds=1, members=1, advice=False)).alignment({})
