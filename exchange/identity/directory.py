"""The organisations that are here, and their sites."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session, col, delete, select

from exchange.access import Principal
from exchange.database import begin
from exchange.errors import NotFoundError
from exchange.identity.registration import Site
from exchange.identity.tables import IdentifierRow, OrganisationRow, SiteRow
from ledger.store import snapshot


@dataclass(frozen=True, slots=True)
class Organisation:
    """What every member of the exchange may know of an organisation: who it is and its roles, not where its plants stand."""

    uri: str
    name: str
    country: str | None
    roles: tuple[str, ...]
    identifiers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Directory:
    """Looks organisations up, and keeps their sites."""

    engine: Engine
    clock: Callable[[], datetime]

    def organisations(self, actor: Principal, after: str = "", limit: int = 100) -> list[Organisation]:
        """Return organisations by URI, those behind `after`."""
        actor.require("data:read")
        with snapshot(self.engine) as connection, Session(connection) as session:
            rows = session.exec(
                select(OrganisationRow)
                .where(col(OrganisationRow.uri) > after)
                .order_by(col(OrganisationRow.uri))
                .limit(limit)
            ).all()
            return _organisations(session, rows)

    def organisation(self, actor: Principal, uri: str) -> Organisation | None:
        """Return one organisation; None where there is none of that URI."""
        actor.require("data:read")
        with snapshot(self.engine) as connection, Session(connection) as session:
            row = session.get(OrganisationRow, uri)
            return None if row is None else _organisations(session, [row])[0]

    def certificate(self, actor: Principal) -> bytes | None:
        """Return the certificate (DER) of the key that was enrolled last for the actor's organisation; None for the operator's."""
        actor.require("data:read")
        with snapshot(self.engine) as connection, Session(connection) as session:
            row = session.get(OrganisationRow, actor.organisation)
            return None if row is None else row.certificate

    def sites(self, actor: Principal) -> list[Site]:
        """Return the sites of the actor's organisation."""
        actor.require("data:read")
        with snapshot(self.engine) as connection, Session(connection) as session:
            rows = session.exec(
                select(SiteRow).where(col(SiteRow.organisation) == actor.organisation).order_by(col(SiteRow.site))
            ).all()
            return [Site(row.site, row.name, row.country, row.region, row.grid) for row in rows]

    def put_site(self, actor: Principal, site: Site) -> None:
        """Add a site of the actor's organisation, or state one anew."""
        actor.require("organisation:write")
        with begin(self.engine) as connection, Session(connection) as session:
            session.merge(
                SiteRow(
                    organisation=actor.organisation,
                    site=site.site,
                    name=site.name,
                    country=site.country,
                    region=site.region,
                    grid=site.grid,
                )
            )
            session.flush()

    def remove_site(self, actor: Principal, site: str) -> None:
        """Remove a site of the actor's organisation; what was signed about it stays as it is. NotFoundError where there is none."""
        actor.require("organisation:write")
        with begin(self.engine) as connection, Session(connection) as session:
            gone = session.exec(
                delete(SiteRow).where(col(SiteRow.organisation) == actor.organisation, col(SiteRow.site) == site)
            )
            if gone.rowcount == 0:
                raise NotFoundError("no such site", where="site", remedy="take it from the list of sites")


def _organisations(session: Session, rows: Sequence[OrganisationRow]) -> list[Organisation]:
    wanted = [row.uri for row in rows]
    held = session.exec(select(IdentifierRow).where(col(IdentifierRow.organisation).in_(wanted))).all()
    return [
        Organisation(
            row.uri,
            row.name,
            row.country,
            tuple(row.roles.split()),
            {one.scheme: one.value for one in held if one.organisation == row.uri},
        )
        for row in rows
    ]
