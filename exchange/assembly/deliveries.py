"""What suppliers delivered to the operator of a process, against what it says it consumed in the same days.

A reader sees of every entry who signed it, and of most no more. So what is at hand may not be all: a delivery that isn't disclosed can
only add to what was delivered, and activity data that isn't disclosed to what was consumed. A difference that either could explain is
no more than a note.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import chain

from bom_graph import (
    ActivityData,
    Delivery,
    Finding,
    Input,
    Lines,
    Material,
    Period,
    RuleSet,
    Sealed,
    deliveries_against_consumption,
    meet,
)
from exchange.evidence import Entry, Evidence


@dataclass
class Compared:
    """What was found, and the entries that it rests on."""

    findings: list[Finding] = field(default_factory=list)
    used: list[Entry] = field(default_factory=list)


def compare_deliveries(evidence: Evidence, entry: Entry, record: ActivityData, rule_set: RuleSet) -> Compared:
    """Compare what the operator of a process consumed of each supplier's product with the deliveries of it that are at hand.

    Counted is the consumption of all the operator's statements of the period: a seller delivers to an organisation, not to a process.
    """
    result = Compared()
    period = record.period
    if not isinstance(period, Period):
        return result
    for product in sorted({str(line.product) for _, line in _bought(record)}):
        trade = _Trade(evidence, product, entry.statement.issuer, period)
        if not (delivered := trade.deliveries()):
            continue
        statements = evidence.counting(entry, record, lambda other: meet(period, other.period))
        counted = [pair for pair in statements if pair[1].period == period]
        lines = [
            (f"{stated.sub} (entry {one.index}) {path}", line)
            for one, stated in counted
            for path, line in _bought(stated)
            if line.product == product
        ]
        # A product lies below its owner's URI: all its deliveries have one seller.
        more_delivered = next(trade.hidden_deliveries(delivered[0][0].statement.issuer), None)
        more_consumed = next(trade.hidden_consumption(statements, counted), None)
        findings = list(
            deliveries_against_consumption(
                [(one.index, stated) for one, stated in delivered],
                [line for _, line in lines],
                period,
                rule_set.gates.deliveries,
                more_delivered=None if more_delivered is None else more_delivered.index,
                more_consumed=None if more_consumed is None else more_consumed.index,
                where=lines[0][0],
            )
        )
        result.findings += findings
        # Whoever makes the result again has to meet the same, and what may hold more only where something was found.
        result.used += [one for one, _ in chain(delivered, counted)]
        result.used += [one for one in (more_delivered, more_consumed) if findings and one is not None]
    return result


def cited_delivery(
    evidence: Evidence, line: Material, consumer: str, period: Period | None, *, where: str
) -> Iterator[Finding]:
    """Yield a soft finding where a line cites a delivery that went to another organisation, or came after the consumer's period."""
    cited = evidence.cited(line.citation) if line.citation is not None else None
    if cited is None or not isinstance(cited.record, Delivery):
        return
    buyer, day = cited.record.buyer, cited.record.date
    # A tolled input is delivered to whoever bought it, which is the customer.
    if isinstance(buyer, str) and buyer != consumer and not line.tolled:
        what = f"the cited delivery (entry {cited.index}) went to {buyer}, and {consumer} consumed it"
        yield Finding("deliveries", "soft", where, what, "cite the delivery that this organisation received")
    if isinstance(day, date) and period is not None and day > period.end:
        what = f"the cited delivery (entry {cited.index}) is of {day}, it goes into a process whose period ends on {period.end}"
        yield Finding("deliveries", "soft", where, what, "cite a delivery that came before it was consumed")


@dataclass(frozen=True, slots=True)
class _Trade:
    """A product that an organisation bought in a period, and what the evidence may hold of it."""

    evidence: Evidence
    product: str
    buyer: str
    period: Period

    def deliveries(self) -> list[tuple[Entry, Delivery]]:
        """The wholly disclosed deliveries, of one batch and day the newest, oldest first."""
        found: dict[tuple[object, object], tuple[Entry, Delivery]] = {}
        for entry, record in self.evidence.about(self.product, Delivery):
            if record.is_whole and self._may_be(record):
                found.setdefault((record.batch, record.date), (entry, record))
        return sorted(found.values(), key=lambda pair: pair[0].index)

    def hidden_deliveries(self, seller: str) -> Iterator[Entry]:
        """The seller's deliveries of which too little is disclosed to tell that they aren't of this trade."""
        return (entry for entry, record in self.evidence.partly_held(seller, Delivery) if self._may_be(record))

    def hidden_consumption(
        self, statements: Sequence[tuple[Entry, ActivityData]], counted: Sequence[tuple[Entry, ActivityData]]
    ) -> Iterator[Entry]:
        """The buyer's activity data that may hold more consumption: of overlapping other days, or not wholly disclosed."""
        made = {output for _, record in counted for output in record.products}
        for entry, record in statements:
            if record.period != self.period and made.isdisjoint(record.products) and self._may_consume(record):
                yield entry
        for entry, record in self.evidence.partly_held(self.buyer, ActivityData):
            if meet(self.period, record.period) and self._may_consume(record):
                yield entry

    def _may_be(self, record: Delivery) -> bool:
        day = record.date
        return (
            (isinstance(record.sub, Sealed) or record.sub == self.product)
            and (isinstance(record.buyer, Sealed) or record.buyer == self.buyer)
            and (not isinstance(day, date) or self.period.start <= day <= self.period.end)
        )

    def _may_consume(self, record: ActivityData) -> bool:
        inputs = record.inputs
        is_known = inputs is None or (isinstance(inputs, Lines) and inputs.complete)
        return not is_known or any(line.product == self.product for _, line in _bought(record))


def _bought(record: ActivityData) -> Iterator[tuple[str, Input]]:
    """The lines of suppliers' products that the operator bought; what a customer supplied was delivered to the customer."""
    return ((path, line) for path, line in record.lines("inputs") if line.product is not None and not line.tolled)
