"""The README tells the truth: its commands exist, its Python runs."""

from __future__ import annotations

import re
from pathlib import Path

from warmer.cli.app import verbs

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_command_is_a_verb_with_those_options(capsys):
    from warmer.cli.app import run

    used = re.findall(r"^warmer ([\w-]+)(.*)$", README, re.MULTILINE)
    assert used
    for verb, rest in used:
        assert verb in verbs()
        assert run([verb, "--help"]) == 0
        told = capsys.readouterr().out
        for option in re.findall(r"(--[a-z]+)", rest.split("#")[0]):
            assert option in told, f"warmer {verb} has no {option}"


def test_both_make_targets_are_there():
    targets = re.findall(r"^make (\w+)", README, re.MULTILINE)
    assert targets == ["demo", "test"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert all(f"\n{target}:" in makefile for target in targets)


def test_its_python_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
    assert capsys.readouterr().out.startswith("0 ")
    assert (tmp_path / "digits.safetensors").exists()


def test_links_lead_somewhere():
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert link.startswith("http") or (ROOT / link).exists(), link
