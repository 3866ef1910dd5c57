"""A run that is killed goes on to the very weights it would have had."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

import warmer
from warmer.errors import InputError
from warmer.training.loop import Descent

SETTINGS = {"epochs": 4, "precision": "fp32", "memory_format": "contiguous", "threads": 1}

CODE = """
import os, signal, sys
import warmer
from warmer.training.loop import Descent

class Killer:
    def recognised(self, *args): ...
    def planned(self, *args): ...
    def noted(self, *args): ...
    def judged(self, *args): ...
    def moment(self, moment):
        if moment.step == {step}:
            os.kill(os.getpid(), signal.SIGKILL)

Descent.CHECKPOINT_EVERY = {every}
warmer.learn({examples!r}, checkpoint=sys.argv[1], listener=Killer(), **{settings})
"""


def killed(place, examples, step, every, **more):
    """Start a run in a process of its own that kills itself after a step."""
    code = CODE.format(step=step, every=every, settings={**SETTINGS, **more}, examples=examples)
    found = subprocess.run([sys.executable, "-c", code, str(place)], check=False)
    assert found.returncode == -signal.SIGKILL
    return place


@pytest.mark.parametrize(("examples", "step"), [("digits", 61), ("iris", 5)])
def test_a_killed_run_goes_on_to_the_same_weights(tmp_path, examples, step):
    whole = warmer.learn(examples, **SETTINGS)
    place = killed(tmp_path / "run.resume", examples, step, every=0.02)
    assert place.exists(), "killed before the first checkpoint"
    resumed = warmer.learn(examples, checkpoint=place, resume=True, **SETTINGS)
    for (name, a), b in zip(whole.network.state_dict().items(), resumed.network.state_dict().values(), strict=True):
        assert torch.equal(a, b) or (a.isnan() & b.isnan()).all(), name
    assert whole.evidence["scores"] == resumed.evidence["scores"]


def test_a_killed_translator_goes_on_to_the_same_weights(tmp_path):
    """Its steps are made of orthogonalised momentum, and its words are cut in other ways at random."""
    one, other = tmp_path / "a.txt", tmp_path / "b.txt"
    words = ["the cat", "a bird", "one small stone", "sits", "sings on the tree", "lies here"]
    texts = [f"{words[k % 3]} {words[3 + k // 3 % 3]} {k}" for k in range(90)]
    one.write_text("\n".join(texts))
    other.write_text("\n".join(text[::-1] for text in texts))
    more = {
        "signature": "text -> text", "cut": "parts", "width": 32, "depth": 1, "writer_width": 32, "writer_depth": 1,
        "batch": 8, "beams": 1, "advice": False, "joins_left_out": 0.1, "optimizer": "muonw",
    }  # fmt: skip
    whole = warmer.learn((str(one), str(other)), **SETTINGS, **more)
    place = killed(tmp_path / "run.resume", (str(one), str(other)), 17, every=0.0, **more)
    resumed = warmer.learn((str(one), str(other)), checkpoint=place, resume=True, **SETTINGS, **more)
    for (name, a), b in zip(whole.network.state_dict().items(), resumed.network.state_dict().values(), strict=True):
        assert torch.equal(a, b), name


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    place = killed(tmp_path / "run.resume", "iris", 5, every=0.0)
    with pytest.raises(InputError, match="examples are not those"):
        warmer.learn("wine", checkpoint=place, resume=True, **SETTINGS)
    with pytest.raises(InputError, match="`batch` was"):
        warmer.learn("iris", checkpoint=place, resume=True, **SETTINGS, batch=7)


class Interrupting:
    """A listener that presses Ctrl-C at a step."""

    def __init__(self, step):
        self.step, self.steps = step, 0

    def recognised(self, *args): ...
    def planned(self, *args): ...
    def noted(self, *args): ...
    def judged(self, *args): ...
    def moment(self, moment):
        self.steps = moment.step
        if moment.step == self.step:
            signal.raise_signal(signal.SIGINT)


def test_ctrl_c_keeps_the_best_and_finishes():
    assert threading.current_thread() is threading.main_thread()
    listener = Interrupting(60)
    model = warmer.learn("digits", listener=listener, **SETTINGS)
    assert 60 <= listener.steps <= 61
    assert model.evidence["scores"]["accuracy"] > model.evidence["baselines"]["constant"]["scores"]["accuracy"]


def test_a_checkpoint_is_no_model(tmp_path):
    place = killed(tmp_path / "run.resume", "iris", 5, every=0.0)
    with pytest.raises(InputError, match="unfinished run"):
        warmer.load(Path(place))
    assert Descent.CHECKPOINT_EVERY == 20.0
