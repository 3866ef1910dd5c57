"""Make the golden models of the present file format: `python tests/golden/make.py`. Never make an old format's anew."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

import warmer
from warmer.model import FORMAT

HERE = Path(__file__).parent
SMALL = {"width": 8, "depth": 2, "epochs": 3, "precision": "fp32", "memory_format": "contiguous", "threads": 1}
INPUTS = {
    "digits": [np.arange(64.0).reshape(8, 8) % 17, np.eye(8) * 16],
    "iris": [{"sepal length (cm)": 5.1, "petal width (cm)": 0.2}, {"sepal length (cm)": 6.5}],
    "diabetes": [{"bmi": 0.05}, {"age": 0.01, "s5": -0.02}],
}


def main() -> None:
    """Write a model and its answers for each kind of signature."""
    for name, inputs in INPUTS.items():
        model = warmer.learn(name, **SMALL)
        model.save(HERE / f"{name}-{FORMAT}.safetensors")
        answers = [[answer.value, answer.confidence] for answer in (model(x) for x in inputs)]
        (HERE / f"{name}-{FORMAT}.json").write_text(json.dumps(answers) + "\n")


if __name__ == "__main__":
    main()
