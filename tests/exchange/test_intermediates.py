"""An exchange whose certificates come from an intermediate: who finds the way to the root, and from where."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from exchange.cli.statement import run_verify as run_verify_statement
from exchange.cli.verify import Check
from exchange.cli.verify import run as run_verify_evidence
from exchange.kinds import ACTIVITY_DATA
from exchange.trust import TrustFile
from signer import join_presentation
from tests.flow.world import Clock, Exchange, Member, activity


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    """An exchange of today: the commands look at the clock."""
    url = f"sqlite:///{tmp_path / 'exchange.sqlite'}"
    opened = Exchange.open(tmp_path / "data", url, clock=Clock(datetime.now(UTC).replace(microsecond=0)))
    yield opened
    opened.close()


@pytest.fixture
def maker(exchange: Exchange) -> Member:
    return exchange.member("maker")


@pytest.fixture
def statement(maker: Member, tmp_path: Path) -> Path:
    """A statement as its maker holds it, which the exchange has admitted."""
    issued = maker.sign(ACTIVITY_DATA, activity(maker.product("salt")))
    assert maker.exchange.post(issued).status_code == 201
    path = tmp_path / "statement"
    path.write_text(join_presentation(issued.token, issued.disclosures))
    return path


@pytest.fixture
def evidence(exchange: Exchange, maker: Member, statement: Path, tmp_path: Path) -> Path:
    """Evidence of a result that rests on the statement."""
    digest = exchange.footprint(maker.product("salt"), maker.uri).json()["digest"]
    exchange.publish()
    answer = exchange.http.post("/api/v1/evidence", json={"reader": maker.uri, "results": [digest]})
    assert answer.status_code == 200, answer.text
    path = tmp_path / "evidence.packtrace"
    path.write_bytes(answer.content)
    return path


def trust_file(exchange: Exchange, path: Path, **changes: object) -> Path:
    """The exchange's trust file, with members changed."""
    anchors: TrustFile = exchange.services.installation.trust_file
    path.write_bytes(anchors.model_copy(update=changes).document())
    return path


def test_the_trust_file_leads_from_a_statement_to_the_root(
    exchange: Exchange, statement: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_verify_statement(statement, exchange.services.installation.folder / "trust", None, as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "verified"
    bare = trust_file(exchange, tmp_path / "bare", intermediates=())
    assert run_verify_statement(statement, bare, None, as_json=True) == 1
    assert json.loads(capsys.readouterr().out)["code"] == "certificate_not_trusted"


@pytest.mark.parametrize("changes", [{}, {"intermediates": ()}], ids=["trust file", "enrolment entries"])
def test_evidence_leads_to_the_root_by_either(
    exchange: Exchange, evidence: Path, tmp_path: Path, changes: dict[str, object]
) -> None:
    assert run_verify_evidence(Check(evidence, trust_file(exchange, tmp_path / "trust", **changes)), as_json=True) == 0


def test_an_intermediate_is_believed_for_nothing(
    exchange: Exchange, evidence: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Exchange.open(tmp_path / "other", f"sqlite:///{tmp_path / 'other.sqlite'}", clock=exchange.clock)
    strangers = other.services.installation.trust_file.authorities
    other.close()
    anchors = trust_file(exchange, tmp_path / "trust", authorities=strangers)
    assert run_verify_evidence(Check(evidence, anchors), as_json=True) == 1
    assert "no trusted authority" in json.loads(capsys.readouterr().out)["text"]
