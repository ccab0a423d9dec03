"""What is known beside an engagement's chain: whom the result rests on, what the verifier may see of it, and what else it is to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlmodel import Session, col, or_, select

from bom_graph import SEALED_STAGE, SampleUnit
from exchange.access import covers, visible_paths
from exchange.engagement.chain import Engagement, Facts, Lines
from exchange.errors import StaleError
from exchange.filing import DutyRules, Stored
from exchange.identity import corporate_group
from exchange.intake.tables import StatementRow
from exchange.report import Document
from exchange.requests import PartRow, RequestRow
from exchange.sharing import day_of, grants_of

_QUERY = 500
_NO_LINES = Lines((), frozenset(), {}, Decimal(0), Decimal(0))


@dataclass(frozen=True, slots=True)
class Known:
    """Gathers facts, in a transaction of the caller's."""

    stored: Stored
    duty: DutyRules

    def facts(self, session: Session, engagement: Engagement, signer: str, now: datetime) -> Facts:
        """Return what is known when `signer` states something."""
        found = self.stored.document(session.connection(), engagement.result)
        suppliers = frozenset[str]() if found is None else self.suppliers(session, engagement, found)
        admission, _seen = self.stored.admissions.current(session.connection())
        grant, granted = admission.roles.get(signer), admission.roles.get(engagement.verifier)
        day = day_of(now)
        result = self.stored.result(session, engagement.result, engagement.filer, day)
        return Facts(
            roles=frozenset[str]() if grant is None else grant.on(day),
            same_group=corporate_group(session, engagement.verifier) == corporate_group(session, engagement.filer),
            relations=tuple(_relations(session, engagement, suppliers)),
            accreditations=() if granted is None else granted.accreditations,
            chemistry_group="" if found is None else self.duty.group_of(str(found["chemistry"])),
            rule_set="" if found is None else found["rule_set"]["id"],
            suppliers=suppliers,
            lines=_NO_LINES if found is None else self.lines(session, engagement, found, day),
            stale=("it is gone",) if result is None else result.stale,
        )

    def document(self, session: Session, engagement: Engagement) -> Document:
        """Return the engagement's result. StaleError where it is gone."""
        found = self.stored.document(session.connection(), engagement.result)
        if found is None:
            raise StaleError("the filing's result is gone", where="result", remedy="let the filer calculate again")
        return found

    def suppliers(self, session: Session, engagement: Engagement, found: Document) -> frozenset[str]:
        """Return who, beside the filer, signed what the result rests on."""
        leaves, issuers = [one["leaf_hash"] for one in found["inputs"]], set[str]()
        for start in range(0, len(leaves), _QUERY):
            query = select(StatementRow.issuer).where(col(StatementRow.leaf_hash).in_(leaves[start : start + _QUERY]))
            issuers.update(session.exec(query.distinct()).all())
        return frozenset(issuers - {engagement.filer})

    def lines(self, session: Session, engagement: Engagement, found: Document, day: date) -> Lines:
        """Return the lines of the result that the verifier may see.

        The filer's own are opened by its asking; those of others by their owners' grants to the verifier, and by nobody else's. Of the
        rest no line is told, only how much it is in all, which is the total less what is seen.
        """
        visible = self._visible(session, engagement, found, day)
        units, forecasts, signers, unseen = [], set[str](), dict[str, str](), Decimal(0)
        for number, part in enumerate(found["contributions"]):
            name, size = f"contributions/{number}", abs(Decimal(part["kg_co2e"]))
            held = visible.get(part.get("leaf_hash", ""), frozenset())
            if not any(covers(held, path) for path in _paths(part)):
                unseen += size
                continue
            units.append(SampleUnit(name, part["stage"], size))
            signers[name] = part.get("signer", engagement.filer)
            if part.get("forecast"):
                forecasts.add(name)
        return Lines(tuple(units), frozenset(forecasts), signers, unseen, Decimal(found["total"]["value"]))

    def _visible(
        self, session: Session, engagement: Engagement, found: Document, day: date
    ) -> dict[str, frozenset[str]]:
        """Return which claim paths of each input the verifier may see; of the filer's own all."""
        verifier, grants = engagement.verifier, grants_of(session.connection(), engagement.verifier, day)
        leaves = [one["leaf_hash"] for one in found["inputs"]]
        visible: dict[str, frozenset[str]] = {"": frozenset({"full"})}
        for start in range(0, len(leaves), _QUERY):
            some = leaves[start : start + _QUERY]
            query = select(StatementRow.leaf_hash, StatementRow.issuer).where(col(StatementRow.leaf_hash).in_(some))
            for leaf, issuer in session.exec(query).all():
                own = issuer == engagement.filer
                visible[leaf] = visible_paths(verifier, verifier if own else issuer, leaf, grants, day)
        return visible


def _paths(part: Document) -> tuple[str, ...]:
    """Return the claim paths that a contribution was made from; each tells it."""
    if part.get("sealed"):
        # By stages where the result splits it, by its total alone where these aren't granted.
        return ("total",) if part["stage"] == SEALED_STAGE else ("stages",)
    return (part["line"],)


def _relations(session: Session, engagement: Engagement, suppliers: frozenset[str]) -> Iterator[str]:
    """Yield the verifier's other roles in the supply chain; with whom isn't told: that would tell who is in it.

    Of part mappings and requests those that the verifier had a part in: what others merely propose to it or ask of it would else be
    their veto against its opinion.
    """
    verifier, chain = engagement.verifier, suppliers | {engagement.filer}
    if verifier in suppliers:
        yield "it signed what the result rests on"
    group = corporate_group(session, verifier)
    kin = (one for one in sorted(suppliers - {verifier}) if corporate_group(session, one) == group)
    if next(kin, None) is not None:
        yield "an organisation of its corporate group signed what the result rests on"
    mapped = select(PartRow.id).where(
        or_(
            (col(PartRow.customer) == verifier) & col(PartRow.supplier).in_(chain),
            (col(PartRow.supplier) == verifier) & col(PartRow.customer).in_(chain),
        ),
        col(PartRow.ended_at).is_(None),
        (col(PartRow.state) == "confirmed")
        | (col(PartRow.proposed_by) == verifier) & (col(PartRow.state) != "refused"),
    )
    if session.exec(mapped.limit(1)).first() is not None:
        yield "it has a part mapping with an organisation of it"
    for_itself = col(RequestRow.verifier) == verifier
    traded = select(RequestRow.id).where(
        or_(
            (col(RequestRow.asker) == verifier)
            & col(RequestRow.asked).in_(chain)
            & col(RequestRow.state).not_in(["declined", "withdrawn"])
            & (~for_itself | col(RequestRow.verifier).is_(None)),
            (col(RequestRow.asked) == verifier)
            & col(RequestRow.asker).in_(chain)
            & col(RequestRow.state).in_(["accepted", "delegated", "answered"]),
        )
    )
    if session.exec(traded.limit(1)).first() is not None:
        yield "a data request that isn't for verification runs between it and an organisation of it"


def side_by_side(found: Document, number: int, claims: dict[str, Any]) -> dict[str, Any]:
    """Return a line of a result beside what was stated, its factor, and the product of both, computed anew in decimals."""
    part = found["contributions"][number]
    line, _, identity = part["line"].partition("/")
    stated = (
        {name: claims[name] for name in ("total", "stages") if name in claims}
        if part.get("sealed")
        else claims.get(line)
    )
    if isinstance(stated, list):
        stated = next((one for one in stated if isinstance(one, dict) and one.get("id") == identity), None)
    return {
        "item": f"contributions/{number}",
        "product": part["product"],
        "line": part["line"],
        "stage": part["stage"],
        "signer": part.get("signer"),
        "entry": part.get("entry"),
        "leaf_hash": part.get("leaf_hash"),
        "forecast": bool(part.get("forecast")),
        "stated": stated,
        "evidence": sorted(_digests(stated)),
        "amount": {name: part.get(name) for name in ("amount", "unit", "divided_by", "amount_per_unit")},
        "factor": part.get("factor"),
        "recalculation": recalculated(part),
    }


#: Two figures agree that differ by no more than twelve stored digits explain.
_TOLERANCE = Decimal("1e-9")


def recalculated(part: Document) -> dict[str, Any]:
    """Return the kilograms of a contribution from its own figures, step by step, and whether they are the result's."""
    units, stated = Decimal(part["units_in_demand"]), Decimal(part["kg_co2e"])
    if "factor" in part:
        figures = [Decimal(part["amount_per_unit"]), Decimal(part["factor"]["value"]), units]
        formula = "amount per unit x factor x units in demand"
    else:
        figures = [Decimal(part["kg_co2e_per_unit"]), units]
        formula = "kg CO2e per unit x units in demand"
    product = Decimal(1)
    for one in figures:
        product *= one
    return {
        "formula": f"{formula} = {' x '.join(map(str, figures))}",
        "kg_co2e": str(product),
        "result_kg_co2e": str(stated),
        "agrees": abs(product - stated) <= _TOLERANCE * max(abs(product), abs(stated)),
    }


def _digests(stated: object) -> Iterator[str]:
    """Yield the digests of evidence that a line names."""
    if isinstance(stated, dict):
        for name, value in stated.items():
            if name.startswith("evidence") and isinstance(value, str):
                yield value
            else:
                yield from _digests(value)
    elif isinstance(stated, list):
        for one in stated:
            yield from _digests(one)
