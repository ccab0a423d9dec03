"""The exchange: a statement's whole way in (verified, appended, its rows written) against the bare append of its bytes."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

from sqlalchemy import Engine

from benchmarks.measure import Row, compare
from exchange.kinds import ACTIVITY_DATA
from ledger.store import append, begin, create_log, metadata, sqlite_engine
from signer import Issued, join_presentation
from tests.flow.world import Exchange, Member, activity, line

STATEMENTS = 2_500
"""More than a run uses up; each is admitted once."""


def rows() -> Iterator[Row]:
    """Measure intake by itself and behind HTTP; every side commits to a SQLite file of its own with synchronous=FULL."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        exchange = Exchange.open(folder / "data", f"sqlite:///{folder / 'exchange.sqlite'}")
        fresh = _statements(exchange.member("maker"))
        intake = exchange.services.installation.intake

        def submit() -> object:
            issued = next(fresh)
            return intake.submit(issued.token, issued.disclosures)

        def post() -> object:
            issued = next(fresh)
            body = {"statement": join_presentation(issued.token, issued.disclosures)}
            answer = exchange.http.post("/api/v1/statements", json=body)
            assert answer.status_code == 201, answer.text
            return answer

        size = len(next(fresh).token)
        bare = _append(_log(folder / "bare.sqlite"), size)
        yield compare(
            f"submit a statement of {size} bytes",
            submit,
            bare,
            reference_name="append of as many bytes",
            goal=">=0.15",
            unit="statements per second",
        )
        yield compare(
            f"POST a statement of {size} bytes",
            post,
            bare,
            reference_name="append of as many bytes",
            goal="for information",
            unit="statements per second",
        )
        exchange.close()


def _statements(maker: Member) -> Iterator[Issued]:
    """Fresh statements of one size, signed beforehand: signing is the company's work, not the exchange's."""
    inputs = [line(name=f"input {number}", flow="nickel-sulfate") for number in range(12)]
    claims = [activity(maker.product(f"p{number:05}"), *inputs) for number in range(STATEMENTS)]
    return iter([maker.sign(ACTIVITY_DATA, one) for one in claims])


def _log(path: Path) -> Engine:
    engine = sqlite_engine(path)
    metadata.create_all(engine)
    with begin(engine) as connection:
        create_log(connection, "bench.example")
    return engine


def _append(engine: Engine, size: int) -> Callable[[], object]:
    numbers, filling = count(), random.Random(1).randbytes(size).hex()

    def run() -> None:
        with begin(engine) as connection:
            append(connection, [f"{next(numbers)}.{filling}"[:size].encode("ascii")])

    return run
