"""Whatever the two sides of a request do, in whatever order: what is settled stays so, and nothing is granted but by the answer."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlmodel import Session, select

from bom_graph import Period
from exchange.access import MEMBER_SCOPES, Principal
from exchange.errors import ConflictError, TooManyError
from exchange.kinds import ACTIVITY_DATA
from exchange.requests import Ask, Named, RequestRow
from exchange.sharing import GrantRow
from ledger.store import snapshot
from tests.flow.world import Exchange, activity

PATHS = ("full", "sub", "outputs", "inputs")
STEPS = {
    "accept": {"open": "accepted", "accepted": "accepted"},
    "decline": {"open": "declined", "accepted": "declined", "delegated": "declined", "declined": "declined"},
    "withdraw": {"open": "withdrawn", "accepted": "withdrawn", "delegated": "withdrawn", "withdrawn": "withdrawn"},
    "delegate": {"open": "delegated", "accepted": "delegated", "delegated": "delegated"},
    "answer": {"open": "answered", "accepted": "answered", "delegated": "answered"},
    "remind": {"open": "open", "accepted": "accepted", "delegated": "delegated"},
}


class Desk(RuleBasedStateMachine):
    """One request between two, its states in a model beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        root = Path(self.folder.name)
        self.exchange = Exchange.open(root / "data", f"sqlite:///{root / 'exchange.sqlite'}")
        maker, cells, mine = (self.exchange.member(slug) for slug in ("maker", "cells", "mine"))
        self.maker, self.cells = (Principal(one.uri, "member:x", MEMBER_SCOPES["admin"]) for one in (maker, cells))
        self.leaf_hash = cells.state(ACTIVITY_DATA, activity(cells.product("cell")))["leaf_hash"]
        self.requests = self.exchange.services.requests
        self.ask = Ask(
            asked=cells.uri,
            period=Period(start=date(2025, 1, 1), end=date(2025, 12, 31)),
            wanted=("activity-data",),
            deadline=self.exchange.clock() + timedelta(days=5),
            product=cells.product("cell"),
        )
        self.ore = mine.product("ore")
        self.mine = mine.uri
        self.passed_on = 0
        self.reminded = False
        self.id = self.requests.ask(self.maker, maker.uri, self.ask, "one")[0].id
        self.state = "open"
        self.granted: set[str] = set()

    def teardown(self) -> None:
        self.exchange.close()
        self.folder.cleanup()

    def step(self, name: str, work: Callable[[], object]) -> bool:
        """Do a step; the model says whether it may be done. Return whether it was."""
        expected = STEPS[name].get(self.state)
        try:
            work()
        except ConflictError:
            assert expected is None, f"{name} was refused in state {self.state}"
            return False
        assert expected is not None, f"{name} went through in state {self.state}"
        self.state = expected
        return True

    @rule()
    def accept(self) -> None:
        self.step("accept", lambda: self.requests.accept(self.cells, self.id))

    @rule()
    def decline(self) -> None:
        self.step("decline", lambda: self.requests.decline(self.cells, self.id, "no"))

    @rule()
    def withdraw(self) -> None:
        self.step("withdraw", lambda: self.requests.withdraw(self.maker, self.id))

    @rule()
    def delegate(self) -> None:
        self.passed_on += 1
        ask = Ask(
            asked=self.mine,
            period=self.ask.period,
            wanted=("activity-data",),
            deadline=self.ask.deadline + timedelta(days=300),
            product=f"{self.ore}-{self.passed_on}",
        )
        self.step("delegate", lambda: self.requests.delegate(self.cells, self.id, ask))

    @rule(paths=st.sets(st.sampled_from(PATHS), min_size=1))
    def answer(self, paths: set[str]) -> None:
        named = [Named(self.leaf_hash, tuple(paths))]
        if self.state == "answered" and paths == self.granted:
            assert self.requests.answer(self.cells, self.id, named)[1]
        elif self.step("answer", lambda: self.requests.answer(self.cells, self.id, named)):
            self.granted = paths

    @rule()
    def remind(self) -> None:
        try:
            if self.step("remind", lambda: self.requests.remind(self.maker, self.id)):
                assert not self.reminded
                self.reminded = True
        except TooManyError:
            assert self.reminded

    @precondition(lambda self: self.reminded)
    @rule()
    def a_day_goes_by(self) -> None:
        self.exchange.clock.advance(86_400)
        self.reminded = False

    @invariant()
    def the_request_is_as_the_model_says(self) -> None:
        seen = self.requests.show(self.maker, self.id).request
        assert seen.state == self.state
        pending = self.state in {"open", "accepted", "delegated"}
        assert (seen.closed_at is None) is pending
        assert seen.overdue is (pending and self.ask.deadline < self.exchange.clock())
        board = self.exchange.services.boards.board(self.maker, self.maker.organisation, "asker")
        assert board.pending == int(pending)

    @invariant()
    def nothing_is_granted_but_by_the_answer(self) -> None:
        with snapshot(self.exchange.services.installation.engine) as connection, Session(connection) as session:
            grants = session.exec(select(GrantRow)).all()
            assert [set(one.paths.split()) for one in grants] == ([self.granted] if self.granted else [])
            assert session.exec(select(RequestRow).where(RequestRow.asker == self.mine)).all() == []


TestDesk = Desk.TestCase
TestDesk.settings = settings(max_examples=4, stateful_step_count=15, deadline=None)
