"""The rows of files that statements name as evidence: found, and deleted with what named them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, Connection, delete, exists, select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from exchange.attachment import evidence_named
from exchange.intake import blinded_evidence
from exchange.intake.tables import EvidenceRow, StatementRow
from exchange.sharing.tables import AttachmentRow
from exchange.sharing.verified import claims_by_path, held_disclosures
from exchange.vault import Vault, erase_parts
from ledger.store import entry

BATCH = 500


def named_in(connection: Connection, vault: Vault, leaf_hash: str) -> dict[str, tuple[str, ...]]:
    """Return the digests that a statement names as evidence, by path; none where its disclosures were erased."""
    row = select(col(StatementRow.index)).where(col(StatementRow.leaf_hash) == leaf_hash)
    index = connection.scalar(row)
    held = held_disclosures(connection, vault, leaf_hash) if index is not None else ()
    if index is None or not held:
        return {}
    return evidence_named(claims_by_path(entry(connection, index).data.decode("ascii"), held))


def stored_rows(connection: Connection, vault: Vault, digests: Collection[str], owner: str) -> dict[str, AttachmentRow]:
    """Return the rows of the files that `owner` handed in, of these digests, by digest."""
    names = {blinded_evidence(vault, digest): digest for digest in digests}
    found: dict[str, AttachmentRow] = {}
    wanted = sorted(names)
    for start in range(0, len(wanted), BATCH):
        query = select(AttachmentRow).where(
            col(AttachmentRow.owner) == owner, col(AttachmentRow.name).in_(wanted[start : start + BATCH])
        )
        found |= {names[row.name]: row for row in Session(connection).scalars(query)}
    return found


def forget_evidence(connection: Connection, index: int) -> None:
    """Delete what an erased statement named, and the files that no other statement of its owner names. It needs no master key.

    To be called when the statement's row is locked: who hands one of them in meanwhile comes before, or finds it erased.
    """
    this, other, other_row = EvidenceRow, aliased(EvidenceRow), aliased(StatementRow)
    owner = connection.scalar(select(col(StatementRow.issuer)).where(col(StatementRow.index) == index))
    elsewhere = exists().where(
        col(other.name) == col(this.name),
        col(other.index) != index,
        col(other_row.index) == col(other.index),
        col(other_row.issuer) == owner,
    )
    orphaned = connection.scalars(select(col(this.name)).where(col(this.index) == index, ~elsewhere)).all()
    connection.execute(delete(EvidenceRow).where(col(EvidenceRow.index) == index))
    for start in range(0, len(orphaned), BATCH):
        forget_files(connection, str(owner), orphaned[start : start + BATCH])


def forget_files(connection: Connection, owner: str, names: Sequence[str]) -> None:
    """Delete files of `owner` by their names as they are looked up."""
    these: tuple[ColumnElement[bool], ...] = (col(AttachmentRow.owner) == owner, col(AttachmentRow.name).in_(names))
    for key in connection.scalars(select(col(AttachmentRow.key)).where(*these)).all():
        erase_parts(connection, key)
    connection.execute(delete(AttachmentRow).where(*these))
