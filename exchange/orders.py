"""What only the worker's keys can do, ordered by processes that don't hold them.

An order is a row: what is asked for, and, once the worker has done it, what came of it. It is placed by whoever was found to have the right
to it, and waited for a while; the worker takes the oldest first. What is ordered has to be such that doing it twice does no harm: a worker
that is killed after the deed and before the note does it again, and who asks again while it waits gets the order that waits.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Engine, Index, Text, delete, text, update
from sqlmodel import Field, Session, SQLModel, col, select

from bom_graph import BomGraphError
from exchange.database import UtcTime
from exchange.errors import ConflictError, ExchangeError, WaitingError
from exchange.lease import take_lease
from ledger import LedgerError
from ledger.store import begin, snapshot
from signer import SignerError, new_jti

log = logging.getLogger("packtrace.orders")
CARRY_OUT: Final = "carry-out-orders"
#: How long who places an order waits for it, in seconds.
PATIENCE: Final = 20.0
#: How long what came of an order can be asked for.
KEPT: Final = timedelta(days=1)
#: How many may wait in a process: each takes a thread from those that answer requests.
SEATS: Final = 8
_PAUSE = 0.05
_AT_ONCE = 100
_WAITING = text("done_at IS NULL")
Document = Mapping[str, Any]


class OrderRow(SQLModel, table=True):
    """An order. `document` and `outcome` are JSON; `digest` is that of kind and document. `outcome` holds `done`, or `refused`."""

    __tablename__ = "exchange_order"
    __table_args__ = (
        Index("ix_exchange_order_waiting", "id", sqlite_where=_WAITING, postgresql_where=_WAITING),
        Index("ix_exchange_order_digest", "digest"),
    )

    id: str = Field(max_length=36, primary_key=True)
    kind: str = Field(max_length=16)
    document: str = Field(sa_type=Text)
    digest: str = Field(max_length=64)
    placed_at: datetime = Field(sa_type=UtcTime)
    done_at: datetime | None = Field(default=None, sa_type=UtcTime)
    outcome: str = Field(default="", sa_type=Text)


@dataclass(frozen=True, slots=True)
class Orders:
    """Places orders, and carries them out: `deeds` says by kind how. `holder` names this process in the lease."""

    engine: Engine
    clock: Callable[[], datetime]
    random: Callable[[int], bytes] = field(repr=False)
    holder: str
    patience: float = PATIENCE
    _seats: threading.Semaphore = field(
        default_factory=lambda: threading.Semaphore(SEATS), init=False, repr=False, compare=False
    )

    def place(self, kind: str, document: Document) -> Document:
        """Order something and return what came of it.

        Raises WaitingError where the worker didn't come to it in time, or too many wait already (it stays ordered), and what the deed
        raised.
        """
        order = self._placed(kind, json.dumps(document, sort_keys=True))
        if not self._seats.acquire(blocking=False):
            raise _waiting()
        try:
            return self._awaited(order)
        finally:
            self._seats.release()

    def _awaited(self, order: str) -> Document:
        until = time.monotonic() + self.patience
        while True:
            with snapshot(self.engine) as connection:
                outcome = connection.scalar(select(col(OrderRow.outcome)).where(col(OrderRow.id) == order))
            if outcome:
                return _result(json.loads(outcome))
            if time.monotonic() >= until:
                raise _waiting()
            time.sleep(_PAUSE)

    def tick(self, deeds: Mapping[str, Callable[[Document], Document]]) -> int:
        """Carry out what waits, if this process holds the lease; return how much. Raises LedgerError, SQLAlchemyError: it waits on."""
        waiting = select(OrderRow).where(col(OrderRow.done_at).is_(None)).order_by(col(OrderRow.id)).limit(_AT_ONCE)
        with snapshot(self.engine) as connection:
            if Session(connection).exec(waiting).first() is None:
                return 0
        with begin(self.engine) as connection:
            if not take_lease(connection, CARRY_OUT, self.holder, self.clock()):
                return 0
            connection.execute(delete(OrderRow).where(col(OrderRow.done_at) < self.clock() - KEPT))
        with snapshot(self.engine) as connection, Session(connection, expire_on_commit=False) as session:
            rows = session.exec(waiting).all()
            session.expunge_all()
        for row in rows:
            outcome = _done(deeds, row)
            with begin(self.engine) as connection:
                this = col(OrderRow.id) == row.id
                values = {"outcome": json.dumps(outcome), "done_at": self.clock()}
                connection.execute(update(OrderRow).where(this).values(values))
        return len(rows)

    def _placed(self, kind: str, document: str) -> str:
        digest, now = hashlib.sha256(f"{kind}\n{document}".encode()).hexdigest(), self.clock()
        with begin(self.engine) as connection, Session(connection) as session:
            same = (col(OrderRow.digest) == digest, col(OrderRow.done_at).is_(None))
            if (waits := session.exec(select(OrderRow.id).where(*same).limit(1)).first()) is not None:
                return waits
            order = new_jti(now, self.random)
            session.add(OrderRow(id=order, kind=kind, document=document, digest=digest, placed_at=now))
            session.flush()
        return order


def _waiting() -> WaitingError:
    return WaitingError(
        "the worker has not come to it yet; it stays ordered",
        where="worker",
        remedy="send the same again in a while; if it lasts, see whether the worker runs",
    )


def _done(deeds: Mapping[str, Callable[[Document], Document]], row: OrderRow) -> Document:
    try:
        return {"done": dict(deeds[row.kind](json.loads(row.document)))}
    except (ExchangeError, SignerError, BomGraphError) as error:
        log.warning("order %s (%s) refused: %s", row.id, row.kind, error.what)
        told = {"what": error.what, "where": error.where, "remedy": error.remedy}
        return {"refused": {"class": type(error).__name__, **told}}


def _result(outcome: Document) -> Document:
    """Return what was done, or raise what was raised where it was refused."""
    if (refused := outcome.get("refused")) is None:
        done: Document = outcome["done"]
        return done
    families = (ExchangeError, SignerError, BomGraphError, LedgerError)
    raised = next((one for family in families for one in _kinds(family) if one.__name__ == refused["class"]), None)
    raise (raised or ConflictError)(refused["what"], where=refused["where"], remedy=refused["remedy"])


def _kinds(family: type[Any]) -> Iterator[type[Any]]:
    yield family
    for one in family.__subclasses__():
        yield from _kinds(one)
