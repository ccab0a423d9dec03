"""``packtrace statement supersede|withdraw``: signed with the key on this machine, shown before, handed in, and kept in a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exchange.client import Client, UnreachableError
from exchange.kinds import ACTIVITY_DATA, BILL_OF_MATERIALS
from signer import citation_hash, split_presentation
from tests.exchange.stand import Stand, standing
from tests.flow.world import activity, bill, line

MAKER, RIVAL = "https://maker.example", "https://rival.example"
PART = f"{MAKER}/part"
WHY = ("--reason", "the meter was read wrongly")


@pytest.fixture
def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    monkeypatch.chdir(tmp_path)
    with standing(tmp_path) as found:
        for uri in (MAKER, RIVAL):
            found.join(uri)
        yield found


def made_from(amount: str) -> dict[str, Any]:
    return activity(PART, line(name="salt", flow="nickel-sulfate") | {"amount": amount})


def key(stand: Stand, uri: str = MAKER) -> tuple[str, ...]:
    return "--key", f"file:{stand.key_file(uri)}"


def total(stand: Stand) -> float:
    _digest, found = stand.client.footprint(PART, "everbatt-2023-cradle-to-gate", MAKER)
    return float(found["total"]["value"])


def test_a_statement_is_superseded_by_its_file_and_a_leaf_hash(stand: Stand, tmp_path: Path) -> None:
    right = stand.state(MAKER, ACTIVITY_DATA, made_from("2"))
    two = total(stand)
    file = tmp_path / "wrong.sd-jwt"
    file.write_text(stand.sign(MAKER, ACTIVITY_DATA, made_from("9")))
    leaf = citation_hash(split_presentation(file.read_text())[0])
    pushed = stand.run("push", file, "--json")
    assert pushed.exit_code == 0, pushed.output
    assert total(stand) == pytest.approx(4.5 * two)
    done = stand.run("statement", "supersede", file, "--by", right["leaf_hash"], *key(stand), *WHY, "--yes")
    assert done.exit_code == 0, done.output
    wrong = right["index"] + 1
    assert done.stdout.endswith(f": entry {wrong} counts no more; in its place stands entry {right['index']}\n")
    assert f"open to everybody who reads the ledger: entry {wrong}, activity-data" in done.stderr
    assert total(stand) == pytest.approx(two)
    kept = tmp_path / f"supersession-{leaf[:12]}.sd-jwt"
    # What was signed is kept, and handing it in again changes nothing.
    again = stand.found("push", kept)
    assert (again["accepted"], again["existed"]) == (1, 1)
    taken = stand.run("statement", "supersede", file, "--by", right["leaf_hash"], *key(stand), *WHY, "--yes")
    assert (taken.exit_code, "there is a file of that name" in taken.stderr) == (2, True)


def test_a_statement_is_withdrawn_by_its_receipt(stand: Stand, tmp_path: Path) -> None:
    file, receipt = tmp_path / "a.sd-jwt", tmp_path / "receipt.json"
    file.write_text(stand.sign(MAKER, ACTIVITY_DATA, made_from("2")))
    receipt.write_text(stand.run("push", file, "--json").stdout)
    found = stand.found("statement", "withdraw", receipt, *key(stand), *WHY, "--out", tmp_path / "out", "--yes")
    (of_push,) = json.loads(receipt.read_text())["statements"]
    assert found["kind"] == "withdrawal"
    assert found["target"]["leaf_hash"] == of_push["leaf_hash"]
    assert stand.client.entry(found["leaf_hash"])["vct"] == "urn:packtrace:withdrawal:1"
    once_more = stand.run("statement", "withdraw", receipt, *key(stand), *WHY, "--out", tmp_path / "more", "--yes")
    assert (once_more.exit_code, "error: " in once_more.stderr) == (1, True)
    # What the exchange refused is worth nothing, and doesn't lie about.
    assert not (tmp_path / "more").exists()


def test_nothing_is_signed_without_a_yes_nor_for_another(stand: Stand, tmp_path: Path) -> None:
    cited = stand.state(MAKER, ACTIVITY_DATA, made_from("2"))
    other = stand.state(MAKER, BILL_OF_MATERIALS, bill(PART, f"{MAKER}/x"))
    unasked = stand.run("statement", "withdraw", cited["leaf_hash"], *key(stand), *WHY)
    assert (unasked.exit_code, "--yes" in unasked.stderr.splitlines()[-1]) == (2, True)
    foreign = stand.run("statement", "withdraw", cited["leaf_hash"], *key(stand, RIVAL), *WHY, "--yes")
    assert (foreign.exit_code, f"the key is {RIVAL}'s" in foreign.stderr) == (1, True)
    by = ("--by", other["leaf_hash"])
    kinds = stand.run("statement", "supersede", cited["leaf_hash"], *by, *key(stand), *WHY, "--yes")
    assert (kinds.exit_code, "is of another kind" in kinds.stderr) == (1, True)
    nowhere = stand.run("statement", "withdraw", "00" * 32, *key(stand), *WHY, "--yes")
    assert (nowhere.exit_code, nowhere.stderr.count("\n")) == (1, 1)
    (tmp_path / "none.json").write_text("{}")
    unread = stand.run("statement", "withdraw", tmp_path / "none.json", *key(stand), *WHY, "--yes")
    assert (unread.exit_code, "no receipt of one statement" in unread.stderr) == (2, True)
    assert not list(tmp_path.glob("*.sd-jwt"))


def test_without_an_answer_the_signed_file_stays(stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cited = stand.state(MAKER, ACTIVITY_DATA, made_from("2"))

    def lost(*_given: object, **_named: object) -> None:
        raise UnreachableError("no answer", where="here", remedy="send it again")

    monkeypatch.setattr(Client, "submit", lost)
    ran = stand.run("statement", "withdraw", cited["leaf_hash"], *key(stand), *WHY, "--yes")
    assert ran.exit_code == 1
    (file,) = tmp_path.glob("withdrawal-*.sd-jwt")
    assert f"hand it in with: packtrace push {file.name}" in ran.stderr
    assert stand.found("push", file)["accepted"] == 1
