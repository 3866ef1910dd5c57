"""The contract of sources, over every member of the folder."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from warmer import examples
from warmer.examples._contract import Rows

sys.path.insert(0, str(Path(__file__).parent))
from contracts import sources as contract


@pytest.mark.parametrize("name", examples.sources())
def test_contract(name, tmp_path):
    contract.check_all(name, tmp_path)


def test_part_of_the_rows_can_still_be_read_by_column():
    rows = Rows({"a": np.arange(10), "b": np.arange(10.0)}, 10)
    part = rows[2:8:2]
    assert len(part) == 3
    assert part[1] == {"a": 4, "b": 4.0}
    assert part.column("a").tolist() == [2, 4, 6]
    assert part.column("absent").tolist() == [None] * 3
