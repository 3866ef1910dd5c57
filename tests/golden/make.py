"""Make the golden models of the present file format that are lacking: `python tests/golden/make.py`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

import warmer
from warmer import kinds
from warmer.model import FORMAT

HERE = Path(__file__).parent
SMALL = {"width": 8, "depth": 2, "epochs": 3, "precision": "fp32", "memory_format": "contiguous", "threads": 1}
INPUTS = {
    "digits": [np.arange(64.0).reshape(8, 8) % 17, np.eye(8) * 16],
    "iris": [{"sepal length (cm)": 5.1, "petal width (cm)": 0.2}, {"sepal length (cm)": 6.5}],
    "diabetes": [{"bmi": 0.05}, {"age": 0.01, "s5": -0.02}],
    "moods": ["good fine great", "poor and awful"],
    "reversed": ["a b c", "d d a"],
    "tones": [(0.5 * np.sin(np.arange(1200) * 2 * np.pi * hertz / 8000), 8000) for hertz in (310, 890)],
    "inverted": [np.arange(64.0).reshape(8, 8) % 17, np.eye(8) * 16],
    "discs": [np.pad(np.full((5, 5), 255, np.uint8), ((4, 3), (k, 7 - k))) for k in (1, 6)],
    "waves": [pd.DataFrame({"load": np.sin(np.arange(60) * np.pi / 6 + k)}) for k in range(2)],
}


def examples(name: str) -> tuple[object, dict[str, object]]:
    """Return the examples of that name, and further options."""
    generator = np.random.default_rng(0)
    if name == "moods":
        words = ["good", "fine", "great", "bad", "poor", "awful"]
        chosen = [(k % 2, generator.choice(words[3 * (k % 2) :][:3], 5)) for k in range(90)]
        return [(f"{' '.join(text)} {k}", "down" if side else "up") for k, (side, text) in enumerate(chosen)], {}
    if name == "reversed":
        texts = [" ".join(generator.choice(list("abcd"), generator.integers(2, 5))) for _ in range(300)]
        return [(text, text[::-1]) for text in texts], {"signature": "text -> text", "writer_width": 32, "epochs": 30}
    if name == "tones":
        hertz = [(300 if k % 2 else 900) + generator.uniform(-50, 50) for k in range(60)]
        tones = [(0.5 * np.sin(np.arange(1000 + 7 * k) * 2 * np.pi * h / 8000), 8000) for k, h in enumerate(hertz)]
        return [(tone, "low" if k % 2 else "high") for k, tone in enumerate(tones)], {}
    if name == "inverted":
        from sklearn.datasets import load_digits

        pictures = (load_digits().images[:120] * 15).astype(np.uint8)
        return [(one, 255 - one) for one in pictures], {"signature": "image -> image"}
    if name == "discs":
        cells = kinds.get("boxes").sample(0) + kinds.get("boxes").sample(1)
        fields = []
        for cell in cells:
            (_, left, top, right, bottom) = cell["boxes"][0]
            fields.append(np.zeros((12, 12), np.uint8))
            fields[-1][round(top) : round(bottom), round(left) : round(right)] = 255
        return list(zip(fields, cells, strict=True)), {"epochs": 40, "depth": 1}
    if name == "waves":
        load = np.sin(np.arange(240) * np.pi / 6) + 0.05 * generator.normal(size=240)
        return pd.DataFrame({"load": load}), {"horizon": 6, "past": 24, "y": "load"}
    return name, {}


def all_of(answer: object) -> list[object]:
    """Return the answers as a list, one or several."""
    return answer if isinstance(answer, list) else [answer]


def main() -> None:
    """Write a model and its answers for each kind of signature."""
    for name, inputs in INPUTS.items():
        if (HERE / f"{name}-{FORMAT}.safetensors").exists():
            continue
        source, options = examples(name)
        model = warmer.learn(source, **{**SMALL, **options}, advice=False)
        model.save(HERE / f"{name}-{FORMAT}.safetensors")
        answers = [[answer.value, answer.confidence] for x in inputs for answer in all_of(model(x))]
        (HERE / f"{name}-{FORMAT}.json").write_text(json.dumps(answers) + "\n")


if __name__ == "__main__":
    main()
