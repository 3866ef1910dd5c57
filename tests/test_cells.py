"""What tables in memory and in Parquet files hold beside text and numbers."""

from __future__ import annotations

import datetime
import decimal
import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from warmer import examples
from warmer.errors import InputError
from warmer.examples import _prepare
from warmer.examples._contract import missing

N = 60


def picture(shade, form="PNG"):
    data = io.BytesIO()
    Image.new("L", (8, 8), shade).save(data, form)
    return data.getvalue()


COLUMNS = {
    "decimals": ([decimal.Decimal(k) / 7 for k in range(N)], "number"),
    "durations": (pd.to_timedelta(np.arange(N) ** 2, unit="s"), "number"),
    "months": (pd.period_range("2020-01", periods=N, freq="M"), "date"),
    "times": ([datetime.time(k % 24, k % 60) for k in range(N)], "number"),
    "days": ([datetime.date(2020, 1, 1) + datetime.timedelta(k * k) for k in range(N)], "date"),
    "zones": (pd.date_range("2020", periods=N, freq="D", tz="Europe/Berlin"), "date"),
    "words": (pd.Categorical(["u", "v", "w"] * (N // 3)), "category"),
    "codes": (pd.Categorical([3, 1, 2] * (N // 3)), "category"),
    "shorter": (pd.Series(np.arange(N) * 1.5, dtype="category"), "number"),  # kept as categories to save room
    "whole": (pd.array([1, None, 5] * (N // 3), dtype="Int64"), "number"),
    "truths": (pd.array([True, None, False] * (N // 3), dtype="boolean"), "category"),
    "strings": (pd.array(["red", " blue", None] * (N // 3), dtype="string"), "category"),
    "ranges": (pd.cut(np.arange(N), 4), "category"),
    "bytes": ([b"a", b"b", b"c"] * (N // 3), "category"),
    "pictures": ([picture(k) for k in range(N)], "image"),
    "hub": ([{"bytes": picture(k, "JPEG"), "path": None} for k in range(N)], "image"),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_of_every_sort_are_recognised(name):
    cells, kind = COLUMNS[name]
    table = examples.open(pd.DataFrame({name: cells, "y": ["a", "b"] * (N // 2)}))
    assert _prepare.decide(table, (), ("y",)).kind(name) == kind
    assert missing(table.columns[name]).sum() == (N // 3 if name in ("whole", "truths", "strings") else 0)


def test_durations_are_in_seconds_and_words_without_blanks_around():
    table = examples.open(pd.DataFrame({name: COLUMNS[name][0] for name in ("durations", "strings")}))
    assert table.columns["durations"].tolist() == [k**2 for k in range(N)]
    assert set(table.columns["strings"]) == {"red", "blue", None}


def test_pictures_in_a_parquet_file_are_files(tmp_path):
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"image": COLUMNS["hub"][0], "label": [k % 2 for k in range(N)]})
    frame.to_parquet(tmp_path / "t.parquet")
    table = examples.open(str(tmp_path / "t.parquet"))
    assert table.columns["image"][3].name == "image 4.jpg"
    found = _prepare.prepare(table, _prepare.decide(table, (), ("label",)), options={})
    assert found.x.name == "image"
    assert found.inputs.take(np.array([3])).mean() == pytest.approx(3, abs=1)


def test_what_no_kind_knows_is_said():
    frame = pd.DataFrame({"a": np.arange(N) * 1j, "y": ["a", "b"] * (N // 2)})
    with pytest.raises(InputError, match="no kind knows cells like"):
        _prepare.decide(examples.open(frame), (), ("y",))
