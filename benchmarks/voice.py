"""A voice for spoken digits, judged by networks that learned from real recordings alone.

    python benchmarks/voice.py FOLDER [--out FOLDER] [--epochs 24]

FOLDER holds the recordings and `metadata.csv` (file_name, text, speaker). Three models learn, with their defaults but for
`--epochs` of the voice: which digit it is, who speaks, and the voice (text and speaker in, sound out). Then every digit is said
in every speaker's voice, and the first two say what they hear.
"""

from __future__ import annotations

import argparse
import io
import itertools
import time
from pathlib import Path

import soundfile

import warmer


def main() -> None:
    """Learn three models, let one speak and two listen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--out", type=Path, help="where to write what is said")
    parser.add_argument("--epochs", type=float, help="of the voice; default: its own")
    chosen = parser.parse_args()
    listeners = {y: learned(chosen.folder, y, "audio -> category") for y in ("text", "speaker")}
    wishes = {"epochs": chosen.epochs} if chosen.epochs else {}
    voice = learned(chosen.folder, "file_name", None, ["text", "speaker"], **wishes)
    labels = {name: model.y.labels for name, model in listeners.items()}
    right = dict.fromkeys(listeners, 0)
    pairs = list(itertools.product(labels["text"], labels["speaker"]))
    for text, speaker in pairs:
        answer = voice({"text": text, "speaker": speaker})
        samples, rate = soundfile.read(io.BytesIO(answer.made), dtype="float32")
        asked = {"text": text, "speaker": speaker}
        for name, model in listeners.items():
            right[name] += model((samples, rate)).value == asked[name]
        if chosen.out:
            chosen.out.mkdir(parents=True, exist_ok=True)
            (chosen.out / f"{text}-{speaker}.wav").write_bytes(answer.made)
    for name, count in right.items():
        print(f"{name}: as asked in {count} of {len(pairs)} sounds ({count / len(pairs):.1%})")


def learned(folder: str, y: str, signature: str | None, x: list[str] | None = None, **wishes: float) -> warmer.Model:
    """Return a model, and print how good it is."""
    start = time.perf_counter()
    model = warmer.learn(folder, y=y, x=x or (), signature=signature, advice=False, **wishes)
    print(f"{model.signature}, {y}: {model.evidence['sentence']} ({time.perf_counter() - start:.0f} s)", flush=True)
    return model


if __name__ == "__main__":
    main()
