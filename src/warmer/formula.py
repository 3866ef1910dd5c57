"""Formulas written as text, `x**2 + 3*y**2`: read safely, computed with NumPy, differentiated exactly.

A text is taken apart by Python's own parser and only arithmetic is let through: numbers, names, + − * / ** %, and NumPy's
functions of one or two numbers by name. Nothing is ever run as code.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmer.errors import InputError

Array = NDArray[np.float64]

_LONGEST, _DEEPEST = 1000, 60
_CONSTANTS = {"pi": np.pi, "e": np.e}
_HALF = 1e-5

_OPERATORS: Mapping[type[ast.operator], np.ufunc] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
    ast.Mod: np.mod,
}

_SLOPES: Mapping[str, Callable[..., tuple[Any, ...]]] = {
    "add": lambda a, b: (1.0, 1.0),
    "subtract": lambda a, b: (1.0, -1.0),
    "multiply": lambda a, b: (b, a),
    "divide": lambda a, b: (1 / b, -a / b**2),
    "negative": lambda a: (-1.0,),
    "exp": lambda a: (np.exp(a),),
    "log": lambda a: (1 / a,),
    "sqrt": lambda a: (0.5 / np.sqrt(a),),
    "sin": lambda a: (np.cos(a),),
    "cos": lambda a: (-np.sin(a),),
    "tan": lambda a: (1 / np.cos(a) ** 2,),
    "tanh": lambda a: (1 - np.tanh(a) ** 2,),
    "absolute": lambda a: (np.sign(a),),
    "square": lambda a: (2 * a,),
    "maximum": lambda a, b: (1.0 * (a >= b), 1.0 * (b > a)),
    "minimum": lambda a, b: (1.0 * (a <= b), 1.0 * (b < a)),
}


class Formula:
    """A function of one or several numbers.

    Args:
        text: such as `x**2 + 1` or `sin(3*x) * y`; an equation `y = …` stands for its right side.

    Attributes:
        variables: the names of what it depends on, sorted.

    Raises:
        InputError: the text is no formula; the sentence says where.
    """

    def __init__(self, text: str) -> None:
        name, mark, right = text.partition("=")
        self.text = (
            right.strip() if mark and name.strip().isidentifier() and not right.startswith("=") else text.strip()
        )
        if len(self.text) > _LONGEST:
            raise InputError(f"the formula has {len(self.text):,} characters; {_LONGEST:,} are the most")
        try:
            self._tree = ast.parse(self.text, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            where = f" at character {error.offset}" if isinstance(error, SyntaxError) and error.offset else ""
            raise InputError(f"`{self.text[:60]}` is no formula{where}; write for example x**2 + 3*y**2") from None
        names: set[str] = set()
        self._check(self._tree, names, 0)
        self.variables = tuple(sorted(names))

    def __repr__(self) -> str:
        return self.text

    def _check(self, node: ast.expr, names: set[str], depth: int) -> None:
        """Let arithmetic through and nothing else; gather the names of variables."""
        if depth > _DEEPEST:
            raise InputError(f"the formula is nested more than {_DEEPEST} deep; simplify it")
        below: list[ast.expr] = []
        if isinstance(node, ast.BinOp):
            if type(node.op) not in _OPERATORS:
                power = "; powers are written x**2" if isinstance(node.op, ast.BitXor) else ""
                raise InputError(f"`{ast.unparse(node)[:60]}` uses an operator that is not + - * / ** or %{power}")
            below = [node.left, node.right]
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
            below = [node.operand]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            if _function(node.func.id).nin != len(node.args):
                raise InputError(
                    f"`{node.func.id}` takes {_function(node.func.id).nin} numbers, and {len(node.args)} are given"
                )
            below = node.args
        elif isinstance(node, ast.Name):
            names |= {node.id} - set(_CONSTANTS)
        elif not (isinstance(node, ast.Constant) and type(node.value) in (int, float)):
            raise InputError(f"`{ast.unparse(node)[:60]}` is no part of a formula; numbers, names and functions are")
        for one in below:
            self._check(one, names, depth + 1)

    def __call__(self, *point: Any) -> Any:
        """Return the value at a point, one number or array for each variable in the order of their names."""
        with np.errstate(all="ignore"):
            return self._value(
                self._tree, dict(zip(self.variables, (np.asarray(p, dtype=float) for p in point), strict=True))
            )

    def _value(self, node: ast.expr, at: Mapping[str, Any]) -> Any:
        function, arguments = _taken_apart(node)
        if function is None:
            return _leaf(node, at)
        return function(*(self._value(one, at) for one in arguments))

    def gradient(self, point: Array) -> Array:
        """Return the slope along each variable at a point, by the chain rule; functions it has no rule for by a small step."""
        with np.errstate(all="ignore"):
            at = dict(zip(self.variables, np.asarray(point, dtype=float), strict=True))
            return np.array([self._both(self._tree, at, name)[1] for name in self.variables], dtype=float)

    def _both(self, node: ast.expr, at: Mapping[str, Any], name: str) -> tuple[Any, Any]:
        """Return value and slope along one variable."""
        function, arguments = _taken_apart(node)
        if function is None:
            return _leaf(node, at), 1.0 if isinstance(node, ast.Name) and node.id == name else 0.0
        parts = [self._both(one, at, name) for one in arguments]
        values = [part[0] for part in parts]
        slopes = _slopes(function, values, [part[1] for part in parts])
        # Where nothing changes, an endless slope does not matter.
        return function(*values), sum((a * b[1] for a, b in zip(slopes, parts, strict=True) if b[1] != 0), 0.0)

    def hessian(self, point: Array) -> Array:
        """Return the slopes of the slopes, by differences of the exact gradient."""
        point = np.asarray(point, dtype=float)
        steps = _HALF * np.eye(len(point))
        found = np.array([(self.gradient(point + s) - self.gradient(point - s)) / (2 * _HALF) for s in steps])
        return (found + found.T) / 2

    @property
    def dimensions(self) -> int:
        """How many variables there are."""
        return len(self.variables)


def _taken_apart(node: ast.expr) -> tuple[np.ufunc | None, list[ast.expr]]:
    """Return the function at the top and what it is applied to; None for a number or a name."""
    if isinstance(node, ast.BinOp):
        return _OPERATORS[type(node.op)], [node.left, node.right]
    if isinstance(node, ast.UnaryOp):
        return (np.negative if isinstance(node.op, ast.USub) else np.positive), [node.operand]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _function(node.func.id), node.args
    return None, []


def _leaf(node: ast.expr, at: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Name):
        return at[node.id] if node.id in at else np.float64(_CONSTANTS[node.id])
    assert isinstance(node, ast.Constant)
    try:
        return np.float64(node.value)  # type: ignore[arg-type]
    except OverflowError:
        return np.float64(np.inf)


def _slopes(function: np.ufunc, values: list[Any], inner: list[Any]) -> tuple[Any, ...]:
    """Return the slope of a function along each of its arguments."""
    if function is np.power:
        base, power = values
        # The slope along the power needs a logarithm, which a constant power has no use for.
        along = function(base, power) * np.log(base) if inner[1] != 0 else 0.0
        return power * function(base, power - 1), along
    rule = _SLOPES.get(function.__name__)
    if rule is not None:
        return rule(*values)
    found = []
    for place in range(len(values)):
        ends = [[value + sign * _HALF * (k == place) for k, value in enumerate(values)] for sign in (1, -1)]
        found.append((function(*ends[0]) - function(*ends[1])) / (2 * _HALF))
    return tuple(found)


def _function(name: str) -> np.ufunc:
    """Return NumPy's function of that name, if it maps one or two numbers to one."""
    found = getattr(np, name, None) if name.isidentifier() and not name.startswith("_") else None
    if not isinstance(found, np.ufunc) or found.nin > 2 or found.nout != 1:
        known = "sin, cos, exp, log, sqrt, tanh, abs, maximum"
        raise InputError(f"`{name}` is no function of numbers that NumPy has; some that it has: {known}")
    return found
