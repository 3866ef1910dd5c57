"""The seams: a kind, an encoder and a loss from outside the package, without a change inside."""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import warmer
from warmer import kinds
from warmer.errors import NotAModel
from warmer.report import page

sys.path.insert(0, str(Path(__file__).parent / "outside"))


@pytest.fixture(params=["call", "entry point"])
def clock(request, monkeypatch):
    module = importlib.import_module("clock")
    if request.param == "call":
        monkeypatch.setitem(kinds._registered, "clock", module.Clock)
    else:
        point = EntryPoint("clock", "clock", "warmer.kinds")
        monkeypatch.setattr(kinds, "_outsiders", lambda: {"clock": point})
    return module


def table(n=600):
    """Sunlight by the time of day, and the shift that works then."""
    minutes = np.random.default_rng(0).integers(0, 1440, n)
    angle = minutes * 2 * np.pi / 1440
    noise = np.random.default_rng(1).normal(0, 0.05, (2, n))
    return pd.DataFrame(
        {
            "light": -np.cos(angle) + noise[0],
            "drift": np.sin(angle) + noise[1],
            "time": [f"{m // 60:02d}:{m % 60:02d}" for m in minutes],
            "shift": np.where((minutes > 360) & (minutes < 1080), "day", "night"),
        }
    )


def test_an_outsiders_kind_is_recognised_and_learned_as_y(clock, tmp_path):
    model = warmer.learn(table(), y="time", x=["light", "drift"], epochs=30)
    assert str(model.signature) == "row -> clock"
    assert model.evidence["scores"]["minutes_off"] < 25
    assert model.evidence["baselines"]["constant"]["scores"]["minutes_off"] > 200
    assert "minutes_off" in page(model)
    again = warmer.load(model.save(tmp_path / "clock.safetensors"))
    row = {"light": 1.0, "drift": 0.0}
    assert again(row).value == model(row).value
    assert again(row).value[:2] in ("11", "12")


def test_an_outsiders_kind_as_x(clock):
    model = warmer.learn(table(), y="shift", x="time", epochs=20)
    assert [d["kind"] for d in model.evidence["columns"] if d["column"] == "time"] == ["clock"]
    assert model.evidence["scores"]["accuracy"] > 0.95
    assert model({"time": "23:50"}).value == model({"time": "00:10"}).value == "night"
    assert "confus" in page(model) or "taken for what" in page(model)


def test_an_outsiders_bad_cell_is_listed(clock):
    frame = table()
    frame.loc[3, "time"] = "25:99"
    model = warmer.learn(frame, y="shift", x="time", columns={"time": "clock"}, epochs=5)
    entries = model.evidence["ledger"]["entries"]
    assert any("no time of day" in entry["reason"] and entry["example"] == "row 4" for entry in entries)


class Own(nn.Module):
    """Somebody's own encoder; returns a bare tensor."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3), nn.ReLU()
        )

    def forward(self, x):
        return self.body(x)


def test_an_encoder_of_ones_own(tmp_path):
    settings = {"optimizer": "adamw", "learning_rate": 3e-3}
    model = warmer.learn("digits", encoder=Own(), epochs=24, **settings)
    assert isinstance(model.network.encoder, Own)
    assert model.evidence["scores"]["accuracy"] > 0.9
    place = model.save(tmp_path / "own.safetensors")
    with pytest.raises(NotAModel, match="encoder of somebody's own"):
        warmer.load(place)
    again = warmer.load(place, encoder=Own())
    picture = np.random.default_rng(0).integers(0, 16, (8, 8)).astype(float)
    assert again(picture) == model(picture)


def test_a_loss_of_ones_own():
    calls = []

    def absolute(outputs, targets):
        calls.append(len(targets))
        return (outputs.squeeze(-1) - (targets - 150) / 75).abs()

    model = warmer.learn("diabetes", loss=absolute, epochs=20)
    assert calls
    assert torch.isfinite(torch.tensor(model.evidence["scores"]["mae"]))
    assert model.evidence["scores"]["mae"] < model.evidence["baselines"]["constant"]["scores"]["mae"]
