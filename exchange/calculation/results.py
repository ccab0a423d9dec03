"""Computing and keeping results."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from bom_graph import load_release, load_rule_set
from exchange.access import Principal
from exchange.assembly import Demand, compute
from exchange.calculation.stale import StaleResult, judge
from exchange.calculation.tables import ResultRow
from exchange.calculation.watch import index_result
from exchange.errors import DamagedError, NotFoundError
from exchange.evidence import Evidence
from exchange.identity import Accounts, spoken_for
from exchange.kinds import Policy
from exchange.report import Document, digest, document, document_bytes
from exchange.sharing import Sharing
from ledger.store import begin, snapshot


class Calculation:
    """Computes results for readers. A result never changes; the same inputs find the stored one."""

    def __init__(
        self, engine: Engine, sharing: Sharing, accounts: Accounts, policy: Policy, clock: Callable[[], datetime]
    ) -> None:
        self._engine = engine
        self._sharing = sharing
        self._accounts = accounts
        self._policy = policy
        self._clock = clock

    def calculate(self, actor: Principal, reader: str, demand: Demand, rule_set_id: str) -> tuple[str, Document]:
        """Compute `demand` under the rule set from what `reader` may see; return the result's digest and document.

        Raises RefusedError with its findings, RuleSetError for an unknown rule set, RightsError for another's reader.
        """
        self._accounts.check_speaks_for(actor, reader, "footprints:write")
        evidence = self._sharing.evidence_for(reader)
        return self.store(reader, evidence, self.computed(evidence, demand, rule_set_id))

    def store(self, reader: str, evidence: Evidence, found: Document) -> tuple[str, Document]:
        """Keep a result that was computed from a reader's evidence; return its digest and document. Stored already, it stays as it is."""
        name = digest(found)
        with begin(self._engine) as connection:
            self.add(Session(connection), name, reader, evidence, found)
        return name, found

    def add(self, session: Session, name: str, reader: str, evidence: Evidence, found: Document) -> None:
        """Keep a result in the caller's transaction, with what it rests on."""
        if session.get(ResultRow, (name, reader)) is None:
            row = self._row(name, reader, found)
            session.add(row)
            session.flush()
            index_result(session, self._sharing, row, found, evidence)

    def result(self, actor: Principal, name: str) -> Document:
        """Return a stored result of the actor's by its digest.

        NotFoundError where there is none or it is another's, DamagedError where its bytes were changed.
        """
        return self.result_and_reader(actor, name)[0]

    def result_and_reader(self, actor: Principal, name: str) -> tuple[Document, str]:
        """Return a stored result as `result` does, and whose it is."""
        actor.require("data:read")
        query = select(ResultRow).where(col(ResultRow.digest) == name, spoken_for(actor, col(ResultRow.reader)))
        with snapshot(self._engine) as connection:
            row = Session(connection).exec(query).first()
            if row is None:
                raise NotFoundError("no such result", where="digest", remedy="take the digest from the list of results")
            return stored_document(row), row.reader

    def newest(self, actor: Principal) -> Sequence[tuple[str, Document]]:
        """Return digest and document of each product's newest result of the actor's under each rule set, by product and rule set.

        Raises DamagedError where the bytes of any were changed: which result is the newest can't be told from the rest.
        """
        actor.require("data:read")
        query = select(ResultRow).where(spoken_for(actor, col(ResultRow.reader))).order_by(col(ResultRow.computed_at))
        with snapshot(self._engine) as connection:
            stored = [(row.digest, stored_document(row)) for row in Session(connection).exec(query).all()]
        # By what the digest covers; the columns beside the document are for queries.
        newest = {(found["demand"]["product"], found["rule_set"]["id"]): (name, found) for name, found in stored}
        return [newest[key] for key in sorted(newest)]

    def stale(self, reader: str, progress: Callable[[int, int], None] | None = None) -> Sequence[StaleResult]:
        """Return which of `reader`'s results it would get otherwise today: the newest of each product and rule set, computed again.

        `progress` is told how many are done and how many there are. Nothing is stored. Raises DamagedError.
        """
        query = select(ResultRow).where(col(ResultRow.reader) == reader).order_by(col(ResultRow.computed_at))
        with snapshot(self._engine) as connection:
            stored = [(row.digest, stored_document(row)) for row in Session(connection).exec(query).all()]
        newest = {
            (found["demand"]["product"], found["demand"]["flow"] or "", found["rule_set"]["id"]): (name, found)
            for name, found in stored
        }
        evidence, judged = self._sharing.evidence_for(reader), []
        for done, key in enumerate(sorted(newest), 1):
            name, found = newest[key]
            again = partial(self.computed, evidence, Demand(key[0], key[1] or None), key[2])
            judged.append(judge(name, found, evidence, again))
            if progress is not None:
                progress(done, len(newest))
        return [one for one in judged if one is not None]

    def computed(self, evidence: Evidence, demand: Demand, rule_set_id: str) -> Document:
        """Compute a demand from evidence; nothing is stored. Raises RefusedError, RuleSetError."""
        rule_set = load_rule_set(rule_set_id)
        releases = [load_release(name) for name in rule_set.factor_releases]
        return document(compute(evidence, demand, rule_set, releases, self._policy))

    def _row(self, name: str, reader: str, found: Document) -> ResultRow:
        return ResultRow(
            digest=name,
            reader=reader,
            product=found["demand"]["product"],
            rule_set=found["rule_set"]["id"],
            headline=None if found["headline"]["value"] is None else Decimal(found["headline"]["value"]),
            unit=found["headline"]["unit"],
            complete=found["complete"],
            document=document_bytes(found).decode(),
            computed_at=self._clock(),
        )


def stored_document(row: ResultRow) -> Document:
    """Return the document of a row, once its bytes have the digest that they were stored under."""
    data = row.document.encode()
    if hashlib.sha256(data).hexdigest() != row.digest:
        raise DamagedError(
            "the stored bytes of this result don't have its digest: they were changed in the database",
            where=f"exchange_result, digest {row.digest}",
            remedy="restore that row from a backup, or delete it and compute the footprint again; find out who wrote to the database",
        )
    found: Document = json.loads(data)
    return found
