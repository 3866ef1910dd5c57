"""The chain rule by hand gives autograd's numbers; flows and many starts say what is true of them."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from test_firststeps import TORCH
from warmer.cli.app import run
from warmer.errors import InputError
from warmer.firststeps import ACTIVATIONS, LOSSES, Net, descend_from_many, flow

TORCH_LOSSES = {
    "squared": lambda out, truth: ((out - truth) ** 2).sum(),
    "absolute": lambda out, truth: (out - truth).abs().sum(),
    "log_loss": lambda out, truth: torch.nn.functional.binary_cross_entropy_with_logits(out, truth, reduction="sum"),
    "cross_entropy": lambda out, truth: torch.nn.functional.cross_entropy(out[None], truth[None]),
}


def by_autograd(net, inputs, target, loss):
    parameters = [
        torch.tensor(p, requires_grad=True) for pair in zip(net.weights, net.biases, strict=True) for p in pair
    ]
    x = torch.tensor(inputs, dtype=torch.float64, requires_grad=True)
    layer = x
    bends = [net.activation] * (len(net.weights) - 1) + [net.last]
    for place, bend in enumerate(bends):
        layer = TORCH[bend](parameters[2 * place] @ layer + parameters[2 * place + 1])
    value = TORCH_LOSSES[loss](layer, torch.tensor(target, dtype=torch.float64))
    slopes = torch.autograd.grad(value, [x, *parameters])
    return float(value.detach()), [slope.numpy() for slope in slopes]


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 4), min_size=2, max_size=4),
    seed=st.integers(0, 999),
    activation=st.sampled_from(sorted(TORCH)),
    loss=st.sampled_from(sorted(LOSSES)),
)
def test_every_slope_is_that_of_autograd(sizes, seed, activation, loss):
    net = Net.drawn(sizes, seed=seed, activation=activation)
    generator = np.random.default_rng(seed)
    inputs, target = generator.normal(0, 1, sizes[0]).tolist(), np.eye(sizes[-1])[0].tolist()
    passes = net.passes(inputs, target, loss)
    value, (of_inputs, *others) = by_autograd(net, inputs, target, loss)
    assert passes.loss == pytest.approx(value, abs=1e-10)
    assert np.allclose(passes.layer_slopes[0], of_inputs, rtol=0, atol=1e-10)
    for place in range(len(net.weights)):
        assert np.allclose(passes.weight_slopes[place], others[2 * place], rtol=0, atol=1e-10)
        assert np.allclose(passes.bias_slopes[place], others[2 * place + 1], rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", sorted(set(ACTIVATIONS) - {"step"}))
def test_slopes_are_felt_by_small_steps(name):
    net = Net.drawn((2, 3, 2), seed=3, activation=name)
    for row in net.table([0.7, -0.4], [1, 0], "cross_entropy"):
        assert row["slope"] == pytest.approx(row["felt"], abs=1e-5)


def test_counts_of_parameters_follow_the_formula():
    net = Net.drawn((3, 4, 2))
    assert net.parameters == (3 + 1) * 4 + (4 + 1) * 2 == len(net.table([1, 2, 3], [0, 1]))


def test_a_step_against_the_slopes_lowers_the_loss():
    net = Net.drawn((2, 3, 1), seed=1)
    passes = net.passes([1, 2], [1])
    assert net.stepped(passes, 0.01).passes([1, 2], [1]).loss < passes.loss


def test_nets_that_do_not_fit_are_answered_in_a_sentence():
    with pytest.raises(InputError, match="layer 2"):
        Net.written([[[1, 2]], [[1, 2]]])
    with pytest.raises(InputError, match="different numbers of weights"):
        Net.written([[[1, 2], [1]]])
    with pytest.raises(InputError, match="2 inputs"):
        Net.drawn((2, 1)).passes([1], [1])
    with pytest.raises(InputError, match="squared"):
        Net.drawn((2, 1)).passes([1, 2], [1], "sqared")
    with pytest.raises(InputError, match="too large"):
        Net.drawn((50, 50, 1))
    with pytest.raises(InputError, match="at least inputs"):
        Net.drawn((3,))


def test_backprop_from_the_command_line(tmp_path, capsys):
    out = tmp_path / "net.png"
    given = ["backprop", "--inputs", "1,2", "--target", "1", "--weights", "1,2;3,4|5,6", "--biases", "0,0|1"]
    assert run([*given, "--activation", "relu", "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["answer"] == [92.0]  # 5·5 + 6·11 + 1
    assert told["loss"] == 91.0**2
    assert told["slopes"][0] == {"parameter": "W1[1,1]", "value": 1.0, "slope": 910.0, "felt": pytest.approx(910)}
    assert Image.open(io.BytesIO(out.read_bytes())).width > 500


def test_descent_nears_the_flow_as_its_step_shrinks():
    found = flow("x**2 + 3*y**2", [2, 1], step=0.05)
    # The exact flow of x² + 3y² from (2, 1): each coordinate decays on its own.
    exact = np.stack([2 * np.exp(-2 * found.times), np.exp(-6 * found.times)], axis=1)
    assert np.allclose(found.line, exact, atol=1e-6)
    ratios = np.array(found.distances[1:]) / np.array(found.distances[:-1])
    assert abs(ratios[-1] - 0.5) < 0.02
    assert len(found.angles) >= 8
    assert np.allclose(found.angles, 90, atol=0.01)
    assert Image.open(io.BytesIO(found.picture())).width > 500


def test_too_large_a_step_leaves_the_flow():
    found = flow("x**2", -2, step=1.5, halvings=3)
    assert found.distances[0] == float("inf")
    assert "leave it for good" in found.sentence
    assert Image.open(io.BytesIO(found.picture())).width > 500


def test_a_flow_without_a_bottom_says_so():
    assert "finds no bottom" in flow("x", 1, halvings=1).sentence


def test_flows_that_cannot_be_are_answered_in_a_sentence():
    with pytest.raises(InputError, match="no slope"):
        flow("x**2", 0)
    with pytest.raises(InputError, match="needs 2 numbers"):
        flow("x*y", 1)
    with pytest.raises(InputError, match="more than zero"):
        flow("x**2", 1, step=0)


def test_many_starts_find_all_bottoms():
    found = descend_from_many("x**4 - 3*x**2 + x", -2, 2, starts=16, step=0.02)
    # Where the slope 4x³ − 6x + 1 is zero and rising.
    roots = np.roots([4, 0, -6, 1])
    bottoms = sorted(r.real for r in roots if 12 * r.real**2 - 6 > 0)
    assert np.allclose(sorted(found.bottoms[:, 0]), bottoms, atol=1e-4)
    assert found.values[0] == min(found.values)
    assert min(found.ended) == 0
    assert Image.open(io.BytesIO(found.picture())).width > 500


def test_many_starts_in_a_sentence():
    with pytest.raises(InputError, match="smaller number to a larger"):
        descend_from_many("x**2", 3, -3)
    with pytest.raises(InputError, match="no number at any"):
        descend_from_many("log(x)", -3, -1)
    with pytest.raises(InputError, match="the same everywhere"):
        descend_from_many("3", -3, -1)
    assert "none of" in descend_from_many("x", -1, 1, starts=3, steps=5).sentence
    assert run(["descend", "x**2"]) == 2
    assert run(["descend", "x**2", "--starts", "3", "--range", "1"]) == 2
