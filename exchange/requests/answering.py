"""What an answer is: statements that fit the request, and grants of exactly the paths that are named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection
from sqlmodel import Session, col, select

from bom_graph import Period, ProductFootprint, RuleSetName, meet
from exchange.access import Principal, Purpose
from exchange.errors import NotFoundError, RequestError
from exchange.intake import Admissions
from exchange.intake.tables import StatementRow
from exchange.kinds import ACTIVITY_DATA, PRODUCT_FOOTPRINT
from exchange.requests.tables import AnswerRow, RequestRow, Wanted
from exchange.requests.views import Answer, Named, Side
from exchange.sharing import Grants, Sharing, Terms
from ledger.store import entry

_KINDS: Mapping[str, Wanted] = {ACTIVITY_DATA.vct: "activity-data", PRODUCT_FOOTPRINT.vct: "product-footprint"}


@dataclass(frozen=True, slots=True)
class Answers:
    """Checks, records and finds answers, each in the caller's transaction."""

    sharing: Sharing
    grants: Grants
    admissions: Admissions

    def check(self, connection: Connection, row: RequestRow, named: Sequence[Named]) -> dict[str, str]:
        """Check that the statements answer the request; return the type of each by leaf hash. RequestError, NotFoundError."""
        if row.verifier is None and any(one.verification_paths for one in named):
            raise RequestError(
                "no verifier was asked for", where="verification_paths", remedy="grant verifiers separately"
            )
        if len({one.leaf_hash for one in named}) < len(named) or not named:
            raise RequestError("none, or one twice", where="statements", remedy="name each statement once")
        kinds, covered = {}, set[str]()
        for number, one in enumerate(named):
            where = f"statements/{number}"
            stated = _own_statement(connection, row, one.leaf_hash, where)
            kinds[one.leaf_hash] = stated.vct
            covered.add(_checked(self._record(connection, row, stated), row, where))
        missing = set(row.rule_sets.split()) - covered
        if missing and ACTIVITY_DATA.vct not in kinds.values():
            raise RequestError(
                f"no footprint under {', '.join(sorted(missing))}",
                where="statements",
                remedy="name a footprint under each rule set that was asked for, or decline",
            )
        return kinds

    def record(
        self,
        connection: Connection,
        actor: Principal,
        row: RequestRow,
        named: Sequence[Named],
        kinds: Mapping[str, str],
    ) -> None:
        """Grant what is named, to the asker and to the verifier whom it asked for, and keep what was named."""
        with Session(connection) as session:
            for one in named:
                # Across a border this is the reason that the export record keeps.
                reason = f"answer to data request {row.id}"
                purpose: Purpose = "verification" if row.verifier == row.asker else "customer"
                terms = Terms(row.asked, row.asker, tuple(one.paths), purpose, one.leaf_hash, reason=reason)
                self.grants.record(connection, actor, terms)
                if one.verification_paths and row.verifier not in (None, row.asker):
                    shown = replace(
                        terms, reader=row.verifier, paths=tuple(one.verification_paths), purpose="verification"
                    )
                    self.grants.record(connection, actor, shown)
                session.add(
                    AnswerRow(
                        request=row.id,
                        leaf_hash=one.leaf_hash,
                        vct=kinds[one.leaf_hash],
                        paths=" ".join(sorted(set(one.paths))),
                        verification_paths=" ".join(sorted(set(one.verification_paths))),
                    )
                )
            session.flush()

    def _record(self, connection: Connection, row: RequestRow, stated: StatementRow) -> Any:
        """Return what a statement says, as its owner sees it."""
        admission, _last = self.admissions.current(connection)
        token = entry(connection, stated.index).data.decode("ascii")
        disclosed = self.sharing.disclosed(connection, row.asked, stated.leaf_hash)
        return admission.reread(stated.index, token, disclosed).record


def answer_of(session: Session, row: RequestRow, side: Side) -> Answer:
    """Return what answered a request. Which paths the verifier was granted is the answerer's: they name its lines."""
    rows = session.exec(select(AnswerRow).where(col(AnswerRow.request) == row.id).order_by(col(AnswerRow.leaf_hash)))
    found = [
        Named(one.leaf_hash, tuple(one.paths.split()), tuple(one.verification_paths.split())) for one in rows.all()
    ]
    verification = any(one.verification_paths for one in found)
    if side == "asker":
        found = [Named(one.leaf_hash, one.paths) for one in found]
    return Answer(tuple(found), verification)


def is_answer(session: Session, row: RequestRow, named: Sequence[Named]) -> bool:
    """Whether a request was answered by exactly this."""
    there = {(one.leaf_hash, one.paths, one.verification_paths) for one in answer_of(session, row, "asked").named}
    return there == {
        (one.leaf_hash, tuple(sorted(set(one.paths))), tuple(sorted(set(one.verification_paths)))) for one in named
    }


def _own_statement(connection: Connection, row: RequestRow, leaf_hash: str, where: str) -> StatementRow:
    """Return the row of a statement of the answerer's, of a kind that is wanted."""
    by_hash = (col(StatementRow.leaf_hash) == leaf_hash, col(StatementRow.issuer) == row.asked)
    stated = Session(connection).exec(select(StatementRow).where(*by_hash)).one_or_none()
    if stated is None:
        raise NotFoundError(
            f"{row.asked} has no statement with this leaf hash",
            where=where,
            remedy="take it from the statement's receipt",
        )
    if _KINDS.get(stated.vct) not in row.wanted.split():
        raise RequestError(f"not what is wanted: {row.wanted}", where=where, remedy="name statements of that kind")
    return stated


def _checked(record: Any, row: RequestRow, where: str) -> str:
    """Check what a statement says against the request; return the rule set of a footprint."""
    if row.product not in record.products:
        raise RequestError("it is about another product", where=where, remedy=f"name one about {row.product}")
    if not meet(record.period, Period(start=row.period_start, end=row.period_end)):
        raise RequestError(
            "its period doesn't meet the one asked for",
            where=where,
            remedy=f"name one of {row.period_start} to {row.period_end}",
        )
    if not isinstance(record, ProductFootprint):
        return ""
    rule_set = record.rule_set.id if isinstance(record.rule_set, RuleSetName) else ""
    if rule_set not in row.rule_sets.split():
        raise RequestError("a footprint under another rule set", where=where, remedy=f"name one under {row.rule_sets}")
    return rule_set
