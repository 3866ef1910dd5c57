"""Starting costs little: neither the package nor the command's help loads torch."""

from __future__ import annotations

import json
import subprocess
import sys


def modules_after(code):
    found = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nimport json; print(json.dumps(sorted(sys.modules)))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(found.stdout.splitlines()[-1]))


def test_import_loads_nothing_heavy():
    before, after = modules_after(""), modules_after("import warmer")
    assert not after & {"torch", "numpy", "pandas", "sklearn", "PIL", "matplotlib", "typer"}
    assert len(after - before) < 40


def test_help_loads_nothing_heavy():
    after = modules_after("from warmer.cli.app import run\nassert run(['--help']) == 0")
    assert not after & {"torch", "numpy", "pandas", "sklearn", "PIL", "matplotlib", "transformers"}


def test_help_of_each_verb_loads_nothing_heavy():
    after = modules_after("from warmer.cli.app import run, verbs\nfor v in verbs(): assert run([v, '--help']) == 0")
    assert not after & {"torch", "numpy", "pandas", "sklearn"}
