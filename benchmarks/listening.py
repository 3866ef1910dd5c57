"""Recordings turned into log-mel spectrograms a second, against librosa: the same windows, steps and bands.

    python benchmarks/listening.py spoken-digits

Both begin with decoded samples. librosa takes recordings one by one, as its users do; ours come in batches of 64, padded, as in
training. librosa's first call compiles for a quarter of a minute and is not counted. That both hear the same is checked: the
correlation of all columns is printed.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import torch
from _runs import by_turns, told
from numpy.typing import NDArray

from warmer.kinds import _sound
from warmer.networks.sound import LogMel

AT_ONCE, MELS = 64, 40


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="of recordings")
    parser.add_argument("--n", type=int, default=1024, help="recordings")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    places = [place for place in sorted(options.folder.iterdir()) if place.name.lower().endswith(_sound.SUFFIXES)]
    heard = [_sound.read(place) for place in places[: options.n]]
    rate = heard[0][1]
    sounds = [samples for samples, _ in heard]
    mel = LogMel(rate, MELS)
    same = np.corrcoef(
        *(np.concatenate([one.ravel() for one in some]) for some in (ours(mel, sounds), peers(mel, rate, sounds)))
    )
    print(f"{len(sounds)} recordings, {sum(map(len, sounds)) / rate:.0f} s in all; correlation {same[0, 1]:.4f}")
    runs = {
        "warmer": lambda: len(ours(mel, sounds)),
        "librosa": lambda: len(peers(mel, rate, sounds)),
    }
    print(told("recordings turned into spectrograms", by_turns(runs, options.rounds, 2.0)))


@torch.inference_mode()
def ours(mel: LogMel, sounds: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """Return spectrograms `[bands, columns]`, by batches of sounds of like length."""
    order = np.argsort([len(one) for one in sounds], kind="stable")
    found: list[Any] = [None] * len(sounds)
    for rows in np.array_split(order, max(1, len(order) // AT_ONCE)):
        batch = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(sounds[row]) for row in rows], batch_first=True)
        for row, one in zip(rows, mel(batch).numpy(), strict=True):
            found[row] = one[:, : mel.columns(len(sounds[row]))]
    return found


def peers(mel: LogMel, rate: int, sounds: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """Return the same by librosa, one after another."""
    found = []
    for sound in sounds:
        power = librosa.feature.melspectrogram(
            y=sound, sr=rate, n_fft=mel.size, hop_length=mel.hop, win_length=mel.width, n_mels=MELS, fmin=20.0,
            htk=True, center=True, pad_mode="constant",
        )  # fmt: skip
        found.append(librosa.power_to_db(power, amin=1e-6, top_db=None)[:, : mel.columns(len(sound))])
    return found


if __name__ == "__main__":
    main()
