"""Factor governance: an industry average over many verified footprints, and what a proposed release moves in many stored results."""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlmodel import Session

from benchmarks.measure import Row, limit
from bom_graph import (
    Edition,
    VerifiedFootprint,
    candidate_average,
    contributions_of,
    load_average_rules,
    load_release,
    load_rule_set,
    release_bytes,
)
from exchange.assembly import Demand, compute
from exchange.calculation.tables import CurrentRow, RestsOnRow, ResultRow
from exchange.governance import Moved, Tally
from exchange.kinds import load_policy
from exchange.report import Document, digest, document, document_bytes
from ledger.store import begin
from tests.connectors.supply_chain import SupplyChain
from tests.flow.world import Exchange, Member

FOOTPRINTS, GROUPS, MODELS = 100_000, 2_000, 10_000
_BATCH = 500
_RULES = "cn-miit-551-trial"


def rows() -> Iterator[Row]:
    """Both against what is allowed."""
    yield _average()
    yield _effect()


def _average() -> Row:
    """From the footprints to the decision, with two editions before it; each group's production changed between them."""
    rules = load_average_rules()
    earlier: list[Edition] = []
    for year in (2023, 2024):
        contributions = contributions_of(_footprints(year), flow="salt", region="CN", year=year)
        found = candidate_average(contributions, rules, year=year, made_on=date(year + 1, 3, 1), earlier=earlier)
        if found.value is None:
            raise AssertionError(found.withheld)
        earlier.append(Edition(year, date(year + 1, 3, 1), found.value, found.contributions))
    footprints = _footprints(2025)
    start = time.perf_counter()
    contributions = contributions_of(footprints, flow="salt", region="CN", year=2025)
    found = candidate_average(contributions, rules, year=2025, made_on=date(2026, 3, 1), earlier=earlier)
    took = time.perf_counter() - start
    if found.value is None:
        raise AssertionError(found.withheld)
    return limit(f"average of {FOOTPRINTS:,} footprints, {GROUPS:,} groups, two editions before", 1e3 * took, 5_000)


def _footprints(year: int) -> list[VerifiedFootprint]:
    return [
        VerifiedFootprint(
            f"https://maker-{n}.example",
            f"group {n % GROUPS}",
            "salt",
            "CN",
            year,
            Decimal(500 + n * 7919 % 400) / 100,
            Decimal(10 + (n * 104729 + year * n) % 90),
            "kg",
        )
        for n in range(FOOTPRINTS)
    ]


def _effect() -> Row:
    """From the question to the last line; all results use changed rows, stand encrypted, and are the asker's to see."""
    with tempfile.TemporaryDirectory() as name:
        exchange = Exchange.open(Path(name) / "data", f"sqlite:///{Path(name) / 'exchange.sqlite'}")
        maker, maintainer = exchange.member("maker"), exchange.member("factors", "factor_maintainer")
        _store(exchange, maker, _pack())
        file: dict[str, Any] = json.loads(release_bytes("everbatt-2023")) | {"version": "2"}
        for row in file["rows"]:
            row["value"] = str(2 * Decimal(row["value"]))
        data = json.dumps(file)
        body = {"file": data, "digest": hashlib.sha256(data.encode()).hexdigest(), "organisation": maintainer.uri}
        proposal = exchange.http.post("/api/v1/factor-proposals", json=body).json()["id"]
        services = exchange.services
        start, moved, tally = time.perf_counter(), 0, Tally(0)
        for one in services.effects.of(services.standing_in, proposal):
            if isinstance(one, Moved):
                moved += one.after is not None and not one.recalculated
                continue
            tally = one
            if tally.done % (MODELS // 4) == 0:
                print(f"{tally.done:,} of {tally.total:,} results", file=sys.stderr)
        took = time.perf_counter() - start
        if not moved == tally.moved == MODELS:
            raise AssertionError(f"{moved} of {MODELS} moved")
        exchange.close()
    return limit(f"effect of a proposed release on {MODELS:,} stored pack models", 1e3 * took, 20_000)


def _pack() -> Document:
    chain = SupplyChain()
    pack = chain.pack("NMC622", "China", "recipe")
    rule_set = load_rule_set(_RULES)
    releases = [load_release(name) for name in rule_set.factor_releases]
    return document(compute(chain.simulator.evidence(), Demand(pack), rule_set, releases, load_policy()))


def _store(exchange: Exchange, maker: Member, pack: Document) -> None:
    """Store the pack's result under as many names, as results are stored."""
    key, size = load_release("everbatt-2023").digest, exchange.size
    engine, vault, now = exchange.services.installation.engine, exchange.services.installation.vault, exchange.clock()
    for start in range(0, MODELS, _BATCH):
        with begin(engine) as connection, Session(connection) as session:
            for n in range(start, start + _BATCH):
                found = pack | {"demand": pack["demand"] | {"product": maker.product(f"pack-{n}")}}
                name, product = digest(found), vault.blind(found["demand"]["product"])
                vault.seal(connection, "result", name, document_bytes(found))
                session.add_all(
                    [
                        ResultRow(
                            digest=name,
                            reader=maker.uri,
                            product=product,
                            rule_set=_RULES,
                            unit=found["headline"]["unit"],
                            complete=found["complete"],
                            computed_at=now,
                        ),
                        CurrentRow(
                            reader=maker.uri, product=product, flow="", rule_set=_RULES, result=name, computed_at=now
                        ),
                        RestsOnRow(key=key, result=name, reader=maker.uri, size=size),
                    ]
                )
            session.flush()
