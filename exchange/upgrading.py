"""What a migration can't do, since it has no keys: encrypt what a database from before the vault held in the clear.

The migration sets it aside in `exchange_plain`; here it is encrypted in batches, each in a transaction of its own, so that a start that
is killed goes on where it was. Nothing is served before it is over.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from sqlalchemy import Connection, Engine, delete, insert, select, update
from sqlmodel import col

from exchange.calculation.tables import ResultInputRow, ResultRow
from exchange.database import forget_pages
from exchange.intake import blinded_series
from exchange.intake.tables import ProductLinkRow, RetiredCertificateRow, StatementRow
from exchange.vault import PlainRow, Vault
from ledger.store import begin

_BATCH = 200
#: In every URI, and in no blinded one.
_PLAIN_URI = "%:%"


def encrypt_plain(engine: Engine, vault: Vault) -> int:
    """Encrypt what is still in the clear; return how many rows there were. Then nothing of them is left in the database's files."""
    done = sum(_drained(engine, vault, step) for step in (_sealed, _products, _links, _results))
    if done:
        forget_pages(engine, ["exchange_plain", "exchange_statement", "exchange_product_link", "exchange_result"])
    return done


def _drained(engine: Engine, vault: Vault, step: Callable[[Connection, Vault], int]) -> int:
    done, moved = 0, 1
    while moved:
        with begin(engine) as connection:
            moved = step(connection, vault)
        done += moved
    return done


def _sealed(connection: Connection, vault: Vault) -> int:
    columns = (col(PlainRow.what), col(PlainRow.subject), col(PlainRow.text))
    rows = connection.execute(select(*columns).limit(_BATCH)).all()
    for row in rows:
        if row.what == "certificate":
            index, line = row.subject.split("/", 1)
            name, series, first, last = row.text.split("\n")
            connection.execute(
                insert(RetiredCertificateRow),
                {
                    "index": int(index),
                    "line": line,
                    "name": vault.blind(name),
                    "series": blinded_series(vault, series),
                    "span": vault.hide(f"{first} {last}", "exchange_retired_certificate", index, line),
                },
            )
        else:
            vault.seal(connection, row.what, row.subject, row.text.encode())
        if row.what == "result":
            leaves = {one["leaf_hash"] for one in json.loads(row.text)["inputs"]}
            for leaf in sorted(leaves):
                connection.execute(insert(ResultInputRow), {"digest": row.subject, "leaf_hash": leaf})
        connection.execute(delete(PlainRow).where(col(PlainRow.what) == row.what, col(PlainRow.subject) == row.subject))
    return len(rows)


def _products(connection: Connection, vault: Vault) -> int:
    table = col(StatementRow.product)
    products = connection.scalars(select(table).where(table.like(_PLAIN_URI)).distinct().limit(_BATCH)).all()
    for product in products:
        connection.execute(update(StatementRow).where(table == product).values(product=vault.blind(str(product))))
    return len(products)


def _links(connection: Connection, vault: Vault) -> int:
    columns = (col(ProductLinkRow.index), col(ProductLinkRow.product), col(ProductLinkRow.component))
    rows = connection.execute(select(*columns).where(columns[1].like(_PLAIN_URI)).limit(_BATCH)).all()
    for row in rows:
        this = (
            col(ProductLinkRow.index) == row.index,
            col(ProductLinkRow.product) == row.product,
            col(ProductLinkRow.component) == row.component,
        )
        blinded = {"product": vault.blind(row.product), "component": vault.blind(row.component)}
        connection.execute(update(ProductLinkRow).where(*this).values(blinded))
    return len(rows)


def _results(connection: Connection, vault: Vault) -> int:
    table = col(ResultRow.product)
    products = connection.scalars(select(table).where(table.like(_PLAIN_URI)).distinct().limit(_BATCH)).all()
    for product in products:
        connection.execute(update(ResultRow).where(table == product).values(product=vault.blind(product)))
    return len(products)
