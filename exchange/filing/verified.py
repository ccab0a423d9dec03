"""What verified filings contribute to industry averages: a pack model's figure, weighed by the energy that a year's packs deliver."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final, get_args

from sqlalchemy import Connection, Engine
from sqlmodel import Session, col, select

from bom_graph import ActivityData, AverageError, Lines, Period, VerifiedFootprint
from exchange.filing.chain import State
from exchange.filing.duty import DutyRules
from exchange.filing.hidden import group_key, show_told
from exchange.filing.stored import Stored
from exchange.filing.tables import FilingRow
from exchange.identity import corporate_group
from exchange.intake.tables import StatementRow
from ledger.store import snapshot

#: The flow of an average of packs: this and the chemistry group's id. It is stated per kWh delivered.
FLOW: Final = "traction-battery-"
_UNIT: Final = "kWh delivered"
_VERIFIED: Final = tuple(state for state in get_args(State) if state in {"verified", "filed", "accepted"})


@dataclass(frozen=True, slots=True)
class VerifiedFootprints:
    """Yields the verified footprints of a flow (``traction-battery-LFP``), region (country of the plant) and year that count today.

    Value: kg CO2e per kWh delivered. Production: kWh that the packs of the year deliver over their lives, packs made times the denominator
    of the result. A filing counts while its verification hasn't lapsed and nothing that its result was made from was taken back; its
    year is the one in which its activity data ends. What is only newer (another year, a next version) makes no figure wrong.
    """

    engine: Engine
    stored: Stored
    rules: DutyRules

    def of(self, flow: str, region: str, year: int, today: date) -> Iterator[VerifiedFootprint]:
        """Yield them. AverageError for a flow of which there never is any."""
        group = flow.removeprefix(FLOW)
        named = self.rules.group_of(group) if flow.startswith(FLOW) else "<chemistry group>"
        if group != named:
            raise AverageError(f"nothing verified is of a flow {flow}", where="flow", remedy=f"ask for {FLOW}{named}")
        key = group_key(self.stored.vault, group)
        query = select(FilingRow).where(col(FilingRow.group_key) == key, col(FilingRow.state).in_(_VERIFIED))
        with snapshot(self.engine) as connection, Session(connection) as session:
            for row in session.exec(query.order_by(col(FilingRow.id))).all():
                lapsed = row.expires is not None and row.expires < today
                told = show_told(self.stored.vault, row.id, row.sealed)
                if lapsed or told.country != region or told.figure is None or row.result is None:
                    continue
                made = self._delivered(connection, session, row, told.product, year)
                if made > 0:
                    group = corporate_group(session, row.filer)
                    yield VerifiedFootprint(row.filer, group, flow, region, year, Decimal(told.figure), made, _UNIT)

    def _delivered(self, connection: Connection, session: Session, row: FilingRow, product: str, year: int) -> Decimal:
        """Return the kWh that the packs which the filing's activity data of `year` states deliver; zero where there is none."""
        found = self.stored.document(connection, str(row.result))
        if found is None or found["denominator"]["kwh"] is None or self.stored.taken_back(session, found):
            return Decimal(0)
        if self.stored.doubted_at(session, row):
            return Decimal(0)
        packs = Decimal(0)
        leaves = [one["leaf_hash"] for one in found["inputs"]]
        own = select(StatementRow.index, StatementRow.leaf_hash).where(
            col(StatementRow.leaf_hash).in_(leaves), col(StatementRow.issuer) == row.filer
        )
        for index, leaf in session.exec(own).all():
            record = self.stored.record(connection, index, leaf, row.filer)
            if (
                isinstance(record, ActivityData)
                and isinstance(record.period, Period)
                and record.period.end.year == year
            ):
                packs += _made(record, product)
        return packs * Decimal(found["denominator"]["kwh"])


def _made(record: ActivityData, product: str) -> Decimal:
    """Return how many pieces of a product a statement's outputs state."""
    made = Decimal(0)
    for line in record.outputs if isinstance(record.outputs, Lines) else ():
        if line.product == product:
            made += line.quantity("pieces") or Decimal(0)
    return made
