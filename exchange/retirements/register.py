"""What the register holds: the retirements that count, by entry.

That a serial stands in it once, whoever retires it, is intake's: it refuses the second and opens a case (`exchange.cases`). Here it is
listed to its owner, held against grid purchases by the calculation's own rule, and digested over what everybody who has the entries can
recompute: serials are hidden, entries aren't.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Engine
from sqlmodel import Session, col, select

from bom_graph import CertificateRetirement
from exchange.access import Principal
from exchange.assembly import SiteMonth, site_months
from exchange.errors import UsageError
from exchange.identity import Accounts, spoken_for
from exchange.intake.tables import StatementRow, SupersededRow
from exchange.kinds import CERTIFICATE_RETIREMENT
from exchange.sharing import Sharing
from exchange.snapshots import register_digest
from exchange.vault import erased_at
from ledger.store import entry, head, snapshot
from signer import read_unverified


@dataclass(frozen=True, slots=True)
class Retirement:
    """A retirement as its owner sees it.

    `state`: ``counts``, ``superseded``, ``withdrawn``, ``erased``, ``withheld``, or ``corrected`` by a later one of its name; `by` is the
    entry that did it. What it says is None where nothing of it is held.
    """

    index: int
    leaf_hash: str
    issuer: str
    state: str
    by: int | None
    name: str | None
    registry: str | None
    serials: tuple[tuple[str, str], ...]
    mwh: Decimal | None
    month: str | None
    generation: str | None
    region: str | None
    site: str | None
    admitted_at: datetime


@dataclass(frozen=True, slots=True)
class RegisterDigest:
    """The digest (hex SHA-256) of the register at a size of the log, and how many retirements count there."""

    size: int
    retirements: int
    digest: str


@dataclass(frozen=True, slots=True)
class Register:
    """Reads the register."""

    engine: Engine
    accounts: Accounts
    sharing: Sharing
    clock: Callable[[], datetime]

    def page(self, actor: Principal, after: int | None = None, limit: int = 100) -> list[Retirement]:
        """Return the retirements of whom the actor speaks for, newest first; those before the entry `after`."""
        actor.require("data:read")
        query = select(StatementRow).where(
            col(StatementRow.vct) == CERTIFICATE_RETIREMENT.vct, spoken_for(actor, col(StatementRow.issuer))
        )
        if after is not None:
            query = query.where(col(StatementRow.index) < after)
        with snapshot(self.engine) as connection, Session(connection) as session:
            rows = session.exec(query.order_by(col(StatementRow.index).desc()).limit(limit)).all()
            return [self._seen(connection, session, row) for row in rows]

    def covers(self, actor: Principal, organisation: str) -> list[SiteMonth]:
        """Return what an organisation retired against its sites' grid purchases, by site and month. RightsError for another's."""
        self.accounts.check_speaks_for(actor, organisation, "data:read")
        return site_months(self.sharing.evidence_for(organisation), organisation)

    def digest(self, actor: Principal, size: int | None = None) -> RegisterDigest:
        """Return the register's digest at a size of the log, by default the present one. UsageError for a size that it hasn't had."""
        actor.require("data:read")
        with snapshot(self.engine) as connection, Session(connection) as session:
            now = head(connection).size
            at = now if size is None else size
            if not 0 <= at <= now:
                raise UsageError(f"the log has {now} entries", where="size", remedy="name a size that it has had")
            gone = select(SupersededRow.index).where(col(SupersededRow.by) < at)
            counting = select(StatementRow.index, StatementRow.leaf_hash).where(
                col(StatementRow.vct) == CERTIFICATE_RETIREMENT.vct,
                col(StatementRow.index) < at,
                col(StatementRow.index).not_in(gone),
            )
            found = [(index, leaf) for index, leaf in session.exec(counting).all()]
        return RegisterDigest(at, len(found), register_digest(found))

    def _seen(self, connection: Connection, session: Session, row: StatementRow) -> Retirement:
        state, by = self._state(connection, session, row)
        held = () if state in {"erased", "withheld"} else self.sharing.disclosed(connection, row.issuer, row.leaf_hash)
        record: Any = None
        if held:
            said = read_unverified(entry(connection, row.index).data.decode("ascii"), held)
            contents: Any = said.contents
            record = CertificateRetirement.read(said.disclosed, contents)
        return Retirement(
            index=row.index,
            leaf_hash=row.leaf_hash,
            issuer=row.issuer,
            state=state,
            by=by,
            name=None if record is None else record.sub,
            registry=None if record is None else record.registry,
            serials=() if record is None else tuple((one.first, one.last or one.first) for one in record.serials),
            mwh=None if record is None else record.energy.to("MWh", where="energy"),
            month=None if record is None else record.month,
            generation=None if record is None else record.generation,
            region=None if record is None else record.region,
            site=None if record is None else record.site.name,
            admitted_at=row.admitted_at,
        )

    @staticmethod
    def _state(connection: Connection, session: Session, row: StatementRow) -> tuple[str, int | None]:
        if (gone := session.get(SupersededRow, row.index)) is not None:
            return ("withdrawn" if gone.replacement is None else "superseded"), gone.by
        if (erasing := erased_at(connection, row.leaf_hash)) is not None:
            return "erased", erasing
        if row.withheld:
            return "withheld", None
        later = select(StatementRow.index).where(
            col(StatementRow.vct) == row.vct,
            col(StatementRow.issuer) == row.issuer,
            col(StatementRow.product) == row.product,
            col(StatementRow.index) > row.index,
        )
        newest = session.exec(later.order_by(col(StatementRow.index).desc()).limit(1)).first()
        return ("counts", None) if newest is None else ("corrected", newest)
