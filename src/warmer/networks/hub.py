"""Image encoders of the `transformers` package, built from their configuration alone: no code of a repository is run."""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from warmer.errors import InputError, Missing
from warmer.networks.convnet import Normalise
from warmer.networks.features import Features

_MOST_EXTRA = 16


class HubEncoder(nn.Module):
    """A transformers image network that takes pictures in 0..1.

    Args:
        settings: its `config.json` as text.
        mean, deviation: of each channel, as it was trained with.
        classifier: whether its last layer's answers are wanted instead of its features.
        folder: where its weights lie; None: they are drawn at random, to be overwritten by a model file's.
    """

    def __init__(
        self,
        settings: str,
        mean: tuple[float, ...],
        deviation: tuple[float, ...],
        classifier: bool = False,
        folder: Path | None = None,
    ) -> None:
        super().__init__()
        self.normalise = Normalise(mean, deviation)
        self.classifier = classifier
        body = _build(settings, classifier, folder)
        self.body: nn.Module = body.vision_model if hasattr(body, "vision_model") and not classifier else body

    def forward(self, x: Tensor) -> Features:
        """Map pictures `[batch, 3, height, width]` to one map; summary tokens are joined to every place of it."""
        x = self.normalise(x)
        if self.classifier:
            return Features((self.body(pixel_values=x).logits,))
        last: Tensor = self.body(pixel_values=x).last_hidden_state
        return Features((last if last.dim() == 4 else _grid(last),))


def _build(settings: str, classifier: bool, folder: Path | None) -> Any:
    if importlib.util.find_spec("transformers") is None:
        raise Missing("this network needs the package transformers; install it with: pip install 'warmer[hub]'")
    import transformers

    maker: Any = transformers.AutoModelForImageClassification if classifier else transformers.AutoModel
    config = json.loads(settings)
    word = str(config.pop("model_type", ""))
    try:
        if folder is not None:
            return maker.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False).float()
        return maker.from_config(transformers.AutoConfig.for_model(word, **config)).float()
    except (ValueError, KeyError, OSError) as error:
        raise InputError(f"transformers cannot build its `{word}` as an image encoder: {str(error)[:160]}") from None


def _grid(tokens: Tensor) -> Tensor:
    """Return tokens `[batch, places, channels]` as a plane; those that stand for the whole picture are joined to each place."""
    count = tokens.shape[1]
    extra = next((k for k in range(min(_MOST_EXTRA, count)) if math.isqrt(count - k) ** 2 == count - k), 0)
    side = math.isqrt(count - extra)
    if side * side != count - extra:
        return tokens.transpose(1, 2)
    plane = tokens[:, extra:].transpose(1, 2).unflatten(2, (side, side))
    if not extra:
        return plane
    whole = tokens[:, 0, :, None, None].expand(-1, -1, side, side)
    return torch.cat([whole, plane], 1)


def claims(config: Mapping[str, Any]) -> bool:
    """Tell whether a `config.json` is one of transformers' for pictures."""
    return "model_type" in config and any(
        key in config or key in config.get("vision_config", {}) for key in ("image_size", "num_channels", "patch_size")
    )
