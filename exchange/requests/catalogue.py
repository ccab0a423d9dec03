"""Products by the names of their two sides: the supplier's catalogue, and which part of a customer's is which product of a supplier's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, cast

from sqlalchemy import ColumnElement, Engine, or_, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from bom_graph import dimension
from exchange.access import Principal
from exchange.database import begin
from exchange.errors import ConflictError, NotFoundError, RequestError, RightsError
from exchange.identity import Accounts, OrganisationRow, spoken_for
from exchange.requests.notices import Step, tell_of
from exchange.requests.tables import PartRow, ProductRow
from ledger.store import snapshot
from signer import new_jti

ProductKind = Literal["pack", "module", "cell", "material", "component"]
MappingState = Literal["proposed", "confirmed", "refused", "ended"]
_PARTS = "take the id from the list of parts"


@dataclass(frozen=True, slots=True)
class Product:
    """A product in a catalogue; `unit` is the unit it is declared in."""

    uri: str
    name: str
    unit: str
    kind: ProductKind


@dataclass(frozen=True, slots=True)
class PartMapping:
    """The customer's `part` (its number, and perhaps its product line) is the supplier's `product`."""

    customer: str
    part: str
    supplier: str
    product: str
    line: str | None = None


@dataclass(frozen=True, slots=True)
class StatedMapping:
    """A mapping as both sides see it; `called` is the supplier's name of the product, once it is confirmed."""

    id: str
    mapping: PartMapping
    proposed_by: str
    state: MappingState
    proposed_at: datetime
    confirmed_at: datetime | None
    ended_at: datetime | None
    reason: str | None
    called: str | None = None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Keeps the products of organisations and the mappings between two of them. Nobody else sees either."""

    engine: Engine
    accounts: Accounts
    clock: Callable[[], datetime]
    random: Callable[[int], bytes] = field(repr=False)

    def put_product(self, actor: Principal, owner: str, product: Product) -> bool:
        """State a product of `owner`, or state it anew; whether it was there. RequestError for a URI of another's, UnitError."""
        self.accounts.check_speaks_for(actor, owner, "requests:write")
        check_below(product.uri, owner, where="uri")
        dimension(product.unit, where="unit")
        with begin(self.engine) as connection, Session(connection) as session:
            existed = session.get(ProductRow, product.uri) is not None
            session.merge(
                ProductRow(
                    uri=product.uri,
                    owner=owner,
                    name=product.name,
                    unit=product.unit,
                    kind=product.kind,
                    recorded_by=actor.recorded_as(owner),
                    recorded_at=self.clock(),
                )
            )
            session.flush()
        return existed

    def products(self, actor: Principal, owner: str, after: str = "", limit: int = 100) -> list[Product]:
        """Return the products of `owner` by URI, those behind `after`."""
        self.accounts.check_speaks_for(actor, owner, "data:read")
        with snapshot(self.engine) as connection, Session(connection) as session:
            rows = session.exec(
                select(ProductRow)
                .where(col(ProductRow.owner) == owner, col(ProductRow.uri) > after)
                .order_by(col(ProductRow.uri))
                .limit(limit)
            ).all()
            return [Product(row.uri, row.name, row.unit, cast("ProductKind", row.kind)) for row in rows]

    def propose(self, actor: Principal, organisation: str, mapping: PartMapping) -> tuple[StatedMapping, bool]:
        """Propose a mapping to its other side; return it, and whether it stood already.

        Raises RightsError (neither side is the proposer), RequestError, NotFoundError (no such organisation; a supplier proposes what its
        catalogue doesn't hold).
        """
        self.accounts.check_speaks_for(actor, organisation, "requests:write")
        if organisation not in (mapping.customer, mapping.supplier):
            raise RightsError("a mapping between others", where="customer", remedy="propose one of your own parts")
        if mapping.customer == mapping.supplier:
            raise RequestError("a mapping to oneself", where="supplier", remedy="name another organisation")
        check_below(mapping.product, mapping.supplier, where="product")
        for _attempt in range(2):
            try:
                return self._propose(actor, organisation, mapping)
            except IntegrityError:
                continue  # the other one that proposed it at the same moment was first
        raise ConflictError("the mapping was proposed meanwhile", where="part", remedy="look at the list of parts")

    def _propose(self, actor: Principal, organisation: str, mapping: PartMapping) -> tuple[StatedMapping, bool]:
        now = self.clock()
        with begin(self.engine) as connection, Session(connection) as session:
            there = session.exec(select(PartRow).where(*_same(mapping), col(PartRow.ended_at).is_(None))).one_or_none()
            if there is not None:
                return _stated(there), True
            other = mapping.supplier if organisation == mapping.customer else mapping.customer
            check_known(session, other, where="supplier" if other == mapping.supplier else "customer")
            if organisation == mapping.supplier:
                _check_listed(session, mapping.product)
            row = PartRow(
                id=new_jti(now, self.random),
                customer=mapping.customer,
                part=mapping.part,
                line=mapping.line,
                supplier=mapping.supplier,
                product=mapping.product,
                proposed_by=organisation,
                recorded_by=actor.recorded_as(organisation),
                proposed_at=now,
            )
            session.add(row)
            session.flush()
            tell_of(session, Step("part", row.id, "proposed"), other, now, self.random)
            return _stated(row), False

    def decide(self, actor: Principal, part: str, *, confirm: bool, reason: str = "") -> StatedMapping:
        """Confirm or refuse a mapping that the other side proposed.

        Raises NotFoundError, RightsError (one's own proposal), ConflictError (decided otherwise; the part is another product already).
        """
        actor.require("requests:write")
        try:
            with begin(self.engine) as connection, Session(connection) as session:
                return self._decide(session, actor, part, confirm, reason)
        except IntegrityError:
            raise ConflictError(
                "this part is another product of the supplier's already",
                where="part",
                remedy="end that mapping, then confirm this one",
            ) from None

    def _decide(self, session: Session, actor: Principal, part: str, confirm: bool, reason: str) -> StatedMapping:
        row = self._visible(session, actor, part)
        decider = row.customer if row.proposed_by == row.supplier else row.supplier
        self._check_side(actor, decider, "the side that proposed a mapping doesn't decide it")
        wanted = "confirmed" if confirm else "refused"
        if row.state == wanted:
            return _stated(row)
        if row.state != "proposed":
            raise ConflictError(f"the mapping is {row.state}", where="part", remedy="propose it again")
        if confirm and decider == row.supplier:
            _check_listed(session, row.product)
        now, by = self.clock(), actor.recorded_as(decider)
        values = {"confirmed_at": now} if confirm else {"ended_at": now, "ended_by": by, "reason": reason or None}
        self._change(session, row, {"state": wanted, **values})
        tell_of(session, Step("part", row.id, wanted), row.proposed_by, now, self.random)
        return _stated(row)

    def end(self, actor: Principal, part: str) -> StatedMapping:
        """End a mapping, or take a proposal back: either side may end what is confirmed. NotFoundError, RightsError."""
        actor.require("requests:write")
        with begin(self.engine) as connection, Session(connection) as session:
            row = self._visible(session, actor, part)
            if row.ended_at is not None:
                return _stated(row)
            mine = row.customer if self._speaks_for(actor, row.customer) else row.supplier
            if row.state == "proposed":
                self._check_side(actor, row.proposed_by, "a proposal is decided by its other side, not ended")
                mine = row.proposed_by
            now = self.clock()
            self._change(session, row, {"state": "ended", "ended_at": now, "ended_by": actor.recorded_as(mine)})
            other = row.supplier if mine == row.customer else row.customer
            tell_of(session, Step("part", row.id, "ended"), other, now, self.random)
            return _stated(row)

    def parts(
        self,
        actor: Principal,
        organisation: str,
        side: Literal["customer", "supplier"],
        after: str = "",
        limit: int = 100,
    ) -> list[StatedMapping]:
        """Return the mappings of an organisation's parts (`customer`) or products (`supplier`), the oldest first, behind `after`."""
        self.accounts.check_speaks_for(actor, organisation, "data:read")
        mine = col(PartRow.customer if side == "customer" else PartRow.supplier)
        with snapshot(self.engine) as connection, Session(connection) as session:
            rows = session.exec(
                select(PartRow, ProductRow.name)
                .outerjoin(ProductRow, col(ProductRow.uri) == col(PartRow.product))
                .where(mine == organisation, col(PartRow.id) > after)
                .order_by(col(PartRow.id))
                .limit(limit)
            ).all()
            return [_stated(row, called) for row, called in rows]

    def _visible(self, session: Session, actor: Principal, part: str) -> PartRow:
        mine = or_(spoken_for(actor, col(PartRow.customer)), spoken_for(actor, col(PartRow.supplier)))
        row = session.exec(select(PartRow).where(col(PartRow.id) == part, mine)).one_or_none()
        if row is None:
            raise NotFoundError("no such mapping", where="part", remedy=_PARTS)
        return row

    def _speaks_for(self, actor: Principal, organisation: str) -> bool:
        try:
            self.accounts.check_speaks_for(actor, organisation, "requests:write")
        except RightsError:
            return False
        return True

    def _check_side(self, actor: Principal, organisation: str, what: str) -> None:
        if not self._speaks_for(actor, organisation):
            raise RightsError(what, where="part", remedy="wait for the other side")

    @staticmethod
    def _change(session: Session, row: PartRow, values: Mapping[str, object]) -> None:
        """Write to a row that nobody changed meanwhile; ConflictError where somebody did."""
        unchanged = (col(PartRow.id) == row.id, col(PartRow.state) == row.state)
        if session.exec(update(PartRow).where(*unchanged).values(**values)).rowcount == 0:
            raise ConflictError("the mapping was decided meanwhile", where="part", remedy=_PARTS)
        session.refresh(row)


def check_below(product: str, owner: str, *, where: str) -> None:
    """Check that a product is named below its owner's URI, as in statements; RequestError otherwise."""
    if not product.startswith(f"{owner}/"):
        raise RequestError(
            f"the product isn't below {owner}", where=where, remedy="name a product of that organisation"
        )


def check_known(session: Session, organisation: str, *, where: str) -> OrganisationRow:
    """Return the organisation's row; NotFoundError for one that isn't here."""
    row = session.get(OrganisationRow, organisation)
    if row is None:
        raise NotFoundError("no such organisation", where=where, remedy="take it from the list of organisations")
    return row


def confirmed_product(session: Session, customer: str, part: str, supplier: str) -> str:
    """Return which product of the supplier's a customer's part is; NotFoundError where no mapping is confirmed."""
    found = session.exec(
        select(PartRow.product).where(
            col(PartRow.customer) == customer,
            col(PartRow.part) == part,
            col(PartRow.supplier) == supplier,
            col(PartRow.state) == "confirmed",
        )
    ).one_or_none()
    if found is None:
        raise NotFoundError(
            "no confirmed mapping of this part to a product of that organisation",
            where="part",
            remedy="propose one, or name the product",
        )
    return found


def _same(mapping: PartMapping) -> tuple[ColumnElement[bool], ...]:
    return (
        col(PartRow.customer) == mapping.customer,
        col(PartRow.part) == mapping.part,
        col(PartRow.supplier) == mapping.supplier,
        col(PartRow.product) == mapping.product,
    )


def _check_listed(session: Session, product: str) -> None:
    if session.get(ProductRow, product) is None:
        raise NotFoundError(
            "the product isn't in the supplier's catalogue", where="product", remedy="put it into the catalogue first"
        )


def _stated(row: PartRow, called: str | None = None) -> StatedMapping:
    return StatedMapping(
        row.id,
        PartMapping(row.customer, row.part, row.supplier, row.product, row.line),
        row.proposed_by,
        cast("MappingState", row.state),
        row.proposed_at,
        row.confirmed_at,
        row.ended_at,
        row.reason,
        called if row.state == "confirmed" else None,
    )
