"""What is asked of a statement beyond its own signature and sums: of what came with it, and under the lock of what is here already."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, Executable, bindparam, sql
from sqlmodel import col

from bom_graph import CertificateRetirement, CycleError, Lines, Record
from exchange.access import covers
from exchange.admission import citations
from exchange.errors import DoubleClaimError, StatementError
from exchange.evidence import Entry
from exchange.intake.tables import ProductLinkRow, RetiredCertificateRow, StatementRow
from exchange.intake.writing import blinded_series, components, ranges, span_place
from exchange.vault import Vault
from ledger.store import leaf_hashes
from signer import RETRACTIONS, Statement, check_cited

MAX_DISCLOSURES = 20_000
MAX_DISCLOSURE_BYTES = 4 * 1024 * 1024
_QUERY = 500  # products asked for at once, well below what either database takes as parameters

# Built once: every statement asks them.
_RETIRED: Executable = sql.select(
    col(RetiredCertificateRow.index).label("number"), col(RetiredCertificateRow.line), col(RetiredCertificateRow.span)
).where(col(RetiredCertificateRow.series) == bindparam("of"), col(RetiredCertificateRow.name) != bindparam("own"))
_ISSUER: Executable = sql.select(col(StatementRow.issuer)).where(col(StatementRow.index) == bindparam("of"))
_LINKS: Executable = sql.select(col(ProductLinkRow.product), col(ProductLinkRow.component)).where(
    col(ProductLinkRow.product).in_(bindparam("products", expanding=True))
)


class RetiredError(DoubleClaimError):
    """Certificates that another entry retired: which, only its owner and the exchange know."""

    def __init__(self, index: int, where: str) -> None:
        super().__init__(
            "certificates of this range are retired in this log already",
            where=where,
            remedy="state certificates that nobody has claimed; ask the operator where you hold them",
        )
        self.index = index


def check_size(disclosures: Sequence[str]) -> None:
    """Check that the disclosures are as many as one statement may have; StatementError otherwise."""
    if len(disclosures) > MAX_DISCLOSURES or sum(map(len, disclosures)) > MAX_DISCLOSURE_BYTES:
        raise StatementError(
            f"more than {MAX_DISCLOSURES} disclosures or {MAX_DISCLOSURE_BYTES} bytes of them",
            where="disclosures",
            remedy="split the statement by site or period",
        )


def check_whole(checked: Entry) -> None:
    """Check that the sender handed over every disclosure: what the exchange doesn't hold, it can't grant or compute."""
    statement, record = checked.statement, checked.record
    if record is None and statement.vct not in RETRACTIONS:
        return
    named: Any = statement.contents["claims"] if statement.contents is not None else None
    if named is None or not statement.claims.keys() >= set(named) or not (record is None or record.is_whole):
        raise StatementError(
            "not all disclosures were handed over",
            where="disclosures",
            remedy="send the statement with `contents` and all the rest",
        )


def check_withheld(checked: Entry) -> None:
    """Check that nothing came that isn't to be kept, and that there is something to withhold."""
    given = len(checked.statement.disclosure_digests)
    if checked.record is None:
        what = "all claims of this kind are open: nothing can be withheld"
    elif given > (checked.statement.contents is not None):
        what = "a sealed statement comes without disclosures, or with `contents` alone"
    else:
        return
    remedy = "leave the disclosures out, or send it as one that isn't sealed"
    raise StatementError(what, where="sealed", remedy=remedy)


def check_begun(record: CertificateRetirement, day: date) -> None:
    """Refuse certificates for electricity of a month that hasn't begun on `day`: nobody used any of it yet."""
    if isinstance(record.month, str) and record.month > f"{day:%Y-%m}":
        raise StatementError(
            f"the month {record.month} hasn't begun (today is {day}, UTC)",
            where="month",
            remedy="state the month in which the electricity was used",
        )


def check_all_cited(connection: Connection, statements: Iterable[Statement]) -> None:
    """Check that the cited entries of this log are there; a predecessor's are not at hand here."""
    cited = [
        (path, citation)
        for statement in statements
        for path, citation in citations(statement)
        if citation.origin == statement.audience
    ]
    found = leaf_hashes(connection, {citation.index for _path, citation in cited}) if cited else {}
    for path, citation in cited:
        leaf = found.get(citation.index, b"").hex()
        check_cited(citation, index=citation.index, leaf_hash=leaf, where=path)


def check_cycle(connection: Connection, vault: Vault, record: Record) -> None:
    """Refuse a record by which its product would be made from itself. Who else is on the way is not told."""
    lines = components(record)
    product = vault.blind(str(record.sub)) if lines else ""
    seen: set[str] = set()
    waiting = {vault.blind(component): component for component in lines}
    while waiting:
        if product in waiting:
            component = waiting[product]
            raise CycleError(
                f"{record.sub} would be made from itself, by way of {component}",
                where=f"{lines[component]}/product",
                remedy="correct this line, or ask the maker of that component to correct its own bill of materials",
            )
        seen |= waiting.keys()
        rows = [row for some in _batches(sorted(waiting)) for row in connection.execute(_LINKS, {"products": some})]
        waiting = {row.component: waiting[row.product] for row in rows if row.component not in seen}


def check_retired_once(
    connection: Connection, vault: Vault, record: CertificateRetirement, *, by_issuer: str | None = None
) -> None:
    """Refuse certificates that were retired under another name; under its own, a retirement corrects itself. Whose is not told.

    With `by_issuer` only what that organisation retired counts: a dry run, of which no owner hears, tells of nobody else's.
    """
    own = vault.blind(str(record.sub))
    for line in ranges(record):
        series = blinded_series(vault, line["series"])
        for row in connection.execute(_RETIRED, {"of": series, "own": own}):
            if _overlaps(vault, row, line) and by_issuer in (None, _issuer(connection, row.number)):
                raise RetiredError(row.number, f"serials/{line['line']}")


def products_by_line(record: Record | None) -> dict[str, str]:
    """Return the product that each line names, by the line's path (``inputs/<id>``)."""
    return {
        f"{name}/{line.id}": str(product)
        for name in (() if record is None else record.lists)
        if isinstance(lines := getattr(record, name), Lines)
        for line in lines
        if (product := getattr(line, "product", None)) is not None
    }


def tells_product(paths: Collection[str]) -> bool:
    """Whether who sees these claim paths of an entry may learn from it what it is about."""
    return covers(paths, "sub") or any(path.partition("/")[0] == "outputs" for path in paths)


def _issuer(connection: Connection, index: int) -> str:
    return str(connection.execute(_ISSUER, {"of": index}).scalar_one())


def _overlaps(vault: Vault, row: Any, line: Mapping[str, Any]) -> bool:
    first, last = map(int, vault.shown(bytes(row.span), *span_place(row.number, row.line)).split())
    return bool(first <= line["last"] and last >= line["first"])


def _batches(products: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(products), _QUERY):
        yield products[start : start + _QUERY]
