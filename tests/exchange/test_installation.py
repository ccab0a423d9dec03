"""The data folder: founded whole or completed by the next start, private, and true to its own log."""

from __future__ import annotations

import itertools
import logging
import os
import random
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from sqlalchemy import Connection, Engine, event

from bom_graph import load_rule_set, rule_set_ids
from exchange.database import engine_for, migrate
from exchange.errors import ExchangeError, SetupError
from exchange.installation import OPERATOR_URI, Installation, kept_secret, open_installation, write_private
from exchange.kinds import ROLE_GRANT
from ledger import LedgerError, LogBehindError
from ledger.audit import audit
from ledger.store import head, snapshot
from signer import CertificateAuthority, KeyPair, SignerError, read_unverified
from signer.keystore import load_key, save_authority, save_key
from tests.flow.world import PASSPHRASE, Clock, Exchange

ROOT = Path(__file__).resolve().parents[2]
MADE_LATER = ("keys/access", "keys/webhook")
PRIVATE = ("passphrase", "token", "keys/operator", "keys/authority", "keys/root", "keys/log", *MADE_LATER)
RULE_SETS = [load_rule_set(name) for name in rule_set_ids()]
FOUNDING = 1 + len(RULE_SETS) + len({name for rules in RULE_SETS for name in rules.factor_releases}) + 1
"""Entries of a founded log: the operator, rule sets, factor releases, the policy."""


class CutError(BaseException):
    """The moment at which the process ends."""


def opened(folder: Path, engine: Engine, **changes: object) -> Installation:
    arguments: dict[str, object] = {
        "origin": None,
        "passphrase": None,
        "clock": Clock(),
        "random": random.randbytes,
    }
    return open_installation(folder, engine, **(arguments | changes))  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = engine_for(database_url)
    yield made
    made.dispose()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Engine]:
    made = engine_for(f"sqlite:///{tmp_path / 'exchange.sqlite'}")
    yield made
    made.dispose()


@contextmanager
def cut_at(engine: Engine, number: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """End the process before its `number`-th durable write: a rename or a commit; yields the writes."""
    writes: list[str] = []

    def count(name: str) -> None:
        writes.append(name)
        if len(writes) == number:
            raise CutError(name)

    def commit(connection: Connection) -> None:
        if connection.get_execution_options().get("ledger_writing"):
            count("commit")

    with monkeypatch.context() as patched:
        for name in ("replace", "rename"):
            real = getattr(os, name)

            def renaming(source: str, target: str, *, real: object = real) -> None:
                count(re.sub("vault[.].*", "vault", f"rename to {Path(target).name}"))
                real(source, target)  # type: ignore[operator]

            patched.setattr(os, name, renaming)
        event.listen(engine, "commit", commit)
        yield writes
        event.remove(engine, "commit", commit)


def check_whole(installation: Installation) -> None:
    """Check that everything is there once, and that the log can be audited."""
    with snapshot(installation.engine) as connection:
        report = audit(connection, installation.trust_file.key, None)
        assert report.size == head(connection).size
    assert len(list((installation.folder / "keys").iterdir())) == 10, "seven keys and three certificates"
    for name in PRIVATE:
        assert stat.S_IMODE((installation.folder / name).stat().st_mode) == 0o600, name
    assert (installation.folder / "trust").read_bytes() == installation.trust_file.document()


@pytest.mark.long
def test_a_founding_cut_before_any_durable_write_is_completed(
    tmp_path: Path, sqlite: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(sqlite)
    sqlite.dispose()
    cuts: list[str] = []
    for number in itertools.count(1):
        database = tmp_path / f"{number}.sqlite"
        shutil.copy(tmp_path / "exchange.sqlite", database)
        engine = engine_for(f"sqlite:///{database}")
        with cut_at(engine, number, monkeypatch) as writes:
            try:
                found = opened(tmp_path / str(number), engine)
            except CutError as cut:
                cuts.append(str(cut))
                found = None
        again = opened(tmp_path / str(number), engine)
        check_whole(again)
        with snapshot(engine) as connection:
            assert head(connection).size == FOUNDING, (
                f"no entry is missing or there twice after a cut before {cuts[-1]}"
            )
        engine.dispose()
        if found is not None:
            break
    names = {name.removeprefix("rename to ") for name in writes}
    expected = {"passphrase", "root", "authority", "operator.crt", "log", "vault", "keys", "commit", "trust", "token"}
    assert expected <= names
    assert cuts == writes, "each write was cut once"


def test_opening_again_finds_the_same(folder: Path, engine: Engine) -> None:
    first = opened(folder, engine)
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    again = opened(folder, engine)
    assert again.trust_file == first.trust_file
    assert again.token == first.token
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == files
    check_whole(again)


def test_the_folder_is_its_owners_alone(folder: Path, sqlite: Engine) -> None:
    opened(folder, sqlite)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "keys").stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "trust").stat().st_mode) == 0o644


@pytest.mark.parametrize("name", PRIVATE)
@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_secret_that_others_may_read_is_refused(folder: Path, sqlite: Engine, name: str, mode: int) -> None:
    opened(folder, sqlite)
    (folder / name).chmod(mode)
    with pytest.raises((SetupError, SignerError)) as caught:
        opened(folder, sqlite)
    assert name.rpartition("/")[2] in str(caught.value)


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe"], ids=["empty", "blank", "not ASCII"])
def test_a_token_that_is_none_is_refused(folder: Path, sqlite: Engine, content: bytes) -> None:
    opened(folder, sqlite)
    (folder / "token").write_bytes(content)
    with pytest.raises(SetupError):
        opened(folder, sqlite)


def test_a_wrong_passphrase_is_refused(folder: Path, sqlite: Engine) -> None:
    opened(folder, sqlite, passphrase=PASSPHRASE)
    assert not (folder / "passphrase").exists(), "a given passphrase is not kept"
    with pytest.raises(SetupError) as caught:
        opened(folder, sqlite, passphrase="wrong")
    assert PASSPHRASE not in str(caught.value)
    assert "wrong passphrase" in str(caught.value)
    check = opened(folder, sqlite, passphrase=PASSPHRASE)
    assert check.trust_file.origin


@pytest.mark.parametrize("given", [None, PASSPHRASE], ids=["kept", "given"])
def test_keys_whose_passphrase_is_gone_get_no_new_one(folder: Path, sqlite: Engine, given: str | None) -> None:
    opened(folder, sqlite, passphrase=given)
    kept = folder / "passphrase"
    secret = given or kept.read_text("ascii").strip()
    kept.unlink(missing_ok=True)
    with pytest.raises(SetupError, match=r"passphrase is missing .*PACKTRACE_PASSPHRASE"):
        opened(folder, sqlite)
    assert not kept.exists()
    assert opened(folder, sqlite, passphrase=secret).token


@pytest.mark.parametrize(
    "name", ["operator", "authority", "authority.crt", "root.crt", "log"], ids=lambda name: f"without {name}"
)
def test_a_key_or_certificate_that_is_gone_is_named(folder: Path, sqlite: Engine, name: str) -> None:
    opened(folder, sqlite)
    (folder / "keys" / name).unlink()
    with pytest.raises(SetupError, match=re.escape(str(folder / "keys" / name.removesuffix(".crt")))):
        opened(folder, sqlite)


def test_certificates_come_from_an_intermediate_and_the_root_s_key_may_be_elsewhere(
    sqlite_exchange: Exchange, tmp_path: Path
) -> None:
    folder = sqlite_exchange.services.installation.folder
    shutil.move(folder / "keys" / "root", tmp_path / "safe")
    again = Exchange.open(folder, sqlite_exchange.url, clock=sqlite_exchange.clock)
    maker = again.member("maker")
    anchors = again.services.installation.trust_file
    root, authority = (
        x509.load_pem_x509_certificate(texts[0].encode()) for texts in (anchors.authorities, anchors.intermediates)
    )
    authority.verify_directly_issued_by(root)
    operator = again.services.installation.operator
    for leaf in (maker.key.certificate, operator.key.certificate):
        x509.load_der_x509_certificate(leaf).verify_directly_issued_by(authority)
    assert root.subject == root.issuer
    again.close()


def test_another_root_s_authority_is_refused(sqlite_exchange: Exchange, tmp_path: Path) -> None:
    """Else every certificate that it issues would be refused, one by one."""
    folder = sqlite_exchange.services.installation.folder
    other = Exchange.open(tmp_path / "other", f"sqlite:///{tmp_path / 'other.sqlite'}")
    other.close()
    for name in ("authority", "authority.crt"):
        (folder / "keys" / name).write_bytes((tmp_path / "other" / "keys" / name).read_bytes())
    with pytest.raises(SetupError, match="did not certify this authority"):
        Exchange.open(folder, sqlite_exchange.url)


@pytest.fixture
def one_tier(folder: Path) -> Path:
    """A data folder from before there were intermediates: the authority is the root."""
    start, end = Clock().now - timedelta(days=1), Clock().now + timedelta(days=1000)
    root = CertificateAuthority.create("packtrace exchange CA", KeyPair.generate("ES256"), start, end)
    pair = KeyPair.generate("ES256")
    leaf = root.issue(pair.csr(OPERATOR_URI), OPERATOR_URI, start, end)
    (folder / "keys").mkdir(mode=0o700, parents=True)
    save_authority(folder / "keys" / "authority", root, PASSPHRASE)
    save_key(folder / "keys" / "operator", pair.with_certificate(leaf), PASSPHRASE)
    save_key(folder / "keys" / "log", KeyPair.generate("Ed25519"), PASSPHRASE)
    return folder


def test_a_folder_of_one_tier_is_opened_as_it_is(one_tier: Path, tmp_path: Path) -> None:
    files = {path.name: path.read_bytes() for path in (one_tier / "keys").iterdir()}
    exchange = Exchange.open(one_tier, f"sqlite:///{tmp_path / 'exchange.sqlite'}")
    anchors = exchange.services.installation.trust_file
    assert b"intermediates" not in anchors.document(), "the fingerprint that verifiers know"
    leaf = x509.load_der_x509_certificate(exchange.member("maker").key.certificate)
    leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(anchors.authorities[0].encode()))
    assert "chain" not in read_unverified(exchange.http.get("/api/v1/entries/0").json()["token"], ()).open_claims
    kept = {path.name: path.read_bytes() for path in (one_tier / "keys").iterdir()}
    for name in MADE_LATER:
        assert kept.pop(name.removeprefix("keys/")), "it is made where there is none yet"
    assert [kept.pop(name) for name in list(kept) if name.startswith("vault.")], "and the vault's first key"
    assert kept == files
    exchange.close()


def test_keys_are_encrypted_under_the_passphrase(folder: Path, sqlite: Engine) -> None:
    opened(folder, sqlite, passphrase=PASSPHRASE)
    for name in ("operator", "authority", "root", "log"):
        assert b"ENCRYPTED PRIVATE KEY" in (folder / "keys" / name).read_bytes()
        assert load_key(folder / "keys" / name, PASSPHRASE).thumbprint


def test_a_setting_that_contradicts_the_origin_is_refused(folder: Path, engine: Engine) -> None:
    first = opened(folder, engine, origin="log.example/2026")
    assert first.trust_file.origin == "log.example/2026"
    assert opened(folder, engine, origin="log.example/2026").trust_file == first.trust_file
    with pytest.raises(SetupError, match=r"log\.example/2026.*log\.example/2027"):
        opened(folder, engine, origin="log.example/2027")


def test_another_folder_s_keys_are_refused_for_this_log(tmp_path: Path, sqlite: Engine) -> None:
    """Else a second log key would sign checkpoints of the same origin."""
    opened(tmp_path / "first", sqlite)
    with pytest.raises(SetupError, match="this database's own data folder"):
        opened(tmp_path / "second", sqlite)
    assert not (tmp_path / "second" / "trust").exists()


def test_another_log_key_is_refused_once_a_checkpoint_is_signed(sqlite_exchange: Exchange, tmp_path: Path) -> None:
    sqlite_exchange.publish()
    folder = sqlite_exchange.services.installation.folder
    other = Exchange.open(tmp_path / "other", f"sqlite:///{tmp_path / 'other.sqlite'}")
    other.close()
    (folder / "keys" / "log").write_bytes((tmp_path / "other" / "keys" / "log").read_bytes())
    with pytest.raises(SetupError, match="not those of the log"):
        Exchange.open(folder, sqlite_exchange.url)


def test_an_operator_s_key_that_was_never_enrolled_is_refused(sqlite_exchange: Exchange, tmp_path: Path) -> None:
    folder, installation = sqlite_exchange.services.installation.folder, sqlite_exchange.services.installation
    other = Exchange.open(tmp_path / "other", f"sqlite:///{tmp_path / 'other.sqlite'}")
    other.close()
    for name in ("operator", "operator.crt"):
        (folder / "keys" / name).write_bytes((tmp_path / "other" / "keys" / name).read_bytes())
    with pytest.raises(SetupError, match="not those of the log"):
        Exchange.open(folder, sqlite_exchange.url)
    assert installation.operator.key.thumbprint


def test_after_the_loss_of_its_database_a_published_log_is_not_founded_anew(
    sqlite_exchange: Exchange, tmp_path: Path
) -> None:
    """Two logs under one folder's keys would look like a fork to whoever saw the first."""
    sqlite_exchange.publish()
    folder = sqlite_exchange.services.installation.folder
    lost = engine_for(f"sqlite:///{tmp_path / 'other.sqlite'}")
    with pytest.raises(SetupError, match=r"database is missing or empty.*packtrace restore.*ledger succeed"):
        opened(folder, lost, passphrase=PASSPHRASE)
    shutil.move(folder / "log", tmp_path / "old-log")
    with pytest.raises(SetupError, match="database is missing or empty"):
        opened(folder, lost, passphrase=PASSPHRASE)
    shutil.move(tmp_path / "old-log", folder / "log")
    (folder / "keys" / "log.checkpoint").unlink()
    with pytest.raises(SetupError, match="database is missing or empty"):
        opened(folder, lost, passphrase=PASSPHRASE)
    lost.dispose()


@pytest.mark.parametrize("name", ["log/checkpoint", "keys/log.checkpoint"])
def test_a_spoilt_checkpoint_is_named(sqlite_exchange: Exchange, name: str) -> None:
    sqlite_exchange.publish()
    installation = sqlite_exchange.services.installation
    (installation.folder / name).write_text("spoilt")
    with pytest.raises(LedgerError) as caught:
        opened(installation.folder, installation.engine, passphrase=PASSPHRASE)
    assert caught.value.where == str(installation.folder / name)


@pytest.mark.parametrize("left", ["trust", "trust, spoilt", "log/checkpoint", "keys/log.checkpoint"])
def test_where_there_was_a_log_none_is_founded_and_nothing_is_made(
    sqlite_exchange: Exchange, tmp_path: Path, left: str
) -> None:
    """With its database lost, and of what it told the world one file left."""
    sqlite_exchange.publish()
    folder = sqlite_exchange.services.installation.folder
    kept = {name: (folder / name).read_bytes() for name in ("trust", "log/checkpoint", "keys/log.checkpoint")}
    shutil.rmtree(folder / "log")
    for name in ("trust", "keys/log.checkpoint"):
        (folder / name).unlink()
    file = folder / left.removesuffix(", spoilt")
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"spoilt" if "spoilt" in left else kept[left])
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    empty = engine_for(f"sqlite:///{tmp_path / 'empty.sqlite'}")
    with pytest.raises(ExchangeError, match=r"trust" if "spoilt" in left else r"packtrace restore.*ledger succeed"):
        opened(folder, empty, passphrase=PASSPHRASE)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert not (tmp_path / "empty.sqlite").exists(), "a copy could not be put back into it"
    empty.dispose()


def test_a_database_that_lacks_what_was_signed_is_not_opened(sqlite_exchange: Exchange, tmp_path: Path) -> None:
    """As after restoring yesterday's copy: refused before a single entry is added, with the remedy."""
    installation = sqlite_exchange.services.installation
    sqlite_exchange.publish()
    old = tmp_path / "old.sqlite"
    with closing(sqlite3.connect(tmp_path / "exchange.sqlite")) as live, closing(sqlite3.connect(old)) as copy:
        live.backup(copy)
    sqlite_exchange.member("maker")
    sqlite_exchange.publish()
    shutil.rmtree(installation.published)
    behind = engine_for(f"sqlite:///{old}")
    with snapshot(behind) as connection:
        size = head(connection).size
    with pytest.raises(LogBehindError, match=r"restore a newer copy.*ledger succeed"):
        opened(installation.folder, behind, passphrase=PASSPHRASE)
    with snapshot(behind) as connection:
        assert head(connection).size == size
    behind.dispose()


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path, sqlite: Engine) -> None:
    (tmp_path / "data").write_bytes(b"")
    with pytest.raises(SetupError):
        opened(tmp_path / "data", sqlite)


def test_a_secret_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            write_private(tmp_path / "file", b"secret")
    assert list(tmp_path.iterdir()) == []
    assert kept_secret(tmp_path / "file", random.randbytes) == kept_secret(tmp_path / "file", random.randbytes)


PROCESS = """
import sys
from pathlib import Path
from bom_graph import load_rule_set, rule_set_ids
from exchange.database import engine_for, migrate
from exchange.installation import new_secret, open_installation
from exchange.services import utc_now
folder, url = sys.argv[1:]
found = open_installation(
    Path(folder), engine_for(url), origin=None, passphrase=None, clock=utc_now, random=new_secret
)
print(found.token, found.trust_file.fingerprint)
"""


@pytest.mark.long
def test_two_processes_that_found_at_once_found_one_log(folder: Path, postgres_url: str) -> None:
    command = [sys.executable, "-c", PROCESS, str(folder), postgres_url]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _process in range(2)]
    answers = {process.communicate(timeout=60)[0] for process in running}
    assert [process.returncode for process in running] == [0, 0]
    assert len(answers) == 1


def test_secrets_are_in_no_log_representation_or_error(
    sqlite_exchange: Exchange, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    installation = sqlite_exchange.services.installation
    secrets = [installation.token, PASSPHRASE, (installation.folder / "keys" / "log").read_text("ascii")]
    seen = [repr(installation), str(installation), repr(sqlite_exchange.services), repr(installation.note_signer)]
    maker = sqlite_exchange.member("maker")
    sqlite_exchange.post(maker.sign(ROLE_GRANT, {"organisation": maker.uri, "roles": ["supplier"]}))
    answers = [sqlite_exchange.http.get(path).text for path in ("/", "/api/v1/log", "/api/v1/openapi.json", "/nowhere")]
    for changes in ({"passphrase": "wrong"}, {"origin": "other.example"}):
        with pytest.raises((ExchangeError, SignerError)) as caught:
            opened(installation.folder, installation.engine, **({"passphrase": PASSPHRASE} | changes))
        seen += [repr(caught.value), str(caught.value)]
    sqlite_exchange.publish()
    text = "\n".join([*seen, *answers, caplog.text])
    for secret in secrets:
        assert secret not in text
