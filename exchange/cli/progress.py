"""How far long work is: a bar where somebody looks on, a line now and then in a log. On standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from exchange.cli.output import tell

_SECONDS = 10.0


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show how many of how many `what` are done, as the yielded function is told."""
    if not sys.stderr.isatty():
        yield _in_lines(what)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _in_lines(what: str) -> Callable[[int, int], None]:
    """A line when something moved, each ten seconds at most."""
    said: list[tuple[int, float]] = [(0, time.monotonic())]

    def told(done: int, total: int) -> None:
        before, at = said[-1]
        if done != before and time.monotonic() >= at + _SECONDS:
            said[:] = [(done, time.monotonic())]
            tell(f"{done:,} of {total:,} {what}")

    return told
