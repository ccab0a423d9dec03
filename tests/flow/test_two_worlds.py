"""Two exchanges that differ in one sealed value answer alike to whoever wasn't granted it.

The second exchange is a copy of the first, database and data folder, from before the statement was made. Then the same happens in both
at the same time (the clock stands): the owner signs a statement, with the same key, `jti`, line ids and salts, whose claims are equal but
for values that nobody else may see; it computes a footprint of them; it grants the rest.

What has to differ then, because anybody can work it out from the token, which holds the digests of what is hidden: the token, its leaf
hash, and the ledger's hashes and signatures from there on; for the reader of one line of a list the list's disclosure, which holds the
digests of the other lines. And what is random: ids of rows. These are masked, each by a mask of its length; nothing else is. Files and
proofs of the ledger are hashes throughout: of them status, headers and length are compared.
"""

from __future__ import annotations

import base64
import json
import random
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, select

from exchange.calculation.tables import ResultRow
from exchange.events import EventRow
from exchange.kinds import ACTIVITY_DATA
from exchange.sharing import AccessRow, AttachmentRow, GrantRow
from ledger.store import entries, snapshot
from signer import new_jti
from tests.flow.accounts import Company
from tests.flow.attachments import File, put
from tests.flow.readers import logged_in, paths_to_get
from tests.flow.world import Exchange, Member, activity, line

OWNER, CUSTOMER, RIVAL, VERIFIER = (f"https://{slug}.example" for slug in ("owner", "customer", "rival", "verifier"))
RULES = "everbatt-2023-cradle-to-gate"
OF_HASHES = re.compile(r"/ledger/|/api/v1/(checkpoint|proofs)|/entries/")
PRODUCT = f"{OWNER}/products/x"


@dataclass
class World:
    """One of the two."""

    exchange: Exchange
    stated: dict[str, Any]
    volatile: set[str]
    results: dict[str, str]
    files: tuple[File, File]


def world(folder: Path, owner: Member, amount: str, note: str) -> World:
    """Open the copy in `folder`, and let happen what differs in the amount of a line, its file, and a note."""
    exchange = Exchange.open(folder / "data", f"sqlite:///{folder / 'exchange.sqlite'}")
    exchange.clock.advance(1)  # events of one moment stand in the order of their random ids
    before = exchange.size
    shown, secret = File(b"%PDF-shown"), File(f"the amount is {amount}".encode())
    lines = [
        line(id="one", name="salt", flow="nickel-sulfate", composition={"formula": "NiSO4"}, evidence=[shown.digest]),
        line(id="two", name="secret", flow="copper", amount=amount, evidence=[secret.digest]),
    ]
    claims = activity(PRODUCT, *lines, note=note)
    claims["outputs"][0]["id"] = "out"
    now = datetime(2026, 1, 5, 8, tzinfo=UTC)
    jti = new_jti(now, random.Random(1).randbytes)
    issued = owner.sign(ACTIVITY_DATA, claims, jti=jti, random=random.Random(2).randbytes)
    by = {uri: logged_in(exchange, uri) for uri in (OWNER, CUSTOMER, RIVAL, VERIFIER)}
    answer = by[OWNER].post("/api/v1/statements", json={"statement": "~".join([issued.token, *issued.disclosures, ""])})
    assert answer.status_code == 201, answer.text
    stated = answer.json()
    for file in (shown, secret):
        assert put(by[OWNER], file).status_code == 201
    for reader, paths in ((CUSTOMER, ["inputs/one+evidence", "sub", "outputs"]), (VERIFIER, ["sub"])):
        body = {
            "owner": OWNER,
            "reader": reader,
            "leaf_hash": stated["leaf_hash"],
            "paths": paths,
            "purpose": "customer",
        }
        assert by[OWNER].post("/api/v1/grants", json=body).status_code == 201
    demand = {"product": PRODUCT, "rule_set": RULES, "reader": OWNER}
    made = by[OWNER].post("/api/v1/footprints", json=demand)
    assert made.status_code == 201, made.text
    exchange.publish()
    volatile = set()
    with snapshot(exchange.services.installation.engine) as connection:
        for one in entries(connection, before, exchange.size):
            volatile |= {one.data.decode(), one.leaf_hash.hex(), one.chain.hex()}
    (listed,) = (
        text for text in issued.disclosures if json.loads(base64.urlsafe_b64decode(f"{text}=="))[1] == "inputs"
    )
    volatile.add(listed)
    results = {"owner": made.json()["digest"], "headline": str(made.json()["result"]["headline"]["value"])}
    return World(exchange, stated, volatile, results, (shown, secret))


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, World]]:
    folder = tmp_path_factory.mktemp("worlds")
    first = Exchange.open(folder / "1" / "data", f"sqlite:///{folder / '1' / 'exchange.sqlite'}")
    owner = Company.join(first, "owner").member
    for slug, role in (("customer", "pack_maker"), ("rival", "supplier"), ("verifier", "verifier")):
        Company.join(first, slug, roles=[role])
    first.close()
    shutil.copytree(folder / "1", folder / "2")
    made = (world(folder / "1", owner, "1", "a"), world(folder / "2", owner, "23.75", "quite another note, and longer"))
    yield made
    for one in made:
        one.exchange.close()


def answers(one: World, reader: str) -> dict[str, tuple[int, dict[str, str], int, bytes]]:
    """Status, headers, length and masked body of all that the reader may ask for."""
    client = logged_in(one.exchange, reader)
    known = {
        "index": [str(index) for index in range(one.exchange.size)],
        # Nobody asked for anything in these worlds, and nothing contradicts anything.
        **{
            key: ["00000000-0000-7000-8000-000000000000"]
            for key in ("identity", "calculation", "case", "proposal", "filing", "publication")
        },
        "leaf_hash": [one.stated["leaf_hash"], "00" * 32],
        "engagement": ["00" * 32],
        "number": ["0"],
        "attachment": [file.digest for file in one.files],
        "digest": [one.results["owner"], "00" * 32],
        "other": [one.results["owner"], "00" * 32],
        "path": [
            "checkpoint",
            "tile/0/000",
            f"tile/0/000.p/{one.exchange.size}",
            f"tile/entries/000.p/{one.exchange.size}",
        ],
    }
    # The status list is signed anew for whoever asks, and is the same for all: nobody's in particular.
    asked = [path for path in paths_to_get(one.exchange, known) if path != "/api/v1/public/status-list"]
    index, size = one.stated["index"], one.exchange.size
    asked += [
        f"/api/v1/entries?leaf_hash={one.stated['leaf_hash']}",
        f"/api/v1/statements/{one.stated['leaf_hash']}?reader={OWNER}",
        f"/api/v1/proofs/inclusion?index={index}",
        f"/api/v1/proofs/consistency?old={size}&new={size}",
        *(f"/api/v1/grants?direction={direction}" for direction in ("given", "received")),
        *(
            f"/api/v1/{path}?product={name}"
            for path in ("bills", "bills/uses")
            for name in (PRODUCT, f"{RIVAL}/products/y")
        ),
    ]
    found = {path: client.get(path, follow_redirects=False) for path in asked}
    for product in (PRODUCT, f"{RIVAL}/products/y"):
        for for_whom in (reader, OWNER):
            body = {"product": product, "rule_set": RULES, "reader": for_whom}
            found[f"footprint of {product} for {for_whom}"] = client.post("/api/v1/footprints", json=body)
    asked_for = {"reader": reader, "results": [one.results["owner"]]}
    found["evidence"] = client.post("/api/v1/evidence", json=asked_for)
    ids = row_ids(one.exchange)
    seen = {}
    for path, answer in found.items():
        content = answer.content
        for text in sorted(one.volatile | ids | {one.results["owner"]}, key=len, reverse=True):
            content = content.replace(text.encode(), b"*" * len(text))
        name = path
        for text in (one.stated["leaf_hash"], one.results["owner"], one.files[1].digest):
            name = name.replace(text, "*")
        kept = b"" if OF_HASHES.search(path) else content
        seen[name] = (answer.status_code, dict(answer.headers), len(answer.content), kept)
    return seen


def row_ids(exchange: Exchange) -> set[str]:
    """What was made at random since the copy was taken: ids of rows. And the digests of results, each a hash of leaf hashes."""
    with snapshot(exchange.services.installation.engine) as connection:
        session = Session(connection)
        return {
            *session.exec(select(GrantRow.id)).all(),
            *session.exec(select(AccessRow.id)).all(),
            *session.exec(select(AttachmentRow.id)).all(),
            *session.exec(select(EventRow.id)).all(),
            *session.exec(select(ResultRow.digest)).all(),
        }


def test_the_worlds_differ_for_the_owner(worlds: tuple[World, World]) -> None:
    headlines = [one.results["headline"] for one in worlds]
    assert headlines[0] != headlines[1]
    bodies = [answers(one, OWNER)["/api/v1/statements/*"][3] for one in worlds]
    assert bodies[0] != bodies[1]


@pytest.mark.parametrize("reader", [RIVAL, CUSTOMER, VERIFIER])
def test_the_worlds_are_one_to_whoever_was_not_granted_the_difference(
    worlds: tuple[World, World], reader: str, subtests: pytest.Subtests
) -> None:
    first, second = (answers(one, reader) for one in worlds)
    assert first.keys() == second.keys()
    assert len(first) > 30
    for path in first:
        with subtests.test(path):
            assert first[path] == second[path]
