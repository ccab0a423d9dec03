"""A log key that another follows while verifiers go on, and a lost log that another succeeds and never continues."""

from __future__ import annotations

import html
import os
import random
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from exchange.cli.ledger import Source, run_consistency, run_proof
from exchange.cosigning import Witnesses
from exchange.database import engine_for
from exchange.errors import ExchangeError, SetupError, UsageError
from exchange.installation import retired_keys
from exchange.succession import begin_rotation, end_rotation, succeed
from exchange.trust import TrustFile
from exchange.verification import verify_evidence
from ledger import BadNoteError, WitnessPolicy, WitnessSigner, open_checkpoint
from ledger.audit import audit
from ledger.store import publish, snapshot
from signer import SignerError
from tests.flow.world import PASSPHRASE, Exchange, open_services, salt
from tests.witnesses import served_witness


def rotate(folder: Path) -> None:
    begin_rotation(folder, passphrase=PASSPHRASE, random=random.randbytes)


def again(exchange: Exchange) -> Exchange:
    """The exchange after a restart."""
    folder = exchange.services.installation.folder
    exchange.close()
    restarted = Exchange.open(folder, exchange.url, clock=exchange.clock)
    restarted.members = exchange.members
    for member in restarted.members.values():
        member.exchange = restarted
    return restarted


def evidence(exchange: Exchange, name: str) -> bytes:
    """An evidence file made now, under the newest checkpoint, which covers a further entry."""
    maker = exchange.member("maker")
    salt(maker, name)
    answer = exchange.footprint(maker.product(name), maker.uri)
    assert answer.status_code in (200, 201), answer.text
    exchange.publish()
    body = {"reader": maker.uri, "results": [answer.json()["digest"]]}
    found = exchange.http.post("/api/v1/evidence", json=body)
    assert found.status_code == 200, found.text
    return found.content


def trust_of(exchange: Exchange) -> TrustFile:
    return TrustFile.read((exchange.services.installation.folder / "trust").read_bytes())


def verdict(data: bytes, trust: TrustFile) -> str:
    return verify_evidence(data, trust).code


def test_a_log_key_is_followed_by_another_while_verifiers_go_on(sqlite_exchange: Exchange) -> None:
    folder = sqlite_exchange.services.installation.folder
    before, old_trust = evidence(sqlite_exchange, "before"), trust_of(sqlite_exchange)
    rotate(folder)
    overlapping = again(sqlite_exchange)
    both_trust, during = trust_of(overlapping), evidence(overlapping, "during")
    assert [str(key) for key in both_trust.keys] == [old_trust.log_key, both_trust.other_log_keys[0]]
    assert [verdict(before, trust) for trust in (old_trust, both_trust)] == ["verified"] * 2
    assert [verdict(during, trust) for trust in (old_trust, both_trust)] == ["verified"] * 2
    ended = end_rotation(folder, overlapping.services.installation.engine)
    assert ended == old_trust.key
    after_restart = again(overlapping)
    new_trust, after = trust_of(after_restart), evidence(after_restart, "after")
    assert (new_trust.log_key, new_trust.other_log_keys) == (both_trust.other_log_keys[0], ())
    assert [verdict(after, trust) for trust in (both_trust, new_trust)] == ["verified"] * 2
    assert verdict(during, new_trust) == "verified"
    assert verdict(after, old_trust) == verdict(before, new_trust) == "rejected", "the overlap is over"
    with snapshot(after_restart.services.installation.engine) as connection:
        audit(connection, new_trust.key, folder / "log", other_keys=retired_keys(folder))
    after_restart.close()


def test_the_old_key_does_not_end_before_the_new_one_has_signed(sqlite_exchange: Exchange) -> None:
    folder, engine = sqlite_exchange.services.installation.folder, sqlite_exchange.services.installation.engine
    with pytest.raises(SetupError, match="no key is following"):
        end_rotation(folder, engine)
    sqlite_exchange.publish()
    rotate(folder)
    with pytest.raises(SetupError, match="another key is following"):
        rotate(folder)
    with pytest.raises(SetupError, match="no key is following"):
        end_rotation(folder, engine)
    overlapping = again(sqlite_exchange)
    key = (folder / "keys" / "log").read_bytes()
    with pytest.raises(SetupError, match="not signed by the key that follows"):
        end_rotation(folder, engine)
    assert (folder / "keys" / "log").read_bytes() == key
    assert not retired_keys(folder)
    salt(overlapping.member("maker"))
    overlapping.publish()
    end_rotation(folder, engine)
    overlapping.close()


def test_the_old_key_does_not_end_under_a_witness_policy_that_names_it_alone(
    sqlite_exchange: Exchange, tmp_path: Path
) -> None:
    """The exchange would not start again."""
    folder, policy = sqlite_exchange.services.installation.folder, tmp_path / "policy"
    witness = WitnessSigner("witness.example", bytes(32)).witness_key
    old = trust_of(sqlite_exchange).key
    rotate(folder)
    overlapping = again(sqlite_exchange)
    engine, both = overlapping.services.installation.engine, trust_of(overlapping).keys
    salt(overlapping.member("maker"))
    overlapping.publish()
    policy.write_text(f"log {old}\nwitness w {witness}\nquorum w\n")
    with pytest.raises(SetupError, match="not for the log"):
        end_rotation(folder, engine, policy)
    assert (folder / "keys" / "log.next").exists()
    assert not retired_keys(folder)
    policy.write_text("".join(f"log {key}\n" for key in both) + f"witness w {witness}\nquorum w\n")
    assert end_rotation(folder, engine, policy) == old
    overlapping.close()


def test_a_witness_that_knows_both_keys_goes_on_over_a_rotation(sqlite_exchange: Exchange, tmp_path: Path) -> None:
    folder, clock = sqlite_exchange.services.installation.folder, sqlite_exchange.clock
    rotate(folder)
    overlapping = again(sqlite_exchange)
    keys = trust_of(overlapping).keys

    def published(exchange: Exchange, name: str) -> bool:
        """Whether a checkpoint over a further entry is published and witnessed."""
        salt(exchange.member("maker"), name)
        installation = exchange.services.installation
        policy = WitnessPolicy.parse(f"{witness.line('w')}quorum w\n".encode()).for_log(
            *installation.note_signer.log_keys
        )
        witnesses = Witnesses(installation.engine, policy, seconds=5, clock=clock)
        witnesses.compare()
        publish(
            installation.engine,
            installation.note_signer,
            installation.published,
            clock(),
            last_signed=installation.last_signed,
            cosign=witnesses.collect,
        )
        return policy.evaluate((installation.published / "checkpoint").read_bytes()).satisfied

    with served_witness(tmp_path / "witness", keys, "witness.example/w", lambda: clock().timestamp()) as witness:
        assert published(overlapping, "during")
        end_rotation(folder, overlapping.services.installation.engine)
        after_restart = again(overlapping)
        assert published(after_restart, "after")
        assert len(trust_of(after_restart).keys) == 1
        assert open_checkpoint((folder / "log/checkpoint").read_bytes(), keys[1])
    after_restart.close()


def test_a_rotation_makes_no_passphrase(sqlite_exchange: Exchange) -> None:
    folder = sqlite_exchange.services.installation.folder
    with pytest.raises(SetupError, match="passphrase is missing"):
        begin_rotation(folder, passphrase=None, random=random.randbytes)
    assert not (folder / "passphrase").exists()


def test_proofs_lead_over_a_key_that_ended(
    sqlite_exchange: Exchange, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = sqlite_exchange.services.installation.folder
    sizes = []
    sqlite_exchange.publish()
    sizes.append(sqlite_exchange.size)
    rotate(folder)
    overlapping = again(sqlite_exchange)
    salt(overlapping.member("maker"))
    overlapping.publish()
    sizes.append(overlapping.size)
    end_rotation(folder, overlapping.services.installation.engine)
    again(overlapping).close()
    monkeypatch.setenv("PACKTRACE_DATA", str(folder))
    monkeypatch.setenv("PACKTRACE_DATABASE_URL", overlapping.url)
    assert run_consistency(Source(None, None, None), sizes[0], sizes[1], as_json=False) == 0
    assert capsys.readouterr().out.startswith("consistent: ")
    for source in (Source(None, None, None), Source(str(folder / "log"), None, None)):
        assert run_proof(source, "0", None, None, as_json=True) == 0


def test_a_rotation_under_a_wrong_passphrase_is_refused(sqlite_exchange: Exchange) -> None:
    folder = sqlite_exchange.services.installation.folder
    with pytest.raises(SignerError, match="wrong passphrase"):
        begin_rotation(folder, passphrase="wrong", random=random.randbytes)
    assert not (folder / "keys" / "log.next").exists()


@pytest.fixture
def lost(sqlite_exchange: Exchange, tmp_path: Path) -> tuple[Path, str, str]:
    """The data folder of a log that signed and whose database is gone; its name, and the URL of an empty database."""
    salt(sqlite_exchange.member("maker"))
    sqlite_exchange.publish()
    installation = sqlite_exchange.services.installation
    return installation.folder, sqlite_exchange.origin, f"sqlite:///{tmp_path / 'empty.sqlite'}"


def end(folder: Path, url: str, old: str, new: str | None = None) -> int:
    engine = engine_for(url)
    try:
        return succeed(folder, engine, old, new, passphrase=PASSPHRASE, random=random.randbytes).size
    finally:
        engine.dispose()


def test_a_lost_log_is_frozen_and_another_names_it(lost: tuple[Path, str, str]) -> None:
    folder, old, url = lost
    old_trust, last = TrustFile.read((folder / "trust").read_bytes()), (folder / "keys/log.checkpoint").read_text()
    size = end(folder, url, old)
    successor = Exchange.open(folder, url)
    trust = trust_of(successor)
    assert trust.origin != old
    assert trust.key.public_key != old_trust.key.public_key
    assert trust.predecessor == last
    assert open_checkpoint(trust.predecessor, old_trust.key).size == size
    successor.publish()
    with pytest.raises(BadNoteError):
        open_checkpoint((folder / "log/checkpoint").read_text(), old_trust.key)
    (frozen,) = (folder / "frozen").iterdir()
    assert (frozen / "log/checkpoint").read_text() == last
    assert TrustFile.read((frozen / "trust").read_bytes()) == old_trust
    assert stat.S_IMODE((frozen / "keys/log").stat().st_mode) == 0o600
    successor.close()


def test_only_the_log_that_is_named_is_frozen(lost: tuple[Path, str, str]) -> None:
    folder, old, url = lost
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(UsageError, match=old):
        end(folder, url, "other.example")
    with pytest.raises(UsageError, match="has been the name of a log"):
        end(folder, url, old, old)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", ["", "bad name", "a+b", "line\n", "x" * 201, "\ud800"])
def test_a_name_that_no_log_can_have_freezes_nothing(lost: tuple[Path, str, str], name: str) -> None:
    folder, old, url = lost
    before = {path: path.read_bytes() for path in folder.parent.rglob("*") if path.is_file()}
    with pytest.raises(UsageError, match="not a log's name") as caught:
        end(folder, url, old, name)
    assert caught.value.where == "--origin"
    assert {path: path.read_bytes() for path in folder.parent.rglob("*") if path.is_file()} == before
    end(folder, url, old, "log.example/after")


def test_a_log_whose_checkpoints_are_lost_too_is_frozen_at_one_that_others_hold(lost: tuple[Path, str, str]) -> None:
    folder, old, url = lost
    held = (folder / "log/checkpoint").read_bytes()
    shutil.rmtree(folder / "log")
    (folder / "keys/log.checkpoint").unlink()
    with pytest.raises(SetupError, match="that others hold") as caught:
        end(folder, url, old)
    Path(caught.value.where).write_bytes(held)
    end(folder, url, old)
    successor = Exchange.open(folder, url)
    assert trust_of(successor).predecessor == held.decode()
    successor.close()


def test_while_a_key_follows_both_are_named(sqlite_exchange: Exchange) -> None:
    folder = sqlite_exchange.services.installation.folder
    rotate(folder)
    overlapping = again(sqlite_exchange)
    keys = [str(key) for key in trust_of(overlapping).keys]
    named = overlapping.http.get("/api/v1/log").json()
    assert [named["log_key"], *named["other_log_keys"]] == keys
    assert len(keys) == 2
    page = overlapping.http.get("/").text
    assert all(html.escape(key) in page for key in keys)
    overlapping.close()


def test_a_log_that_has_its_database_is_not_frozen(sqlite_exchange: Exchange) -> None:
    sqlite_exchange.publish()
    folder = sqlite_exchange.services.installation.folder
    with pytest.raises(SetupError, match="the database has the log"):
        end(folder, sqlite_exchange.url, sqlite_exchange.origin)
    assert (folder / "keys/log.checkpoint").exists()


def test_a_folder_where_nothing_was_signed_has_nothing_to_freeze(sqlite_exchange: Exchange, tmp_path: Path) -> None:
    folder = sqlite_exchange.services.installation.folder
    with pytest.raises(SetupError, match="no checkpoint of the lost log"):
        end(folder, f"sqlite:///{tmp_path / 'empty.sqlite'}", sqlite_exchange.origin)


def test_a_frozen_name_is_never_founded_again(lost: tuple[Path, str, str]) -> None:
    folder, old, url = lost
    end(folder, url, old)
    with pytest.raises(SetupError, match="is frozen"):
        open_services(folder, url, origin=old)
    open_services(folder, url).installation.engine.dispose()


class CutError(Exception):
    """The moment at which the process ends."""


def test_a_freezing_cut_at_any_rename_is_taken_up(
    lost: tuple[Path, str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it is done no log is founded; done again, it is whole."""
    folder, old, _url = lost
    old_key, step, cut = (folder / "keys/log").read_bytes(), 0, True
    while cut:
        copy, url, cut = tmp_path / f"copy-{step}", f"sqlite:///{tmp_path / f'{step}.sqlite'}", False
        shutil.copytree(folder, copy)
        with monkeypatch.context() as patched:
            counted = [0]
            for name in ("replace", "rename", "unlink", "link"):
                patched.setattr(os, name, cutting(name, step, counted))
            try:
                end(copy, url, old)
            except CutError:
                cut = True
        if cut:
            with pytest.raises((ExchangeError, SignerError)):
                Exchange.open(copy, url)
            end(copy, url, old)
        (frozen,) = (copy / "frozen").iterdir()
        assert (frozen / "keys/log").read_bytes() == old_key
        assert (copy / "keys/log").read_bytes() != old_key
        successor = Exchange.open(copy, url)
        assert trust_of(successor).predecessor.startswith(f"{old}\n")
        successor.close()
        step += 1
    assert step > 6


def cutting(name: str, step: int, counted: list[int]) -> Callable[..., object]:
    """The system call `name`, which ends the process when it is the step-th of those counted."""
    real = getattr(os, name)

    def call(*args: object, **kwargs: object) -> object:
        if counted[0] == step:
            counted[0] += 1
            raise CutError(name)
        counted[0] += 1
        return real(*args, **kwargs)

    return call
