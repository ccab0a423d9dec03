"""The audit command against copies, kept checkpoints and a log elsewhere; and what reads a log elsewhere, whoever answers."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest

from exchange import client, log_client
from exchange.cli.audit import AuditOrder, run_audit, run_publish
from exchange.cli.ledger import Source, run_consistency, run_proof
from exchange.cli.recovery import run_backup, run_restore, run_retire, run_rotate, run_succeed
from exchange.cli.server_commands import run_serve
from exchange.errors import ExchangeError, UsageError
from exchange.log_client import fetching
from exchange.server import serving
from exchange.settings import Settings
from ledger import Checkpoint, leaf_hash, sign_checkpoint
from tests.flow.world import PASSPHRASE, Clock, Exchange, salt


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of an exchange in a folder without packtrace.toml, and no variables of ours."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"PACKTRACE_{name.upper()}", raising=False)
    monkeypatch.setenv("PACKTRACE_PASSPHRASE", PASSPHRASE)
    return tmp_path / "data"


@pytest.fixture
def log(folder: Path) -> Iterator[Exchange]:
    """An exchange that has published two checkpoints, long ago; the first is kept as `kept`."""
    opened = Exchange.open(folder, f"sqlite:///{folder / 'exchange.sqlite'}", clock=Clock())
    opened.publish()
    shutil.copy(folder / "log/checkpoint", folder.parent / "kept")
    salt(opened.member("maker"))
    opened.publish()
    yield opened
    opened.close()


class Quiet(SimpleHTTPRequestHandler):
    """A static web server that writes no log."""

    def log_message(self, *_arguments: object) -> None:
        pass


@contextmanager
def answering(handler: Callable[..., BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address of a server of this handler."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def mirrored(folder: Path) -> Callable[..., BaseHTTPRequestHandler]:
    return partial(Quiet, directory=str(folder))


def found(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of a command that refused."""
    written = capsys.readouterr()
    assert written.out == ""
    (line,) = written.err.splitlines()
    return line


def test_a_copy_is_published_and_audited(log: Exchange, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = folder.parent / "copy"
    assert run_publish(folder, copy, as_json=True) == 0
    assert json.loads(capsys.readouterr().out) == {"folder": str(copy), "size": log.size}
    assert run_audit(folder, AuditOrder(folder=copy), as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["files"] == 4
    (copy / "tile/0/000.p").rename(copy / "tile/0/001.p")
    assert run_audit(folder, AuditOrder(folder=copy), as_json=False) == 1
    assert "tile/0/000.p" in found(capsys)
    assert run_audit(folder, as_json=False) == 0, "the data folder's own is as it was"


def test_a_lost_published_folder_fails_the_audit(
    log: Exchange, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(folder / "log")
    assert run_audit(folder, as_json=False) == 1
    assert f"folder of the published log is missing (at {folder / 'log'})" in found(capsys)
    log.publish()
    assert run_audit(folder, as_json=False) == 0


def test_a_copy_that_misses_a_file_is_made_whole_and_a_changed_one_named(
    log: Exchange, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = folder.parent / "copy"
    assert run_publish(folder, copy, as_json=False) == 0
    (bundle,) = copy.glob(f"tile/entries/000.p/{log.size}")
    kept = bundle.read_bytes()
    bundle.unlink()
    assert run_publish(folder, copy, as_json=False) == 0
    assert bundle.read_bytes() == kept
    capsys.readouterr()
    bundle.write_bytes(kept[:-1] + b"?")
    assert run_publish(folder, copy, as_json=False) == 1
    assert f"(at {bundle})" in found(capsys)


def test_a_lost_database_is_said_and_none_is_made(
    log: Exchange, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A copy could not be put back over it."""
    assert run_backup(folder, folder.parent / "backup", as_json=True) == 0
    log.close()
    for file in folder.glob("exchange.sqlite*"):
        file.unlink()
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    commands: list[Callable[[], int]] = [
        lambda: run_audit(folder, as_json=False),
        lambda: run_publish(folder, folder.parent / "copy", as_json=False),
        lambda: run_backup(folder, folder.parent / "another", as_json=False),
        lambda: run_proof(Source(None, None, folder), "0", None, None, as_json=False),
        lambda: run_consistency(Source(None, None, folder), 1, 2, as_json=False),
        lambda: run_rotate(folder),
        lambda: run_retire(folder),
        lambda: run_serve(folder, 0),
        lambda: run_succeed(folder, "another.example", None),
        lambda: run_succeed(folder, log.origin, "bad name"),
        lambda: run_succeed(folder, log.origin, ""),
    ]
    capsys.readouterr()
    for command in commands[:-3]:
        assert command() == 2
        line = found(capsys)
        assert f"the log's database is missing or empty (at {folder / 'exchange.sqlite'})" in line
        assert "`packtrace restore COPY`" in line
        assert "`packtrace ledger succeed ORIGIN`" in line
    assert [command() for command in commands[-3:]] == [2, 2, 2]
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert not (folder.parent / "copy").exists()
    assert run_restore(folder, folder.parent / "backup", as_json=True) == 0


def test_a_new_exchange_has_no_folder_to_miss(folder: Path) -> None:
    Exchange.open(folder, f"sqlite:///{folder / 'exchange.sqlite'}").close()
    assert run_audit(folder, as_json=True) == 0


def test_a_kept_checkpoint_is_a_prefix_or_a_finding(
    log: Exchange, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept, signer = folder.parent / "kept", log.services.installation.note_signer
    assert run_audit(folder, AuditOrder(checkpoint=kept), as_json=True) == 0
    capsys.readouterr()
    for size, finding in ((3, "fork: "), (99, "rollback: "), (0, "does not open")):
        tree = Checkpoint(signer.name, size, leaf_hash(b"")) if size else None
        kept.write_text(sign_checkpoint(tree, signer) if tree else "no note")
        assert run_audit(folder, AuditOrder(checkpoint=kept), as_json=False) == 1
        line = found(capsys)
        assert finding in line
        assert f"(at {kept})" in line


def test_a_mirror_is_consistent_or_a_finding(log: Exchange, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mirror = folder.parent / "mirror"
    shutil.copytree(folder / "log", mirror)
    with answering(mirrored(mirror)) as url:
        order = AuditOrder(url=url, checkpoint=folder.parent / "kept")
        assert run_audit(folder, order, as_json=True) == 0
        capsys.readouterr()
        shutil.copy(folder.parent / "kept", mirror / "checkpoint")
        assert run_audit(folder, AuditOrder(url=url), as_json=False) == 1
        assert "stall: " in found(capsys)
        assert run_audit(folder, AuditOrder(url=url, stall_seconds=1e9), as_json=True) == 0
        capsys.readouterr()
        assert run_audit(folder, AuditOrder(url=url, stall_seconds=1e9, stall_entries=0), as_json=False) == 1
        assert "stall: " in found(capsys)
        order = AuditOrder(url=url, checkpoint=folder / "log/checkpoint", stall_seconds=1e9)
        assert run_audit(folder, order, as_json=False) == 1
        line = found(capsys)
        assert "rollback: " in line
        assert url in line
        signer = log.services.installation.note_signer
        forked = Checkpoint(signer.name, 3, leaf_hash(b""))
        (mirror / "checkpoint").write_text(sign_checkpoint(forked, signer))
        assert run_audit(folder, AuditOrder(url=url), as_json=False) == 1
        assert "fork: " in found(capsys)


def test_an_auditor_without_the_database_uses_a_trust_file(
    log: Exchange, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trust, kept = folder / "trust", folder.parent / "kept"
    with answering(mirrored(folder / "log")) as url:
        for checkpoint, compared in ((kept, "the checkpoint of"), (None, "nothing")):
            order = AuditOrder(url=url, trust=trust, checkpoint=checkpoint)
            assert run_audit(folder.parent / "no data folder", order, as_json=True) == 0
            members = json.loads(capsys.readouterr().out)
            assert members["size"] == log.size
            assert compared in members["compared_with"]
        shutil.copy(folder / "log/checkpoint", folder.parent / "newer")
        shutil.copy(kept, folder / "log/checkpoint")
        order = AuditOrder(url=url, trust=trust, checkpoint=folder.parent / "newer")
        assert run_audit(None, order, as_json=False) == 1
        assert "rollback: " in found(capsys)
    assert run_audit(None, AuditOrder(trust=trust), as_json=False) == 2
    assert "--url" in found(capsys)


def test_a_running_exchange_is_audited_by_its_address(
    log: Exchange, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings.model_validate({"data": folder, "port": 0, "passphrase": PASSPHRASE})
    with serving(settings) as running:
        order = AuditOrder(url=f"{running.address}/ledger", checkpoint=folder.parent / "kept")
        assert run_audit(folder, order, as_json=True) == 0
        assert json.loads(capsys.readouterr().out)["size"] == log.size


def test_a_trust_file_is_enough_for_a_running_exchange(
    log: Exchange, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings.model_validate({"data": folder, "port": 0, "passphrase": PASSPHRASE})
    order = AuditOrder(trust=folder / "trust", checkpoint=folder.parent / "kept")
    (folder.parent / "auditor").mkdir()
    shutil.copy(folder / "token", folder.parent / "auditor")
    with serving(settings) as running:
        order = replace(order, url=f"{running.address}/ledger")
        assert run_audit(folder.parent / "auditor", order, as_json=True) == 0
        written = capsys.readouterr()
        assert json.loads(written.out)["size"] == log.size
        # The log's hashes are for everybody.
        assert run_audit(folder.parent / "nobody's", order, as_json=True) == 0
        without = capsys.readouterr()
    assert (folder / "token").read_text().strip() not in written.out + written.err + without.out + without.err


# -- whoever answers -------------------------------------------------------------------------------------------------


class Hostile(BaseHTTPRequestHandler):
    """Answers each path in its own bad way."""

    def do_GET(self) -> None:
        match self.path:
            case "/redirect":
                self.answer(302, b"", Location="/small")
            case "/missing":
                self.answer(404, b"nothing")
            case "/large":
                self.answer(200, bytes(1000))
            case "/refused":
                self.answer(403, b" " * 1_000_000)
            case "/drip":
                self.send_response(200)
                self.end_headers()
                self.drip()
            case _:
                self.answer(200, self.headers.get("Authorization", "none").encode())

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def drip(self) -> None:
        end = time.monotonic() + 5
        try:
            while time.monotonic() < end:
                self.wfile.write(b".")
                time.sleep(0.02)
        except OSError:
            pass

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.mark.parametrize(
    ("path", "what"),
    [("redirect", "status 302"), ("refused", "status 403"), ("drip", "not whole after")],
)
def test_a_bad_answer_is_refused(monkeypatch: pytest.MonkeyPatch, path: str, what: str) -> None:
    monkeypatch.setattr(log_client, "_LOG_SECONDS", 0.3)
    with answering(Hostile) as url, fetching(url) as fetch, pytest.raises(ExchangeError, match=what) as caught:
        fetch(path, 2_000_000)
    assert caught.value.where == f"{url}/{path}"


def test_what_is_too_long_is_cut_after_the_limit() -> None:
    with answering(Hostile) as url, fetching(url) as fetch:
        assert len(fetch("large", 999) or b"") == 1000
        assert fetch("large", 3) == bytes(4)


def test_nobody_is_unreachable(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("a token\n")
    with answering(Hostile) as url, fetching(url + "/", token) as fetch:
        assert fetch("small", 100) == b"Bearer a token"
        assert fetch("missing", 100) is None
    with fetching(url, tmp_path / "none") as fetch, pytest.raises(client.UnreachableError, match="no answer"):
        fetch("small", 100)


@pytest.mark.parametrize("url", ["file:///etc", "ftp://example.org", "example.org", "http://", "https://a?b=c", ""])
def test_only_an_address_of_http_is_asked(url: str) -> None:
    with pytest.raises(UsageError), fetching(url):
        pass


def test_the_token_stays_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str | None] = []

    def stream(http: httpx2.Client, _method: str, url: str) -> object:
        sent.append(http.headers.get("Authorization"))
        raise httpx2.ConnectError("stop")

    monkeypatch.setattr(httpx2.Client, "stream", stream)
    token = tmp_path / "token"
    token.write_text("a token")
    for url in ("http://127.0.0.1:1/ledger", "https://localhost.example/log", "https://127.0.0.1.example"):
        with fetching(url, token) as fetch, pytest.raises(client.UnreachableError):
            fetch("checkpoint", 100)
    assert sent == ["Bearer a token", None, None]
