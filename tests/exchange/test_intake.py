"""Intake under attack: writes that fail, writers that race, and what changes between a check and its append."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import Connection, Engine, event, func, select, text, update
from sqlmodel import Session, col

from bom_graph import Background, CycleError, Lines
from exchange.errors import ExchangeError, JtiReusedError, StatementError
from exchange.intake import Admissions, Intake
from exchange.intake.tables import ProductLinkRow, StatementRow
from exchange.kinds import ACTIVITY_DATA, BILL_OF_MATERIALS, CERTIFICATE_RETIREMENT, KEY_EVENTS, ROLE_GRANT
from exchange.tables import METADATA
from exchange.vault import SealedRow
from ledger import CommitUncertainError
from ledger.audit import audit
from ledger.store import begin, snapshot
from signer import Issued, KeyRevokedError, compromise_claims, join_presentation, revocation_claims
from tests.flow.world import SITE, Exchange, Member, activity, bill, line

ROOT = Path(__file__).resolve().parents[2]
JTI = "01890a5d-ac96-774b-bcce-b302099a8057"


class CutError(Exception):
    """The fault that is injected."""


def rows(engine: Engine) -> dict[str, int]:
    """How many rows each table has."""
    with snapshot(engine) as connection:
        return {
            table.name: connection.scalar(select(func.count()).select_from(table)) or 0
            for metadata in METADATA
            for table in metadata.sorted_tables
        }


def operator(exchange: Exchange) -> Member:
    """The operator as somebody who signs."""
    found = exchange.services.installation.operator
    return Member(exchange, found.uri, found.key)


def revoke(exchange: Exchange, member: Member) -> None:
    claims = revocation_claims(member.uri, member.key.thumbprint, "lost")
    assert exchange.post(operator(exchange).sign(KEY_EVENTS, claims)).status_code == 201


def interrupted(exchange: Exchange, meanwhile: Callable[[], object]) -> Intake:
    """An intake of another process, in which `meanwhile` happens after a statement's check and before its append."""
    installation = exchange.services.installation

    def clock() -> object:
        meanwhile()
        return exchange.clock()

    admissions = Admissions(installation.trust, installation.policy)
    return Intake(installation.engine, installation.vault, admissions, lambda _connection: Background.shipped(), clock)  # type: ignore[arg-type]


@contextmanager
def failing(engine: Engine, kind: str, number: int) -> Iterator[list[str]]:
    """Raise at the `number`-th statement that is executed (or commit); yields what was executed."""
    executed: list[str] = []

    def before(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        executed.append(statement)
        if kind == "statement" and len(executed) == number:
            raise CutError

    def commit(connection: Connection) -> None:
        # A look that only reads commits too; the fault is for what writes.
        if kind == "commit" and connection.get_execution_options().get("ledger_writing"):
            raise CutError

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "commit", commit)
    yield executed
    event.remove(engine, "before_cursor_execute", before)
    event.remove(engine, "commit", commit)


def test_a_fault_at_any_write_leaves_nothing(exchange: Exchange) -> None:
    maker = exchange.member("maker")
    issued = maker.sign(BILL_OF_MATERIALS, bill(maker.product("x"), maker.product("y")))
    engine, intake = exchange.services.installation.engine, exchange.services.installation.intake
    before = rows(engine)
    number, last = 0, ""
    while True:
        number += 1
        with failing(engine, "statement", number) as executed:
            try:
                receipt = intake.submit(issued.token, issued.disclosures)
            except CutError:
                last = next(done for done in reversed(executed) if "SAVEPOINT" not in done)
                assert rows(engine) == before, f"after a cut at: {executed[-1]}"
            else:
                break
    assert number > 8
    assert "exchange_" in last, "the last write is a companion row"
    assert not receipt.existed
    assert rows(engine)["exchange_product_link"] == before["exchange_product_link"] + 1


def test_a_commit_that_fails_leaves_nothing(exchange: Exchange) -> None:
    maker = exchange.member("maker")
    issued = maker.sign(ACTIVITY_DATA, activity(maker.product("x")))
    engine, intake = exchange.services.installation.engine, exchange.services.installation.intake
    before = rows(engine)
    with failing(engine, "commit", 0), pytest.raises(CommitUncertainError):
        intake.submit(issued.token, issued.disclosures)
    assert rows(engine) == before
    assert not intake.submit(issued.token, issued.disclosures).existed


def test_a_companion_that_fails_leaves_nothing(exchange: Exchange) -> None:
    maker = exchange.member("maker")
    issued = maker.sign(ACTIVITY_DATA, activity(maker.product("x")))
    engine, intake = exchange.services.installation.engine, exchange.services.installation.intake
    before = rows(engine)

    def companion(_session: Session, index: int) -> None:
        assert index == exchange.size
        raise CutError

    with pytest.raises(CutError):
        intake.submit(issued.token, issued.disclosures, companion)
    assert rows(engine) == before


def test_what_is_stored_is_what_was_sent(exchange: Exchange) -> None:
    maker = exchange.member("maker")
    issued = maker.sign(BILL_OF_MATERIALS, bill(maker.product("x"), maker.product("y"), maker.product("z")))
    receipt = exchange.post(issued).json()
    with snapshot(exchange.services.installation.engine) as connection:
        session = Session(connection)
        row = session.get_one(StatementRow, receipt["index"])
        links = connection.scalars(select(col(ProductLinkRow.component))).all()
        blind = exchange.services.installation.vault.blind
        assert (row.issuer, row.product, row.leaf_hash) == (maker.uri, blind(maker.product("x")), receipt["leaf_hash"])
        assert row.admitted_at == exchange.clock()
        assert sorted(links) == sorted(blind(maker.product(name)) for name in "yz")
    assert held(exchange, receipt["leaf_hash"]) == issued.disclosures
    assert exchange.http.get(f"/api/v1/entries/{receipt['index']}").json()["token"] == issued.token


def test_a_key_revoked_between_check_and_append_signs_nothing(exchange: Exchange) -> None:
    maker = exchange.member("maker")
    issued = maker.sign(ACTIVITY_DATA, activity(maker.product("x")))
    sizes: list[int] = []

    def meanwhile() -> None:
        revoke(exchange, maker)
        sizes.append(exchange.size)

    with pytest.raises(KeyRevokedError):
        interrupted(exchange, meanwhile).submit(issued.token, issued.disclosures)
    assert sizes == [exchange.size]


def test_a_role_taken_between_check_and_append_signs_nothing(exchange: Exchange) -> None:
    maker = exchange.member("maker")
    issued = maker.sign(ACTIVITY_DATA, activity(maker.product("x")))
    claims = {"organisation": maker.uri, "roles": ["verifier"]}
    with pytest.raises(StatementError):
        interrupted(exchange, lambda: operator(exchange).state(ROLE_GRANT, claims)).submit(
            issued.token, issued.disclosures
        )


def test_a_cycle_closed_between_check_and_append_is_refused(exchange: Exchange) -> None:
    first, second = exchange.member("first"), exchange.member("second")
    one = first.sign(BILL_OF_MATERIALS, bill(first.product("x"), second.product("y")))
    other = bill(second.product("y"), first.product("x"))
    with pytest.raises(CycleError):
        interrupted(exchange, lambda: second.state(BILL_OF_MATERIALS, other)).submit(one.token, one.disclosures)


def test_a_loop_of_activity_data_is_let_in_and_one_of_bills_is_not(exchange: Exchange) -> None:
    """Scrap of the second's process returns into the first's; what a product holds can't be itself."""
    first, second = exchange.member("first"), exchange.member("second")
    cathode, scrap = first.product("cathode"), second.product("scrap")
    first.state(ACTIVITY_DATA, activity(cathode, line(name="scrap", product=scrap, amount="0.1")))
    second.state(ACTIVITY_DATA, activity(scrap, line(name="cathode", product=cathode)))
    first.state(BILL_OF_MATERIALS, bill(cathode, scrap))
    closing = second.sign(BILL_OF_MATERIALS, bill(scrap, cathode))
    assert exchange.post(closing).json()["code"] == "cycle"


def retirement(member: Member, name: str, first: int, last: int, registry: str = "GEC") -> dict[str, object]:
    return {
        "sub": member.product(name),
        "registry": registry,
        "serials": [{"id": "s", "first": f"W-{first:06}", "last": f"W-{last:06}"}],
        "energy": {"amount": str(last - first + 1), "unit": "MWh", "obtained": "measured"},
        "month": "2025-01",
        "generation": "wind",
        "region": "CN",
        "site": SITE,
    }


def test_a_certificate_is_retired_once(exchange: Exchange) -> None:
    first, second = exchange.member("first"), exchange.member("second")
    first.state(CERTIFICATE_RETIREMENT, retirement(first, "one", 1, 100))
    again = exchange.post(second.sign(CERTIFICATE_RETIREMENT, retirement(second, "other", 100, 200)))
    body = again.json()
    assert (again.status_code, body["code"], body["where"]) == (409, "double_claim", "serials/s")
    assert first.uri not in again.text, "whose they are is not told"
    other_words = retirement(second, "other", 100, 200, " gec.")
    other_words["serials"] = [{"id": "s", "first": "w-000100", "last": "w-000200"}]
    again = exchange.post(second.sign(CERTIFICATE_RETIREMENT, other_words))
    assert (again.status_code, again.json()["code"]) == (409, "double_claim")
    second.state(CERTIFICATE_RETIREMENT, retirement(second, "other", 101, 200))
    second.state(CERTIFICATE_RETIREMENT, retirement(second, "elsewhere", 1, 100, "I-REC"))
    first.state(CERTIFICATE_RETIREMENT, retirement(first, "one", 1, 99))


def test_a_citation_of_another_product_is_refused_where_the_citer_may_see_it(exchange: Exchange) -> None:
    """And lets in, word for word alike, whatever it can't see: nobody finds out by trying which entry is about what."""
    supplier, buyer = exchange.member("supplier"), exchange.member("buyer")
    salt, acid = supplier.product("salt"), supplier.product("acid")
    cited = supplier.state(ACTIVITY_DATA, activity(salt))

    def citing(product: str) -> httpx2.Response:
        made_from = line(id="a", name="it", product=product, citation=cited)
        return exchange.post(buyer.sign(ACTIVITY_DATA, activity(buyer.product("x"), made_from)))

    assert [citing(product).status_code for product in (salt, acid)] == [201, 201]
    supplier.grant(cited, buyer, "process_class")
    assert citing(acid).status_code == 201
    supplier.grant(cited, buyer)
    assert citing(salt).status_code == 201
    body = citing(acid).json()
    assert (body["code"], body["where"]) == ("statement", "inputs/a/citation")
    assert "about another product" in body["detail"]


def test_a_citation_of_another_product_is_refused_by_the_outputs_alone(sqlite_exchange: Exchange) -> None:
    supplier, buyer = sqlite_exchange.member("supplier"), sqlite_exchange.member("buyer")
    cited = supplier.state(ACTIVITY_DATA, activity(supplier.product("salt")))
    supplier.grant(cited, buyer, "contents", "outputs")
    made_from = line(id="a", name="it", product=supplier.product("acid"), citation=cited)
    answer = sqlite_exchange.post(buyer.sign(ACTIVITY_DATA, activity(buyer.product("x"), made_from)))
    assert "about another product" in answer.json()["detail"]


def test_a_bill_of_many_cited_lines_costs_each_line_once(
    sqlite_exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No line has the others looked through, nor an entry opened that couldn't tell its product."""
    supplier, maker = sqlite_exchange.member("supplier"), sqlite_exchange.member("maker")
    count = 30
    products = [supplier.product(f"p{number}") for number in range(count)]
    cited = [supplier.state(ACTIVITY_DATA, activity(product)) for product in products]
    for one, path in zip(cited, ["full", "inputs", "sub"] * 10, strict=True):
        supplier.grant(one, maker, path)
    looked_through, numbers = Counter[str](), iter(range(9))
    through = Lines.__iter__

    def counting(lines: Any) -> Iterator[Any]:
        looked_through["lists"] += 1
        return through(lines)

    def opening(*_arguments: Any) -> tuple[str, ...]:
        looked_through["entries"] += 1
        return ()

    def cost(lines: int) -> Counter[str]:
        some = [
            {**line(name=product, product=product), "citation": citation}
            for product, citation in zip(products[:lines], cited[:lines], strict=True)
        ]
        issued = maker.sign(BILL_OF_MATERIALS, bill(maker.product(f"of-{next(numbers)}"), components=some))
        intake = sqlite_exchange.services.installation.intake
        looked_through.clear()
        with monkeypatch.context() as patched:
            patched.setattr(Lines, "__iter__", counting)
            patched.setattr(intake, "_disclosed", opening)
            intake.submit(issued.token, issued.disclosures)
        return Counter(looked_through)

    assert cost(3) == cost(count)
    assert cost(3)["entries"] == 0


def test_a_citation_of_one_s_own_other_product_is_refused(exchange: Exchange) -> None:
    maker = exchange.member("maker")
    part, other = maker.product("part"), maker.product("other")
    outputs = [line(product=part), line(product=other)]
    cited = maker.state(ACTIVITY_DATA, activity(part, outputs=outputs, allocation={"key": "mass"}))

    def holding(product: str) -> httpx2.Response:
        component = line(id="a", name="it", product=product, citation=cited)
        return exchange.post(maker.sign(BILL_OF_MATERIALS, bill(maker.product("x"), components=[component])))

    assert [holding(product).status_code for product in (part, other)] == [201, 201]
    assert holding(maker.product("third")).json()["where"] == "components/a/citation"


@pytest.mark.parametrize("same", [True, False], ids=["same bytes", "other content"])
def test_a_jti_taken_between_check_and_append_makes_no_second_entry(exchange: Exchange, same: bool) -> None:
    maker = exchange.member("maker")
    one = maker.sign(ACTIVITY_DATA, activity(maker.product("x")), jti=JTI)
    other = one if same else maker.sign(ACTIVITY_DATA, activity(maker.product("y")), jti=JTI)
    intake, size = interrupted(exchange, lambda: exchange.post(other)), exchange.size
    if same:
        assert intake.submit(one.token, one.disclosures).existed
    else:
        with pytest.raises(JtiReusedError):
            intake.submit(one.token, one.disclosures)
    assert exchange.size == size + 1


def test_an_answer_that_was_lost_is_given_again_after_the_key_was_revoked(exchange: Exchange) -> None:
    maker = exchange.member("maker")
    issued = maker.sign(ACTIVITY_DATA, activity(maker.product("x")))
    first = exchange.post(issued).json()
    revoke(exchange, maker)
    again = exchange.post(issued)
    assert (again.status_code, again.json()["index"]) == (200, first["index"])
    assert exchange.post(maker.sign(ACTIVITY_DATA, activity(maker.product("z")))).json()["code"] == "key_revoked"


def test_a_key_event_sent_again_is_answered_with_its_entry(sqlite_exchange: Exchange) -> None:
    """An organisation that reports its own key as compromised may lose the answer too."""
    maker = sqlite_exchange.member("maker")
    issued = maker.sign(KEY_EVENTS, compromise_claims(maker.uri, maker.key.thumbprint, 1, "stolen"))
    first, again = sqlite_exchange.post(issued), sqlite_exchange.post(issued)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["index"] == again.json()["index"]


@pytest.mark.parametrize("resigned", [False, True], ids=["same bytes", "signed again"])
@pytest.mark.parametrize("kept", [0, 1, None], ids=["none", "one", "all"])
def test_a_statement_sent_again_needs_no_disclosures(exchange: Exchange, kept: int | None, *, resigned: bool) -> None:
    maker = exchange.member("maker")
    issued = maker.sign(ACTIVITY_DATA, activity(maker.product("x")))
    first = exchange.post(issued).json()
    before = rows(exchange.services.installation.engine)
    sent = maker.sign_again(issued) if resigned else issued
    again = exchange.post(Issued(sent.token, sent.disclosures[:kept]))
    assert (again.status_code, again.json()) == (200, {**first, "existed": True})
    assert rows(exchange.services.installation.engine) == before


def test_known_bytes_with_other_disclosures_are_not_a_repetition(sqlite_exchange: Exchange) -> None:
    maker = sqlite_exchange.member("maker")
    issued, other = (maker.sign(ACTIVITY_DATA, activity(maker.product(name))) for name in "xy")
    assert sqlite_exchange.post(issued).status_code == 201
    for strange in (other.disclosures, (*issued.disclosures, other.disclosures[0])):
        answer = sqlite_exchange.post(Issued(issued.token, strange))
        assert (answer.status_code, answer.json()["code"]) == (400, "unreferenced_disclosure")


@pytest.mark.parametrize("loss", ["gone", "altered", "in part"])
def test_disclosures_that_were_lost_come_back_with_the_statement(exchange: Exchange, loss: str) -> None:
    """Even after the key was revoked and the role taken: the statement was admitted while both counted."""
    maker = exchange.member("maker")
    issued = maker.sign(ACTIVITY_DATA, activity(maker.product("x")))
    first = exchange.post(issued).json()
    revoke(exchange, maker)
    operator(exchange).state(ROLE_GRANT, {"organisation": maker.uri, "roles": ["verifier"]})
    lose_disclosures(exchange, first["leaf_hash"], loss)
    size = exchange.size
    again = exchange.post(issued)
    assert (again.status_code, again.json()["index"], exchange.size) == (200, first["index"], size)
    assert held(exchange, first["leaf_hash"]) == issued.disclosures


@pytest.mark.parametrize("sent", ["fewer", "another statement's"])
def test_lost_disclosures_are_not_replaced_by_others(sqlite_exchange: Exchange, sent: str) -> None:
    maker = sqlite_exchange.member("maker")
    issued = maker.sign(ACTIVITY_DATA, activity(maker.product("x")))
    other = maker.sign(ACTIVITY_DATA, activity(maker.product("y")))
    leaf = sqlite_exchange.post(issued).json()["leaf_hash"]
    lose_disclosures(sqlite_exchange, leaf, "gone")
    disclosures = issued.disclosures[1:] if sent == "fewer" else other.disclosures
    assert sqlite_exchange.post(Issued(issued.token, disclosures)).status_code == 400
    assert held(sqlite_exchange, leaf) is None


def test_lost_disclosures_come_back_with_the_same_content_signed_again(sqlite_exchange: Exchange) -> None:
    """ES256 signatures differ each time; the disclosures go to the entry that is there."""
    maker = sqlite_exchange.member("maker")
    signed = [
        maker.sign(ACTIVITY_DATA, activity(maker.product("x")), jti=JTI, random=random.Random(1).randbytes)
        for _ in range(2)
    ]
    assert signed[0].token != signed[1].token
    leaf = sqlite_exchange.post(signed[0]).json()["leaf_hash"]
    lose_disclosures(sqlite_exchange, leaf, "gone")
    assert sqlite_exchange.post(signed[1]).json()["leaf_hash"] == leaf
    assert held(sqlite_exchange, leaf) == signed[0].disclosures


def lose_disclosures(exchange: Exchange, leaf: str, loss: str) -> None:
    """Take the stored disclosures of an entry away, change them, or keep some of them."""
    installation = exchange.services.installation
    left = "~".join((held(exchange, leaf) or ())[1:]).encode()
    with begin(installation.engine) as connection:
        if loss == "altered":
            connection.execute(update(SealedRow).where(col(SealedRow.subject) == leaf).values(data=b"altered"))
            return
        installation.vault.erase(connection, "disclosures", [leaf])
        if loss == "in part":
            installation.vault.seal(connection, "disclosures", leaf, left)


def held(exchange: Exchange, leaf: str) -> tuple[str, ...] | None:
    """The disclosures that are kept of an entry."""
    installation = exchange.services.installation
    with snapshot(installation.engine) as connection:
        kept = installation.vault.open_(connection, "disclosures", leaf)
    return tuple(kept.decode().split("~")) if kept is not None else None


def test_many_threads_get_contiguous_indices(exchange: Exchange) -> None:
    """Half of the statements are sent twice, and one jti is used by all threads."""
    maker, threads = exchange.member("maker"), 8
    shared = [maker.sign(ACTIVITY_DATA, activity(maker.product(f"s{n}"))) for n in range(8)]
    own = [maker.sign(ACTIVITY_DATA, activity(maker.product(f"o{n}"))) for n in range(threads)]
    raced = [maker.sign(ACTIVITY_DATA, activity(maker.product(f"r{n}")), jti=JTI) for n in range(threads)]
    intake, start = exchange.services.installation.intake, exchange.size
    ready = threading.Barrier(threads)

    def send(number: int) -> list[int | str]:
        ready.wait()
        answers: list[int | str] = []
        for issued in (raced[number], *shared, own[number]):
            try:
                answers.append(intake.submit(issued.token, issued.disclosures).index)
            except ExchangeError as error:
                answers.append(error.code)
        return answers

    with ThreadPoolExecutor(threads) as pool:
        answers = list(pool.map(send, range(threads)))
    check_answers(exchange, start, answers, distinct=len(shared) + threads + 1, raced=threads)


PROCESS = """
import json, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from exchange.errors import ExchangeError
from signer import split_presentation
from tests.flow.world import open_services

folder, url, sent, go, ready = sys.argv[1:]
intake = open_services(Path(folder), url, holder=ready).installation.intake

def send(statement):
    try:
        return intake.submit(*split_presentation(statement)).index
    except ExchangeError as error:
        return error.code

Path(ready).touch()
while not Path(go).exists():
    time.sleep(0.01)
with ThreadPoolExecutor(4) as pool:
    print(json.dumps(list(pool.map(send, json.loads(Path(sent).read_text())))))
"""


@pytest.mark.long
def test_two_processes_on_one_database_get_contiguous_indices(exchange: Exchange, tmp_path: Path) -> None:
    maker, start = exchange.member("maker"), exchange.size
    shared = [maker.sign(ACTIVITY_DATA, activity(maker.product(f"s{n}"))) for n in range(12)]
    sent = []
    for process in range(2):
        raced = maker.sign(ACTIVITY_DATA, activity(maker.product(f"r{process}")), jti=JTI)
        own = [maker.sign(ACTIVITY_DATA, activity(maker.product(f"o{process}-{n}"))) for n in range(12)]
        sent.append([raced, *shared, *own])
    running = []
    for process, statements in enumerate(sent):
        file = tmp_path / f"sent-{process}"
        file.write_text(json.dumps([join_presentation(one.token, one.disclosures) for one in statements]))
        arguments = [
            str(exchange.services.installation.folder),
            exchange.url,
            str(file),
            str(tmp_path / "go"),
            str(tmp_path / f"ready-{process}"),
        ]
        running.append(
            subprocess.Popen([sys.executable, "-c", PROCESS, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        )
    wait_for([tmp_path / "ready-0", tmp_path / "ready-1"])
    (tmp_path / "go").touch()
    answers = [json.loads(process.communicate(timeout=60)[0]) for process in running]
    check_answers(exchange, start, answers, distinct=12 + 2 * 12 + 1, raced=2)


def wait_for(files: list[Path]) -> None:
    waiting = threading.Event()
    for _attempt in range(2400):
        if all(file.exists() for file in files):
            return
        waiting.wait(0.05)
    raise AssertionError(f"no {files} after two minutes")


def check_answers(exchange: Exchange, start: int, answers: list[list[int | str]], *, distinct: int, raced: int) -> None:
    """Check that every content has one entry, the raced jti one winner, and that the log is whole."""
    assert exchange.size == start + distinct
    firsts = Counter(answer[0] for answer in answers)
    assert firsts["jti_reused"] == raced - 1
    indices = {answer for one in answers for answer in one if isinstance(answer, int)}
    assert indices == set(range(start, start + distinct))
    exchange.publish()
    installation = exchange.services.installation
    with snapshot(installation.engine) as connection:
        report = audit(connection, installation.trust_file.key, installation.published)
    assert report.size == start + distinct


def test_what_governs_is_found_without_going_through_all_statements(sqlite_exchange: Exchange) -> None:
    """With statistics too, by which a database might take the primary key for the shorter way."""
    with begin(sqlite_exchange.services.installation.engine) as connection:
        connection.execute(
            text(
                "WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) "
                'INSERT INTO exchange_statement ("index", leaf_hash, issuer, jti, vct, signing_input, admitted_at, withheld) '
                "SELECT i, 'leaf-' || i, 'https://maker.example', 'jti-' || i, 'urn:packtrace:activity-data:1', '', '', 0 FROM n"
            )
        )
        connection.execute(text("ANALYZE"))
        asked: list[tuple[str, Any]] = []
        event.listen(connection, "before_cursor_execute", lambda _c, _r, query, given, *_: asked.append((query, given)))
        Admissions.last(connection)
        sqlite_exchange.services.installation.admissions.current(connection)
        for query, given in asked[:2]:
            plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", given)]
            assert plan[0].endswith("ix_exchange_statement_vct (vct=?)"), plan
