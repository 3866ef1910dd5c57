"""Splits that ask more than one by chance: by groups that are noticed, and by time."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import warmer
from warmer import examples
from warmer.cli.app import run
from warmer.errors import InputError
from warmer.examples import _apart, _prepare, _split
from warmer.report import page


def visits(n=200, seed=0):
    generator = np.random.default_rng(seed)
    days = pd.date_range("2020-01-01", periods=n // 2, freq="D").repeat(2)
    frame = pd.DataFrame(
        {
            "day": days.strftime("%d.%m.%Y"),
            "patient_id": generator.integers(0, 12, n) * 7 + 1000,
            "a": generator.normal(size=n),
            "visit_id": [f"v{k}" for k in range(n)],
        }
    )
    frame["y"] = np.where(frame["a"] > 0, "up", "down")
    return frame.sample(frac=1, random_state=1)


def test_groups_and_times_are_noticed_and_said():
    table = examples.open(visits())
    told = _apart.noticed(table, ["day", "patient_id", "a", "visit_id"])
    assert len(told) == 2
    assert "--set time=day" in told[0]
    assert "`patient_id` has 12 different values" in told[1]
    blanks = examples.open(visits().rename(columns={"day": "the day"}))
    assert "--set 'time=the day' finds out" in _apart.noticed(blanks, ["the day"])[0]
    assert not _apart.noticed(table.take(np.arange(20)), ["day", "patient_id"]), "too few to be split otherwise"


def test_the_latest_are_for_the_test():
    frame = visits()
    table = examples.open(frame)
    found = _prepare.prepare(table, _prepare.decide(table, y=("y",)), options={}, time="day")
    days = pd.to_datetime(frame["day"], format="%d.%m.%Y").to_numpy()
    parts = [days[found.sides == side] for side in (_split.TRAIN, _split.VALIDATION, _split.TEST)]
    assert parts[0].max() < parts[1].min()
    assert parts[1].max() < parts[2].min()
    assert [len(part) for part in parts] == [130, 30, 40]
    assert found.own_validation


def test_a_model_is_judged_by_what_comes_later():
    frame = visits()
    late = pd.to_datetime(frame["day"], format="%d.%m.%Y") > "2020-03-20"
    frame.loc[late, "y"] = np.where(frame.loc[late, "a"] > 0, "down", "up")  # a habit that changes
    options = {"y": "y", "x": ("a",), "epochs": 8, "advice": False, "folds": 1}
    models = [warmer.learn(frame, **options, **more) for more in ({}, {"time": "day"})]
    assert ["never on two sides" in page(model) for model in models] == [True, False]
    assert "The latest by day are for the test" in page(models[1])
    by_chance, later = (model.evidence for model in models)
    assert any("--set time=day" in note for note in by_chance["notes"])
    assert not later["notes"]
    assert by_chance["scores"]["accuracy"] > 0.6
    assert later["scores"]["accuracy"] < 0.2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"time": "dya"}, "day"), ({"time": "y"}, "holds no times"), ({"time": "day", "group": "patient_id"}, "not by both"),
        ({"time": "once"}, "too few different times"),
    ],
)  # fmt: skip
def test_what_cannot_be_split_by_time_is_said(options, words):
    frame = visits().assign(once=3)
    with pytest.raises(InputError, match=words):
        warmer.learn(frame, y="y", epochs=1, **options)


def test_a_split_column_that_marks_nothing_as_training_is_told_once(tmp_path, capsys):
    place = tmp_path / "visits.csv"
    visits().assign(fold=lambda frame: np.arange(len(frame)) % 5).to_csv(place, index=False)
    assert run(["learn", str(place), "--y", "y", "--x", "a", "--set", "epochs=1", "--out", str(tmp_path / "m")]) == 0
    told = capsys.readouterr().err
    assert told.count("note: column `fold` marks nothing as training") == 1
