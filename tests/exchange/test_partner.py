"""A company's nightly job: tokens, tries, journal, push and pull; and the commands over it. Against real servers on loopback."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from typer.main import get_command
from typer.testing import CliRunner

from exchange.cli import partner as cli
from exchange.cli.main import command_line
from exchange.client import AnswerError, UnreachableError
from exchange.errors import UsageError
from exchange.kinds import ACTIVITY_DATA, PRODUCT_FOOTPRINT
from exchange.partner import SECRET_VARIABLE, ClientCredentials, Outcome, Partner
from exchange.server import bind
from signer import KeyPair, join_presentation, read_leaf
from signer.keystore import load_key, save_key
from tests.flow.accounts import PASSWORD, Company, log_in
from tests.flow.world import EVERBATT, PERIOD, Exchange, activity, line, signed_footprint

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def served(exchange: Exchange) -> Iterator[str]:
    """The exchange at an address."""
    listener = bind("127.0.0.1", 0, or_free=False)
    config = uvicorn.Config(exchange.http.app, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture
def company(sqlite_exchange: Exchange) -> Company:
    """A company with accounts, today by the machine's clock, which dates access tokens."""
    sqlite_exchange.clock.now = datetime.now(UTC) + timedelta(minutes=1)
    return Company.join(sqlite_exchange, "acme")


@pytest.fixture
def address(sqlite_exchange: Exchange, company: Company) -> Iterator[str]:
    assert company.exchange is sqlite_exchange
    with served(sqlite_exchange) as found:
        yield found


def credentials(company: Company, *scopes: str) -> tuple[str, str]:
    made = company.admin.post("/api/v1/clients", json={"name": "job", "scopes": list(scopes)}).json()
    return made["id"], made["secret"]


def presentation(company: Company, name: str) -> str:
    issued = company.member.sign(ACTIVITY_DATA, activity(company.member.product(name)))
    return join_presentation(issued.token, issued.disclosures)


def fill(folder: Path, company: Company, count: int) -> Path:
    folder.mkdir(exist_ok=True)
    for number in range(count):
        (folder / f"{number:03}.sd-jwt").write_text(presentation(company, f"p{number}"))
    return folder


def test_a_folder_is_pushed_and_the_journal_spares_the_rest(
    company: Company, address: str, tmp_path: Path, sqlite_exchange: Exchange
) -> None:
    folder, journal = fill(tmp_path / "out", company, 5), tmp_path / "journal"
    (folder / "bad.sd-jwt").write_bytes("签名".encode())
    before, told = sqlite_exchange.size, list[Outcome]()
    with Partner(address, ClientCredentials(*credentials(company, "statements:write"))) as partner:
        assert partner.push(folder, dry_run=True, journal=journal).accepted == 5
        assert (sqlite_exchange.size, journal.exists()) == (before, False)
        pushed = partner.push(folder, journal=journal, told=told.append)
        assert (pushed.accepted, pushed.existed, pushed.skipped, len(pushed.refused)) == (5, 0, 0, 1)
        assert pushed.refused[0].name.endswith("bad.sd-jwt")
        assert len(told) == 6
        again = partner.push(folder, journal=journal)
        assert (again.accepted, again.skipped, len(again.refused)) == (0, 5, 1)
        # A line that was cut in writing counts for nothing, and the journal goes on.
        journal.write_bytes(journal.read_bytes()[:-20])
        third = partner.push(folder, journal=journal)
        assert (third.accepted, third.existed, third.skipped) == (1, 1, 4)
        assert partner.push(folder, journal=journal).skipped == 5
    with Partner(f"{address}/", "x") as partner:
        assert partner.push([], journal=journal).skipped == 0  # the same exchange, by a slash more
        journal.write_text(journal.read_text().replace(sqlite_exchange.origin, "other.example"))
        with pytest.raises(UsageError, match="another log"):
            partner.push(folder, journal=journal)


def test_more_than_one_part(company: Company, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exchange.partner.PART_LINES", 3)
    items = [(f"n{number}", presentation(company, f"p{number}")) for number in range(8)]
    with Partner(address, ClientCredentials(*credentials(company, "statements:write"))) as partner:
        outcomes = list[Outcome]()
        assert partner.push(iter(items), told=outcomes.append).accepted == 8
    assert [one.name for one in outcomes] == [name for name, _ in items]


def test_a_token_is_kept_renewed_and_fetched_again_when_refused(company: Company, address: str) -> None:
    now = [0.0]
    auth = ClientCredentials(*credentials(company, "data:read"), clock=lambda: now[0])
    with Partner(address, auth) as partner:
        partner.results()
        first = auth._token
        partner.results()
        assert auth._token == first
        now[0] += 3600
        partner.results()
        assert auth._token != first
        auth._token = "spoilt"
        assert partner.results() == []
        assert auth._token != "spoilt"


def test_a_wrong_secret_is_said_and_never_shown(company: Company, address: str) -> None:
    identity, secret = credentials(company, "data:read")
    wrong = secret[::-1]
    with Partner(address, ClientCredentials(identity, wrong)) as partner, pytest.raises(AnswerError) as caught:
        partner.results()
    assert caught.value.status == 401
    assert "invalid_client" in str(caught.value)
    assert wrong not in str(caught.value)


def test_secrets_come_from_the_environment_and_go_by_https(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SECRET_VARIABLE, raising=False)
    with pytest.raises(UsageError, match=SECRET_VARIABLE):
        ClientCredentials("id")
    monkeypatch.setenv(SECRET_VARIABLE, "s")
    auth = ClientCredentials("id")
    with pytest.raises(UsageError, match="https"):
        Partner("http://exchange.example", auth)
    Partner("https://exchange.example", auth)


@contextmanager
def scripted(*answers: tuple[int, dict[str, str], bytes] | None) -> Iterator[tuple[str, list[bytes]]]:
    """A server that gives these answers in turn, None cuts the connection; and the bodies that it got."""
    script, bodies = list(answers), list[bytes]()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            found = script.pop(0)
            if found is None:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            status, headers, body = found
            self.send_response(status)
            for name, value in ({"content-length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", bodies
    finally:
        server.shutdown()
        server.server_close()


def yes(line: int) -> bytes:
    return (
        json.dumps({"line": line, "accepted": True, "existed": False, "index": line, "leaf_hash": "0"}).encode() + b"\n"
    )


def test_what_passes_is_tried_again_and_only_what_had_no_answer_is_sent_again() -> None:
    full = {"line": 2, "accepted": False, "status": 503, "code": "queue_full", "retry_after": 4}
    problem = b'{"detail": "wait", "where": "here", "remedy": "wait"}'
    half = yes(1) + yes(2)
    answers = [
        (503, {"retry-after": "7"}, problem),
        None,
        (429, {"retry-after": "60"}, problem),
        (200, {"content-length": str(len(half) + 50)}, half),  # breaks off after two of four
        (200, {}, yes(1) + json.dumps(full).encode() + b"\n"),
        (200, {}, yes(1)),
    ]
    pauses, outcomes = list[float](), list[Outcome]()
    with scripted(*answers) as (address, bodies), Partner(address, "t", sleep=pauses.append) as partner:
        pushed = partner.push([(name, name) for name in "abcd"], told=outcomes.append)
    sent = [[json.loads(line)["statement"] for line in body.splitlines()] for body in bodies]
    assert sent == [list("abcd")] * 4 + [["c", "d"], ["d"]]
    assert (pushed.accepted, pushed.refused) == (4, [])
    assert [one.name for one in outcomes] == list("abcd")
    assert pauses == [7, 2, 60, 8, 16]


def test_patience_has_an_end_and_what_does_not_pass_is_not_tried_again() -> None:
    problem = b'{"detail": "wait", "where": "here", "remedy": "wait"}'
    with scripted((503, {}, problem), (503, {}, problem), (400, {}, problem)) as (address, bodies):
        now = [0.0]
        wait = lambda seconds: now.__setitem__(0, now[0] + seconds)  # noqa: E731
        with Partner(address, "t", patience=2, sleep=wait, clock=lambda: now[0]) as partner:
            with pytest.raises(AnswerError) as caught:
                partner.push([("a", "a")])
            assert caught.value.status == 503
            with pytest.raises(AnswerError) as caught:
                partner.push([("a", "a")])
            assert caught.value.status == 400
    assert len(bodies) == 3
    with Partner(address, "t", patience=0) as partner, pytest.raises(UnreachableError):
        partner.push([("a", "a")])


def test_results_and_their_evidence_are_pulled(company: Company, address: str, tmp_path: Path) -> None:
    exchange, file = company.exchange, tmp_path / "evidence.packtrace"
    with Partner(
        address, ClientCredentials(*credentials(company, "data:read", "statements:write", "footprints:write"))
    ) as job:
        assert job.pull(file, company.uri) == []
        assert not file.exists()
        job.push([("salt", presentation(company, "salt"))])
        job.footprint(company.member.product("salt"), "everbatt-2023-cradle-to-gate", company.uri)
        exchange.publish()
        (found,) = job.pull(file, company.uri, company.member.product("salt"))
        assert found["product"] == company.member.product("salt")
        assert file.read_bytes()[:2] == b"PK"
        assert job.pull(tmp_path / "none", company.uri, company.member.product("other")) == []


def test_the_commands_push_and_pull(
    company: Company, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    identity, secret = credentials(company, "data:read", "statements:write", "footprints:write")
    file = tmp_path / "secret"
    file.write_text(secret + "\n")
    login, folder = cli.Login(address, identity, file), fill(tmp_path / "out", company, 2)
    monkeypatch.setattr("sys.stdin", StringIO(presentation(company, "p9") + "\n\n"))
    assert cli.run_push([str(folder), "-"], login, None, dry_run=False, as_json=True) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["accepted"], found["refused"]) == (3, 0)
    assert [one["name"].rpartition("/")[2] for one in found["statements"]] == ["000.sd-jwt", "001.sd-jwt", "line 1"]
    (folder / "bad.sd-jwt").write_text("nonsense")
    assert cli.run_push([str(folder)], login, None, dry_run=True, as_json=False) == 1
    told = capsys.readouterr()
    assert "was there before" in told.out
    assert "1 refused" in told.err
    assert cli.run_push([str(tmp_path / "nowhere")], login, None, dry_run=False, as_json=False) == 2
    assert cli.run_pull(tmp_path / "e", login, None, None, as_json=True) == 0
    assert json.loads(capsys.readouterr().out.partition("error")[0]) == {"results": [], "file": None}
    assert cli.run_show(login, as_json=True) == 0
    assert secret not in capsys.readouterr().out


def test_the_org_commands(
    company: Company,
    address: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = list[str]()

    def typed(prompt: str) -> str:
        asked.append(prompt)
        return PASSWORD

    monkeypatch.setattr("os.isatty", lambda _descriptor: True)
    monkeypatch.setattr("getpass.getpass", typed)
    admin = cli.Login(address, email="admin@acme.example")
    assert cli.run_members(admin, as_json=True) == 0
    assert [one["email"] for one in json.loads(capsys.readouterr().out)["members"]] == ["admin@acme.example"]
    assert cli.run_invite(admin, "new@acme.example", "viewer", as_json=True) == 0
    assert len(json.loads(capsys.readouterr().out)["secret"]) == 64
    assert cli.run_clients(admin, "job 2", ["data:read"], None, as_json=True) == 0
    made = json.loads(capsys.readouterr().out)
    assert cli.run_clients(admin, None, [], made["id"], as_json=False) == 0
    assert "job 2  data:read  ended" in capsys.readouterr().out
    key = tmp_path / "key"
    save_key(key, KeyPair.generate("ES256"), "pass")
    monkeypatch.setenv("PACKTRACE_PASSPHRASE", "pass")
    joining = cli.Joining(
        "https://new.example", "New", "CN", ("register=new",), ("supplier",), "Nora", "nora@new.example", key, None
    )
    assert cli.run_register(address, joining, as_json=False) == 0
    assert "the operator decides" in capsys.readouterr().out
    (waiting,) = company.exchange.http.get("/api/v1/registrations").json()
    assert waiting["uri"] == "https://new.example"
    assert asked == ["Password: "] * 4 + ["New password: ", "Again: "]
    monkeypatch.setattr("os.isatty", lambda _descriptor: False)
    assert cli.run_members(admin, as_json=False) == 2


def test_a_colleague_joins_by_the_invitation(
    company: Company, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def invited(email: str) -> str:
        made = company.admin.post("/api/v1/invitations", json={"email": email, "role": "contributor"})
        return str(made.json()["secret"])

    secret, password = tmp_path / "invitation", tmp_path / "password"
    secret.write_text(invited("carl@acme.example") + "\n")
    password.write_text(PASSWORD + "\n")
    files = ["--invitation-file", str(secret), "--password-file", str(password)]
    joined = CliRunner().invoke(command_line(), ["org", "join", "--server", address, "--name", "Carl", *files])
    assert (joined.exit_code, joined.stdout) == (0, "joined as contributor: log in as carl@acme.example\n")
    assert log_in(company.exchange, "carl@acme.example").get("/api/v1/me").status_code == 200
    again = CliRunner().invoke(command_line(), ["org", "join", "--server", address, "--name", "Carl", *files])
    assert again.exit_code == 1
    assert "unknown, used or expired" in again.output
    # Without files both are asked on the terminal, unseen; and nowhere else.
    asked, answers = list[str](), [invited("cleo@acme.example"), PASSWORD, PASSWORD]

    def typed(prompt: str) -> str:
        asked.append(prompt)
        return answers[len(asked) - 1]

    monkeypatch.setattr("os.isatty", lambda _descriptor: True)
    monkeypatch.setattr("getpass.getpass", typed)
    assert cli.run_join(address, "Cleo", None, None, as_json=True) == 0
    assert asked == ["Invitation: ", "New password: ", "Again: "]
    assert json.loads(capsys.readouterr().out)["email"] == "cleo@acme.example"
    monkeypatch.setattr("os.isatty", lambda _descriptor: False)
    assert cli.run_join(address, "Cleo", None, password, as_json=True) == 2
    for bad in (b"", b"two\nlines\n", b"\xff"):
        password.write_bytes(bad)
        assert cli.run_join(address, "Cleo", secret, password, as_json=True) == 2
    assert "not a file of one line of text" in capsys.readouterr().err


def test_a_newcomer_is_let_in_and_fetches_its_certificate(
    company: Company, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    exchange, key, pair = company.exchange, tmp_path / "key", KeyPair.generate("ES256")
    save_key(key, pair, "a passphrase")
    monkeypatch.setenv("PACKTRACE_PASSPHRASE", "a passphrase")
    monkeypatch.setattr("os.isatty", lambda _descriptor: True)
    monkeypatch.setattr("getpass.getpass", lambda _prompt: PASSWORD)
    joining = cli.Joining(
        "https://new.example", "New", "CN", ("duns=1",), ("supplier",), "Nora", "n@new.example", key, None
    )
    assert cli.run_register(address, joining, as_json=True) == 0
    identity = json.loads(capsys.readouterr().out)["id"]
    operator = cli.Login(address, data=exchange.services.installation.folder)
    assert cli.run_applications(operator, as_json=False) == 0
    (waiting,) = capsys.readouterr().out.splitlines()
    assert waiting == f"{identity}  https://new.example  New  CN  asks for supplier, duns=1, key {pair.thumbprint}"
    assert cli.run_decide(operator, identity, approve=True, reason="known", as_json=False) == 0
    assert cli.run_applications(operator, as_json=False) == 0
    assert capsys.readouterr().out.splitlines() == [f"application {identity}: approved", "no applications wait"]
    assert exchange.services.registrations.enrol_approved() == 1
    admin = cli.Login(address, email="n@new.example")
    assert cli.run_certificate(admin, key, None, as_json=False) == 0
    assert read_leaf(load_key(key, "a passphrase").certificate or b"").organisation == "https://new.example"
    # Never over a file; and not beside another key.
    assert cli.run_certificate(admin, key, None, as_json=False) == 2
    save_key(tmp_path / "other", KeyPair.generate("ES256"), "a passphrase")
    assert cli.run_certificate(admin, tmp_path / "other", None, as_json=False) in {1, 2}
    assert not (tmp_path / "other.crt").exists()


def test_a_program_grants_and_reads_its_inbox_by_commands(company: Company, address: str, tmp_path: Path) -> None:
    """Every command about an organisation is for whoever speaks for it: the operator can't where there are accounts."""
    identity, secret = credentials(company, "data:read", "statements:write", "grants:write", "requests:write")
    reader = company.exchange.member("reader")
    stated = company.admin.post("/api/v1/statements", json={"statement": presentation(company, "p")}).json()[
        "leaf_hash"
    ]
    (tmp_path / "secret").write_text(secret)

    def run(*words: str) -> str:
        who = ["--server", address, "--client-id", identity, "--secret-file", str(tmp_path / "secret")]
        ran = CliRunner().invoke(command_line(), [*words, *who])
        assert ran.exit_code == 0, ran.output
        return ran.stdout

    terms = ["--owner", company.uri, "--reader", reader.uri, "--statement", stated]
    assert "would see" in run("grant", "preview", "sub", *terms)
    granted = run("grant", "add", "sub", *terms).split()[1]
    assert granted in run("grant", "list")
    assert "withdrawn" in run("grant", "withdraw", granted)
    assert "packtrace.grant.created" in run("inbox", "list", "--organisation", company.uri)
    assert run("request", "list") == run("product", "list") == ""


def test_every_command_at_an_exchange_takes_who_asks() -> None:
    """By API client and by e-mail address, but those of the operator's and what somebody does who is nobody yet."""
    others = {
        "org register",
        "org join",
        "org applications",
        "org decide",
        "push",
        "pull",
    }  # jobs push and pull, people don't

    def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, set[str]]]:
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from commands(command, (*path, name))
            else:
                yield " ".join((*path, name)), {one.name for one in command.params}

    asking = {name: options for name, options in commands(get_command(command_line())) if "server" in options}
    assert {name for name, options in asking.items() if not {"client_id", "email"} <= options} == others


def blocks() -> list[str]:
    page = (ROOT / "docs" / "client.md").read_text("utf-8")
    return re.findall(r"```python\n(.*?)```", page, re.DOTALL)


def ran(job: str, secret: str, *arguments: str) -> list[str]:
    """What a job of the page prints."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", job, *arguments],
        cwd=ROOT,
        env={**os.environ, SECRET_VARIABLE: secret},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


def wished(product: str, supplier: str, **changes: Any) -> dict[str, Any]:
    deadline = (datetime.now(UTC) + timedelta(days=9)).isoformat()
    wish = {"asked": supplier, "product": product, "wanted": ["product-footprint"], "rule_sets": [EVERBATT.id]}
    return wish | {"period": PERIOD, "deadline": deadline} | changes


def test_the_supplier_s_job_of_the_page(company: Company, address: str, tmp_path: Path) -> None:
    scopes = ("data:read", "statements:write", "requests:write", "grants:write")
    identity, secret = credentials(company, *scopes)
    folder = fill(tmp_path / "out", company, 2)
    cell, other = company.member.product("cell"), company.member.product("other")
    signed = company.member.sign(PRODUCT_FOOTPRINT, signed_footprint(cell, "manufacturing"))
    (folder / "cell.sd-jwt").write_text(join_presentation(signed.token, signed.disclosures))
    customer = Company.join(company.exchange, "customer")
    for product in (cell, other):
        assert customer.admin.post("/api/v1/requests", json=wished(product, company.uri)).status_code == 201
    for expected in (
        ["3 admitted, 0 known, 0 refused", f"{cell} answered", "1 requests wait for people"],
        ["0 admitted, 3 known, 0 refused", "1 requests wait for people"],
    ):
        assert ran(blocks()[0], secret, address, identity, str(folder)) == expected
    (granted,) = customer.admin.get("/api/v1/grants?direction=received").json()
    assert granted["paths"] == ["complete", "contents", "declared_unit", "rule_set", "sub", "total"]


def test_an_answer_that_is_refused_stops_no_other(company: Company, address: str) -> None:
    identity, secret = credentials(company, "data:read", "statements:write", "requests:write", "grants:write")
    customer = Company.join(company.exchange, "customer")
    products = [company.member.product(name) for name in "ab"]
    ids = [
        customer.admin.post("/api/v1/requests", json=wished(product, company.uri)).json()["id"] for product in products
    ]
    with Partner(address, ClientCredentials(identity, secret)) as partner:
        signed = company.member.sign(PRODUCT_FOOTPRINT, signed_footprint(products[1], "manufacturing"))
        receipt = partner.submit(signed.token, signed.disclosures)
        named = [
            {
                "leaf_hash": receipt.leaf_hash,
                "paths": ["sub", "contents", "rule_set", "declared_unit", "total", "complete"],
            }
        ]
        # The statement is about the second product alone.
        answered = {one.request["id"]: one.refusal for one in partner.answer_waiting(lambda _request: named)}
        assert answered[ids[1]] is None
        refusal = answered[ids[0]]
        assert refusal is not None
        assert refusal.status == 400
        assert [one["id"] for one in partner.pending("asked")] == ids[:1]
        assert partner.answer_waiting(lambda _request: None) == []


@contextmanager
def at_work(exchange: Exchange) -> Iterator[None]:
    """The exchange's background work, while the block runs."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.1):
            exchange.services.batches.tick()
            exchange.services.publisher.tick()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_the_pack_maker_s_job_of_the_page(company: Company, address: str, tmp_path: Path) -> None:
    identity, secret = credentials(company, "data:read", "statements:write", "footprints:write")
    exchange, pack, gone = company.exchange, company.member.product("pack"), company.member.product("gone")
    evidence = tmp_path / "evidence.packtrace"
    with Partner(address, ClientCredentials(identity, secret)) as partner:
        partner.push([("pack", presentation(company, "pack"))])
        digest, _found = partner.footprint(pack, EVERBATT.id, company.uri)
        more = activity(pack, line(name="salt", flow="nickel-sulfate") | {"amount": "2"}, line(name="x", product=gone))
        signed = company.member.sign(ACTIVITY_DATA, more)
        partner.push([("more", join_presentation(signed.token, signed.disclosures))])
        exchange.services.watch.tick()
        # Recalculated, there is a gap that wasn't there: that is left to people.
        (left,) = partner.accept_stale()
        assert (left.accepted, left.said["effect"]["ask"] != []) == (None, True)
        better = company.member.sign(
            ACTIVITY_DATA, activity(pack, line(name="salt", flow="nickel-sulfate") | {"amount": "2"})
        )
        partner.push([("better", join_presentation(better.token, better.disclosures))])
        exchange.services.watch.tick()
        with at_work(exchange):
            job = [address, identity, str(evidence), company.uri, EVERBATT.id, pack]
            accepted, state, gaps, pulled = ran(blocks()[1], secret, *job)
        assert accepted.startswith(f"{pack} accepted entry:")
        assert state == "done"
        assert gaps == f"{pack} 0 lines without data"
        assert pulled.startswith(f"{pack} ")
        assert evidence.read_bytes()[:2] == b"PK"
        assert partner.stale(digest)["causes"][-1]["decision"] == "accepted"
        assert partner.accept_stale() == []


def test_what_somebody_else_decided_meanwhile_is_left(company: Company, address: str) -> None:
    identity, secret = credentials(company, "data:read", "statements:write", "footprints:write")
    pack = company.member.product("pack")
    with Partner(address, ClientCredentials(identity, secret)) as partner:
        partner.push([("pack", presentation(company, "pack"))])
        digest, _found = partner.footprint(pack, EVERBATT.id, company.uri)
        doubled = activity(pack, line(name="salt", flow="nickel-sulfate") | {"amount": "2"})
        signed = company.member.sign(ACTIVITY_DATA, doubled)
        partner.push([("more", join_presentation(signed.token, signed.disclosures))])
        company.exchange.services.watch.tick()

        def worth(_said: dict[str, Any]) -> bool:
            partner.keep_stale(digest, "decided on the page")
            return True

        (one,) = partner.accept_stale(worth=worth)
        assert (one.result["digest"], one.accepted) == (digest, None)
