"""What every kind must do. Run over whatever the list of kinds holds."""

from __future__ import annotations

import json

import numpy as np
import torch

from warmer import kinds
from warmer.errors import BadCell
from warmer.examples._store import fill
from warmer.kinds._contract import Bid, Head
from warmer.model import build
from warmer.networks.features import Features, FeatureSpec
from warmer.plan import Plan

CPU = torch.device("cpu")
PLAN = Plan(width=8, depth=1)


def check_all(name):
    """Run every check on one kind."""
    wanted = kinds.get(name)
    cells = wanted.sample(0)
    fitted = wanted.fit(cells)
    for check in (check_words, check_json, check_reading, check_recognition, check_batches, check_augmentation):
        check(name, fitted, cells)
    if fitted.encoder(PLAN) is not None:
        check_encoder(fitted, cells)
    return fitted


def check_words(name, fitted, cells):
    assert fitted.name == name
    assert kinds.about(name).endswith(".")
    assert type(fitted).sample(0) is not cells
    assert all(_same(a, b) for a, b in zip(cells, type(fitted).sample(0), strict=True)), "sample is not repeatable"


def check_json(name, fitted, cells):
    data = json.loads(json.dumps(fitted.to_json()))
    again = kinds.load(data)
    assert again == fitted
    assert hash(again) == hash(fitted)
    later = {**data, "field_of_a_later_version": 1}
    assert kinds.load(later) == fitted


def check_reading(name, fitted, cells):
    arrays, bad = fitted.read_all(cells)
    assert not bad
    for index, cell in enumerate(cells):
        one = np.asarray(fitted.read(cell))
        assert one.dtype == np.dtype(fitted.dtype)
        assert all(size in (None, real) for size, real in zip(fitted.shape, one.shape, strict=True))
        assert _same(np.asarray(arrays[index]), one)
        json.dumps(fitted.show(one))
    assert np.asarray(fitted.read(fitted.blank())).dtype == np.dtype(fitted.dtype)
    for nonsense in (object(), {1, 2}, b"\x00"):
        try:
            fitted.read(nonsense)
        except BadCell as error:
            assert str(error)
            assert "\n" not in str(error)


def check_recognition(name, fitted, cells):
    for role in ("x", "y"):
        own = type(fitted).recognise(cells, column="column", role=role)
        assert isinstance(own, Bid)
        assert 0 <= own.sure <= 1
    winner, _ = kinds.recognise(cells, "column", "x")
    if type(fitted).derived:
        assert winner != name, f"{name} is made out of y, so it is asked for, never recognised"
        return
    assert winner == name, f"{winner} outbids {name} on its own sample"


def check_batches(name, fitted, cells):
    if not _encodes(fitted):
        return
    store, _ = fill(fitted, cells[:5], "memory")
    together = fitted.batch(store.take(np.arange(5)), CPU)
    alone = [fitted.batch(store.take(np.array([i])), CPU) for i in range(5)]
    if isinstance(together, torch.Tensor):
        assert torch.equal(together.nan_to_num(), torch.cat(alone).nan_to_num())


def check_augmentation(name, fitted, cells):
    if not _encodes(fitted):
        return
    store, _ = fill(fitted, cells[:4], "memory")
    batch = fitted.batch(store.take(np.arange(4)), CPU)
    changed = fitted.augment(batch, torch.Generator().manual_seed(0), 0)
    again = fitted.augment(batch, torch.Generator().manual_seed(0), 0)
    if isinstance(changed, torch.Tensor):
        assert len(changed) == len(batch)
        assert torch.equal(changed.nan_to_num(), again.nan_to_num())
        assert changed.nan_to_num().max() <= batch.nan_to_num().max() + 1e-5
    views = fitted.view(batch)
    assert views
    if isinstance(batch, torch.Tensor):
        assert torch.equal(views[0].nan_to_num(), batch.nan_to_num()), "the batch itself is the first view"


def check_encoder(fitted, cells):
    torch.manual_seed(0)
    encoder = fitted.encoder(PLAN)
    store, _ = fill(fitted, cells[:6], "memory")
    batch = fitted.batch(store.take(np.arange(6)), CPU)
    encoder.eval()
    with torch.no_grad():
        together = Features.of(encoder(batch))
        parts = [Features.of(encoder(fitted.batch(store.take(np.array([i])), CPU))) for i in range(6)]
    vectors = torch.cat([part.pooled() for part in parts])
    assert torch.allclose(together.pooled(), vectors, atol=1e-4), "an answer depends on its neighbours in the batch"
    assert FeatureSpec.probe(encoder, batch).channels[-1] == together.pooled().shape[1]


def check_pair(x_name, y_name):
    """A few gradient steps lower the loss, the gradient reaches every parameter, and the head's parts agree."""
    x, y = (kinds.get(n).fit(kinds.get(n).sample(0), role=role) for n, role in ((x_name, "x"), (y_name, "y")))
    torch.manual_seed(0)
    network = build(x, y, PLAN)
    head = network.head
    assert isinstance(head, Head)
    count = 12
    xs, _ = fill(x, kinds.get(x_name).sample(1)[:count], "memory")
    ys, _ = fill(y, kinds.get(y_name).sample(0)[:count], "memory")
    batch, targets = x.batch(xs.take(np.arange(count)), CPU), y.batch(ys.take(np.arange(count)), CPU)
    head.prepare(targets)
    optimiser = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], 0.01)
    losses = []
    for step in range(30):
        loss = head.loss(network.train()(batch), targets.repeat_interleave(head.members, 0)).mean()
        loss.backward()
        if step == 0:
            missing = [n for n, p in network.named_parameters() if p.requires_grad and p.grad is None]
            assert not missing, f"no gradient reaches {missing}"
        optimiser.step()
        optimiser.zero_grad()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    with torch.no_grad():
        outputs = network.eval()(batch)
    assert head.loss(outputs, targets).shape == (count,)
    assert torch.isfinite(head.loss(outputs, targets)).all()
    answers = head.decode(outputs)
    assert len(answers) == count == len(head.answers(outputs)) == len(head.truths(targets))
    for answer in answers:
        json.dumps([answer.value, answer.confidence, answer.alternatives, answer.within])
    json.dumps(head.evidence(outputs, targets))
    truths, varied = (head.truths(one) for one in (targets, y.vary(targets, torch.Generator().manual_seed(0))))
    assert all(_same(a, b) for a, b in zip(truths, varied, strict=True)), "in other words it means something else"


def _encodes(fitted):
    return fitted.encoder(PLAN) is not None


def _same(a, b):
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return np.array_equal(np.asarray(a), np.asarray(b), equal_nan=np.asarray(a).dtype.kind == "f")
    return a == b
