"""The shape of the house: imports go down only, kinds are named in their own room, two files descend, files stay short."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import warmer

ROOT = Path(warmer.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
ORDER = [
    {"cli"},
    {"report"},
    {"firststeps"},
    {"insight"},
    {"comparison"},
    {"story", "course", "evidence"},
    {"opening"},
    {"model"},
    {"training"},
    {"examples"},
    {"novelty"},
    {"kinds"},
    {"networks", "scores"},
    {"files", "stretch", "drawing", "formula", "written"},
    {"signature", "plan", "errors", "words"},
]
LEVEL = {room: level for level, rooms in enumerate(ORDER) for room in rooms}


def room(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path):
    """Every module of ours that a file imports when it is imported itself (types and late imports do not count)."""
    found = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("warmer"):
            inside = node.module.split(".")[1:]
            found += [inside[0]] if inside else [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [alias.name.split(".")[1] for alias in node.names if alias.name.startswith("warmer.")]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down_only(path):
    if path == ROOT / "__init__.py":
        return
    for name in imports(path):
        assert name in LEVEL, f"{name} has no place in the order of rooms"
        assert LEVEL[name] >= LEVEL[room(path)], f"{path.name} imports {name}, which lies above it"


def test_every_room_has_its_place():
    assert {room(path) for path in FILES} - {"__init__"} == set(LEVEL)


def test_no_kind_is_named_outside_its_room():
    names = {path.stem for path in (ROOT / "kinds").glob("[!_]*.py")}
    for path in FILES:
        if room(path) == "kinds":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare):
                words = {n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
                assert not words & names, f"{path.name} line {node.lineno} compares with {words & names}"
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("warmer.kinds."):
                assert node.module == "warmer.kinds._contract", f"{path.name} imports {node.module}"


def test_one_file_descends():
    descending = [path.name for path in FILES if ".backward(" in path.read_text(encoding="utf-8")]
    assert descending == ["loop.py"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_have_one_subject_and_functions_fit_on_a_screen(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 600
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and path.parent.name != "cli":
            start = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
            assert node.end_lineno - start.lineno <= 60, f"{path.name}: {node.name} is too long"


def test_nothing_hides_errors():
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler):
                assert node.type is not None, f"{path.name} line {node.lineno}"
                assert not (isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException"))
