"""From the rows of a series to examples: a stretch of the past, and the stretch that came after it.

Examples are dealt out by time, not by chance: the first three fifths are for training, the next fifth for choosing, the
last for the test, and no answer of one part reaches into another.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from warmer.errors import InputError, UnknownName
from warmer.examples._contract import Array, Ledger, Table, objects
from warmer.examples._split import SIDES, TEST, TRAIN, VALIDATION
from warmer.stretch import Frame, Stretch
from warmer.written import moments
from warmer.written.numerals import Style

OPTIONS: dict[str, Any] = {"horizon": 0, "past": 0}

PAST = "past"
_LONGEST_PAST = 336
_CUTS = (0.6, 0.8)
_MOST = {TRAIN: 30_000, VALIDATION: 2_500, TEST: 5_000}
_BRIDGED = 3
_TRIED = 20_000
_GAIN = 0.98
_NUMERIC = 0.95
_MONTH = (28, 31)


@dataclass(frozen=True)
class _Series:
    """Rows in the order of time at even steps: `values [rows, channels]`, NaN where nothing is known."""

    values: Array
    names: tuple[str, ...]
    times: Array | None
    step: int


def windows(
    table: Table,
    answers: Sequence[str],
    *,
    horizon: Any = 0,
    past: Any = 0,
    channels: Sequence[str] = (),
    last: bool = False,
) -> Table:
    """Return examples of a past and what came after it; the answer is called by the column asked for, or `future`.

    Args:
        table: one row a step.
        answers: columns that are asked for; none: all.
        horizon, past: steps to forecast, and to look back on; 0: found by the length and the period of the series.
        channels: columns to take; none: all that hold numbers.
        last: return the last past alone, to forecast what comes after the end.

    Raises:
        InputError: the series is too short, or holds no numbers.
    """
    horizon, past = _count("horizon", horizon), _count("past", past)
    ledger = table.ledger
    series = _filled(_in_order(table, channels, ledger), ledger)
    for name in answers:
        if name not in series.names:
            raise UnknownName("column of numbers", name, series.names)
    targets = tuple(series.names.index(name) for name in answers)
    if last:
        return _ending(table, series, past, targets)
    learned = series.values[: int(len(series.values) * _CUTS[0])]
    period = _period(learned[:, [*range(len(series.names)), targets[0] if targets else -1]], series.step, horizon)
    past = past or _look_back(len(series.values), horizon, period)
    deviation = np.nanstd(learned, 0)
    frame = Frame(
        series.names, targets, period, series.step,
        tuple(np.nanmean(learned, 0).tolist()), tuple(np.where(deviation > 0, deviation, 1).tolist()),
    )  # fmt: skip
    return _cut(table, series, frame, past, horizon, answers)


def _count(name: str, value: Any) -> int:
    try:
        found = int(str(value))
    except ValueError:
        raise InputError(f"`{name}` is a whole number of steps, not `{value}`") from None
    if found < (1 if name == "horizon" else 0):
        raise InputError(f"`{name}` counts steps, so it is at least 1; say how many to forecast with --set horizon=N")
    return found


# ---- rows in the order of time ----


def _in_order(table: Table, channels: Sequence[str], ledger: Ledger) -> _Series:
    """Find the column of times and those of numbers; sort, leave out doubles, and put empty rows where steps are missing."""
    when = next((name for name, cells in table.columns.items() if _are_times(cells)), None)
    numbers = {
        name: found
        for name, cells in table.columns.items()
        if name != when and (not channels or name in channels) and (found := _numbers(cells)) is not None
    }
    if absent := [name for name in channels if name not in numbers]:
        raise InputError(f"`{table.origin}` has no column `{absent[0]}` of numbers, which this model looks back on")
    if not numbers:
        raise InputError(f"`{table.origin}` has no column of numbers to forecast")
    names = tuple(channels) or tuple(numbers)
    values = np.stack([numbers[name] for name in names], 1)
    if when is None:
        return _Series(values, names, None, 0)
    times = _times(table.columns[when])
    for row in np.flatnonzero(np.isnat(times)):
        ledger.add(table.name(int(row)), f"has no time in column `{when}`")
    rows = np.flatnonzero(~np.isnat(times))
    order = rows[np.argsort(times[rows], kind="stable")]
    if (np.diff(rows[np.argsort(order, kind="stable")]) < 0).any() or (order != rows).any():
        table.notes.append(f"the rows were not in the order of `{when}`, and were sorted")
    double = np.concatenate([[False], times[order][1:] == times[order][:-1]])
    for row in order[double]:
        ledger.add(table.name(int(row)), "has the same time as another row")
    order = order[~double]
    return _at_even_steps(values[order], names, times[order], ledger)


def _are_times(cells: Array) -> bool:
    """Tell whether a column holds points in time."""
    if cells.dtype.kind == "M":
        return True
    there = [cell for cell in cells[:200] if cell is not None]
    if not there or isinstance(there[0], (bool, int, float, np.number)):
        return False
    return bool((~np.isnat(_times(objects(there)))).mean() > _NUMERIC)


def _times(cells: Array) -> Array:
    """Return a column's moments, datetime64; NaT where there is none."""
    if cells.dtype.kind == "M":
        return cells.astype("datetime64[ns]")
    return moments.read(cells, moments.day_first(cell for cell in cells if isinstance(cell, str)))


def _numbers(cells: Array) -> Array | None:
    """Return a column as numbers, or None where it is something else."""
    if cells.dtype.kind in "fiu":
        return cells.astype(np.float64)
    style = Style.of([cell for cell in cells if isinstance(cell, str)])
    found = np.array([_number(cell, style) for cell in cells])
    there = np.array([cell is not None for cell in cells])
    return found if there.any() and np.isfinite(found[there]).mean() >= _NUMERIC else None


def _number(cell: Any, style: Style) -> float:
    """Return a cell as a number without unit; NaN where it is none."""
    if isinstance(cell, str):
        value, unit = style.reads(cell) or (math.nan, "")
        return math.nan if unit else value
    return float(cell) if isinstance(cell, (int, float, np.number)) else math.nan


def _at_even_steps(values: Array, names: tuple[str, ...], times: Array, ledger: Ledger) -> _Series:
    """Put empty rows where steps are missing; months are taken as even."""
    if len(times) < 3:
        return _Series(values, names, times, 0)
    apart = np.diff(times).astype(np.int64)
    step = int(np.median(apart))
    day = 86_400 * 10**9
    monthly = _MONTH[0] * day <= step <= _MONTH[1] * day
    lacking = np.maximum(0, np.round(apart / step).astype(int) - 1)
    if not lacking.any() or lacking.sum() > 10 * len(values):
        return _Series(values, names, times, step)
    place = np.concatenate([[0], np.cumsum(lacking + 1)])
    whole = np.full((int(place[-1]) + 1, values.shape[1]), np.nan)
    whole[place] = values
    moments = times[0] + (np.arange(len(whole)) * step).astype("timedelta64[ns]")
    moments[place] = times
    for k in np.flatnonzero(lacking):
        ledger.add(f"after {_told(times[k])}", f"{int(lacking[k])} steps are missing", "kept")
    return _Series(whole, names, moments, 0 if monthly else step)


def _filled(series: _Series, ledger: Ledger) -> _Series:
    """Bridge up to three missing values in a row by a straight line; longer holes stay, and no example goes across."""
    values = series.values.copy()
    values[~np.isfinite(values)] = np.nan
    for k, name in enumerate(series.names):
        column = pd.Series(values[:, k])
        if not column.isna().any():
            continue
        runs = column.isna().groupby(column.notna().cumsum()).transform("sum")
        bridged = column.interpolate(limit_area="inside").where((runs <= _BRIDGED) | column.notna())
        filled, left = int(column.isna().sum() - bridged.isna().sum()), int(bridged.isna().sum())
        if filled:
            ledger.add(f"column {name}", f"{filled} missing values were bridged by straight lines", "kept")
        if left:
            ledger.add(
                f"column {name}", f"{left} values are missing in longer holes, which no example goes across", "kept"
            )
        values[:, k] = bridged
    return dataclasses.replace(series, values=values)


def _told(time: Any) -> str:
    return str(pd.Timestamp(time))


# ---- how far to look ----


def _period(values: Array, step: int, horizon: int) -> int:
    """Return the steps after which a series tends to repeat: what repeats the past with the smallest error; 1: nothing does.

    Tried are the calendar's (a day, a week, a year, …) and the highest peaks of the autocorrelation.

    Args:
        values: of the training part, `[steps, channels]`.
        step: nanoseconds from one to the next; 0: unknown.
        horizon: steps to forecast.
    """
    known = pd.DataFrame(values).interpolate().bfill().ffill().to_numpy()
    spread = known.std(0)
    known = (known / np.where(spread > 0, spread, 1))[-_TRIED:]
    most = min(len(known) // 3, _LONGEST_PAST)
    tried = [1, *sorted({lag for lag in (*_calendar(step), *_peaks(known[:, -1], most)) if 1 < lag <= most})]
    errors = [_repeated(known, lag, horizon) for lag in tried]
    best = int(np.argmin(errors))
    return tried[best] if errors[best] < _GAIN * errors[0] else 1


def _calendar(step: int) -> list[int]:
    """Return how many steps make an hour, a day, a week, a year."""
    if not step:
        return [4, 7, 12, 24]
    lengths = (3600, 86_400, 7 * 86_400, 365 * 86_400)
    return [round(seconds * 10**9 / step) for seconds in lengths if seconds * 10**9 >= 2 * step]


def _peaks(values: Array, most: int) -> list[int]:
    """Return the five lags at which a channel's changes are most like themselves."""
    moved = np.diff(values)
    if most < 3 or moved.std() == 0:
        return []
    moved = moved - moved.mean()
    alike = np.fft.irfft(np.abs(np.fft.rfft(moved, 2 ** int(np.ceil(np.log2(2 * len(moved)))))) ** 2)[: most + 1]
    peaks = [lag for lag in range(2, most) if alike[lag] >= max(alike[lag - 1], alike[lag + 1])]
    return sorted(peaks, key=lambda lag: -alike[lag])[:5]


def _repeated(values: Array, period: int, horizon: int) -> float:
    """Return the error of repeating the last period, at up to 13 of the steps to come."""
    errors = []
    for ahead in np.unique(np.linspace(1, horizon, 13).round().astype(int)).tolist():
        back = -(-ahead // period) * period
        if back < len(values):
            errors.append(float(np.abs(values[back:] - values[:-back]).mean()))
    return float(np.mean(errors)) if errors else float("inf")


def _look_back(rows: int, horizon: int, period: int) -> int:
    """Return how many steps to look back on: a tenth of the series, two periods at the least, 336 at the most."""
    wanted = min(_LONGEST_PAST, max(rows // 10, 2 * period, 8))
    room = int(rows * (_CUTS[0])) - horizon - 8
    wanted = max(1, min(wanted, room))
    return wanted // period * period if wanted >= period else wanted


# ---- examples ----


def _cut(table: Table, series: _Series, frame: Frame, past: int, horizon: int, answers: Sequence[str]) -> Table:
    """Return a past and a future for every place in time, thinned out evenly where there are very many."""
    rows = len(series.values)
    cuts = [0, *(int(rows * cut) for cut in _CUTS), rows]
    holes = np.concatenate([[0], np.isnan(series.values).any(1).cumsum()])
    pasts, futures, sides, starts = [], [], [], []
    for side, (low, high) in zip((TRAIN, VALIDATION, TEST), itertools.pairwise(cuts), strict=True):
        first = np.arange(max(low, past), high - horizon + 1)  # of the future
        first = first[holes[np.minimum(first + horizon, rows)] == holes[first - past]] if len(first) else first
        if not len(first):
            raise InputError(
                f"`{table.origin}` has {rows} steps, too few to forecast {horizon} from the {past} before, "
                f"learn it and test it; give a smaller horizon than {max(1, (cuts[2] - cuts[1]) // 2)}"
            )
        first = first[:: -(-len(first) // _MOST[side])]
        for place in first.tolist():
            when = "" if series.times is None else _told(series.times[place])
            pasts.append(Stretch(series.values[place - past : place].astype(np.float32), frame, when))
            futures.append(Stretch(series.values[place : place + horizon].astype(np.float32), frame, when))
            sides.append(SIDES[side])
            starts.append(when or f"step {place + 1}")
    y = " and ".join(answers) if answers else "future"
    notes = [
        *table.notes,
        f"a series of {rows:,} steps and {len(frame.names)} channel{'s' * (len(frame.names) > 1)} "
        f"({', '.join(frame.names[:8])}), "
        f"{'repeating every ' + str(frame.period) + ' steps' if frame.period > 1 else 'without a period'}: "
        f"{horizon} steps are forecast from the {past} before, learned on the first three fifths of the time, tested on the last",
    ]
    columns = {PAST: objects(pasts), y: objects(futures), "split": objects(sides)}
    return Table(columns, table.origin, y, "split", {}, lambda i: f"the steps from {starts[i]}", table.ledger, notes)


def _ending(table: Table, series: _Series, past: int, targets: tuple[int, ...]) -> Table:
    """Return the last past alone."""
    if len(series.values) < past:
        raise InputError(
            f"`{table.origin}` has {len(series.values)} steps, and this model looks back on {past}; give more"
        )
    values = series.values[-past:]
    if np.isnan(values).any():
        raise InputError(
            f"the last {past} steps of `{table.origin}` have holes of over {_BRIDGED} steps; fill them first"
        )
    after = ""
    if series.times is not None:
        step = np.median(np.diff(series.times[-past:]).astype(np.int64)) if past > 1 else 0
        after = _told(series.times[-1] + np.timedelta64(int(step), "ns"))
    frame = Frame(series.names, targets, 1, series.step)
    cells = objects([Stretch(values.astype(np.float32), frame, after)])
    name = f"the steps after {_told(series.times[-1])}" if series.times is not None else "the steps after the last"
    return Table({PAST: cells}, table.origin, None, None, {}, lambda i: name, table.ledger, list(table.notes))


def asked(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options among some that are about series."""
    return {name: value for name, value in chosen.items() if name in (*OPTIONS, "channels", "last")}
