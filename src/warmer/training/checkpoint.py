"""Checkpoints: everything needed to go on, in one safetensors file, written so that a crash leaves the old one whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from warmer.errors import NotAModel


def pack(tensors: Mapping[str, Tensor], data: Mapping[str, Any]) -> bytes:
    """Return tensors and JSON data as the bytes of a safetensors file."""
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    return save(plain, {"warmer": json.dumps(data, ensure_ascii=False)})


def unpack(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return tensors and JSON data of a file that `pack` made.

    Raises:
        NotAModel: it is damaged or something else.
    """
    try:
        with safe_open(path, "pt") as file:
            text = (file.metadata() or {}).get("warmer")
            if text is None:
                raise NotAModel(
                    f"`{path}` is a safetensors file, but none of ours; use --from to start from its weights"
                )
            return {name: file.get_tensor(name) for name in file.keys()}, json.loads(text)  # noqa: SIM118
    except FileNotFoundError:
        raise NotAModel(f"there is no file `{path}`") from None
    except (SafetensorError, json.JSONDecodeError, OSError, UnicodeDecodeError) as error:
        raise NotAModel(f"`{path}` is damaged or no model ({str(error)[:80]}); make it anew") from None


def optimiser_tensors(state: Mapping[str, Any], prefix: str = "optimiser") -> dict[str, Tensor]:
    """Return an optimiser's `state_dict` as named tensors."""
    return {
        f"{prefix}.{index}.{name}": torch.as_tensor(value)
        for index, one in state["state"].items()
        for name, value in one.items()
    }


def optimiser_state(groups: Any, tensors: Mapping[str, Tensor], prefix: str = "optimiser") -> dict[str, Any]:
    """Return the `state_dict` that `optimiser_tensors` took apart; `groups` are its `param_groups`."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith(f"{prefix}."):
            _, index, key = name.split(".", 2)
            state.setdefault(int(index), {})[key] = tensor.clone()
    return {"state": state, "param_groups": groups}
