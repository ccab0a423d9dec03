"""Opening, closing and showing cases. A party sees its own statement and nothing of the other's, not even who it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast

from sqlalchemy import Engine, exists
from sqlmodel import Session, col, select

from exchange.access import Principal
from exchange.cases.tables import CasePartyRow, CaseRow
from exchange.errors import NotFoundError
from exchange.events import emit
from exchange.identity import spoken_for
from exchange.intake.tables import StatementRow
from exchange.vault import Vault
from ledger.store import begin, snapshot
from signer import new_jti

About = Literal["certificates", "deliveries"]
Random = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class CaseParty:
    """An organisation's side of a case: its entry, or none where its statement was refused, and the place in it."""

    organisation: str
    index: int | None
    place: str


@dataclass(frozen=True, slots=True)
class Case:
    """A case as whoever asks may see it: with its own sides alone."""

    id: str
    about: About
    opened_at: datetime
    closed_at: datetime | None
    sides: tuple[CaseParty, ...]


@dataclass(frozen=True, slots=True)
class Cases:
    """The cases of organisations."""

    engine: Engine

    def case(self, actor: Principal, case: str) -> Case:
        """Return a case that concerns the actor; NotFoundError for any other."""
        found = self._cases(actor, [col(CaseRow.id) == case], 1)
        if not found:
            raise NotFoundError(
                "no such case", where="case", remedy="take its id from the list of cases, or from the refusal"
            )
        return found[0]

    def cases(self, actor: Principal, after: str = "", limit: int = 50) -> list[Case]:
        """Return the cases that concern the actor, newest first; those that are older than `after`."""
        return self._cases(actor, [col(CaseRow.id) < after] if after else [], limit)

    def _cases(self, actor: Principal, where: list[object], limit: int) -> list[Case]:
        actor.require("data:read")
        own = spoken_for(actor, col(CasePartyRow.organisation))
        concerned = exists().where(col(CasePartyRow.case) == col(CaseRow.id), own).correlate(CaseRow)
        query = select(CaseRow).where(concerned, *where).order_by(col(CaseRow.id).desc()).limit(limit)  # type: ignore[arg-type]
        with snapshot(self.engine) as connection, Session(connection) as session:
            rows = session.exec(query).all()
            sides = select(CasePartyRow).where(col(CasePartyRow.case).in_([row.id for row in rows]), own)
            by_case: dict[str, list[CaseParty]] = {}
            for row in session.exec(sides.order_by(col(CasePartyRow.organisation))).all():
                by_case.setdefault(row.case, []).append(CaseParty(row.organisation, row.index, row.place))
            return [
                Case(row.id, cast("About", row.about), row.opened_at, row.closed_at, tuple(by_case[row.id]))
                for row in rows
            ]


def open_case(  # noqa: PLR0917 - one case's columns
    session: Session,
    about: About,
    key: str,
    subject: str,
    parties: Mapping[str, tuple[int | None, str]],
    at: datetime,
    random: Random,
) -> str:
    """Open a case in the caller's transaction and tell its parties; return its id. One that is open is left as it is."""
    row = session.exec(select(CaseRow).where(col(CaseRow.key) == key).with_for_update()).one_or_none()
    if row is not None and row.closed_at is None:
        return row.id
    if row is None:
        row = CaseRow(id=new_jti(at, random), about=about, key=key, subject=subject, opened_at=at)
    row.closed_at = None
    session.add(row)
    session.flush()
    for organisation, (index, place) in parties.items():
        session.merge(CasePartyRow(case=row.id, organisation=organisation, index=index, place=place))
    session.flush()
    _tell(session, row, "packtrace.conflict.opened", at)
    return row.id


def close_case(session: Session, row: CaseRow, at: datetime) -> None:
    """Close an open case in the caller's transaction and tell its parties."""
    row.closed_at = at
    session.add(row)
    session.flush()
    _tell(session, row, "packtrace.conflict.closed", at)


def open_claimed_twice(  # noqa: PLR0917 - bound where the exchange is put together
    engine: Engine,
    vault: Vault,
    clock: Callable[[], datetime],
    random: Random,
    claimant: str,
    place: str,
    index: int,
) -> str | None:
    """Open the case of certificates that `claimant` wants to retire and the entry at `index` did; return its id.

    None where both are the same organisation's: that is its own to put right.
    """
    with begin(engine) as connection, Session(connection) as session:
        holder = session.exec(select(StatementRow.issuer).where(col(StatementRow.index) == index)).one()
        if holder == claimant:
            return None
        key = vault.blind(f"certificates {index} {claimant}")
        parties = {claimant: (None, place), holder: (index, "serials")}
        return open_case(session, "certificates", key, vault.blind(f"certificates {index}"), parties, clock(), random)


def _tell(session: Session, row: CaseRow, type_: str, at: datetime) -> None:
    parties = select(CasePartyRow.organisation).where(col(CasePartyRow.case) == row.id)
    for organisation in session.exec(parties.order_by(col(CasePartyRow.organisation))).all():
        data = {"case": row.id, "about": row.about}
        emit(session, recipient=organisation, type=type_, subject=f"/api/v1/cases/{row.id}", data=data, at=at)
