"""Train the network that ships with the package, for painting and dreaming offline.

    python scripts/train_backbone.py CIFAR10_ZIP CATS_DOGS_FOLDER --out src/warmer/shipped/network.safetensors

A plain ConvNet (3×3 convolutions and poolings, as VGG has them) learns CIFAR-10's ten categories from its training photos and
from squares of 32 pixels, near and far, cut from larger photos of cats and dogs: those have textures that 32 pixels
cannot hold. It learns against an adversary: what such networks look for in a picture is what people see in it (Engstrom
et al. 2019, arXiv 1906.00945), and that is what dreams and painting draw. Each photo's cuts stay on one side of the split.
"""

from __future__ import annotations

import argparse
import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

import warmer
from warmer.cli._printer import Printer

SIDE = 32
CUTS = 8
LICENCE = (
    "weights: Apache-2.0; learned from CIFAR-10 (Krizhevsky 2009) and Asirra's cats and dogs, both for research use"
)


def small_photos(archive: str) -> list[tuple[np.ndarray, str, str]]:
    """Return (picture, label, photo) of an archive with one folder a category."""
    found = []
    with zipfile.ZipFile(archive) as opened:
        for name in sorted(opened.namelist()):
            if name.endswith((".jpg", ".png")):
                picture = Image.open(io.BytesIO(opened.read(name))).convert("RGB")
                found.append((np.asarray(picture), name.split("/")[-2], name))
    return found


def cut_photos(folder: str, generator: np.random.Generator) -> list[tuple[np.ndarray, str, str]]:
    """Return squares of larger photos, of random places and sizes, scaled to 32 pixels."""
    found = []
    for path in sorted(Path(folder).glob("*/*.jpg")):
        photo = Image.open(path).convert("RGB")
        for cut in range(CUTS):
            shorter = min(photo.size)
            side = shorter if cut == 0 else int(np.exp(generator.uniform(np.log(40), np.log(shorter))))
            left, top = (int(generator.integers(0, size - side + 1)) for size in photo.size)
            square = photo.crop((left, top, left + side, top + side)).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
            found.append((np.asarray(square), path.parent.name, str(path.relative_to(folder))))
    return found


def main() -> None:
    """Train, and write the model file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cifar10")
    parser.add_argument("cats_dogs")
    parser.add_argument("--out", default="network.safetensors")
    parser.add_argument("--epochs", type=float, default=12)
    parser.add_argument("--epsilon", type=float, default=4 / 255)
    parser.add_argument("--width", type=int, default=40)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--threads", type=int, default=0)
    chosen = parser.parse_args()
    cells = small_photos(chosen.cifar10) + cut_photos(chosen.cats_dogs, np.random.default_rng(0))
    frame = pd.DataFrame(cells, columns=["image", "label", "photo"])
    print(frame.label.value_counts())
    model = warmer.learn(
        frame, x="image", y="label", group="photo", robust=True, epsilon=chosen.epsilon, epochs=chosen.epochs,
        width=chosen.width, minutes=chosen.minutes, threads=chosen.threads,
        depth=3, activation="relu", label_smoothing=0.1, advice=False, listener=Printer(),
    )  # fmt: skip
    model.evidence.pop("mistakes")  # other people's pictures
    model.seen = None  # what it learned from does not matter to those who paint with it, and is a tenth of the file
    model.trail = None
    model.evidence["origin"] = "CIFAR-10 and squares of photos of cats and dogs"
    model.evidence["ledger"]["entries"] = []  # names of files that nobody else has
    model.evidence["licence"] = LICENCE
    print(model.save(chosen.out))


if __name__ == "__main__":
    main()
