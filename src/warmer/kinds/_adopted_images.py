"""Pretrained image networks as fitted image kinds: sizes, channel statistics and, where they answer, their categories."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from warmer.errors import NoAnswers
from warmer.kinds._contract import Adopted
from warmer.kinds.category import Category
from warmer.networks import hub, pretrained
from warmer.networks.pretrained import WITH_CLASSIFIER
from warmer.networks.weights import Weights, first, numbers

if TYPE_CHECKING:
    from warmer.kinds.image import Image

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's channels
# 288 for 224: features of larger pictures tell more apart (FixRes, Touvron et al. 2019, arXiv 1906.06423).
_LARGER = 9 / 7
_POOLED = {"pooling": ("mean", "as the pretrained network has it")}
_RESAMPLING = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}


def adopt(kind: type[Image], weights: Weights, answering: bool) -> Adopted | None:
    """Return the network in a file as an image encoder, or None if it is none that is known."""
    if hub.claims(weights.config):
        return _from_transformers(kind, weights, answering)
    name = pretrained.claim(weights.tensors)
    return _known(kind, weights, name, answering) if name else None


def _known(kind: type[Image], weights: Weights, name: str, answering: bool) -> Adopted:
    """Return one of the architectures in `networks/pretrained`."""
    module = pretrained.get(name)
    tensors = {key: tensor.float() for key, tensor in weights.tensors.items()}
    last = module.CLASSIFIER
    own = {key for key in tensors if last and key.startswith(f"{last}.")}
    inside = answering and "classifier" in module.encoder.__annotations__  # its last layer is part of the map
    if answering and not own:
        raise NoAnswers(f"`{weights.name}` ({name}) gives no answers of its own; learn with --from it instead")
    trained = int(numbers(first(weights.config, weights.metadata, "input_size"), (224.0,))[-1])
    crop = float(first(weights.config, weights.metadata, "crop_pct") or 0.875)
    side = trained if answering else round(trained * _LARGER / 32) * 32
    fitted = kind(
        channels=3,
        height=side,
        width=side,
        shorter=1 / crop if answering else 1.0,
        mean=numbers(first(weights.config, weights.metadata, "mean"), _MEAN),
        deviation=numbers(first(weights.config, weights.metadata, "std"), _DEVIATION),
        resample=str(first(weights.config, weights.metadata, "interpolation") or "bicubic"),
        backbone=name + (WITH_CLASSIFIER if inside else ""),
        flips=False if answering else None,
        views=not answering,
    )
    body = {f"body.{key}": tensor for key, tensor in tensors.items() if key not in own or inside}
    body |= {f"normalise.{key}": t for key, t in _constants(fitted).items()}
    answers, head = None, {}
    if answering:
        count = tensors[f"{last}.bias"].shape[0]
        answers = _categories(weights.labels or pretrained.imagenet(), count)
        head = (
            _identity(count) if inside else {f"readout.{key}": tensors[f"{last}.{key}"] for key in ("weight", "bias")}
        )
    return Adopted(weights.name, fitted, body, _POOLED, answers, head)


def _from_transformers(kind: type[Image], weights: Weights, answering: bool) -> Adopted:
    """Return a network of the transformers package."""
    config, looks = weights.config, weights.preprocessor
    names = [str(name) for name in config.get("architectures") or ()]
    if answering and not any(name.endswith("ForImageClassification") for name in names):
        raise NoAnswers(f"`{weights.name}` gives no answers of its own; learn with --from it instead")
    side, shorter = _sizes(config, looks)
    fitted = kind(
        channels=3,
        height=side,
        width=side,
        shorter=shorter,
        mean=numbers(looks.get("image_mean"), _MEAN),
        deviation=numbers(looks.get("image_std"), _DEVIATION),
        resample=_RESAMPLING.get(int(looks.get("resample", 3)), "bicubic"),
        backbone="transformers" + (WITH_CLASSIFIER if answering else ""),
        settings=json.dumps(dict(config), sort_keys=True),
        flips=False if answering else None,
        views=not answering,
    )
    network = hub.HubEncoder(fitted.settings, fitted.mean, fitted.deviation, answering, weights.file.parent)
    answers, head = None, {}
    if answering:
        count = len(config.get("id2label") or ()) or int(config.get("num_labels", 2))
        answers, head = _categories(weights.labels, count), _identity(count)
    return Adopted(weights.name, fitted, network.state_dict(), _POOLED, answers, head)


def _sizes(config: Mapping[str, Any], looks: Mapping[str, Any]) -> tuple[int, float]:
    """Return (side of the square it takes, what a picture is scaled to first as a multiple of that)."""
    size, crop = looks.get("size"), looks.get("crop_size")
    scaled = _side(size) or _side(config.get("image_size") or config.get("vision_config", {}).get("image_size")) or 224
    cut = (_side(crop) if looks.get("do_center_crop", crop is not None) else None) or scaled
    return cut, max(1.0, scaled / cut)


def _side(size: Any) -> int | None:
    if isinstance(size, Mapping):
        size = size.get("shortest_edge") or size.get("height")
    if isinstance(size, (list, tuple)):
        size = size[0] if size else None
    return int(size) if size else None


def _constants(kind: Image) -> dict[str, Tensor]:
    return {
        "mean": torch.tensor(kind.mean).view(1, -1, 1, 1),
        "deviation": torch.tensor(kind.deviation).view(1, -1, 1, 1),
    }


def _categories(labels: tuple[str, ...], count: int) -> Category:
    found = labels if len(labels) == count else tuple(f"class {index}" for index in range(count))
    return Category(found, (1,) * count, True)


def _identity(count: int) -> dict[str, Tensor]:
    """Return a readout that passes a network's own answers on."""
    return {"readout.weight": torch.eye(count), "readout.bias": torch.zeros(count)}
