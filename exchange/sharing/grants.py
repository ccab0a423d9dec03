"""Grants: made, passed on, previewed, listed, withdrawn."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Literal, cast

from sqlalchemy import Connection, Engine, and_, func, literal, or_
from sqlmodel import Session, col, select

from exchange.access import (
    ATTACHED,
    FULL,
    Onward,
    Principal,
    Purpose,
    attached,
    covers,
    opened,
    visible_attachments,
    visible_paths,
)
from exchange.attachment import SALT_BYTES, evidence_named
from exchange.errors import GrantError, NotFoundError, RightsError
from exchange.identity import Accounts, OrganisationRow, spoken_for
from exchange.intake.tables import StatementRow
from exchange.kinds import KINDS, kind_of
from exchange.sharing.access_log import Copies, copies_of
from exchange.sharing.endings import tell_of
from exchange.sharing.granted import day_of, grants_of, live
from exchange.sharing.preview import files_seen, seen_of
from exchange.sharing.stored import stored_rows
from exchange.sharing.tables import ExportRecordRow, GrantRow
from exchange.sharing.verified import claims_by_path, held_disclosures
from exchange.vault import Vault
from ledger.store import begin, entry, snapshot
from signer import UnknownPathError, new_jti

Direction = Literal["given", "received"]
_PREVIEWED = 20
_BATCH = 200


@dataclass(frozen=True, slots=True)
class Terms:
    """What is granted to whom: `paths` of a statement (`leaf_hash`), or of every statement of `kind` (a vct) about `product`.

    `owner` signed it. With `source`, a grant, the reader of that grant passes on what it got. `until` is the last day (UTC). `reason` is
    for a reader in another country.
    """

    owner: str
    reader: str
    paths: tuple[str, ...]
    purpose: Purpose
    leaf_hash: str | None = None
    product: str | None = None
    kind: str | None = None
    onward: Onward = "none"
    until: date | None = None
    source: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """A grant as recorded; `grantor` gave it, by itself or as `recorded_by` says. `existed`: the same was recorded before."""

    id: str
    terms: Terms
    grantor: str
    recorded_by: str | None
    recorded_at: datetime
    withdrawn_at: datetime | None
    withdrawn_by: str | None
    existed: bool = False


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A withdrawn grant, the grants that hung on it and ended with it, and what was taken by them: copies stay where they are.

    `copies` is for the statements' owner; a reader that ends what it passed on isn't told what others took.
    """

    grant: Recorded
    ended: tuple[str, ...]
    copies: tuple[Copies, ...]


@dataclass(frozen=True, slots=True)
class ExportRecord:
    """A grant across a border."""

    id: str
    grant: str
    owner: str
    grantor: str
    reader: str
    from_country: str
    to_country: str
    leaf_hash: str | None
    product: str | None
    paths: tuple[str, ...]
    purpose: str
    reason: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Grants:
    """Records who lets whom see what. What was recorded changes by its withdrawal alone."""

    engine: Engine
    vault: Vault
    accounts: Accounts
    clock: Callable[[], datetime]
    random: Callable[[int], bytes] = field(repr=False)

    def add(self, actor: Principal, terms: Terms) -> Recorded:
        """Record a grant; the same again finds the one there is.

        Raises NotFoundError (no such statement of this owner, reader, or source), RightsError (to oneself, another's product, beyond the
        grant that is passed on), UnknownPathError (no such claim), GrantError (end date, reason).
        """
        with begin(self.engine) as connection:
            return self.record(connection, actor, terms)

    def record(self, connection: Connection, actor: Principal, terms: Terms) -> Recorded:
        """`add` in the transaction of a caller."""
        now = self.clock()
        with Session(connection) as session:
            grantor = self._grantor(session, actor, terms)
            terms, border = self._checked(connection, session, terms, grantor, lock=True)
            if (there := _the_same(session, terms, grantor, day_of(now))) is not None:
                return _recorded(there, existed=True)
            if border is not None and not (terms.reason or "").strip():
                raise GrantError(
                    f"a grant across a border, from {border[0]} to {border[1]}, needs a reason",
                    where="reason",
                    remedy="state why the data may leave the country; it is kept in the export record",
                )
            row = GrantRow(
                id=new_jti(now, self.random),
                owner=terms.owner,
                grantor=grantor,
                reader=terms.reader,
                leaf_hash=terms.leaf_hash,
                product=terms.product,
                product_key=self._key(terms),
                kind=terms.kind,
                paths=" ".join(terms.paths),
                purpose=terms.purpose,
                onward=terms.onward,
                valid_until=terms.until,
                source=terms.source,
                recorded_by=actor.recorded_as(grantor),
                recorded_at=now,
            )
            session.add(row)
            if border is not None:
                session.add(
                    ExportRecordRow(
                        id=new_jti(now, self.random),
                        grant_id=row.id,
                        owner=terms.owner,
                        grantor=grantor,
                        reader=terms.reader,
                        from_country=border[0],
                        to_country=border[1],
                        leaf_hash=terms.leaf_hash,
                        product=terms.product,
                        paths=row.paths,
                        purpose=terms.purpose,
                        reason=str(terms.reason),
                        recorded_at=now,
                    )
                )
            session.flush()
            tell_of(session, row, "created", now, self.random)
            return _recorded(row)

    def preview(self, actor: Principal, terms: Terms) -> dict[str, Any]:
        """Return what the reader would see by these terms and what can't be taken back; nothing is recorded. Raises what `add` raises.

        Whoever passes on sees of it what it was granted itself, and nothing of what the reader has from others.
        """
        with snapshot(self.engine) as connection, Session(connection) as session:
            grantor = self._grantor(session, actor, terms)
            terms, border = self._checked(connection, session, terms, grantor, lock=False)
            rows, in_all = _statements(session, terms, self._key(terms))
            own = grantor == terms.owner
            copies = copies_of(session, terms.owner, [terms.reader], [row.leaf_hash for row in rows]) if own else []
            return {
                "reader": terms.reader,
                "purpose": terms.purpose,
                "statements": [self._seen(connection, session, row, terms, grantor) for row in rows],
                "statements_in_all": in_all,
                "future_statements": terms.product is not None,
                "cannot_be_taken_back": _FOR_GOOD,
                "copies": copies,
                "onward": terms.onward,
                "travels": _TRAVELS[terms.onward],
                "until": terms.until,
                "border": None if border is None else {"from": border[0], "to": border[1]},
                "needs_reason": border is not None,
            }

    def recorded(self, actor: Principal, direction: Direction, after: str = "", limit: int = 100) -> list[Recorded]:
        """Return the grants that the actor's organisation gave, or of its statements were passed on; or those that it received."""
        actor.require("data:read")
        columns = (GrantRow.owner, GrantRow.grantor) if direction == "given" else (GrantRow.reader,)
        with snapshot(self.engine) as connection, Session(connection) as session:
            # A query for each column, so that each reads along its own index.
            found = {
                row.id: row
                for column in columns
                for row in session.exec(
                    select(GrantRow)
                    .where(spoken_for(actor, col(column)), col(GrantRow.id) > after)
                    .order_by(col(GrantRow.id))
                    .limit(limit)
                ).all()
            }
            return [_as_told(actor, found[name]) for name in sorted(found)[:limit]]

    def export_records(self, actor: Principal, after: str = "", limit: int = 100) -> list[ExportRecord]:
        """Return the grants across borders that the actor's organisation gave."""
        actor.require("data:read")
        query = (
            select(ExportRecordRow)
            .where(spoken_for(actor, col(ExportRecordRow.grantor)), col(ExportRecordRow.id) > after)
            .order_by(col(ExportRecordRow.id))
            .limit(limit)
        )
        with snapshot(self.engine) as connection, Session(connection) as session:
            return [_export_record(row) for row in session.exec(query).all()]

    def withdraw(self, actor: Principal, grant: str) -> Withdrawn:
        """End a grant that the actor's organisation gave, or that others passed on of its statements; what hangs on it ends too.

        Withdrawn again, it answers the same. Raises NotFoundError for any other.
        """
        actor.require("grants:write")
        mine = or_(spoken_for(actor, col(GrantRow.grantor)), spoken_for(actor, col(GrantRow.owner)))
        now = self.clock()
        with begin(self.engine) as connection, Session(connection) as session:
            # Locked from the source on, as whoever passes on locks it: nothing is hung on a grant while it ends.
            row = session.exec(select(GrantRow).where(col(GrantRow.id) == grant, mine).with_for_update()).first()
            if row is None:
                raise _no_grant()
            of_owner = _speaks_for(session, actor, row.owner)
            hanging = _hanging(session, grant)
            for one in (row, *hanging):
                if one.withdrawn_at is None:
                    one.withdrawn_at = now
                    one.withdrawn_by = actor.recorded_as(row.owner if of_owner else row.grantor)
                    session.add(one)
                    tell_of(session, one, "withdrawn", now, self.random)
            session.flush()
            copies = _taken_by(session, (row, *hanging)) if of_owner else []
            return Withdrawn(_recorded(row), tuple(one.id for one in hanging), tuple(copies))

    def _key(self, terms: Terms) -> str | None:
        return None if terms.product is None else self.vault.blind(terms.product)

    def _grantor(self, session: Session, actor: Principal, terms: Terms) -> str:
        """Return who gives the grant, for whom the actor has to speak."""
        grantor = terms.owner
        if terms.source is not None:
            actor.require("grants:write")
            query = select(GrantRow.reader).where(
                col(GrantRow.id) == terms.source, spoken_for(actor, col(GrantRow.reader))
            )
            found = session.exec(query).first()
            if found is None:
                raise _no_grant("source")
            grantor = found
        self.accounts.check_speaks_for(actor, grantor, "grants:write")
        return grantor

    def _checked(
        self, connection: Connection, session: Session, terms: Terms, grantor: str, *, lock: bool
    ) -> tuple[Terms, tuple[str, str] | None]:
        """Return the terms as they are recorded, and from which country to which they lead where that is another.

        With `lock` nobody ends the grant that is passed on before this transaction is over.
        """
        terms = replace(terms, paths=tuple(sorted(set(terms.paths))))
        if terms.reader in (terms.owner, grantor):
            raise RightsError("a grant to oneself", where="reader", remedy="name another organisation")
        day = day_of(self.clock())
        source = None
        if terms.source is not None:
            query = select(GrantRow).where(col(GrantRow.id) == terms.source, live(day))
            source = session.exec(query.with_for_update() if lock else query).first()
            if source is None or source.owner != terms.owner:
                raise _no_grant("source")
            terms = _within(terms, source, session)
        _check_target(connection, self.vault, session, terms)
        reader = session.get(OrganisationRow, terms.reader)
        if reader is None:
            raise NotFoundError(
                f"{terms.reader} is no organisation here", where="reader", remedy="take its URI from the directory"
            )
        if source is not None and source.onward == "verifier" and not _is_verifier(reader, day):
            raise _beyond("reader", "it may be passed on to verifiers alone")
        if terms.until is not None and terms.until < day:
            raise GrantError("the end date has passed", where="valid_until", remedy="state a day to come, or none")
        giver = session.get(OrganisationRow, grantor)
        countries = (giver.country if giver is not None else None, reader.country)
        crosses = None not in countries and countries[0] != countries[1]
        return terms, cast("tuple[str, str]", countries) if crosses else None

    def _seen(
        self, connection: Connection, session: Session, row: StatementRow, terms: Terms, grantor: str
    ) -> dict[str, Any]:
        day, leaf = day_of(self.clock()), row.leaf_hash
        token = entry(connection, row.index).data.decode("ascii")
        claims = claims_by_path(token, held_disclosures(connection, self.vault, leaf))
        granted = grants_of(session.connection(), terms.reader, day, leaf_hashes=[leaf])
        had = visible_paths(terms.reader, row.issuer, leaf, granted, day)
        had_files = visible_attachments(terms.reader, row.issuer, leaf, granted, day)
        named = evidence_named(claims)
        if grantor != terms.owner:
            by = grants_of(session.connection(), grantor, day, leaf_hashes=[leaf])
            own = visible_paths(grantor, row.issuer, leaf, by, day)
            own_files = visible_attachments(grantor, row.issuer, leaf, by, day)
            claims, had = {path: value for path, value in claims.items() if covers(own, path)}, frozenset()
            named = {path: digests for path, digests in named.items() if covers(own_files, path)}
            had_files = frozenset()
        lists = kind_of(row.vct).profile.lists
        seen = seen_of(claims, lists, opened(terms.paths, terms.purpose), had)
        digests = {digest for named_here in named.values() for digest in named_here}
        there = stored_rows(connection, self.vault, digests, row.issuer)
        sizes = {digest: one.size - SALT_BYTES for digest, one in there.items()}
        files = files_seen(named, sizes, attached(terms.paths), had_files)
        seen["sealed"] += sorted({f"{path}{ATTACHED}" for path in named} - {one["path"] for one in files})
        return {"leaf_hash": leaf, "index": row.index, "kind": row.vct, **seen, "files": files}


_FOR_GOOD = (
    "what the reader fetches, computes or exports while the grant counts stays with it: a withdrawal ends what comes after, "
    "and reaches no copy"
)
_TRAVELS = {
    "none": "the reader may not pass it on here; outside of the exchange nothing hinders it",
    "verifier": "the reader may pass it on here to verifiers, who may not pass it on",
    "any": "the reader may pass it on here to anybody, and they on",
}


def _check_target(connection: Connection, vault: Vault, session: Session, terms: Terms) -> None:
    if terms.leaf_hash is not None:
        row = session.exec(select(StatementRow).where(StatementRow.leaf_hash == terms.leaf_hash)).one_or_none()
        if row is None or row.issuer != terms.owner:
            raise NotFoundError(
                f"{terms.owner} has no statement with this leaf hash",
                where="leaf_hash",
                remedy="take it from the statement's receipt",
            )
        token = entry(connection, row.index).data.decode("ascii")
        claims = claims_by_path(token, held_disclosures(connection, vault, terms.leaf_hash))
        _check_paths(terms.paths, claims)
        _check_evidence(terms.paths, evidence_named(claims))
        return
    kind = KINDS.get(str(terms.kind))
    if kind is None or kind.record is None:
        known = ", ".join(sorted(vct for vct, one in KINDS.items() if one.record is not None))
        raise GrantError("no kind of statements with disclosures", where="kind", remedy=f"state one of {known}")
    if not str(terms.product).startswith(terms.owner + "/"):
        raise RightsError(
            "another's product",
            where="product",
            remedy=f"name a product below {terms.owner}, whose statements these are",
        )
    names = {one.alias or name for name, one in kind.record.model_fields.items()} | {"contents"}
    lines = {path for path in opened(terms.paths, terms.purpose) if path.partition("/")[0] in kind.profile.lists}
    _check_paths(terms.paths, names | lines)


def _check_paths(paths: Collection[str], known: Collection[str]) -> None:
    unknown = [path for path in paths if (plain := path.removesuffix(ATTACHED)) != FULL and plain not in known]
    if unknown:
        raise UnknownPathError(
            "no disclosure at this path", where=repr(unknown[0]), remedy="name a claim or <list>/<id>"
        )


def _check_evidence(paths: Collection[str], named: Collection[str]) -> None:
    for granted in sorted(attached(paths)):
        if not any(covers([granted], path) for path in named):
            raise UnknownPathError(
                "nothing is named as evidence at this path",
                where=repr(f"{granted}{ATTACHED}"),
                remedy=f"grant the path without {ATTACHED}",
            )


def _within(terms: Terms, source: GrantRow, session: Session) -> Terms:
    """Return the terms of what is passed on, once they lie within what was granted; RightsError otherwise."""
    held = opened(source.paths.split(), cast("Purpose", source.purpose))
    if source.onward == "none":
        raise _beyond("source", "it may not be passed on")
    if terms.onward != "none" and source.onward != "any":
        raise _beyond("onward", "verifiers may not pass it on")
    if source.leaf_hash is not None:
        fits = terms.leaf_hash == source.leaf_hash
    elif terms.product is not None:
        fits = (terms.product, terms.kind) == (source.product, source.kind)
    else:
        about = and_(
            col(StatementRow.leaf_hash) == terms.leaf_hash,
            col(StatementRow.product) == source.product_key,
            col(StatementRow.vct) == source.kind,
        )
        fits = session.exec(select(StatementRow.index).where(about)).first() is not None
    if not fits:
        raise _beyond("leaf_hash", "it is about another statement or product")
    if not all(covers(held, path) for path in opened(terms.paths, terms.purpose)):
        raise _beyond("paths", "not all of these were granted (for verification, `contents` has to be)")
    files = attached(source.paths.split())
    if not all(covers(files, path) for path in attached(terms.paths)):
        raise _beyond("paths", "not all of these files were granted")
    if source.valid_until is not None and terms.until is not None and terms.until > source.valid_until:
        raise _beyond("valid_until", f"it ends on {source.valid_until}")
    return terms if terms.until is not None else replace(terms, until=source.valid_until)


def _beyond(where: str, why: str) -> RightsError:
    return RightsError(
        f"beyond the grant that is passed on: {why}", where=where, remedy="ask the owner for a grant that allows it"
    )


def _no_grant(where: str = "id") -> NotFoundError:
    return NotFoundError("no such grant", where=where, remedy="take it from the list of grants")


def _is_verifier(row: OrganisationRow, day: date) -> bool:
    begun, over = (
        row.roles_since is None or row.roles_since <= day,
        row.roles_until is not None and row.roles_until < day,
    )
    return "verifier" in row.roles.split() and begun and not over


def _the_same(session: Session, terms: Terms, grantor: str, day: date) -> GrantRow | None:
    """Return the grant of these very terms that counts already."""
    query = select(GrantRow).where(
        live(day),
        col(GrantRow.reader) == terms.reader,
        col(GrantRow.grantor) == grantor,
        col(GrantRow.leaf_hash) == terms.leaf_hash,
        col(GrantRow.product) == terms.product,
        col(GrantRow.kind) == terms.kind,
        col(GrantRow.paths) == " ".join(terms.paths),
        col(GrantRow.purpose) == terms.purpose,
        col(GrantRow.onward) == terms.onward,
        col(GrantRow.valid_until) == terms.until,
        col(GrantRow.source) == terms.source,
    )
    return session.exec(query.order_by(col(GrantRow.id)).limit(1)).first()


def _statements(session: Session, terms: Terms, key: str | None) -> tuple[Sequence[StatementRow], int]:
    """Return the statements that the terms are about today, of many the newest, and how many there are."""
    if terms.leaf_hash is not None:
        about = col(StatementRow.leaf_hash) == terms.leaf_hash
    else:
        about = and_(
            col(StatementRow.product) == key,
            col(StatementRow.vct) == terms.kind,
            col(StatementRow.issuer) == terms.owner,
        )
    newest = select(StatementRow).where(about).order_by(col(StatementRow.index).desc()).limit(_PREVIEWED)
    return session.exec(newest).all(), session.exec(select(func.count()).select_from(StatementRow).where(about)).one()


def _hanging(session: Session, grant: str) -> list[GrantRow]:
    """Return the grants that pass on what `grant` gave, and those that pass these on, locked."""
    found: list[GrantRow] = []
    sources = [grant]
    while sources:
        query = select(GrantRow).where(col(GrantRow.source).in_(sources[:_BATCH])).order_by(col(GrantRow.id))
        there = session.exec(query.with_for_update()).all()
        found += there
        sources = sources[_BATCH:] + [row.id for row in there]
    return found


def _taken_by(session: Session, rows: Sequence[GrantRow]) -> list[Copies]:
    """Return what the readers of these grants, all of one target, took of what they are about."""
    first = rows[0]
    leaves = [row.leaf_hash for row in rows if row.leaf_hash is not None]
    if first.product is not None:
        about = select(StatementRow.leaf_hash).where(
            col(StatementRow.product) == first.product_key,
            col(StatementRow.vct) == first.kind,
            col(StatementRow.issuer) == first.owner,
        )
        leaves += session.exec(about).all()
    return copies_of(session, first.owner, sorted({row.reader for row in rows}), sorted(set(leaves)))


def _speaks_for(session: Session, actor: Principal, organisation: str) -> bool:
    return bool(session.exec(select(spoken_for(actor, literal(organisation)))).one())


def _as_told(actor: Principal, row: GrantRow) -> Recorded:
    """Return a grant as listed: who clicked is told to the organisation that gave it."""
    found = _recorded(row)
    if row.grantor == actor.organisation or actor.stands_in:
        return found
    return replace(found, recorded_by=None, withdrawn_by=None)


def _recorded(row: GrantRow, *, existed: bool = False) -> Recorded:
    terms = Terms(
        row.owner,
        row.reader,
        tuple(row.paths.split()),
        cast("Purpose", row.purpose),
        row.leaf_hash,
        row.product,
        row.kind,
        cast("Onward", row.onward),
        row.valid_until,
        row.source,
    )
    return Recorded(
        row.id, terms, row.grantor, row.recorded_by, row.recorded_at, row.withdrawn_at, row.withdrawn_by, existed
    )


def _export_record(row: ExportRecordRow) -> ExportRecord:
    return ExportRecord(
        row.id,
        row.grant_id,
        row.owner,
        row.grantor,
        row.reader,
        row.from_country,
        row.to_country,
        row.leaf_hash,
        row.product,
        tuple(row.paths.split()),
        row.purpose,
        row.reason,
        row.recorded_at,
    )
