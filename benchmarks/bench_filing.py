"""An authority's and a verifier's view over 10,000 filings in a database of 1,000,000 entries: server time against what is allowed."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from benchmarks.measure import Row, limit, seconds
from exchange.access import Principal
from exchange.engagement import EngagementRow
from exchange.filing import ORDER, FilingRow, FilingStepRow, Model, ModelRow
from exchange.filing.hidden import Told, group_key, hide_model, hide_told, product_key
from ledger.store import begin
from signer import new_jti
from tests.flow.accounts import Company
from tests.flow.world import Exchange

FILINGS, MAKERS, ENTRIES, ROUNDS = 10_000, 500, 1_000_000, 9
#: Of one verifier: half of the filings.
ENGAGEMENTS, VERIFIER = FILINGS // 2, "https://verifier-0.example"
ALLOWED_MS = 200.0
_GROUPS = ("LFP", "NMC", "NCA", "LMFP", "SODIUM_ION")
_CHEMISTRIES = {"LFP": "LFP", "NMC": "NMC622", "NCA": "NCA", "LMFP": "LMFP", "SODIUM_ION": "sodium ion"}
_WAY = ("plan", "complete", "calculate", "export", "platform", "submit", "verify", "file", "review")
_STATES = tuple(state for state in ORDER if state != "unreconciled")


def rows() -> Iterator[Row]:
    """Measure the reads of an authority, in this process, without the way through HTTP."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        exchange = Exchange.open(folder / "data", f"sqlite:///{folder / 'exchange.sqlite'}")
        authority = Company.join(exchange, "authority", roles=["authority"])
        _fill(exchange)
        services = exchange.services
        actor = Principal(authority.uri, "member:bench", frozenset({"data:read"}))

        overview = partial(services.authority.overview, actor, authority.uri)
        found = overview()
        assert (found["filings"], found["makers"]) == (FILINGS, MAKERS)
        page = partial(services.filings.page, actor, authority.uri, box="authority", state="filed", group="NMC")
        assert len(services.engagements.of_filing(actor, authority.uri, page()[0]["id"])) == 1
        reads: dict[str, Callable[[], object]] = {
            f"authority's overview over {FILINGS:,} filings and {ENTRIES:,} entries": overview,
            "a page of 100 filings of a state and a chemistry group": page,
            "coverage of 100 makers": partial(services.authority.coverage, actor, authority.uri),
            "the authority's page, from request to HTML": partial(_shown, authority),
            f"a page of 100 of a verifier's {ENGAGEMENTS:,} engagements": partial(
                services.engagements.page,
                Principal(VERIFIER, "member:bench", frozenset({"data:read"})),
                VERIFIER,
                box="verifier",
            ),
            "the engagements of a filing": partial(
                services.engagements.of_filing, actor, authority.uri, page()[0]["id"]
            ),
        }
        for operation, read in reads.items():
            read()
            yield limit(operation, 1000 * median(seconds(read, 1) for _ in range(ROUNDS)), ALLOWED_MS)
        exchange.close()


def _shown(authority: Company) -> None:
    answer = authority.admin.get("/authority")
    assert answer.status_code == 200, answer.text


def _fill(exchange: Exchange) -> None:
    """Write filings, their steps and models, and as many entries as a busy exchange has."""
    vault, now, chance = exchange.services.installation.vault, exchange.clock(), random.Random(1)
    filings: list[dict[str, Any]] = []
    steps: list[dict[str, Any]] = []
    models: list[dict[str, Any]] = []
    engagements: list[dict[str, Any]] = []
    index = 10
    for number in range(FILINGS):
        identity = new_jti(now, chance.randbytes)
        maker, group = f"https://maker-{number % MAKERS}.example", _GROUPS[number % len(_GROUPS)]
        reached = chance.randrange(len(_STATES))
        product = f"{maker}/packs/{number}"
        key = product_key(vault, product)
        figure = str(round(Decimal(chance.uniform(0.05, 0.12)), 12)) if reached >= 3 else None
        told = Told(
            product, f"P{number}", "Plant 1", "CN", _CHEMISTRIES[group], group, "100", (), figure, "kg CO2e/kWh"
        )
        model = Model(product, f"P{number}", _CHEMISTRIES[group], Decimal(100), now.date())
        filings.append(
            {
                "id": identity,
                "filer": maker,
                "product_key": key,
                "group_key": group_key(vault, group),
                "state": _STATES[reached],
                "data": "",
                "open_remarks": "",
                "sealed": hide_told(vault, identity, told),
                "registered_at": now,
                "entered_at": now,
            }
        )
        for step, (before, state) in zip(_WAY, pairwise(_STATES[: reached + 1]), strict=False):
            index += 1
            row = {"filing": identity, "index": index, "leaf_hash": f"{index:064x}", "step": step, "signer": maker}
            took = chance.randrange(3600, 40 * 86_400)
            steps.append(row | {"before": before, "state": state, "seconds": took, "at": now + timedelta(seconds=took)})
        engagements.append(
            {
                "id": chance.randbytes(32).hex(),
                "filing": identity,
                "filer": maker,
                "verifier": f"https://verifier-{number % 2}.example",
                "state": "asked",
                "sealed": b"",
                "asked_at": now,
                "entered_at": now,
            }
        )
        models.append(
            {"product_key": key, "owner": maker, "index": 10_000_000 + number, "sealed": hide_model(vault, key, model)}
        )
    with begin(exchange.services.installation.engine) as connection, Session(connection) as session:
        filled = ((FilingRow, filings), (FilingStepRow, steps), (ModelRow, models), (EngagementRow, engagements))
        for table, values in filled:
            session.execute(insert(table), values)
        session.flush()
        connection.execute(text(_STATEMENTS), {"many": ENTRIES})
        connection.execute(text("ANALYZE"))


#: As many statements as there are entries, which no read of an authority may go through.
_STATEMENTS = """
WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 1000 + :many)
INSERT INTO exchange_statement ("index", leaf_hash, issuer, jti, vct, product, signing_input, admitted_at, withheld)
SELECT i, lower(hex(randomblob(32))), 'https://maker-' || (i % 500) || '.example', 'jti-' || i,
       'urn:packtrace:activity-data:1', lower(hex(randomblob(32))), lower(hex(randomblob(32))), '2026-01-05T08:00:00.000000Z', 0
FROM n
"""
