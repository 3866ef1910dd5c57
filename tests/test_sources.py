"""The contract of sources, over every member of the folder."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from warmer import examples
from warmer.errors import InputError
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


@pytest.mark.parametrize(
    ("thing", "columns"),
    [
        ((["a b", "c"] * 4, ["x", "y"] * 4), {"x": "a b", "y": "x"}),
        (([[1, 2], [3, 4]] * 4, [0, 1] * 4), {"x1": 1, "x2": 2, "y": 0}),
        (([np.zeros((8, 8))] * 4, np.arange(4)), {"x": (8, 8), "y": 0}),
        ((np.zeros((4, 8, 8, 3)), np.zeros((4, 9, 9))), {"x": (8, 8, 3), "y": (9, 9)}),
        (([(np.zeros(5), 8000)] * 3, ["a", "b", "c"]), {"x": 2, "y": "a"}),
    ],
)
def test_lists_and_arrays_of_anything_are_x_and_y(thing, columns):
    found = examples.open(thing).columns
    first = {name: getattr(cells[0], "shape", ()) or cells[0] for name, cells in found.items()}
    assert {
        name: len(cell) if isinstance(cell, tuple) and len(cell) == 2 and np.ndim(cell[0]) else cell
        for name, cell in first.items()
    } == columns


def test_lists_that_are_empty_or_uneven_are_refused():
    with pytest.raises(InputError, match="empty"):
        examples.open(([], []))
    with pytest.raises(InputError, match="as many"):
        examples.open(([1, 2], [1]))


def test_a_folder_called_like_built_in_examples_is_told_of(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not examples.open("iris").notes
    (tmp_path / "iris").mkdir()
    assert "./iris" in examples.open("iris").notes[0]
