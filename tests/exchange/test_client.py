"""The client: what an exchange refuses, and what happens when nobody or somebody else answers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from exchange.client import AnswerError, Client, UnreachableError
from exchange.kinds import ACTIVITY_DATA
from exchange.server import bind, make_server
from exchange.settings import Settings
from signer import KeyPair, proof_of_possession
from tests.flow.world import Exchange, activity


@pytest.fixture
def client(sqlite_exchange: Exchange) -> Iterator[Client]:
    """A client of the exchange, served on a port."""
    listener = bind("127.0.0.1", 0, or_free=False)
    settings = Settings(data=sqlite_exchange.services.installation.folder, checkpoint_seconds=0.1)
    server, running = make_server(sqlite_exchange.services, settings, listener)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        assert thread.is_alive()
        thread.join(0.02)
    with Client(running.address, sqlite_exchange.services.installation.token) as opened:
        yield opened
    server.should_exit = True
    thread.join(10)
    listener.close()


def test_the_whole_way_by_the_client(sqlite_exchange: Exchange, client: Client, tmp_path: Path) -> None:
    """Enrol, submit twice, grant, compute, fetch evidence (which waits for the checkpoint)."""
    uri, reader = "https://maker.example", "https://reader.example"
    key = KeyPair.generate("ES256")
    possession = proof_of_possession(key, client.log()["origin"], uri)
    answers = [client.enrol(uri, "Maker", key.csr(uri), possession, ["supplier"]) for _time in range(2)]
    assert [answer.existed for answer in answers] == [False, True]
    assert (answers[1].had_keys, answers[1].had_roles) == ((key.thumbprint,), ("supplier",))
    maker = sqlite_exchange.member("other")
    maker.uri, maker.key = uri, key.with_certificate(answers[0].certificate)
    issued = maker.sign(ACTIVITY_DATA, activity(maker.product("salt")))
    receipts = [client.submit(issued.token, issued.disclosures) for _time in range(2)]
    assert [receipt.existed for receipt in receipts] == [False, True]
    assert receipts[0].citation == receipts[1].citation
    sqlite_exchange.member("reader")
    granted = client.grant(uri, reader, ["full"], "customer", leaf_hash=receipts[0].leaf_hash)
    digest, found = client.footprint(maker.product("salt"), "everbatt-2023-cradle-to-gate", reader)
    assert found["complete"] is True
    client.evidence(reader, [digest], tmp_path / "evidence")
    assert (tmp_path / "evidence").read_bytes().startswith(b"PK")
    assert not [*tmp_path.glob(".evidence*")]
    token, disclosures = client.statement(receipts[0].leaf_hash, reader)
    assert (token, set(disclosures)) == (issued.token, set(issued.disclosures))
    assert (
        [one["id"] for one in client.grants("given")]
        == [granted["id"]]
        == [one["id"] for one in client.grants("received")]
    )
    assert {one["act"] for one in client.access_log()} == {"result", "export", "read"}
    assert client.preview_grant(uri, reader, ["full"], "customer", leaf_hash=receipts[0].leaf_hash)["copies"]
    assert [one["act"] for one in client.withdraw_grant(granted["id"])["copies"]] == ["export", "read", "result"]


def test_a_refusal_carries_the_problem(client: Client) -> None:
    with pytest.raises(AnswerError) as caught:
        client.footprint("urn:x", "no-such-rules", "urn:y")
    error = caught.value
    assert (error.status, error.problem["code"]) == (400, "rule_set")
    assert error.what == error.problem["detail"]
    assert (error.where, error.remedy) == (error.problem["where"], error.problem["remedy"])


def test_evidence_of_an_unknown_result_is_refused_without_waiting(client: Client, tmp_path: Path) -> None:
    with pytest.raises(AnswerError) as caught:
        client.evidence("urn:x", ["00" * 32], tmp_path / "evidence")
    assert caught.value.status == 404
    assert not [*tmp_path.glob("*evidence*")]


def test_nobody_at_the_address() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with Client(f"http://127.0.0.1:{port}", "secret-token") as client, pytest.raises(UnreachableError) as caught:
        client.log()
    assert str(port) in caught.value.where
    assert "secret-token" not in str(caught.value)


@pytest.mark.parametrize("address", ["127.0.0.1:8551", "ftp://127.0.0.1", "http://127.0.0.1:port", ""])
def test_an_address_that_is_none(address: str) -> None:
    # Some are refused when the client is made, others when it asks.
    with pytest.raises(UnreachableError), Client(address, "token") as client:
        client.log()


@pytest.fixture
def stranger(request: pytest.FixtureRequest) -> Iterator[str]:
    """Another program's server that answers all with this status and body."""
    status, body = request.param

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("stranger", [(200, b"<html>"), (200, b"")], indirect=True)
def test_an_answer_that_is_not_json(stranger: str) -> None:
    with Client(stranger, "token") as client, pytest.raises(UnreachableError, match="not JSON"):
        client.log()


@pytest.mark.parametrize("stranger", [(500, b"<html>"), (503, b"[]"), (404, b"")], indirect=True)
def test_a_refusal_that_is_not_a_problem(stranger: str) -> None:
    with Client(stranger, "token") as client, pytest.raises(AnswerError, match="HTTP status"):
        client.log()
