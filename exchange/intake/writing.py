"""The rows beside the ledger that belong to an entry: who said it, its disclosures, and what later checks look up."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, sql
from sqlmodel import Session, col

from bom_graph import BillOfMaterials, CertificateRetirement, Lines, Record
from exchange.attachment import evidence_named
from exchange.events import emit
from exchange.evidence import Entry
from exchange.intake.retracting import write_retraction
from exchange.intake.tables import EvidenceRow, ProductLinkRow, RetiredCertificateRow, StatementRow
from exchange.vault import Vault
from signer import KEY_EVENT, RETRACTIONS, read_key_event

#: Writes rows of a domain's own in the transaction of a fresh entry, given its index.
Companion = Callable[[Session, int], None]
#: Takes a fresh entry of its kind into a domain's tables in the entry's transaction, or refuses it; `Entry.index` is its place.
Take = Callable[[Session, Entry], None]

# Built once: every statement asks them.
_ADD_STATEMENT = sql.insert(StatementRow)
_ADD_LINKS = sql.insert(ProductLinkRow)
_ADD_EVIDENCE = sql.insert(EvidenceRow)
_ADD_RETIRED = sql.insert(RetiredCertificateRow)


@dataclass(frozen=True, slots=True)
class Checked:
    """A statement that passed the first check, when, and under which last governing entry. `disclosures` are what is kept of it."""

    checked: Entry
    disclosures: tuple[str, ...]
    now: datetime
    governed_by: int
    companion: Companion | None
    withheld: bool
    dry_run: bool


def write_rows(connection: Connection, vault: Vault, fresh: Sequence[tuple[int, Checked]]) -> None:
    """Write the rows of fresh entries, given with their indices."""
    rows = [_statement(vault, index, one) for index, one in fresh]
    if not rows:
        return
    connection.execute(_ADD_STATEMENT, rows)
    kept = {one.checked.leaf_hash: "~".join(one.disclosures).encode("ascii") for _, one in fresh if one.disclosures}
    vault.seal_all(connection, "disclosures", kept)
    for (index, one), row in zip(fresh, rows, strict=True):
        record = one.checked.record
        if one.checked.statement.vct in RETRACTIONS:
            write_retraction(connection, index, one.checked.statement)
        if one.checked.statement.vct == KEY_EVENT.vct:
            _tell_owner(connection, index, one)
        if row["product"] is not None and record is not None and (held := sorted(components(record))):
            blinded = [{"index": index, "product": row["product"], "component": vault.blind(name)} for name in held]
            connection.execute(_ADD_LINKS, blinded)
        if one.disclosures and (named := evidence_named(one.checked.statement.claims)):
            names = {blinded_evidence(vault, digest) for digests in named.values() for digest in digests}
            connection.execute(_ADD_EVIDENCE, [{"index": index, "name": name} for name in sorted(names)])
        if isinstance(record, CertificateRetirement) and (lines := ranges(record)):
            connection.execute(_ADD_RETIRED, [_retired(vault, index, line) for line in lines])


def forget_statement(connection: Connection, vault: Vault, index: int, leaf_hash: str) -> None:
    """Erase what is kept of a statement beside the ledger, derived rows included."""
    vault.erase(connection, "disclosures", [leaf_hash])
    connection.execute(sql.delete(ProductLinkRow).where(col(ProductLinkRow.index) == index))
    connection.execute(sql.delete(RetiredCertificateRow).where(col(RetiredCertificateRow.index) == index))
    connection.execute(sql.update(StatementRow).where(col(StatementRow.index) == index).values(product=None))


def blinded_evidence(vault: Vault, digest: str) -> str:
    """Return the digest of a file that statements name as evidence as it is looked up."""
    return vault.blind(f"evidence {digest}")


def blinded_series(vault: Vault, series: str) -> str:
    """Return a series of certificates (hex SHA-256 of registry and prefix, which can be guessed) as it is looked up."""
    return vault.blind(f"series {series}")


def ranges(record: CertificateRetirement) -> list[dict[str, Any]]:
    """Return the ranges of certificates that a retirement names: line, name, series, first and last of the closing digits."""
    found = []
    for line in record.serials if isinstance(record.serials, Lines) else ():
        prefix, first, last = line.span
        series = hashlib.sha256(f"{record.registry_key}\n{prefix}".encode()).hexdigest()
        found.append({"line": line.id, "name": str(record.sub), "series": series, "first": first, "last": last})
    return found


def span_place(index: int, line: str) -> tuple[str, str, str]:
    """Return the place that a range's hidden span is bound to."""
    return "exchange_retired_certificate", str(index), line


def components(record: Record) -> dict[str, str]:
    """Return what a bill of materials says its product holds, each with the path of the first line that says so.

    What activity data says isn't walked: a loop of processes (scrap that returns) is solved.
    """
    found: dict[str, str] = {}
    for name in ("components", "supplier_shares") if isinstance(record, BillOfMaterials) else ():
        lines = getattr(record, name)
        for line in lines if isinstance(lines, Lines) else ():
            if line.product is not None:
                found.setdefault(line.product, f"{name}/{line.id}")
    return found


def _statement(vault: Vault, index: int, one: Checked) -> dict[str, Any]:
    statement, record = one.checked.statement, one.checked.record
    product = record.sub if record is not None and isinstance(record.sub, str) and record.products else None
    return {
        "index": index,
        "leaf_hash": one.checked.leaf_hash,
        "issuer": statement.issuer,
        "jti": statement.jti,
        "vct": statement.vct,
        "product": None if product is None else vault.blind(product),
        "signing_input": statement.signing_digest,
        "admitted_at": one.now,
        "withheld": one.withheld,
    }


def _retired(vault: Vault, index: int, line: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "index": index,
        "line": line["line"],
        "name": vault.blind(line["name"]),
        "series": blinded_series(vault, line["series"]),
        "span": vault.hide(f"{line['first']} {line['last']}", *span_place(index, line["line"])),
    }


def _tell_owner(connection: Connection, index: int, one: Checked) -> None:
    """Tell an organisation of every event about a key in its name, whoever signed it: it may not have asked for it."""
    event = read_key_event(index, one.checked.statement)
    type_ = "packtrace.key.revoked" if event.action in {"revoke", "compromise"} else "packtrace.key.enrolled"
    with Session(connection, join_transaction_mode="create_savepoint") as session:
        emit(
            session,
            recipient=event.organisation,
            type=type_,
            subject=f"/api/v1/entries/{index}",
            data={"index": index, "thumbprint": event.thumbprint, "signed_by": one.checked.statement.issuer},
            at=one.now,
        )
        session.commit()
