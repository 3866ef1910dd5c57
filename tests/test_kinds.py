"""The contract of kinds, over every member of the list."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from warmer import kinds
from warmer.kinds._contract import FeatureSpec
from warmer.plan import Plan

sys.path.insert(0, str(Path(__file__).parent))
from contracts import kinds as contract

PLAN = Plan(width=8, depth=1)


def fitted(name, role="x"):
    return kinds.get(name).fit(kinds.get(name).sample(0), role=role)


ENCODERS = [name for name in kinds.names() if fitted(name).encoder(PLAN) is not None]
HEADS = [name for name in kinds.names() if fitted(name, "y").head(PLAN, FeatureSpec((4,), 0)) is not None]


@pytest.mark.parametrize("name", kinds.names())
def test_contract(name):
    contract.check_all(name)


@pytest.mark.parametrize("x", ENCODERS)
@pytest.mark.parametrize("y", HEADS)
def test_every_pair_learns(x, y):
    contract.check_pair(x, y)
