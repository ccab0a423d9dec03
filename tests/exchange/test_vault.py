"""Encryption at rest: what a stolen disk shows, rows that were moved, master keys that follow each other, and a database from before."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, column, func, inspect, select, table, text, update
from sqlmodel import col

from exchange import database
from exchange.backup import back_up, put_back
from exchange.database import engine_for
from exchange.errors import DamagedError, SetupError
from exchange.installation import rotate_vault
from exchange.kinds import ACTIVITY_DATA, BILL_OF_MATERIALS, CERTIFICATE_RETIREMENT
from exchange.upgrading import encrypt_plain
from exchange.vault import DataKeyRow, MasterKeyRow, SealedRow, make_master
from exchange.web_process import open_web, split
from ledger.store import begin, snapshot
from tests.flow.world import PASSPHRASE, SITE, START, Exchange, Member, activity, bill, line

#: Disclosed below, and in no open claim.
SECRETS = (b"odd remark", b"products/salt", b"products/part", b"products/retirement", b"4711.25", b"ZZ-2025-")


class CutError(Exception):
    """The fault that is injected."""


def retirement(member: Member, first: int = 100, name: str = "retirement") -> dict[str, Any]:
    return {
        "sub": member.product(name),
        "registry": "GEC",
        "serials": [{"id": "s", "first": f"ZZ-2025-{first:06}", "last": f"ZZ-2025-{first + 99:06}"}],
        "energy": {"amount": "100", "unit": "MWh", "obtained": "measured"},
        "month": "2025-06",
        "generation": "wind",
        "region": "CN",
        "site": SITE,
    }


def filled(exchange: Exchange) -> tuple[dict[str, Any], dict[str, Any]]:
    """Statements of two companies and a result; the supplier's citation and the answer with the result."""
    supplier, maker = exchange.member("supplier"), exchange.member("maker")
    ore = {**line(name="ore", flow="nickel-sulfate"), "amount": "4711.25"}
    cited = supplier.state(ACTIVITY_DATA, activity(supplier.product("salt"), ore, remark="odd remark"))
    assert supplier.grant(cited, maker).status_code == 201
    component = {**line(name="salt", product=supplier.product("salt")), "citation": cited}
    maker.state(BILL_OF_MATERIALS, bill(maker.product("part"), components=[component]))
    answer = exchange.footprint(maker.product("part"), maker.uri)
    assert answer.status_code == 201, answer.text
    return cited, answer.json()


def sealed_rows(connection: Connection, what: str = "disclosures") -> list[Any]:
    query = select(col(SealedRow.subject), col(SealedRow.key), col(SealedRow.data)).where(col(SealedRow.what) == what)
    return list(connection.execute(query.order_by(col(SealedRow.subject))))


def disclosures_in(exchange: Exchange) -> tuple[bytes, ...]:
    """Every disclosure of every statement as it came in, base64url."""
    with snapshot(exchange.services.installation.engine) as connection:
        texts = [opened(exchange, connection, "disclosures", row.subject) for row in sealed_rows(connection)]
    found = tuple(one.encode() for joined in texts for one in joined.split("~"))
    assert len(found) > 20
    return found


def everything_in(exchange: Exchange, folder: Path) -> bytes:
    """All bytes of the database: SQLite's files, or each row of each table of PostgreSQL's; and those of a copy without the keys."""
    engine = exchange.services.installation.engine
    if engine.dialect.name == "sqlite":
        file = str(engine.url.database)
        live = b"".join(Path(f"{file}{rest}").read_bytes() for rest in ("", "-wal") if Path(f"{file}{rest}").exists())
    else:
        with snapshot(engine) as connection:
            rows = [
                connection.execute(select(text("*")).select_from(table(name))).all()
                for name in inspect(engine).get_table_names()
            ]
        live = b"".join(
            bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
            for row in itertools.chain(*rows)
            for value in row
        )
    if folder.exists() or engine.dialect.name != "sqlite":
        return live
    back_up(exchange.services.installation.folder, exchange.url, folder, START)
    return live + (folder / "database.sqlite").read_bytes()


def test_a_stolen_database_shows_neither_what_was_disclosed_nor_figures(exchange: Exchange, tmp_path: Path) -> None:
    cited, found = filled(exchange)
    supplier = exchange.member("supplier")
    answer = exchange.post(supplier.sign(CERTIFICATE_RETIREMENT, retirement(supplier)))
    assert answer.status_code == 201, answer.text
    data = everything_in(exchange, tmp_path / "copy")
    assert cited["leaf_hash"].encode() in data
    figures = [found["result"]["headline"]["value"], found["result"]["total"]["value"]]
    figures += [part["kg_co2e"] for part in found["result"]["contributions"]]
    assert figures[0] is not None
    for secret in (*SECRETS, *disclosures_in(exchange), *(figure.encode() for figure in figures if len(figure) > 5)):
        assert secret not in data, secret


def swapped(connection: Connection, column: str) -> None:
    one, other = sealed_rows(connection)[:2]
    for row, taken in ((one, other), (other, one)):
        this = (col(SealedRow.what) == "disclosures", col(SealedRow.subject) == row.subject)
        values = {"data": taken.data} if column == "data" else {"key": taken.key, "data": taken.data}
        connection.execute(update(SealedRow).where(*this).values(values))


def exchanged_keys(connection: Connection) -> None:
    keys = connection.execute(select(col(DataKeyRow.id), col(DataKeyRow.wrapped)).where(col(DataKeyRow.id) != "index"))
    one, other = keys.all()[:2]
    for row, taken in ((one, other), (other, one)):
        connection.execute(update(DataKeyRow).where(col(DataKeyRow.id) == row.id).values(wrapped=taken.wrapped))


MOVES: dict[str, Callable[[Connection], object]] = {
    "ciphertexts": lambda connection: swapped(connection, "data"),
    "ciphertexts with their keys": lambda connection: swapped(connection, "both"),
    "digests": lambda connection: connection.execute(update(SealedRow).values(digest="ab" * 32)),
    "lost keys": lambda connection: connection.execute(update(SealedRow).values(key="ab" * 16)),
    "a cut": lambda connection: connection.execute(update(SealedRow).values(data=b"short")),
}


@pytest.mark.parametrize("move", MOVES)
def test_rows_that_were_moved_or_changed_do_not_open(exchange: Exchange, move: str) -> None:
    supplier = exchange.member("supplier")
    for name in ("salt", "acid"):
        supplier.state(ACTIVITY_DATA, activity(supplier.product(name)))
    installation = exchange.services.installation
    with begin(installation.engine) as connection:
        MOVES[move](connection)
        first = sealed_rows(connection)[0].subject
    where = f"exchange_sealed, disclosures {first}"
    with snapshot(installation.engine) as connection, pytest.raises(DamagedError, match=where):
        installation.vault.open_(connection, "disclosures", first)
    answer = exchange.footprint(supplier.product("salt"), supplier.uri)
    assert (answer.status_code, answer.json()["code"]) == (500, "damaged")


def test_exchanged_data_keys_do_not_open(exchange: Exchange) -> None:
    supplier = exchange.member("supplier")
    for name in ("salt", "acid"):
        supplier.state(ACTIVITY_DATA, activity(supplier.product(name)))
    installation = exchange.services.installation
    with begin(installation.engine) as connection:
        exchanged_keys(connection)
        first = sealed_rows(connection)[0].subject
    with snapshot(installation.engine) as connection, pytest.raises(DamagedError, match=first):
        installation.vault.open_(connection, "disclosures", first)


def test_a_damaged_row_is_mended_by_sending_the_statement_again(exchange: Exchange) -> None:
    """The remedy that the error names."""
    supplier = exchange.member("supplier")
    issued = supplier.sign(ACTIVITY_DATA, activity(supplier.product("salt")))
    assert exchange.post(issued).status_code == 201
    with begin(exchange.services.installation.engine) as connection:
        MOVES["a cut"](connection)
    assert exchange.post(issued).status_code == 200
    assert exchange.footprint(supplier.product("salt"), supplier.uri).status_code == 201


def test_certificates_are_found_by_blinded_series_and_hidden_spans(exchange: Exchange) -> None:
    supplier, rival = exchange.member("supplier"), exchange.member("rival")
    assert exchange.post(supplier.sign(CERTIFICATE_RETIREMENT, retirement(supplier))).status_code == 201
    clash = exchange.post(rival.sign(CERTIFICATE_RETIREMENT, retirement(rival, 199)))
    assert (clash.status_code, clash.json()["code"]) == (409, "double_claim")
    assert exchange.post(rival.sign(CERTIFICATE_RETIREMENT, retirement(rival, 200))).status_code == 201
    again = exchange.post(supplier.sign(CERTIFICATE_RETIREMENT, retirement(supplier)))
    assert again.status_code == 201, "under its own name it corrects itself"


# -- master keys -----------------------------------------------------------------------------------------------------


def rotated(exchange: Exchange, progress: Callable[[int, int], None] | None = None) -> tuple[str, int]:
    folder = exchange.services.installation.folder
    engine = engine_for(exchange.url)
    try:
        return rotate_vault(folder, engine, passphrase=PASSPHRASE, random=os.urandom, now=START, progress=progress)
    finally:
        engine.dispose()


def masters(exchange: Exchange) -> tuple[list[str], list[str]]:
    """The master keys by their files, and by the rows that data keys name."""
    files = sorted(path.name for path in (exchange.services.installation.folder / "keys").glob("vault.*"))
    with snapshot(exchange.services.installation.engine) as connection:
        named = connection.scalars(select(col(DataKeyRow.master)).distinct()).all()
    return files, sorted(named)


def test_a_master_key_is_followed_while_the_exchange_runs(exchange: Exchange) -> None:
    _cited, found = filled(exchange)
    before, told = masters(exchange), []
    current, done = rotated(exchange, lambda *step: told.append(step))
    after = masters(exchange)
    assert after == ([f"vault.{current}"], [current])
    assert before != after
    assert told[-1] == (done, done)
    assert done >= 4, "two statements, a result, the index key"
    # The process that was there all the while reads on, and writes under the new key.
    assert exchange.http.get(f"/api/v1/footprints/{found['digest']}").json() == found["result"]
    maker = exchange.member("maker")
    maker.state(ACTIVITY_DATA, activity(maker.product("later")))
    assert masters(exchange) == after
    again = Exchange.open(exchange.services.installation.folder, exchange.url, clock=exchange.clock)
    assert again.http.get(f"/api/v1/footprints/{found['digest']}").json() == found["result"]
    again.close()


def test_writers_go_on_during_a_rotation(exchange: Exchange) -> None:
    maker = exchange.member("maker")
    filled(exchange)
    cited: list[dict[str, Any]] = []

    def meanwhile(_done: int, _left: int) -> None:
        cited.append(maker.state(ACTIVITY_DATA, activity(maker.product(f"meanwhile-{len(cited)}"))))

    current, _done = rotated(exchange, meanwhile)
    assert cited
    assert masters(exchange)[1] == [current]


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exchange.vault.rotation._BATCH", 1)


@pytest.mark.usefixtures("small_steps")
def test_a_rotation_that_is_cut_anywhere_goes_on(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before each commit, and before each file is renamed or removed; whatever state it leaves, everything opens."""
    _cited, found = filled(exchange)
    for number in itertools.count(1):
        with monkeypatch.context() as patched, _Cut(number, patched) as reached:
            with contextlib.suppress(CutError):
                rotated(exchange)
            assert exchange.http.get(f"/api/v1/footprints/{found['digest']}").json() == found["result"]
            again = Exchange.open(exchange.services.installation.folder, exchange.url, clock=exchange.clock)
            assert again.http.get(f"/api/v1/footprints/{found['digest']}").json() == found["result"]
            again.close()
        if len(reached) < number:
            break
        rotated(exchange)
    assert number > 10
    with snapshot(exchange.services.installation.engine) as connection:
        assert connection.scalar(select(func.count()).select_from(MasterKeyRow)) == 1
        assert not connection.scalars(select(col(MasterKeyRow.id)).where(~col(MasterKeyRow.current))).all()


class _Cut:
    """Raises at the `number`-th commit of a writer, rename or removal of a vault key within the rotation."""

    def __init__(self, number: int, patched: pytest.MonkeyPatch) -> None:
        self.number, self.reached = number, list[str]()
        for name in ("rename", "unlink"):
            real = getattr(Path, name)
            patched.setattr(Path, name, self._wrapped(name, real))
        real_begin = database.begin
        patched.setattr("exchange.vault.rotation.begin", self._wrapped("begin", real_begin))
        patched.setattr("exchange.vault.rotation.make_master", self._wrapped("make", make_master))

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any, **options: Any) -> Any:
            if name in ("rename", "unlink") and not str(arguments[0].name).startswith("vault."):
                return real(*arguments, **options)
            self.reached.append(name)
            if len(self.reached) == self.number:
                raise CutError
            return real(*arguments, **options)

        return wrapper

    def __enter__(self) -> list[str]:
        return self.reached

    def __exit__(self, *_error: object) -> None:
        return None


def test_a_rotation_reaches_the_folder_of_the_web_processes_before_the_key_is_used(exchange: Exchange) -> None:
    _cited, found = filled(exchange)
    folder = exchange.services.installation.folder
    web = folder.with_name("web")
    split(folder, PASSPHRASE, web, os.urandom)
    installation = open_web(
        web,
        exchange.services.installation.engine,
        origin=None,
        passphrase=None,
        clock=exchange.clock,
        random=os.urandom,
    )
    with begin(installation.engine) as connection:
        installation.vault.seal(connection, "result", "a" * 64, b"before")

    def meanwhile(done: int, _of: int) -> None:
        with begin(installation.engine) as connection:
            installation.vault.seal(connection, "result", f"{done:064}", b"meanwhile")

    rotate_vault(
        folder,
        installation.engine,
        passphrase=PASSPHRASE,
        random=os.urandom,
        now=exchange.clock(),
        also=[web],
        progress=meanwhile,
    )
    names = {path.name for path in (folder / "keys").glob("vault.*")}
    assert {path.name for path in (web / "keys").glob("vault.*")} == names
    assert len(names) == 1
    again = open_web(web, installation.engine, origin=None, passphrase=None, clock=exchange.clock, random=os.urandom)
    with snapshot(installation.engine) as connection:
        assert again.vault.open_(connection, "result", "a" * 64) == b"before"
        assert again.vault.open_(connection, "result", found["digest"]) is not None


def test_a_missing_master_key_is_named_with_what_to_do(exchange: Exchange) -> None:
    filled(exchange)
    (name,) = masters(exchange)[0]
    file = exchange.services.installation.folder / "keys" / name
    content = file.read_bytes()
    file.unlink()
    with pytest.raises(SetupError, match=rf"{re.escape(name)}\); use this database's own data folder, or restore"):
        Exchange.open(file.parents[1], exchange.url)
    assert not list(file.parent.glob("vault.*")), "no other one is made in its place"
    file.write_bytes(content)
    file.chmod(0o600)
    Exchange.open(file.parents[1], exchange.url).close()


def test_another_master_key_under_the_name_is_refused(sqlite_exchange: Exchange, tmp_path: Path) -> None:
    other = Exchange.open(tmp_path / "other", f"sqlite:///{tmp_path / 'other.sqlite'}")
    other.close()
    (taken,) = (tmp_path / "other" / "keys").glob("vault.*")
    (name,) = masters(sqlite_exchange)[0]
    file = sqlite_exchange.services.installation.folder / "keys" / name
    file.write_bytes(taken.read_bytes())
    with pytest.raises(SetupError, match="not the one of its name"):
        Exchange.open(file.parents[1], sqlite_exchange.url)


def test_a_copy_from_before_a_rotation_brings_its_own_master_key(sqlite_exchange: Exchange, tmp_path: Path) -> None:
    _cited, found = filled(sqlite_exchange)
    folder = sqlite_exchange.services.installation.folder
    back_up(folder, sqlite_exchange.url, tmp_path / "copy", START)
    (old,) = masters(sqlite_exchange)[0]
    rotated(sqlite_exchange)
    put_back(tmp_path / "copy", folder, f"sqlite:///{tmp_path / 'back.sqlite'}")
    assert old in masters(sqlite_exchange)[0]
    restored = Exchange.open(folder, f"sqlite:///{tmp_path / 'back.sqlite'}", clock=sqlite_exchange.clock)
    assert restored.http.get(f"/api/v1/footprints/{found['digest']}").json() == found["result"]
    restored.close()


# -- a database from before ------------------------------------------------------------------------------------------


@pytest.fixture
def from_before(exchange: Exchange) -> tuple[Exchange, dict[str, Any]]:
    """An exchange whose database is of the version before the vault, with rows in the clear; and its result."""
    _cited, found = filled(exchange)
    supplier, installation = exchange.member("supplier"), exchange.services.installation
    assert exchange.post(supplier.sign(CERTIFICATE_RETIREMENT, retirement(supplier))).status_code == 201
    with snapshot(installation.engine) as connection:
        plain = {
            what: {
                row.subject: opened(exchange, connection, what, row.subject) for row in sealed_rows(connection, what)
            }
            for what in ("disclosures", "result")
        }
        results = [dict(row._mapping) for row in connection.execute(text("SELECT * FROM exchange_result"))]
    config = Config()
    config.set_main_option("script_location", str(database._MIGRATIONS))
    with begin(installation.engine) as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0005_identity")
        for leaf, disclosures in plain["disclosures"].items():
            row = {"leaf": leaf, "text": disclosures}
            connection.execute(text("INSERT INTO exchange_disclosure VALUES (:leaf, :text)"), row)
        for row in results:
            values = {
                **row,
                "product": found["result"]["demand"]["product"],
                "document": plain["result"][row["digest"]],
            }
            connection.execute(table("exchange_result", *map(column, values)).insert(), values)
        connection.execute(text("DELETE FROM exchange_product_link"))
        link = "INSERT INTO exchange_product_link VALUES (8, 'https://maker.example/products/part', :component)"
        connection.execute(text(link), {"component": supplier.product("salt")})
        range_ = "INSERT INTO exchange_retired_certificate VALUES (9, 's', :name, :series, 100, 199)"
        connection.execute(text(range_), {"name": supplier.product("retirement"), "series": "cd" * 32})
    return exchange, found


def opened(exchange: Exchange, connection: Connection, what: Any, subject: str) -> str:
    found = exchange.services.installation.vault.open_(connection, what, subject)
    assert found is not None
    return found.decode()


def test_a_database_from_before_comes_out_with_nothing_in_the_clear(
    from_before: tuple[Exchange, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the start that encrypts is cut after each of its steps."""
    exchange, found = from_before
    before = everything_in(exchange, tmp_path)
    assert b"products/part" in before, "the clear text was there"
    folder = exchange.services.installation.folder
    monkeypatch.setattr("exchange.upgrading._BATCH", 1)
    cuts = 0
    real = database.begin

    def cut(engine: Engine) -> Any:
        nonlocal cuts
        begun[0] += 1
        if begun[0] == 2:
            cuts += 1
            raise CutError
        return real(engine)

    with monkeypatch.context() as patched:
        patched.setattr("exchange.upgrading.begin", cut)
        for _start in range(4):
            begun = [0]
            with pytest.raises(CutError):
                Exchange.open(folder, exchange.url, clock=exchange.clock)
    assert cuts == 4
    again = Exchange.open(folder, exchange.url, clock=exchange.clock)
    assert again.http.get(f"/api/v1/footprints/{found['digest']}").json() == found["result"]
    data = everything_in(again, tmp_path)
    disclosures = disclosures_in(again)
    assert all(one in before for one in disclosures)
    for secret in (*SECRETS, *disclosures, found["result"]["headline"]["value"].encode()):
        assert secret not in data, secret
    installation = again.services.installation
    assert encrypt_plain(installation.engine, installation.vault) == 0
    again.members = {"supplier": exchange.member("supplier"), "maker": exchange.member("maker")}
    loop = exchange.member("supplier").sign(
        BILL_OF_MATERIALS,
        bill(exchange.member("supplier").product("salt"), exchange.member("maker").product("part")),
    )
    refused = again.post(loop)
    assert refused.json()["code"] == "cycle", "links that were blinded at the start are walked"
    again.close()


def test_what_is_deleted_is_overwritten_in_sqlite(sqlite_exchange: Exchange) -> None:
    with begin(sqlite_exchange.services.installation.engine) as connection:
        assert connection.execute(text("PRAGMA secure_delete")).scalar() == 1
