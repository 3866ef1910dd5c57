"""Does a critic make pictures more real? The same U-Net with it and by pixel errors alone, on pairs neither ever saw.

    python benchmarks/pairs.py facades/train facades/val --minutes 10

Each folder holds two folders of pictures with the same names, `drawing` and `photo`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

import warmer
from warmer.scores import get


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("training", type=Path)
    parser.add_argument("unseen", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    drawings = sorted((options.unseen / "drawing").iterdir())
    truths = [np.asarray(Image.open(options.unseen / "photo" / place.name).convert("RGB")) for place in drawings]
    found = {}
    for method in ("critic", "error"):
        model = warmer.learn(
            (options.training / "drawing", options.training / "photo"),
            method=method, minutes=options.minutes, threads=options.threads, width=32, depth=5, advice=False,
        )  # fmt: skip
        size = (model.y.width, model.y.height)
        made = [np.asarray(model(str(place)).picture.convert("RGB")) for place in drawings]
        true = [np.asarray(Image.fromarray(one).resize(size, Image.Resampling.BICUBIC)) for one in truths]
        a, b = (np.stack(some).transpose(0, 3, 1, 2).astype(np.float32) / 255 for some in (made, true))
        found[method] = get("frechet")(a, b)
        print(
            f"{method}: Fréchet {found[method]:.2f}, {get('psnr')(a, b):.2f} dB on {len(a)} pairs it never saw",
            flush=True,
        )
    print(f"with the critic {1 - found['critic'] / found['error']:.0%} less far from real ones")


if __name__ == "__main__":
    main()
