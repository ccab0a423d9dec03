"""``packtrace statement``: showing claims nothing, verifying says what it can't know."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exchange.kinds import ACTIVITY_DATA, ROLE_GRANT
from ledger import leaf_hash
from signer import disclose, issue, join_presentation, new_jti, split_presentation
from signer.base64url import decode, encode
from signer.keystore import load_key
from tests.exchange.desk import CATHODES, EXAMPLES, SECRET, Desk, Ran
from tests.simulator import OPERATOR, ORIGIN

CATHODE = EXAMPLES / "cathode-activity.yaml"


@pytest.fixture
def statement(desk: Desk) -> Path:
    return desk.attest(CATHODE, desk.key())


def cut(desk: Desk, statement: Path, *paths: str) -> Path:
    """The statement as somebody holds it who was granted `paths`."""
    token, disclosures = split_presentation(statement.read_text())
    found = desk.folder / "granted"
    found.write_text(join_presentation(token, disclose(token, disclosures, paths)))
    return found


# --- show ---------------------------------------------------------------------------------------------------------


def test_show_says_first_that_nothing_is_verified(desk: Desk, statement: Path) -> None:
    ran = desk.run("statement", "show", statement)
    assert ran.code == 0
    assert ran.out.startswith("UNVERIFIED")
    assert "verified: signature" not in ran.out
    found = desk.run("statement", "show", statement, "--json").json
    assert found["verified"] is False
    assert found["note"].startswith("UNVERIFIED")


def test_show_tells_what_the_statement_says(desk: Desk, statement: Path) -> None:
    found = desk.run("statement", "show", statement, "--json").json
    token = split_presentation(statement.read_text())[0]
    assert found["header"] == {"alg": "ES256", "kid": load_key(desk.folder / "key", SECRET).thumbprint}
    assert found["certificate"]["organisation"] == found["open"]["iss"] == CATHODES
    assert found["disclosed"]["period"] == {"start": "2026-01-01", "end": "2026-01-31"}
    assert found["contents"]["lists"]["inputs"] == len(found["disclosed"]["inputs"]) == 2
    assert found["leaf_hash"] == leaf_hash(token.encode()).hex()
    assert "nickel sulfate" in desk.run("statement", "show", statement).out


def test_show_tells_only_what_is_disclosed(desk: Desk, statement: Path) -> None:
    granted = cut(desk, statement, "period")
    found = desk.run("statement", "show", granted, "--json").json
    assert set(found["disclosed"]) == {"period"}
    assert found["contents"] is None
    assert found["undisclosed"] == 15
    assert "nickel" not in desk.run("statement", "show", granted).out


def test_show_reads_a_token_alone_and_an_open_kind(desk: Desk) -> None:
    issued = desk.ledger.sign(OPERATOR, ROLE_GRANT, {"organisation": CATHODES, "roles": ["supplier"]})
    path = desk.folder / "token"
    path.write_text(issued.token + "\n")
    found = desk.run("statement", "show", path, "--json").json
    assert found["open"]["roles"] == ["supplier"]
    assert (found["disclosed"], found["undisclosed"]) == ({}, 0)


def test_show_shows_also_what_no_verifier_would_take(desk: Desk, statement: Path) -> None:
    token, _, rest = statement.read_text().partition("~")
    statement.write_text(f"{with_signature(token, bytes(64))}~{rest}")
    assert desk.run("statement", "show", statement).code == 0
    assert desk.run("statement", "verify", statement, "--trust", desk.trust()).code == 1


def with_signature(token: str, signature: bytes) -> str:
    return f"{token.rpartition('.')[0]}.{encode(signature)}"


@pytest.mark.parametrize(
    "data",
    [b"", b"~", b"a.b.c~", b"\xff\xfe", "电池".encode(), b"{}", b"a" * 100_000],
    ids=["nothing", "a tilde", "no token", "bytes", "text", "JSON", "oversized"],
)
@pytest.mark.parametrize("command", ["show", "verify"])
def test_what_is_no_statement_is_refused_in_one_line(desk: Desk, command: str, data: bytes) -> None:
    path = desk.folder / "s"
    path.write_bytes(data)
    more = ("--trust", desk.trust()) if command == "verify" else ()
    ran = desk.run("statement", command, path, *more)
    assert ran.code == 1
    assert (ran.err if command == "show" else ran.out).count("\n") == 1


@pytest.mark.parametrize("command", ["show", "verify"])
def test_a_missing_file_is_a_usage_error(desk: Desk, command: str) -> None:
    more = ("--trust", desk.trust()) if command == "verify" else ()
    ran = desk.run("statement", command, desk.folder / "none", *more)
    assert ran.code == 2
    assert "none" in ran.error


# --- verify -------------------------------------------------------------------------------------------------------


def test_verify_says_what_it_cannot_know(desk: Desk, statement: Path) -> None:
    ran = desk.run("statement", "verify", statement, "--trust", desk.trust(), "--json")
    assert ran.code == 0
    assert (ran.json["verdict"], ran.json["issuer"], ran.json["whole"]) == ("verified", CATHODES, True)
    assert len(ran.json["limits"]) == 4
    said = desk.run("statement", "verify", statement, "--trust", desk.trust()).out
    for word in ("enrolled", "revoked", "role", "admitted", "superseded", "cites"):
        assert word in said


def test_a_part_is_verified_as_a_part(desk: Desk, statement: Path) -> None:
    ran = desk.run("statement", "verify", cut(desk, statement, "period"), "--trust", desk.trust(), "--json")
    assert (ran.code, ran.json["whole"]) == (0, False)
    assert "not disclosed" in ran.json["text"]


def changed_byte(desk: Desk, statement: Path) -> str:
    token, _, rest = statement.read_text().partition("~")
    signature = bytearray(decode(token.rpartition(".")[2], "signature"))
    signature[5] ^= 1
    statement.write_text(f"{with_signature(token, bytes(signature))}~{rest}")
    return "bad_signature"


def changed_disclosure(desk: Desk, statement: Path) -> str:
    token, first, *rest = statement.read_text().split("~")
    altered = decode(first, "disclosure").replace(b"activity", b"activitx").replace(b"claims", b"claimz")
    statement.write_text("~".join([token, encode(altered), *rest]))
    return "unreferenced_disclosure"


def repeated_disclosure(desk: Desk, statement: Path) -> str:
    token, first, *rest = statement.read_text().split("~")
    statement.write_text("~".join([token, first, first, *rest]))
    return "repeated_disclosure"


def another_ledger(desk: Desk, statement: Path) -> str:
    ran = desk.run(
        "attest", CATHODE, "--key", f"file:{desk.folder}/key", "--audience", "other", "--out", f"{statement}2", "--yes"
    )
    assert ran.code == 0
    Path(f"{statement}2").replace(statement)
    return "wrong_audience"


def another_authority(desk: Desk, statement: Path) -> str:
    other = Desk(desk.folder / "other")
    other.folder.mkdir()
    other.attest(CATHODE, other.key()).replace(statement)
    return "certificate_not_trusted"


def another_kind(desk: Desk, statement: Path) -> str:
    statement.write_text(join_presentation(desk.ledger.sign(OPERATOR, ROLE_GRANT, {"organisation": "x"}).token, ()))
    return "statement"


def another_product(desk: Desk, statement: Path) -> str:
    sign(desk, statement, datetime.now(UTC), sub="https://other.example/x")
    return "statement"


def a_wrong_unit(desk: Desk, statement: Path) -> str:
    sign(desk, statement, datetime.now(UTC), electricity_total={"amount": "1", "unit": "kwh", "obtained": "measured"})
    return "unit"


def from_tomorrow(desk: Desk, statement: Path) -> str:
    sign(desk, statement, datetime.now(UTC) + timedelta(days=1))
    return "issued_outside_validity"


def a_certificate_from_tomorrow(desk: Desk, statement: Path) -> str:
    desk.certify(desk.folder / "key", days=(1, 2))
    sign(desk, statement, datetime.now(UTC) + timedelta(days=1, hours=1))
    return "certificate_not_valid"


def sign(desk: Desk, statement: Path, now: datetime, **claims: object) -> None:
    """Sign by hand what the command line would refuse to sign."""
    good = {
        "sub": f"{CATHODES}/x",
        "process_class": "material_production",
        "period": {"start": "2026-01-01", "end": "2026-01-31"},
        "outputs": [
            {"product": claims.get("sub", f"{CATHODES}/x"), "amount": "1", "unit": "kg", "obtained": "measured"}
        ],
    }
    issued = issue(
        load_key(desk.folder / "key", SECRET),
        ACTIVITY_DATA.profile,
        issuer=CATHODES,
        audience=ORIGIN,
        jti=new_jti(now, desk.ledger.random),
        issued_at=now,
        claims={**good, **claims},  # type: ignore[dict-item]
        random=desk.ledger.random,
    )
    statement.write_text(join_presentation(issued.token, issued.disclosures))


@pytest.mark.parametrize(
    "forge",
    [
        changed_byte,
        changed_disclosure,
        repeated_disclosure,
        another_ledger,
        another_authority,
        another_kind,
        another_product,
        a_wrong_unit,
        from_tomorrow,
        a_certificate_from_tomorrow,
    ],
)
def test_a_bad_statement_is_rejected_by_name(desk: Desk, statement: Path, forge: object) -> None:
    assert callable(forge)
    code = forge(desk, statement)
    ran = desk.run("statement", "verify", statement, "--trust", desk.trust(), "--json")
    assert (ran.code, ran.json["verdict"], ran.json["code"]) == (1, "rejected", code)
    assert ran.json["where"]
    assert "limits" not in ran.json
    assert desk.run("statement", "verify", statement, "--trust", desk.trust()).out.startswith("rejected: ")


def test_a_statement_signed_by_hand_is_good(desk: Desk, statement: Path) -> None:
    """Else the forgeries above might be refused for another reason."""
    sign(desk, statement, datetime.now(UTC))
    assert desk.run("statement", "verify", statement, "--trust", desk.trust()).code == 0


def test_an_expired_certificate_is_not_decidable_offline(desk: Desk, statement: Path) -> None:
    """It may have been valid when the statement was admitted; only the ledger dates that."""
    desk.certify(desk.folder / "key", days=(-1, -0.5))
    sign(desk, statement, datetime.now(UTC) - timedelta(hours=15))
    ran = desk.run("statement", "verify", statement, "--trust", desk.trust(), "--json")
    assert (ran.code, ran.json["verdict"], ran.json["issuer"]) == (3, "not_decidable", CATHODES)
    assert "admitted" in ran.json["remedy"]


def test_an_expired_certificate_hides_nothing_else(desk: Desk, statement: Path) -> None:
    desk.certify(desk.folder / "key", days=(-1, -0.5))
    sign(desk, statement, datetime.now(UTC) - timedelta(hours=15))
    changed_byte(desk, statement)
    ran = desk.run("statement", "verify", statement, "--trust", desk.trust(), "--json")
    assert (ran.code, ran.json["code"]) == (1, "bad_signature")
    sign(desk, statement, datetime.now(UTC) - timedelta(hours=15), sub="https://other.example/x")
    ran = desk.run("statement", "verify", statement, "--trust", desk.trust(), "--json")
    assert (ran.code, ran.json["where"]) == (1, "sub")


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b'{"format": "urn:packtrace:trust-file:1"}'])
def test_without_anchors_nothing_is_said_about_the_statement(desk: Desk, statement: Path, data: bytes) -> None:
    trust = desk.folder / "bad-trust"
    trust.write_bytes(data)
    ran = desk.run("statement", "verify", statement, "--trust", trust)
    assert ran.code == 2
    assert "bad-trust" in ran.error
    assert ran.out == ""


def test_a_statement_cannot_draw_on_the_terminal(desk: Desk, statement: Path) -> None:
    sign(desk, statement, datetime.now(UTC), remark="a\x1b[2J\nverified: signature")
    for command in (("show", statement), ("verify", statement, "--trust", desk.trust())):
        ran = desk.run("statement", *command)
        assert ran.code == 0
        assert "\x1b" not in ran.out
        assert ran.out.count("\nverified: signature") == 0


# --- what it cites ------------------------------------------------------------------------------------------------


def chain(desk: Desk, length: int = 3) -> list[Path]:
    """Statements of one maker, each citing the one before, in a folder `chain`; the last is the one to verify."""
    desk.key()
    folder = desk.folder / "chain"
    folder.mkdir()
    paths: list[Path] = []
    for n in range(length):
        paths.append(folder / f"{n}.sd-jwt")
        sign(desk, paths[n], datetime.now(UTC), **({"inputs": [cites(paths[n - 1], 10 + n - 1)]} if n else {}))
    return paths


def cites(path: Path, index: int, origin: str = ORIGIN) -> dict[str, object]:
    digest = leaf_hash(split_presentation(path.read_text())[0].encode()).hex()
    citation = {"origin": origin, "index": index, "leaf_hash": digest}
    said = {"name": "nickel sulfate", "product": "https://nickel.example/sulfate", "composition": {"formula": "NiSO4"}}
    return {"id": "line", "amount": "1", "unit": "kg", "obtained": "measured", "citation": citation, **said}


def verify_cited(desk: Desk, path: Path, *more: str) -> Ran:
    return desk.run("statement", "verify", path, "--trust", desk.trust(), "--cited", desk.folder / "chain", *more)


def test_the_tree_of_citations_is_shown(desk: Desk) -> None:
    ran = verify_cited(desk, chain(desk)[-1], "--json")
    assert ran.code == 0, ran.out
    assert [(one["depth"], one["index"], one["state"], one["issuer"]) for one in ran.json["cites"]] == [
        (1, 11, "verified", CATHODES),
        (2, 10, "verified", CATHODES),
    ]
    said = verify_cited(desk, desk.folder / "chain" / "2.sd-jwt").out
    assert f"  inputs/line/citation: entry 11 of {ORIGIN}: verified, {CATHODES}, {ACTIVITY_DATA.vct}\n" in said
    assert said.index("entry 11") < said.index("entry 10")


def test_a_cited_statement_that_is_not_at_hand_says_so(desk: Desk) -> None:
    paths = chain(desk)
    paths[0].unlink()
    ran = verify_cited(desk, paths[-1], "--json")
    assert (ran.code, [one["state"] for one in ran.json["cites"]]) == (0, ["verified", "not at hand"])


def test_a_cited_statement_with_sealed_lists_says_so(desk: Desk) -> None:
    paths = chain(desk)
    token, disclosures = split_presentation(paths[1].read_text())
    paths[1].write_text(join_presentation(token, disclose(token, disclosures, ["period"])))
    ran = verify_cited(desk, paths[-1], "--json")
    assert (ran.code, [one["state"] for one in ran.json["cites"]]) == (0, ["sealed"])
    # A second file of the same statement opens the rest.
    (desk.folder / "chain" / "more.sd-jwt").write_text(join_presentation(token, disclosures))
    ran = verify_cited(desk, paths[-1], "--json")
    assert [one["state"] for one in ran.json["cites"]] == ["verified", "verified"]


def test_a_bad_cited_statement_is_rejected(desk: Desk) -> None:
    paths = chain(desk)
    changed_disclosure(desk, paths[1])
    ran = verify_cited(desk, paths[-1], "--json")
    assert (ran.code, ran.json["code"]) == (1, "unreferenced_disclosure")
    assert ran.json["where"] == f"entry 11 of {ORIGIN}: disclosures"
    assert "cites" not in ran.json


def test_two_entries_at_one_index_are_rejected(desk: Desk) -> None:
    paths = chain(desk, 2)
    last = desk.folder / "last"
    lines = [{**cites(path, 15), "id": str(n)} for n, path in enumerate(paths)]
    sign(desk, last, datetime.now(UTC), inputs=lines)
    ran = verify_cited(desk, last, "--json")
    assert (ran.code, ran.json["code"]) == (1, "citation_mismatch")


def test_a_citation_to_another_log_is_not_decidable_without_the_ledger(desk: Desk) -> None:
    paths = chain(desk, 1)
    last = desk.folder / "last"
    sign(desk, last, datetime.now(UTC), inputs=[cites(paths[0], 3, "ledger.example/before")])
    ran = verify_cited(desk, last, "--json")
    assert (ran.code, ran.json["verdict"]) == (3, "not_decidable")
    assert "ledger.example/before" in ran.json["text"]
    assert ran.json["where"].endswith("inputs/line/citation")


def test_a_statement_that_cites_nothing_says_so(desk: Desk) -> None:
    assert "cites: nothing that is disclosed" in verify_cited(desk, chain(desk, 1)[0]).out


def test_a_folder_that_is_not_there_is_a_usage_error(desk: Desk, statement: Path) -> None:
    assert verify_cited(desk, statement).code == 2
