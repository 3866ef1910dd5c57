"""The order in which examples are learned from."""

from __future__ import annotations

import numpy as np
import torch

from warmer.examples._store import Store, ragged
from warmer.kinds.category import Category
from warmer.plan import Plan
from warmer.training.judging import Part
from warmer.training.order import Order


def order_of(inputs, targets, **plan):
    part = Part(inputs, Store(targets), np.arange(len(targets)))
    return Order(part, Category(("a", "b"), (1, 1), True), torch.from_numpy(targets), Plan(**plan))


def test_every_example_comes_once_an_epoch_and_in_another_order_each_time():
    order = order_of(Store(np.zeros((100, 2))), np.zeros(100, dtype=np.int64))
    first, second = order.of(0, 8), order.of(1, 8)
    assert sorted(first) == sorted(second) == list(range(100))
    assert (first != second).any()
    assert (first == order.of(0, 8)).all()
    other = order_of(Store(np.zeros((100, 2))), np.zeros(100, dtype=np.int64), seed=1)
    assert (first != other.of(0, 8)).any()


def test_a_batch_holds_examples_of_about_equal_length():
    lengths = np.random.default_rng(0).integers(1, 1000, 400)
    inputs = ragged([np.zeros(length, np.int32) for length in lengths])
    found = order_of(inputs, np.zeros(400, dtype=np.int64)).of(3, 8)
    assert sorted(found) == list(range(400))
    batches = lengths[found].reshape(-1, 8)
    assert np.ptp(batches, 1).mean() < 60, "drawn at random they would lie about 780 apart"
    assert np.abs(np.diff(batches.mean(1))).mean() > 100, "short ones first would be learned in an order of their own"


def test_rare_categories_come_more_often_where_the_plan_balances():
    targets = np.array([0] * 9000 + [1] * 1000)
    found = order_of(Store(np.zeros((10_000, 1))), targets, balance=True).of(0, 64)
    assert len(found) == 10_000
    assert abs((targets[found] == 1).mean() - 0.25) < 0.02, "by the square root of how frequent each is"
