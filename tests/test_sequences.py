"""Texts and sounds: tokens, reading in order, writing token by token, each against an independent truth."""

from __future__ import annotations

import copy
import io
import itertools
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

import warmer
from warmer import examples, kinds
from warmer.errors import BadCell, InputError
from warmer.examples import _prepare, _strung
from warmer.examples._store import ragged
from warmer.kinds import _ordered, _sound
from warmer.kinds._contract import padded
from warmer.kinds._grams import Grams
from warmer.kinds._ordered import Habit, OrderedHead, prefix_search
from warmer.kinds._respelling import Respelling
from warmer.kinds._spelling import with_mask
from warmer.kinds._tokens import END, LETTERS, PARTS, WORDS, Tokens, normal
from warmer.kinds._writing import WritingHead, best
from warmer.networks.crossentropy import linear_cross_entropy
from warmer.networks.features import Features, FeatureSpec
from warmer.networks.sequences import BODIES, Attention, body
from warmer.networks.sound import LogMel
from warmer.networks.writing import Incremental, Writer, threads_for
from warmer.report import page
from warmer.signature import Signature
from warmer.training.judging import Part, together

SENTENCES = ["the cat sat on the mat", "a bird sings", "the bird sat", "a cat sings on a stone"] * 30


# ---- tokens ----


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=30), max_size=6), st.integers(0, 9))
def test_words_cut_in_other_ways_are_the_same_words(texts, seed):
    tokens = fitted(PARTS)
    given = [[*tokens.encode(text).tolist(), END] for text in [*texts, *SENTENCES[:4]]]
    usual = Respelling(tokens, 0.0).texts(given, torch.Generator())
    assert [one.tolist() for one in usual] == given  # with nothing left out, it is what sentencepiece makes
    other = Respelling(tokens, 0.3).texts(given, torch.Generator().manual_seed(seed))
    assert [tokens.decode(one.tolist()) for one in other] == [tokens.decode(one) for one in given]
    assert all(one[-1] == END for one in other)
    letters = Respelling(tokens, 1.0).texts(given[-1:], torch.Generator())[0]
    assert len(letters) == len("▁" + SENTENCES[3]) + 1


def test_words_are_cut_in_other_ways_while_learning_alone():
    kind = kinds.get("text").fit(SENTENCES, role="y", partner=kinds.get("text"), cut="parts", joins_left_out=0.5)
    assert kind.scheme == PARTS
    arrays = [kind.read(text) for text in SENTENCES[:8]]
    targets = kind.batch(arrays, torch.device("cpu"))
    one, again = (kind.vary(targets, torch.Generator().manual_seed(seed)) for seed in (1, 1))
    other = kind.vary(targets, torch.Generator().manual_seed(2))
    assert torch.equal(one, again)
    assert one.shape != other.shape or not torch.equal(one, other)
    assert int((one != 0).sum()) > int((targets != 0).sum())
    x = kinds.get("text").fit(SENTENCES, role="x", partner=kinds.get("text"), cut="parts", joins_left_out=0.5)
    batch = x.batch([x.read(text) for text in SENTENCES[:8]], torch.device("cpu"))
    changed = x.augment(batch, torch.Generator().manual_seed(0), 0)
    assert int(changed.mask.sum()) > int(batch.mask.sum())
    assert torch.equal(changed.values > 0, changed.mask)
    assert x.view(batch) == [batch]


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40), st.sampled_from((WORDS, LETTERS, PARTS)))
def test_every_text_survives_being_cut(text, scheme):
    tokens = fitted(scheme)
    assert tokens.decode(tokens.encode(text).tolist()) == normal(text.encode("utf-8", "replace").decode("utf-8"))


def fitted(scheme, known={}):  # noqa: B006 — made once for each scheme
    if scheme not in known:
        known[scheme] = Tokens.fit(SENTENCES, scheme)
    return known[scheme]


def test_the_scheme_follows_from_the_texts():
    assert Tokens.fit(["four one", "two"] * 50, "auto").scheme == WORDS
    assert Tokens.fit([str(k) for k in range(300)], "auto").scheme == LETTERS
    generator = np.random.default_rng(0)
    many = [" ".join(f"w{k}" for k in generator.integers(0, 5000, 8)) for _ in range(1000)]
    assert Tokens.fit(many, "auto").scheme == PARTS
    assert Tokens.fit(many, "short").scheme == LETTERS


def test_what_comes_after_the_end_is_not_said():
    tokens = Tokens.fit(["ab"], LETTERS)
    assert tokens.decode([*tokens.encode("ab"), END, *tokens.encode("b"), 0]) == "ab"


# ---- reading in order ----


def test_prefix_search_finds_the_likeliest_text_of_all():
    logs = np.log(np.random.default_rng(0).dirichlet(np.ones(3), 4))
    chances = {}
    for way in itertools.product(range(3), repeat=4):
        text = tuple(token for token, _ in itertools.groupby(way) if token)
        chances[text] = np.logaddexp(chances.get(text, -np.inf), sum(logs[i, t] for i, t in enumerate(way)))
    found = prefix_search(logs, 50)
    for text, chance in found[:4]:
        assert chance == pytest.approx(chances[tuple(text)], abs=0.01)
    assert tuple(found[0][0]) == max(chances, key=chances.get)


@given(st.lists(st.lists(st.integers(3, 6), max_size=9), max_size=12), st.lists(st.integers(3, 6), max_size=9))
def test_chances_of_what_follows_add_up_to_one(texts, before):
    grams = Grams(7)
    grams.count(texts)
    assert np.exp(grams.chances(tuple(before))).sum() == pytest.approx(1)
    assert grams.surprise([before]) > 0
    again = Grams(7)
    again.load_state_dict(grams.state_dict())
    assert np.array_equal(again.chances(tuple(before)), grams.chances(tuple(before)))


def test_what_follows_many_tokens_is_likelier_in_a_new_place_than_what_follows_one_often():
    often, after_many, new = 4, 5, 9
    grams = Grams(10)
    grams.count([[3, often]] * 20 + [[other, after_many] for other in (6, 7, 8)] * 2)
    unheard = grams.chances((new,))
    assert unheard[after_many] > unheard[often] + 0.5
    assert grams.chances((3,))[often] > -0.1
    assert grams.runs.dtype == torch.int16, "few different tokens take little room in a model file"


def test_of_many_likely_tokens_the_likeliest_are_looked_at():
    logs = torch.tensor([[0.05, 0.2, 0.3, 0.45], [0.1, 0.2, 0.4, 0.3]]).double().log().numpy()
    for most, tokens in ((1, {2, 3}), (2, {2, 3}), (3, {1, 2, 3})):
        assert {token for text, _ in prefix_search(logs, 50, most=most) for token in text} == tokens
    assert [1, 2] not in [text for text, _ in prefix_search(logs, 50, most=2)]


def test_what_usually_follows_decides_where_a_letter_cannot_be_told():
    q, u, v = 3, 4, 5
    grams = Grams(6)
    grams.count([[q, u, v], [v, q, u], [u, q, u]] * 5)
    assert grams.surprise([[q, u, v]]) < grams.surprise([[v, v, q]])
    chances = np.full((2, 6), 0.001)
    chances[0, q], chances[1, u], chances[1, v] = 0.99, 0.45, 0.54
    logs = np.log(chances / chances.sum(1, keepdims=True))
    assert prefix_search(logs, 5)[0][0] == [q, v]
    assert prefix_search(logs, 5, Habit(grams, 0.5, grams.surprise([[q, u, v]])))[0][0] == [q, u]
    assert prefix_search(logs, 5, Habit(grams, 0.0, 1.0))[0] == prefix_search(logs, 5)[0]


def test_the_shortcut_is_trained_and_not_asked():
    head = OrderedHead(Tokens(LETTERS, ("a", "b")), FeatureSpec((5, 4), 1), "a", 3)
    features = Features((torch.randn(2, 5, 6), torch.randn(2, 4, 6)))
    target = torch.tensor([[3, 4, END], [4, END, 0]])
    head.loss(head.train().outputs(features), target).sum().backward()
    assert all(part.weight.grad.abs().sum() > 0 for part in (head.readout, head.shortcut))
    asked = head.eval().outputs(features)
    torch.nn.init.zeros_(head.shortcut.weight)
    assert torch.equal(head.outputs(features), asked)
    assert asked.shape == (2, 6, head.count + 1)


def test_the_loss_in_order_counts_all_ways():
    tokens = Tokens(LETTERS, ("a", "b"))
    head = OrderedHead(tokens, FeatureSpec((4,), 1), "a", 3)
    logits = torch.randn(1, 4, head.count)
    outputs = with_mask(logits, None)
    target = torch.tensor([[3, 4, END, 0]])
    logs = logits[0].log_softmax(-1)
    ways = [
        sum(float(logs[i, t]) for i, t in enumerate(way))
        for way in itertools.product(range(head.count), repeat=4)
        if [t for t, _ in itertools.groupby(way) if t] == [3, 4]
    ]
    expected = -float(torch.tensor(ways).logsumexp(0)) / 2
    assert float(head.loss(outputs, target)) == pytest.approx(expected, abs=1e-4)


def test_padding_changes_no_reading():
    tokens = Tokens(LETTERS, ("a", "b", "c"))
    head = OrderedHead(tokens, FeatureSpec((4,), 1), "a", 3)
    short, long = torch.randn(1, 5, head.count), torch.randn(1, 9, head.count)
    both = together([with_mask(short, None), with_mask(long, None)])
    assert both.shape == (2, 9, head.count + 1)
    alone = [head.answers(with_mask(one, None))[0] for one in (short, long)]
    assert head.answers(both).tolist() == alone
    target = torch.tensor([[3, 4, END], [5, END, 0]])
    assert torch.allclose(head.loss(both, target)[:1], head.loss(with_mask(short, None), target[:1]), atol=1e-5)


def test_judging_is_rehearsed_with_what_usually_follows(monkeypatch):
    head = OrderedHead(Tokens(LETTERS, ("a", "b")), FeatureSpec((4,), 1), "a", 3)
    targets, outputs, asked = torch.tensor([[3, 4, END]]), with_mask(torch.randn(2, 5, head.count), None), []

    def search(logs, beams, habit, most):
        asked.append((habit is not None, most))
        return [([3], -1.0)]

    monkeypatch.setattr(_ordered, "prefix_search", search)
    for learned in (False, True):
        with head.rehearsal(targets, learned):
            head.answers(outputs)
    head.answers(outputs)
    assert asked == [(True, 2)] * 2 + [(True, 8)] * 2 + [(False, 8)] * 2, "and nothing is remembered from it"


# ---- writing ----


@pytest.fixture(scope="module")
def writing():
    torch.manual_seed(0)
    tokens = Tokens(LETTERS, ("a", "b"))
    head = WritingHead(tokens, FeatureSpec((8,), 1), "a", 4, longest=5, width=16, depth=2, dropout=0.0, smoothing=0.0)
    with torch.no_grad():  # sharper than an untrained one, so that answers differ
        head.writer.table.weight.mul_(6)
    return head.eval()


@pytest.mark.parametrize(("precise", "far"), [(True, 1e-5), (False, 3e-2)])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_of_many_outputs_is_torch_s(smoothing, precise, far):
    generator = torch.Generator().manual_seed(0)
    x, weight, bias = (torch.randn(*size, generator=generator) for size in ((700, 16), (50, 16), (50,)))
    targets, each = torch.randint(0, 50, (700,), generator=generator), torch.rand(700, generator=generator)
    given = [one.requires_grad_() for one in (x, weight, bias)]
    usual = F.cross_entropy(F.linear(*given), targets, reduction="none", label_smoothing=smoothing)
    with torch.autocast("cpu", torch.bfloat16, enabled=not precise):
        found = linear_cross_entropy(*given, targets, smoothing)
    assert found.dtype == torch.float32
    assert torch.allclose(found, usual, rtol=far, atol=far)
    wanted = torch.autograd.grad((usual * each).sum(), given)
    for one, other in zip(torch.autograd.grad((found * each).sum(), given), wanted, strict=True):
        assert one.dtype == other.dtype
        assert (one - other).norm() <= far * other.norm()


def test_writing_step_by_step_is_writing_at_once():
    torch.manual_seed(0)
    writer = Writer(12, 16, 2, 0.0).eval()
    memory, mask = torch.randn(3, 4, 16), torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0]]) > 0
    tokens, read = torch.randint(1, 12, (3, 6)), writer.offered(memory)
    at_once = writer(tokens, read, mask)
    with torch.no_grad():
        writing = Incremental(writer, memory, mask, 1, 6)
        steps = [writing.step(tokens[:, i : i + 1]).clone() for i in range(6)]
    assert torch.allclose(torch.stack(steps, 1), at_once, atol=1e-5)


@pytest.mark.parametrize(("texts", "expected"), [(1, 1), (100, 2)])
def test_one_thread_writes_few_texts(writing, monkeypatch, texts, expected):
    before, step, met = torch.get_num_threads(), Incremental.step, set()
    monkeypatch.setattr(Incremental, "step", lambda *parts: met.add(torch.get_num_threads()) or step(*parts))
    torch.set_num_threads(2)
    try:
        with torch.no_grad():
            writing.candidates(with_mask(torch.randn(texts, 3, 16), None), 2)
        assert (met, torch.get_num_threads()) == ({expected}, 2)
    finally:
        torch.set_num_threads(before)


def test_threads_are_given_back_after_an_error():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(KeyError), threads_for(1):
            raise KeyError
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_attention_is_looked_up_in_single_precision_on_a_processor(monkeypatch):
    torch.manual_seed(0)
    attention, x = Attention(16, 4), torch.randn(2, 5, 16)
    plain = attention(x, attention.offered(x))
    met = []
    looked_up = F.scaled_dot_product_attention
    monkeypatch.setattr(
        F, "scaled_dot_product_attention", lambda *parts, **how: met.append(parts[0].dtype) or looked_up(*parts, **how)
    )
    with torch.autocast("cpu", torch.bfloat16):
        rough = attention(x, attention.offered(x))
    halved = attention.bfloat16()
    whole = halved(x.bfloat16(), halved.offered(x.bfloat16()))
    assert met == [torch.float32] * 2
    assert rough.dtype == whole.dtype == torch.bfloat16
    for found in (rough, whole):
        torch.testing.assert_close(found.float(), plain, atol=0.02, rtol=0.02)


def test_candidates_descend_from_others_and_texts_leave():
    torch.manual_seed(1)
    writer, memory, mask = Writer(12, 16, 2, 0.0).eval(), torch.randn(3, 4, 16), torch.ones(3, 4) > 0
    parents = torch.tensor([[0, 0, 0], [0, 0, 2], [2, 1, 1], [1, 0, 2]])
    written = torch.randint(1, 12, (3, 3, 1))
    with torch.no_grad():
        writing, texts = Incremental(writer, memory, mask, 3, 5), [0, 1, 2]
        for step, parent in enumerate(parents):
            logits = writing.step(written[:, :, -1]).clone()
            read = [(k.repeat_interleave(3, 0), v.repeat_interleave(3, 0)) for k, v in writer.offered(memory[texts])]
            whole = writer(written.flatten(0, 1), read, mask[texts].repeat_interleave(3, 0))
            assert torch.allclose(logits, whole[:, -1], atol=1e-5)
            written = torch.cat([written[:, parent], torch.randint(1, 12, (len(texts), 3, 1))], 2)
            writing.follow(parent.expand(len(texts), -1))
            if step == 1:
                writing.keep(torch.tensor([True, False, True]))
                texts, written = [0, 2], written[[0, 2]]


@given(st.integers(1, 5), st.integers(1, 400), st.integers(1, 9), st.integers(0, 99))
def test_the_largest_of_each_row_are_found_by_blocks(rows, n, k, seed):
    values = torch.randperm(rows * n, generator=torch.Generator().manual_seed(seed)).view(rows, n).float()
    found, places_ = best(values, min(k, n))
    expected = values.topk(min(k, n), 1)
    assert torch.equal(found, expected.values)
    assert torch.equal(places_, expected.indices)


def test_examples_judged_by_length_keep_their_order():
    lengths = np.array([5, 1, 9, 3, 7, 2])
    store = ragged([np.full((n, 2), n, np.float32) for n in lengths])
    part = Part(store, store, np.array([3, 0, 2, 1]))
    assert [places_.tolist() for places_ in part.in_batches(16)] == [[3, 0, 1, 2]]
    assert store.at_once(1000) == 1000
    assert ragged([np.zeros((1000, 64), np.uint8)] * 3).at_once(512) == 62


def test_beam_search_with_many_beams_finds_the_best_of_all(writing):
    outputs = writing.eval()(Features((torch.randn(2, 8, 3, generator=torch.Generator().manual_seed(1)),)))
    with torch.no_grad():
        found = writing.candidates(outputs, 400)
        for row, candidates in enumerate(found):
            for text, chance in candidates[:30]:
                target = torch.tensor([[*text, END]])
                if len(text) < 5:
                    loss = float(writing.loss(outputs[row : row + 1], target)) * target.shape[1]
                    assert chance == pytest.approx(-loss, abs=1e-3)
            ranked = [chance / (len(text) + 1) for text, chance in candidates if len(text) < 5]
            assert ranked == sorted(ranked, reverse=True)


@torch.no_grad()
@pytest.mark.parametrize(("right", "worth"), [([3, 4, 3, 4], 0.8), ([3], 0.0), ([], 0.1)])
def test_what_a_token_is_worth_is_what_makes_the_best_texts(writing, monkeypatch, right, worth):
    """By the mean a token the second is best, by the sum the first, and with 0.74 a token or more the last."""
    head = copy.deepcopy(writing)
    found = [([], -0.7), ([3], -1.0), ([3, 4, 3, 4], -3.2)]
    monkeypatch.setattr(head, "candidates", lambda outputs, beams: [head._by_rank(found) for _ in outputs])
    outputs = with_mask(torch.randn(10, 3, 16), None)
    targets = padded([np.array([*right, END])] * 10, torch.device("cpu")).values
    assert set(head.answers(outputs)) == {head.tokens.decode([3])}
    head.calibrate(outputs, targets)
    assert float(head.reward) == pytest.approx(worth)
    for _ in range(2):
        assert head.answers(outputs).tolist() == head.truths(targets).tolist()
        head.memory.clear()  # what was remembered is ranked anew, too
    head.load_state_dict({name: value for name, value in head.state_dict().items() if name != "reward"})
    assert float(head.reward) == 0  # a file from before


def test_texts_found_together_are_those_found_alone(writing):
    outputs = writing(Features((torch.randn(6, 8, 3, generator=torch.Generator().manual_seed(2)),)))
    with torch.no_grad():
        together_, alone = writing.answers(outputs), [writing.answers(outputs[i : i + 1])[0] for i in range(6)]
    assert together_.tolist() == alone


@torch.no_grad()
def test_no_text_is_longer_beside_its_input_than_any_that_was_learned_from():
    torch.manual_seed(0)
    tokens = Tokens("letters", ("a", "b", "c"))
    head = WritingHead(
        tokens, FeatureSpec((8,), 1), "", 1, longest=400, width=8, depth=1, dropout=0.0, smoothing=0.0
    ).train()
    there = torch.arange(20) < torch.tensor([4, 20])[:, None]
    outputs = with_mask(torch.randn(2, 20, 8), there)
    head.writer.bias[END] = -1e9  # a network that never finds an end
    assert [len(one[0][0]) for one in head.eval().candidates(outputs, 1)] == [400, 400]
    targets = torch.full((2, 40), 3).masked_fill(torch.arange(40) >= torch.tensor([14, 40])[:, None], 0)
    head.train().loss(outputs, targets)
    assert float(head.stretch) == 1.5  # of the longer: (40 - 10) / 20
    for beams in (1, 2):
        found = [len(one[0][0]) for one in head.eval().candidates(outputs, beams)]
        assert found == [int(1.2 * (1.5 * 4 + 10)), int(1.2 * (1.5 * 20 + 10))]
    older = {name: value for name, value in head.state_dict().items() if name != "stretch"}
    head.load_state_dict(older)
    assert float(head.stretch) == 0


def test_a_padded_memory_is_not_looked_at(writing):
    features = torch.randn(2, 8, 3)
    mask = torch.tensor([[True, True, False], [True, True, True]])
    changed = features.clone()
    changed[0, :, 2] = 99.0
    target = torch.tensor([[3, 4, END], [4, END, 0]])
    one, other = (writing.loss(writing(Features((x,), mask)), target) for x in (features, changed))
    assert torch.allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("name", BODIES)
def test_padding_changes_nothing_that_is_read(name):
    torch.manual_seed(0)
    reader = body(name, 16, 2, 0.0).eval()
    x, mask = torch.randn(2, 7, 16), torch.ones(2, 7, dtype=torch.bool)
    mask[0, 4:] = False
    together_ = reader(x, mask)
    alone = reader(x[:1, :4], mask[:1, :4])
    assert torch.allclose(together_[:1, :4], alone, atol=1e-5)


def test_reversing_is_learned():
    generator = np.random.default_rng(0)
    words = ["".join(generator.choice(list("abcd"), generator.integers(2, 5))) for _ in range(1500)]
    pairs = [(" ".join(word), " ".join(word[::-1])) for word in words]
    made = {"width": 64, "depth": 2, "writer_width": 64, "beams": 2, "optimizer": "muonw"}
    model = warmer.learn(pairs, signature="text -> text", epochs=25, advice=False, **made)
    assert model.evidence["scores"]["exact"] > 0.9
    assert model.evidence["baselines"]["constant"]["scores"]["exact"] < 0.2
    assert model.evidence["swapped_inputs"]["swapped"] > 0.3
    answer = model("a b c d")
    assert answer.value == answer.alternatives[0][0]
    assert set(answer.value.split()) == set("abcd")
    assert 0 < answer.confidence <= 1


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("beams", 0, "`beams` is at least 1, not 0"),
        ("joins_left_out", "1.5", "`joins_left_out` is at most 1, not 1.5"),
        ("writer_depth", -1, "`writer_depth` is at least 0, not -1"),
        ("writer_width", "wide", "`writer_width` is a whole number, not `wide`"),
        ("joins_left_out", "nan", "`joins_left_out` is at least 0, not nan"),
    ],
)
def test_what_no_run_could_use_is_refused(name, value, told):
    with pytest.raises(InputError, match=re.escape(told)):
        warmer.learn([("a", "b")] * 20, signature="text -> text", **{name: value})


@pytest.mark.parametrize("name", ["gru", "convnet"])
def test_what_reads_can_be_chosen(name):
    texts = [(f"{'a b' if k % 2 else 'b a'} {k % 7}", "ab" if k % 2 else "ba") for k in range(120)]
    model = warmer.learn(
        texts,
        signature="text -> category",
        encoder=name,
        epochs=15,
        width=32,
        depth=1,
        advice=False,
        learning_rate=5e-3,
    )
    assert model.x.reading == "tokens"
    assert type(model.network.encoder.body).__name__ == {"gru": "Recurrent", "convnet": "Convolutions"}[name]
    assert model("b a 3").value == "ba"
    with pytest.raises(InputError, match="not `gur`"):
        warmer.learn(texts, signature="text -> category", encoder="gur")


def test_bad_texts_are_told(tmp_path):
    one, other = tmp_path / "x.en", tmp_path / "x.de"
    lines = [f"line {k} of {k % 5}" for k in range(60)]
    one.write_bytes("\n".join(["", " ".join(["word"] * 10_000), "bell \x07 rings", *lines]).encode())
    other.write_bytes("\n".join(["leer", "lang", "Glocke läutet", *[line[::-1] for line in lines]]).encode("cp1252"))
    model = warmer.learn((str(one), str(other)), epochs=1, width=16, depth=1, writer_width=16, advice=False)
    told = {entry["example"]: entry["reason"] for entry in model.evidence["ledger"]["entries"]}
    assert "is empty in" in told["line 1"]
    assert "the most; cut it" in told["line 2"]
    assert any("is not UTF-8" in reason for reason in told.values())
    assert model.x.tokens.decode(model.x.read("bell \x07 rings").tolist()) == "bell rings"


def test_pieces_are_weighed_by_naive_bayes():
    import zlib

    cells = np.array(["red bird", "blue bird", "red stone", None, "red bird"], dtype=object)
    kind = kinds.get("text").fit(cells, groups=np.array([0, 1, 0, 1, 0]), partner=kinds.get("category"))
    table = kind.ratio_table().numpy()
    found = table[1 + zlib.crc32(b"red") % kind.buckets]
    assert found[0] > 1
    assert found[0] == -found[1]
    assert table[1 + zlib.crc32(b"blue") % kind.buckets][1] > 0.5
    assert not table[0].any()
    assert kinds.get("text").fit(cells).ratio_table() is None


# ---- sound ----


def test_a_tone_lies_in_its_band():
    mel = LogMel(16_000, 64)
    times = torch.arange(16_000) / 16_000
    bands = [int(mel(torch.sin(2 * math.pi * hertz * times)[None])[0].mean(1).argmax()) for hertz in (200, 1000, 5000)]
    assert bands == sorted(bands)
    assert bands[0] < 10
    assert bands[2] > 45


def test_the_spectrogram_is_torch_s():
    x = torch.randn(1, 4000, generator=torch.Generator().manual_seed(0))
    mel = LogMel(8000, 40)
    window = F.pad(mel.window, ((mel.size - mel.width) // 2,) * 2)
    padded = F.pad(x, (mel.size // 2,) * 2)
    power = torch.stft(padded, mel.size, mel.hop, window=window, center=False, return_complex=True).abs().square()
    expected = torch.log(1e-6 + mel.filters @ power[0])
    found = mel(x)[0]
    assert found.shape[1] == mel.columns(4000) == 51
    assert torch.allclose(found[:, : expected.shape[1]], expected, atol=1e-3)


FORMATS = [
    ("WAV", "PCM_16"),
    ("WAV", "PCM_U8"),
    ("WAV", "FLOAT"),
    ("FLAC", "PCM_24"),
    ("OGG", "VORBIS"),
    ("MP3", "MPEG_LAYER_III"),
]


@pytest.mark.parametrize(("format", "subtype"), FORMATS)
@pytest.mark.parametrize("rate", [8000, 44_100])
def test_sounds_of_any_format_are_read(format, subtype, rate):
    import soundfile

    times = np.arange(rate // 2) / rate
    tone = np.stack([0.5 * np.sin(2 * np.pi * 440 * times), 0.3 * np.sin(2 * np.pi * 440 * times)], 1)
    data = io.BytesIO()
    soundfile.write(data, tone, rate, format=format, subtype=subtype)
    from warmer.files import File

    kind = kinds.get("audio")(rate=8000)
    array = kind.read(File(f"tone.{format.lower()}", data.getvalue))
    assert abs(len(array) - 4000) < 600  # lossy formats pad
    spectrum = np.abs(np.fft.rfft(array[:4000].astype(float)))
    assert abs(int(spectrum[1:].argmax()) + 1 - 220) <= 2


def file_of(data, name="sound.wav"):
    from warmer.files import File

    return File(name, lambda: data)


def test_bad_sounds_are_told():
    kind = kinds.get("audio")(rate=8000, longest=1.0)
    good = _sound.wav(0.5 * np.sin(np.arange(8000)), 8000)
    for cell, told in (
        (file_of(b"RIFF nonsense"), "damaged or no sound"),
        (file_of(good[:30]), "damaged or no sound"),
        (file_of(_sound.wav(np.zeros(800), 8000)), "is silent"),
        (file_of(_sound.wav(np.zeros(0), 8000)), "holds no sound"),
        ((np.array([np.nan, 1.0]), 8000), "no sound"),
        ((np.ones(8000 * 40), 8000), "lasts 40 s"),
        ("nowhere.wav", "is not there"),
    ):
        with pytest.raises(BadCell, match=told):
            kind.read(cell)
    assert "clipped" in kind.unlike(kind.read((np.sign(np.sin(np.arange(4000) / 9)), 8000)))
    with pytest.raises(InputError, match="no sound"):
        kind.cell("nowhere.wav")


def test_whole_numbers_are_shares():
    samples, rate = _sound.read((np.array([0, 16384, -32768], dtype=np.int16), 8000))
    assert samples.tolist() == [0, 0.5, -1.0]
    assert rate == 8000
    assert _sound.read((np.array([[128, 128], [192, 192]], dtype=np.uint8), 8000))[0].tolist() == [0, 0.5]


def test_tones_are_told_apart_and_read_in_order():
    generator = np.random.default_rng(0)

    def spoken(word):
        parts = []
        for letter in word:
            times = np.arange(int(generator.uniform(600, 900))) / 8000
            parts += [0.4 * np.sin(2 * np.pi * {"a": 300, "b": 900, "c": 2000}[letter] * times), np.zeros(300)]
        return np.concatenate(parts) + 0.005 * generator.normal(size=sum(map(len, parts)))

    words = ["".join(generator.choice(list("abc"), generator.integers(1, 5))) for _ in range(300)]
    pairs = [((spoken(word), 8000), word) for word in words]
    model = warmer.learn(pairs, signature="audio -> text", epochs=20, advice=False, width=64, depth=1, batch=8)
    assert model.plan.ordered
    assert model.evidence["scores"]["cer"] < 0.1
    assert model((spoken("cab"), 8000)).value == "cab"


def test_sounds_are_learned_from_alone():
    import pandas as pd

    cells = kinds.get("audio").sample(0)
    frame = pd.DataFrame({"sound": cells, "of": ["a", "b"] * 12, "pitch": ["high", "low"] * 12})
    model = warmer.learn(frame, y="pitch", epochs=1, width=8, advice=False)
    assert str(model.signature) == "audio -> category"
    assert "stands alone" in next(one["why"] for one in model.evidence["columns"] if one["column"] == "of")


# ---- answers and reports ----


def test_what_is_answered_is_what_is_scored(monkeypatch):
    model = warmer.load(Path(__file__).parent / "golden" / "reversed-1.safetensors")
    head, tokens = model.head, model.y.tokens
    long, short = tokens.encode("c a a").tolist(), tokens.encode("c").tolist()
    # By token the long one is better, in all the short one.
    monkeypatch.setattr(head, "_found", lambda outputs, beams: [[(long, -3.0), (short, -2.0)]])
    (answer,) = head.decode(torch.zeros(1, 1, 1))
    assert answer.value == head.answers(torch.zeros(1, 1, 1))[0] == "c a a"
    assert [share <= answer.alternatives[0][1] for _, share in answer.alternatives] == [True, True]


def test_reports_say_which_words_and_moments_decided(tmp_path):
    texts = ["a good film indeed", "a bad film indeed", "good acting all the way", "bad acting all the way"] * 30
    texts = [f"{text} {place}" for place, text in enumerate(texts)]
    model = warmer.learn((texts, ["yes" if "good" in text else "no" for text in texts]), epochs=5, advice=False)
    shown = page(model)
    assert "Where answers come from" in shown
    assert "hangs most on" in shown


def test_reports_align_what_was_written_with_what_was_read():
    words = [f"{a} {b} {c}" for a in "abcd" for b in "abcd" for c in "abcd"]
    pairs = (words, [" ".join(reversed(text.split())) for text in words])
    model = warmer.learn(pairs, signature="text -> text", epochs=1, advice=False)
    assert "places on average" in page(model)


# ---- joined examples ----


def test_words_said_alone_are_joined_into_strings_of_one_part():
    cells = [(np.full(800, 0.1 + 0.01 * k), 8000) for k in range(40)]
    table = examples.open((cells, [None, *(f"w{k}" for k in range(1, 40))]))
    decided = _prepare.decide(table, (), (), Signature.parse("audio -> text"))
    found = _strung.strung(table, decided, "2-4", (0.2, None), 0)
    words = [text.split() for text in found.columns["y"]]
    assert {len(one) for one in words} == {2, 3, 4}
    assert "None" not in " ".join(found.columns["y"])
    assert "lacks its" in found.ledger.entries[0].reason
    sides = found.columns[_strung.SPLIT]
    parts = {
        side: {word for one, own in zip(words, sides, strict=True) if own == side for word in one}
        for side in ("train", "test")
    }
    assert parts["train"]
    assert parts["test"]
    assert not parts["train"] & parts["test"]
    sound, rate = _sound.read(found.columns["x"][0])
    silences = len(sound) / rate - 0.1 * len(words[0])
    assert 0.03 * (len(words[0]) - 1) - 0.01 <= silences <= 0.2 * (len(words[0]) - 1) + 0.01


def test_joining_needs_sequences_and_a_count():
    with pytest.raises(InputError, match="such as 3-7"):
        _strung.counts("seven")
    with pytest.raises(InputError, match="cannot be joined"):
        warmer.learn("digits", join="3", advice=False)


def test_long_sounds_are_cut_where_it_is_quiet_and_answered_piece_by_piece():
    draw = np.random.default_rng(0)
    tones = {word: np.sin(np.arange(2400) * hertz * 2 * np.pi / 8000) for word, hertz in (("low", 300), ("high", 900))}
    words = [("low", "high")[k % 2] for k in range(60)]
    cells = [(0.3 * tones[word] + 0.01 * draw.normal(size=2400), 8000) for word in words]
    model = warmer.learn((cells, words), signature="audio -> text", epochs=2, width=16, advice=False)
    long = np.concatenate([np.concatenate([cells[k % 60][0], np.zeros(800)]) for k in range(100)])
    answer = model((long, 8000))
    assert "answered in" in answer.notes[0]
    assert isinstance(answer.value, str)
    pieces = _sound.pieces(long.astype(np.float32), 8000, 0.6)
    assert sum(map(len, pieces)) == len(long)
    assert max(map(len, pieces)) <= 0.6 * 8000
    ends = np.cumsum([len(piece) for piece in pieces])[:-1]
    assert np.mean(ends % 3200 >= 2400) > 0.95
    assert model.x.cut_up((long[:8000], 8000)) == []


@given(st.integers(1, 3000), st.floats(0.02, 1.0), st.integers(0, 9))
def test_pieces_of_a_sound_are_the_sound(n, longest, seed):
    sound = np.random.default_rng(seed).normal(size=n).astype(np.float32)
    pieces = _sound.pieces(sound, 1000, longest)
    assert np.array_equal(np.concatenate(pieces), sound)


def test_kernels_over_spectrograms_are_shown_and_texts_have_none():
    tones = [(np.sin(np.arange(1600) * (300 + 600 * (k % 2)) * 2 * np.pi / 8000 + k), 8000) for k in range(40)]
    sounds = warmer.learn((tones, ["low", "high"] * 20), epochs=1, width=4, advice=False)
    assert "kernels of 3 × 3" in warmer.look(sounds).filters().sentence
    words = warmer.learn(([f"{w} {k}" for k in range(20) for w in "ab"], ["a", "b"] * 20), epochs=1, advice=False)
    with pytest.raises(InputError, match="it looks at kernels"):
        warmer.look(words).filters()


def test_a_text_told_of_few_rows_is_written_by_one_network():
    table = ([k * 7.3 % 11 for k in range(80)], ["low tide", "high tide"] * 40)
    model = warmer.learn(table, signature="row -> text", epochs=1, advice=False)
    assert model.plan.folds == 1
    assert isinstance(model({"x": 3.0}).value, str)
