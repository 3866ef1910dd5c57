"""Models of every format version open for ever and answer what they answered."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

import warmer

GOLDEN = Path(__file__).parent / "golden"
MAKE = runpy.run_path(str(GOLDEN / "make.py"))
INPUTS, ALL_OF = MAKE["INPUTS"], MAKE["all_of"]


@pytest.mark.parametrize("place", sorted(GOLDEN.glob("*.safetensors")), ids=lambda place: place.stem)
def test_a_golden_model_opens_and_answers_the_same(place):
    model = warmer.load(place)
    expected = json.loads(place.with_suffix(".json").read_text())
    inputs = INPUTS[place.stem.rpartition("-")[0]]
    answers = [answer for x in inputs for answer in ALL_OF(model(x))]
    for answer, (value, confidence) in zip(answers, expected, strict=True):
        assert_alike(answer.value, value)
        assert answer.confidence == pytest.approx(confidence, abs=1e-4)


def assert_alike(found, wanted):
    """Numbers agree to a ten-thousandth, wherever they stand; all else is the same."""
    if isinstance(wanted, list):
        assert len(found) == len(wanted)
        for a, b in zip(found, wanted, strict=True):
            assert_alike(a, b)
    elif isinstance(wanted, dict):
        assert set(found) == set(wanted)
        for name, value in wanted.items():
            assert_alike(found[name], value)
    else:
        assert found == (pytest.approx(wanted, rel=1e-4, abs=1e-3) if isinstance(wanted, float) else wanted)


def test_there_is_one_for_each_signature():
    from warmer.model import FORMAT

    assert {place.name for place in GOLDEN.glob(f"*-{FORMAT}.safetensors")} == {
        f"{n}-{FORMAT}.safetensors" for n in INPUTS
    }
