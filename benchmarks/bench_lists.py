"""Lists and look-ups with ten thousand rows in every table against the same with a million, all of one organisation's."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import cast

from sqlalchemy import Engine, insert

from benchmarks.measure import Row, compare, limit, seconds
from exchange.identity.registration import MAX_OPEN
from exchange.intake import Receipt, Submission
from exchange.kinds import ACTIVITY_DATA, BILL_OF_MATERIALS
from exchange.sharing.tables import GrantRow
from ledger.store import begin
from signer import new_jti
from tests.flow.accounts import Company
from tests.flow.world import EVERBATT, Exchange, Member, activity, bill, line

FEW, MANY = 10_000, 1_000_000
LINES = 2_000
_ID = "printf('01900000-%04x-7000-8000-%012x', n / 65536, n)"
_LEAF = "CAST(printf('%032d', n) AS BLOB)"
_AT = "printf('2026-01-01T00:00:00.%06dZ', n)"
_DUE = "printf('2099-01-01T00:00:00.%06dZ', n)"
_US, _THEM = "'https://maker.example'", "'https://other.example'"
#: Table -> column -> its value in row `n`. Ids ascend, as those of the exchange do.
_FILLED = {
    "ledger_entry": {'"index"': "n + 1000", "leaf_hash": _LEAF, "chain": _LEAF, "data": "'x'"},
    "exchange_statement": {
        '"index"': "n + 1000",
        "leaf_hash": f"lower(hex({_LEAF}))",
        "issuer": _US,
        "jti": _ID,
        "vct": "'urn:packtrace:activity-data:1'",
        "product": "printf('%064x', n)",
        "signing_input": "'0'",
        "admitted_at": _AT,
        "withheld": "0",
    },
    "exchange_event": {
        "id": _ID,
        "recipient": _US,
        "type": "'packtrace.request.received'",
        "subject": "'/api/v1/requests'",
        "data": "'{}'",
        "time": _AT,
    },
    "exchange_product": {
        "uri": "printf('https://maker.example/p/%08d', n)",
        "owner": _US,
        "name": "'p'",
        "unit": "'kg'",
        "kind": "'material'",
        "recorded_by": "'x'",
        "recorded_at": _AT,
    },
    "exchange_part": {
        "id": _ID,
        "customer": _US,
        "part": "printf('%08d', n)",
        "supplier": _THEM,
        "product": "printf('https://other.example/p/%08d', n)",
        "state": "'proposed'",
        "proposed_by": _US,
        "recorded_by": "'x'",
        "proposed_at": _AT,
    },
    "exchange_request": {
        "id": _ID,
        "asker": _US,
        "asked": _THEM,
        "client_id": _ID,
        "content": "'0'",
        "product": "'https://other.example/p'",
        "wanted": "'activity-data'",
        "rule_sets": "''",
        "period_start": "'2025-01-01'",
        "period_end": "'2025-12-31'",
        "deadline": _DUE,
        "message": "''",
        "state": "'open'",
        "asked_by": "'x'",
        "asked_at": _AT,
        "named": "0",
    },
    "exchange_grant": {
        "id": _ID,
        "owner": _US,
        "grantor": _US,
        "reader": _THEM,
        "leaf_hash": "CASE n % 2 WHEN 0 THEN printf('%064x', n) END",
        "product": "CASE n % 2 WHEN 1 THEN 'https://maker.example/p' END",
        "product_key": "CASE n % 2 WHEN 1 THEN printf('%064x', n) END",
        "kind": "CASE n % 2 WHEN 1 THEN 'urn:packtrace:activity-data:1' END",
        "paths": "'full'",
        "purpose": "'customer'",
        "onward": "'none'",
        "recorded_by": "'x'",
        "recorded_at": _AT,
    },
    "exchange_access": {
        "id": _ID,
        "owner": _US,
        "reader": _THEM,
        "leaf_hash": "printf('%064x', n)",
        "act": "'read'",
        "day": "'2026-01-01'",
        "paths": "'full'",
        "paths_digest": "'0'",
        "first_at": _AT,
        "last_at": _AT,
        "count": "1",
    },
    "exchange_export_record": {
        "id": _ID,
        "grant_id": _ID,
        "owner": _US,
        "grantor": _US,
        "reader": _THEM,
        "from_country": "'CN'",
        "to_country": "'DE'",
        "paths": "'full'",
        "purpose": "'customer'",
        "reason": "'x'",
        "recorded_at": _AT,
    },
    "exchange_current_result": {
        "reader": _US,
        # Spread over all digests, as products are.
        "product": "printf('%08x%056x', (n * 2654435761) & 4294967295, n)",
        "flow": "''",
        "rule_set": f"'{EVERBATT.id}'",
        "result": "'RESULT'",
        "computed_at": _AT,
    },
    "exchange_organisation": {
        "uri": "printf('https://o%08d.example', n)",
        "name": "'o'",
        "thumbprint": "'0'",
        "certificate": "'x'",
        "key_event": "0",
        "roles": "'supplier'",
    },
    "exchange_registration": {
        "id": _ID,
        "uri": "printf('https://r%08d.example', n)",
        # As many wait as may, at most.
        "state": f"CASE WHEN n < {MAX_OPEN} THEN 'applied' ELSE 'refused' END",
        "document": "'{}'",
        "email": "printf('%08d@r.example', n)",
        "password": "'x'",
        "applied_at": _AT,
    },
}
_LAST = "01900000-{:04x}-7000-8000-{:012x}"
#: What is asked, by the organisation's program unless it is the `operator`'s or the `reader`'s; words in capitals stand for values.
_ASKED = {
    "inbox": "/api/v1/inbox?limit=100",
    "inbox, unread": "/api/v1/inbox?limit=100&unread=true",
    "products": "/api/v1/products?after=https://maker.example/p/00005000",
    "parts": "/api/v1/parts?side=customer&after=AFTER",
    "requests": "/api/v1/requests?box=outbox&after=AFTER",
    "board": "/api/v1/board?side=asker&after=AFTER",
    "grants given": "/api/v1/grants?direction=given&after=AFTER",
    "reader: grants received": "/api/v1/grants?direction=received&after=AFTER",
    "access log": "/api/v1/access-log?after=AFTER",
    "export records": "/api/v1/export-records?after=AFTER",
    "results": "/api/v1/footprints?after=RESULT&limit=20",
    "organisations": "/api/v1/organisations?after=https://o00005000.example",
    "operator: registrations": "/api/v1/registrations?after=AFTER",
    "an entry by index": "/api/v1/entries/INDEX",
    "an entry by leaf hash": "/api/v1/entries?leaf_hash=LEAF",
    "reader: another's entry": "/api/v1/entries/INDEX",
    "a statement": "/api/v1/statements/LEAF",
    "reader: a granted statement": "/api/v1/statements/LEAF",
}


class _Filled:
    """An exchange with so many rows, and who asks it."""

    def __init__(self, folder: Path, count: int) -> None:
        self._exchange = Exchange.open(folder, f"sqlite:///{folder / 'exchange.sqlite'}")
        maker, other = Company.join(self._exchange, "maker"), Company.join(self._exchange, "other")
        issued = maker.member.sign(ACTIVITY_DATA, activity(maker.member.product("p")))
        stated = self._exchange.services.installation.intake.submit(issued.token, issued.disclosures)
        granted = {"owner": maker.uri, "reader": other.uri, "leaf_hash": stated.leaf_hash, "paths": ["full"]}
        granted["purpose"] = "customer"
        answer = maker.admin.post("/api/v1/grants", json=granted)
        assert answer.status_code == 201, answer.text
        demand = {"product": maker.member.product("p"), "rule_set": EVERBATT.id, "reader": maker.uri}
        made = maker.admin.post("/api/v1/footprints", json=demand)
        assert made.status_code == 201, made.text
        self._values = {"LEAF": stated.leaf_hash, "INDEX": str(stated.index), "AFTER": _LAST.format(0, 5000)}
        self._values["RESULT"] = made.json()["digest"]
        self._askers = {"": maker.admin, "reader": other.admin, "operator": self._exchange.http}
        _fill(self._exchange.services.installation.engine, count, made.json()["digest"])

    def ask(self, name: str) -> None:
        """Ask for one of `_ASKED`."""
        who, _, _rest = name.rpartition(": ")
        path = _ASKED[name]
        for placeholder, value in self._values.items():
            path = path.replace(placeholder, value)
        answer = self._askers[who].get(path)
        assert answer.status_code == 200, f"{name}: {answer.text}"

    def close(self) -> None:
        """End it."""
        self._exchange.close()


def rows() -> Iterator[Row]:
    """Measure each list and look-up through the application: the rate with a million rows, against that with ten thousand."""
    with tempfile.TemporaryDirectory() as name:
        few, many = (_Filled(Path(name) / str(count), count) for count in (FEW, MANY))
        for asked in _ASKED:
            yield compare(
                f"{asked}, of {MANY:,} rows",
                lambda asked=asked: many.ask(asked),  # type: ignore[misc]
                lambda asked=asked: few.ask(asked),  # type: ignore[misc]
                reference_name=f"of {FEW:,} rows",
                goal=">=0.8",
                unit="requests per second",
            )
        few.close()
        many.close()
    yield from _of_a_pack()


def _of_a_pack() -> Iterator[Row]:
    """What the maker of a pack may see of the statements that its lines are traced to, when an entry has come in since it last asked;
    and its bill of materials on the way in."""
    with tempfile.TemporaryDirectory() as name:
        exchange = Exchange.open(Path(name) / "data", f"sqlite:///{Path(name) / 'exchange.sqlite'}")
        supplier, pack = exchange.member("supplier"), exchange.member("pack")
        installation, sharing = exchange.services.installation, exchange.services.sharing
        signed = (supplier.sign(ACTIVITY_DATA, activity(supplier.product(f"p{n}"))) for n in range(LINES))
        receipts = installation.intake.submit_all([Submission(one.token, one.disclosures) for one in signed])
        granted = {"owner": supplier.uri, "grantor": supplier.uri, "reader": pack.uri, "paths": "full"}
        granted |= {"purpose": "customer", "onward": "none", "recorded_by": "x"}
        now = exchange.clock()
        rows = [
            {**granted, "id": new_jti(now, os.urandom), "leaf_hash": one.leaf_hash, "recorded_at": now}
            for one in receipts
            if isinstance(one, Receipt)
        ]
        with begin(installation.engine) as connection:
            connection.execute(insert(GrantRow), rows)
        assert sum(entry.record.is_whole for entry in sharing.evidence_for(pack.uri).values() if entry.record) == LINES
        found = []
        for number in range(7):
            supplier.state(ACTIVITY_DATA, activity(supplier.product(f"later{number}")))
            found.append(1000 * seconds(lambda: sharing.evidence_for(pack.uri), 1))
        bills = iter(
            [_bill_of(pack, supplier, [one for one in receipts if isinstance(one, Receipt)], n) for n in range(3)]
        )
        admitted = [1000 * seconds(lambda: installation.intake.submit(*next(bills)), 1) for _ in range(3)]
        exchange.close()
    yield limit(f"inputs of a pack with {LINES:,} lines, after another entry", median(found), 100)
    yield limit(f"a bill of materials with {LINES:,} cited lines comes in", median(admitted), 1000)


def _bill_of(maker: Member, supplier: Member, cited: Sequence[Receipt], number: int) -> tuple[str, tuple[str, ...]]:
    """Token and disclosures of a bill whose lines cite statements of products `p0`, `p1` and so on."""
    lines = [
        {**line(name=f"part {n}", product=supplier.product(f"p{n}"))}
        | {"citation": {"origin": one.origin, "index": one.index, "leaf_hash": one.leaf_hash}}
        for n, one in enumerate(cited)
    ]
    issued = maker.sign(BILL_OF_MATERIALS, bill(maker.product(f"pack{number}"), components=lines))
    return issued.token, tuple(issued.disclosures)


def _fill(engine: Engine, count: int, result: str) -> None:
    connection = cast("sqlite3.Connection", engine.raw_connection().driver_connection)
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -200000")
    for table, columns in _FILLED.items():
        connection.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) WITH RECURSIVE some(n) AS "  # noqa: S608 - nothing of a sender's
            f"(SELECT 0 UNION ALL SELECT n + 1 FROM some WHERE n + 1 < {count}) "
            f"SELECT {', '.join(columns.values()).replace('RESULT', result)} FROM some"
        )
    connection.commit()
    connection.close()
    engine.dispose()
