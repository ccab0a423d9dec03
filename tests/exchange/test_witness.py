"""A witness as a process: its answers, its memory through races and crashes, and the folder that it must not lose."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
import uvicorn
from fastapi.testclient import TestClient
from sqlalchemy import Connection, event
from sqlalchemy.exc import OperationalError

from exchange.cli.witness import run_witness
from exchange.errors import SetupError
from exchange.witness import Witness, create_witness_app, open_witness
from ledger import (
    MAX_REQUEST,
    SIZE_TYPE,
    Checkpoint,
    NoteSigner,
    consistency_proof,
    format_request,
    leaf_hash,
    nodes_of,
    read_cosignature,
    root,
    sign_checkpoint,
)
from signer import SignerError
from tests.witnesses import RunningWitness, witness_process

NAME = "witness.example/w1"
LOG = NoteSigner("log.example/2026", bytes(range(32)))
OTHER = NoteSigner("other.example/2026", bytes(range(1, 33)))
LEAVES = [leaf_hash(bytes([n])) for n in range(200)]
FORK = [*LEAVES[:3], *reversed(LEAVES[3:])]
TIME = 1_800_000_000


def checkpoint(size: int, leaves: list[bytes] = LEAVES, log: NoteSigner = LOG) -> Checkpoint:
    return Checkpoint(log.name, size, root(leaves[:size]))


def body(old: int, new: int, leaves: list[bytes] = LEAVES, log: NoteSigner = LOG) -> bytes:
    proof = consistency_proof(nodes_of(leaves), old, new) if 0 < old <= new else []
    return format_request(old, proof, sign_checkpoint(checkpoint(new, leaves, log), log))


def opened(folder: Path, name: str | None = NAME) -> Witness:
    return open_witness(
        folder, [LOG.log_key], name=name, passphrase="a witness's", clock=lambda: TIME, random=random.randbytes
    )


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWitness]:
    """A witness process of two logs; each test uses a log of its own or asks for nothing that is cosigned."""
    folder = tmp_path_factory.mktemp("running") / "witness"
    with witness_process(folder, [LOG.log_key, OTHER.log_key], NAME) as found:
        yield found


def test_a_log_s_checkpoints_are_cosigned_one_after_the_other(running: RunningWitness) -> None:
    before = int(time.time())
    for old, new in ((0, 0), (0, 5), (5, 5), (5, 130)):
        answer = running.post(body(old, new))
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
        line, found = read_cosignature(answer.content, checkpoint(new).text, running.key)
        assert line == answer.text
        assert before <= found.time <= time.time()
    conflict = running.post(body(5, 200))
    assert (conflict.status_code, conflict.content) == (409, b"130\n")
    assert conflict.headers["content-type"] == SIZE_TYPE
    unproven = running.post(format_request(130, [], sign_checkpoint(checkpoint(200), LOG)))
    fork = running.post(body(130, 130, FORK))
    assert (unproven.status_code, fork.status_code) == (422, 422)
    assert running.post(body(130, 130)).status_code == 200, "what was refused changed nothing"


REFUSED: dict[str, tuple[bytes, int]] = {
    "unknown_origin": (body(0, 1, log=NoteSigner("unknown.example", bytes(32))), 404),
    "untrusted_key": (body(0, 1, log=NoteSigner(OTHER.name, bytes(32))), 403),
    "bad_signature": (body(0, 1, log=OTHER).replace(b"\n1\n", b"\n2\n"), 403),
    "old_above_new": (format_request(2, [], sign_checkpoint(checkpoint(1, log=OTHER), OTHER)), 400),
    "malformed": (b"old 0\n", 400),
    "empty": (b"", 400),
    "wrong_old_size": (body(1, 2, log=OTHER), 409),
    "proof_from_zero": (format_request(0, [LEAVES[0]], sign_checkpoint(checkpoint(1, log=OTHER), OTHER)), 422),
    "too_long": (b"x" * (MAX_REQUEST + 1), 413),
}


@pytest.mark.parametrize("defect", REFUSED)
def test_status_of_a_refusal(running: RunningWitness, defect: str) -> None:
    data, status = REFUSED[defect]
    answer = running.post(data)
    assert answer.status_code == status
    assert "—" not in answer.text, "no signature goes out with a refusal"


@pytest.mark.long
def test_of_racing_requests_one_is_cosigned_and_none_rolls_the_log_back(tmp_path: Path) -> None:
    """Two processes on one memory, sixteen clients, each round all from the same size to different ones."""
    folder = tmp_path / "witness"
    with (
        witness_process(folder, [LOG.log_key], NAME) as first,
        witness_process(folder, [LOG.log_key]) as second,
        ThreadPoolExecutor(16) as pool,
    ):
        assert first.key == second.key
        last = 0
        for _round in range(4):
            asked = [(last, last + 1 + n) for n in range(16)]
            bodies = [body(*sizes) for sizes in asked]
            answers = list(pool.map(RunningWitness.post, [first, second] * 8, bodies))
            cosigned = [new for (_, new), answer in zip(asked, answers, strict=True) if answer.status_code == 200]
            assert len(cosigned) == 1
            last = cosigned[0]
            assert {answer.content for answer in answers if answer.status_code == 409} == {f"{last}\n".encode()}
        assert second.post(body(0, 199)).content == f"{last}\n".encode()


KILL_BEFORE_THE_SECOND_SIGNATURE = """
import os
from ledger import WitnessSigner
sign, signed = WitnessSigner.sign, []
def once(*arguments):
    if signed:
        os.kill(os.getpid(), 9)
    signed.append(arguments)
    return sign(*arguments)
WitnessSigner.sign = once
"""


@pytest.mark.long
def test_killed_between_memory_and_answer_it_remembers(tmp_path: Path) -> None:
    folder = tmp_path / "witness"
    with witness_process(folder, [LOG.log_key], NAME, before=KILL_BEFORE_THE_SECOND_SIGNATURE) as found:
        assert found.post(body(0, 10)).status_code == 200
        with pytest.raises(Exception, match="disconnected"):
            found.post(body(10, 20))
        assert found.process.wait(10) == -signal.SIGKILL
    with witness_process(folder, [LOG.log_key]) as found:
        assert found.post(body(10, 20, FORK)).content == b"20\n"
        assert found.post(body(10, 20)).content == b"20\n"
        assert found.post(body(20, 20, FORK)).status_code == 422
        assert found.post(body(20, 20)).status_code == 200
        assert found.end() == 0


@pytest.mark.parametrize("is_stored", [False, True], ids=["not_stored", "stored_but_reported_failed"])
def test_a_memory_that_fails_gives_no_signature(tmp_path: Path, *, is_stored: bool) -> None:
    witness = opened(tmp_path / "witness")
    client = TestClient(create_witness_app(witness))
    assert client.post("/add-checkpoint", content=body(0, 10)).status_code == 200
    engine = witness.memory._engine

    def fail(connection: Connection) -> None:
        if is_stored:
            connection.connection.driver_connection.execute("COMMIT")  # type: ignore[union-attr]
        raise OperationalError("COMMIT", {}, OSError(5, "Input/output error"))

    event.listen(engine, "commit", fail)
    answer = client.post("/add-checkpoint", content=body(10, 20))
    event.remove(engine, "commit", fail)
    assert (answer.status_code, "—" in answer.text) == (500, False)
    assert client.post("/add-checkpoint", content=body(10, 10)).status_code == 500, "what the disk dropped is unknown"
    engine.dispose()
    again = TestClient(create_witness_app(opened(tmp_path / "witness", None)))
    assert again.post("/add-checkpoint", content=body(10, 30)).status_code == (409 if is_stored else 200)


def test_a_memory_held_by_another_process_is_only_busy(tmp_path: Path) -> None:
    witness = opened(tmp_path / "witness")
    client = TestClient(create_witness_app(witness))
    with witness.memory._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 50")
    with opened(tmp_path / "witness").memory._engine.connect() as other:
        other.exec_driver_sql("ROLLBACK")
        other.exec_driver_sql("BEGIN IMMEDIATE")
        assert client.post("/add-checkpoint", content=body(0, 10)).status_code == 503
        other.exec_driver_sql("ROLLBACK")
        assert client.post("/add-checkpoint", content=body(0, 10)).status_code == 200


@pytest.mark.parametrize("status", [422, 500])
def test_what_somebody_should_look_at_names_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    witness = opened(tmp_path / "witness")
    client = TestClient(create_witness_app(witness))
    assert client.post("/add-checkpoint", content=body(0, 10)).status_code == 200
    if status == 500:
        witness.memory._broken = True
    assert client.post("/add-checkpoint", content=body(10, 20, FORK)).status_code == status
    assert f"not cosigned for the log {LOG.name}: " in caplog.text


def test_only_the_one_path_is_served(tmp_path: Path) -> None:
    client = TestClient(create_witness_app(opened(tmp_path / "witness")))
    assert client.post("/add-checkpoint%0a", content=body(0, 10)).status_code == 404


def test_headers_without_end_are_refused(running: RunningWitness) -> None:
    address = httpx2.URL(running.url)
    with socket.create_connection((address.host, address.port)) as client:
        client.settimeout(10)
        client.sendall(b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\n")
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _line in range(80):
                client.sendall(b"X-Header: " + b"x" * 1000 + b"\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 400 ")
    assert running.post(body(0, 0, log=OTHER)).status_code == 200, "the others are served"


def test_a_body_that_drips_is_not_waited_for(tmp_path: Path) -> None:
    app = create_witness_app(opened(tmp_path / "witness"), read_seconds=0.3)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    with socket.create_connection(listener.getsockname()) as client:
        client.settimeout(10)
        client.sendall(b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nold ")
        assert client.recv(100).startswith(b"HTTP/1.1 408 ")
    server.should_exit = True
    thread.join()
    listener.close()


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


@pytest.mark.parametrize(
    ("harm", "error"),
    [
        (remove("state.sqlite"), SetupError),
        (remove("key"), SetupError),
        (lambda folder: (folder / "vkey").write_text("nothing"), SetupError),
        (lambda folder: (folder / "key").chmod(0o644), SignerError),
    ],
    ids=["memory_lost", "key_lost", "vkey_spoilt", "key_for_all_to_read"],
)
def test_a_harmed_folder_is_not_opened(tmp_path: Path, harm: Callable[[Path], None], error: type[Exception]) -> None:
    folder = tmp_path / "witness"
    opened(folder).memory._engine.dispose()
    harm(folder)
    with pytest.raises(error):
        opened(folder)


@pytest.mark.parametrize("name", ["", "bad name", "a+b"])
def test_a_name_that_no_witness_can_have_leaves_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    policy = tmp_path / "policy"
    policy.write_text(f"log {LOG.log_key}\nquorum none\n")
    assert run_witness(tmp_path / "witness", policy, name, "127.0.0.1", 0) == 2
    assert "(at --name)" in capsys.readouterr().err
    assert not (tmp_path / "witness").exists()


@pytest.mark.parametrize("text", ["nonsense\n", "", "quorum none\n", "\udcff"])
def test_a_policy_without_logs_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    policy = tmp_path / "policy"
    policy.write_bytes(text.encode(errors="surrogateescape"))
    assert run_witness(tmp_path / "witness", policy, NAME, "127.0.0.1", 0) == 2
    assert f"(at {policy})" in capsys.readouterr().err
    assert not (tmp_path / "witness").exists()


def test_a_folder_is_one_witness_s(tmp_path: Path) -> None:
    folder = tmp_path / "witness"
    with pytest.raises(SetupError, match="name"):
        opened(folder, None)
    first = opened(folder)
    assert opened(folder, None).signer.witness_key == first.signer.witness_key
    with pytest.raises(SetupError, match=NAME):
        opened(folder, "another.example")
    opened(tmp_path / "second")
    os.replace(tmp_path / "second" / "key", folder / "key")  # noqa: PTH105
    with pytest.raises(SetupError, match="not this witness's"):
        opened(folder)
