"""Computing and keeping results."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from types import MappingProxyType

from sqlalchemy import Connection, Engine, func, sql, tuple_
from sqlmodel import Session, col, select

from bom_graph import FactorRelease, load_rule_set
from exchange.access import Principal
from exchange.assembly import Demand, compute
from exchange.calculation.choosing import releases_for
from exchange.calculation.stale import StaleResult, judge
from exchange.calculation.tables import CandidateRow, CurrentRow, RestsOnRow, ResultInputRow, ResultRow
from exchange.calculation.watch import ReliedOn, index_result
from exchange.errors import DamagedError, ErasedError, NotFoundError
from exchange.evidence import Evidence
from exchange.identity import Accounts, release_file, spoken_for
from exchange.intake.tables import StatementRow
from exchange.kinds import Policy
from exchange.report import Document, digest, document, document_bytes
from exchange.sharing import Sharing
from exchange.vault import ErasureRow, Vault
from ledger.store import begin, snapshot

_QUERY = 500  # rows asked for at once, well below what either database takes as parameters


@dataclass(frozen=True, slots=True)
class CurrentResult:
    """A result that is its reader's newest of a demand under a rule set, by its digest."""

    digest: str
    document: Document
    computed_at: datetime


class Calculation:
    """Computes results for readers. A result never changes; the same inputs find the stored one."""

    def __init__(
        self,
        engine: Engine,
        sharing: Sharing,
        accounts: Accounts,
        policy: Policy,
        clock: Callable[[], datetime],
        *,
        vault: Vault,
        relied_on: ReliedOn,
    ) -> None:
        self._engine = engine
        self._vault = vault
        self._sharing = sharing
        self._accounts = accounts
        self._policy = policy
        self._clock = clock
        self._relied_on = relied_on

    def calculate(
        self, actor: Principal, reader: str, demand: Demand, rule_set_id: str, named: Collection[str] = ()
    ) -> tuple[str, Document]:
        """Compute `demand` under the rule set from what `reader` may see; return the result's digest and document.

        `named`: factor releases by digest that are wanted instead of the versions that count.
        Raises RefusedError with its findings, RuleSetError for an unknown rule set, RightsError for another's reader.
        """
        self._accounts.check_speaks_for(actor, reader, "footprints:write")
        return self.computed_and_kept(reader, demand, rule_set_id, named)

    def computed_and_kept(
        self, reader: str, demand: Demand, rule_set_id: str, named: Collection[str] = ()
    ) -> tuple[str, Document]:
        """Compute a demand from what `reader` may see now, and keep the result; return its digest and document."""
        while True:
            evidence = self._sharing.evidence_for(reader)
            found = self.computed(evidence, demand, rule_set_id, named=named)
            if (name := self.keep(reader, evidence, found)) is not None:
                return name, found

    def keep(self, reader: str, evidence: Evidence, found: Document) -> str | None:
        """Keep a result that was computed from a reader's evidence, as `add` does, in a transaction of its own."""
        with begin(self._engine) as connection:
            return self.add(Session(connection), reader, evidence, found)

    def add(self, session: Session, reader: str, evidence: Evidence, found: Document) -> str | None:
        """Keep a result in the caller's transaction, with what it rests on; return its digest. Kept already, it stays as it is.

        None where something that it was made from was erased meanwhile: then it isn't to be kept. Raises RightsError where a grant ended.
        """
        name, connection = digest(found), session.connection()
        # Computed from what was granted then; where a grant ended meanwhile, there is no result.
        used = [one["leaf_hash"] for one in found["inputs"] if one["disclosures"]]
        self._sharing.took(connection, reader, "result", used)
        for start in range(0, len(used), _QUERY):
            leaves = used[start : start + _QUERY]
            # Locked, so that who erases one of them meanwhile comes before, and is seen, or after, and sees this result.
            locked = select(StatementRow.index).where(col(StatementRow.leaf_hash).in_(leaves))
            session.exec(locked.with_for_update(read=True)).all()
            if session.exec(select(ErasureRow).where(col(ErasureRow.leaf_hash).in_(leaves)).limit(1)).first():
                return None
        is_new = session.get(ResultRow, (name, reader)) is None
        if is_new:
            row = self._row(name, reader, found)
            session.add(row)
            session.flush()
        if not self._is_whole(connection, name):
            self._vault.erase(connection, "result", [name])
            self._vault.seal(connection, "result", name, document_bytes(found))
            connection.execute(sql.delete(ResultInputRow).where(col(ResultInputRow.digest) == name))
            rows = [{"digest": name, "leaf_hash": leaf} for leaf in _inputs(found)]
            if rows:
                connection.execute(sql.insert(ResultInputRow), rows)
        if is_new:
            index_result(session, self._vault, self._sharing, row, found, evidence, self._relied_on)
        return name

    def _is_whole(self, connection: Connection, name: str) -> bool:
        """Whether the document of a result is there as it was stored."""
        try:
            return self._vault.open_(connection, "result", name) is not None
        except DamagedError:
            return False

    def result(self, actor: Principal, name: str) -> Document:
        """Return a stored result of the actor's by its digest.

        NotFoundError where there is none or it is another's, ErasedError where one of its inputs was erased, DamagedError where its
        bytes were changed.
        """
        return self.result_and_reader(actor, name)[0]

    def result_bytes(self, actor: Principal, name: str) -> bytes:
        """Return the bytes of a stored result of the actor's, as `result` does."""
        return self._bytes_and_reader(actor, name)[0]

    def result_and_reader(self, actor: Principal, name: str) -> tuple[Document, str]:
        """Return a stored result as `result` does, and whose it is."""
        data, reader = self._bytes_and_reader(actor, name)
        return json.loads(data), reader

    def _bytes_and_reader(self, actor: Principal, name: str) -> tuple[bytes, str]:
        actor.require("data:read")
        query = select(ResultRow).where(col(ResultRow.digest) == name, spoken_for(actor, col(ResultRow.reader)))
        with snapshot(self._engine) as connection:
            row = Session(connection).exec(query).first()
            if row is None:
                raise NotFoundError("no such result", where="digest", remedy="take the digest from the list of results")
            return _stored_bytes(connection, self._vault, row.digest), row.reader

    def newest(
        self, actor: Principal, after: str = "", limit: int = 100, product: str | None = None
    ) -> Sequence[CurrentResult]:
        """Return the newest results of the actor's, of each product under each rule set, `limit` of them behind that of digest `after`.

        In no order that means anything, but with all of a product's together; `product` gives that one's alone. What was erased is gone.
        Raises NotFoundError, ErasedError (`after`), DamagedError where the bytes of one of them were changed.
        """
        actor.require("data:read")
        place = (col(CurrentRow.product), col(CurrentRow.flow), col(CurrentRow.rule_set), col(CurrentRow.result))
        # Grouped for who stands in for several readers, of whom two may have the same result.
        query = select(place[3], func.max(CurrentRow.computed_at)).where(spoken_for(actor, col(CurrentRow.reader)))
        query = query.group_by(*place).order_by(*place).limit(limit)
        if product is not None:
            query = query.where(place[0] == self._vault.blind(product))
        if after:
            last = self.result(actor, after)
            seen = (self._vault.blind(last["demand"]["product"]), last["demand"]["flow"] or "", last["rule_set"]["id"])
            query = query.where(tuple_(*place) > (*seen, after))
        with snapshot(self._engine) as connection:
            return [
                CurrentResult(name, stored_document(connection, self._vault, name), computed_at)
                for name, computed_at in Session(connection).exec(query).all()
            ]

    def stale(self, reader: str, progress: Callable[[int, int], None] | None = None) -> Sequence[StaleResult]:
        """Return which of `reader`'s results it would get otherwise today: the newest of each product and rule set, computed again.

        `progress` is told how many are done and how many there are. Nothing is stored. Raises DamagedError.
        """
        query = select(ResultRow).where(col(ResultRow.reader) == reader).order_by(col(ResultRow.computed_at))
        with snapshot(self._engine) as connection:
            stored = self._all_stored(connection, Session(connection).exec(query).all())
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

    def computed(
        self,
        evidence: Evidence,
        demand: Demand,
        rule_set_id: str,
        instead: Mapping[str, FactorRelease] = MappingProxyType({}),
        *,
        named: Collection[str] = (),
    ) -> Document:
        """Compute a demand from evidence; nothing is stored. `instead` and `named` as `releases_for` takes them.

        Raises RefusedError, RuleSetError.
        """
        rule_set = load_rule_set(rule_set_id)
        with snapshot(self._engine) as connection:
            releases = releases_for(connection, rule_set, evidence.size, named, instead)
        return document(compute(evidence, demand, rule_set, releases, self._policy))

    def release_file(self, digest: str) -> bytes:
        """Return the bytes of a factor release that results name. Raises NotFoundError, DamagedError."""
        with snapshot(self._engine) as connection:
            return release_file(connection, digest)

    def _row(self, name: str, reader: str, found: Document) -> ResultRow:
        return ResultRow(
            digest=name,
            reader=reader,
            product=self._vault.blind(found["demand"]["product"]),
            rule_set=found["rule_set"]["id"],
            unit=found["headline"]["unit"],
            complete=found["complete"],
            computed_at=self._clock(),
        )

    def _all_stored(self, connection: Connection, rows: Sequence[ResultRow]) -> list[tuple[str, Document]]:
        """Return the documents of the rows, without those that were erased."""
        found = []
        for row in rows:
            try:
                found.append((row.digest, stored_document(connection, self._vault, row.digest)))
            except ErasedError:
                continue
        return found


def stored_document(connection: Connection, vault: Vault, name: str) -> Document:
    """Return the document of a result, once its bytes have the digest that they were stored under. Raises ErasedError, DamagedError."""
    found: Document = json.loads(_stored_bytes(connection, vault, name))
    return found


def _stored_bytes(connection: Connection, vault: Vault, name: str) -> bytes:
    data = vault.open_(connection, "result", name)
    if data is None:
        _check_erased(connection, name)
    if data is None or hashlib.sha256(data).hexdigest() != name:
        raise DamagedError(
            "the stored bytes of this result don't have its digest: they were changed in the database",
            where=f"exchange_sealed, result {name}",
            remedy="restore that row from a backup, or delete it and compute the footprint again; "
            "find out who wrote to the database",
        )
    return data


def current_with(session: Session, key: str) -> list[tuple[str, str]]:
    """Return digest and reader of each result in use that rests on `key`: the digest of a rule set or factor release, for instance."""
    query = select(RestsOnRow.result, RestsOnRow.reader).where(col(RestsOnRow.key) == key)
    return list(session.exec(query.order_by(col(RestsOnRow.result), col(RestsOnRow.reader))).all())


def forget_results(connection: Connection, vault: Vault, leaf_hash: str) -> int:
    """Erase the results that were made from a statement; their digests and inputs' names stay. Return how many.

    What calculations were refused for may tell of any statement, and goes altogether: whoever asks again is told again.
    """
    query = sql.select(col(ResultInputRow.digest)).where(col(ResultInputRow.leaf_hash) == leaf_hash)
    names = connection.scalars(query).all()
    vault.erase(connection, "result", names)
    for start in range(0, len(names), _QUERY):
        some = names[start : start + _QUERY]
        for table in (CurrentRow, RestsOnRow, CandidateRow):
            connection.execute(sql.delete(table).where(col(table.result).in_(some)))
    vault.erase_all(connection, "findings")
    return len(names)


def _inputs(found: Document) -> list[str]:
    return sorted({one["leaf_hash"] for one in found["inputs"]})


def _check_erased(connection: Connection, name: str) -> None:
    """Raise ErasedError for a result that is gone since one of its inputs was erased."""
    query = (
        select(col(ErasureRow.index))
        .join(ResultInputRow, col(ResultInputRow.leaf_hash) == col(ErasureRow.leaf_hash))
        .where(col(ResultInputRow.digest) == name)
        .order_by(col(ErasureRow.index))
        .limit(1)
    )
    if (index := Session(connection).exec(query).one_or_none()) is not None:
        raise ErasedError(
            f"not decidable: inputs erased at {index}",
            where=f"result {name}",
            remedy="compute the footprint again from what is left; whoever holds the disclosures can replay the old one",
        )
