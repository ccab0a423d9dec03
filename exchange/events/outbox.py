"""The outbox, which is the inbox: events are written in the transaction of what they tell, and read by whom they are for."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, func, update
from sqlmodel import Session, col, select

from exchange.events.catalogue import TYPES
from exchange.events.tables import DeliveryRow, EventRow, SubscriptionRow
from ledger.store import begin, snapshot
from signer import new_jti

MAX_PAGE = 200
#: Unread events are counted up to here: counting takes as long as the count is large.
MAX_UNREAD = 1000
_MAX_TEXT = 512
Data = Mapping[str, str | int | Sequence[str]]


def emit(
    session: Session,
    *,
    recipient: str,
    type: str,  # noqa: A002 - CloudEvents' name
    subject: str,
    data: Data,
    at: datetime,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> str:
    """Write an event for an organisation in the caller's transaction, with its deliveries; return its id.

    `subject` is the path of what it is about (``/api/v1/...`` or a product URI), `data` holds ids and paths: strings, whole numbers that
    are indices, lists of strings. Never a disclosed figure, and nobody's identity whom the recipient may not know. ValueError for
    a type that isn't in the catalogue, or for data of another form.
    """
    event = record(session, recipient=recipient, type=type, subject=subject, data=data, at=at, random=random)
    ours = (col(SubscriptionRow.owner) == recipient, col(SubscriptionRow.active))
    # Locked as a foreign key locks it: it can't be removed before the delivery is there, and the dispatcher's notes don't wait.
    wanted = select(SubscriptionRow.id, SubscriptionRow.types).where(*ours).with_for_update(read=True, key_share=True)
    for subscription, types in session.exec(wanted).all():
        if not types or type in types.split():
            session.add(DeliveryRow(subscription=subscription, event=event.id, due=at))
    session.flush()
    return event.id


def record(
    session: Session,
    *,
    recipient: str,
    type: str,  # noqa: A002 - CloudEvents' name
    subject: str,
    data: Data,
    at: datetime,
    random: Callable[[int], bytes],
) -> EventRow:
    """Write an event to the inbox alone. ValueError as `emit`."""
    if type not in TYPES:
        raise ValueError(f"{type} is no type of exchange.events.catalogue")
    if not 0 < len(subject) <= _MAX_TEXT or not subject.isprintable():
        raise ValueError("the subject of an event is one line of up to 512 characters")
    for name, value in data.items():
        _require_plain(name, value)
    event = EventRow(
        id=new_jti(at, random),
        recipient=recipient,
        type=type,
        subject=subject,
        data=json.dumps({name: value if isinstance(value, str | int) else list(value) for name, value in data.items()}),
        time=at,
    )
    session.add(event)
    session.flush()
    return event


def _require_plain(name: str, value: object) -> None:
    """ValueError for what is no id, path, index, or list of ids."""
    texts = [value] if isinstance(value, str) else value
    if isinstance(value, int):
        return
    if not isinstance(texts, list | tuple) or not all(isinstance(one, str) and len(one) <= _MAX_TEXT for one in texts):
        raise ValueError(f"the member {name} of an event's data is neither an id nor a list of them")


@dataclass(frozen=True, slots=True)
class Page:
    """Events, newest first; `after` asks for those that follow, None at the end. `unread` counts up to MAX_UNREAD."""

    events: tuple[EventRow, ...]
    after: str | None
    unread: int


class Inbox:
    """The events of each organisation."""

    def __init__(self, engine: Engine, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._clock = clock

    def page(self, organisation: str, *, after: str | None = None, limit: int = 50, unread_only: bool = False) -> Page:
        """Return the newest events of an organisation, or those that follow the event `after`; at most MAX_PAGE."""
        limit = min(limit, MAX_PAGE)
        mine = col(EventRow.recipient) == organisation
        unread = col(EventRow.read_at).is_(None)
        query = select(EventRow).where(mine).order_by(col(EventRow.id).desc()).limit(limit + 1)
        if after is not None:
            query = query.where(col(EventRow.id) < after)
        if unread_only:
            query = query.where(unread)
        first_of_unread = select(EventRow.id).where(mine, unread).limit(MAX_UNREAD).subquery()
        with snapshot(self._engine) as connection:
            session = Session(connection)
            found = session.exec(query).all()
            count = session.exec(select(func.count()).select_from(first_of_unread)).one()
            session.expunge_all()
        return Page(tuple(found[:limit]), found[limit - 1].id if len(found) > limit else None, count)

    def read(self, organisation: str, events: Sequence[str]) -> int:
        """Mark events of an organisation as read; those of others, and those that were read, stay as they are. Return how many were not."""
        rows = (col(EventRow.recipient) == organisation, col(EventRow.id).in_(events), col(EventRow.read_at).is_(None))
        with begin(self._engine) as connection:
            return connection.execute(update(EventRow).where(*rows).values(read_at=self._clock())).rowcount
