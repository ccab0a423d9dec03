"""The log and its witnesses: what it asks, what it believes, and what no witness can do to it."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import OperationalError

from exchange.cli.audit import run_audit
from exchange.cli.witness import run_policy
from exchange.cosigning import Witnesses, describe_witnesses, load_policy
from exchange.errors import SetupError
from exchange.jobs import Publisher
from exchange.outbound import MAX_ANSWER
from exchange.server import serving
from exchange.settings import Settings
from ledger import (
    SIZE_TYPE,
    LogBehindError,
    LogKey,
    NoteSigner,
    PublicationBusyError,
    WitnessPolicy,
    WitnessSigner,
    open_checkpoint,
    parse_request,
)
from ledger.audit import AuditError, audit
from ledger.store import (
    append,
    begin,
    checkpoint_at,
    head,
    latest_checkpoint,
    snapshot,
    store_cosignatures,
    witnessed_size,
    witnesses_of,
)
from tests.flow.world import Clock, Exchange, open_services, salt
from tests.witnesses import Answer, agree, puppet, served_witness, witness_process

NAMES = ("north", "south", "east")


class Log:
    """A log with a publisher, in a database of its own, whose witnesses are those of a policy text."""

    def __init__(self, engine: Engine, signer: NoteSigner, folder: Path) -> None:
        self.engine, self.signer, self.folder, self.clock = engine, signer, folder, Clock()

    def publisher(self, policy: str, *, seconds: float = 2, holder: str = "first") -> Publisher:
        parsed = WitnessPolicy.parse(policy.encode()).for_log(self.signer.log_key)
        witnesses = Witnesses(self.engine, parsed, seconds=seconds, clock=self.clock)
        return Publisher(
            self.engine,
            self.signer,
            self.folder,
            witnesses,
            last_signed=self.folder.with_name("last-signed"),
            holder=holder,
            clock=self.clock,
        )

    def grow(self, count: int = 1) -> None:
        with begin(self.engine) as connection:
            size = head(connection).size
            append(connection, [f"entry {n}".encode() for n in range(size, size + count)])

    def published(self) -> str:
        return (self.folder / "checkpoint").read_text("utf-8")

    def published_size(self) -> int:
        return open_checkpoint(self.published(), self.signer.log_key).size

    def witnessed(self, publisher: Publisher) -> int | None:
        with snapshot(self.engine) as connection:
            return witnessed_size(connection, publisher._witnesses.policy)


@pytest.fixture
def log(exchange: Exchange) -> Log:
    """The log of an exchange on each database, before its first checkpoint."""
    installation = exchange.services.installation
    return Log(installation.engine, installation.note_signer, installation.published)


@pytest.fixture
def light(sqlite_exchange: Exchange) -> Log:
    """The same on SQLite."""
    installation = sqlite_exchange.services.installation
    return Log(installation.engine, installation.note_signer, installation.published)


def two_of_three(*lines: str) -> str:
    return "".join(lines) + "group two 2 north south east\nquorum two\n"


def test_two_of_three_witnesses_make_the_quorum_before_the_checkpoint_is_published(log: Log, tmp_path: Path) -> None:
    with ExitStack() as stack:
        clock = lambda: log.clock().timestamp()  # noqa: E731
        witnesses = [
            stack.enter_context(served_witness(tmp_path / name, [log.signer.log_key], f"{name}.example", clock))
            for name in NAMES[:2]
        ]
        text = two_of_three(*(w.line(n) for w, n in zip(witnesses, NAMES, strict=False)), dead_line("east"))
        publisher = log.publisher(text)
        for _round in range(3):
            log.grow(3)
            publisher.tick()
            evaluation = publisher._witnesses.policy.evaluate(log.published())
            assert evaluation.satisfied
            assert {one.name for one in evaluation.cosignatures} == {"north", "south"}
            assert log.witnessed(publisher) == evaluation.checkpoint.size == size(log)
        with snapshot(log.engine) as connection:
            report = audit(connection, log.signer.log_key, log.folder)
            assert report.cosignatures == 6
            assert describe_witnesses(connection, publisher._witnesses.policy) == (
                f"witnessed up to size {report.size} of {report.size}, by the quorum two"
            )


def always(status: int, body: bytes = b"", *, location: str | None = None) -> Callable[[bytes], Answer]:
    """Give the same answer to everything."""
    return lambda _body: (status, {"Location": location} if location else {}, body)


def conflict(body: bytes) -> Callable[[bytes], Answer]:
    """Name this as the last size, whatever was asked."""
    return lambda _body: (409, {"Content-Type": SIZE_TYPE}, body)


def size(log: Log) -> int:
    with snapshot(log.engine) as connection:
        return head(connection).size


def dead_line(name: str) -> str:
    """A witness at whose address nobody listens."""
    return (
        f"witness {name} {WitnessSigner(f'{name}.example', name.encode().ljust(32)).witness_key} http://127.0.0.1:9\n"
    )


def test_without_the_quorum_the_checkpoint_is_published_and_not_witnessed(
    log: Log, caplog: pytest.LogCaptureFixture
) -> None:
    with puppet(1) as one:
        publisher = log.publisher(two_of_three(one.line("north"), dead_line("south"), dead_line("east")))
        for _tick in range(3):
            log.grow()
            publisher.tick()
    assert log.published_size() == size(log)
    assert len(publisher._witnesses.policy.evaluate(log.published()).cosignatures) == 1
    assert log.witnessed(publisher) is None
    with snapshot(log.engine) as connection:
        assert describe_witnesses(connection, publisher._witnesses.policy).startswith("not witnessed yet")
    assert caplog.text.count("not cosigned by witness south") == 1, "said once, not at each tick"


def test_a_witness_that_comes_back_is_asked_again_after_a_pause_and_its_line_is_published(light: Log) -> None:
    with puppet(1, always(503)) as one:
        publisher = light.publisher(one.line("w") + "quorum w\n")
        light.grow()
        publisher.tick()
        publisher.tick()
        assert len(one.asked) == 1, "it is left alone for a while"
        light.clock.advance(5)
        one.play = agree(one.signer)
        publisher.tick()
        assert len(one.asked) == 2
        assert publisher._witnesses.policy.evaluate(light.published()).satisfied
        publisher.tick()
        assert len(one.asked) == 2, "whoever has cosigned is not asked again"


def test_a_witness_that_stored_and_did_not_answer_is_asked_from_there(light: Log, tmp_path: Path) -> None:
    """Its memory is ahead of what the log knows: the log hears it from the 409 and proves from there."""
    with served_witness(tmp_path / "w", [light.signer.log_key], "w.example", lambda: 1) as witness:
        publisher = light.publisher(witness.line("w") + "quorum w\n")
        sign = witness.witness.signer.sign
        for _round in range(2):
            light.grow(3)
            witness.witness.signer.sign = broken_sign  # type: ignore[assignment,method-assign]
            publisher.tick()
            assert light.witnessed(publisher) != size(light)
            witness.witness.signer.sign = sign  # type: ignore[method-assign]
            light.clock.advance(60)
            light.grow(2)
            publisher.tick()
            assert light.witnessed(publisher) == size(light)


def broken_sign(*_arguments: object) -> str:
    raise OSError("gone before the answer")


@pytest.mark.parametrize("is_stored", [False, True], ids=["not_stored", "stored_but_reported_failed"])
def test_cosignatures_that_can_t_be_stored_are_asked_for_again(light: Log, *, is_stored: bool) -> None:
    with puppet(1) as one:
        publisher = light.publisher(one.line("w") + "quorum w\n")
        light.grow()
        publisher.tick()
        light.grow()
        commits = []

        def fail(connection: object) -> None:
            commits.append(connection)
            if len(commits) == 3:  # the lease, the checkpoint, and now the cosignatures
                if is_stored:
                    connection.connection.driver_connection.execute("COMMIT")  # type: ignore[attr-defined]
                raise OperationalError("COMMIT", {}, OSError(5, "Input/output error"))

        event.listen(light.engine, "commit", only_writes(fail))
        with pytest.raises(OperationalError):
            publisher.tick()
        publisher.tick()
    assert light.witnessed(publisher) == size(light) == light.published_size()
    assert publisher._witnesses.policy.evaluate(light.published()).satisfied
    with snapshot(light.engine) as connection:
        audit(connection, light.signer.log_key, light.folder)


def only_writes(then: Callable[[object], None]) -> Callable[[object], None]:
    """Call `then` at the commit of each write transaction."""

    def commit(connection: object) -> None:
        if connection.get_execution_options().get("ledger_writing"):  # type: ignore[attr-defined]
            then(connection)

    return commit


@contextmanager
def raw_server(play: Callable[[socket.socket], object]) -> Iterator[str]:
    """A server that does to each connection what no HTTP server would."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def accept() -> None:
        while not over.is_set():
            try:
                client, _address = listener.accept()
            except OSError:
                return
            with client:
                try:
                    client.recv(100_000)
                    play(client)
                except OSError:
                    pass

    thread = threading.Thread(target=accept)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    over.set()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def drip(parts: bytes) -> Callable[[socket.socket], object]:
    def play(client: socket.socket) -> None:
        client.sendall(parts)
        for _second in range(300):
            client.sendall(b"x")
            time.sleep(0.1)

    return play


def flood(client: socket.socket) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        client.sendall(b"x" * 65_536)


SLOW = {
    "silent": lambda client: client.recv(1),  # until the asker hangs up
    "headers_that_drip": drip(b"HTTP/1.1 200 OK\r\nX: "),
    "body_that_drips": drip(b"HTTP/1.1 200 OK\r\n\r\n"),
    "endless_body": flood,
    "hangs_up": lambda _client: None,
    "no_http": lambda client: client.sendall(b"hello\r\n\r\n"),
}


@pytest.mark.parametrize("manner", SLOW)
def test_no_answer_holds_publication_up_for_longer_than_the_time_given(light: Log, manner: str) -> None:
    key = WitnessSigner("slow.example", b"s" * 32).witness_key
    with raw_server(SLOW[manner]) as url, puppet(1) as good:
        line = f"witness slow {key} {url}\n"
        text = f"{line}{good.line('good')}group g any slow good\nquorum g\n"
        publisher = light.publisher(text, seconds=0.5)
        light.grow()
        began = time.monotonic()
        publisher.tick()
        taken = time.monotonic() - began
        assert light.published_size() == size(light)
        assert light.witnessed(publisher) == size(light), "the others' answers count all the same"
    assert taken < 5


def forged(signer: WitnessSigner) -> dict[str, Callable[[bytes], Answer]]:
    """What a lying witness may send in place of its cosignature."""
    other = WitnessSigner("stranger.example", bytes(32))

    def note_text(body: bytes) -> str:
        return parse_request(body).note.partition("\n\n")[0] + "\n"

    def ok(line: Callable[[str], str]) -> Callable[[bytes], Answer]:
        return lambda body: (200, {}, line(note_text(body)).encode())

    return {
        "nothing": always(200),
        "no_line": always(200, b"yes\n"),
        "of_another_text": ok(lambda text: signer.sign(text.replace("\n", "x\n", 1), 1)),
        "of_another_key": ok(lambda text: other.sign(text, 1)),
        "under_the_name_of_the_log": ok(lambda text: WitnessSigner(text.split("\n")[0], b"l" * 32).sign(text, 1)),
        "a_plain_signature": ok(lambda text: NoteSigner(signer.witness_key.name, b"\1" * 32).sign(text)),
        "flipped": ok(lambda text: signer.sign(text, 1)[:-6] + "AAA=\n"),
        "twice_over": ok(lambda text: signer.sign(text, 1) + signer.sign(text, 2)),
        "with_more_text": ok(lambda text: "more\n\n" + signer.sign(text + "\nmore\n", 1)),
        "from_the_future": ok(lambda text: signer.sign(text, 2**62)),
        "not_utf8": always(200, b"\xff\n"),
        "too_long": ok(lambda text: signer.sign(text, 1) + "x" * MAX_ANSWER),
        "no_content": always(204),
        "elsewhere": always(307, location="/add-checkpoint"),
        "conflict_without_a_size": conflict(b"soon\n"),
        "conflict_of_another_type": always(409, b"1\n"),
        "conflict_with_what_was_asked": lambda body: (
            409,
            {"Content-Type": SIZE_TYPE},
            f"{parse_request(body).old}\n".encode(),
        ),
        "conflict_for_ever": lambda body: (
            409,
            {"Content-Type": SIZE_TYPE},
            f"{parse_request(body).old % 3 + 1}\n".encode(),
        ),
        "unprocessable": always(422, b"the proof is wrong\n"),
    }


@pytest.mark.parametrize("lie", forged(WitnessSigner("w", bytes(32))))
def test_a_witness_that_lies_changes_nothing(light: Log, lie: str) -> None:
    with puppet(1) as liar, puppet(2) as good:
        liar.play = forged(liar.signer)[lie]
        text = f"{liar.line('liar')}{good.line('good')}group g all liar good\nquorum g\n"
        publisher = light.publisher(text)
        light.grow(5)
        publisher.tick()
        assert len(liar.asked) <= 3
        assert light.witnessed(publisher) is None
        with snapshot(light.engine) as connection:
            assert witnesses_of(connection, size(light)) == {str(good.signer.witness_key)}
            audit(connection, light.signer.log_key, light.folder)
        evaluation = publisher._witnesses.policy.evaluate(light.published())
        assert [one.name for one in evaluation.cosignatures] == ["good"]
        light.clock.advance(60)
        liar.play = agree(liar.signer)
        publisher.tick()
        assert light.witnessed(publisher) == size(light), "it was not poisoned"


def test_a_redirect_is_not_followed(light: Log) -> None:
    with puppet(1) as target, puppet(2) as one:
        one.play = always(308, location=f"{target.url}/add-checkpoint")
        light.grow()
        light.publisher(one.line("w") + "quorum w\n").tick()
        assert len(one.asked) == 1
        assert target.asked == []


def test_a_proxy_of_the_environment_is_not_used(light: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    with puppet(1) as proxy, puppet(2) as one:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        light.publisher(one.line("w") + "quorum w\n").tick()
        assert (len(proxy.asked), len(one.asked)) == (0, 1)


def test_a_log_restored_from_an_older_copy_signs_nothing_more(light: Log, tmp_path: Path) -> None:
    """Database and folder are lost together: the witness alone remembers, and the log asks it before it signs."""
    database = Path(str(light.engine.url.database))
    with served_witness(tmp_path / "w", [light.signer.log_key], "w.example", lambda: 1) as witness:
        text = witness.line("w") + "quorum w\n"
        light.grow(2)
        light.publisher(text).tick()
        copies = restore_point(database, light)
        light.grow(5)
        light.clock.advance(60)
        light.publisher(text).tick()
        copies()
        light.grow(1)
        light.clock.advance(60)
        restored = light.publisher(text)
        before = light.published()
        for _tick in range(2):
            with pytest.raises(LogBehindError, match="w says that it cosigned"):
                restored.tick()
        assert light.published() == before
        with snapshot(light.engine) as connection:
            latest = latest_checkpoint(connection)
        assert latest is not None
        assert latest.size == light.published_size() == size(light) - 1, "no checkpoint was signed on top"


def restore_point(database: Path, log: Log) -> Callable[[], None]:
    """Remember database and published checkpoint as they are; the function returned puts them back."""
    with log.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    kept, checkpoint = database.read_bytes(), log.published()

    def restore() -> None:
        log.engine.dispose()
        for name in ("-wal", "-shm"):
            database.with_name(database.name + name).unlink(missing_ok=True)
        database.write_bytes(kept)
        (log.folder / "checkpoint").write_text(checkpoint, "utf-8")

    return restore


def test_a_claim_of_more_than_the_database_has_stops_signing_until_it_is_gone(light: Log) -> None:
    with puppet(1) as one:
        publisher = light.publisher(one.line("w") + "quorum w\n")
        one.play = conflict(b"1000000\n")
        light.grow()
        publisher.tick()
        light.grow()
        for _tick in range(2):
            with pytest.raises(LogBehindError):
                publisher.tick()
        light.grow(3)  # appending goes on
        one.play = always(503)
        light.clock.advance(61)
        with pytest.raises(LogBehindError):
            publisher.tick()
        one.play = agree(one.signer)
        light.clock.advance(61)
        publisher.tick()
        assert light.witnessed(publisher) == light.published_size() == size(light)


def test_a_publisher_that_was_overtaken_is_not_behind(light: Log, tmp_path: Path) -> None:
    """Another process published and had it cosigned meanwhile: its size is in the database."""
    with served_witness(tmp_path / "w", [light.signer.log_key], "w.example", lambda: 1) as witness:
        text = witness.line("w") + "quorum w\n"
        first, second = light.publisher(text), light.publisher(text, holder="second")
        light.grow(3)
        first.tick()
        with snapshot(light.engine) as connection:
            old = latest_checkpoint(connection)
        assert old is not None
        first.stop()
        light.grow(4)
        second.tick()
        first._witnesses.collect(old)
        first._witnesses.compare()
        second.stop()
        light.clock.advance(60)
        light.grow()
        first.tick()
        assert light.witnessed(first) == size(light)


def test_a_cosignature_is_kept_once_and_only_for_its_own_checkpoint(log: Log) -> None:
    signer = WitnessSigner("w.example", b"w" * 32)
    policy = WitnessPolicy.parse(f"witness w {signer.witness_key}\nquorum w\n".encode()).for_log(log.signer.log_key)
    for _round in range(2):
        log.grow()
        log.publisher("quorum none\n").tick()
    with snapshot(log.engine) as connection:
        new, old = checkpoint_at(connection, size(log)), checkpoint_at(connection, size(log) - 1)
    assert new is not None
    assert old is not None
    line = signer.sign(new.note.partition("\n\n")[0] + "\n", 1)
    later = signer.sign(new.note.partition("\n\n")[0] + "\n", 2)
    with pytest.raises(Exception, match="does not verify"), begin(log.engine) as connection:
        store_cosignatures(connection, old, {signer.witness_key: line}, policy)
    for given in (line, later):
        with begin(log.engine) as connection:
            assert store_cosignatures(connection, new, {signer.witness_key: given}, policy).satisfied
    with snapshot(log.engine) as connection:
        again = checkpoint_at(connection, new.size)
        assert again is not None
        assert again.lines == (line,)
        assert witnessed_size(connection, policy) == new.size
    with begin(log.engine) as connection:
        store_cosignatures(
            connection, old, {signer.witness_key: signer.sign(old.note.partition("\n\n")[0] + "\n", 1)}, policy
        )
    with snapshot(log.engine) as connection:
        assert witnessed_size(connection, policy) == new.size, "a late one takes nothing back"
        stricter = WitnessPolicy.parse(policy.document() + b"# the same\n")
        assert witnessed_size(connection, stricter) == new.size
        assert witnessed_size(connection, WitnessPolicy.parse(b"quorum none\n")) is None


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ("UPDATE ledger_cosignature SET line = replace(line, 'A', 'B')", "cosignature of size"),
        ("UPDATE ledger_cosignature SET time = time + 1", "cosignature of size"),
        ("UPDATE ledger_cosignature SET line = line || line", "cosignature of size"),
        ("DELETE FROM ledger_cosignature", "checkpoint"),
    ],
)
def test_the_audit_names_a_changed_cosignature(light: Log, change: str, place: str) -> None:
    with puppet(1) as one:
        light.grow()
        light.publisher(one.line("w") + "quorum w\n").tick()
    with begin(light.engine) as connection:
        connection.execute(text(change))
    folder = light.folder if place == "checkpoint" else None
    with snapshot(light.engine) as connection, pytest.raises(AuditError) as caught:
        audit(connection, light.signer.log_key, folder)
    assert place in caught.value.where


def key_line(name: str, url: str = "") -> str:
    return f"witness w {WitnessSigner(name, b'k' * 32).witness_key} {url}\n"


UNFIT = {
    "not_a_policy": "quorum\n",
    "of_another_log": f"log {LogKey('other.example', bytes(32))}\nquorum none\n",
    "file_url": key_line("w.example", "file:///etc/passwd") + "quorum w\n",
    "no_host": key_line("w.example", "https:///x") + "quorum w\n",
    "user_in_url": key_line("w.example", "https://user:secret@w.example") + "quorum w\n",
    "query_in_url": key_line("w.example", "https://w.example/?x=1") + "quorum w\n",
    "no_url_at_all": key_line("w.example", "w.example") + "quorum w\n",
    "own_witness_alone": key_line("log.example/2026/w") + "quorum w\n",
}


@pytest.mark.parametrize("defect", UNFIT)
def test_an_unfit_policy_stops_the_start_and_names_its_file(tmp_path: Path, defect: str) -> None:
    path = tmp_path / "witnesses"
    path.write_text(UNFIT[defect])
    with pytest.raises(SetupError, match="witness policy") as caught:
        load_policy(path, LogKey("log.example/2026", bytes(range(32))))
    assert caught.value.where == str(path)
    assert "secret" not in str(caught.value)


def test_a_policy_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="No such file"):
        load_policy(tmp_path / "nothing", LogKey("log.example/2026", bytes(32)))
    with pytest.raises(SetupError, match="No such file"):
        open_services(tmp_path / "data", f"sqlite:///{tmp_path / 'x'}", witness_policy=tmp_path / "nothing")


def test_the_operator_s_own_witness_is_published_and_does_not_count(light: Log, tmp_path: Path) -> None:
    name = f"{light.signer.name}/witness"
    with served_witness(tmp_path / "w", [light.signer.log_key], name, lambda: 1) as own, puppet(1) as other:
        text = f"{own.line('own')}{other.line('other')}group g any own other\nquorum g\n"
        other.play = always(503)
        publisher = light.publisher(text)
        light.grow()
        publisher.tick()
        evaluation = publisher._witnesses.policy.evaluate(light.published())
        assert (evaluation.satisfied, light.witnessed(publisher)) == (False, None)
        assert [str(one).split(" by ")[0] for one in evaluation.cosignatures] == ["self-witnessed"]


def test_the_interface_shows_the_cosigned_checkpoint(sqlite_exchange: Exchange, tmp_path: Path) -> None:
    salt(sqlite_exchange.member("maker"))
    installation = sqlite_exchange.services.installation
    with puppet(1) as one:
        log = Log(installation.engine, installation.note_signer, installation.published)
        publisher = log.publisher(one.line("w") + "quorum w\n")
        publisher.tick()
    for path in ("/api/v1/checkpoint", "/ledger/checkpoint"):
        answer = sqlite_exchange.http.get(path)
        assert publisher._witnesses.policy.evaluate(answer.content).satisfied
    proof = sqlite_exchange.http.get("/api/v1/proofs/inclusion?index=0").text
    assert proof.endswith(log.published())


def test_the_commands_say_who_witnesses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the policy that `ledger policy` prints to evidence that others verify under it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PACKTRACE_PASSPHRASE", "correct horse battery staple")
    exchange = Exchange.open(tmp_path / "data", f"sqlite:///{tmp_path / 'data' / 'exchange.sqlite'}")
    exchange.close()
    assert run_policy(tmp_path / "data", as_json=False) == 0
    printed = capsys.readouterr().out
    key = exchange.services.installation.note_signer.log_key
    assert printed == f"log {key}\nquorum none\n"
    assert run_audit(tmp_path / "data", as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["witnessing"].startswith("no witness is required")
    own = WitnessSigner(f"{key.name}/w", b"o" * 32)
    with puppet(1) as one:
        text = f"{one.line('w')}witness own {own.witness_key}\nquorum w\n"
        (tmp_path / "witnesses").write_text(text)
        monkeypatch.setenv("PACKTRACE_WITNESS_POLICY", str(tmp_path / "witnesses"))
        assert run_policy(tmp_path / "data", as_json=False) == 0
        printed = capsys.readouterr().out
        assert printed == f"# own: self-witnessed, never counts\nlog {key}\n{text}"
        assert run_policy(tmp_path / "data", as_json=True) == 0
        assert json.loads(capsys.readouterr().out)["self_witnessed"] == ["own"]
        with serving(Settings(data=tmp_path / "data", port=0)) as running:
            services = running.services
            _published(services.publisher)
            with snapshot(services.installation.engine) as connection:
                latest = latest_checkpoint(connection)
        assert latest is not None
        assert WitnessPolicy.parse(printed.encode()).evaluate(latest.cosigned).satisfied
    assert run_audit(tmp_path / "data", as_json=False) == 0
    assert "witnessed up to size" in capsys.readouterr().out


def _published(publisher: Publisher) -> None:
    """A tick beside those of the server's own clock, which may hold the folder just now."""
    for _ in range(200):
        try:
            publisher.tick()
        except PublicationBusyError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the folder was never free")


def test_what_a_witness_says_stays_one_line_of_the_log(light: Log, caplog: pytest.LogCaptureFixture) -> None:
    with puppet(1, always(500, b"busy\n2026-01-01 all is well\x1b[2J\r")) as one:
        light.publisher(one.line("w") + "quorum w\n").tick()
    (record,) = [one for one in caplog.records if one.name == "packtrace.witnesses"]
    assert record.getMessage() == "not cosigned by witness w: it answered 500: busy?2026-01-01 all is well?[2J"


def test_a_changed_policy_counts_what_is_kept_already(light: Log) -> None:
    with puppet(1) as one, puppet(2) as two:
        lines = one.line("one") + two.line("two")
        light.grow()
        light.publisher(lines + "quorum one\n").tick()
    changed = light.publisher(lines + "group both all one two\nquorum both\n")
    changed.tick()
    assert light.witnessed(changed) == size(light), "though neither answers any more"


@pytest.mark.long
def test_a_witness_process_that_is_killed_and_comes_back_follows_one_history(light: Log, tmp_path: Path) -> None:
    folder, keys = tmp_path / "w", [light.signer.log_key]
    ended = threading.Event()
    light.clock.now = datetime.now(UTC)
    with witness_process(folder, keys, "w.example") as first:
        port = int(first.url.rpartition(":")[2])
        publisher = light.publisher(first.line("w") + "quorum w\n")

        def work() -> None:
            while not ended.is_set():
                light.grow(3)
                light.clock.advance(61)  # nothing is left alone
                publisher.tick()

        def cosigned(above: int) -> int:
            """Wait until a checkpoint of more than `above` entries is cosigned; its size."""
            for _ in range(1_200):
                if (found := light.witnessed(publisher) or 0) > above:
                    return found
                time.sleep(0.05)
            raise AssertionError(f"nothing above {above} was cosigned")

        worker = threading.Thread(target=work)
        worker.start()
        before = cosigned(cosigned(0))
        first.end(signal.SIGKILL)
        with witness_process(folder, keys, port=port):
            cosigned(cosigned(before))
            ended.set()
            worker.join()
            light.grow()
            light.clock.advance(61)
            publisher.tick()
    assert light.witnessed(publisher) == size(light) == light.published_size()
    with snapshot(light.engine) as connection:
        assert audit(connection, light.signer.log_key, light.folder).cosignatures > 2
