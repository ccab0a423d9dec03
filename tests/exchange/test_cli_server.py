"""The server's commands: one line and an exit code for whatever is wrong, and an end that leaves nothing behind."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from exchange.cli.audit import run_audit
from exchange.cli.calculate import run_draft
from exchange.cli.partner import Login, run_push
from exchange.cli.server_commands import run_demo, run_serve
from exchange.kinds import ACTIVITY_DATA
from exchange.server import serving
from exchange.settings import Settings
from signer import join_presentation
from tests.flow.process import started
from tests.flow.world import PASSPHRASE, Exchange, activity


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without packtrace.toml, and no variables of ours."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"PACKTRACE_{name.upper()}", raising=False)
    return tmp_path


def one_line(captured: pytest.CaptureFixture[str]) -> str:
    """What a failed command wrote: one line on standard error, with place and remedy, and nothing on standard output."""
    written = captured.readouterr()
    assert written.out == ""
    (line,) = written.err.splitlines()
    assert line.startswith("error: ")
    assert "(at " in line
    assert ";" in line
    return line


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "example.org"])  # noqa: S104
def test_any_address_but_loopback_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], host: str
) -> None:
    monkeypatch.setenv("PACKTRACE_HOST", host)
    assert run_serve(None, None) == 2
    line = one_line(capsys)
    assert host in line
    assert "PACKTRACE_HOST" in line
    assert not Path(".packtrace").exists()


def test_a_settings_file_that_is_not_toml(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (elsewhere / "packtrace.toml").write_text("port: 1")
    assert run_serve(None, None) == 2
    assert "packtrace.toml" in one_line(capsys)


def test_a_setting_that_does_not_exist(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (elsewhere / "packtrace.toml").write_text("prot = 1")
    assert run_serve(None, None) == 2
    assert "PROT" in one_line(capsys)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("PACKTRACE_PROT", "PACKTRACE_PORT"),
        ("packtrace_database", "PACKTRACE_DATABASE_URL"),
        ("PACKTRACE_PASSPHRASES", "PACKTRACE_PASSPHRASE"),
        ("PACKTRACE_", "PACKTRACE_"),
    ],
)
def test_a_variable_that_does_not_exist(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, near: str
) -> None:
    """A mistyped passphrase would found the exchange with keys under one that nobody chose."""
    monkeypatch.setenv(name, "hunter2")
    assert run_serve(None, None) == 2
    line = one_line(capsys)
    assert name.upper() in line
    assert f"nearest: {near}" in line
    assert "hunter2" not in line
    assert not Path(".packtrace").exists()


def unlock(folder: Path) -> None:
    (folder / "passphrase").write_text("wrong")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (unlock, "wrong passphrase"),
        (lambda folder: (folder / "passphrase").unlink(), "passphrase is missing"),
        (lambda folder: (folder / "keys" / "log").unlink(), "keys/log"),
        (lambda folder: (folder / "keys" / "log").chmod(0o644), "keys/log"),
        (lambda folder: (folder / "keys" / "authority.crt").unlink(), "keys/authority"),
        (lambda folder: (folder / "keys" / "root.crt").write_text(""), "keys/root.crt"),
        (lambda folder: shutil.copy(folder / "keys" / "root", folder / "keys" / "operator"), "operator"),
    ],
    ids=[
        "wrong passphrase",
        "no passphrase",
        "no key",
        "exposed key",
        "no certificate",
        "bad certificate",
        "other key",
    ],
)
def test_a_data_folder_that_is_damaged(
    sqlite_exchange: Exchange,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    damage: Callable[[Path], object],
    said: str,
) -> None:
    monkeypatch.setenv("PACKTRACE_DATABASE_URL", sqlite_exchange.url)
    folder = sqlite_exchange.services.installation.folder
    (folder / "passphrase").write_text(PASSPHRASE)
    (folder / "passphrase").chmod(0o600)
    damage(folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert run_serve(folder, 0) == 2
    assert said in one_line(capsys)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://user:hunter2@127.0.0.1:1/nowhere",
        "postgresql+psycopg://user:hunter2@127.0.0.1:port/nowhere",
        "mysql://user:hunter2@127.0.0.1/nowhere",
        "sqlite:////proc/nowhere/x.sqlite",
    ],
)
def test_a_database_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], elsewhere: Path, url: str
) -> None:
    monkeypatch.setenv("PACKTRACE_DATABASE_URL", url)
    assert run_serve(elsewhere / "data", 0) == 2
    line = one_line(capsys)
    assert ("/proc/nowhere" if url.startswith("sqlite") else "PACKTRACE_DATABASE_URL") in line
    assert "hunter2" not in line


def test_a_data_folder_that_is_a_file(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (elsewhere / "data").write_bytes(b"")
    assert run_demo(elsewhere / "data", 0, leave=True, as_json=True) == 2
    one_line(capsys)


def test_an_audit_without_a_data_folder(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_audit(elsewhere / "nothing", as_json=False) == 2
    one_line(capsys)


def push(file: Path, address: str, folder: Path, *, as_json: bool = False) -> int:
    return run_push([str(file)], Login(address, data=folder), None, dry_run=False, as_json=as_json)


def test_a_statement_is_pushed_and_a_bad_one_refused(
    sqlite_exchange: Exchange, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    maker, folder = sqlite_exchange.member("maker"), sqlite_exchange.services.installation.folder
    issued = maker.sign(ACTIVITY_DATA, activity(maker.product("salt")))
    good, bad, text = elsewhere / "good", elsewhere / "bad", elsewhere / "text"
    good.write_text(join_presentation(issued.token, issued.disclosures) + "\n")
    another = maker.sign(ACTIVITY_DATA, activity(maker.product("other")))
    bad.write_text(join_presentation(another.token, another.disclosures[1:]))
    text.write_bytes("签名".encode())
    settings = {
        "data": folder,
        "port": 0,
        "database_url": sqlite_exchange.url,
        "passphrase": "correct horse battery staple",
    }
    with serving(Settings.model_validate(settings)) as running:
        for existed in (False, True):
            assert push(good, running.address, folder, as_json=True) == 0
            found = json.loads(capsys.readouterr().out)
            assert (found["accepted"], found["existed"]) == (1, int(existed))
            assert found["statements"][0]["existed"] is existed
        assert push(bad, running.address, folder) == 1
        refused, counted = capsys.readouterr().err.splitlines()
        assert "disclosures" in refused
        assert counted == "0 admitted, 1 refused"
        assert push(text, running.address, folder) == 1
        assert "not a signed statement" in capsys.readouterr().err
        assert push(elsewhere / "nothing", running.address, folder) == 2
        one_line(capsys)
        assert push(good, running.address, elsewhere / "other") == 2
        assert "other" in one_line(capsys)
    assert push(good, running.address, folder) == 1
    assert "no answer" in one_line(capsys)


def test_the_draft_of_a_footprint_is_printed_as_a_form(
    sqlite_exchange: Exchange, capsys: pytest.CaptureFixture[str]
) -> None:
    maker, folder = sqlite_exchange.member("maker"), sqlite_exchange.services.installation.folder
    maker.state(ACTIVITY_DATA, activity(maker.product("salt")))
    digest = sqlite_exchange.footprint(maker.product("salt"), maker.uri).json()["digest"]
    settings = {"data": folder, "port": 0, "database_url": sqlite_exchange.url, "passphrase": PASSPHRASE}
    with serving(Settings.model_validate(settings)) as running:
        assert run_draft(Login(running.address, data=folder), digest) == 0
        printed = json.loads(capsys.readouterr().out)
        assert (printed["kind"], printed["result_digest"]) == ("product-footprint", digest)
        assert run_draft(Login(running.address, data=folder), "0" * 64) == 1
        assert "no such result" in one_line(capsys)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_server_gently(elsewhere: Path, number: int) -> None:
    with started("serve", "--data", str(elsewhere / "data"), "--port", "0") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        address = process.stdout.readline()
        assert process.stderr.readline().startswith("no witness is required: ")
        assert process.stderr.readline() == "serving until Ctrl-C\n"
        process.send_signal(number)
        rest = process.communicate(timeout=30)
    assert address.startswith("http://127.0.0.1:")
    assert (elsewhere / "data" / "token").read_text().strip() in address
    assert (process.returncode, rest) == (0, ("", "stopping\n"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PASSPHRASE", "changeme"),
        ("PASSPHRASE", "short"),
        ("SMTP_PASSWORD", "Password"),
        ("DATABASE_URL", "postgresql+psycopg://packtrace:postgres@127.0.0.1:1/x"),
    ],
)
@pytest.mark.parametrize("process", ["web", "worker", "both"])
def test_secrets_that_everybody_knows_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str, process: str
) -> None:
    """Before anything is made or opened, and without saying what was given."""
    monkeypatch.setenv(f"PACKTRACE_{name}", value)
    monkeypatch.setenv("PACKTRACE_PROCESS", process)
    assert run_serve(None, None) == 2
    line = one_line(capsys)
    assert f"PACKTRACE_{name}" in line
    assert value not in line.replace("packtrace", "")
    assert not Path(".packtrace").exists()
