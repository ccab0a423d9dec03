"""Statements as a stream of lines: a verdict per line, in order, bounded, resumed by sending again; and dry runs."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from anyio import Event, move_on_after, run
from fastapi.testclient import TestClient

from exchange.api import stream
from exchange.intake import Queue
from exchange.intake.queueing import LARGE
from exchange.kinds import ACTIVITY_DATA, BATTERY_MODEL
from ledger import QueueFullError
from signer import Issued, join_presentation
from tests.flow.accounts import Company
from tests.flow.test_bad_input import check_problem
from tests.flow.world import BASE, SITE, Exchange, activity, line

STREAM = "/api/v1/statements/stream"


def as_line(issued: Issued) -> bytes:
    """One line of a stream."""
    return json.dumps({"statement": join_presentation(issued.token, issued.disclosures)}).encode() + b"\n"


def fresh(exchange: Exchange, count: int) -> list[Issued]:
    """Signed statements of one company."""
    maker = exchange.member("maker")
    return [maker.sign(ACTIVITY_DATA, activity(maker.product(f"p{number}"))) for number in range(count)]


def send(http: TestClient, body: bytes | Iterable[bytes], query: str = "") -> list[dict[str, Any]]:
    """The verdicts of a stream."""
    answer = http.post(f"{STREAM}{query}", content=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == stream.LINES
    assert answer.headers["x-content-type-options"] == "nosniff"
    return [json.loads(one) for one in answer.text.splitlines()]


def test_each_line_has_its_verdict_and_a_bad_one_stops_none(exchange: Exchange) -> None:
    good = fresh(exchange, 50)
    bad = [b"{\n", b'{"statement": "x", "statement": "y"}\n', b'{"statement": 1}\n', b'{"statement": "~"}\n', b"\n"]
    lines = [*map(as_line, good[:25]), *bad, *map(as_line, good[25:])]
    before = exchange.size
    verdicts = send(exchange.http, b"".join(lines))
    assert [one["line"] for one in verdicts] == [*range(1, 30), *range(31, 56)]  # the empty line isn't answered
    refused = [one for one in verdicts if not one["accepted"]]
    assert [(one["line"], one["code"], one["status"]) for one in refused] == [
        (26, "bad_json", 400),
        (27, "duplicate_member", 400),
        (28, "request", 422),
        (29, refused[3]["code"], 400),
    ]
    assert all(one["detail"] and one["where"] and one["remedy"] for one in refused)
    accepted = [one for one in verdicts if one["accepted"]]
    assert sorted(one["index"] for one in accepted) == list(range(before, before + 50))
    for issued, one in zip(good, accepted, strict=True):
        entry = exchange.http.get(f"/api/v1/entries/{one['index']}").json()
        assert (entry["token"], entry["leaf_hash"]) == (issued.token, one["leaf_hash"])


def test_what_says_to_be_something_else_is_refused_whole(sqlite_exchange: Exchange) -> None:
    (issued,) = fresh(sqlite_exchange, 1)
    before = sqlite_exchange.size
    for wrong in ("application/json", "application/x-www-form-urlencoded", "text/plain; x=application/x-ndjson", ""):
        answer = sqlite_exchange.http.post(STREAM, content=as_line(issued), headers={"Content-Type": wrong})
        refused = check_problem(answer, 415, "media_type")
        assert refused["where"] == "Content-Type"
        assert stream.LINES in refused["remedy"]
    assert sqlite_exchange.size == before
    right = {"Content-Type": "Application/X-NDJSON ; charset=utf-8"}
    assert sqlite_exchange.http.post(STREAM, content=as_line(issued), headers=right).json()["accepted"]


def test_sent_again_it_goes_on_where_it_broke(exchange: Exchange) -> None:
    lines = [as_line(one) for one in fresh(exchange, 6)]
    first = send(exchange.http, b"".join(lines[:4]))
    again = send(exchange.http, b"".join(lines))
    assert [one["existed"] for one in again] == [True] * 4 + [False] * 2
    assert [one["index"] for one in again[:4]] == [one["index"] for one in first]


def test_a_line_that_was_cut_leaves_nothing(exchange: Exchange) -> None:
    whole, cut = [as_line(one) for one in fresh(exchange, 2)]
    before = exchange.size
    # Cut in its middle, or but for the line feed: the exchange can't know that nothing was to follow.
    for part in (cut[: len(cut) // 2], cut.rstrip(b"\n")):
        verdicts = send(exchange.http, whole + part)
        assert [(one["line"], one["accepted"], one.get("code")) for one in verdicts] == [
            (1, True, None),
            (2, False, "cut"),
        ]
    assert exchange.size == before + 1


def test_lines_and_streams_are_bounded(sqlite_exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = [as_line(one) for one in fresh(sqlite_exchange, 2)]
    monkeypatch.setattr(stream, "MAX_LINE_BYTES", 10_000)
    long = (b"x" * 9000 for _ in range(5))
    verdicts = send(sqlite_exchange.http, iter([before, *long, b"\n", after]))
    assert [(one["accepted"], one.get("code")) for one in verdicts] == [
        (True, None),
        (False, "too_large"),
        (True, None),
    ]


def test_a_stream_ends_at_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MAX_STREAM_BYTES", 10)
    response = stream.VerdictStream(each(lambda _data: {}), always)
    verdicts = by_hand(response, [b"one\n", b"two\n", b"three\n", b"four\n"])
    assert [(one["line"], one.get("code")) for one in verdicts] == [(1, None), (2, None), (3, "too_large")]


def test_a_length_is_asked_of_all_but_a_stream(sqlite_exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    one = as_line(fresh(sqlite_exchange, 1)[0])
    assert send(sqlite_exchange.http, iter([one[:100], one[100:]]))[0]["accepted"]
    for path in ("/api/v1/statements", f"{STREAM}/", "/api/v1/grants"):
        assert sqlite_exchange.http.post(path, content=iter([one])).status_code == 411
    too_much = {"Content-Length": str(stream.MAX_STREAM_BYTES + 1)}
    assert sqlite_exchange.http.post(STREAM, content=b"", headers=too_much).status_code == 413


def test_only_those_who_may_submit_for_the_issuer(sqlite_exchange: Exchange) -> None:
    sqlite_exchange.clock.now = datetime.now(UTC) + timedelta(
        minutes=1
    )  # the OAuth library dates tokens by the machine's clock
    acme, rival = Company.join(sqlite_exchange, "acme"), Company.join(sqlite_exchange, "rival")
    theirs, ours = (as_line(one.member.sign(ACTIVITY_DATA, activity(one.member.product("p")))) for one in (rival, acme))
    program = acme.program("statements:write")
    assert [one.get("code") for one in send(program, theirs + ours)] == ["rights", None]
    assert acme.program("data:read", name="reader").post(STREAM, content=ours).status_code == 403
    assert TestClient(sqlite_exchange.http.app, base_url=BASE).post(STREAM, content=ours).status_code == 401


def test_a_client_that_is_revoked_in_mid_stream_is_out(
    sqlite_exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "ASK_AGAIN_SECONDS", -1.0)
    sqlite_exchange.clock.now = datetime.now(UTC) + timedelta(minutes=1)
    acme = Company.join(sqlite_exchange, "acme")
    made = [
        as_line(acme.member.sign(ACTIVITY_DATA, activity(acme.member.product(f"p{number}")))) for number in range(3)
    ]
    program = acme.program("statements:write")
    (client,) = acme.admin.get("/api/v1/clients").json()
    bearer = [(b"authorization", program.headers["authorization"].encode()), (b"host", b"127.0.0.1")]
    bearer.append((b"transfer-encoding", b"chunked"))
    scope = {"type": "http", "method": "POST", "path": STREAM, "query_string": b"", "headers": bearer}
    parts, answers = iter(made), []

    async def receive() -> Any:
        part = next(parts, b"")
        if part == made[1]:
            assert acme.admin.delete(f"/api/v1/clients/{client['id']}").status_code == 204
        return {"type": "http.request", "body": part, "more_body": part != b""}

    async def send_on(message: Any) -> None:
        answers.append(message.get("body", b""))

    run(sqlite_exchange.http.app, scope, receive, send_on)
    verdicts = [json.loads(one) for one in b"".join(answers).splitlines()]
    assert [(one["line"], one.get("code")) for one in verdicts] == [(1, None), (2, "unauthenticated")]


def by_hand(
    response: stream.VerdictStream, parts: list[bytes], sent: list[bytes] | None = None, *, ends: bool = True
) -> list[dict[str, Any]]:
    """Serve a stream without a server, a part in each message; `sent` gets what is sent, as it is sent."""
    messages: Iterator[dict[str, Any]] = iter(
        [{"type": "http.request", "body": one, "more_body": True} for one in parts]
    )
    last = {"type": "http.request", "body": b"", "more_body": False} if ends else {"type": "http.disconnect"}
    answers: list[bytes] = [] if sent is None else sent

    async def receive() -> Any:
        return next(messages, last)

    async def send_on(message: Any) -> None:
        answers.append(message.get("body", b""))

    run(response, {"type": "http"}, receive, send_on)
    return [json.loads(one) for one in b"".join(answers).splitlines()]


async def always() -> bool:
    return True


def each(judge: Callable[[bytes], dict[str, Any]]) -> stream.Judge:
    """Judge lines one by one, whose errors are their answers."""

    async def judge_all(lines: Sequence[bytes]) -> list[dict[str, Any] | Exception]:
        found: list[dict[str, Any] | Exception] = []
        for one in lines:
            try:
                found.append(judge(one))
            except QueueFullError:
                raise
            except Exception as error:  # noqa: BLE001
                found.append(error)
        return found

    return judge_all


class AtWork:
    """Counts what is judged at a time; `enough` ends the wait of all."""

    def __init__(self, enough: int) -> None:
        self.most = self._now = 0
        self._enough = enough
        self._gate = Event()

    async def pass_through(self, weight: int) -> None:
        self._now += weight
        self.most = max(self.most, self._now)
        if self._now >= self._enough:
            self._gate.set()
        with move_on_after(0.2):
            await self._gate.wait()
        self._now -= weight


@pytest.mark.parametrize("at_once", [1, 5, 1000], ids=["line by line", "some", "in one piece"])
def test_no_more_lines_are_in_work_than_there_is_room_for(at_once: int) -> None:
    work = AtWork(stream.LINES_AT_ONCE)

    async def judge(lines: Sequence[bytes]) -> list[dict[str, Any]]:
        await work.pass_through(len(lines))
        return [{"was": int(line)} for line in lines]

    lines = [b"%d\n" % number for number in range(5 * stream.LINES_AT_ONCE)]
    pieces = [b"".join(lines[start : start + at_once]) for start in range(0, len(lines), at_once)]
    verdicts = by_hand(stream.VerdictStream(judge, always), pieces)
    assert [one["was"] for one in verdicts] == list(range(len(lines)))
    assert stream.LINES_AT_ONCE - at_once < work.most <= stream.LINES_AT_ONCE


def test_a_stream_takes_no_more_places_than_its_share() -> None:
    most: list[int] = []

    async def judge(lines: Sequence[bytes]) -> list[dict[str, Any]]:
        most.append(len(lines))
        return [{} for _ in lines]

    assert len(by_hand(stream.VerdictStream(judge, always, most=3), [b"x\n" * 10])) == 10
    assert most == [3, 3, 3, 1]


def test_bytes_in_work_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "BYTES_AT_ONCE", 100)
    work = AtWork(10_000)

    async def judge(lines: Sequence[bytes]) -> list[dict[str, Any]]:
        await work.pass_through(sum(map(len, lines)))
        return [{} for _ in lines]

    assert len(by_hand(stream.VerdictStream(judge, always), [b"x" * 40 + b"\n"] * 4 + [b"y" * 300 + b"\n"])) == 5
    assert work.most == 300  # the long one, alone


def test_a_full_queue_is_waited_for_and_nobody_is_told() -> None:
    tries = [QueueFullError("full", where="queue", remedy="wait"), None]

    def judge(_data: bytes) -> dict[str, Any]:
        if (error := tries.pop(0)) is not None:
            raise error
        return {"index": 7}

    response = stream.VerdictStream(each(judge), always)
    assert by_hand(response, [b"1\n"]) == [{"line": 1, "accepted": True, "index": 7}]


def test_an_unforeseen_error_is_that_line_s_alone(caplog: pytest.LogCaptureFixture) -> None:
    def judge(data: bytes) -> dict[str, Any]:
        return {"inverse": 1 // int(data)}

    verdicts = by_hand(stream.VerdictStream(each(judge), always), [b"0\n1\n"])
    assert [one.get("code") for one in verdicts] == ["internal", None]
    assert "ZeroDivisionError" in caplog.text
    assert "division" not in str(verdicts)


def test_what_came_whole_before_a_disconnect_is_judged() -> None:
    seen: list[bytes] = []

    def judge(data: bytes) -> dict[str, Any]:
        seen.append(data)
        return {}

    by_hand(stream.VerdictStream(each(judge), always), [b"one\ntwo\nthr"], ends=False)
    assert seen == [b"one", b"two"]


def test_a_silent_sender_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "IDLE_SECONDS", 0.05)

    async def serve() -> list[bytes]:
        from anyio import sleep  # noqa: PLC0415

        sent: list[bytes] = []

        async def receive() -> Any:
            await sleep(60)

        async def send_on(message: Any) -> None:
            sent.append(message.get("body", b""))

        await stream.VerdictStream(each(lambda _data: {}), always)({"type": "http"}, receive, send_on)
        return sent

    (verdict,) = [json.loads(one) for one in b"".join(run(serve)).splitlines()]
    assert verdict["code"] == "silent"


def test_streams_leave_places_for_others() -> None:
    """Half of the queue at most is for streams, whatever their number; and what is large holds up nobody."""
    gate = threading.Event()

    def work(items: Sequence[int]) -> list[int | Exception]:
        if items[0] < 100:
            assert gate.wait(10)
        return [*items]

    queue: Queue[int, int] = Queue(work, capacity=4)

    async def serve() -> list[list[int | Exception]]:
        streamed = queue.enter([1, 2], LARGE, streamed=True)
        with pytest.raises(QueueFullError):
            queue.enter([3], 1, streamed=True)
        assert await queue.enter([101], 1) == [101]
        waiting = [queue.enter([4], LARGE), queue.enter([5], LARGE)]
        with pytest.raises(QueueFullError):
            queue.enter([102], 1)
        gate.set()
        found = [await one for one in (streamed, *waiting)]
        assert await queue.enter([1, 2], 1, streamed=True) == [1, 2], "places are free again"
        return found

    assert run(serve) == [[1, 2], [4], [5]]
    assert queue.unanswered == 0


def test_an_error_of_a_whole_batch_is_told_to_all_of_it() -> None:
    def work(_items: Sequence[int]) -> list[int | Exception]:
        raise RuntimeError("no database")

    queue: Queue[int, int] = Queue(work, capacity=4)

    async def serve() -> list[int | Exception]:
        return await queue.enter([1, 2], 1)

    for _again in range(2):
        assert [str(one) for one in run(serve)] == ["no database"] * 2


def test_a_dry_run_checks_all_and_writes_nothing(exchange: Exchange) -> None:
    maker = exchange.member("maker")
    issued = maker.sign(ACTIVITY_DATA, activity(maker.product("p")))
    body = {"statement": join_presentation(issued.token, issued.disclosures)}
    before = exchange.size
    for _ in range(2):
        answer = exchange.http.post("/api/v1/statements?dry_run=true", json=body)
        assert answer.status_code == 200
        told = answer.json()
        assert (told["dry_run"], told["existed"], "index" in told) == (True, False, False)
    assert send(exchange.http, as_line(issued), "?dry_run=true")[0]["dry_run"]
    assert exchange.size == before
    admitted = exchange.post(issued).json()
    assert (admitted["leaf_hash"], admitted["existed"]) == (told["leaf_hash"], False)
    known = exchange.http.post("/api/v1/statements?dry_run=true", json=body).json()
    assert (known["existed"], known["index"]) == (True, admitted["index"])


def test_a_dry_run_also_judges_what_only_the_lock_can_tell(exchange: Exchange) -> None:
    maker = exchange.member("maker")
    nowhere = {"origin": exchange.origin, "index": 2, "leaf_hash": "0" * 64}
    citing = maker.sign(
        ACTIVITY_DATA,
        activity(maker.product("q"), line(name="s", product=maker.product("p"), id="s", citation=nowhere)),
    )
    body = {"statement": join_presentation(citing.token, citing.disclosures)}
    refusals = [exchange.http.post(f"/api/v1/statements{query}", json=body) for query in ("?dry_run=true", "")]
    assert [one.status_code for one in refusals] == [400, 400]
    assert refusals[0].json() == refusals[1].json()


def test_a_dry_run_among_submissions_undoes_itself_alone(exchange: Exchange) -> None:
    tried, kept = fresh(exchange, 2)
    threads = [
        threading.Thread(
            target=exchange.services.installation.intake.submit, args=(one.token, one.disclosures), kwargs=how
        )
        for one, how in ((tried, {"dry_run": True}), (kept, {}))
    ]
    before = exchange.size
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert exchange.size == before + 1
    assert exchange.post(kept).json()["existed"]
    assert not exchange.post(tried).json()["existed"]


def test_dry_runs_are_limited_by_issuer(sqlite_exchange: Exchange) -> None:
    mine, other = fresh(sqlite_exchange, 1)[0], sqlite_exchange.member("other")
    verdicts = send(sqlite_exchange.http, as_line(mine) * 121, "?dry_run=true")
    assert [one.get("code") for one in verdicts].count("too_many") == 1
    refused = next(one for one in verdicts if not one["accepted"])
    assert (refused["status"], refused["retry_after"]) == (429, 60)
    theirs = other.sign(ACTIVITY_DATA, activity(other.product("p")))
    assert send(sqlite_exchange.http, as_line(theirs), "?dry_run=true")[0]["accepted"]


def test_a_statement_is_admitted_with_what_the_gates_find_in_it(sqlite_exchange: Exchange) -> None:
    maker = sqlite_exchange.member("maker")
    claims = activity(
        maker.product("p"), line(name="salt", amount="2", flow="nickel-sulfate", composition={"formula": "NiSO4"})
    )
    claims["site"] = {"name": "Plant 1", "country": "CN", "grid": "CN"}
    issued = maker.sign(ACTIVITY_DATA, claims)
    dry = send(sqlite_exchange.http, as_line(issued), "?dry_run=true")[0]
    told = sqlite_exchange.post(issued)
    assert told.status_code == 201
    (finding,) = [one for one in told.json()["findings"] if one["gate"] == "element_balance"]
    assert "Ni 200.0%" in finding["what"]
    assert finding["level"] == "hard"
    assert len(finding["rule_sets"]) >= 1
    assert dry["findings"] == told.json()["findings"]
    assert "findings" not in sqlite_exchange.post(maker.sign(ACTIVITY_DATA, activity(maker.product("r")))).json()


def test_findings_say_nothing_of_what_others_signed(tmp_path: Path) -> None:
    """Two worlds that differ in a rival's statement answer alike."""
    answers = []
    for name, amount in (("one", "1"), ("two", "3")):
        exchange = Exchange.open(tmp_path / name, f"sqlite:///{tmp_path / name}.sqlite")
        supplier, maker = exchange.member("supplier"), exchange.member("maker")
        salts = activity(
            supplier.product("s"),
            line(name="x", amount=amount, flow="nickel-sulfate", composition={"formula": "NiSO4"}),
        )
        cited = supplier.state(ACTIVITY_DATA, salts)
        # It cites the rival's entry, whose numbers differ between the two worlds.
        mine = activity(
            maker.product("m"), line(name="s", product=supplier.product("s"), amount="2", id="s", citation=cited)
        )
        told = exchange.post(maker.sign(ACTIVITY_DATA, mine)).json()
        answers.append({name: told.get(name) for name in ("index", "existed", "findings")})
        exchange.close()
    assert answers[0] == answers[1]


def test_a_battery_model_s_contradiction_is_found(sqlite_exchange: Exchange) -> None:
    maker = sqlite_exchange.member("packs", "pack_maker")
    model = {
        "model": "M1",
        "chemistry": "LFP",
        "plant": SITE,
        "sub": maker.product("pack"),
        "rated_energy": {"amount": "60", "unit": "kWh", "obtained": "measured"},
        "usable_energy": {"amount": "70", "unit": "kWh", "obtained": "measured"},
    }
    answer = sqlite_exchange.post(maker.sign(BATTERY_MODEL, model))
    assert answer.status_code == 201, answer.text
    (finding,) = [one for one in answer.json()["findings"] if one["gate"] == "delivered_energy"]
    assert finding["rule_sets"] == ["eu-cfb-draft-2024-partial"]


def test_httpx_streams_to_a_real_server(tmp_path: Path) -> None:
    from exchange.server import serving  # noqa: PLC0415
    from exchange.settings import Settings  # noqa: PLC0415

    with serving(Settings(data=tmp_path / "data", port=0)) as running:
        headers = {"Authorization": f"Bearer {running.services.installation.token}"}
        with httpx2.Client(base_url=running.address, headers=headers) as http:
            answer = http.post(STREAM, content=(b"{}\n" for _ in range(500)))
    assert [json.loads(one)["code"] for one in answer.text.splitlines()] == ["request"] * 500
