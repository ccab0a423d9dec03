"""The operator states, at least daily, what counts no more: status snapshots, made from what intake keeps beside the ledger.

An audit recomputes each of them from the entries alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, func
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, select

from exchange.identity.enrolment import Operator
from exchange.intake import Receipt
from exchange.intake.tables import StatementRow, SupersededRow
from exchange.kinds import CERTIFICATE_RETIREMENT, STATUS_SNAPSHOT
from exchange.lease import release_lease, take_lease
from exchange.snapshots import Change, Placed, Recomputed, Status, read_snapshot, revoked_key
from exchange.vault import ErasureRow
from ledger import LedgerError
from ledger.store import Entry, begin, entries, entry, head, snapshot
from signer import KEY_EVENT, read_unverified

log = logging.getLogger("packtrace.jobs")
SNAPSHOT = "status-snapshot"
EVERY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Snapshots:
    """States snapshots, in whichever process holds the lease."""

    engine: Engine
    operator: Operator
    holder: str
    clock: Callable[[], datetime]

    def tick(self) -> None:
        """State a snapshot where the last one, or the log, is a day old."""
        now = self.clock()
        with begin(self.engine) as connection, Session(connection) as session:
            if not take_lease(connection, SNAPSHOT, self.holder, now):
                return
            last = _last(session) or session.get(StatementRow, 0)
            is_due = last is not None and now - last.admitted_at >= EVERY
        if is_due:
            self.state()

    def stop(self) -> None:
        """Give the lease back; where the database is out of reach, it ends by itself."""
        try:
            with begin(self.engine) as connection:
                release_lease(connection, SNAPSHOT, self.holder, self.clock())
        except (LedgerError, SQLAlchemyError) as error:
            log.warning("lease not given back: %s", type(error).__name__)

    def state(self) -> Receipt:
        """State what came since the last snapshot, if only that nothing did, in as many as it takes; return the last one's receipt."""
        while True:
            with snapshot(self.engine) as connection, Session(connection) as session:
                last, size = _last(session), head(connection).size
                previous = None if last is None else (last.index, _size(connection, last.index))
                status = _status(connection, session)
                full = status.full_after(0 if previous is None else previous[1])
                chain = entry(connection, (full or size) - 1).chain.hex()
                claims = status.claims(full or size, chain, previous)
            receipt = self.operator.state_snapshot(claims)
            if full is None:
                return receipt


def _last(session: Session) -> StatementRow | None:
    newest = select(func.max(col(StatementRow.index))).where(col(StatementRow.vct) == STATUS_SNAPSHOT.vct)
    index = session.exec(newest).one()
    return None if index is None else session.get(StatementRow, index)


def _size(connection: Connection, index: int) -> int:
    return read_snapshot(_open(connection, index)).size


def _open(connection: Connection, index: int) -> dict[str, object]:
    return dict(read_unverified(entry(connection, index).data.decode("ascii"), ()).open_claims)


def _status(connection: Connection, session: Session) -> Status:
    keys = session.exec(select(StatementRow.index).where(col(StatementRow.vct) == KEY_EVENT.vct)).all()
    retired = select(StatementRow.index, StatementRow.leaf_hash).where(
        col(StatementRow.vct) == CERTIFICATE_RETIREMENT.vct
    )
    erased = select(ErasureRow.index, StatementRow.index).join(
        StatementRow, col(StatementRow.leaf_hash) == col(ErasureRow.leaf_hash)
    )
    return Status(
        revoked=[Change(index, key) for index in keys if (key := revoked_key(_open(connection, index))) is not None],
        retracted=[
            Change(by, index) for by, index in session.exec(select(SupersededRow.by, SupersededRow.index)).all()
        ],
        erased=[Change(by, index) for by, index in session.exec(erased).all()],
        retirements=dict(session.exec(retired).all()),
    )


def recomputed_snapshots(connection: Connection, size: int) -> int:
    """Compute all snapshots among the first `size` entries again, from those alone; return how many. EvidenceError where one differs."""
    recomputed = Recomputed(lambda index: _placed(entry(connection, index)))
    for one in entries(connection, 0, size):
        recomputed.take(_placed(one))
    return recomputed.snapshots


def _placed(found: Entry) -> Placed:
    return Placed(found.index, found.data.decode("ascii"), found.leaf_hash.hex(), found.chain.hex())
