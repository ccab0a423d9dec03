"""A product's bill as one reader may see it, and where a product is used; whatever of it is another's is logged for its owner."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Engine

from exchange.access import Principal
from exchange.assembly import BillLine, Node, ProductStructure
from exchange.errors import NotFoundError
from exchange.evidence import Entry, Evidence
from exchange.identity import Accounts
from exchange.sharing import Sharing
from ledger.store import begin


@dataclass(frozen=True, slots=True)
class View:
    """A product's bill: the nodes of its tree, the product first, and the ledger's size that they are as of."""

    reader: str
    size: int
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Uses:
    """The lines by which a product goes into others, the nearest first, and the ledger's size that they are as of."""

    reader: str
    size: int
    lines: tuple[BillLine, ...]


class Bills:
    """What bills hold, for their readers."""

    def __init__(self, engine: Engine, sharing: Sharing, accounts: Accounts) -> None:
        self._engine = engine
        self._sharing = sharing
        self._accounts = accounts

    def show(self, actor: Principal, product: str, reader: str | None = None) -> View:
        """Return the bill of `product` as `reader` (the actor's organisation unless stated) sees it.

        NotFoundError where it sees no statement about the product, whether or not there is one; RightsError for another's reader.
        """
        whose, evidence = self._evidence(actor, reader)
        nodes = ProductStructure(evidence).tree(product)
        if not nodes[0].statements:
            raise NotFoundError(
                "no statement about this product is at hand",
                where="product",
                remedy="name a product whose statements you signed or were granted",
            )
        self._took(whose, [held.entry for node in nodes for held in node.statements])
        return View(whose, evidence.size, tuple(nodes))

    def where_used(self, actor: Principal, product: str, reader: str | None = None) -> Uses:
        """Return the lines by which `product` goes into others, as far as `reader` sees them; none where it sees none."""
        whose, evidence = self._evidence(actor, reader)
        lines = ProductStructure(evidence).uses(product)
        self._took(whose, [line.entry for line in lines])
        return Uses(whose, evidence.size, tuple(lines))

    def _evidence(self, actor: Principal, reader: str | None) -> tuple[str, Evidence]:
        whose = reader or actor.organisation
        self._accounts.check_speaks_for(actor, whose, "data:read")
        return whose, self._sharing.evidence_for(whose)

    def _took(self, reader: str, entries: Iterable[Entry]) -> None:
        """Log for the owners what goes out to another; the reader's own takes no lock."""
        others = {
            one.leaf_hash for one in entries if one.statement.disclosure_digests and one.statement.issuer != reader
        }
        if others:
            with begin(self._engine) as connection:
                self._sharing.took(connection, reader, "read", sorted(others))
