"""``packtrace trust``: an operator publishes one trust file after another, a verifier accepts each, and no forger gets in between."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from typer.testing import CliRunner

import tests.simulator
from exchange.cli.trust_commands import trust_app
from exchange.trust import TrustFile
from ledger import WitnessSigner
from tests.exchange.desk import SECRET, Desk, Ran
from tests.exchange.test_cli_verify import packtrace

TOMORROW = (datetime.now(UTC) + timedelta(days=90)).strftime("%Y-%m-%d")


def run_trust(*arguments: object) -> Ran:
    """Run a command of `packtrace trust` alone: to build all the others' each time takes longer than what it does."""
    given = [str(one) for one in arguments]
    result = CliRunner().invoke(trust_app, given, env={"PACKTRACE_PASSPHRASE": SECRET})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert SECRET not in result.output
    return Ran(result.exit_code, result.stdout, result.stderr)


@dataclass
class Publisher:
    """An operator's folder with keys a, b and c and the versions 1 to 3, each signed as it has to be.

    Version 1 names a; version 2 names b and c, of whom both have to sign; version 3 names them again.
    """

    desk: Desk
    keys: dict[str, str] = field(default_factory=dict)
    said: dict[int, str] = field(default_factory=dict)
    told: dict[int, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.desk.folder

    def run(self, *arguments: object) -> Ran:
        ran = run_trust(*arguments)
        assert ran.code == 0, ran.err
        return ran

    def key(self, name: str) -> None:
        said = self.run("key", self.folder / name, "--name", f"trust.example/{name}").out
        self.keys[name] = said.split(": ")[1].strip()

    def version(self, number: int) -> Path:
        return self.folder / f"v{number}"

    def publish(self, number: int, *more: object) -> None:
        previous = ["--previous", self.version(number - 1)] if number > 1 else []
        ran = self.run("publish", self.folder / "trust", self.version(number), "--expires", TOMORROW, *previous, *more)
        self.said[number], self.told[number] = ran.out, ran.err

    def sign(self, number: int, *names: str) -> None:
        for name in names:
            self.run("sign", self.version(number), "--key", self.folder / name, "--previous", self.version(number - 1))

    def trust(self, number: int) -> TrustFile:
        return TrustFile.read(self.version(number).read_bytes())


@pytest.fixture(scope="module")
def publisher(tmp_path_factory: pytest.TempPathFactory) -> Publisher:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tests.simulator, "START", datetime.now(UTC).replace(microsecond=0))
        made = Publisher(Desk(tmp_path_factory.mktemp("publisher")))
    made.desk.trust()
    for name in "abc":
        made.key(name)
    made.publish(1, "--next-key", made.keys["a"], "--publisher", "policies=https://maintainer.example")
    two = ["--next-key", made.keys["b"], "--next-key", made.keys["c"], "--next-threshold", 2]
    made.publish(2, *two, "--publisher", "policies=https://other.example")
    made.sign(2, "a", "b", "c")
    made.publish(3)
    made.sign(3, "c", "b")
    return made


@pytest.fixture
def accepted(publisher: Publisher, tmp_path: Path) -> Path:
    """A verifier's folder that has version 1."""
    folder = tmp_path / "accepted"
    publisher.run(
        "accept", publisher.version(1), "--folder", folder, "--fingerprint", publisher.trust(1).fingerprint.upper()
    )
    return folder


def test_what_is_published_is_the_next_version(publisher: Publisher) -> None:
    assert [publisher.trust(n).version for n in (1, 2, 3)] == [1, 2, 3]
    assert publisher.trust(1).fingerprint in publisher.said[1]
    assert publisher.trust(3).next_keys == (publisher.keys["b"], publisher.keys["c"])
    assert publisher.trust(3).publishers == {"policies": {"https://other.example"}}
    assert "new: publisher of policies https://other.example" in publisher.said[2]
    assert "no longer: publisher of policies https://maintainer.example" in publisher.said[2]
    assert f"no longer: key that signs the next version {publisher.keys['a']}" in publisher.said[2]
    assert "next_threshold: 1 -> 2" in publisher.said[2]
    assert publisher.said[3].splitlines()[0].startswith("version 3 in ")


def test_whose_signatures_are_due_is_told(publisher: Publisher) -> None:
    assert "sign" not in publisher.told[1]
    due = f"`packtrace trust sign {publisher.version(2)} --key KEY --previous {publisher.version(1)}`"
    assert f"have 1 of the keys of version 1 sign it: {due}" in publisher.told[2]
    assert "and 2 of the keys that it names itself, to show that they can sign; new among them: " in publisher.told[2]
    assert "trust.example/b, trust.example/c; a key of both versions signs once" in publisher.told[2]
    # The same keys again: who signs for the version before signs for both.
    assert "have 2 of the keys of version 2 sign it" in publisher.told[3]
    assert "names itself" not in publisher.told[3]


def test_keys_that_are_fewer_have_to_sign_too(publisher: Publisher, tmp_path: Path) -> None:
    named = ["--previous", publisher.version(2), "--next-key", publisher.keys["b"]]
    ran = publisher.run("publish", publisher.folder / "trust", tmp_path / "out", "--expires", TOMORROW, *named)
    assert "and 1 of the keys that it names itself, to show that they can sign; a key of both" in ran.err


def test_a_file_that_has_ended_is_not_published(publisher: Publisher, tmp_path: Path) -> None:
    ran = run_trust("publish", publisher.folder / "trust", tmp_path / "out", "--expires", "2020-12-31")
    assert (ran.code, "a file that ended at 2020-12-31T00:00:00Z decides nothing" in ran.error) == (2, True)
    assert "--expires" in ran.error
    assert list(tmp_path.iterdir()) == []


def test_a_verifier_compares_a_fingerprint_once(publisher: Publisher, accepted: Path) -> None:
    said = publisher.run("accept", publisher.version(2), publisher.version(3), "--folder", accepted).out
    assert "accepted version 2, signed by trust.example/a, trust.example/b, trust.example/c" in said
    assert "accepted version 3, signed by trust.example/c, trust.example/b" in said
    assert sorted(path.name for path in accepted.iterdir()) == ["1.json", "2.json", "3.json"]
    assert TrustFile.read((accepted / "3.json").read_bytes()) == publisher.trust(3)
    # Again: nothing happens.
    assert "version 3 was accepted before\n" in publisher.run("accept", publisher.version(3), "--folder", accepted).out
    older = publisher.run("accept", publisher.version(1), "--folder", accepted).out
    assert "version 1 was accepted before; version 3 is held, and counts\n" in older


def test_what_is_accepted_is_what_commands_verify_with(publisher: Publisher, accepted: Path) -> None:
    shown = publisher.run("show", accepted, "--json").json
    assert (shown["version"], shown["fingerprint"]) == (1, publisher.trust(1).fingerprint)
    publisher.run("accept", publisher.version(2), "--folder", accepted)
    assert publisher.run("show", accepted, "--json").json["version"] == 2


def refused(publisher: Publisher, *arguments: object) -> tuple[int, str]:
    ran = run_trust("accept", *arguments)
    return ran.code, ran.error


def test_a_first_one_needs_its_fingerprint(publisher: Publisher, tmp_path: Path) -> None:
    first = publisher.version(1)
    code, what = refused(publisher, first, "--folder", tmp_path / "new")
    assert (code, "give --fingerprint" in what) == (2, True)
    for wrong in ("0" * 64, "", publisher.trust(1).fingerprint[:-1], publisher.trust(2).fingerprint):
        code, what = refused(publisher, first, "--folder", tmp_path / "new", "--fingerprint", wrong)
        assert (code, "the file's fingerprint isn't the one that was given" in what) == (1, True)
        assert publisher.trust(1).fingerprint not in what, "it would be there to be copied"
    assert list((tmp_path / "new").iterdir()) == []


def test_trust_never_goes_back(publisher: Publisher, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    second = publisher.trust(2).fingerprint
    publisher.run("accept", publisher.version(2), "--folder", folder, "--fingerprint", second)
    for more in ([], ["--fingerprint", publisher.trust(1).fingerprint]):
        code, what = refused(publisher, publisher.version(1), "--folder", folder, *more)
        assert (code, "version 1 was offered and version 2 is held: trust doesn't go back" in what) == (1, True)
        assert "keys and rules that were taken away since would count again" in what
        assert "go on with version 2" in what
    assert [path.name for path in folder.iterdir()] == ["2.json"]


def test_a_version_left_out_is_asked_for(publisher: Publisher, accepted: Path) -> None:
    code, what = refused(publisher, publisher.version(3), "--folder", accepted)
    assert (code, "version 2 is missing" in what) == (3, True)
    # Unless somebody compared its fingerprint, as when the keys were lost.
    publisher.run("accept", publisher.version(3), "--folder", accepted, "--fingerprint", publisher.trust(3).fingerprint)
    assert publisher.run("show", accepted, "--json").json["version"] == 3


def changed(publisher: Publisher, folder: Path, number: int, **members: Any) -> Path:
    """Version `number` with other members, beside it the signature of the real one."""
    made = TrustFile.model_validate({**publisher.trust(number).model_dump(mode="json"), **members})
    path = folder / "forged"
    path.write_bytes(made.document())
    real = publisher.version(number)
    (folder / "forged.sig").write_bytes(real.with_name(f"{real.name}.sig").read_bytes())
    return path


def test_a_forger_s_next_version_is_refused(publisher: Publisher, accepted: Path, tmp_path: Path) -> None:
    path = changed(publisher, tmp_path, 2, publishers={"policies": ["https://forger.example"]})
    code, what = refused(publisher, path, "--folder", accepted)
    assert (code, "the signature is over another trust file" in what) == (1, True)
    # Signed by a key of the forger's, which the version before doesn't name.
    said = publisher.run("key", tmp_path / "g", "--name", "trust.example/g").out.split(": ")[1].strip()
    path = changed(publisher, tmp_path, 2, next_keys=[said], next_threshold=1)
    (tmp_path / "forged.sig").unlink()
    assert refused(publisher, path, "--folder", accepted)[0] == 2
    publisher.run("sign", path, "--key", tmp_path / "g")
    code, what = refused(publisher, path, "--folder", accepted)
    assert (code, "0 of the 1 keys that are needed of those that the version before names" in what) == (1, True)
    assert sorted(one.name for one in accepted.iterdir()) == ["1.json"]


def test_two_files_of_one_version_are_shown_to_the_publisher(
    publisher: Publisher, accepted: Path, tmp_path: Path
) -> None:
    path = changed(publisher, tmp_path, 2, expires="2030-01-01T00:00:00Z")
    publisher.run("accept", publisher.version(2), "--folder", accepted)
    code, what = refused(publisher, path, "--folder", accepted)
    assert (code, "another version 2 than the one that was accepted" in what) == (1, True)


def test_a_kept_file_that_was_exchanged_is_noticed(publisher: Publisher, accepted: Path) -> None:
    (accepted / "1.json").write_bytes(publisher.version(2).read_bytes())
    code, what = refused(publisher, publisher.version(3), "--folder", accepted)
    assert (code, "the file is of version 2" in what) == (1, True)


def test_check_says_whether_and_what_changes(publisher: Publisher) -> None:
    said = publisher.run("check", publisher.version(1), publisher.version(2)).out
    assert "new: publisher of policies https://other.example" in said
    assert said.splitlines()[-1].startswith("version 2 rightfully follows version 1: signed by trust.example/a")
    found = publisher.run("check", publisher.version(2), publisher.version(3), "--json").json
    assert (found["rightful"], found["version"], found["changes"]) == (True, 3, [])
    ran = run_trust("check", publisher.version(2), publisher.version(1), "--signature", __file__)
    assert (ran.code, "trust doesn't go back" in ran.error) == (1, True)


def test_show_speaks_in_plain_words(publisher: Publisher) -> None:
    said = publisher.run("show", publisher.version(2)).out
    assert f"fingerprint {publisher.trust(2).fingerprint}" in said
    assert "version 2\n" in said
    assert f"expires {TOMORROW}T00:00:00Z: in 89 days" in said
    assert "accepts policies that https://other.example signs as released" in said
    assert "the next version is signed by 2 of 2 keys:" in said
    assert "believes no timestamping authority" in said
    assert "no version: no other file can follow it" in publisher.run("show", publisher.folder / "trust").out


def test_authorities_of_time_and_witnesses_are_named_by_files(publisher: Publisher, tmp_path: Path) -> None:
    root, policy, out = tmp_path / "root.pem", tmp_path / "policy", tmp_path / "out"
    pem = publisher.trust(1).authorities[0]
    root.write_text(pem)
    policy.write_text(f"witness w {WitnessSigner('w.example', b'w' * 32).witness_key} https://w.example\nquorum w\n")
    named = ["--time-authority", root, "--witness-policy", policy, "--previous", publisher.version(1)]
    said = publisher.run("publish", publisher.folder / "trust", out, "--expires", "2030-01-01T12:00:00Z", *named).out
    trust = TrustFile.read(out.read_bytes())
    assert (trust.time_authorities, trust.expires) == ((pem,), "2030-01-01T12:00:00Z")
    assert trust.timestamp_roots == (publisher.desk.ledger.authority.certificate,)
    assert "new: timestamping authority " in said
    assert "witness_policy: none -> a text with SHA-256 " in said
    shown = publisher.run("show", out).out
    assert "believes timestamps of " in shown
    assert "requires the witnesses of the quorum w" in shown


def authority_named(name: str) -> str:
    """A certificate (PEM) with this name."""
    key, now = Ed25519PrivateKey.generate(), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = x509.CertificateBuilder(subject, subject, key.public_key(), 1, now, now + timedelta(days=1))
    return made.sign(key, None).public_bytes(Encoding.PEM).decode()


def test_the_greatest_age_of_status_snapshots_is_set_kept_and_left_out(publisher: Publisher, tmp_path: Path) -> None:
    def publish(out: Path, previous: Path, *more: object) -> str:
        named = [publisher.folder / "trust", out, "--expires", TOMORROW, "--previous", previous, *more]
        return publisher.run("publish", *named).out

    asking, kept, asking_no_more = (tmp_path / name for name in ("asking", "kept", "asking no more"))
    assert "max_snapshot_days: none -> 7" in publish(asking, publisher.version(1), "--max-snapshot-days", 7)
    assert "max_snapshot_days" not in publish(kept, asking)
    assert TrustFile.read(kept.read_bytes()).max_snapshot_days == 7
    said = "asks for a status snapshot that is at most 7 days older than the checkpoint"
    assert said in publisher.run("show", kept).out
    assert "max_snapshot_days: 7 -> none" in publish(asking_no_more, kept, "--max-snapshot-days", 0)
    assert "max_snapshot_days" not in json.loads(asking_no_more.read_bytes())
    assert "sets no greatest age of status snapshots" in publisher.run("show", asking_no_more).out


def test_no_text_in_a_file_writes_a_line_of_its_own(publisher: Publisher, accepted: Path, tmp_path: Path) -> None:
    """As if the program said that the file is rightful."""
    lie = "version 2 rightfully follows version 1"
    path = changed(publisher, tmp_path, 2, time_authorities=[authority_named(f"x\n{lie}\x1b[2J")])
    for command in (["check", accepted, path], ["show", path]):
        ran = run_trust(*command)
        assert lie in ran.out
        assert not [line for line in ran.out.splitlines() if line.startswith(lie)]
        assert "\x1b" not in ran.out


def test_a_key_that_no_file_names_signs_nothing(publisher: Publisher, tmp_path: Path) -> None:
    publisher.run("key", tmp_path / "k", "--name", "trust.example/a")
    ran = run_trust("sign", publisher.version(2), "--key", tmp_path / "k")
    assert (ran.code, "doesn't name this key" in ran.error) == (2, True)


BAD: dict[str, Callable[[Publisher], list[str]]] = {
    "an end on no day": lambda _: ["--expires", "2027-02-30"],
    "a publisher without a kind": lambda _: ["--expires", TOMORROW, "--publisher", "https://x.example"],
    "a publisher with a line feed": lambda _: ["--expires", TOMORROW, "--publisher", "policies=https://x.example\n"],
    "a key that is none": lambda _: ["--expires", TOMORROW, "--next-key", "x"],
    "more signatures than keys": lambda p: ["--expires", TOMORROW, "--next-key", p.keys["a"], "--next-threshold", "2"],
    "a witness policy that is none": lambda p: ["--expires", TOMORROW, "--witness-policy", str(p.folder / "a")],
    "a root that is no certificate": lambda p: ["--expires", TOMORROW, "--time-authority", str(p.version(1))],
}


@pytest.mark.parametrize("case", BAD)
def test_what_a_verifier_would_refuse_is_not_published(publisher: Publisher, tmp_path: Path, case: str) -> None:
    ran = run_trust("publish", publisher.folder / "trust", tmp_path / "out", *BAD[case](publisher))
    assert ran.code == 2
    assert ran.error
    assert list(tmp_path.iterdir()) == []


def test_a_published_file_is_never_replaced(publisher: Publisher) -> None:
    before = publisher.version(2).read_bytes()
    ran = run_trust("publish", publisher.folder / "trust", publisher.version(2), "--expires", TOMORROW)
    assert (ran.code, publisher.version(2).read_bytes()) == (2, before)


def test_it_needs_the_base_install_alone_and_no_network(publisher: Publisher, tmp_path: Path) -> None:
    """In a process of its own, whose sockets are shut."""
    files = publisher.version(1), publisher.version(2)
    done = packtrace(
        "trust", "accept", *files, "--folder", tmp_path / "kept", "--fingerprint", publisher.trust(1).fingerprint
    )
    assert done.returncode == 0, done.stderr
    assert "accepted version 2, signed by" in done.stdout
    assert "server modules: []" in done.stderr
    done = packtrace("trust", "--help")
    modules = set(done.stderr.rpartition("modules:")[2].split())
    assert modules.isdisjoint({"cryptography", "signer", "ledger", "bom_graph", "numpy", "networkx"})


def test_evidence_is_verified_by_what_was_accepted(tmp_path: Path, small_file: bytes, small_trust: TrustFile) -> None:
    evidence, trust = tmp_path / "good.packtrace", tmp_path / "trust"
    evidence.write_bytes(small_file)
    trust.write_bytes(small_trust.document())
    desk, folder = Desk(tmp_path), tmp_path / "kept"
    assert run_trust("accept", trust, "--folder", folder, "--fingerprint", small_trust.digest).code == 0
    ran = desk.run("verify", evidence, "--trust", folder, "--json")
    assert (ran.code, ran.json["verdict"]) == (0, "verified")


def test_an_expired_trust_file_decides_nothing(tmp_path: Path, small_file: bytes, small_trust: TrustFile) -> None:
    evidence, trust = tmp_path / "good.packtrace", tmp_path / "trust"
    evidence.write_bytes(small_file)
    ended = TrustFile.model_validate({**small_trust.model_dump(), "expires": "2020-01-01T00:00:00Z"})
    trust.write_bytes(ended.document())
    desk = Desk(tmp_path)
    ran = desk.run("verify", evidence, "--trust", trust, "--json")
    found = json.loads(ran.out)
    assert (ran.code, found["verdict"], found["where"]) == (3, "not_decidable", "trust file")
    assert "packtrace trust accept" in found["remedy"]
    assert "EXPIRED" in run_trust("show", trust).out
    kept = run_trust("accept", trust, "--folder", tmp_path / "kept", "--fingerprint", ended.fingerprint)
    assert (kept.code, "expired at 2020-01-01T00:00:00Z" in kept.err) == (0, True)
