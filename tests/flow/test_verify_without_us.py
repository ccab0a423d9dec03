"""docs/verify-without-us.md, as it stands there: openssl and jq, Go's checksum database code, and a notebook.

Each is run on an evidence file with a witness, and on files with one thing changed, which each of them has to refuse.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import ssl
import subprocess
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from exchange.assembly import Demand
from exchange.kinds import ACTIVITY_DATA
from ledger import NoteSigner, WitnessSigner
from signer import CertificateAuthority, KeyPair
from tests.exchange.dossier import EVERBATT, LITHIUM, SALT, Dossier, one_row_release, salt_claims
from tests.ledger.go_verifier import go_verifier
from tests.simulator import START
from tests.vectors.check.make import INDEX, SIZE, VECTORS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/verify-without-us.md").read_text(encoding="utf-8")
NOTEBOOK = ROOT / "examples/verify_without_us.ipynb"
WITNESS = WitnessSigner("north.example/w", b"n" * 32)
SECONDS = 1_795_316_400
ENTRY = "entries/000000000003"
Files = dict[str, bytes]


class Witnessed(Dossier):
    """A log whose checkpoints a witness has cosigned."""

    def checkpoint(self, size: int | None = None) -> str:
        note = super().checkpoint(size)
        return note + WITNESS.sign(note.rpartition("\n\n")[0] + "\n", SECONDS)


@pytest.fixture(scope="module")
def good() -> Files:
    """The two files that the page starts from: evidence of a statement at entry 3 of a log of seven, and the trust file."""
    made = Witnessed(release=one_row_release())
    made.simulator.join(LITHIUM, "supplier")
    for number in range(4):
        made.simulator.state(LITHIUM, ACTIVITY_DATA, salt_claims(SALT if number == 0 else f"{SALT}-{number}"))
    policy = f"log {made.log_signer.log_key}\nwitness north {WITNESS.witness_key}\nquorum north\n"
    evidence = made.file([made.compute(Demand(SALT), EVERBATT)])
    return {"evidence.packtrace": evidence, "trust": made.trust(witness_policy=policy).document()}


# -- what is changed ---------------------------------------------------------------------------------------------------

Change = Callable[[dict[str, str], dict[str, Any]], object]


def in_part(part: str, place: int) -> Change:
    """Another character at `place` of a part of the token."""

    def change(members: dict[str, str], _trust: dict[str, Any]) -> None:
        parts = members["token"].split(".")
        at = ("header", "payload", "signature").index(part)
        parts[at] = other_at(parts[at], place)
        members["token"] = ".".join(parts)

    return change


def in_member(name: str, pattern: str, place: int = 4) -> Change:
    """Another character at `place` of what the first group of `pattern` finds in a member of the entry."""

    def change(members: dict[str, str], _trust: dict[str, Any]) -> None:
        found = re.search(pattern, members[name], re.MULTILINE)
        assert found is not None
        start, end = found.span(1)
        members[name] = members[name][:start] + other_at(found[1], place) + members[name][end:]

    return change


def other_at(text: str, place: int) -> str:
    at = place % len(text)
    return text[:at] + ("B" if text[at] != "B" else "C") + text[at + 1 :]


def other_log_key(_members: dict[str, str], trust: dict[str, Any]) -> None:
    trust["log_key"] = str(NoteSigner(trust["origin"], b"o" * 32).log_key)


def other_authority(_members: dict[str, str], trust: dict[str, Any]) -> None:
    trust["authorities"] = json.loads(Dossier().trust().document())["authorities"]


def foreign_disclosure(members: dict[str, str], _trust: dict[str, Any]) -> None:
    members["disclosures"] += "WyJYWFhYWFhYWFhYWFhYWFhYWFhYWFgiLCJzdWIiLCJvdGhlciJd\n"


def shorter_path(members: dict[str, str], _trust: dict[str, Any]) -> None:
    lines = members["proof"].split("\n")
    members["proof"] = "\n".join([*lines[:2], *lines[3:]])


#: Name -> the change, and which of openssl, go and the notebook have to refuse it.
ALL = frozenset({"openssl", "go", "notebook"})
STATEMENT = ALL - {"go"}
CHANGES: Mapping[str, tuple[Change, frozenset[str]]] = {
    "payload": (in_part("payload", 20), ALL),
    "signature": (in_part("signature", 20), ALL),
    "certificate": (in_part("header", 400), ALL),
    "another_log_key": (other_log_key, ALL),
    "another_authority": (other_authority, STATEMENT),
    "disclosure": (in_member("disclosures", "^(.+)$", 40), STATEMENT),
    "foreign_disclosure": (foreign_disclosure, STATEMENT),
    "index": (lambda members, _trust: members.update(proof=members["proof"].replace("index 3", "index 4")), ALL),
    "path": (in_member("proof", "index 3\n(.+)$", 4), ALL),
    "shorter_path": (shorter_path, ALL),
    "size": (lambda members, _trust: members.update(proof=members["proof"].replace("\n7\n", "\n8\n")), ALL),
    "root": (in_member("proof", "\n7\n(.+)$", 4), ALL),
    "log_signature": (in_member("proof", "^\u2014 log[^ ]* (.+)$", 40), ALL),
    "cosignature": (in_member("proof", "^\u2014 north[^ ]* (.+)$", 40), frozenset({"notebook"})),
    "cosigned_time": (in_member("proof", "^\u2014 north[^ ]* (.+)$", 12), frozenset({"notebook"})),
}


def changed(good: Files, change: Change) -> Files:
    """The two files with a change, and nothing put right after it."""
    with zipfile.ZipFile(io.BytesIO(good["evidence.packtrace"])) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    members = {name: contents[f"{ENTRY}/{name}"].decode() for name in ("token", "disclosures", "proof")}
    trust = json.loads(good["trust"])
    before = (dict(members), json.dumps(trust))
    change(members, trust)
    assert (members, json.dumps(trust)) != before
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in {**contents, **{f"{ENTRY}/{name}": text.encode() for name, text in members.items()}}.items():
            archive.writestr(name, data)
    return {"evidence.packtrace": buffer.getvalue(), "trust": json.dumps(trust).encode()}


def refused_by(tool: str) -> list[str]:
    return [name for name, (_change, tools) in CHANGES.items() if tool in tools]


# -- the tools ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Page:
    """Runs the page's blocks of a section, in a folder with the two files."""

    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def lay(self, files: Files) -> None:
        for name, data in files.items():
            (self.folder / name).write_bytes(data)

    def run(self, section: str, changes: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        text = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
        script = "".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
        assert script
        for old, new in (changes or {}).items():
            assert old in script
            script = script.replace(old, new)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        return subprocess.run(
            ["sh", "-eu", "-c", script],
            cwd=self.folder,
            env=environment | {"SOURCE": str(ROOT), **self.variables},
            text=True,
            capture_output=True,
            timeout=300,
            check=False,
        )


@pytest.fixture
def page(tmp_path: Path) -> Page:
    return Page(tmp_path)


def need(*programs: str) -> None:
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        pytest.skip(
            f"{', '.join(missing)} not installed: what the page's commands say of our evidence is not known here"
        )


def test_openssl_and_jq_verify_an_entry(page: Page, good: Files) -> None:
    need("openssl", "jq")
    page.lay(good)
    done = page.run("With openssl and jq")
    assert done.returncode == 0, done.stderr
    assert f"{LITHIUM} says so at" in done.stdout
    assert '["sub","https://lithium.example/salt"]' in done.stdout
    assert done.stdout.count("Verified OK") == done.stdout.count("Signature Verified Successfully") == 1
    assert done.stdout.endswith("entry included\n")


@pytest.mark.long
@pytest.mark.parametrize("name", refused_by("openssl"))
def test_openssl_and_jq_refuse(page: Page, good: Files, name: str) -> None:
    need("openssl", "jq")
    page.lay(changed(good, CHANGES[name][0]))
    done = page.run("With openssl and jq")
    assert done.returncode != 0
    assert "entry included" not in done.stdout


def test_an_authority_that_only_the_machine_trusts_is_none_to_openssl(good: Files, tmp_path: Path) -> None:
    """Whoever administers the verifier's machine, or sells it, has put authorities there."""
    need("openssl", "jq")
    installed = tmp_path / "certs"
    installed.mkdir()
    (authority,) = json.loads(good["trust"])["authorities"]
    (installed / "authority.pem").write_text(authority)
    subprocess.run(["openssl", "rehash", installed], check=True, timeout=60)
    # Of another name: where one of the same name is at hand, openssl looks no further.
    elsewhere = CertificateAuthority.create("elsewhere", KeyPair.generate("ES256"), START, START.replace(year=2035))
    pem = ssl.DER_cert_to_PEM_cert(elsewhere.certificate)
    files = changed(good, lambda _members, trust: trust.update(authorities=[pem]))
    page = Page(tmp_path, {"SSL_CERT_DIR": str(installed), "SSL_CERT_FILE": str(installed / "authority.pem")})
    page.lay(files)
    done = page.run("With openssl and jq")
    assert done.returncode != 0
    assert "unable to get local issuer certificate" in done.stderr


@pytest.mark.long
def test_go_verifies_and_refuses(page: Page, good: Files) -> None:
    go_verifier()  # skips where there is no Go, or no x/mod
    need("jq")
    page.lay(good)
    done = page.run("With Go")
    assert done.returncode == 0, done.stderr
    assert "entry 3 stands in log.packtrace.example/test, of size 7" in done.stdout
    for name in refused_by("go"):
        files = changed(good, CHANGES[name][0])
        with zipfile.ZipFile(io.BytesIO(files["evidence.packtrace"])) as archive:
            archive.extractall(page.folder / name)
        key = json.loads(files["trust"])["log_key"]
        done = subprocess.run(
            [page.folder / "verify", key, page.folder / name / ENTRY],
            text=True,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1, name
        assert ENTRY in done.stderr


def cells() -> list[str]:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def run_notebook(
    folder: Path, files: Files, monkeypatch: pytest.MonkeyPatch, changes: Mapping[str, str] | None = None
) -> str:
    """What the notebook prints."""
    Page(folder).lay(files)
    monkeypatch.chdir(folder)
    printed, space = io.StringIO(), dict[str, Any]()
    with contextlib.redirect_stdout(printed):
        for number, cell in enumerate(cells()):
            for old, new in (changes or {}).items():
                cell = cell.replace(old, new)  # noqa: PLW2901
            exec(compile(cell, f"cell {number}", "exec"), space)  # noqa: S102 - it is ours, and what readers run
    return printed.getvalue()


def test_the_notebook_verifies_an_entry(tmp_path: Path, good: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    said = run_notebook(tmp_path, good, monkeypatch)
    for expected in (
        f"{LITHIUM} signed a {ACTIVITY_DATA.vct}",
        f"sub: {SALT}",
        "entry 3 of 7",
        "seen by north.example/w",
    ):
        assert expected in said


@pytest.mark.parametrize("name", refused_by("notebook"))
def test_the_notebook_refuses(tmp_path: Path, good: Files, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever a library raises ends the notebook
        run_notebook(tmp_path, changed(good, CHANGES[name][0]), monkeypatch)
    assert not isinstance(caught.value, NameError | SyntaxError | AttributeError)


def vector(name: str) -> Files:
    """The two files, of a vector of the check page: as an evidence file would hold it, at the entry that the page and the notebook name."""
    vectors = json.loads(VECTORS.read_text(encoding="utf-8"))
    (case,) = (case for case in vectors["cases"] if case["name"] == name)
    token, _, disclosures = case["presentation"].partition("~")
    members = {"token": token, "disclosures": disclosures.replace("~", "\n"), "proof": case["proof"]}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for member, text in members.items():
            archive.writestr(f"entries/{INDEX:012d}/{member}", text)
    return {"evidence.packtrace": buffer.getvalue(), "trust": vectors["trusts"][case["trust"]].encode()}


#: Vectors of what an issuer hid beside the truth that it committed to.
SECOND_TRUTHS = ("line_that_is_not_named", "the_other_truth", "claim_of_the_other_truth")


@pytest.mark.parametrize("name", ["over_an_intermediate", "pinned_rsa", "line_that_is_named", "one_of_two_truths"])
def test_openssl_and_jq_verify_other_entries(page: Page, name: str) -> None:
    need("openssl", "jq")
    page.lay(vector(name))
    done = page.run("With openssl and jq", {"000000000003": f"{INDEX:012d}"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("entry included\n")


@pytest.mark.parametrize(
    "name",
    [
        "over_an_intermediate",
        "pinned_p384",
        "ed25519_all",
        "es256_nothing",
        "kind_without_hidden_claims",
        "both_witnesses",
        "line_that_is_named",
        "line_without_contents",
        "one_of_two_truths",
    ],
)
def test_the_notebook_verifies_other_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    said = run_notebook(tmp_path, vector(name), monkeypatch, {"ENTRY = 3\n": f"ENTRY = {INDEX}\n"})
    assert f"entry {INDEX} of {SIZE} in " in said


@pytest.mark.parametrize("name", SECOND_TRUTHS)
def test_the_notebook_refuses_a_second_truth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with pytest.raises(ValueError, match="contents"):
        run_notebook(tmp_path, vector(name), monkeypatch, {"ENTRY = 3\n": f"ENTRY = {INDEX}\n"})


@pytest.mark.long
@pytest.mark.parametrize("name", ["issuer_overwritten", "claim_twice", "intermediate_not_at_hand", *SECOND_TRUTHS])
def test_openssl_and_notebook_refuse_what_an_issuer_should_not_sign(
    page: Page, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    need("openssl", "jq")
    page.lay(vector(name))
    assert page.run("With openssl and jq", {"000000000003": f"{INDEX:012d}"}).returncode != 0
    with pytest.raises((ValueError, StopIteration)):
        run_notebook(page.folder, vector(name), monkeypatch, {"ENTRY = 3\n": f"ENTRY = {INDEX}\n"})


def test_the_notebook_is_short_and_needs_cryptography_alone() -> None:
    lines = [line for cell in cells() for line in cell.splitlines() if line.strip()]
    assert len(lines) < 100
    imported = {found[1] for line in lines if (found := re.match(r"(?:from|import) ([a-z0-9]+)", line))}
    assert imported == {"base64", "hashlib", "json", "zipfile", "datetime", "pathlib", "cryptography"}
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook["cells"])
