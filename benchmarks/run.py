"""Runs the benchmarks: `make bench`, with ONLY=group for one group and JSON=1 for a JSON object a line.

A group is a module `benchmarks/bench_<group>.py` with a function `rows() -> Iterable[Row]`. A goal that is missed is
printed, not punished: only a group that raises makes the exit code 1.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from importlib import import_module
from importlib.util import find_spec

from benchmarks.measure import Row

GROUPS = ("signer", "ledger", "engine", "exchange", "lists", "governance", "filing", "auditor")
HEADINGS = ("operation", "ours", "reference", "ratio", "goal", "met?")


def main(environment: Mapping[str, str]) -> int:
    """Run the groups that ONLY asks for and print their rows; return the exit code."""
    only = environment.get("ONLY", "")
    if only and only not in GROUPS:
        print(f"ONLY={only} is no group; there are {', '.join(GROUPS)}", file=sys.stderr)
        return 2
    as_json = environment.get("JSON", "") not in {"", "0"}
    table: list[tuple[str, ...]] = [HEADINGS]
    failed = False
    for group in [only] if only else GROUPS:
        try:
            for row in rows_of(group):
                if as_json:
                    print(json.dumps(asdict(row)), flush=True)
                else:
                    table.append(cells(row))
        except Exception:  # noqa: BLE001 - the other groups are worth running whatever this one raised
            traceback.print_exc()
            print(f"{group}: stopped by the error above", file=sys.stderr)
            failed = True
    if len(table) > 1:
        print("\n".join(aligned(table)))
    return 1 if failed else 0


def rows_of(group: str) -> Iterator[Row]:
    """Yield a group's rows as they are measured; none, and a line on standard error, where it has no module yet."""
    module_name = f"benchmarks.bench_{group}"
    if find_spec(module_name) is None:
        print(f"{group}: no benchmarks yet", file=sys.stderr)
        return
    print(f"{group}: measuring", file=sys.stderr)
    rows: Iterable[Row] = import_module(module_name).rows()
    yield from rows


def cells(row: Row) -> tuple[str, ...]:
    """Return a row as the table shows it."""
    return (
        row.name,
        f"{figure(row.ours)} {row.unit}",
        f"{figure(row.reference)} ({row.reference_name})",
        f"{row.ratio:.3g}",
        row.goal,
        met(row),
    )


def figure(rate: float) -> str:
    """Return a rate with at least three digits that say something."""
    return f"{rate:,.0f}" if rate >= 1000 else f"{rate:.3g}"


def met(row: Row) -> str:
    """Say whether the ratio meets the goal; `-` for a goal that is no bound on the ratio."""
    for sign, holds in ((">=", row.ratio.__ge__), ("<=", row.ratio.__le__)):
        if row.goal.startswith(sign):
            try:
                bound = float(row.goal.removeprefix(sign))
            except ValueError:
                return "-"
            return "yes" if holds(bound) else "no"
    return "-"


def aligned(table: list[tuple[str, ...]]) -> Iterator[str]:
    """Yield the table's lines, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


if __name__ == "__main__":
    sys.exit(main(os.environ))
