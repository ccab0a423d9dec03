"""Who owes what: everything that waits for an answer, by deadline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, func, literal, tuple_
from sqlmodel import Session, col, select

from exchange.access import Principal
from exchange.database import UtcTime
from exchange.errors import NotFoundError
from exchange.identity import Accounts
from exchange.requests.tables import RequestRow
from exchange.requests.views import DataRequest, Side, seen
from ledger.store import snapshot

#: Requests are counted up to here: counting takes as long as the count is large.
MAX_COUNT = 1_000
SOON = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Board:
    """Pending requests, the earliest deadline first; all of them, those overdue and those due within a week are counted up to 1,000."""

    requests: tuple[DataRequest, ...]
    pending: int
    overdue: int
    due_soon: int


@dataclass(frozen=True, slots=True)
class Boards:
    """The boards of organisations: of what they wait for, and of what they owe."""

    engine: Engine
    accounts: Accounts
    clock: Callable[[], datetime]

    def board(
        self,
        actor: Principal,
        organisation: str,
        side: Side,
        *,
        needed_for: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Board:
        """Return what `organisation` waits for (`asker`, for one own product or all) or owes (`asked`), those behind the request `after`.

        NotFoundError where `after` is no request of this side.
        """
        self.accounts.check_speaks_for(actor, organisation, "data:read")
        mine: Any = col(RequestRow.asker if side == "asker" else RequestRow.asked) == organisation
        where = [mine, col(RequestRow.closed_at).is_(None)]
        if needed_for is not None and side == "asker":
            where.append(col(RequestRow.needed_for) == needed_for)
        now = self.clock()
        deadline, key = col(RequestRow.deadline), tuple_(col(RequestRow.deadline), col(RequestRow.id))
        page = select(RequestRow).where(*where).order_by(deadline, col(RequestRow.id)).limit(limit)
        with snapshot(self.engine) as connection, Session(connection) as session:
            if after is not None:
                last = session.exec(select(RequestRow).where(col(RequestRow.id) == after, mine)).one_or_none()
                if last is None:
                    raise NotFoundError("no such request", where="after", remedy="give the last id of the page before")
                page = page.where(key > tuple_(literal(last.deadline, UtcTime), literal(last.id)))
            rows = session.exec(page).all()
            overdue, soon = [*where, deadline < now], [*where, deadline >= now, deadline < now + SOON]
            return Board(
                tuple(seen(row, side, now) for row in rows),
                *(_counted(session, some) for some in (where, overdue, soon)),
            )


def _counted(session: Session, where: list[Any]) -> int:
    # In the order of the index, so that no other way to find them looks shorter.
    first = select(RequestRow.id).where(*where).order_by(col(RequestRow.deadline)).limit(MAX_COUNT).subquery()
    return session.exec(select(func.count()).select_from(first)).one()
