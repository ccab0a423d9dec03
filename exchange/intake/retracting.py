"""Supersession and withdrawal on their way in: only the issuer of a statement takes it back, and once."""

from __future__ import annotations

from sqlalchemy import Connection, sql
from sqlmodel import Session, col, select

from exchange.errors import ConflictError, RightsError, StatementError
from exchange.intake.tables import ProductLinkRow, RetiredCertificateRow, StatementRow, SupersededRow
from exchange.kinds import FACTOR_RELEASE, VERIFICATION_STATEMENT, kind_of
from signer import WITHDRAWAL, Citation, Statement, read_retraction


def check_retraction(session: Session, statement: Statement) -> None:
    """Check that the issuer may take the target back now; under the lock on the ledger's head.

    Raises RightsError (another's statement, the same for whatever it is), StatementError (of no kind that is taken back, or something else
    in its place than the same kind about the same product), ConflictError (taken back already).
    """
    retraction = read_retraction(statement)
    target = _own(session, statement, retraction.target, "target")
    is_release = statement.vct == WITHDRAWAL.vct and target.vct == FACTOR_RELEASE.vct
    if kind_of(target.vct).record is None and not is_release:
        raise StatementError(
            f"a {target.vct.split(':')[2]} isn't taken back",
            where="target",
            remedy="supersede or withdraw statements about products, withdraw factor releases; state the rest anew",
        )
    opinion_withdrawn = target.vct == VERIFICATION_STATEMENT.vct and retraction.replacement is None
    if kind_of(target.vct).cites and not opinion_withdrawn:
        raise StatementError(
            "a step of a filing isn't taken back",
            where="target",
            remedy="take the step anew, amend the filing, or withdraw it by a filing-event",
        )
    _check_counts(session, target, "target")
    if retraction.replacement is None:
        return
    replacement = _own(session, statement, retraction.replacement, "replacement")
    if (replacement.vct, replacement.product) != (target.vct, target.product):
        raise StatementError(
            "what takes the statement's place is of another kind or about another product",
            where="replacement",
            remedy="cite a statement of the same kind about the same product, or withdraw the target",
        )
    _check_counts(session, replacement, "replacement")


def write_retraction(connection: Connection, index: int, statement: Statement) -> None:
    """Write the rows of a retraction at `index`. What the target said bars others no longer: from their bills, or from certificates."""
    retraction = read_retraction(statement)
    replacement = None if retraction.replacement is None else retraction.replacement.index
    row = {"index": retraction.target.index, "by": index, "replacement": replacement}
    connection.execute(sql.insert(SupersededRow), row)
    connection.execute(sql.delete(ProductLinkRow).where(col(ProductLinkRow.index) == retraction.target.index))
    connection.execute(
        sql.delete(RetiredCertificateRow).where(col(RetiredCertificateRow.index) == retraction.target.index)
    )


def _own(session: Session, statement: Statement, cited: Citation, where: str) -> StatementRow:
    row = session.exec(select(StatementRow).where(col(StatementRow.index) == cited.index)).one_or_none()
    if row is None or row.issuer != statement.issuer:
        raise RightsError(
            "the statement isn't this issuer's",
            where=where,
            remedy="cite a statement of your own; ask others to correct theirs",
        )
    return row


def _check_counts(session: Session, row: StatementRow, where: str) -> None:
    gone = session.get(SupersededRow, row.index)
    if gone is not None:
        raise ConflictError(
            f"entry {row.index} counts no more since entry {gone.by}",
            where=where,
            remedy="supersede the statement that took its place, or state anew",
        )
