"""The keys and roles that govern the next entry, kept up with the ledger."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from sqlalchemy import Connection
from sqlmodel import Session, col, select

from exchange.admission import GOVERNING_KINDS, Admission
from exchange.intake.tables import StatementRow
from exchange.kinds import Policy
from ledger.store import entry
from signer import Trust


class Admissions:
    """Reads governing entries (keys, roles) once and in order; several threads may ask."""

    def __init__(self, trust: Trust, policy: Policy) -> None:
        self._lock = threading.Lock()
        self._admission = Admission(trust, policy)
        self._seen = -1

    def current(self, connection: Connection) -> tuple[Admission, int]:
        """Return the admission after all governing entries that `connection` sees, and the index of the last of them."""
        with self._lock:
            for index in _governing(connection, above=self._seen):
                token = entry(connection, index).data.decode("ascii")
                self._admission.admit(index, token, (), at=None)
                self._seen = index
            return self._admission, self._seen

    @staticmethod
    def last(connection: Connection) -> int:
        """Return the index of the last governing entry, -1 where there is none."""
        return max(_governing(connection, above=-1), default=-1)


def _governing(connection: Connection, *, above: int) -> Sequence[int]:
    query = (
        select(StatementRow.index)
        .where(col(StatementRow.vct).in_(GOVERNING_KINDS), StatementRow.index > above)
        .order_by(col(StatementRow.index))
    )
    return Session(connection).exec(query).all()
