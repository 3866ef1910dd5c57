"""Learning, predicting and testing from end to end: several answers, budgets, official splits, odd columns."""

from __future__ import annotations

import json
import time

import numpy as np
import pandas as pd
import pytest

import warmer
from warmer import course
from warmer.cli.app import run
from warmer.report import page


def houses(n=400):
    generator = np.random.default_rng(0)
    area, rooms = generator.uniform(30, 200, n), generator.integers(1, 7, n)
    colour = generator.choice(["red", "blue"], n)
    return pd.DataFrame(
        {
            "area": [f"{a:,.1f} m²" for a in area],
            "rooms": rooms,
            "colour": colour,
            "code": [f"house-{i:05d}" for i in range(n)],
            "price": 1000 * area + 5000 * rooms + generator.normal(0, 2000, n),
            "rent": 8 * area + generator.normal(0, 20, n),
        }
    )


def test_several_answers_at_once(tmp_path):
    model = warmer.learn(houses(), y=["price", "rent"], epochs=60)
    assert str(model.signature) == "row -> row"
    found = model.evidence["scores"]
    assert found["price: r2"] > 0.8
    assert found["rent: r2"] > 0.8
    assert set(model.evidence["answers"]) == {"price", "rent"}
    html = page(model)
    assert "price: Answers against truth" in html
    assert "rent: Answers against truth" in html
    again = warmer.load(model.save(tmp_path / "houses.safetensors"))
    row = {"area": "100 m²", "rooms": 3, "colour": "red"}
    answer = again(row)
    assert answer.value == model(row).value
    assert set(answer.value) == {"price", "rent"}
    assert abs(answer.value["price"] - 115_000) < 25_000


def test_units_are_read_and_ids_left_out():
    model = warmer.learn(houses(), y="price", epochs=2)
    decided = {one["column"]: one for one in model.evidence["columns"]}
    assert decided["area"]["kind"] == "number"
    assert decided["code"]["role"] != "x"
    assert decided["colour"]["kind"] == "category"


def test_a_budget_covers_everything(monkeypatch):
    """Training gets what reading has left, less what judging will take; no clock of a busy machine decides this test."""
    given = []

    class Noted(course.Descent):
        def __init__(self, *arguments, seconds=None, **options):
            given.append(seconds)
            super().__init__(*arguments, seconds=seconds, **options)

    monkeypatch.setattr(course, "Descent", Noted)
    monkeypatch.setattr(course.evidence, "seconds_to_judge", lambda *_: 4.0)
    model = warmer.learn("iris", minutes=1, started=time.monotonic() - 20, until=0.0, advice=False)
    assert 1 <= given[0] <= 60 - 20 - 4
    assert model.plan.minutes == 1
    assert model.evidence["seconds"] >= 20


@pytest.mark.parametrize(("later", "shares"), [(34.0, (0.2, 0.55)), (1.0, (1.01, 1.2))])
def test_a_training_makes_room_for_judging_as_it_goes_once_it_has_learned(monkeypatch, later, shares):
    asked, limits = [], []

    def seconds(network, prepared, plan, learned=False):
        asked.append((learned, network.head.quick))
        return later if learned else 4.0

    class Clocked(course.Descent):
        def done(self):
            limits.append(self.limit)
            return min(1.0, self.state.step / 40)  # no clock of a busy machine decides this test

    monkeypatch.setattr(course, "Descent", Clocked)
    monkeypatch.setattr(course.evidence, "seconds_to_judge", seconds)
    pairs = [(f"{k} {k % 7}", f"{k % 7} {k}") for k in range(200)]
    model = warmer.learn(
        pairs, signature="text -> text", minutes=1, started=time.monotonic(), advice=False,
        width=16, depth=1, writer_width=16, writer_depth=1, beams=1, batch=16,
    )  # fmt: skip
    assert asked == [(False, False), (True, False)]
    assert shares[0] < limits[-1] / limits[0] < shares[1]
    assert model.evidence["scores"]["exact"] >= 0
    asked.clear()
    warmer.learn("iris", minutes=1, advice=False, folds=1)
    assert len(asked) == 1  # an answer that is one number takes as long at any time


def test_a_budget_that_is_too_small_is_refused(capsys):
    assert run(["learn", "iris", "--minutes", "0.001"]) == 2
    assert "give more --minutes" in capsys.readouterr().err


def test_an_official_split_is_respected():
    frame = houses()
    frame["split"] = ["train"] * 300 + ["val"] * 40 + ["test"] * 60
    model = warmer.learn(frame, y="price", epochs=2)
    assert model.evidence["examples"] == {"train": 300, "validation": 40, "test": 60}


def test_learn_and_test_speak_json(tmp_path, capsys):
    houses().to_csv(tmp_path / "houses.csv", index=False)
    place = tmp_path / "m.safetensors"
    arguments = ["learn", str(tmp_path / "houses.csv"), "--y", "price", "--out", str(place), "--set", "epochs=5"]
    assert run([*arguments, "--set", "seed=3", "--json"]) == 0
    assert warmer.load(place).plan.seed == 3
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    found = json.loads(out)
    assert set(found) >= {
        "model",
        "signature",
        "n",
        "left_out",
        "scores",
        "baseline",
        "seconds",
        "examples",
        "parameters",
    }
    assert found["signature"] == "row -> number"
    assert set(found["scores"]) == set(found["baseline"]) == {"rmse", "mae", "r2"}
    assert place.with_suffix(".html").exists()
    assert run(["test", str(place), str(tmp_path / "houses.csv"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["n"] == 400
    assert found["trained_on"] > 200
    assert "flatters" in found["sentence"]


def test_a_gpu_that_answers_otherwise_is_not_used(monkeypatch):
    import torch

    from warmer.training import device as devices

    heard: list[str] = []

    class Ears(course.Silence):
        def noted(self, sentence: str) -> None:
            heard.append(sentence)

    other, told = torch.device("cpu", 0), course.evaluate
    monkeypatch.setattr(devices, "choose", lambda plan: other)
    warmer.learn("iris", epochs=1, advice=False, listener=Ears())
    assert heard == []

    def wrong(*given):
        outputs, targets = told(*given)
        return (outputs + 1 if given[4] == other else outputs), targets

    monkeypatch.setattr(course, "evaluate", wrong)
    warmer.learn("iris", epochs=1, advice=False, listener=Ears())
    assert [one for one in heard if "the processor is used instead" in one and "answers otherwise" in one]

    def missing(*given):
        if given[4] == other:
            raise NotImplementedError("no such operation there\nand a long story")
        return told(*given)

    monkeypatch.setattr(course, "evaluate", missing)
    warmer.learn("iris", epochs=1, advice=False, listener=Ears())
    assert heard[-1] == "cpu cannot compute this network (no such operation there); the processor is used instead"


def test_slow_validations_leave_most_of_a_budget_to_learning(monkeypatch):
    seen = []

    class Watched(course.Descent):
        def _is_time_to_validate(self):
            seen.append(self)
            return super()._is_time_to_validate()

    monkeypatch.setattr(course, "Descent", Watched)
    warmer.learn("iris", minutes=1, until=0.0, advice=False, folds=1)
    descent = seen[-1]
    state, descent.limit = descent.state, 100.0
    state.validated = 0.1
    for took, moment, due in ((0.5, 20.0, True), (5.0, 40.0, False), (5.0, 60.0, True)):
        state.validating, state.seconds = took, moment
        assert descent._is_time_to_validate() is due, (took, moment)


def test_judging_takes_no_more_memory_for_more_examples(monkeypatch):
    from warmer.kinds.category import CategoryHead

    sizes, loss = [], CategoryHead.loss
    monkeypatch.setattr(
        CategoryHead, "loss", lambda head, *given: sizes.append((head.training, len(given[0]))) or loss(head, *given)
    )
    warmer.learn("digits", epochs=1, advice=False)
    judged = [size for training, size in sizes if not training]
    assert sum(judged) >= 300
    assert max(judged) <= 128


def test_a_small_network_is_not_timed_for_its_weights_would_depend_on_it(monkeypatch):
    from warmer.training import precision

    def timed(*_):
        raise AssertionError("a step was timed")

    monkeypatch.setattr(precision, "_has_bf16", lambda device: True)
    monkeypatch.setattr(precision, "_time", timed)
    assert warmer.learn("iris", epochs=1).plan.precision == "fp32"


def test_the_same_seed_gives_the_same_weights():
    import torch

    a, b = (warmer.learn("iris", epochs=3, seed=4) for _ in range(2))
    for one, other in zip(a.network.state_dict().values(), b.network.state_dict().values(), strict=True):
        assert torch.equal(one.nan_to_num(), other.nan_to_num())
    assert a.evidence["scores"] == b.evidence["scores"]


@pytest.mark.parametrize("name", ["wine", "breast-cancer", "diabetes", "xor", "moons", "circles", "spirals"])
def test_every_built_in_set_is_learned(name):
    model = warmer.learn(name, epochs=15)
    lead = next(iter(model.evidence["scores"]))
    ours, simplest = model.evidence["scores"][lead], model.evidence["baselines"]["constant"]["scores"][lead]
    assert ours < simplest if lead == "rmse" else ours > simplest
