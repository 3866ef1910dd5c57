"""Few rows: several networks, each kept from a part of the examples."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import warmer
from warmer.errors import InputError
from warmer.examples import _split
from warmer.networks.features import Features
from warmer.networks.folds import Folds, learning, unseen
from warmer.networks.mlp import EnsembleMLP


def noise(n=240, seed=0):
    """Rows whose answer has nothing to do with them."""
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame(generator.normal(size=(n, 6)), columns=list("abcdef"))
    frame["y"] = generator.permutation(np.repeat(["heads", "tails"], n // 2))
    return frame


def test_networks_side_by_side_answer_as_alone():
    torch.manual_seed(0)
    encoders = [EnsembleMLP(3, 8, 1, 2, 0.0, "relu") for _ in range(3)]
    x = torch.randn(5, 3)
    together = Folds(encoders)(x)
    assert together.members == 6
    split = together.pooled().unflatten(0, (-1, 6))
    for place, encoder in enumerate(encoders):
        alone = encoder(x).pooled().unflatten(0, (-1, 2))
        torch.testing.assert_close(split[:, 2 * place : 2 * place + 2], alone)


def test_networks_of_maps_stand_side_by_side_too():
    maps = Folds([nn.Conv2d(1, 4, 3), nn.Conv2d(1, 4, 3)])(torch.randn(2, 1, 8, 8)).maps
    assert [tuple(one.shape) for one in maps] == [(4, 4, 6, 6)]


def test_an_example_teaches_all_members_but_those_of_its_fold_and_is_judged_by_those():
    folds = torch.tensor([0, 2])
    assert learning(folds, 3, 6).tolist() == [False] * 2 + [True] * 4 + [True] * 4 + [False] * 2
    raw = torch.arange(12.0).view(2, 6)
    assert unseen(raw, folds, 3).tolist() == [[0, 1], [10, 11]]


def test_equal_examples_share_a_fold():
    hashes = np.array([5, 9, 5, 7, 11, 9], dtype=np.uint64)
    found = _split.deal(hashes, 2)
    assert found[0] == found[2]
    assert found[1] == found[5]
    assert sorted(np.unique(found)) == [0, 1]


def test_noise_learned_by_heart_is_seen_through():
    model = warmer.learn(noise(), y="y", epochs=40, patience=0, advice=False, dropout=0.0, learning_rate=0.02)
    assert model.plan.folds == 5
    last = [moment["scores"] for moment in model.history if moment.get("scores")][-1]
    assert last["log_loss"] > 0.69, "a member answered for an example that it had learned from"
    assert model.history[-1]["loss"] < 0.4
    assert model.evidence["examples"]["validation"] == 0


def test_a_model_of_folds_is_saved_and_opened(tmp_path):
    model = warmer.learn("iris", epochs=3, advice=False)
    again = warmer.load(model.save(tmp_path / "iris.safetensors"))
    row = {"sepal length (cm)": 5.1, "sepal width (cm)": 3.5, "petal length (cm)": 1.4, "petal width (cm)": 0.2}
    assert again(row) == model(row)
    start = warmer.learn("iris", start=tmp_path / "iris.safetensors", epochs=1)
    assert start.plan.folds == 5


def test_a_validation_part_of_its_own_is_respected():
    frame = noise()
    frame["split"] = (["train"] * 4 + ["validation", "test"]) * 40
    assert warmer.learn(frame, y="y", epochs=1).plan.folds == 1
    assert warmer.learn(noise(), y="y", epochs=1, validation_share=0.3).plan.folds == 1


def test_folds_that_cannot_be_are_refused():
    with pytest.raises(InputError, match="too few different examples for 500 folds"):
        warmer.learn(noise(), y="y", folds=500)

    class Own(nn.Module):
        def forward(self, x):
            return Features((x,))

    with pytest.raises(InputError, match="encoder of your own cannot be multiplied"):
        warmer.learn(noise(), y="y", encoder=Own(), folds=3)
    assert warmer.learn(noise(), y="y", encoder=Own(), epochs=1).plan.folds == 1
