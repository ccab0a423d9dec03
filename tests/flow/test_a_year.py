"""examples/a_year.py plays to its end, and what it says happened did."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from examples.a_year import PACKS, Host, play
from exchange.partner import Partner
from exchange.server import serving
from exchange.settings import Settings

MAKER, SMALL = "https://packs.example", "https://small-packs.example"


@pytest.mark.long
def test_the_year_is_played(tmp_path: Path) -> None:
    said: list[str] = []
    with serving(Settings(data=tmp_path / "data", port=0)) as running, ExitStack() as stack:
        operator = stack.enter_context(Partner(running.address, running.services.installation.token))
        found = play(Host(running.address, operator, stack), said.append)
        states = {one["id"]: one["state"] for one in operator.filings("authority", "https://authority.example")}
    assert sorted(states.values()) == ["accepted"] * len(PACKS) + ["filed"]
    assert found["coverage"]["missing"] == []
    assert found["coverage"]["filed"] == len(PACKS)
    assert any("chemistry group NMC is not represented" in one for one in found["short"]["missing"])
    assert "the verifier is of the filer's corporate group" in found["independence"]
    assert any("NMC811-100-CN: returned for correction, registered again" in line for line in said)
    assert "certificates of this range are retired in this log already" in found["double_claim"]
    assert found["retired"]["note"] == "the certificates are invented for this story"
    assert found["retired"]["serials"][0]["first"].startswith("INVENTED-")
    assert found["told"] == {who: ["packtrace.conflict.opened"] for who in (MAKER, SMALL)}
    assert all(found["stale"].values())
    assert len(found["moved"]) == 2, "both plants' NMC622"
    aspects = [one["aspect"] for one in found["beside"]["difference"]["aspects"]]
    assert aspects[0] == "denominator"
    assert f"| {MAKER} | 5 | 5 | nothing |" in found["summary"]
    assert said[-1] == found["summary"]
