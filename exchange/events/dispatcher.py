"""Sending what waits: at least once, never twice at the same time, and no receiver at the cost of another.

A tick looks for subscriptions with something due and gives each to a thread of its own, which sends one event after the other until
nothing is due, its time is up, or the receiver fails; the tick doesn't wait for it. Before an event is sent its row is claimed: `due`
moves on by CLAIM, in a transaction, so that no other thread or process takes it up; if this process dies, it is due again then. Whoever
fails is tried again after a growing time, and meanwhile nothing else is tried there for a while either. After LIFE the owner is told.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Engine, update
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, exists, select

from exchange.events.addresses import TargetError, UndeliveredError
from exchange.events.catalogue import GAVE_UP
from exchange.events.channels import Channels
from exchange.events.cloudevents import cloudevent
from exchange.events.outbox import Data, record
from exchange.events.subscriptions import path_of
from exchange.events.tables import DELIVERED, FAILED, PENDING, DeliveryRow, EventRow, SubscriptionRow
from exchange.lease import release_lease, take_lease
from ledger import LedgerError
from ledger.store import begin, snapshot

log = logging.getLogger("packtrace.events")
DISPATCH: Final = "dispatch-events"
WORKERS: Final = 16
PER_OWNER: Final = 4
#: Longer than a name takes to resolve and an event to be sent.
CLAIM: Final = timedelta(seconds=120)
FIRST_WAIT: Final = timedelta(seconds=10)
GROWTH: Final = 3
LONGEST_WAIT: Final = timedelta(hours=8)
#: How long one failure keeps the other events from a receiver, at most.
LONGEST_PAUSE: Final = timedelta(minutes=15)
LIFE: Final = timedelta(days=3)
_TURN: Final = timedelta(seconds=30)
_MAX_NAMED: Final = 100


@dataclass(frozen=True, slots=True)
class _Claim:
    """A delivery that is ours until `until`."""

    subscription: str
    target: str
    event: dict[str, Any]
    attempts: int
    first_tried: datetime
    until: datetime

    @property
    def row(self) -> tuple[Any, ...]:
        """The conditions that find its row while it is ours."""
        ours = (col(DeliveryRow.subscription) == self.subscription, col(DeliveryRow.event) == self.event["id"])
        return (*ours, col(DeliveryRow.due) == self.until, col(DeliveryRow.state) == PENDING)


@dataclass
class _InFlight:
    """The subscriptions that threads are at work on, by owner."""

    owners: dict[str, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, subscription: str, owner: str) -> bool:
        """Whether a thread may begin on this subscription; then it counts."""
        with self.lock:
            busy = Counter(self.owners.values())
            if subscription in self.owners or len(self.owners) >= WORKERS or busy[owner] >= PER_OWNER:
                return False
            self.owners[subscription] = owner
            return True

    def give_back(self, subscription: str) -> None:
        """The thread has ended."""
        with self.lock:
            self.owners.pop(subscription, None)

    def full(self) -> tuple[list[str], list[str]]:
        """The subscriptions that are in work, and the owners that have no more turns."""
        with self.lock:
            busy = Counter(self.owners.values())
            return list(self.owners), [owner for owner, count in busy.items() if count >= PER_OWNER]


class Dispatcher:
    """Sends at each tick what is due, in whichever process holds the lease. `random` gives bytes, for ids and jitter."""

    def __init__(
        self,
        engine: Engine,
        channels: Channels,
        source: str,
        *,
        holder: str,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
    ) -> None:
        self._engine = engine
        self._channels = channels
        self._source = source
        self._holder = holder
        self._clock = clock
        self._random = random
        self._in_flight = _InFlight()
        self._stopping = threading.Event()
        self._threads = ThreadPoolExecutor(WORKERS, thread_name_prefix="dispatch")

    def tick(self) -> int:
        """Begin to send what is due, if this process holds the lease; return to how many subscriptions. SQLAlchemyError, LedgerError."""
        now = self._clock()
        with begin(self._engine) as connection:
            if self._stopping.is_set() or not take_lease(connection, DISPATCH, self._holder, now):
                return 0
        begun = 0
        for subscription, owner in self._due(now):
            if self._in_flight.take(subscription, owner):
                self._threads.submit(self._work, subscription)
                begun += 1
        return begun

    def stop(self) -> None:
        """End when what is being sent was sent or has failed, and give the lease back. Without a database it ends by itself."""
        self._stopping.set()
        self._threads.shutdown(wait=True)
        try:
            with begin(self._engine) as connection:
                release_lease(connection, DISPATCH, self._holder, self._clock())
        except (LedgerError, SQLAlchemyError) as error:
            log.warning("lease not given back: %s", type(error).__name__)

    def _due(self, now: datetime) -> list[tuple[str, str]]:
        """Subscriptions with something due, with their owners: who was last tried the longest ago comes first."""
        busy, full = self._in_flight.full()
        waiting = exists().where(
            col(DeliveryRow.subscription) == col(SubscriptionRow.id),
            col(DeliveryRow.state) == PENDING,
            col(DeliveryRow.due) <= now,
        )
        query = (
            select(SubscriptionRow.id, SubscriptionRow.owner)
            .where(
                col(SubscriptionRow.active),
                col(SubscriptionRow.not_before) <= now,
                col(SubscriptionRow.id).not_in(busy),
                col(SubscriptionRow.owner).not_in(full),
                waiting,
            )
            .order_by(col(SubscriptionRow.not_before), col(SubscriptionRow.id))
            .limit(WORKERS * PER_OWNER)
        )
        with snapshot(self._engine) as connection:
            return [(subscription, owner) for subscription, owner in Session(connection).exec(query).all()]

    def _work(self, subscription: str) -> None:
        """Send what is due to one subscription, one event after the other."""
        end = self._clock() + _TURN
        try:
            while not self._stopping.is_set() and (claim := self._claim(subscription)) is not None:
                if not self._send(claim) or self._clock() >= end:
                    break
        except Exception as error:  # noqa: BLE001 - a thread's last door; what it had claimed is due again later
            log.error("subscription %s: %s", subscription, type(error).__name__)  # noqa: TRY400
        finally:
            self._in_flight.give_back(subscription)

    def _claim(self, subscription: str) -> _Claim | None:
        """Make the delivery that is due first ours for a while; None where nothing is, or another was faster."""
        now = self._clock()
        query = (
            select(DeliveryRow, EventRow, SubscriptionRow)
            .join(EventRow, col(EventRow.id) == col(DeliveryRow.event))
            .join(SubscriptionRow, col(SubscriptionRow.id) == col(DeliveryRow.subscription))
            .where(
                col(DeliveryRow.subscription) == subscription,
                col(DeliveryRow.state) == PENDING,
                col(DeliveryRow.due) <= now,
                col(SubscriptionRow.active),
                col(SubscriptionRow.not_before) <= now,
            )
            .order_by(col(DeliveryRow.due), col(DeliveryRow.event))
            .limit(1)
        )
        with begin(self._engine) as connection:
            session = Session(connection)
            if (found := session.exec(query).first()) is None:
                return None
            row, event, receiver = found
            first_tried, due = row.first_tried or now, row.due
            claim = _Claim(
                subscription,
                receiver.target,
                cloudevent(event, self._source),
                row.attempts + 1,
                first_tried,
                now + CLAIM,
            )
            session.expunge_all()
            free = (
                col(DeliveryRow.subscription) == subscription,
                col(DeliveryRow.event) == event.id,
                col(DeliveryRow.state) == PENDING,
                col(DeliveryRow.due) == due,
            )
            values = {"due": claim.until, "attempts": claim.attempts, "first_tried": first_tried}
            return claim if connection.execute(update(DeliveryRow).where(*free).values(values)).rowcount else None

    def _send(self, claim: _Claim) -> bool:
        """Send a delivery that is ours and note what came of it; whether it was taken."""
        now = self._clock()
        if now >= claim.until:
            return False  # this process stood still, and another may have it by now
        try:
            self._channels.send(claim.target, claim.event, now)
        except UndeliveredError as error:
            self._note_failure(claim, str(error))
        except TargetError as error:
            self._note_failure(claim, error.what)
        except Exception as error:  # noqa: BLE001 - an error of ours mustn't repeat for ever either
            self._note_failure(claim, f"an error on the exchange's side: {type(error).__name__}")
        else:
            self._note_success(claim)
            return True
        return False

    def _note_success(self, claim: _Claim) -> None:
        well = {"not_before": self._clock(), "failures": 0, "failing_since": None, "trouble": ""}
        with begin(self._engine) as connection:
            receiver = col(SubscriptionRow.id) == claim.subscription
            connection.execute(update(SubscriptionRow).where(receiver).values(well))
            connection.execute(update(DeliveryRow).where(*claim.row).values(state=DELIVERED))

    def _note_failure(self, claim: _Claim, trouble: str) -> None:
        now = self._clock()
        jitter = 0.8 + 0.4 * int.from_bytes(self._random(4), "big") / 2**32
        with begin(self._engine) as connection:
            session = Session(connection)
            receiver = session.get(SubscriptionRow, claim.subscription, with_for_update={"key_share": True})
            if receiver is None:
                return  # removed meanwhile
            if receiver.trouble != trouble:
                log.warning("subscription %s: event %s not delivered: %s", receiver.id, claim.event["id"], trouble)
            receiver.failures += 1
            receiver.failing_since = receiver.failing_since or now
            receiver.trouble = trouble[:300]
            receiver.not_before = now + jitter * min(_wait(receiver.failures), LONGEST_PAUSE)
            session.execute(update(DeliveryRow).where(*claim.row).values(due=now + jitter * _wait(claim.attempts)))
            self._give_up(session, receiver, claim, now)
            session.add(receiver)
            session.flush()

    def _give_up(self, session: Session, receiver: SubscriptionRow, claim: _Claim, now: datetime) -> None:
        """End what was tried for long enough, and tell the owner, in the inbox alone: other receivers may be as dead."""
        ended = [col(DeliveryRow.subscription) == receiver.id, col(DeliveryRow.state) == PENDING]
        if receiver.failing_since is not None and now - receiver.failing_since >= LIFE:
            receiver.failing_since, receiver.failures = None, 0
        elif now - claim.first_tried >= LIFE:
            ended.append(col(DeliveryRow.event) == claim.event["id"])
        else:
            return
        events = session.exec(select(DeliveryRow.event).where(*ended).order_by(col(DeliveryRow.event))).all()
        session.execute(update(DeliveryRow).where(*ended).values(state=FAILED))
        data: Data = {"subscription": receiver.id, "count": len(events), "events": events[:_MAX_NAMED]}
        record(
            session,
            recipient=receiver.owner,
            type=GAVE_UP,
            subject=path_of(receiver.id),
            data=data,
            at=now,
            random=self._random,
        )
        log.warning("subscription %s: gave up %s deliveries", receiver.id, len(events))


def _wait(failures: int) -> timedelta:
    """How long to wait after so many failures, before jitter."""
    growth: int = GROWTH ** min(failures - 1, 20)
    return min(FIRST_WAIT * growth, LONGEST_WAIT)
