"""A model's public status: there only while its owner publishes it, signed by the operator's key, good for a day.

Who fetched one looks again at its address, or at the list of those that were withdrawn, whose filing is less than it was, or whose result
is stale: whatever was handed out before has ended a day later, and the list names it until then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final, cast

from sqlalchemy import Engine, func
from sqlmodel import Session, col, select

from exchange.access import Principal
from exchange.errors import ConflictError, NotFoundError
from exchange.filing.chain import ORDER, State
from exchange.filing.duty import DutyRules
from exchange.filing.hidden import show_told
from exchange.filing.reading import Filings
from exchange.filing.tables import FilingRow, FilingStepRow, PublicationRow
from exchange.kinds.filing import VerificationStatement
from exchange.public_status import STATUS, STATUS_LIST, VOUCHED
from ledger.store import begin, snapshot
from signer import Profile, new_jti

LIFE: Final = timedelta(hours=24)
_KEPT = 2 * LIFE
LIST_PATH: Final = "/api/v1/public/status-list"
_MEANING = {
    "accepted": "filed, verified by a third party, and accepted by the authority",
    "filed": "filed and verified by a third party; the authority has not decided yet",
    "verified": "verified by a third party; not filed yet",
    "withdrawn": "the filing was withdrawn",
}


@dataclass(frozen=True, slots=True)
class Publications:
    """Publishes statuses, and takes them back."""

    engine: Engine
    filings: Filings
    rules: DutyRules
    origin: str
    #: Signs open claims of one of the two types by the operator's key.
    vouch: Callable[[Profile, dict[str, Any]], str]
    clock: Callable[[], datetime]
    random: Callable[[int], bytes] = field(repr=False)

    def publish(self, actor: Principal, owner: str, filing: str, *, figure: bool) -> dict[str, Any]:
        """Publish the status of a filing of `owner`'s, with its figure where `figure`; published already, it is stated anew."""
        self.filings.accounts.check_speaks_for(actor, owner, "grants:write")
        now = self.clock()
        with begin(self.engine) as connection, Session(connection) as session:
            row = self._own(session, owner, filing)
            there = session.exec(self._live(filing)).one_or_none()
            found = there or PublicationRow(
                id=new_jti(now, self.random),
                filing=row.id,
                owner=owner,
                published_by=actor.recorded_as(owner),
                published_at=now,
            )
            found.figure = figure
            session.add(found)
            session.flush()
            return {
                "publication": found.id,
                "filing": row.id,
                "figure": figure,
                "page": f"/public/models/{found.id}",
                "status": f"/api/v1/public/models/{found.id}",
                "published_at": found.published_at,
            }

    def withdraw(self, actor: Principal, owner: str, filing: str) -> dict[str, Any]:
        """Take a publication back. What was fetched before ends within LIFE; until then the status list names it."""
        self.filings.accounts.check_speaks_for(actor, owner, "grants:write")
        now = self.clock()
        with begin(self.engine) as connection, Session(connection) as session:
            self._own(session, owner, filing)
            found = session.exec(self._live(filing)).one_or_none()
            if found is None:
                raise ConflictError("it isn't published", where="filing", remedy="there is nothing to withdraw")
            found.withdrawn_at, found.withdrawn_by = now, actor.recorded_as(owner)
            session.add(found)
            session.flush()
            return {"publication": found.id, "withdrawn_at": now, "copies_end": now + LIFE}

    def status(self, publication: str) -> tuple[dict[str, Any], str]:
        """Return a model's public status, and the same as signed claims: for anybody.

        Of one that was withdrawn nothing is left but that. NotFoundError for one that never was.
        """
        now = self.clock()
        with snapshot(self.engine) as connection, Session(connection) as session:
            found = session.get(PublicationRow, publication)
            if found is None:
                raise NotFoundError(
                    "no such publication", where="publication", remedy="ask the model's maker for its address"
                )
            claims: dict[str, Any] = {
                "publication": found.id,
                "status": "withdrawn" if found.withdrawn_at is not None else "published",
                "as_of": now.isoformat(),
                "expires": (now + LIFE).isoformat(),
                "recheck": f"/api/v1/public/models/{found.id}",
                "status_list": LIST_PATH,
            }
            if found.withdrawn_at is None:
                claims |= self._told(session, found, now.date())
        return claims, self.vouch(STATUS, claims)

    def withdrawn(self) -> tuple[dict[str, Any], str]:
        """Return the list of publications of which copies may still count that don't hold any more, and the same signed.

        `withdrawn`: by their owner. `outdated`: by publication the entry by which its filing went back (an opinion was withdrawn, say);
        copies that name an older entry count no more. `stale`: by publication the newest entry of a filing that is verified, and whose
        result is stale now; copies that name it or an older one are of that result.
        """
        now = self.clock()
        since = now - _KEPT
        with snapshot(self.engine) as connection, Session(connection) as session:
            query = select(PublicationRow.id).where(col(PublicationRow.withdrawn_at) >= since)
            names = session.exec(query.order_by(col(PublicationRow.id))).all()
            outdated, stale = self._outdated(session, since), self._stale(session)
        claims = {
            "withdrawn": list(names),
            "outdated": outdated,
            "stale": stale,
            "since": since.isoformat(),
            "as_of": now.isoformat(),
            "expires": (now + LIFE).isoformat(),
        }
        return claims, self.vouch(STATUS_LIST, claims)

    def _outdated(self, session: Session, since: datetime) -> dict[str, int]:
        """Return the live publications whose filing went back since then from where a status vouches for it, with the entry that did it."""
        step = col(FilingStepRow.before)
        query = (
            select(PublicationRow.id, FilingStepRow)
            .join(FilingStepRow, col(FilingStepRow.filing) == col(PublicationRow.filing))
            .where(
                col(PublicationRow.withdrawn_at).is_(None), step.in_(sorted(VOUCHED)), col(FilingStepRow.at) >= since
            )
            .order_by(col(PublicationRow.id), col(FilingStepRow.index))
        )
        rank = {state: at for at, state in enumerate(ORDER)}
        return {
            name: taken.index
            for name, taken in session.exec(query).all()
            if rank.get(cast("State", taken.state), -1) < rank[cast("State", taken.before)]
        }

    def _stale(self, session: Session) -> dict[str, int]:
        """Return the live publications of verified filings whose result is stale, each with the newest entry of its filing."""
        query = (
            select(PublicationRow.id, PublicationRow.filing, func.max(FilingStepRow.index))
            .join(FilingRow, col(FilingRow.id) == col(PublicationRow.filing))
            .join(FilingStepRow, col(FilingStepRow.filing) == col(PublicationRow.filing))
            .where(col(PublicationRow.withdrawn_at).is_(None), col(FilingRow.state).in_(sorted(VOUCHED)))
            .group_by(col(PublicationRow.id), col(PublicationRow.filing))
            .order_by(col(PublicationRow.id))
        )
        stale = self.filings.stored.stale_among(session)
        return {name: index for name, filing, index in session.exec(query).all() if filing in stale}

    def _told(self, session: Session, found: PublicationRow, day: date) -> dict[str, Any]:
        row = session.get_one(FilingRow, found.filing)
        told = show_told(self.filings.stored.vault, row.id, row.sealed)
        last = session.exec(
            select(FilingStepRow)
            .where(FilingStepRow.filing == row.id)
            .order_by(col(FilingStepRow.index).desc())
            .limit(1)
        ).one()
        stands = row.state in VOUCHED and row.expires is not None
        lapsed = stands and row.expires is not None and row.expires < day
        meaning = (
            "its verification has lapsed" if lapsed else _MEANING.get(row.state, "under way: not verified, not filed")
        )
        doubted = stands and bool(self.filings.doubts_of(session, row))
        stale = doubted or (stands and bool(self.filings.stale_of(session, row)))
        if doubted:
            meaning = (
                f"{meaning}; but it is in doubt: a key that signed a statement of the filing was declared compromised"
            )
        elif stale:
            meaning = (
                f"{meaning}; but its result is stale: what it was made from has changed since, and it is to be amended"
            )
        claims: dict[str, Any] = {
            "state": row.state,
            "meaning": meaning,
            "model": told.model,
            "variants": list(told.variants),
            "filer": row.filer,
            "plant_country": told.country,
            "chemistry_group": told.group,
            "duty": f"{self.rules.id} {self.rules.version}",
            "entry": {"origin": self.origin, "index": last.index, "leaf_hash": last.leaf_hash},
        }
        if stands and row.expires is not None:
            claims |= {"verifier": str(row.verifier), "verification_expires": row.expires.isoformat()}
            claims |= self._opinion(session, row.id)
        if stale:
            # Why is the parties' matter: it would tell of suppliers.
            claims["stale"] = True
        if found.figure and stands and told.figure is not None:
            claims |= {"figure": told.figure, "unit": str(told.unit)}
        return claims

    def _opinion(self, session: Session, filing: str) -> dict[str, str]:
        """Return what the verification that a filing stands on says of itself, of which a bare `verified` tells nothing."""
        query = select(FilingStepRow).where(FilingStepRow.filing == filing, FilingStepRow.step == "verify")
        link = session.exec(query.order_by(col(FilingStepRow.index).desc()).limit(1)).one()
        record = self.filings.stored.record(session.connection(), link.index, link.leaf_hash, link.signer)
        if not isinstance(record, VerificationStatement):
            return {}
        return {name: str(getattr(record, name)) for name in ("opinion", "assurance", "materiality_percent")}

    def _own(self, session: Session, owner: str, filing: str) -> FilingRow:
        row = session.exec(select(FilingRow).where(FilingRow.id == filing, FilingRow.filer == owner)).one_or_none()
        if row is None:
            raise NotFoundError(
                "no such filing of yours", where="filing", remedy="take the id from the list of filings"
            )
        return row

    def _live(self, filing: str) -> Any:
        return select(PublicationRow).where(PublicationRow.filing == filing, col(PublicationRow.withdrawn_at).is_(None))
