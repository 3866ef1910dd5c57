"""The one frozen dataclass with every choice that affects the result, and why each was made.

A plan starts from the defaults below; the kinds of x and y propose better ones for what they saw in the training
examples; a measurement on this machine may decide precision and memory format; and the user has the last word. Nothing
else in the package holds a choice of training.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from warmer.errors import InputError, UnknownName

Proposal = Mapping[str, tuple[Any, str]]
"""Field → (value, why): how a kind proposes its defaults."""


def _choice(default: Any, help: str, allowed: tuple[str, ...] = ()) -> Any:
    return field(default=default, metadata={"help": help, "allowed": allowed})


@dataclass(frozen=True)
class Plan:
    """Every choice that affects the result. `plan.why` holds the reason for each that is not the plain default."""

    minutes: float | None = _choice(None, "wall-clock budget for everything, reading to report; none: stop by itself")
    seed: int = _choice(0, "every random choice follows from it")
    epochs: float = _choice(20.0, "passes over the training examples at the most; fractions are allowed")
    batch: int = _choice(64, "examples a step")
    network: str = _choice(
        "auto", "linear: weights, a bias and nothing else between x and the answer", ("auto", "linear")
    )
    loss: str = _choice(
        "auto",
        "what is made small: of numbers the squared error, of categories the cross-entropy",
        ("auto", "mse", "mae", "huber", "gaussian", "laplace", "quantile", "cross_entropy"),
    )
    optimizer: str = _choice("adamw", "how a step is made of a gradient", ("adamw", "muonw", "muon", "sgd", "bfgs"))
    learning_rate: float = _choice(1e-3, "peak step size")
    find_learning_rate: bool = _choice(
        False, "before training, try a hundred rising learning rates; advice, changes nothing"
    )
    fine_tune: bool = _choice(False, "let an encoder that has learned before learn on, after its new head has")
    encoder_rate: float = _choice(1.0, "learning rate of the encoder's last layers, as a multiple of the head's")
    weight_decay: float = _choice(0.01, "pull of every weight matrix towards zero, decoupled from the gradient")
    warmup: float = _choice(0.05, "share of the steps in which the learning rate climbs")
    cooldown: float = _choice(0.3, "share of the steps, at the end, in which it falls to zero")
    patience: int = _choice(0, "validations without gain before the cool-down starts early; 0: never")
    advice: bool = _choice(
        True, "find out what twice the examples and twice the time would bring: two runs of an eighth"
    )
    validations: int = _choice(30, "how often the validation examples are scored, over the whole run, at the most")
    momentum: float = _choice(0.9, "how much of each step's direction is kept from the steps before")
    critic: bool = _choice(False, "learn to make pictures against a critic that tells them from real ones")
    clip: float = _choice(1.0, "largest norm of the gradient; 0: unlimited")
    dropout: float = _choice(0.0, "share of activations silenced at random in each training step")
    label_smoothing: float = _choice(0.0, "probability given to the wrong categories on purpose")
    instance_norm: float = _choice(
        0.0, "lines and sounds: share of each example's own mean and variance in batch normalisation"
    )
    activation: str = _choice("relu", "what bends the answer of each neuron", ("relu", "gelu", "tanh", "sigmoid"))
    width: int = _choice(0, "channels or neurons of a hidden layer; 0: the encoder's own choice")
    depth: int = _choice(0, "hidden layers or stages; 0: the encoder's own choice")
    members: int = _choice(1, "networks trained at once in one (an ensemble that shares its weights)")
    folds: int = _choice(
        1, "such networks, each kept from one part of the examples to be judged by it (cross-validation); 1: no parts"
    )
    pooling: str = _choice("max", "how a grid becomes one vector at the end", ("max", "mean"))
    stride: int = _choice(1, "step of the first convolution over the picture")
    ordered: bool = _choice(
        False, "read a text answer off in the order of the input (CTC); no: write it token by token with attention"
    )
    residual: bool = _choice(False, "pictures: learn what has to be added to x, instead of the answer itself")
    augment: bool = _choice(True, "change each training example at random in ways that keep its answer")
    robust: bool = _choice(
        False, "learn every example as an adversary would change it, so that answers resist such changes"
    )
    epsilon: float = _choice(8 / 255, "how much an adversary may change a pixel, as a share of the whole range")
    balance: bool = _choice(False, "show rare categories more often, by the square root of their frequency")
    precision: str = _choice("measure", "number format of the forward pass", ("measure", "fp32", "bf16"))
    memory_format: str = _choice("measure", "layout of pictures in memory", ("measure", "channels_last", "contiguous"))
    join: str = _choice(
        "", "how many examples of a part are joined into one, e.g. 3-7: words said alone into sentences"
    )
    store: str = _choice("auto", "where the compact training arrays lie", ("auto", "memory", "disk"))
    device: str = _choice("auto", "auto, cpu, cuda or mps")
    threads: int = _choice(0, "processor threads; 0: one for each physical core")
    group: str | None = _choice(None, "column whose equal values must stay on one side of the split")
    time: str | None = _choice(None, "column of times: the latest examples are for the test, as what comes would be")
    test_share: float = _choice(0.2, "share of the examples kept for the final test, 5,000 at the most")
    validation_share: float = _choice(0.15, "share kept for choosing, calibrating and stopping, 2,500 at the most")
    coverage: float = _choice(0.9, "how often a prediction set or interval shall contain the truth")
    until: float | None = _choice(None, "stop as soon as the validation score reaches this")
    options: Mapping[str, Any] = field(default_factory=dict)
    why: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the fields a user may set."""
        return tuple(f.name for f in dataclasses.fields(cls) if f.metadata)

    @classmethod
    def derive(cls, proposals: Iterable[Proposal], overrides: Mapping[str, Any]) -> Plan:
        """Lay the proposals over the defaults, one after another, and the user's overrides over all.

        Raises:
            InputError: a value of the wrong type, or outside what the field allows.
        """
        values: dict[str, Any] = {}
        why: dict[str, str] = {}
        for proposal in proposals:
            for name, (value, reason) in proposal.items():
                values[name], why[name] = value, reason
        for name, value in overrides.items():
            values[name], why[name] = cls.convert(name, value), "you asked for it"
        return cls(**values, why=why)

    @classmethod
    def convert(cls, name: str, value: Any) -> Any:
        """Turn `value` (often text from the command line) into the type of field `name`, checked."""
        spec = {f.name: f for f in dataclasses.fields(cls) if f.metadata}
        if name not in spec:
            raise UnknownName("plan field", name, spec)
        wanted = typing.get_type_hints(cls)[name]
        converted = convert(name, value, wanted)
        allowed = spec[name].metadata["allowed"]
        if allowed and converted not in allowed:
            raise InputError(f"`{name}` is one of {', '.join(allowed)}, not `{value}`")
        _check_range(name, converted)
        return converted

    def but(self, reason: str, **changes: Any) -> Plan:
        """Return a plan with these fields changed and the reason noted."""
        return dataclasses.replace(self, **changes, why={**self.why, **dict.fromkeys(changes, reason)})

    def rows(self) -> list[tuple[str, str, str]]:
        """Return (field, value, reason) for every field, for printing; options of the kinds last."""
        spec = [f for f in dataclasses.fields(self) if f.metadata]
        rows = [(f.name, show(getattr(self, f.name)), self.why.get(f.name, f.metadata["help"])) for f in spec]
        return rows + [(name, show(value), self.why.get(name, "")) for name, value in self.options.items()]

    def to_json(self) -> dict[str, Any]:
        """Return the plan as plain JSON values."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        """Read what `to_json` wrote; fields of later versions are ignored, those of earlier ones get defaults."""
        known = {f.name for f in dataclasses.fields(cls)}
        return cls(**{name: value for name, value in data.items() if name in known})


_AT_LEAST = {
    "epochs": 0.0,
    "batch": 1,
    "folds": 1,
    "minutes": 0.0,
    "learning_rate": 0.0,
    "weight_decay": 0.0,
    "clip": 0.0,
    "encoder_rate": 0.0,
    "epsilon": 0.0,
}
_SHARES = (
    "warmup",
    "momentum",
    "cooldown",
    "dropout",
    "instance_norm",
    "label_smoothing",
    "test_share",
    "validation_share",
    "coverage",
)


def _check_range(name: str, value: Any) -> None:
    """Refuse values no run could use."""
    if value is None:
        return
    if name in _SHARES and not 0 <= value < 1:
        raise InputError(f"`{name}` is a share, at least 0 and below 1, not {value:g}")
    if name in _AT_LEAST:
        check_limits(name, value, _AT_LEAST[name])
    if name in ("epochs", "minutes", "learning_rate") and value == 0:
        raise InputError(f"`{name}` must be more than zero")
    if name in ("width", "depth", "members", "stride", "patience", "validations", "threads") and value < 0:
        raise InputError(f"`{name}` counts something, so it cannot be {value}")


def check_limits(name: str, value: float, least: float | None, most: float | None = None) -> None:
    """Refuse a number outside of its limits, of which None is none, and what is not a number."""
    if least is not None and not value >= least:
        raise InputError(f"`{name}` is at least {least:g}, not {value:g}")
    if most is not None and not value <= most:
        raise InputError(f"`{name}` is at most {most:g}, not {value:g}")


def convert(name: str, value: Any, wanted: Any) -> Any:
    """Turn `value` into type `wanted` (`int`, `float`, `bool`, `str`, or one of these or None)."""
    choices = typing.get_args(wanted) if isinstance(wanted, types.UnionType) else (wanted,)
    if value is None or (isinstance(value, str) and value.lower() in ("none", "auto") and type(None) in choices):
        if type(None) in choices:
            return None
        raise InputError(f"`{name}` needs a value")
    kind = next(choice for choice in choices if choice is not type(None))
    try:
        return _AS[kind](value) if kind in _AS else value
    except (ValueError, TypeError, ZeroDivisionError):
        raise InputError(f"`{name}` is {_WORDS.get(kind, kind)}, not `{value}`") from None


def _as_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    if str(value).lower() not in words:
        raise ValueError(value)
    return words[str(value).lower()]


def _as_int(value: Any) -> int:
    number = float(value)
    if number != int(number):
        raise ValueError(value)
    return int(number)


def _as_float(value: Any) -> float:
    """Read a number, or a fraction such as 8/255."""
    above, mark, below = str(value).partition("/")
    return float(above) / float(below) if mark else float(value)


_AS: dict[Any, Any] = {bool: _as_bool, int: _as_int, float: _as_float, str: str}
_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def show(value: Any) -> str:
    """Return a value as a person writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "–"
    return f"{value:g}" if isinstance(value, float) else str(value)
