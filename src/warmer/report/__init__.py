"""One self-contained HTML page about a model: data, plan, curves, evidence, mistakes."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

from warmer.files import write_whole
from warmer.model import Model
from warmer.plan import show
from warmer.words import figures


def write(model: Model, path: str | Path) -> Path:
    """Write the page, and return where."""
    place = Path(path)
    write_whole(place, page(model).encode("utf-8"))
    return place


def page(model: Model) -> str:
    """Return the page as HTML."""
    from jinja2 import Environment

    from warmer.report import _pictures, _where

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["percent"] = lambda value: f"{100 * value:.1f} %"
    environment.filters["short"] = _short
    environment.filters["value"] = _value
    template = environment.from_string((Path(__file__).parent / "page.html").read_text(encoding="utf-8"))
    evidence = model.evidence
    pictures = {name: _embedded(figure) for name, figure in _pictures.all_of(model).items()}
    scores = [
        (name, value, evidence["intervals"][name], [one["scores"].get(name) for one in evidence["baselines"].values()])
        for name, value in evidence.get("scores", {}).items()
    ]
    plan = [(field, value, why) for field, value, why in model.plan.rows()]
    drawn = [*evidence.get("figures", []), *_where.figures(model)]
    return template.render(
        model=model, evidence=evidence, pictures=pictures, drawn=drawn, scores=scores, plan=plan, show=show
    )


def _short(value: Any) -> str:
    if value is None:
        return "–"
    return figures(value) if isinstance(value, float) else str(value)


def _value(value: Any) -> str:
    """Return an answer, several columns of it as `name number, …`."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_short(part)}" for name, part in value.items())
    return _short(value)


def _embedded(figure: Any) -> str:
    """Return a matplotlib figure as a base64 SVG."""
    data = io.BytesIO()
    figure.savefig(data, format="svg", bbox_inches="tight", transparent=True)
    return base64.b64encode(data.getvalue()).decode()
