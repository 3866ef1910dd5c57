"""What twice the examples and twice the time would bring: a forecast from two points, said with its measurements."""

from __future__ import annotations

import os
import signal

import pytest
import torch

import warmer
from warmer import report, scores
from warmer.course import Silence
from warmer.errors import RunFailed
from warmer.training import curve, finder
from warmer.training.curve import Point
from warmer.training.loop import Descent


def test_a_power_law_goes_on():
    accuracy, rmse = scores.get("accuracy"), scores.get("rmse")
    assert curve.forecast(accuracy, Point(1 - 0.08, 1 - 0.01)) == pytest.approx(1 - 0.005)
    assert curve.forecast(rmse, Point(8.0, 1.0)) == pytest.approx(0.5)


@pytest.mark.parametrize("point", [Point(0.9, 0.9), Point(0.95, 0.9), Point(0.9, 1.0)])
def test_it_promises_nothing_where_there_is_nothing_to_gain(point):
    assert curve.forecast(scores.get("accuracy"), point) == point.all
    assert "would change little" in curve.sentence(scores.get("accuracy"), point, None, False)


def test_the_sentence_names_what_was_measured():
    told = curve.sentence(scores.get("accuracy"), Point(0.92, 0.99), None, True)
    assert told == (
        "accuracy is 99.0% on the validation examples; at best, twice the examples would make it 99.5% "
        "(an eighth makes it 92.0%), more time nothing: it stopped because it no longer gained"
    )


def test_a_run_brings_its_curve_and_its_weights_do_not_depend_on_it():
    settings = {"epochs": 8, "precision": "fp32", "memory_format": "contiguous"}
    plain, told = (warmer.learn("digits", advice=advice, **settings) for advice in (False, True))
    assert "curve" not in plain.evidence
    found = told.evidence["curve"]
    assert set(found["of"]) == {"examples", "time"}
    for values in found["of"].values():
        assert values["eighth"] < values["all"] <= values["twice"] <= 1
    for a, b in zip(plain.network.state_dict().values(), told.network.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_too_few_examples_for_an_eighth():
    found = warmer.learn("iris", epochs=5).evidence["curve"]
    assert set(found["of"]) <= {"time"}


def test_a_range_test_is_advice_and_changes_nothing():
    settings = {"epochs": 4, "advice": False, "precision": "fp32", "memory_format": "contiguous"}
    plain, tested = (warmer.learn("digits", find_learning_rate=asked, **settings) for asked in (False, True))
    found = tested.evidence["range_test"]
    assert found["rates"] == sorted(found["rates"])
    assert found["rates"][0] < found["fastest"] < found["rates"][-1]
    assert found["planned"] == tested.plan.learning_rate
    assert "falls fastest near" in found["sentence"]
    assert "Which learning rate?" in report.page(tested)
    for a, b in zip(plain.network.state_dict().values(), tested.network.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_the_steepest_place_is_found_past_the_noisy_first_steps():
    rates = [10 ** (-4 + k / 20) for k in range(80)]
    losses = [5.0 - (4.0 if k == 1 else 0.0) - 3 / (1 + 2.718 ** (40 - k)) for k in range(80)]
    losses[1] = 4.9
    assert finder.steepest(rates, losses) == pytest.approx(rates[40], rel=0.5)
    assert finder.steepest(rates, list(range(80))) is None


class Told(Silence):
    """Presses Ctrl-C as soon as the short runs are announced; remembers what it was told."""

    def __init__(self, press):
        self.press, self.told = press, []

    def noted(self, sentence):
        self.told.append(sentence)
        if "short runs, to say" in sentence:
            self.press()


def test_ctrl_c_during_the_short_runs_keeps_the_finished_model(monkeypatch):
    listener = Told(lambda: monkeypatch.setattr(Descent, "_step", pressing(Descent._step)))
    model = warmer.learn("digits", epochs=2, listener=listener)
    assert any("no forecast: you stopped" in sentence for sentence in listener.told)
    assert "curve" not in model.evidence
    assert model.evidence["scores"]["accuracy"] > 0.5


def pressing(step):
    def pressed(self, order):
        os.kill(os.getpid(), signal.SIGINT)
        return step(self, order)

    return pressed


def test_a_short_run_that_fails_leaves_the_finished_model(monkeypatch):
    def failing(self, order):
        raise RunFailed("the loss became nan")

    listener = Told(lambda: monkeypatch.setattr(Descent, "_step", failing))
    model = warmer.learn("digits", epochs=2, listener=listener)
    assert any("no forecast: the loss became nan" in sentence for sentence in listener.told)
    assert "curve" not in model.evidence


def test_advice_may_differ_between_sittings(tmp_path, monkeypatch):
    monkeypatch.setattr(Descent, "CHECKPOINT_EVERY", 0.0)
    place = tmp_path / "point"
    warmer.learn("iris", epochs=2, advice=False, checkpoint=place)
    assert place.exists()
    again = warmer.learn("iris", epochs=2, advice=True, find_learning_rate=True, checkpoint=place, resume=True)
    assert "range_test" not in again.evidence, "a run that goes on has its learning rate already"
