"""One plain writer for terminal, notebook and log file."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from warmer.words import figures

if TYPE_CHECKING:
    from warmer.examples._contract import Table
    from warmer.examples._prepare import Columns, Prepared
    from warmer.model import Model, TestResult
    from warmer.plan import Plan
    from warmer.training.loop import Moment

_EVERY = 0.1
_BAR = 24


def plain(value: Any) -> Any:
    """Return a value as strict JSON has it: no NaN, no infinity."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.item() if hasattr(value, "item") and not isinstance(value, (str, bytes)) else value


def dump(value: Any) -> None:
    """Print one JSON object on standard output, on one line."""
    print(json.dumps(plain(value), ensure_ascii=False), flush=True)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], out: TextIO) -> None:
    """Print columns, aligned, the last one cut to what a terminal holds."""
    import shutil

    if not rows:
        return
    width = shutil.get_terminal_size((110, 24)).columns
    sizes = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head))]
    sizes = [min(size, 40) for size in sizes]
    for row in [head, *rows]:
        cells = [_cut(str(cell), size).ljust(size) for cell, size in zip(row, sizes, strict=True)]
        last = _cut(str(row[-1]), max(20, width - sum(sizes[:-1]) - 2 * len(sizes)))
        print("  " + "  ".join([*cells[:-1], last]).rstrip(), file=out)


def _cut(text: str, size: int) -> str:
    text = text.replace("\n", " ")
    return text if len(text) <= size else text[: size - 1] + "…"


class Printer:
    """Tells a person what happens while a model is learned.

    Args:
        out: where to write.
        quiet: whether to write nothing but warnings.
    """

    def __init__(self, out: TextIO | None = None) -> None:
        self.out = out or sys.stderr
        self.live = self.out.isatty()
        self._last = 0.0
        self._lead = ""
        self._told: set[str] = set()

    def say(self, text: str = "") -> None:
        """Write one line."""
        print(text, file=self.out, flush=True)

    def recognised(self, columns: Columns, table_: Table) -> None:
        """Show what was decided about each column."""
        self.say(f"{table_.origin}: {len(table_):,} examples, {columns.signature}")
        rows = [(d.column, d.role if d.role != "unused" else "–", d.kind or "–", d.why) for d in columns.decisions]
        shown = rows if len(rows) <= 40 else rows[:40]
        table(("column", "role", "kind", "because"), shown, self.out)
        if len(rows) > 40:
            self.say(f"  … and {len(rows) - 40} columns more, all in the report")
        self._notes(table_)

    def _notes(self, table_: Table) -> None:
        """Show what is worth telling of the examples, each note once."""
        for note in table_.notes:
            if note not in self._told:
                self._told.add(note)
                self.say(f"note: {note}")

    def planned(self, plan: Plan, prepared: Prepared, parameters: int) -> None:
        """Show the split, the ledger and the plan."""
        self._notes(prepared.table)
        counts = [len(prepared.rows(side)) for side in range(3)]
        chosen = f"{counts[1]:,} to choose by" if plan.folds == 1 else f"each fold in turn ({plan.folds}) to choose by"
        self.say(f"\n{counts[0]:,} to learn from, {chosen}, {counts[2]:,} for the final test; {parameters:,} weights")
        self.ledger(prepared.ledger)
        self.say("\nplan (change any with --set FIELD=VALUE)")
        changed = [row for row in plan.rows() if row[0] in plan.why or row[0] in plan.options]
        table(("field", "value", "because"), changed, self.out)
        self.say()
        if not self.live:
            self.say("  epoch    loss  score")

    def noted(self, sentence: str) -> None:
        """Show a sentence."""
        self._clear()
        self.say(f"  {sentence}")

    def ledger(self, ledger: Any) -> None:
        """Show what was odd about the examples: how many, and the first of each sort."""
        for action, count in sorted(ledger.counts.items()):
            first = next(entry for entry in ledger.entries if entry.action == action)
            self.say(f"{count:,} {action}; the first: {first.example} {first.reason}")

    def moment(self, moment: Moment) -> None:
        """Show a live line, and a lasting one for each validation."""
        if moment.note:
            self._clear()
            self.say(f"  {moment.note}")
        if moment.scores is not None:
            self._lead = ", ".join(f"{name} {figures(value)}" for name, value in list(moment.scores.items())[:2])
            self._clear()
            word = "warmer" if moment.warmer else "colder"
            self.say(f"  {moment.epoch:5.1f}  {moment.loss:7.4f}  {self._lead}  {word}")
        now = time.monotonic()
        if self.live and now - self._last > _EVERY:
            self._last = now
            bar = "█" * int(moment.done * _BAR)
            pace = f"{moment.examples_per_second:,.0f}/s  {_clock(moment.seconds_left)} left"
            line = f"  {bar:<{_BAR}} {moment.done:4.0%}  loss {moment.loss:.4f}  {pace}"
            print("\r\033[K" + line, end="", file=self.out, flush=True)

    def _clear(self) -> None:
        if self.live:
            print("\r\033[K", end="", file=self.out)

    def judged(self, model: Model) -> None:
        """Show the scores beside their baselines, and say it in words."""
        self._clear()
        evidence = model.evidence
        self.say()
        self.scores(
            evidence["scores"],
            evidence["intervals"],
            {name: one["scores"] for name, one in evidence["baselines"].items()},
        )
        for one in evidence["baselines"].values():
            self.say(f"  compared with: {one['what']}")
        self.say(f"\n{evidence['sentence'][:1].upper()}{evidence['sentence'][1:]}.")
        if "robust" in evidence:
            self.say(f"Under attack: {evidence['robust']['sentence']}.")
        if advice := evidence.get("curve", {}).get("sentence"):
            self.say(f"What more would bring: {advice}.")

    def scores(
        self, found: Mapping[str, float], intervals: Mapping[str, Any], baselines: Mapping[str, Mapping[str, float]]
    ) -> None:
        """Show a table of scores."""
        rows = []
        for name, value in found.items():
            low, high = intervals[name]
            rows.append(
                (
                    name,
                    figures(value, 5),
                    f"{figures(low, 5)} – {figures(high, 5)}",
                    *(figures(one[name], 5) for one in baselines.values()),
                )
            )
        table(("score", "model", "95 % interval", *baselines), rows, self.out)

    def tested(self, result: TestResult) -> None:
        """Show the scores on labelled examples."""
        self.ledger(result.ledger)
        self.scores(result.scores, result.intervals, {"constant": result.baseline} if result.baseline else {})
        self.say(f"\n{result.sentence[:1].upper()}{result.sentence[1:]}.")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"
