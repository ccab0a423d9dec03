"""Computing and keeping results."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from bom_graph import load_release, load_rule_set
from exchange.assembly import Demand, compute
from exchange.calculation.tables import ResultRow
from exchange.errors import NotFoundError
from exchange.kinds import Policy
from exchange.report import Document, digest, document, document_bytes
from exchange.sharing import Sharing
from ledger.store import begin, snapshot


class Calculation:
    """Computes results for readers. A result never changes; the same inputs find the stored one."""

    def __init__(self, engine: Engine, sharing: Sharing, policy: Policy, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._sharing = sharing
        self._policy = policy
        self._clock = clock

    def calculate(self, reader: str, demand: Demand, rule_set_id: str) -> tuple[str, Document]:
        """Compute `demand` under the rule set from what `reader` may see; return the result's digest and document.

        Raises RefusedError with its findings, LoopError, and RuleSetError for an unknown rule set.
        """
        rule_set = load_rule_set(rule_set_id)
        releases = [load_release(name) for name in rule_set.factor_releases]
        found = document(compute(self._sharing.evidence_for(reader), demand, rule_set, releases, self._policy))
        name = digest(found)
        with begin(self._engine) as connection:
            session = Session(connection)
            if session.get(ResultRow, name) is None:
                session.add(self._row(name, reader, found))
                session.flush()
        return name, found

    def result(self, name: str) -> Document:
        """Return a stored result by its digest; NotFoundError where there is none."""
        with snapshot(self._engine) as connection:
            row = Session(connection).get(ResultRow, name)
            if row is None:
                raise NotFoundError("no such result", where="digest", remedy="take the digest from the list of results")
            found: Document = json.loads(row.document)
            return found

    def newest(self) -> Sequence[tuple[str, Document]]:
        """Return digest and document of each product's newest result under each rule set, by product and rule set."""
        query = select(ResultRow).order_by(col(ResultRow.computed_at))
        with snapshot(self._engine) as connection:
            rows = {(row.product, row.rule_set): row for row in Session(connection).exec(query).all()}
            return [(rows[key].digest, json.loads(rows[key].document)) for key in sorted(rows)]

    def _row(self, name: str, reader: str, found: Document) -> ResultRow:
        return ResultRow(
            digest=name,
            reader=reader,
            product=found["demand"]["product"],
            rule_set=found["rule_set"]["id"],
            headline=Decimal(found["headline"]["value"]),
            unit=found["headline"]["unit"],
            complete=found["complete"],
            document=document_bytes(found).decode(),
            computed_at=self._clock(),
        )
