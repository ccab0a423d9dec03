"""A tier's own footprint: drafted from a stored result for the tier to sign, and held against that result when it comes in signed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import Connection
from sqlmodel import Session

from bom_graph import ActivityData, Lines, Measure, Period, ProductFootprint, RuleSetName
from exchange.access import Principal
from exchange.calculation.results import Calculation, stored_document
from exchange.calculation.tables import ResultRow
from exchange.errors import ErasedError, RightsError, StatementError
from exchange.evidence import Evidence
from exchange.report import Document
from exchange.sharing import Sharing
from exchange.vault import Vault

_CLOSE = Decimal("1e-9")
_REMEDY = "sign the draft of this result, or leave result_digest out"


class Drafts:
    """Drafts of product footprints, unsigned."""

    def __init__(self, calculation: Calculation, sharing: Sharing) -> None:
        self._calculation = calculation
        self._sharing = sharing

    def draft(self, actor: Principal, name: str) -> Document:
        """Return the claims of a `product-footprint` by a result of the actor's about a product of its own, for it to check and sign.

        NotFoundError for no such result, RightsError for another's product, StatementError where nothing was computed.
        """
        actor.require("footprints:write")
        found, reader = self._calculation.result_and_reader(actor, name)
        product = found["demand"]["product"]
        if not product.startswith(reader + "/"):
            raise RightsError(
                "the product isn't the organisation's own",
                where="digest",
                remedy="let its maker sign a footprint of it",
            )
        stages = [
            {"stage": stage["id"], "kg_co2e": stage["total_kg_co2e"]}
            for stage in found["stages"]
            if stage["total_kg_co2e"] is not None
        ]
        if not stages:
            raise StatementError(
                "nothing was computed, which isn't zero", where="digest", remedy="fill the gaps that the result names"
            )
        by_factor = found["demand"]["flow"] is not None
        claims: Document = {
            "sub": product,
            "rule_set": {member: found["rule_set"][member] for member in ("id", "version", "digest")},
            "declared_unit": {
                "amount": "1",
                "unit": found["demand"]["declared_unit"].partition(" ")[2],
                "obtained": "calculated",
            },
            "total": f"{sum((Decimal(stage['kg_co2e']) for stage in stages), Decimal(0)):f}",
            "stages": stages,
            "complete": found["complete"],
            "primary_data_share": found["primary_data_share"]["activity_percent"],
            "obtained": "modelled" if by_factor else "calculated",
            "basis": "published_factor" if by_factor else "activity_data",
        }
        # What is said of others' products is theirs to pass on.
        findings = [
            {member: one[member] for member in ("gate", "level", "what")}
            for one in found["findings"]
            if one["level"] != "note" and one["where"].startswith(product)
        ]
        if findings:
            claims["findings"] = findings
        return claims | _of_own_data(self._sharing.evidence_for(reader), found) | {"result_digest": name}


def check_attested(vault: Vault, connection: Connection, issuer: str, record: ProductFootprint) -> None:
    """Check that a footprint which names a result of its issuer says what the result says; StatementError with the claim otherwise.

    Of a result that isn't here, was erased, or is another reader's, nothing is checked.
    """
    if not isinstance(record.result_digest, str):
        return
    row = Session(connection).get(ResultRow, (record.result_digest, issuer))
    if row is None:
        return
    try:
        found = stored_document(connection, vault, row.digest)
    except ErasedError:
        return
    unit = found["demand"]["declared_unit"].partition(" ")[2]
    if record.sub != found["demand"]["product"]:
        raise _differs("sub", "the result is about another product")
    if not isinstance(record.rule_set, RuleSetName) or record.rule_set.digest != found["rule_set"]["digest"]:
        raise _differs("rule_set", "the result is under other rules")
    if not isinstance(record.declared_unit, Measure) or record.declared_unit.unit != unit:
        raise _differs("declared_unit", f"the result is for a {unit}")
    if record.complete and not found["complete"]:
        raise _differs("complete", "the result has gaps")
    of_result = {one["id"]: one["total_kg_co2e"] for one in found["stages"] if one["total_kg_co2e"] is not None}
    amount = record.declared_unit.amount
    if not isinstance(record.total, Decimal) or not _agree(record.total, found["total"]["value"], amount):
        raise _differs("total", "the result comes to another total")
    for line in record.stages if isinstance(record.stages, Lines) else ():
        if line.stage not in of_result or not _agree(line.kg_co2e, of_result.pop(line.stage), amount):
            raise _differs(f"stages/{line.id}", "the result comes to another figure in this stage")
    if of_result:
        raise _differs("stages", f"the result has the stages {', '.join(sorted(of_result))} besides")


def _of_own_data(evidence: Evidence, found: Document) -> Document:
    """The days and the substance that the tier's own activity data states of the product."""
    product = found["demand"]["product"]
    for item in found["inputs"]:
        entry = evidence.get(item["leaf_hash"])
        record: Any = entry.record if entry is not None else None
        if not isinstance(record, ActivityData) or product not in record.products:
            continue
        claims: Document = {}
        if isinstance(record.period, Period):
            claims["period"] = {"start": str(record.period.start), "end": str(record.period.end)}
        for line in record.outputs if isinstance(record.outputs, Lines) else ():
            if line.product == product and getattr(line, "composition", None) is not None:
                claims["composition"] = line.composition.model_dump(mode="json", exclude_none=True)
        return claims
    return {}


def _agree(stated: Decimal, computed: str | None, amount: Decimal) -> bool:
    """Whether a stated figure is the computed one for so many units, to the digits that it is stated in."""
    if computed is None:
        return False
    exact = Decimal(computed) * amount
    exponent = stated.as_tuple().exponent
    half = Decimal(5).scaleb(exponent - 1) if isinstance(exponent, int) else Decimal(0)
    return abs(stated - exact) <= max(half, _CLOSE * abs(exact))


def _differs(where: str, what: str) -> StatementError:
    return StatementError(what, where=where, remedy=_REMEDY)
