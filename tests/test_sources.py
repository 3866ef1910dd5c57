"""The contract of sources, over every member of the folder."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from warmer import examples

sys.path.insert(0, str(Path(__file__).parent))
from contracts import sources as contract


@pytest.mark.parametrize("name", examples.sources())
def test_contract(name, tmp_path):
    contract.check_all(name, tmp_path)
