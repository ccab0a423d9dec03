"""Data requests: asked, reminded, delegated to the next tier, declined or withdrawn, and answered by naming statements.

An answer is a set of grants, recorded with it in one transaction: of exactly the statements and paths that the answerer names. It grows by
nothing afterwards; who wants more asks again. Each step is one conditional update, so that of two at once one wins and the other is told.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from sqlalchemy import ColumnElement, Engine, func, or_, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from bom_graph import Period, rule_set_ids
from exchange.access import Principal
from exchange.database import begin
from exchange.errors import ConflictError, NotFoundError, RequestError, RightsError, TooManyError
from exchange.identity import Accounts, roles_today, spoken_for
from exchange.kinds import check_spelling
from exchange.requests.answering import Answers, answer_of, is_answer
from exchange.requests.catalogue import check_below, check_known, confirmed_product
from exchange.requests.notices import Step, tell_of
from exchange.requests.tables import PENDING, RequestRow, Wanted
from exchange.requests.views import Answer, DataRequest, Named, Side, seen
from ledger.store import snapshot
from signer import new_jti

MAX_AHEAD = timedelta(days=731)  # a deadline further ahead is a slip of the pen
REMIND_EVERY = timedelta(days=1)
_TOLD_AT_ONCE = 200
_LISTS = "take the id from the list of requests"


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked for: data about one product of `asked` (its URI, or the asker's own `part` that is mapped to it) over `period`.

    `wanted`: the kinds of statement that would do; footprints under each of `rule_sets`. `verifier`: who shall be granted sight too, for
    verification; a verifier that names itself asks for that alone. `needed_for`: the asker's own product; nobody else is shown it.
    """

    asked: str
    period: Period
    wanted: tuple[Wanted, ...]
    deadline: datetime
    product: str | None = None
    part: str | None = None
    rule_sets: tuple[str, ...] = ()
    verifier: str | None = None
    needed_for: str | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """A request with its answer, how often it was passed on, and to whom, of those who let it be known."""

    request: DataRequest
    answer: Answer | None
    delegations: int
    delegates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Asking:
    """Who asks what, under which id of its own, and passing on which request."""

    organisation: str
    by: str
    ask: Ask
    client_id: str | None
    parent: str | None = None

    @property
    def content(self) -> str:
        """The SHA-256 (hex) of what is asked."""
        said = {**asdict(self.ask), "deadline": self.ask.deadline.timestamp(), "parent": self.parent}
        said["period"] = self.ask.period.model_dump(mode="json")
        said |= {name: sorted(set(said[name])) for name in ("wanted", "rule_sets")}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Requests:
    """Takes requests and their answers in. Only the two sides of a request see it; for anybody else it doesn't exist (NotFoundError)."""

    engine: Engine
    accounts: Accounts
    answers: Answers
    clock: Callable[[], datetime]
    random: Callable[[int], bytes] = field(repr=False)

    def ask(
        self, actor: Principal, organisation: str, ask: Ask, client_id: str | None = None
    ) -> tuple[DataRequest, bool]:
        """Ask as `organisation`; return the request, and whether it was there: the same `client_id` asks the same thing once.

        Raises RequestError, RightsError, NotFoundError (no such organisation, no confirmed mapping of the part), ConflictError (the
        `client_id` was used for another request).
        """
        self.accounts.check_speaks_for(actor, organisation, "requests:write")
        return self._once(_Asking(organisation, actor.recorded_as(organisation), ask, client_id))

    def delegate(
        self, actor: Principal, request: str, ask: Ask, client_id: str | None = None
    ) -> tuple[DataRequest, bool]:
        """Pass a request on: ask the next tier, as the organisation that was asked. The answer to the first one stays its own to give.

        Raises what `ask` does; ConflictError also where nothing is owed any more, or where it would go round in a circle.
        """
        actor.require("requests:write")
        with snapshot(self.engine) as connection, Session(connection) as session:
            asked = self._row_as(session, actor, request, "asked").asked
        return self._once(_Asking(asked, actor.recorded_as(asked), ask, client_id, request))

    def _once(self, asking: _Asking) -> tuple[DataRequest, bool]:
        for _attempt in range(2):
            try:
                with begin(self.engine) as connection, Session(connection) as session:
                    return self._ask(session, asking)
            except IntegrityError:
                continue  # the same request, sent twice at the same moment: the other one was first
        raise ConflictError("the same id was used meanwhile", where="id", remedy="send it again")

    def _ask(self, session: Session, asking: _Asking) -> tuple[DataRequest, bool]:
        now = self.clock()
        mine = col(RequestRow.asker) == asking.organisation
        there = session.exec(
            select(RequestRow).where(mine, col(RequestRow.client_id) == (asking.client_id or ""))
        ).one_or_none()
        if there is not None:
            if there.content != asking.content:
                raise ConflictError("this id was used for another request", where="id", remedy="use a new id")
            return seen(there, "asker", now), True
        product = _check_ask(session, asking.organisation, asking.ask, now)
        if asking.parent is not None:
            self._pass_on(session, asking, asking.parent, product)
        row = _row_of(asking, product, new_jti(now, self.random), now)
        session.add(row)
        session.flush()
        step = "created" if asking.parent is None else "delegated"
        tell_of(session, Step("request", row.id, step), row.asked, now, self.random)
        return seen(row, "asker", now), False

    def _pass_on(self, session: Session, asking: _Asking, parent: str, product: str) -> None:
        """Mark the parent as passed on.

        What lies further up isn't looked at: to be told of it would tell who stands there. A circle ends at the first organisation that
        would ask for the second time what it waits for already.
        """
        row, ask = session.exec(select(RequestRow).where(col(RequestRow.id) == parent)).one(), asking.ask
        waiting = select(RequestRow.id).where(
            col(RequestRow.asker) == asking.organisation,
            col(RequestRow.closed_at).is_(None),
            col(RequestRow.asked) == ask.asked,
            col(RequestRow.product) == product,
            col(RequestRow.period_start) <= ask.period.end,
            col(RequestRow.period_end) >= ask.period.start,
        )
        if ask.asked == row.asker or session.exec(waiting.limit(1)).first() is not None:
            raise ConflictError(
                "this would go round in a circle, or you wait for the same from them already",
                where="asked",
                remedy="wait for that answer, or ask another supplier",
            )
        self._step(session, row, {"state": "delegated"})
        tell_of(session, Step("request", row.id, "passed_on"), row.asker, self.clock(), self.random)

    def page(
        self,
        actor: Principal,
        organisation: str,
        box: Literal["inbox", "outbox"],
        after: str | None = None,
        limit: int = 100,
    ) -> list[DataRequest]:
        """Return what `organisation` was asked (inbox) or asks (outbox), newest first; `after` is the last id of the page before."""
        self.accounts.check_speaks_for(actor, organisation, "data:read")
        side: Side = "asked" if box == "inbox" else "asker"
        query = select(RequestRow).where(_column(side) == organisation)
        if after is not None:
            query = query.where(col(RequestRow.id) < after)
        with snapshot(self.engine) as connection, Session(connection) as session:
            rows = session.exec(query.order_by(col(RequestRow.id).desc()).limit(limit)).all()
            now = self.clock()
            return [seen(row, side, now) for row in rows]

    def show(self, actor: Principal, request: str) -> Told:
        """Return a request with its answer and, for its asker, how it was passed on."""
        actor.require("data:read")
        with snapshot(self.engine) as connection, Session(connection) as session:
            row = self._row(session, actor, request)
            side: Side = "asker" if self._speaks_for(session, actor, row, "asker") else "asked"
            return self._told(session, row, side)

    def _told(self, session: Session, row: RequestRow, side: Side) -> Told:
        passed_on = col(RequestRow.parent) == row.id
        named = select(RequestRow.asked).where(passed_on, col(RequestRow.named)).limit(100)
        delegations = session.exec(select(func.count()).where(passed_on)).one()
        answer = answer_of(session, row, side) if row.state == "answered" else None
        return Told(seen(row, side, self.clock()), answer, delegations, tuple(sorted(set(session.exec(named).all()))))

    def accept(self, actor: Principal, request: str) -> DataRequest:
        """Say that an answer will come. ConflictError where the request isn't open any more."""
        actor.require("requests:write")
        with begin(self.engine) as connection, Session(connection) as session:
            row = self._row_as(session, actor, request, "asked")
            if row.state != "accepted":
                self._step(session, row, {"state": "accepted"}, col(RequestRow.state) == "open")
                tell_of(session, Step("request", row.id, "accepted"), row.asker, self.clock(), self.random)
            return seen(row, "asked", self.clock())

    def let_be_named(self, actor: Principal, request: str, *, named: bool) -> DataRequest:
        """Let the asker of the request that this one was passed on from know who was asked, or no longer."""
        actor.require("requests:write")
        with begin(self.engine) as connection, Session(connection) as session:
            row = self._row_as(session, actor, request, "asked")
            if row.parent is None:
                raise RequestError("nobody passed this request on", where="request", remedy="there is nothing to allow")
            row.named = named
            session.add(row)
            session.flush()
            return seen(row, "asked", self.clock())

    def decline(self, actor: Principal, request: str, reason: str) -> DataRequest:
        """Decline with a reason, which the asker is shown. ConflictError where nothing is owed any more."""
        return self._close(actor, request, "asked", "declined", {"reason": reason})

    def withdraw(self, actor: Principal, request: str) -> DataRequest:
        """Take a request back. ConflictError where it was answered or declined; grants stay as they are."""
        return self._close(actor, request, "asker", "withdrawn", {})

    def _close(
        self, actor: Principal, request: str, side: Side, state: str, values: Mapping[str, object]
    ) -> DataRequest:
        actor.require("requests:write")
        now = self.clock()
        with begin(self.engine) as connection, Session(connection) as session:
            row = self._row_as(session, actor, request, side)
            if row.state != state:
                by = actor.recorded_as(row.asker if side == "asker" else row.asked)
                self._step(session, row, {"state": state, "closed_at": now, "closed_by": by, **values})
                other = row.asked if side == "asker" else row.asker
                tell_of(session, Step("request", row.id, state), other, now, self.random)
            return seen(row, side, now)

    def remind(self, actor: Principal, request: str) -> DataRequest:
        """Remind the asked one. TooManyError within a day of the last reminder, ConflictError where nothing is owed any more."""
        actor.require("requests:write")
        now = self.clock()
        with begin(self.engine) as connection, Session(connection) as session:
            row = self._row_as(session, actor, request, "asker")
            if row.closed_at is not None:
                raise _settled(row)
            last = col(RequestRow.reminded_at)
            due = or_(last.is_(None), last <= now - REMIND_EVERY)
            query = update(RequestRow).where(col(RequestRow.id) == row.id, col(RequestRow.closed_at).is_(None), due)
            if session.exec(query.values(reminded_at=now)).rowcount == 0:
                raise TooManyError("reminded within the last day", where="request", remedy="remind once a day at most")
            session.refresh(row)
            tell_of(session, Step("request", row.id, "reminded"), row.asked, now, self.random)
            return seen(row, "asker", now)

    def answer(self, actor: Principal, request: str, named: Sequence[Named]) -> tuple[Told, bool]:
        """Answer by naming one's own statements; their paths are granted in the same transaction. Return it, and whether it stood already.

        Each statement has to be one of the kinds that are wanted, about the product, of a period that meets the one asked for and, a
        footprint, under one of the rule sets; without activity data there has to be a footprint under each of them.

        Raises RequestError, NotFoundError (no such statement of the answerer's), UnknownPathError, ConflictError (answered otherwise,
        declined or withdrawn meanwhile).
        """
        actor.require("requests:write")
        actor.require("grants:write")
        with snapshot(self.engine) as connection, Session(connection) as session:
            row = self._row_as(session, actor, request, "asked")
            kinds = self.answers.check(connection, row, named)
        now = self.clock()
        with begin(self.engine) as connection, Session(connection) as session:
            row = self._row_as(session, actor, request, "asked")
            if row.state == "answered" and is_answer(session, row, named):
                return self._told(session, row, "asked"), True
            by = actor.recorded_as(row.asked)
            self._step(session, row, {"state": "answered", "closed_at": now, "closed_by": by})
            self.answers.record(connection, actor, row, named, kinds)
            tell_of(session, Step("request", row.id, "answered"), row.asker, now, self.random)
            return self._told(session, row, "asked"), False

    def tell_overdue(self) -> int:
        """Tell both sides of requests whose deadline has passed, once each; return how many. The clock's job; safe in several processes."""
        now = self.clock()
        late = (
            col(RequestRow.closed_at).is_(None),
            col(RequestRow.overdue_at).is_(None),
            col(RequestRow.deadline) < now,
        )
        query = select(RequestRow).where(*late).order_by(col(RequestRow.deadline)).limit(_TOLD_AT_ONCE)
        with begin(self.engine) as connection, Session(connection) as session:
            rows = session.exec(query.with_for_update(skip_locked=True)).all()
            for row in rows:
                row.overdue_at = now
                session.add(row)
                session.flush()
                for recipient in (row.asker, row.asked):
                    tell_of(session, Step("request", row.id, "overdue"), recipient, now, self.random)
            return len(rows)

    # -- what is there, and for whom ---------------------------------------------------------------------------------

    def _row(self, session: Session, actor: Principal, request: str) -> RequestRow:
        mine = or_(spoken_for(actor, col(RequestRow.asker)), spoken_for(actor, col(RequestRow.asked)))
        row = session.exec(select(RequestRow).where(col(RequestRow.id) == request, mine)).one_or_none()
        if row is None:
            raise NotFoundError("no such request", where="request", remedy=_LISTS)
        return row

    def _row_as(self, session: Session, actor: Principal, request: str, side: Side) -> RequestRow:
        """Return a request whose `side` the actor speaks for; RightsError for the other side, which sees it."""
        row = self._row(session, actor, request)
        if not self._speaks_for(session, actor, row, side):
            who = "asked" if side == "asked" else "asks"
            raise RightsError(f"this is for the organisation that {who}", where="request", remedy="let it do that")
        return row

    @staticmethod
    def _speaks_for(session: Session, actor: Principal, row: RequestRow, side: Side) -> bool:
        mine = spoken_for(actor, _column(side))
        return session.exec(select(RequestRow.id).where(col(RequestRow.id) == row.id, mine)).first() is not None

    @staticmethod
    def _step(
        session: Session, row: RequestRow, values: Mapping[str, Any], still: ColumnElement[bool] | None = None
    ) -> None:
        """Write to a request for which something is still owed; ConflictError where somebody settled it meanwhile."""
        pending = col(RequestRow.state).in_(PENDING) if still is None else still
        if session.exec(update(RequestRow).where(col(RequestRow.id) == row.id, pending).values(**values)).rowcount == 0:
            session.refresh(row)
            raise _settled(row)
        session.refresh(row)


def _check_ask(session: Session, organisation: str, ask: Ask, now: datetime) -> str:
    """Check what somebody is to be asked; return the product."""
    if ask.asked == organisation:
        raise RequestError("a request to oneself", where="asked", remedy="name another organisation")
    if not now < ask.deadline <= now + MAX_AHEAD:
        raise RequestError("the deadline is past, or years ahead", where="deadline", remedy="name a time to come")
    unknown = [name for name in ask.rule_sets if name not in rule_set_ids()]
    if unknown:
        known = ", ".join(rule_set_ids())
        raise RequestError(f"no such rule set: {unknown[0]}", where="rule_sets", remedy=f"name one of {known}")
    if not ask.wanted or ("product-footprint" in ask.wanted) != bool(ask.rule_sets):
        raise RequestError(
            "rule sets go with footprints, and each footprint with one",
            where="rule_sets",
            remedy="name rule sets exactly where a footprint is wanted",
        )
    check_known(session, ask.asked, where="asked")
    if ask.needed_for is not None:
        check_below(ask.needed_for, organisation, where="needed_for")
    if ask.verifier is not None:
        _check_verifier(session, ask, now)
    return _product(session, organisation, ask)


def _check_verifier(session: Session, ask: Ask, now: datetime) -> None:
    verifier = cast("str", ask.verifier)
    check_spelling(verifier, where="verifier")
    check_known(session, verifier, where="verifier")
    if "verifier" not in roles_today(session, verifier, now) or verifier == ask.asked:
        raise RequestError(
            "not an independent verifier of this exchange",
            where="verifier",
            remedy="name an organisation with that role",
        )


def _product(session: Session, organisation: str, ask: Ask) -> str:
    if (ask.product is None) == (ask.part is None):
        raise RequestError("the product has to be named once", where="product", remedy="name its URI, or your part")
    if ask.part is not None:
        return confirmed_product(session, organisation, ask.part, ask.asked)
    product = cast("str", ask.product)
    check_below(product, ask.asked, where="product")
    return product


def _row_of(asking: _Asking, product: str, identity: str, now: datetime) -> RequestRow:
    ask = asking.ask
    return RequestRow(
        id=identity,
        asker=asking.organisation,
        asked=ask.asked,
        client_id=asking.client_id or identity,
        content=asking.content,
        product=product,
        part=ask.part,
        needed_for=ask.needed_for,
        wanted=" ".join(sorted(set(ask.wanted))),
        rule_sets=" ".join(sorted(set(ask.rule_sets))),
        period_start=ask.period.start,
        period_end=ask.period.end,
        verifier=ask.verifier,
        deadline=ask.deadline,
        message=ask.message,
        state="open",
        asked_by=asking.by,
        asked_at=now,
        parent=asking.parent,
    )


def _column(side: Side) -> Any:
    return col(RequestRow.asker if side == "asker" else RequestRow.asked)


def _settled(row: RequestRow) -> ConflictError:
    return ConflictError(f"the request is {row.state}", where="request", remedy="look at it again")
