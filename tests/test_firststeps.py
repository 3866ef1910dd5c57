"""The ideas at the size of a pencil: each number agrees with torch, and bad formulas are answered in a sentence."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from warmer.cli.app import run
from warmer.errors import InputError
from warmer.firststeps import ACTIVATIONS, Formula, Neuron, curves, descend
from warmer.firststeps.descent import METHODS

TORCH = {
    "identity": lambda x: x,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "leaky_relu": torch.nn.functional.leaky_relu,
    "softplus": torch.nn.functional.softplus,
    "gelu": torch.nn.functional.gelu,
}


def test_the_neuron_of_the_books():
    neuron = Neuron((4, 2, 2, 1), -25)
    assert neuron.steps([3, 2, 4, 2]) == ["3×4 + 2×2 + 4×2 + 2×1 = 26", "26 − 25 = 1", "1 > 0, so it fires"]
    assert neuron([3, 2, 4, 2]) == 1
    assert neuron([3, 2, 4, 1]) == 0
    assert Image.open(io.BytesIO(neuron.picture([3, 2, 4, 2]))).size[0] > 600
    with pytest.raises(InputError, match="must be as many"):
        neuron([1, 2])
    with pytest.raises(InputError, match="relu"):
        Neuron((1,), 0, "rleu")


@pytest.mark.parametrize("name", TORCH)
def test_activations_and_their_slopes_agree_with_torch(name):
    x = torch.linspace(-4, 4, 80, dtype=torch.float64, requires_grad=True)
    y = TORCH[name](x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    curve, steep, _ = ACTIVATIONS[name]
    points = x.detach().numpy()
    assert np.allclose(curve(points), y.detach().numpy(), atol=1e-12)
    assert np.allclose(steep(points), slope.numpy(), atol=1e-12)


def test_all_curves_are_drawn():
    assert Image.open(io.BytesIO(curves())).size[0] > 800


def test_hot_and_cold():
    path = descend("x**2 + 1", -2, method="hot-and-cold", step=1)
    assert path.points[:, 0].tolist() == [-2, -1, 0]
    assert path.values.tolist() == [5, 2, 1]
    assert path.outcome == "stopped"
    assert "every step from here is colder" in path.sentence
    missed = descend("x**2 + 1", -1.5, method="hot-and-cold", step=1)
    assert missed.points[-1, 0] == -0.5
    assert "never reach" in missed.sentence
    assert "bottom is at 0, value 1" in missed.sentence


@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_the_bottom_of_a_bowl(method):
    path = descend("(x - 1)**2 + 3*(y + 2)**2", [2.0, -1.0], method=method, steps=3000)
    tolerance = 0.06 if method == "rmsprop" else 1e-3
    assert np.allclose(path.points[-1], [1, -2], atol=tolerance), path.sentence
    assert path.values[-1] <= path.values[0]


def test_a_step_too_large_diverges_and_newton_needs_one():
    assert descend("x**2", 1, step=1.1, steps=500).outcome == "diverged"
    assert descend("x**2", 1, step=0.9).outcome == "converged"
    assert len(descend("3*x**2 + x", 5, method="newton").points) <= 3


def test_gradients_agree_with_autograd():
    f = Formula("sin(3*x) * exp(-y**2) + x**y / sqrt(x) + arctan(x*y)")
    x, y = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (1.3, 0.7))
    value = torch.sin(3 * x) * torch.exp(-(y**2)) + x**y / torch.sqrt(x) + torch.arctan(x * y)
    value.backward()
    assert float(f(1.3, 0.7)) == pytest.approx(value.item())
    assert f.gradient([1.3, 0.7]) == pytest.approx([float(x.grad), float(y.grad)], abs=1e-8)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x +", "is no formula"),
        ("x^2", "powers are written"),
        ("__import__('os')", "no function of numbers"),
        ("x.real", "no part of a formula"),
        ("[x for x in y]", "no part of a formula"),
        ("lambda: x", "no part of a formula"),
        ("sin(x, y, z)", "takes 1 numbers"),
        ("fromfile(x)", "no function of numbers"),
        ("'x'*9", "no part of a formula"),
        ("x" + "+x" * 6000, "characters"),
        ("(" * 300 + "x" + ")" * 300, "no formula"),
        ("-" * 200 + "x", "nested"),
        ("", "no formula"),
    ],
)
def test_bad_formulas_are_answered_in_a_sentence(text, words):
    with pytest.raises(InputError, match=words) as error:
        Formula(text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("formula", "start", "words"),
    [
        ("1/x", 0, "no place to start"),
        ("log(x)", -1, "nan at -1"),
        ("x+y", 1, "needs 2 numbers"),
        ("3", 1, "same everywhere"),
    ],
)
def test_places_to_start_from(formula, start, words):
    with pytest.raises(InputError, match=words):
        descend(formula, start)


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="xyz0123456789+-*/().,sincoexplg^ _[]'\"", max_size=40))
def test_any_text_is_a_formula_or_a_sentence(text):
    try:
        formula = Formula(text)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        formula(*([1.0] * formula.dimensions))


def test_huge_powers_overflow_at_once():
    assert np.isinf(float(Formula("9**9**9**9*x")(1.0)))


def test_commands(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(["neuron", "--inputs", "3,2", "--weights", "1,-1", "--threshold", "0.5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["value"] == 1
    assert run(["descend", "x**2 + 1", "--start", "-2", "--method", "hot-and-cold", "--step", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["points"] == [[-2], [-1], [0]]
    assert run(["descend", "x**4 + y*z + z**2 + y**2", "--start", "1,2,3"]) == 0
    assert {"neuron.png", "descent.png"} <= {place.name for place in tmp_path.iterdir()}
    assert run(["descend", "x**2", "--start", "one"]) == 2
    assert "takes numbers" in capsys.readouterr().err


def test_first_steps_need_no_torch():
    code = "import sys, warmer.firststeps as f; f.descend('x**2', 1); f.Neuron((1,))([1]); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_formula_is_learned():
    import warmer

    model = warmer.learn("y = sin(3*x) + x**2", x_range="-3,3", n=1500, epochs=60, advice=False)
    assert str(model.signature) == "row -> number"
    assert model.evidence["scores"]["r2"] > 0.98
    assert model({"x": 1.0}).value == pytest.approx(np.sin(3) + 1, abs=0.5)


@pytest.mark.parametrize(
    ("thing", "options", "words"),
    [
        ("y = log(x)", {"x_range": "-3,-1"}, "no number at almost every place"),
        ("y = x", {"x_range": "3,-3"}, "smaller number to a larger"),
        ("y = x", {"x_range": "3"}, "two numbers"),
        ("y = y + 1", {}, "by other names"),
        ("y = x +", {}, "is no formula"),
        ("y = x", {"n": "few"}, "is a number"),
        ("y = " + "+".join(["x"] * 600), {}, "characters"),
    ],
)
def test_formulas_that_cannot_be_learned(thing, options, words):
    from warmer import examples

    with pytest.raises(InputError, match=words):
        examples.open(thing, **options)
