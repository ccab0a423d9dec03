"""A factor release that was published is computed with: by calculations, evidence files and trust files; a withdrawn one no more."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from sqlalchemy import update
from sqlmodel import Session, col, select

from bom_graph import FactorRelease, load_release, release_bytes
from exchange.errors import DamagedError, NotFoundError
from exchange.filing import Stored
from exchange.identity import ReleaseRow, release_file, releases_in_use
from exchange.installation import TRUST
from exchange.kinds import ACTIVITY_DATA, FACTOR_RELEASE, WITHDRAWALS
from exchange.trust import TrustFile
from exchange.verification import Verdict, verify_evidence
from ledger.store import begin, snapshot
from tests.evidence import read_evidence
from tests.exchange.test_governance import EVERBATT, RULES, Panel, code, digest_of
from tests.exchange.test_governance import release_file as file_of
from tests.flow.world import Exchange, Member, activity, line, open_services

FLOW = "cathode-powder-of-tomorrow"


def published(panel: Panel, data: bytes | None = None) -> dict[str, Any]:
    """Propose, review and publish a release; its proposal, with `published`."""
    proposal = panel.proposed(data)
    panel.accepted(proposal)
    assert panel.publish(proposal).status_code == 201
    return panel.show(proposal)


def with_row() -> bytes:
    """EverBatt's release with dearer nickel sulphate, and a flow that nothing else has."""
    row = next(one for one in json.loads(release_bytes(EVERBATT))["rows"] if one["id"] == "copper")
    return file_of(added=[row | {"id": FLOW, "flow": FLOW, "value": "7"}])


def ask(exchange: Exchange, maker: Member, *releases: str, name: str = "salt") -> httpx2.Response:
    body = {"product": maker.product(name), "rule_set": RULES, "reader": maker.uri, "releases": list(releases)}
    return exchange.http.post("/api/v1/footprints", json=body)


def of(found: dict[str, Any]) -> dict[str, Any]:
    """EverBatt's release as a result names it."""
    return next(one for one in found["result"]["releases"] if one["id"] == EVERBATT)


def unfit_to_be_filed(exchange: Exchange, maker: Member, found: dict[str, Any]) -> tuple[str, ...]:
    """Why a stored result isn't fit to be filed any more."""
    ours = exchange.services.installation
    with snapshot(ours.engine) as connection, Session(connection) as session:
        today = exchange.clock().date()
        facts = Stored(ours.vault, ours.admissions).result(session, found["digest"], maker.uri, today)
        assert facts is not None
        return tuple(facts.stale)


class Told:
    """A maker's result before a release is published, after, by the old version, and after the new one was withdrawn."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange, self.panel = exchange, Panel(exchange)
        self.maker, self.before = self.panel.result()
        self.early_trust = exchange.services.installation.trust_file
        self.release = published(self.panel, with_row())
        self.entry = self.release["published"]
        self.after = ask(exchange, self.maker).json()
        self.named = ask(exchange, self.maker, load_release(EVERBATT).digest).json()
        self.trust = exchange.services.installation.trust_file
        self.file = self.exported(self.after)
        answer = self.panel.withdraw(self.release)
        assert answer.status_code == 201, answer.text
        self.withdrawn = answer.json()["index"]
        self.late_trust = exchange.services.installation.trust_file
        self.late_file = self.exported(self.after)

    def exported(self, *found: dict[str, Any]) -> bytes:
        self.exchange.publish()
        body = {"reader": self.maker.uri, "results": [one["digest"] for one in found]}
        answer = self.exchange.http.post("/api/v1/evidence", json=body)
        assert answer.status_code == 200, answer.text
        return bytes(answer.content)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    folder = tmp_path_factory.mktemp("published")
    exchange = Exchange.open(folder / "data", f"sqlite:///{folder / 'exchange.sqlite'}")
    yield Told(exchange)
    exchange.close()


# -- which release a calculation uses --------------------------------------------------------------------------------


def test_a_published_release_takes_the_place_of_the_one_before(told: Told) -> None:
    value, newer = (float(one["result"]["headline"]["value"]) for one in (told.before, told.after))
    assert newer == pytest.approx(1.1 * value, rel=1e-9)
    assert "entry" not in of(told.before)
    assert of(told.after) == {
        "id": EVERBATT,
        "version": "2",
        "digest": told.release["digest"],
        "entry": told.entry,
    }


def test_the_result_rests_on_the_entry_that_published_it(told: Told) -> None:
    (entry,) = [one for one in told.after["result"]["inputs"] if one["index"] == told.entry]
    assert entry["disclosures"] == []
    assert told.entry not in [one["index"] for one in told.before["result"]["inputs"]]


def test_whoever_wants_an_older_version_names_it_and_is_told_of_the_newer(told: Told) -> None:
    assert of(told.named) == of(told.before)
    assert told.named["result"]["headline"] == told.before["result"]["headline"]
    found = told.exchange.http.get(f"/api/v1/footprints/{told.named['digest']}/stale").json()
    assert [one["cause"] for one in found["causes"]] == [f"release-published:{told.entry}"]


def test_a_withdrawn_release_is_computed_with_no_more(told: Told) -> None:
    again = ask(told.exchange, told.maker).json()
    assert of(again) == of(told.before)
    refused = ask(told.exchange, told.maker, told.release["digest"])
    assert refused.status_code == 422
    (finding,) = refused.json()["findings"]
    assert (finding["gate"], finding["where"]) == ("factor_release", f"{EVERBATT} 2")
    assert "withdrawn" in finding["what"]
    unfit = unfit_to_be_filed(told.exchange, told.maker, told.after)
    assert f"entry {told.entry} was taken back by entry {told.withdrawn}" in unfit
    assert f"the factor release {EVERBATT} has the version 1 by now" in unfit
    told.exchange.services.watch.tick()
    stale = told.exchange.http.get(f"/api/v1/footprints/{told.after['digest']}/stale").json()
    causes = [one["cause"] for one in stale["causes"]]
    assert causes in ([f"release-withdrawn:{told.withdrawn}"], []), "another result is the current one by now"


@pytest.mark.parametrize(
    ("digests", "said"),
    [
        (["0" * 64], "no factor release with this digest was published here"),
        ([load_release("authorities-2026").digest], "does not allow factor release authorities-2026"),
    ],
)
def test_what_cant_be_computed_with_is_refused_by_name(told: Told, digests: list[str], said: str) -> None:
    refused = ask(told.exchange, told.maker, *digests)
    assert refused.status_code == 422
    assert said in refused.json()["findings"][0]["what"]


def test_of_one_release_one_version_is_named(panel: Panel) -> None:
    maker, _result = panel.result()
    found = published(panel)
    refused = ask(panel.exchange, maker, found["digest"], load_release(EVERBATT).digest)
    assert refused.status_code == 422
    assert "another version of it is named too" in refused.json()["findings"][0]["what"]
    # A new statement may name what the new version alone has; the demand rests on it.
    again = panel.result(name="other")[1]
    assert of(again)["entry"] == found["published"]


def test_a_rule_set_s_release_of_which_nothing_counts_refuses(panel: Panel) -> None:
    """Left out, a release of lower rank would be taken without a word."""
    maker, result = panel.result()
    operator = panel.exchange.services.installation.operator
    with snapshot(panel.exchange.services.installation.engine) as connection:
        index = releases_in_use(connection)[EVERBATT].index
    leaf = panel.exchange.http.get(f"/api/v1/entries/{index}").json()["leaf_hash"]
    target = {"origin": panel.exchange.origin, "index": index, "leaf_hash": leaf}
    hand = Member(panel.exchange, operator.uri, operator.key)
    assert panel.exchange.post(hand.sign(WITHDRAWALS, {"target": target, "reason": "erred"})).status_code == 201
    refused = ask(panel.exchange, maker)
    assert refused.status_code == 422
    assert f"{EVERBATT}, of which no version counts" in refused.json()["findings"][0]["what"]
    (why,) = unfit_to_be_filed(panel.exchange, maker, result)
    assert why.startswith(f"the release {EVERBATT}, entry {index}, was withdrawn by entry ")
    assert panel.exchange.http.get(f"/api/v1/footprints/{result['digest']}").status_code == 200


def test_what_the_software_brings_later_doesnt_take_a_reviewed_one_s_place(panel: Panel) -> None:
    maker, _result = panel.result()
    found = published(panel)
    file = file_of("1.1", factor="9")
    named = {"id": EVERBATT, "version": "1.1", "digest": digest_of(file)}
    panel.exchange.services.installation.operator.publish_release(FACTOR_RELEASE, named, file)
    assert of(ask(panel.exchange, maker).json())["digest"] == found["digest"]


def test_statements_may_name_what_was_published(panel: Panel) -> None:
    maker = panel.exchange.member("maker")
    powder = activity(maker.product("cell"), line(name="powder", flow=FLOW))
    unknown = panel.exchange.post(maker.sign(ACTIVITY_DATA, powder))
    assert (unknown.status_code, unknown.json()["code"]) == (400, "missing_factor")
    published(panel, with_row())
    assert panel.exchange.post(maker.sign(ACTIVITY_DATA, powder)).status_code == 201
    found = ask(panel.exchange, maker, name="cell").json()
    assert [one["factor"]["row"] for one in found["result"]["contributions"]] == [FLOW]


# -- evidence and trust files ----------------------------------------------------------------------------------------


def test_offline_it_is_verified_by_who_trusts_the_release(told: Told) -> None:
    members = read_evidence(told.file)[1]
    assert hashlib.sha256(members[f"factors/{EVERBATT}.json"]).hexdigest() == told.release["digest"]
    assert f"entries/{told.entry:012d}/token" in members
    assert TrustFile.read(members["trust.json"]).factor_releases == told.trust.factor_releases
    assert verify_evidence(told.file, told.trust).code == "verified"
    refused: Verdict = verify_evidence(told.file, told.early_trust)
    assert (refused.code, refused.where) == ("rejected", f"factors/{EVERBATT}.json")


def test_the_trust_file_lists_what_counts(told: Told) -> None:
    digest = told.release["digest"]
    shipped = load_release(EVERBATT).digest
    assert [digest in one.factor_releases for one in (told.early_trust, told.trust, told.late_trust)] == [
        False,
        True,
        False,
    ]
    assert all(shipped in one.factor_releases for one in (told.early_trust, told.trust, told.late_trust))
    installation = told.exchange.services.installation
    installation.keep_trust_file()
    assert (installation.folder / TRUST).read_bytes() == told.late_trust.document()


def test_offline_a_withdrawn_release_is_named_or_refused(told: Told) -> None:
    verdict = verify_evidence(told.late_file, told.trust)
    assert verdict.code == "verified"
    said = f"entry {told.entry} was withdrawn by its issuer at entry {told.withdrawn}"
    assert any(one.startswith(said) for one in verdict.limits)
    assert verify_evidence(told.late_file, told.late_trust).code == "rejected"


def test_one_evidence_file_holds_one_version(told: Told) -> None:
    body = {"reader": told.maker.uri, "results": [told.before["digest"], told.after["digest"]]}
    answer = told.exchange.http.post("/api/v1/evidence", json=body)
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert EVERBATT in answer.json()["detail"]
    assert verify_evidence(told.exported(told.before), told.early_trust).code == "verified", "each by itself"


# -- the door --------------------------------------------------------------------------------------------------------


def test_the_bytes_are_kept_and_held_against_the_digest(panel: Panel) -> None:
    found = published(panel)
    engine, digest = panel.exchange.services.installation.engine, found["digest"]
    with snapshot(engine) as connection:
        assert release_file(connection, digest) == file_of()
        assert release_file(connection, load_release(EVERBATT).digest) == release_bytes(EVERBATT)
        assert FactorRelease.read(release_file(connection, digest)).version == "2"
        with pytest.raises(NotFoundError, match="isn't kept here"):
            release_file(connection, "0" * 64)
    with begin(engine) as connection:
        changed = file_of(factor="0.1")
        connection.execute(update(ReleaseRow).where(col(ReleaseRow.digest) == digest).values(document=changed))
    with snapshot(engine) as connection, pytest.raises(DamagedError, match="don't have its digest"):
        release_file(connection, digest)
    maker = panel.exchange.member("maker")
    assert code(ask(panel.exchange, maker)) == (500, "damaged")
    assert code(panel.exchange.post(maker.sign(ACTIVITY_DATA, activity(maker.product("salt"))))) == (500, "damaged")


def test_who_writes_to_the_database_alone_publishes_nothing(panel: Panel) -> None:
    maker, _result = panel.result()
    installation, file = panel.exchange.services.installation, file_of("7", factor="0.01")
    digest = digest_of(file)
    with begin(installation.engine) as connection, Session(connection) as session:
        row = ReleaseRow(digest=digest, vct=FACTOR_RELEASE.vct, index=3, release=EVERBATT, version="7")
        row.reviewed, row.document = True, file
        session.add(row)
        session.flush()
    refused = ask(panel.exchange, maker)
    assert code(refused) == (500, "damaged")
    assert "entry 3 doesn't state this factor release" in refused.json()["detail"]
    with pytest.raises(DamagedError, match="doesn't state this factor release"):
        installation.keep_trust_file()


def test_an_exchange_from_before_keeps_the_files_from_its_next_start(panel: Panel) -> None:
    services = panel.exchange.services
    engine = services.installation.engine
    with begin(engine) as connection:
        connection.execute(update(ReleaseRow).values(document=None, release=None, version=None))
    size = panel.exchange.size
    opened = open_services(services.installation.folder, panel.exchange.url, clock=panel.exchange.clock, holder="next")
    opened.installation.engine.dispose()
    assert panel.exchange.size == size, "stated already"
    with snapshot(engine) as connection:
        rows = Session(connection).exec(select(ReleaseRow).where(col(ReleaseRow.release).is_not(None))).all()
        assert sorted(one.release or "" for one in rows) == ["authorities-2026", EVERBATT]
        assert release_file(connection, load_release(EVERBATT).digest) == release_bytes(EVERBATT)


@pytest.fixture
def panel(sqlite_exchange: Exchange) -> Panel:
    return Panel(sqlite_exchange)
