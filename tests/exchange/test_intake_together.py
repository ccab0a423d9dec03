"""Many statements in one transaction: what each is told is what it would be told alone, and nobody pays for another's fault."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import event
from sqlmodel import Session, col, select

from exchange.intake import Intake, Receipt, Submission
from exchange.intake.tables import StatementRow
from exchange.kinds import ACTIVITY_DATA, BILL_OF_MATERIALS, KEY_EVENTS
from exchange.vault import SealedRow
from ledger import CommitUncertainError
from ledger.audit import audit
from ledger.store import snapshot
from signer import Issued, KeyRevokedError, revocation_claims
from tests.exchange.test_intake import CutError, failing, held, interrupted, operator, revoke, rows
from tests.flow.world import Exchange, Member, activity, bill, line

JTI = "01890a5d-ac96-774b-bcce-b302099a8057"


def handed(issued: Issued, **how: bool) -> Submission:
    """A statement as it is handed in."""
    return Submission(issued.token, issued.disclosures, **how)  # type: ignore[arg-type]


def told(outcomes: list[Receipt | Exception]) -> list[str]:
    """In a word what became of each."""
    return [
        type(one).__name__ if isinstance(one, Exception) else "existed" if one.existed else "new" for one in outcomes
    ]


def mixed(exchange: Exchange, maker: Member) -> tuple[list[Submission], list[str]]:
    """Good statements of all sorts among bad ones, and what they are told."""
    x, y = maker.product("x"), maker.product("y")
    before = maker.sign(ACTIVITY_DATA, activity(x))
    exchange.post(before)
    nowhere = {"origin": exchange.origin, "index": 2, "leaf_hash": "0" * 64}
    citing = line(name="s", product=y, id="s", citation=nowhere)
    raced = [maker.sign(ACTIVITY_DATA, activity(maker.product(f"r{number}")), jti=JTI) for number in range(2)]
    again = maker.sign_again(raced[0])
    good = [maker.sign(ACTIVITY_DATA, activity(maker.product(f"p{number}"))) for number in range(5)]
    pairs = [
        (handed(good[0]), "new"),
        (handed(before), "existed"),
        (handed(raced[0]), "new"),
        (handed(maker.sign(ACTIVITY_DATA, activity(x, citing))), "CitationMismatchError"),
        (Submission("garbage", ()), "MalformedTokenError"),
        (handed(maker.sign(BILL_OF_MATERIALS, bill(x, y))), "new"),
        (handed(raced[1]), "JtiReusedError"),
        (handed(good[1]), "new"),
        (handed(maker.sign(BILL_OF_MATERIALS, bill(y, x))), "CycleError"),
        (handed(good[2], dry_run=True), "new"),
        (handed(again), "existed"),
        (handed(good[2]), "new"),
        (handed(good[2]), "existed"),
        (Submission(good[3].token, good[3].disclosures[1:]), "StatementError"),
        (Submission(good[3].token, (), sealed=True), "new"),
        (handed(good[4]), "new"),
    ]
    return [one for one, _ in pairs], [what for _, what in pairs]


def test_each_is_told_what_it_is_told_alone(exchange: Exchange) -> None:
    maker = exchange.member("maker")
    submissions, expected = mixed(exchange, maker)
    start = exchange.size
    outcomes = exchange.services.installation.intake.submit_all(submissions)
    assert told(outcomes) == expected
    placed = [
        (submission, one.index)
        for submission, one in zip(submissions, outcomes, strict=True)
        if isinstance(one, Receipt) and not one.existed and not submission.dry_run
    ]
    assert [index for _, index in placed] == list(range(start, exchange.size)), "numbered in their order"
    engine = exchange.services.installation.engine
    with snapshot(engine) as connection, Session(connection) as session:
        for submission, index in placed:
            row = session.get_one(StatementRow, index)
            kept = None if submission.sealed else tuple(submission.disclosures)
            assert (held(exchange, row.leaf_hash), row.withheld) == (kept, submission.sealed)
        found = session.exec(select(StatementRow).where(col(StatementRow.index) >= start)).all()
        assert len(found) == len(placed)
    exchange.publish()
    installation = exchange.services.installation
    with snapshot(engine) as connection:
        assert audit(connection, installation.trust_file.key, installation.published).size == exchange.size


def test_sent_again_all_of_it_is_there(exchange: Exchange) -> None:
    maker = exchange.member("maker")
    batch = [handed(maker.sign(ACTIVITY_DATA, activity(maker.product(f"p{number}")))) for number in range(9)]
    intake = exchange.services.installation.intake
    first = intake.submit_all(batch)
    before = rows(exchange.services.installation.engine)
    again = intake.submit_all(batch)
    assert [(one.index, one.existed) for one in again] == [(one.index, True) for one in first]  # type: ignore[union-attr]
    assert rows(exchange.services.installation.engine) == before


def test_a_fault_at_any_write_leaves_whole_statements_alone(exchange: Exchange) -> None:
    """Where writing them together is cut, each has all of its rows in the end, or its sender an error and it has none."""
    maker = exchange.member("maker")
    engine, intake = exchange.services.installation.engine, exchange.services.installation.intake
    for number in range(1, 40):
        batch = [handed(maker.sign(ACTIVITY_DATA, activity(maker.product(f"{number}-{n}")))) for n in range(3)]
        before = rows(engine)
        with failing(engine, "statement", number) as executed:
            try:
                outcomes = intake.submit_all(batch)
            except CutError:
                outcomes = [CutError()] * len(batch)
            ended = len(executed) < number
        whole = sum(isinstance(one, Receipt) for one in outcomes)
        after = rows(engine)
        for table in ("ledger_entry", "exchange_statement", "exchange_sealed", "exchange_data_key"):
            assert after[table] == before[table] + whole, (table, executed[-1])
        if ended:
            break
    assert ended
    assert number > 8


def test_a_commit_that_fails_is_everybody_s_error(exchange: Exchange) -> None:
    maker = exchange.member("maker")
    batch = [handed(maker.sign(ACTIVITY_DATA, activity(maker.product(f"p{number}")))) for number in range(3)]
    engine, intake = exchange.services.installation.engine, exchange.services.installation.intake
    before = rows(engine)
    with failing(engine, "commit", 0):
        outcomes = intake.submit_all(batch)
    assert told(outcomes) == [CommitUncertainError.__name__] * 3
    assert rows(engine) == before
    assert told(intake.submit_all(batch)) == ["new"] * 3


def test_a_key_revoked_between_check_and_append_signs_none_of_them(exchange: Exchange) -> None:
    maker, other = exchange.member("maker"), exchange.member("other")
    batch = [handed(one.sign(ACTIVITY_DATA, activity(one.product("p")))) for one in (maker, other, maker)]
    outcomes = interrupted(exchange, lambda: revoke(exchange, maker)).submit_all(batch)
    assert told(outcomes) == [KeyRevokedError.__name__, "new", KeyRevokedError.__name__]


def test_a_key_revoked_within_the_batch_signs_nothing_after(exchange: Exchange) -> None:
    maker = exchange.member("maker")
    first, *later = (handed(maker.sign(ACTIVITY_DATA, activity(maker.product(f"p{number}")))) for number in range(3))
    revoking = operator(exchange).sign(KEY_EVENTS, revocation_claims(maker.uri, maker.key.thumbprint, "lost"))
    outcomes = exchange.services.installation.intake.submit_all([first, handed(revoking), *later])
    assert told(outcomes) == ["new", "new", *[KeyRevokedError.__name__] * 2]


def test_an_identity_taken_between_look_and_lock_stops_its_own_alone(exchange: Exchange) -> None:
    maker = exchange.member("maker")
    taking, late = (maker.sign(ACTIVITY_DATA, activity(maker.product(name)), jti=JTI) for name in "ab")
    batch = [handed(maker.sign(ACTIVITY_DATA, activity(maker.product(f"p{number}")))) for number in range(3)]
    outcomes = interrupted(exchange, lambda: exchange.post(taking)).submit_all([*batch, handed(late)])
    assert told(outcomes) == ["new"] * 3 + ["JtiReusedError"]


@pytest.mark.parametrize("count", [8, 64])
def test_more_statements_take_no_more_round_trips(exchange: Exchange, count: int) -> None:
    maker = exchange.member("maker")
    batch = [handed(maker.sign(ACTIVITY_DATA, activity(maker.product(f"p{number}")))) for number in range(count)]
    asked: list[str] = []
    note: Callable[..., None] = lambda _connection, _cursor, statement, *_rest: asked.append(statement)  # noqa: E731
    engine = exchange.services.installation.engine
    event.listen(engine, "before_cursor_execute", note)
    outcomes = exchange.services.installation.intake.submit_all(batch)
    event.remove(engine, "before_cursor_execute", note)
    assert told(outcomes) == ["new"] * count
    assert len(asked) < 25, "\n".join(asked)


def test_every_statement_has_a_data_key_of_its_own(sqlite_exchange: Exchange) -> None:
    maker = sqlite_exchange.member("maker")
    batch = [handed(maker.sign(ACTIVITY_DATA, activity(maker.product(f"p{number}")))) for number in range(5)]
    intake: Intake = sqlite_exchange.services.installation.intake
    leaves = [one.leaf_hash for one in intake.submit_all(batch) if isinstance(one, Receipt)]
    with snapshot(sqlite_exchange.services.installation.engine) as connection:
        keys = connection.scalars(select(SealedRow.key).where(col(SealedRow.subject).in_(leaves))).all()
    assert len(set(keys)) == len(leaves) == 5
