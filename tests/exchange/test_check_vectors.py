"""The check page's modules under Node, against the Python verifier: the vectors, and inputs with something changed at random."""

from __future__ import annotations

import base64
import io
import json
import random
import re
import shutil
import subprocess
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from exchange.errors import EvidenceError, ExchangeError
from exchange.kinds import kind_of
from exchange.trust import TrustFile
from exchange.web import STATIC
from ledger import LedgerError, leaf_hash, parse_proof, verify_proof
from signer import SignerError, peek, split_presentation, verify
from signer.base64url import encode
from tests.signer.world import MAKER
from tests.vectors.check.make import INDEX, KINDS_MODULE, VECTORS, kinds_module

HERE = Path(__file__).parent
MODULES = Path(str(STATIC.directory)) / "check"
Case = dict[str, Any]
Answer = tuple[str, str | None]


@pytest.fixture(scope="module")
def vectors() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(VECTORS.read_text(encoding="utf-8"))
    return found


def node_says(vectors: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What the page's modules answer, by case."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed: what the check page's modules say of the vectors is not known here")
    command = [node, str(HERE / "check_vectors.mjs"), str(MODULES)]
    done = subprocess.run(
        command, input=json.dumps(vectors), text=True, encoding="utf-8", capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return {one["name"]: one for one in json.loads(done.stdout)}


def python_says(case: Case, trusts: dict[str, str]) -> Answer:
    """Verdict and code by the Python verifier, step by step as the page goes; for cases with a trust file."""
    try:
        trust = TrustFile.read(trusts[case["trust"]].encode())
    except EvidenceError as error:
        return "unreadable", error.code
    try:
        return judged(case["presentation"], case["proof"], trust)
    except (SignerError, LedgerError, ExchangeError) as error:
        return "rejected", error.code


def judged(presentation: str, proof: str | None, trust: TrustFile) -> Answer:
    token, disclosures = split_presentation(presentation) if "~" in presentation else (presentation, ())
    seen = peek(token)
    profile = kind_of(seen.vct).profile
    verify(token, disclosures, profile=profile, trust=trust.signers, at=seen.issued_at)
    if proof is None:
        return "not_decidable", "no_proof"
    found = parse_proof(proof.encode())
    verify_proof(found, leaf_hash(token.encode()), *trust.keys)
    if trust.policy is not None and not trust.policy.for_log(*trust.keys).evaluate(found.checkpoint).satisfied:
        return "not_decidable", "not_decidable"
    return "verified", None


def test_python_answers_the_vectors_as_they_say(vectors: dict[str, Any]) -> None:
    cases = [case for case in vectors["cases"] if case["trust"] is not None]
    said = {case["name"]: python_says(case, vectors["trusts"]) for case in cases}
    assert said == {case["name"]: (case["verdict"], case["error"]) for case in cases}
    assert sum(case["verdict"] == "verified" for case in cases) >= 15
    assert sum(case["verdict"] == "rejected" for case in cases) >= 60


def test_the_page_s_modules_answer_the_vectors_as_they_say(vectors: dict[str, Any]) -> None:
    said = node_says(vectors)
    due = {case["name"]: (case["verdict"], case["error"]) for case in vectors["cases"]}
    assert {name: (said[name]["verdict"], said[name]["error"]) for name in due} == due


def test_the_page_s_modules_take_entries_out_of_an_evidence_file(vectors: dict[str, Any]) -> None:
    said = {name: one for name, one in node_says(vectors | {"cases": []}).items() if name.startswith("archive")}
    trust = TrustFile.read(vectors["archive"]["trust"].encode())
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(vectors["archive"]["file"]))) as archive:
        tokens = [name for name in archive.namelist() if name.endswith("/token")]
    assert len(said) == len(tokens) == 4
    for one in said.values():
        assert (one["verdict"], one["trusted"]) == ("trust_on_first_use", "verified")
        assert one["text"].endswith(trust.fingerprint)


def test_without_ed25519_nothing_is_verified_and_what_is_false_stays_so(vectors: dict[str, Any]) -> None:
    """Older browsers have none: no checkpoint can be checked there."""
    said = node_says({**vectors, "without_ed25519": True})
    for case in vectors["cases"]:
        answer = (said[case["name"]]["verdict"], said[case["name"]]["error"])
        if case["verdict"] == "verified":
            assert answer == ("not_decidable", "no_ed25519"), case["name"]
        elif answer != (case["verdict"], case["error"]):
            assert answer == ("not_decidable", "no_ed25519"), case["name"]
            assert case["proof"] is not None
    assert said["signature_flipped"]["error"] == "bad_signature"
    assert said["altered_disclosure"]["error"] == "unreferenced_disclosure"


def zipped(entries: dict[int, tuple[str, list[str], str]]) -> str:
    """Entries (token, disclosures, proof) as an evidence file holds them, in base64."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for index, (token, disclosures, proof) in entries.items():
            parts = {"token": token, "disclosures": "".join(f"{one}\n" for one in disclosures), "proof": proof}
            for name, text in parts.items():
                archive.writestr(f"entries/{index:012d}/{name}", text)
    return base64.b64encode(buffer.getvalue()).decode()


def test_intermediates_that_came_with_a_key_lead_to_an_authority(vectors: dict[str, Any]) -> None:
    """As in an evidence file whose trust file is older than the intermediate; what they carry vouches for nothing itself."""
    (case,) = (case for case in vectors["cases"] if case["name"] == "over_an_intermediate")
    token, *disclosures = case["presentation"].rstrip("~").split("~")
    trust = vectors["trusts"]["plain"]
    (carried,) = json.loads(vectors["trusts"]["intermediate"])["intermediates"]
    (stray,) = json.loads(vectors["trusts"]["p384"])["pinned"][MAKER]
    own = (token, disclosures, case["proof"])
    for pem, due in ((carried, "verified"), (stray, "rejected")):
        chain = [base64.b64encode(x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)).decode()]
        payload = encode(json.dumps({"vct": "urn:packtrace:key-event:1", "chain": chain}).encode())
        archive = {"file": zipped({1: (f"e30.{payload}.AA", [], ""), INDEX: own}), "trust": trust}
        said = node_says({**vectors, "cases": [], "archive": archive})
        assert said[f"archive {INDEX}"]["trusted"] == due
    alone = node_says({**vectors, "cases": [], "archive": {"file": zipped({INDEX: own}), "trust": trust}})
    assert alone[f"archive {INDEX}"]["trusted"] == "rejected"


def test_a_trust_file_with_an_end_decides_nothing_after_it(vectors: dict[str, Any]) -> None:
    (case,) = (case for case in vectors["cases"] if case["name"] == "no_trust_file")
    anchors = json.loads(vectors["trusts"]["plain"])
    end = datetime(2027, 1, 1, tzinfo=UTC)
    dated = json.dumps({**anchors, "expires": f"{end:%Y-%m-%dT%H:%M:%SZ}"})
    spelt = json.dumps({**anchors, "expires": "2027-01-01"})
    cases = [
        {**case, "name": "before", "trust": "dated", "at": end.timestamp() - 1},
        {**case, "name": "after", "trust": "dated", "at": end.timestamp()},
        {**case, "name": "spelt otherwise", "trust": "spelt", "at": 0},
    ]
    said = node_says({**vectors, "trusts": {"dated": dated, "spelt": spelt}, "cases": cases})
    assert said["before"]["verdict"] == "verified"
    assert (said["after"]["verdict"], said["after"]["error"]) == ("not_decidable", "not_decidable")
    assert "expired at 2027-01-01T00:00:00Z" in said["after"]["text"]
    assert said["spelt otherwise"]["verdict"] == "unreadable"


def test_the_page_reads_a_trust_file_that_asks_for_recent_snapshots(vectors: dict[str, Any]) -> None:
    """What it asks of evidence files is for `packtrace verify`; its fingerprint is the same here and there."""
    (case,) = (case for case in vectors["cases"] if case["name"] == "no_trust_file")
    anchors = json.loads(vectors["trusts"]["plain"])
    trusts = {str(days): json.dumps({**anchors, "max_snapshot_days": days}) for days in (0, 7, 36_500, 36_501, -1, "1")}
    cases = [{**case, "name": name, "trust": name} for name in trusts]
    said = {name: one["verdict"] for name, one in node_says({**vectors, "trusts": trusts, "cases": cases}).items()}
    due = {name: python_says(one, trusts)[0] for name, one in zip(trusts, cases, strict=True)}
    assert {name: said[name] for name in due} == due
    assert list(due.values()) == ["verified"] * 3 + ["unreadable"] * 3
    for days in (0, 7):
        trust = json.dumps({**json.loads(vectors["archive"]["trust"]), "max_snapshot_days": days})
        archive = {"file": with_suggestion(vectors["archive"]["file"], trust), "trust": trust}
        told = node_says({**vectors, "cases": [], "archive": archive})["archive 0"]["text"]
        assert told.endswith(TrustFile.read(trust.encode()).fingerprint)


def with_suggestion(archive: str, trust: str) -> str:
    """The archive (base64) with another `trust.json`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(archive))) as before, zipfile.ZipFile(buffer, "w") as after:
        for name in before.namelist():
            after.writestr(name, trust if name == "trust.json" else before.read(name))
    return base64.b64encode(buffer.getvalue()).decode()


def test_an_organisation_in_a_trust_file_is_a_uri_without_control_characters(vectors: dict[str, Any]) -> None:
    (case,) = (case for case in vectors["cases"] if case["name"] == "no_trust_file")
    anchors = json.loads(vectors["trusts"]["plain"])
    named = ["https://x.example", "https://x.example\n", "https://x\x1b.example", "https://x.example\x9b", "x.example"]
    trusts = {f"publisher {uri}": json.dumps({**anchors, "publishers": {"policies": [uri]}}) for uri in named}
    trusts |= {f"pinned {uri}": json.dumps({**anchors, "pinned": {uri: anchors["authorities"]}}) for uri in named}
    cases = [{**case, "name": name, "trust": name} for name in trusts]
    said = {name: one["verdict"] for name, one in node_says({**vectors, "trusts": trusts, "cases": cases}).items()}
    due = {name: python_says(one, trusts)[0] for name, one in zip(trusts, cases, strict=True)}
    assert {name: said[name] for name in due} == due
    assert sorted(due.values()) == ["unreadable"] * 8 + ["verified"] * 2


def test_the_page_knows_the_kinds() -> None:
    assert KINDS_MODULE.read_text(encoding="utf-8") == kinds_module(), "run python -m tests.vectors.check.make"


def test_where_something_is_changed_at_random_both_answer_alike(vectors: dict[str, Any]) -> None:
    """Characters changed, doubled, dropped or moved in presentation, proof and trust file: the same verdict and the same code."""
    source = random.Random(8)
    good = [case for case in vectors["cases"] if case["verdict"] == "verified"]
    trusts, cases = dict(vectors["trusts"]), []
    for n in range(300):
        case = dict(source.choice(good), name=f"changed {n}")
        part = source.choice(("presentation", "presentation", "proof", "trust", "payload", "disclosure"))
        if part == "trust":
            trusts[f"changed {n}"] = changed_around(trusts[case["trust"]], source)
            case["trust"] = f"changed {n}"
        elif part in {"payload", "disclosure"}:
            case["presentation"] = changed_inside(case["presentation"], part, source)
        else:
            case[part] = changed(case[part], source)
        cases.append(case)
    said = node_says({**vectors, "trusts": trusts, "cases": cases})
    answers = {name: (one["verdict"], one["error"]) for name, one in said.items() if name.startswith("changed")}
    assert answers == {case["name"]: python_says(case, trusts) for case in cases}
    assert len({answer for answer in answers.values() if answer[0] != "verified"}) >= 12


def changed(text: str, source: random.Random) -> str:
    at, other = source.randrange(len(text)), source.randrange(len(text))
    again = text[min(at, other) : max(at, other)][:40]
    pieces = (source.choice("A~.\n =+-0\u00e9{"), "", text[at] * 2, again)
    return text[:at] + source.choice(pieces) + text[at + 1 :]


def changed_around(trust: str, source: random.Random) -> str:
    """A trust file with something changed around its certificates; what is wrong inside one has more names than one."""
    while True:
        found = changed(trust, source)
        if re.findall("-----B.*?-----E", found) == re.findall("-----B.*?-----E", trust):
            return found


def changed_inside(presentation: str, part: str, source: random.Random) -> str:
    """What base64url spells, with something changed: the payload, or a disclosure."""
    token, tilde, rest = presentation.partition("~")
    texts = token.split(".") if part == "payload" or len(rest) < 2 else rest[:-1].split("~")
    at = 1 if texts[0].startswith("ey") else source.randrange(len(texts))
    spelt = base64.urlsafe_b64decode(texts[at] + "==").decode()
    texts[at] = base64.urlsafe_b64encode(changed(spelt, source).encode()).decode().rstrip("=")
    return ".".join(texts) + tilde + rest if texts[0].startswith("ey") else f"{token}~{'~'.join(texts)}~"
