"""Pictures restored by what was learned from pairs, against filters that learn nothing: noise taken away, pixels put back.

    python benchmarks/restoring.py cats-dogs --minutes 6

Of each photo, cut to a square of 64 × 64, a noisy one is made (Gaussian noise of 25 of 255, as denoising papers have it), and one
of half the size. A median of 3 × 3 and a Gaussian of the best width on the training pictures stand beside the first, bicubic and
Lanczos scaling beside the second. PSNR on photos held back.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

import warmer
from warmer.scores import get

Pictures = NDArray[np.uint8]
SIDE, NOISE, HELD_BACK = 64, 25.0, 5


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="of photos, or of folders of photos")
    parser.add_argument("--minutes", type=float, default=6.0)
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    photos = squares(options.folder)
    unseen = np.arange(len(photos)) % HELD_BACK == 0
    draw = np.random.default_rng(0)
    noisy = np.clip(photos + draw.normal(0, NOISE, photos.shape), 0, 255).astype(np.uint8)
    small = scaled(photos, SIDE // 2, Image.Resampling.BICUBIC)
    common = {"signature": "image -> image", "minutes": options.minutes, "threads": options.threads, "advice": False}
    for what, given in (("noise", noisy), ("half the pixels", small)):
        model = warmer.learn((given[~unseen], photos[~unseen]), **common)
        made = np.stack([np.asarray(one.picture.convert("RGB")) for one in model(list(given[unseen]))])
        told = f"{what}: warmer {psnr(made, photos[unseen]):.2f} dB on {unseen.sum()} photos it never saw"
        print(told, *filtered(what, given, photos, unseen), sep=", ", flush=True)


def squares(folder: Path) -> Pictures:
    """Return the middles of all photos below, `[n, 64, 64, 3]`."""
    found = []
    for place in sorted(folder.rglob("*.jpg")):
        with Image.open(place) as photo:
            side = min(photo.size)
            left, top = (photo.width - side) // 2, (photo.height - side) // 2
            box = (left, top, left + side, top + side)
            found.append(np.asarray(photo.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=box)))
    return np.stack(found)


def scaled(photos: Pictures, side: int, method: Image.Resampling) -> Pictures:
    """Return pictures at another size."""
    return np.stack([np.asarray(Image.fromarray(one).resize((side, side), method)) for one in photos])


def filtered(what: str, given: Pictures, photos: Pictures, unseen: NDArray[np.bool_]) -> list[str]:
    """Return what filters reach, in words."""
    new, truth = given[unseen], photos[unseen]
    if what == "noise":
        widths = np.linspace(0.4, 1.2, 9)
        some = np.flatnonzero(~unseen)[:100]
        best = max(widths, key=lambda width: psnr(blurred(given[some], width), photos[some]))
        median = ndimage.median_filter(new, (1, 3, 3, 1))
        told = {"as it is": new, "median": median, f"Gaussian of {best:.1f}": blurred(new, best)}
    else:
        told = {
            "bicubic": scaled(new, SIDE, Image.Resampling.BICUBIC),
            "Lanczos": scaled(new, SIDE, Image.Resampling.LANCZOS),
        }
    return [f"{name} {psnr(one, truth):.2f} dB" for name, one in told.items()]


def blurred(pictures: Pictures, width: float) -> Pictures:
    """Return pictures under a Gaussian."""
    return ndimage.gaussian_filter(pictures.astype(np.float32), (0, width, width, 0)).round().astype(np.uint8)


def psnr(made: Pictures, truth: Pictures) -> float:
    """Return the mean peak signal-to-noise ratio in dB."""
    parts: list[Any] = [one.transpose(0, 3, 1, 2).astype(np.float32) / 255 for one in (made, truth)]
    return float(get("psnr")(*parts))


if __name__ == "__main__":
    main()
