"""Other people's weights: a local file or folder, or a name on the Hugging Face hub, opened without knowing what they are."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from warmer.errors import InputError, Missing, NotAModel, RunFailed

HUB = "hf://"
_FILES = ("model.safetensors", "config.json", "preprocessor_config.json")


@dataclass(frozen=True)
class Weights:
    """A file of weights, with what lies beside it.

    Attributes:
        name: what a person calls it.
        file: the safetensors file.
        tensors: key → tensor.
        metadata: of the safetensors file.
        config: `config.json` beside it, or nothing.
        preprocessor: `preprocessor_config.json` beside it, or nothing.
        labels: names of the categories it tells apart, in the order of its outputs; empty if nobody says.
    """

    name: str
    file: Path
    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    preprocessor: Mapping[str, Any] = field(default_factory=dict)
    labels: tuple[str, ...] = ()


def locate(name: str | Path) -> Path:
    """Return the safetensors file meant by a path, a folder or a hub name (`hf://owner/name`), downloaded if need be.

    Raises:
        Missing: there is no such file, or the hub cannot be reached and the cache does not hold it.
    """
    if str(name).startswith(HUB):
        return _download(str(name).removeprefix(HUB))
    place = Path(name)
    if place.is_dir():
        found = sorted(place.glob("*.safetensors"))
        if len(found) != 1:
            raise Missing(f"`{place}` holds {len(found)} safetensors files; name the one to start from")
        return found[0]
    if not place.is_file():
        raise Missing(f"there is no file `{place}` to start from; hub names are written {HUB}owner/name")
    return place


def read(name: str | Path) -> Weights:
    """Open weights by path, folder or hub name.

    Raises:
        Missing: nothing is there.
        NotAModel: it is no safetensors file, or a damaged one.
    """
    file = locate(name)
    try:
        with safe_open(file, "pt") as opened:
            metadata = opened.metadata() or {}
            tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise NotAModel(f"`{file}` is damaged or no safetensors file ({str(error)[:80]}); get it again") from None
    config, preprocessor = _json(file.with_name("config.json")), _json(file.with_name("preprocessor_config.json"))
    return Weights(str(name), file, tensors, metadata, config, preprocessor, _labels(file, metadata, config))


def _json(file: Path) -> Mapping[str, Any]:
    """Return a JSON object, or nothing where there is no such file."""
    if not file.is_file():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise NotAModel(f"`{file}` is no JSON; get it again") from None
    return found if isinstance(found, dict) else {}


def _labels(file: Path, metadata: Mapping[str, str], config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the categories, made different where two are the same (ImageNet has two cranes)."""
    names: list[str] = []
    codes: list[str] = []
    beside = file.with_name(Path(metadata.get("classes", "")).name) if metadata.get("classes") else None
    if beside is not None and beside.is_file():
        listed = json.loads(beside.read_text(encoding="utf-8"))
        names = [one["name"] if isinstance(one, dict) else str(one) for one in listed]
        codes = [str(one.get("wnid", "")) if isinstance(one, dict) else "" for one in listed]
    elif "id2label" in config:
        numbered = {int(index): str(name) for index, name in config["id2label"].items()}
        names = [numbered[index] for index in sorted(numbered)]
    else:
        names = [str(name) for name in config.get("label_names", ())]
    seen: dict[str, int] = {}
    found = []
    for index, name in enumerate(names):
        seen[name] = seen.get(name, 0) + 1
        mark = codes[index] if index < len(codes) and codes[index] else str(seen[name])
        found.append(name if seen[name] == 1 else f"{name} ({mark})")
    return tuple(found)


def _download(repository: str) -> Path:
    """Return the weights of a hub repository from the cache, or download them with a progress bar and check them.

    What is in the cache is used as it is, so that the same name means the same network and being offline costs no wait.
    """
    if importlib.util.find_spec("huggingface_hub") is None:
        raise Missing(f"{HUB} names need the package huggingface_hub; install it with: pip install 'warmer[hub]'")
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    found: Path | None = None
    for name in _FILES:
        try:
            cached = try_to_load_from_cache(repository, name)
            if name == _FILES[0] and isinstance(cached, str):
                _check(Path(cached))
                return Path(cached)
            file = Path(hf_hub_download(repository, name))
        except LocalEntryNotFoundError:
            if found is None:
                raise Missing(
                    f"`{HUB}{repository}` is not in the cache and the hub cannot be reached; download it once while online"
                ) from None
            continue
        except EntryNotFoundError:
            if name == _FILES[0]:
                raise Missing(f"`{HUB}{repository}` holds no {name}; choose a repository with safetensors") from None
            continue
        except (HfHubHTTPError, HFValidationError) as error:
            raise Missing(f"the hub does not give `{repository}`: {str(error).splitlines()[0]}") from None
        _check(file)
        found = found or file
    assert found is not None
    return found


def _check(file: Path) -> None:
    """Compare a downloaded file with the checksum it is stored under: large ones go by their SHA-256 in the hub's cache.

    Raises:
        RunFailed: it differs; the file is removed, so that the next try downloads it again.
    """
    blob = file.resolve()
    if not re.fullmatch(r"[0-9a-f]{64}", blob.name):
        return
    with open(blob, "rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    if digest != blob.name:
        blob.unlink()
        raise RunFailed(f"`{file.name}` was damaged on its way from the hub and has been removed; try again")


def first(config: Mapping[str, Any], metadata: Mapping[str, str], *keys: str) -> Any:
    """Return the first of `keys` that timm's part of a config, the config or the file's metadata knows; else None."""
    inner = config.get("pretrained_cfg", {})
    for source in (inner, config, metadata):
        for key in keys:
            if source.get(key) is not None:
                return source[key]
    return None


def numbers(value: Any, default: tuple[float, ...]) -> tuple[float, ...]:
    """Return a list, or text with commas, as numbers."""
    if value is None:
        return default
    parts = value.split(",") if isinstance(value, str) else value
    try:
        return tuple(float(part) for part in parts)
    except (TypeError, ValueError):
        raise InputError(f"`{value}` should be numbers") from None
