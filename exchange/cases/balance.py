"""Deliveries held against consumption across organisations, as the entries come in.

The rule is that of a calculation (`exchange.assembly.compare_deliveries`, with the limits of the headline rule set), asked of all that the
exchange holds of one trade: what one organisation got and consumed of one product. Nobody is told a figure: where the hard limit is passed
seller and buyer are told that there is a case, and that it is settled when corrected statements meet.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, delete
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, select

from bom_graph import ActivityData, BomGraphError, Delivery, Lines, RuleSet, load_rule_set
from exchange.assembly import compare_deliveries
from exchange.cases.opening import Random, close_case, open_case
from exchange.cases.tables import CasePartyRow, CaseRow, CaseWatchRow, TradeRow
from exchange.errors import DamagedError
from exchange.evidence import Entry, Evidence
from exchange.intake import Admissions
from exchange.intake.tables import StatementRow, SupersededRow
from exchange.kinds import ACTIVITY_DATA, DELIVERY
from exchange.lease import release_lease, take_lease
from exchange.sharing import held_disclosures
from exchange.vault import ErasureRow, Vault
from ledger import LedgerError
from ledger.store import begin, entry, head, snapshot
from signer import RETRACTIONS

log = logging.getLogger("packtrace.jobs")
BALANCE = "balance-trades"
RULE_SET = "cn-miit-551-trial"
_POSITION = "entries"
_BATCH = 100
#: The newest statements of one trade that are held against each other: three years of daily deliveries.
_MOST = 1_200
_WATCHED = (ACTIVITY_DATA.vct, DELIVERY.vct, *RETRACTIONS)
_Trade = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Contradiction:
    """What a buyer states that it consumed in a period, and the newest of the deliveries that say otherwise."""

    period: str
    consumption: Entry
    delivery: Entry


class Balances:
    """Judges trades, in whichever process holds the lease."""

    def __init__(
        self,
        engine: Engine,
        vault: Vault,
        admissions: Admissions,
        *,
        holder: str,
        clock: Callable[[], datetime],
        random: Random,
    ) -> None:
        self._engine = engine
        self._vault = vault
        self._admissions = admissions
        self._holder = holder
        self._clock = clock
        self._random = random

    def tick(self) -> None:
        """Take in the entries that came since the last tick, if this process holds the lease."""
        while self._take_in():
            pass

    def stop(self) -> None:
        """Give the lease back; where the database is out of reach, it ends by itself."""
        try:
            with begin(self._engine) as connection:
                release_lease(connection, BALANCE, self._holder, self._clock())
        except (LedgerError, SQLAlchemyError) as error:
            log.warning("lease not given back: %s", type(error).__name__)

    def _take_in(self) -> bool:
        """Note which trades some further entries are about and judge those; whether there may be more entries.

        What takes time (opening and reading) is done between the transactions that write. Cut short anywhere, it is done again.
        """
        with begin(self._engine) as connection, Session(connection) as session:
            if not take_lease(connection, BALANCE, self._holder, self._clock()):
                return False
            position = session.get_one(CaseWatchRow, _POSITION).position
            behind = select(StatementRow).where(col(StatementRow.index) > position, col(StatementRow.vct).in_(_WATCHED))
            rows = session.exec(behind.order_by(col(StatementRow.index)).limit(_BATCH)).all()
            session.expunge_all()
        if not rows:
            return False
        with snapshot(self._engine) as connection:
            stated = {row.index: self._stated(connection, row) for row in rows if row.vct not in RETRACTIONS}
        with begin(self._engine) as connection, Session(connection) as session:
            for index, trades in stated.items():
                for product, buyer in trades:
                    session.merge(TradeRow(product=product, buyer=buyer, index=index))
            session.flush()
        retracting = [row.index for row in rows if row.vct in RETRACTIONS]
        with snapshot(self._engine) as connection, Session(connection) as session:
            gone = session.exec(select(SupersededRow.index).where(col(SupersededRow.by).in_(retracting))).all()
            about = session.exec(select(TradeRow).where(col(TradeRow.index).in_(gone))).all()
            touched = {trade for trades in stated.values() for trade in trades}
            touched |= {(trade.product, trade.buyer) for trade in about}
            judged = {trade: self._contradictions(connection, session, trade) for trade in sorted(touched)}
        with begin(self._engine) as connection, Session(connection) as session:
            for trade, found in judged.items():
                self._write(session, trade, found)
            self._release_certificates(session, gone)
            session.get_one(CaseWatchRow, _POSITION).position = rows[-1].index
            session.flush()
        return len(rows) == _BATCH

    def _stated(self, connection: Connection, row: StatementRow) -> set[_Trade]:
        """Return the trades that an entry is about."""
        read = self._read(connection, row.index, row.leaf_hash)
        record, blind = None if read is None else read.record, self._vault.blind
        if isinstance(record, Delivery) and isinstance(record.sub, str) and isinstance(record.buyer, str):
            return {(blind(record.sub), blind(record.buyer))}
        if isinstance(record, ActivityData) and isinstance(record.inputs, Lines):
            bought = {str(line.product) for line in record.inputs if line.product is not None and not line.tolled}
            return {(blind(product), blind(row.issuer)) for product in bought}
        return set()

    def _contradictions(self, connection: Connection, session: Session, trade: _Trade) -> list[_Contradiction]:
        """Return what stands against each other in a trade, by the period in which it does."""
        of_trade = (col(TradeRow.product) == trade[0], col(TradeRow.buyer) == trade[1])
        query = select(StatementRow.index, StatementRow.leaf_hash).join(
            TradeRow, col(TradeRow.index) == col(StatementRow.index)
        )
        query = query.where(*of_trade, col(StatementRow.index).not_in(select(col(SupersededRow.index))))
        held = self._held(connection, session.exec(query.order_by(col(StatementRow.index).desc()).limit(_MOST)).all())
        # What its owner withholds, or had erased, may be the rest of the trade.
        issuers = {read.statement.issuer for read in held}
        hidden = select(StatementRow.index, StatementRow.leaf_hash).where(
            col(StatementRow.issuer).in_(issuers),
            col(StatementRow.vct).in_((ACTIVITY_DATA.vct, DELIVERY.vct)),
            col(StatementRow.withheld) | col(StatementRow.leaf_hash).in_(select(col(ErasureRow.leaf_hash))),
        )
        unread = session.exec(hidden.order_by(col(StatementRow.index).desc()).limit(_MOST)).all()
        all_ = {read.index: read for read in (*self._held(connection, unread), *held)}
        log_head = head(connection)
        evidence = Evidence(log_head.origin, log_head.size, [all_[index] for index in sorted(all_)])
        return list(_contradicting(evidence, load_rule_set(RULE_SET)))

    def _write(self, session: Session, trade: _Trade, found: Sequence[_Contradiction]) -> None:
        """Open a case for each period in which a trade's statements contradict each other; close those that are over."""
        now, subject = self._clock(), self._vault.blind(f"deliveries {trade[0]} {trade[1]}")
        open_ = set()
        for one in found:
            key = self._vault.blind(f"deliveries {trade[0]} {trade[1]} {one.period}")
            parties = {one.delivery.statement.issuer: (one.delivery.index, "quantity")}
            parties[one.consumption.statement.issuer] = (one.consumption.index, "inputs")
            open_case(session, "deliveries", key, subject, parties, now, self._random)
            open_.add(key)
        over = select(CaseRow).where(col(CaseRow.subject) == subject, col(CaseRow.closed_at).is_(None))
        for row in session.exec(over).all():
            if row.key not in open_:
                close_case(session, row, now)

    def _release_certificates(self, session: Session, gone: Sequence[int]) -> None:
        """Close the cases of retirements that count no more: they stand against nobody's."""
        held = select(CaseRow).join(CasePartyRow, col(CasePartyRow.case) == col(CaseRow.id))
        held = held.where(col(CasePartyRow.index).in_(gone), col(CaseRow.about) == "certificates")
        for row in session.exec(held.where(col(CaseRow.closed_at).is_(None))).all():
            close_case(session, row, self._clock())

    def _held(self, connection: Connection, rows: Sequence[tuple[int, str]]) -> list[Entry]:
        return [read for index, leaf in rows if (read := self._read(connection, index, leaf)) is not None]

    def _read(self, connection: Connection, index: int, leaf: str) -> Entry | None:
        """Return an entry with all that is held of it; None where that is damaged, which whoever reads it next is told."""
        admission, _seen = self._admissions.current(connection)
        try:
            disclosures = held_disclosures(connection, self._vault, leaf)
            return admission.reread(index, entry(connection, index).data.decode("ascii"), disclosures)
        except DamagedError as error:
            log.error("entry %d not compared: %s", index, error)  # noqa: TRY400 - the error says all
            return None


def _contradicting(evidence: Evidence, rule_set: RuleSet) -> Iterator[_Contradiction]:
    """Yield what a buyer states of a period, and the newest delivery to it, where the two are beyond the hard limit."""
    for one, record in evidence.all_of(ActivityData):
        try:
            compared = compare_deliveries(evidence, one, record, rule_set)
        except BomGraphError as error:
            # Units that can't be compared; a calculation refuses them with the place.
            log.info("entry %d not compared: %s", one.index, error.code)
            continue
        deliveries = [used for used in compared.used if isinstance(used.record, Delivery)]
        if deliveries and any(finding.level == "hard" for finding in compared.findings):
            yield _Contradiction(str(record.period), one, max(deliveries, key=lambda used: used.index))


def forget_trades(connection: Connection, index: int) -> None:
    """Delete what was noted of an entry's trades."""
    connection.execute(delete(TradeRow).where(col(TradeRow.index) == index))
