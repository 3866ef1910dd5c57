"""What this project promises, in one page: read it as the specification."""

from __future__ import annotations

import json

import numpy as np
import pytest

import warmer
from warmer.cli.app import run


def test_digits_are_learned_and_beat_the_baselines(digits_model):
    evidence = digits_model.evidence
    assert evidence["scores"]["accuracy"] > 0.95
    assert evidence["scores"]["accuracy"] > evidence["baselines"]["constant"]["scores"]["accuracy"] + 0.5
    assert set(evidence["examples"]) == {"train", "validation", "test"}
    assert "it never saw" in evidence["sentence"]


def test_an_answer_has_value_confidence_and_alternatives(digits_model):
    from sklearn.datasets import load_digits

    picture = load_digits().images[0]
    answer = digits_model(picture)
    assert answer.value == 0
    assert 0 <= answer.confidence <= 1
    assert len(answer.top(5)) == 5
    assert answer.top(1)[0] == (answer.value, answer.confidence)
    assert answer.value in answer.within


def test_a_model_is_one_file_that_gives_the_same_answers(digits_model, tmp_path):
    from sklearn.datasets import load_digits

    pictures = list(load_digits().images[:20])
    again = warmer.load(digits_model.save(tmp_path / "digits.safetensors"))
    for before, after in zip(digits_model(pictures), again(pictures), strict=True):
        assert before.value == after.value
        assert before.confidence == pytest.approx(after.confidence, abs=1e-6)
    assert again.evidence["scores"] == pytest.approx(digits_model.evidence["scores"])


def test_network_is_an_ordinary_module_whose_softmax_is_the_confidence(iris_model):
    import torch

    row = dict(zip(iris_model.x_names, (5.1, 3.5, 1.4, 0.2), strict=True))
    with torch.no_grad():
        logits = iris_model.network(torch.tensor([[5.1, 3.5, 1.4, 0.2]]))
    assert isinstance(iris_model.network, torch.nn.Module)
    assert float(logits.softmax(-1).max()) == pytest.approx(iris_model(row).confidence, abs=1e-5)


def test_numbers_are_learned_with_intervals():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 2))
    model = warmer.learn((x, 3 * x[:, 0] - x[:, 1] + rng.normal(size=400) * 0.1), epochs=40)
    assert str(model.signature) == "row -> number"
    assert model.evidence["scores"]["r2"] > 0.9
    answer = model({"x1": 1.0, "x2": 1.0})
    assert answer.within[0] < answer.value < answer.within[1]
    assert answer.value == pytest.approx(2, abs=0.7)


def test_the_command_line_learns_predicts_tests_and_reports(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(["learn", "moons", "--set", "n=300", "--set", "epochs=10", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["signature"] == "row -> category"
    assert found["scores"]["accuracy"] > 0.8 > found["baseline"]["accuracy"]
    assert (tmp_path / "moons.html").exists()
    assert run(["predict", "moons.safetensors", '{"x1": 1, "x2": -0.5}', "--json"]) == 0
    line = json.loads(capsys.readouterr().out)
    assert line["value"] == "other"
    assert set(line) >= {"input", "value", "confidence", "alternatives"}
    assert run(["test", "moons.safetensors", "moons", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n"] == 1000
    assert run(["report", "moons.safetensors", "--out", "page.html"]) == 0
    assert "<html" in (tmp_path / "page.html").read_text()


def test_a_mistake_is_answered_in_one_sentence(capsys):
    assert run(["learn", "nowhere.csv"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "nowhere.csv" in error
    assert run(["learn", "digits", "--set", "epoch=3"]) == 2
    assert "did you mean `epochs`" in capsys.readouterr().err
