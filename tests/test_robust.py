"""Training against an adversary, and what it is measured by."""

from __future__ import annotations

import pytest
import torch

import warmer
from warmer.cli.app import run
from warmer.errors import InputError
from warmer.training import adversary


def test_pushed_inputs_stay_near_and_raise_the_loss():
    weight = torch.tensor([1.0, -2.0, 0.5])
    x = torch.tensor([[0.5, 0.5, 0.98], [0.02, 0.01, 0.3]])
    found = adversary.pushed(lambda some: some @ weight, x, 0.1, 20, 0.02, torch.Generator().manual_seed(0))
    torch.testing.assert_close(found, torch.tensor([[0.6, 0.4, 1.0], [0.12, 0.0, 0.4]]))


def test_a_network_that_learned_to_resist_resists_more():
    wishes = {"epochs": 12, "epsilon": "0.1", "augment": False, "advice": False}
    hard = warmer.learn("digits", robust=True, **wishes)
    soft = warmer.learn("digits", **wishes)
    examples = warmer.examples.open("digits")
    shares = {}
    for name, model in (("hard", hard), ("soft", soft)):
        few = examples.take(range(0, len(examples), 20))
        cells, _ = model.cells(few)
        told = warmer.look(model).fool(*cells[:16], epsilon=0.1, steps=20)
        shares[name] = told.numbers["success"]
    assert shares["hard"] < shares["soft"]
    told = hard.evidence["robust"]
    assert told["value"] > 0.6
    assert told["value"] <= hard.evidence["scores"]["accuracy"]
    assert "each pixel may be changed by 25.5 of 255" in told["sentence"]
    assert any("accuracy_under_attack" in (moment.get("scores") or {}) for moment in hard.history)
    assert "robust" not in soft.evidence


def test_only_pictures_learned_from_nothing_can_resist(tmp_path, digits_model):
    with pytest.raises(InputError, match="`robust` is for pictures"):
        warmer.learn("iris", robust=True)
    place = digits_model.save(tmp_path / "d.safetensors")
    with pytest.raises(InputError, match="leave out --from, or robust"):
        warmer.learn("digits", start=place, robust=True)


def test_robust_networks_say_so_on_the_command_line(tmp_path, capsys):
    out = tmp_path / "r.safetensors"
    assert (
        run(["learn", "digits", "--out", str(out), "--set", "robust=yes", "--set", "epochs=1", "--set", "advice=no"])
        == 0
    )
    assert "Under attack: " in capsys.readouterr().err
    assert "Under attack: " in out.with_suffix(".html").read_text()
