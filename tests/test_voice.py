"""Sounds as answers."""

from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd
import pytest
import torch

import warmer
from warmer.cli.app import run
from warmer.kinds._speaking import packed, unpacked
from warmer.networks.voice import Spectrum, Voice

HERTZ = {"low": 300, "high": 900}


@pytest.fixture(scope="module")
def tones():
    """Two notes by two players: one plays short and one long."""
    generator = np.random.default_rng(0)
    rows = []
    for k in range(160):
        note, player = ("low", "high")[k % 2], ("short", "long")[k // 2 % 2]
        n = int((900 if player == "short" else 2400) * generator.uniform(0.9, 1.1))
        times = np.arange(n) / 8000
        rows.append((note, player, (0.5 * np.sin(2 * np.pi * HERTZ[note] * times + generator.uniform(0, 6)), 8000)))
    return pd.DataFrame(rows, columns=["note", "player", "sound"])


@pytest.fixture(scope="module")
def playing(tones):
    return warmer.learn(
        tones, y="sound", x=["note", "player"], epochs=16, voice_width=48, advice=False, learning_rate=3e-3
    )


def loudest(data):
    import soundfile

    samples, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return spectrum.argmax() * rate / len(samples), len(samples)


def test_the_note_asked_for_is_played(playing):
    found = {
        (note, player): loudest(playing({"note": note, "player": player}).made)
        for note in HERTZ
        for player in ("short", "long")
    }
    for (note, player), (hertz, samples) in found.items():
        assert hertz == pytest.approx(HERTZ[note], abs=70)
        assert samples == pytest.approx(900 if player == "short" else 2400, rel=0.3)
    evidence = playing.evidence
    assert evidence["scores"]["spectral_error"] < 0.6 * evidence["baselines"]["constant"]["scores"]["spectral_error"]
    assert evidence["made"][0]["said"].keys() == {"note", "player"}


def test_equal_inputs_with_many_answers_are_no_contradiction(playing):
    assert not any("contradictory" in action for action in playing.evidence["ledger"]["counts"])
    assert playing.evidence["examples"]["test"] > 10


def test_predict_writes_wav_files(playing, tmp_path, capsys):
    import soundfile

    place = playing.save(tmp_path / "player.safetensors")
    row = json.dumps({"note": "high", "player": "long"})
    assert run(["predict", str(place), row, "--out", str(tmp_path / "made"), "--json"]) == 0
    written = json.loads(capsys.readouterr().out)["value"]
    assert written.endswith(".wav")
    samples, rate = soundfile.read(written)
    assert rate == 8000
    assert np.abs(samples).max() > 0.1


def test_a_spectrum_becomes_the_sound_it_was():
    spectrum = Spectrum(8000)
    times = torch.arange(6400) / 8000
    sound = 0.3 * torch.sin(2 * torch.pi * 440 * times) + 0.2 * torch.sin(2 * torch.pi * 1500 * times)
    logs = spectrum(sound.unsqueeze(0))[0]
    again = spectrum(spectrum.sound(logs).unsqueeze(0))[0]
    few = min(logs.shape[1], again.shape[1])
    inner = slice(4, few - 4)
    assert float((logs[:, inner].exp() - again[:, inner].exp()).abs().mean()) < 0.1 * float(logs.exp().mean())


def test_lengths_survive_being_packed():
    arrays = [np.arange(5, dtype=np.int16), np.full(70_000, 3, dtype=np.int16)]
    samples, lengths = unpacked(packed(arrays))
    assert lengths.tolist() == [5, 70_000]
    assert samples.shape == (2, 70_000)
    assert samples[0, 4] == pytest.approx(4 / 32767)
    assert not samples[0, 5:].any()


def test_padding_changes_nothing_that_is_said():
    torch.manual_seed(0)
    voice = Voice(8, 17, 32).eval()
    memory, mask = torch.randn(2, 3, 32), torch.tensor([[1, 1, 0], [1, 1, 1]]) > 0
    how = torch.zeros(2, 16)
    both = voice(memory, mask, how, torch.tensor([6, 20]))
    alone = voice(memory[:1, :2], mask[:1, :2], how[:1], torch.tensor([6]))
    assert torch.allclose(both[:1, :, :6], alone, atol=1e-4)
