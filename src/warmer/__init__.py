"""Show it examples of x and y; it learns the function between them, says honestly how good it is, and hands it over.

    import warmer

    model = warmer.learn("pets/")
    model("cat.jpg").value

Names are resolved on first use, so that `import warmer` is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from warmer.comparison import compare
    from warmer.errors import BadCell, InputError, RunFailed, WarmerError
    from warmer.insight import look
    from warmer.kinds import register
    from warmer.kinds._contract import Answer, Kind
    from warmer.model import Model, load
    from warmer.networks.features import Features
    from warmer.plan import Plan
    from warmer.story import learn

__version__ = "0.1.0"

_HOMES = {
    "Answer": "warmer.kinds._contract",
    "BadCell": "warmer.errors",
    "Features": "warmer.networks.features",
    "InputError": "warmer.errors",
    "Kind": "warmer.kinds._contract",
    "Model": "warmer.model",
    "Plan": "warmer.plan",
    "RunFailed": "warmer.errors",
    "WarmerError": "warmer.errors",
    "compare": "warmer.comparison",
    "learn": "warmer.story",
    "load": "warmer.model",
    "look": "warmer.insight",
    "register": "warmer.kinds",
}

__all__ = [
    "Answer",
    "BadCell",
    "Features",
    "InputError",
    "Kind",
    "Model",
    "Plan",
    "RunFailed",
    "WarmerError",
    "__version__",
    "compare",
    "learn",
    "load",
    "look",
    "register",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module `warmer` has no attribute `{name}`")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value  # a submodule of the same name must not hide it
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
