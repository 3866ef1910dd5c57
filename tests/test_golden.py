"""Models of every format version open for ever and answer what they answered."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

import warmer

GOLDEN = Path(__file__).parent / "golden"
INPUTS = runpy.run_path(str(GOLDEN / "make.py"))["INPUTS"]


@pytest.mark.parametrize("place", sorted(GOLDEN.glob("*.safetensors")), ids=lambda place: place.stem)
def test_a_golden_model_opens_and_answers_the_same(place):
    model = warmer.load(place)
    expected = json.loads(place.with_suffix(".json").read_text())
    inputs = INPUTS[place.stem.rpartition("-")[0]]
    for x, (value, confidence) in zip(inputs, expected, strict=True):
        answer = model(x)
        assert answer.value == (pytest.approx(value, rel=1e-4) if isinstance(value, float) else value)
        assert answer.confidence == pytest.approx(confidence, abs=1e-4)


def test_there_is_one_for_each_signature():
    from warmer.model import FORMAT

    assert {place.name for place in GOLDEN.glob(f"*-{FORMAT}.safetensors")} == {
        f"{n}-{FORMAT}.safetensors" for n in INPUTS
    }
