"""Series: rows in the order of time become pasts and futures, and what is forecast beats repeating the last period."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

import warmer
from warmer import examples, kinds
from warmer.errors import BadCell, InputError
from warmer.networks.series import Linear, TwoLinear
from warmer.stretch import Frame, Stretch


def waves(n=600, seed=0):
    """Return an hourly table: a daily wave whose height wanders, a second channel that leads it, and noise."""
    generator = np.random.default_rng(seed)
    steps = np.arange(n)
    height = 1 + 0.3 * np.sin(steps / 97)
    load = 10 + height * np.sin(2 * np.pi * steps / 24) + 0.1 * generator.normal(size=n)
    times = pd.date_range("2024-01-01", periods=n, freq="h")
    return pd.DataFrame({"when": times.astype(str), "load": load, "early": np.roll(load, -2), "note": "x"})


def opened(frame, **options):
    return examples.open(frame, ("load",), horizon=12, **options)


def test_no_answer_of_one_part_reaches_into_another():
    frame = waves()
    table = opened(frame)
    values = frame[["load", "early"]].to_numpy(np.float32)
    assert table.y == "load"
    ends = {}
    for past, future, side in zip(table.columns["past"], table.columns["load"], table.columns["split"], strict=True):
        start = int((pd.Timestamp(future.begins) - pd.Timestamp("2024-01-01")).total_seconds() // 3600)
        assert np.array_equal(future.values, values[start : start + 12])
        assert np.array_equal(past.values, values[start - len(past.values) : start])
        ends.setdefault(side, []).append((start, start + 12))
    assert max(end for _, end in ends["train"]) <= 360 <= min(start for start, _ in ends["validation"])
    assert max(end for _, end in ends["validation"]) <= 480 <= min(start for start, _ in ends["test"])
    assert "repeating every 24 steps" in table.notes[-1]


def test_rows_out_of_order_twice_or_missing_are_told():
    frame = waves().drop(index=[100, 101, 102, 300, *range(400, 420)])
    frame.loc[50:51, "load"] = np.nan
    shuffled = pd.concat([frame, frame.iloc[[7]]]).sample(frac=1, random_state=0)
    table = opened(shuffled)
    told = " ".join([*table.notes, *(entry.reason for entry in table.ledger.entries)])
    for words in (
        "were sorted",
        "same time as another",
        "3 steps are missing",
        "20 steps are missing",
        "bridged",
        "longer holes",
    ):
        assert words in told, words
    for past, future in zip(table.columns["past"], table.columns["load"], strict=True):
        assert np.isfinite(past.values).all()
        assert np.isfinite(future.values).all()
        start = int((pd.Timestamp(future.begins) - pd.Timestamp("2024-01-01")).total_seconds() // 3600)
        assert not (start - len(past.values) < 420 and start + 12 > 400), "an example goes across the hole"


def test_days_by_points_and_commas_for_points(tmp_path):
    frame = waves()
    times = pd.to_datetime(frame["when"])
    written = pd.DataFrame(
        {
            "Zeit": times.dt.strftime("%d.%m.%Y %H:%M"),
            "load": frame["load"].map(lambda value: f"{value:.3f}".replace(".", ",")),
            "early": frame["early"],
        }
    )
    written[:300].to_csv(tmp_path / "t.csv", sep=";", index=False)  # to the 13th of January: all could be months
    table = opened(str(tmp_path / "t.csv"))
    assert not any("sorted" in note for note in table.notes)
    assert not table.ledger.entries
    ours, theirs = table.columns["past"][0], opened(frame[:300]).columns["past"][0]
    assert np.allclose(ours.values, theirs.values, atol=1e-3)
    assert ours.begins == theirs.begins


@pytest.mark.parametrize(
    ("frame", "options", "words"),
    [
        (waves(60), {"horizon": 40}, "too few to forecast"),
        (waves(), {"horizon": 0}, "horizon=N"),
        (waves(), {"horizon": "many"}, "whole number"),
        (waves()[["when", "note"]], {"horizon": 3}, "no column of numbers"),
    ],
)
def test_what_cannot_be_forecast_is_refused_in_a_sentence(frame, options, words):
    with pytest.raises(InputError, match=words):
        examples.open(frame, **options)


def test_a_mistyped_answer_is_told():
    for source, options in ((waves(), {"horizon": 6}), ("digits", {})):
        with pytest.raises(InputError, match="no column"):
            warmer.learn(source, y="laod", **options)


def test_linear_ways_start_as_the_mean_and_keep_the_level():
    x = torch.randn(3, 2, 30).cumsum(-1)
    way = Linear(30, 5)
    assert torch.allclose(way(x + 100), way(x) + 100, atol=1e-3)
    assert TwoLinear(30, 5)(x).shape == (3, 2, 5)


def test_forecasts_beat_repeating_and_go_on_from_a_file(tmp_path):
    frame = waves()
    frame.to_csv(tmp_path / "load.csv", index=False)
    model = warmer.learn(tmp_path / "load.csv", y="load", horizon=12, epochs=60)
    assert str(model.signature) == "series -> series"
    found = model.evidence
    naive = found["baselines"]["unchanged"]
    assert "last 24 steps" in naive["what"]
    assert found["scores"]["mse"] < 0.8 * naive["scores"]["mse"]
    assert 0.75 < found["covered"] <= 1
    assert found["in_units"]["load"]["mae"] < 0.3
    (answer,) = model(frame)
    assert len(answer.value) == 12
    assert np.all(np.array(answer.within[0]) < np.array(answer.within[1]))
    assert answer.picture.size[0] > 300
    model.save(tmp_path / "m.safetensors")
    again = warmer.load(tmp_path / "m.safetensors")
    assert again(frame)[0].value == answer.value
    tested = again.test(tmp_path / "load.csv")
    assert tested.seen
    assert tested.scores["mse"] < naive["scores"]["mse"]
    with pytest.raises(InputError, match="looks back on"):
        again(frame[:20])
    with pytest.raises(InputError, match="no column `early`"):
        again(frame[["when", "load"]])


def test_a_series_as_any_other_x():
    """Rising and falling waves, given as lists of numbers, are told apart."""
    sample = kinds.get("series").sample(0) + kinds.get("series").sample(1) + kinds.get("series").sample(2)
    pairs = [(wave, "rises" if k % 2 else "falls") for k, wave in enumerate(sample)]
    model = warmer.learn(pairs, epochs=20)
    assert str(model.signature) == "series -> category"
    assert model.evidence["scores"]["accuracy"] > 0.8
    assert model(pairs[1][0].tolist()).value == "rises"


def test_a_series_without_times():
    """Rows are steps where no column says when they were."""
    table = examples.open(pd.DataFrame({"load": np.sin(np.arange(300) / 3)}), ("load",), horizon=5, past=20)
    assert len(table) > 200
    model = warmer.learn(pd.DataFrame({"load": np.sin(np.arange(300) / 3)}), y="load", horizon=5, past=20, epochs=3)
    assert len(model(pd.DataFrame({"load": np.sin(np.arange(40) / 3)}))[0].value) == 5


def test_wrong_series_are_refused_in_a_sentence():
    kind = kinds.get("series").fit([[1.0, 2, 3, 4, 5]] * 3)
    for cell, words in (
        ([1, 2, 3, 4, 5, 6], "6 steps"),
        ([1.0, float("nan"), 2], "no number"),
        ("a", "no series"),
        (Stretch(np.zeros((5, 2), np.float32), Frame(("a", "b"))), "2 channels"),
    ):
        with pytest.raises(BadCell, match=words):
            kind.read(cell)
    assert kind.read([4, 5]).ravel().tolist() == [4, 4, 4, 4, 5]
