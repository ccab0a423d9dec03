"""Status snapshots: stated daily, recomputed by an audit, and held against evidence files."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from sqlmodel import Session, col, select

from exchange import snapshots
from exchange.errors import EvidenceError
from exchange.identity import recomputed_snapshots
from exchange.intake.tables import StatementRow
from exchange.kinds import CERTIFICATE_RETIREMENT, STATUS_SNAPSHOT
from exchange.snapshots import Change, check_snapshots, read_snapshot
from ledger.store import entry, head, snapshot
from signer import read_unverified
from tests.exchange.test_intake import retirement
from tests.exchange.test_retractions import stated, supersedes, withdraws
from tests.flow.world import Exchange, Member

DAY = 86_400


@pytest.fixture
def maker(exchange: Exchange) -> Member:
    return exchange.member("maker")


def stating(exchange: Exchange) -> list[dict[str, Any]]:
    """The open claims of all snapshots, after a tick."""
    exchange.services.snapshots.tick()
    with snapshot(exchange.services.installation.engine) as connection:
        query = select(StatementRow.index).where(col(StatementRow.vct) == STATUS_SNAPSHOT.vct)
        found = Session(connection).exec(query.order_by(col(StatementRow.index))).all()
        tokens = [entry(connection, index).data.decode("ascii") for index in found]
    return [dict(read_unverified(token, ()).open_claims) | {"at": at} for at, token in zip(found, tokens, strict=True)]


def recomputed(exchange: Exchange) -> int:
    with snapshot(exchange.services.installation.engine) as connection:
        return recomputed_snapshots(connection, head(connection).size)


def test_a_day_s_changes_are_stated_and_computed_again(exchange: Exchange, maker: Member) -> None:
    assert stating(exchange) == [], "the log is new"
    first = stated(maker, "2")
    second = stated(maker, "3")
    taken_back = supersedes(maker, first, second).json()["index"]
    maker.state(CERTIFICATE_RETIREMENT, retirement(maker, "one", 1, 9))
    exchange.clock.advance(DAY)
    size = exchange.size
    (said,) = stating(exchange)
    assert (said["size"], said["at"], said["retracted"]) == (size, size, [{"index": first["index"], "by": taken_back}])
    assert "previous" not in said
    assert len(stating(exchange)) == 1, "once a day"
    withdrawn = withdraws(maker, second).json()["index"]
    body = {"leaf_hash": first["leaf_hash"], "reason": "owner_request"}
    erased = exchange.http.post("/api/v1/erasures", json=body).json()["index"]
    exchange.clock.advance(DAY)
    _, next_ = stating(exchange)
    assert (next_["previous"], next_["retracted"]) == (size, [{"index": second["index"], "by": withdrawn}])
    assert next_["erased"] == [{"index": first["index"], "by": erased}]
    assert next_["retirements"] == said["retirements"]
    assert recomputed(exchange) == 2


def test_the_register_is_of_retirements_that_count(exchange: Exchange, maker: Member) -> None:
    retired = maker.state(CERTIFICATE_RETIREMENT, retirement(maker, "one", 1, 9))
    exchange.clock.advance(DAY)
    (before,) = stating(exchange)
    assert withdraws(maker, retired).status_code == 201
    exchange.clock.advance(DAY)
    _, after = stating(exchange)
    assert before["retirements"] != after["retirements"]
    assert recomputed(exchange) == 2


def test_a_quiet_day_is_stated_too(exchange: Exchange) -> None:
    """Else nobody could tell it from a day on which the operator said nothing."""
    exchange.clock.advance(DAY)
    stating(exchange)
    exchange.clock.advance(DAY)
    assert [one["size"] for one in stating(exchange)] == [one["at"] for one in stating(exchange)]
    assert recomputed(exchange) == 2


def test_a_busy_day_has_several(exchange: Exchange, maker: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "MAX_CHANGES", 2)
    for number in range(5):
        assert withdraws(maker, stated(maker, str(number + 1), f"part-{number}")).status_code == 201
    exchange.clock.advance(DAY)
    said = stating(exchange)
    assert [len(one["retracted"]) for one in said] == [2, 2, 1]
    assert [one.get("previous") for one in said] == [None, said[0]["at"], said[1]["at"]]
    assert recomputed(exchange) == 3


Forge = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.mark.parametrize(
    ("forge", "what"),
    [
        (lambda claims: claims | {"retracted": []}, "retracted"),
        (lambda claims: claims | {"chain": "ab" * 32}, "chain"),
        (lambda claims: claims | {"retirements": "ab" * 32}, "retirements"),
        (lambda claims: claims | {"revoked": [{"thumbprint": "x", "by": 1}]}, "revoked"),
        (lambda claims: claims | {"erased": [{"index": 1, "by": 2}]}, "erased"),
        (lambda claims: claims | {"previous": 0}, "previous"),
        (lambda claims: claims | {"size": claims["size"] + 1}, "can't be of"),
    ],
    ids=["retracted", "chain", "retirements", "revoked", "erased", "previous", "size"],
)
def test_an_audit_finds_what_an_operator_states_wrongly(
    exchange: Exchange, maker: Member, monkeypatch: pytest.MonkeyPatch, forge: Forge, what: str
) -> None:
    assert withdraws(maker, stated(maker, "2")).status_code == 201
    exchange.clock.advance(DAY)
    operator = exchange.services.installation.operator
    honest = type(operator).state_snapshot
    with monkeypatch.context() as patched:
        patched.setattr(type(operator), "state_snapshot", lambda self, claims: honest(self, forge(dict(claims))))
        exchange.services.snapshots.tick()
    with pytest.raises(EvidenceError, match=what):
        recomputed(exchange)


def test_evidence_has_to_agree_with_the_snapshots(exchange: Exchange, maker: Member) -> None:
    first = stated(maker, "2")
    assert supersedes(maker, first, stated(maker, "3")).status_code == 201
    exchange.clock.advance(DAY)
    stating(exchange)
    held = list(exchange.services.sharing.evidence_for(maker.uri).values())
    size = max(one.index for one in held)
    newest = check_snapshots(held)
    assert newest is not None
    assert newest.size == size
    without = [one for one in held if "supersession" not in one.statement.vct]
    with pytest.raises(EvidenceError, match="is left out here"):
        check_snapshots(without)
    # Nothing is said of a statement that isn't in the file.
    assert check_snapshots([one for one in without if one.leaf_hash != first["leaf_hash"]]) is not None
    exchange.clock.advance(DAY)
    stating(exchange)
    all_ = list(exchange.services.sharing.evidence_for(maker.uri).values())
    with pytest.raises(EvidenceError, match="isn't the one before it here"):
        check_snapshots([one for one in all_ if one.index != size])
    forged = [_silent(one) if one.statement.vct == STATUS_SNAPSHOT.vct else one for one in held]
    with pytest.raises(EvidenceError, match="leaves out that"):
        check_snapshots(forged)


def _silent(found: Any) -> Any:
    """A snapshot that tells of nothing."""
    claims = dict(found.statement.claims) | {"retracted": []}
    return dataclasses.replace(found, statement=dataclasses.replace(found.statement, claims=claims))


def test_without_snapshots_nothing_is_said() -> None:
    assert check_snapshots([]) is None


def test_a_verdict_names_the_newest_snapshot(exchange: Exchange, maker: Member) -> None:
    from exchange.trust import TrustFile  # noqa: PLC0415 - beside its use
    from exchange.verification import verify_evidence  # noqa: PLC0415

    stated(maker, "2")
    exchange.clock.advance(DAY)
    stating(exchange)
    digest = exchange.footprint(maker.product("part"), maker.uri).json()["digest"]
    exchange.publish()
    file = exchange.http.post("/api/v1/evidence", json={"reader": maker.uri, "results": [digest]}).content
    trust = TrustFile.read(exchange.services.installation.trust_file.document())
    verdict = verify_evidence(file, trust)
    assert verdict.code == "verified", verdict.text
    assert f"at size {exchange.size - 1} of {exchange.size} but as said here" in verdict.limits[0]


def test_changes_are_named_as_they_are() -> None:
    said = {"size": 3, "chain": "ab" * 32, "revoked": [], "erased": [], "retirements": "ab" * 32, "iss": "x"}
    assert read_snapshot(said | {"retracted": [{"index": 1, "by": 2}]}).retracted[0].by == 2
    assert Change(1, 2) < Change(2, 1)
