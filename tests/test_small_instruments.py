"""Filter, neurons, collapse: what can be computed by hand is computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import warmer
from warmer import examples
from warmer.errors import InputError, UnknownName
from warmer.insight import filter as filters


@pytest.mark.parametrize("name", filters.KERNELS)
def test_a_convolution_is_moved_copies_added_up(name):
    weights = filters.matrix(name)
    plane = torch.rand(1, 1, 13, 17)
    with torch.no_grad():
        found = filters.convolution(weights)(plane)[0, 0]
    np.testing.assert_allclose(found.numpy(), filters.by_hand(plane[0, 0].double().numpy(), weights), atol=1e-5)


def test_known_kernels_do_what_they_are_called():
    flat = torch.full((1, 1, 9, 9), 0.7)
    for name in ("blur", "gaussian", "sharpen", "identity"):
        torch.testing.assert_close(filters.convolution(filters.matrix(name))(flat).detach(), flat)
    for name in ("edges", "laplacian", "vertical-edges", "horizontal-edges"):
        assert float(filters.convolution(filters.matrix(name))(flat).detach().abs().max()) < 1e-6
    step = torch.cat([torch.zeros(1, 1, 9, 4), torch.ones(1, 1, 9, 5)], 3)
    assert float(filters.convolution(filters.matrix("vertical-edges"))(step).detach().max()) == pytest.approx(4)
    assert float(filters.convolution(filters.matrix("horizontal-edges"))(step).detach().abs().max()) < 1e-6


def test_the_arithmetic_adds_up(digits_model):
    cell = np.arange(64, dtype=float).reshape(8, 8) / 4
    found = warmer.look(digits_model).filter(cell, kernel="0 1 0; 1 -4 1; 0 0 1/2", at="3,4")
    (sheet,) = found.sheets.values()
    products = [row[3] for row in sheet.rows[:9]]
    assert sheet.rows[9][3] == pytest.approx(sum(products))
    assert found.numbers["sum"] == pytest.approx(sum(products), abs=1e-3)
    assert products[4] == pytest.approx(-4 * sheet.rows[4][1])


def test_a_kernel_is_learned_from_pairs(digits_model):
    picture = np.random.default_rng(0).integers(0, 17, (40, 40)).astype(float)
    found = warmer.look(digits_model).filter(picture, kernel="sharpen", learn=True)
    assert found.numbers["off"] < 0.05


@given(st.text(alphabet="0123456789 .,;/-ea", max_size=60))
def test_any_text_is_a_matrix_or_a_sentence(text):
    try:
        found = filters.matrix(text)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert found.ndim == 2
        assert found.shape[0] % 2 == found.shape[1] % 2 == 1


def test_wrong_kernels_are_answered_with_a_sentence(digits_model):
    look, cell = warmer.look(digits_model), np.zeros((8, 8))
    with pytest.raises(UnknownName, match="did you mean `sharpen`"):
        look.filter(cell, kernel="sharpn")
    with pytest.raises(InputError, match="different length"):
        look.filter(cell, kernel="1 2 3; 4 5")
    with pytest.raises(InputError, match="so that it has a middle"):
        look.filter(cell, kernel="1 2; 3 4")
    with pytest.raises(InputError, match="there is no pixel 30,2"):
        look.filter(cell, at="30,2")
    with pytest.raises(InputError, match="smaller than the kernel"):
        look.filter(np.zeros((3, 3)), kernel="gaussian")


def test_neurons_by_hand(iris_model):
    cells, _ = iris_model.cells(examples.open("iris"))
    found = warmer.look(iris_model).neurons(cells[0])
    assert found.numbers["off"] < 1e-4
    small = warmer.learn("moons", epochs=2, members=1, folds=1, width=3, depth=1, advice=False)
    told = warmer.look(small).neurons({"x1": 0.5, "x2": 0.1})
    with torch.no_grad():
        answer = small.head.readout(
            small.network.features(warmer.insight.subject(small, ({"x1": 0.5, "x2": 0.1},)).batch).pooled()
        )
    assert told.numbers["outputs"] == pytest.approx(answer[0].tolist(), abs=1e-6)
    assert told.numbers["neurons"] == 3 + 2
    hidden = next(iter(told.sheets.values())).rows
    assert all(row[4] == max(0.0, row[2]) for row in hidden)


def test_layers_without_a_bend_collapse():
    stacked = nn.Sequential(
        nn.Flatten(1), nn.Linear(64, 30), nn.Linear(30, 20), nn.Linear(20, 15), nn.ReLU(), nn.Linear(15, 8)
    )
    model = warmer.learn("digits", encoder=stacked, epochs=1, advice=False)
    found = warmer.look(model).collapse()
    assert found.numbers["merged"] == 3  # the readout after the last layer has no bend before it either
    assert found.numbers["largest_difference"] < 1e-9
    assert found.numbers["parameters_after"] < found.numbers["parameters_before"]


def test_convolutions_take_in_their_normalisation(digits_model):
    found = warmer.look(digits_model).collapse()
    assert found.numbers["merged"] == 4
    assert found.numbers["largest_difference"] < 1e-9


def test_a_maximum_keeps_a_normalisation_apart_that_turns_signs():
    class Turned(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)
            nn.init.constant_(self.norm.weight, -1.0)

        def forward(self, x):
            return torch.relu(self.norm(nn.functional.max_pool2d(self.conv(x), 2)))

    model = warmer.learn("digits", encoder=Turned(), epochs=1, learning_rate=1e-6, advice=False)
    assert warmer.look(model).collapse().numbers["merged"] == 0
