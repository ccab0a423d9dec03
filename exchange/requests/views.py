"""A request as one of its two sides sees it: what is the asker's own isn't shown to the asked one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, cast

from bom_graph import Period
from exchange.requests.tables import RequestRow, State, Wanted

Side = Literal["asker", "asked"]
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Named:
    """A statement that answers, by leaf hash (hex), and what of it is granted: to the asker, and to the verifier whom it asked for."""

    leaf_hash: str
    paths: tuple[str, ...]
    verification_paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the answerer names, and whether the verifier whom the asker named is granted anything (`verification`)."""

    named: tuple[Named, ...]
    verification: bool


@dataclass(frozen=True, slots=True)
class DataRequest:
    """A request as `side` sees it. `days_left` are whole days, below zero once the deadline is past; None where nothing is owed any more.

    `delegated`: it was passed on by somebody whom another had asked. `needed_for` and `parent` are shown to the asker alone.
    """

    id: str
    side: Side
    asker: str
    asked: str
    product: str
    part: str | None
    wanted: tuple[Wanted, ...]
    rule_sets: tuple[str, ...]
    period: Period
    verifier: str | None
    deadline: datetime
    message: str
    state: State
    reason: str | None
    asked_at: datetime
    reminded_at: datetime | None
    closed_at: datetime | None
    days_left: int | None
    overdue: bool
    delegated: bool
    named: bool
    needed_for: str | None = None
    parent: str | None = None


def seen(row: RequestRow, side: Side, now: datetime) -> DataRequest:
    """Return a request as one side sees it at `now`."""
    pending = row.closed_at is None
    return DataRequest(
        id=row.id,
        side=side,
        asker=row.asker,
        asked=row.asked,
        product=row.product,
        part=row.part,
        wanted=cast("tuple[Wanted, ...]", tuple(row.wanted.split())),
        rule_sets=tuple(row.rule_sets.split()),
        period=Period(start=row.period_start, end=row.period_end),
        verifier=row.verifier,
        deadline=row.deadline,
        message=row.message,
        state=cast("State", row.state),
        reason=row.reason,
        asked_at=row.asked_at,
        reminded_at=row.reminded_at,
        closed_at=row.closed_at,
        days_left=math.floor((row.deadline - now) / _DAY) if pending else None,
        overdue=pending and row.deadline < now,
        delegated=row.parent is not None,
        named=row.named,
        needed_for=row.needed_for if side == "asker" else None,
        parent=row.parent if side == "asker" else None,
    )
