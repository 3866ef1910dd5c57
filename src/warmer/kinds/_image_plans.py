"""What pictures are learned well with, by their size and number."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from warmer.plan import Proposal

_FINE = 72
_COMMON: dict[str, tuple[Any, str]] = {
    "optimizer": ("muon", "orthogonalised steps on filters: fewer epochs"),
    "label_smoothing": (0.1, "keeps a network from being too sure"),
    "warmup": (0.0, "not needed with these steps"),
    "cooldown": (0.999, "learning rate falls from the start"),
    "clip": (0.0, "orthogonalised steps have a fixed size"),
    "patience": (0, "the plan's length is short already"),
    "validations": (12, "times the validation pictures are scored, at the most"),
}


def paired(side: int, n: int) -> Proposal:
    """Propose a U-Net, for pictures that are answered with pictures."""
    return {
        "optimizer": ("adamw", "for networks that make pictures"),
        "learning_rate": (1e-3, "for networks that make pictures"),
        "weight_decay": (0.01, "pull towards zero"),
        "epochs": (float(np.clip(40_000 / n, 4, 100)), f"about 40,000 pictures seen with {n:,} to learn from"),
        "batch": (16, "pictures a step"),
        "width": (24, "channels of the finest level"),
        "depth": (4 if side >= 32 else 3, "levels"),
        "cooldown": (0.5, "share of the steps in which the learning rate falls"),
        "validations": (12, "times the validation pictures are made, at the most"),
    }


def criticised(follows: float, n: int) -> Proposal:
    """Propose rivals, for pictures of which a pixel says but the share `follows` of what its answer is."""
    why = f"a pixel says {max(0.0, follows):.0%} of what its answer is, so the mean of all that is possible would be a blur"
    return {
        "critic": (True, why),
        "momentum": (0.5, "rivals change their mind often"),
        "clip": (0.0, "the critic's gradients are kept small by its norm"),
        "learning_rate": (4e-4, "for rivals"),
        "advice": (False, "short runs say little about pictures"),
        "epochs": (float(np.clip(60_000 / n, 4, 200)), f"about 60,000 pictures seen with {n:,} to learn from"),
        "batch": (8, "pictures a step"),
        "width": (32, "channels of the finest level"),
        "depth": (5, "levels: a critic asks for sense over the whole picture"),
        "dropout": (0.1, "silenced activations"),
    }


def told(n: int) -> Proposal:
    """Propose an autoencoder, for pictures that have to be told through a few numbers."""
    return {
        "optimizer": ("adamw", "for networks that make pictures"),
        "learning_rate": (2e-3, "for networks that make pictures"),
        "weight_decay": (0.01, "pull towards zero"),
        "epochs": (float(np.clip(300_000 / n, 5, 200)), f"about 300,000 pictures seen with {n:,} to learn from"),
        "batch": (64, "pictures a step"),
        "width": (32, "channels of the finest level"),
        "cooldown": (0.6, "share of the steps in which the learning rate falls"),
        "validations": (10, "times the validation pictures are made, at the most"),
        "advice": (False, "short runs say little about pictures"),
    }


def generated(method: str, n: int) -> Proposal:
    """Propose what making pictures out of noise is learned well with."""
    seen = 600_000 if method != "vae" else 400_000
    return {
        "optimizer": ("adamw", "for networks that make pictures"),
        "learning_rate": (1e-3, "for networks that make pictures"),
        "momentum": (0.0 if method == "gan" else 0.9, "rivals do best without" if method == "gan" else "as usual"),
        "weight_decay": (0.0 if method == "gan" else 0.01, "pull towards zero"),
        "epochs": (float(np.clip(seen / n, 5, 400)), f"about {seen:,} pictures seen with {n:,} to learn from"),
        "batch": (128 if n > 5000 else 64, "pictures a step"),
        "width": (32 if method == "flow" else 24, "channels of the finest level"),
        "warmup": (0.03, "share of the steps in which the learning rate climbs"),
        "cooldown": (0.6, "share of the steps in which it falls"),
        "clip": (0.0 if method == "gan" else 1.0, "largest norm of the gradient"),
        "validations": (3, "times pictures are made and judged, at the most"),
        "advice": (False, "short runs say little about pictures"),
        "members": (1, "one network"),
        "folds": (1, "one network"),
        "patience": (0, "what pictures look like is not seen in their score"),
    }


def whole(side: int, n: int) -> Proposal:
    """Propose a ConvNet that keeps what lies where, for pictures that are answered in words."""
    return {
        **_COMMON,
        "optimizer": ("muonw", "orthogonalised steps: it is found out sooner where to look"),
        "epochs": (float(np.clip(120_000 / n, 8, 90)), f"about 120,000 pictures seen with {n:,} to learn from"),
        "batch": (64, "pictures a step"),
        "width": (32, "channels of the first group"),
        "depth": (3 if side >= 20 else 2, "groups of two convolutions: what lies where stays to be seen"),
        "stride": (1 if side <= _FINE else 2, "step of the first convolution"),
        "dropout": (0.1, "silenced channels"),
    }


def located(n: int) -> Proposal:
    """Propose a ConvNet for pictures of which the answer says what lies where."""
    return {
        "width": (32, "channels of the first group"),
        "depth": (4, "groups of two convolutions"),
        "stride": (2, "step of the first convolution"),
        "dropout": (0.1, "silenced channels"),
    }


def large(n: int) -> Proposal:
    """Propose a ConvNet for photos."""
    return {
        **_COMMON,
        "epochs": (float(np.clip(90_000 / n, 8, 90)), f"about 90,000 pictures seen with {n:,} to learn from"),
        "batch": (32 if n < 3000 else 64, "pictures a step"),
        "learning_rate": (0.06, "found on photos of this size"),
        "weight_decay": (0.02, "pull towards zero"),
        "width": (32, "channels of the first group"),
        "depth": (4, "groups of two convolutions"),
        "stride": (2, "step of the first convolution"),
        "dropout": (0.1, "silenced channels"),
        "pooling": ("mean", "over the whole picture"),
    }


def small(side: int, colour: bool, n: int, minutes: float | None) -> Proposal:
    """Propose a ConvNet for pictures of up to 48 pixels a side."""
    seen = (400_000 if colour or n > 10_000 else 150_000) if side > 16 else 60_000
    # Below about six minutes on two cores a narrower network gets further.
    many = colour and n > 10_000 and (minutes is None or minutes >= 6)
    batch = int(np.clip(2 ** round(math.log2(max(n / 60, 1))), 64, 512 if colour else 256))
    rate = (0.24, "airbench's") if n > 5000 else (0.12, "half of airbench's: smaller batches, where pictures are few")
    width = 32 if colour else 24
    if many:
        width = 64 if minutes is not None and minutes < 20 else 80 if minutes is None or minutes < 40 else 96
    return {
        **_COMMON,
        "label_smoothing": (0.2 if many else 0.1, "keeps a network from being too sure"),
        "epochs": (float(np.clip(seen / n, 3, 60)), f"about {seen:,} pictures seen with {n:,} to learn from"),
        "batch": (batch, "pictures a step"),
        "learning_rate": rate,
        "weight_decay": (0.0, "filters are kept at a fixed length"),
        "width": (width, "channels of the first group" + (", wide for so many pictures" if many else "")),
        "depth": (3 if side >= 20 else 2, "groups of two convolutions"),
        "activation": ("gelu" if many else "relu", "a smoother bend" if many else "the quickest"),
    }
