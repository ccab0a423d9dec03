"""The closed loop: verified footprints give candidate industry averages, which may become rows of a proposed factor release.

The mathematics is `bom_graph.averages`; here editions are kept, since an average that was shown once stays known for ever. What an
edition was made of is hidden and never leaves.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from bom_graph import (
    Average,
    AverageError,
    AverageRules,
    Edition,
    UnitError,
    VerifiedFootprint,
    candidate_average,
    contributions_of,
    dimension,
    name_key,
)
from exchange.access import Principal
from exchange.database import begin
from exchange.errors import ConflictError
from exchange.governance.tables import EditionRow
from exchange.vault import Vault
from ledger.store import snapshot

#: The verified footprints of a flow, region and year that count on a day: what a verification statement covers.
Footprints = Callable[[str, str, int, date], Iterable[VerifiedFootprint]]


@dataclass(frozen=True, slots=True)
class ShownEdition:
    """An edition as everybody sees it; `row` is what a factor release may hold of it.

    `unit`: what `value` is per, by its symbol and, where that doesn't tell, what is counted in it (``kWh delivered``).
    """

    flow: str
    region: str
    year: int
    unit: str
    value: str
    made_on: str
    rules: str

    @property
    def row(self) -> dict[str, Any]:
        """A row of a factor release file."""
        return {
            "id": f"average-{self.flow}-{self.region}-{self.year}",
            "flow": self.flow,
            "name": f"industry average of verified footprints: {self.flow}, per {self.unit}",
            "geography": self.region,
            "year": self.year,
            "value": self.value,
            "per": _symbol(self.unit),
            "family": "co2e_life_cycle",
            "nature": "statistical",
            "source_value": self.value,
            "source_unit": f"kg CO2e/{self.unit}",
            "source": f"average of {self.year}, made {self.made_on} under {self.rules}",
        }


@dataclass(frozen=True, slots=True)
class Averages:
    """Makes editions of industry averages, and lists them."""

    engine: Engine
    vault: Vault
    rules: AverageRules
    footprints: Footprints
    clock: Callable[[], datetime]

    def make(
        self, actor: Principal, flow: str, region: str, year: int, unit: str | None = None
    ) -> ShownEdition | tuple[str, ...]:
        """Make the edition of a flow, region and year, by the operator; return it, or why it is withheld.

        One that was made before is found, whatever is verified by now. Its unit is the footprints'; `unit`: the one that is expected.
        Raises RightsError, UnitError where that is another, AverageError for a contribution that isn't above zero, or footprints per
        several units.
        """
        actor.require("operator")
        today = self.clock().astimezone(UTC).date()
        footprints = list(self.footprints(flow, region, year, today))
        contributions = contributions_of(footprints, flow=flow, region=region, year=year)
        try:
            with begin(self.engine) as connection, Session(connection) as session:
                if (there := session.get(EditionRow, (flow, region, year))) is not None:
                    _check_expected(unit, there.unit)
                    return _shown(there)
                earlier = self._earlier(session, flow, region)
                found = candidate_average(contributions, self.rules, year=year, made_on=today, earlier=earlier)
                if found.value is None:
                    return found.withheld
                per = _unit_of(footprints)
                _check_expected(unit, per)
                row = EditionRow(
                    flow=flow,
                    region=region,
                    year=year,
                    unit=per,
                    value=format(found.value, "f"),
                    made_on=today,
                    rules=f"{self.rules.id} {self.rules.version}",
                    recorded_by=actor.name,
                    contributions=self._hidden(found, flow, region, year),
                )
                session.add(row)
                session.flush()
                return _shown(row)
        except IntegrityError:
            raise ConflictError("it is being made by another", where="year", remedy="ask for it again") from None

    def page(self, actor: Principal, flow: str | None = None, limit: int = 200) -> list[ShownEdition]:
        """Return the editions (of one flow) by flow, region and year."""
        actor.require("data:read")
        query = select(EditionRow).order_by(col(EditionRow.flow), col(EditionRow.region), col(EditionRow.year))
        if flow is not None:
            query = query.where(col(EditionRow.flow) == flow)
        with snapshot(self.engine) as connection, Session(connection) as session:
            return [_shown(row) for row in session.exec(query.limit(limit)).all()]

    def _earlier(self, session: Session, flow: str, region: str) -> list[Edition]:
        query = select(EditionRow).where(col(EditionRow.flow) == flow, col(EditionRow.region) == region)
        found = []
        for row in session.exec(query).all():
            said = json.loads(self.vault.shown(bytes(row.contributions), *_place(row.flow, row.region, row.year)))
            # Editions of before hold groups as they were spelt, one of them several times perhaps.
            parts = contributions_of(
                (
                    VerifiedFootprint(
                        group, name_key(group), flow, region, row.year, Decimal(value), Decimal(made), row.unit
                    )
                    for group, made, value in said
                ),
                flow=flow,
                region=region,
                year=row.year,
            )
            found.append(Edition(row.year, row.made_on, Decimal(row.value), parts))
        return found

    def _hidden(self, found: Average, flow: str, region: str, year: int) -> bytes:
        said = [(one.group, str(one.production), str(one.footprint)) for one in found.contributions]
        return self.vault.hide(json.dumps(said), *_place(flow, region, year))


def _unit_of(footprints: Iterable[VerifiedFootprint]) -> str:
    """Return the unit that all footprints of an average are per."""
    first, *others = sorted({one.unit for one in footprints})
    if others:
        raise AverageError(
            f"its footprints are per {', '.join((first, *others))}",
            where="unit",
            remedy="average footprints that are per one unit",
        )
    dimension(_symbol(first), where="unit")
    return first


def _check_expected(expected: str | None, unit: str) -> None:
    if expected not in (None, unit, _symbol(unit)):
        raise UnitError(
            f"the verified footprints are per {unit}, not per {expected}",
            where="unit",
            remedy="leave the unit out: it is that of the footprints",
        )


def _symbol(unit: str) -> str:
    """A unit without what is counted in it: ``kWh`` of ``kWh delivered``."""
    return unit.partition(" ")[0]


def _place(flow: str, region: str, year: int) -> tuple[str, str, str, str]:
    return "exchange_average_edition", flow, region, str(year)


def _shown(row: EditionRow) -> ShownEdition:
    return ShownEdition(row.flow, row.region, row.year, row.unit, row.value, row.made_on.isoformat(), row.rules)
