"""The pages tell the truth: their scripts and pictures exist, their commands are verbs with those options, the site builds."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from warmer.cli.app import run, verbs

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").rglob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_scripts_and_pictures_are_there(page):
    text = page.read_text(encoding="utf-8")
    for script in re.findall(r'--8<-- "(.*?)"', text):
        assert (ROOT / script).is_file(), script
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        assert link.startswith("http") or (page.parent / link).exists(), link


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "story").glob("*.md")), ids=lambda page: page.stem)
def test_every_page_of_the_story_has_a_script_and_a_picture(page):
    text = page.read_text(encoding="utf-8")
    assert re.search(r'^--8<-- "examples/\w+\.py"$', text, re.MULTILINE)
    assert "![" in text


def test_every_script_has_its_page():
    told = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    pictured = {path.name for path in (ROOT / "docs" / "pictures").iterdir()}
    assert pictured == set(re.findall(r"pictures/([\w-]+\.png)", told))
    for script in (ROOT / "examples").glob("*.py"):
        if script.stem[:2] not in ("01", "02", "03", "05"):  # the README's
            assert f'--8<-- "examples/{script.name}"' in told, script.name


def test_commands_are_verbs_with_those_options(capsys):
    used = set()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        used |= set(re.findall(r"`warmer ([\w-]+)([^`\n]*)`", text))
        used |= set(re.findall(r"^\$? ?warmer ([\w-]+)(.*)$", text, re.MULTILINE))
    assert len(used) > 10
    for verb, rest in used:
        assert verb in verbs(), verb
        assert run([verb, "--help"]) == 0
        told = capsys.readouterr().out
        for option in re.findall(r"(--[a-z]+)", rest):
            assert option in told, f"warmer {verb} has no {option}"


def test_shown_output_is_what_comes_out(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for page in ("neuron", "downhill"):
        text = (ROOT / "docs" / "story" / f"{page}.md").read_text(encoding="utf-8")
        (shown,) = re.findall(r"```\n\$ warmer (.*?)\n(.*?)```", text, re.DOTALL)
        words = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', shown[0])]
        assert run(words) == 0
        assert capsys.readouterr().out == shown[1]


def test_the_site_builds_without_warnings(tmp_path):
    pytest.importorskip("material", reason="the extra `docs` is not installed")
    pytest.importorskip("mkdocstrings", reason="the extra `docs` is not installed")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "NO_MKDOCS_2_WARNING": "1"},
    )
    assert built.returncode == 0, built.stderr
    page = (tmp_path / "site" / "reference" / "learning.html").read_text(encoding="utf-8")
    assert "wall-clock budget for everything" in page
    for page_of in (ROOT / "docs" / "story").glob("*.md"):
        shown = (tmp_path / "site" / "story" / f"{page_of.stem}.html").read_text(encoding="utf-8")
        assert "--8" not in shown, page_of.stem
        assert re.sub(r"<[^>]*>", "", shown).count("from pathlib import Path") == 1, page_of.stem
    assert "https://fonts.g" not in page
