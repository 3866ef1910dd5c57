"""The public names: there, documented, typed."""

from __future__ import annotations

import inspect

import pytest

import warmer


@pytest.mark.parametrize("name", warmer.__all__)
def test_each_name_is_there_and_documented(name):
    found = getattr(warmer, name)
    if not isinstance(found, str):
        assert inspect.getdoc(found)


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="no attribute"):
        _ = warmer.nonsense


def test_learn_is_typed():
    from warmer import learn

    missing = [p.name for p in inspect.signature(learn).parameters.values() if p.annotation is inspect.Parameter.empty]
    assert not missing
