"""The keys and roles that govern the next entry, kept up with the ledger."""

from __future__ import annotations

import threading

from sqlalchemy import Connection, bindparam, func, select
from sqlmodel import col

from exchange.admission import GOVERNING_KINDS, Admission
from exchange.intake.tables import StatementRow
from exchange.kinds import Policy
from ledger.store import entry
from signer import Trust

# Built once: every statement asks them. The sum keeps databases from the primary key, along which all statements stand: of the kinds that
# govern there are few, and they have an index.
_PLACE = col(StatementRow.index) + 0
_GOVERNS = col(StatementRow.vct).in_(GOVERNING_KINDS)
_LAST = select(func.max(_PLACE)).where(_GOVERNS)
_ABOVE = select(_PLACE).where(_GOVERNS, bindparam("above") < _PLACE).order_by(_PLACE)


class Admissions:
    """Reads governing entries (keys, roles) once and in order; several threads may ask."""

    def __init__(self, trust: Trust, policy: Policy) -> None:
        self._lock = threading.Lock()
        self._admission = Admission(trust, policy)
        self._seen = -1

    def current(self, connection: Connection) -> tuple[Admission, int]:
        """Return the admission after all governing entries that `connection` sees, and the index of the last of them."""
        with self._lock:
            for index in connection.scalars(_ABOVE, {"above": self._seen}).all():
                token = entry(connection, index).data.decode("ascii")
                self._admission.admit(index, token, (), at=None)
                self._seen = index
            return self._admission, self._seen

    def is_locked_out(self, connection: Connection, organisation: str) -> bool:
        """Return whether an organisation had keys and can sign with none of them any more."""
        admission, _seen = self.current(connection)
        had = admission.keys.keys_of(organisation)
        return bool(had) and all(one.revoked is not None for one in had)

    @staticmethod
    def last(connection: Connection) -> int:
        """Return the index of the last governing entry, -1 where there is none."""
        last = connection.scalar(_LAST)
        return -1 if last is None else int(last)
