"""Columns that give the same on both databases, and migrations that end where the models are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Engine, Integer, MetaData, Table, insert, inspect, select, text
from sqlalchemy.exc import DBAPIError, StatementError

from exchange import database
from exchange.database import DecimalText, UtcTime, engine_for, migrate
from exchange.tables import METADATA
from ledger import root
from ledger.store import begin, snapshot

SAMPLES = Table(
    "sample",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("amount", DecimalText()),
    Column("at", UtcTime()),
)
#: What a stored figure can be: at most 12 significant digits of any binary64 magnitude.
DECIMALS = st.builds(
    lambda sign, digits, exponent: Decimal((sign, digits, exponent)),
    st.sampled_from((0, 1)),
    st.lists(st.integers(0, 9), min_size=1, max_size=12).map(tuple),
    st.integers(-330, 310),
)
ZONES = st.sampled_from((UTC, timezone(timedelta(hours=8)), timezone(timedelta(hours=-9, minutes=-30))))
TIMES = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=ZONES)  # noqa: DTZ001 - hypothesis adds the zone


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = engine_for(database_url)
    yield made
    made.dispose()


@pytest.fixture
def samples(engine: Engine) -> Engine:
    SAMPLES.metadata.create_all(engine)
    return engine


def kept(engine: Engine, **values: object) -> object:
    """Write one row and read its value back."""
    ((name, value),) = values.items()
    with begin(engine) as connection:
        key = connection.execute(insert(SAMPLES).values({name: value})).inserted_primary_key
        assert key is not None
        return connection.scalar(select(SAMPLES.c[name]).where(SAMPLES.c.id == key[0]))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=DECIMALS)
def test_a_decimal_comes_back_with_every_digit(samples: Engine, value: Decimal) -> None:
    found = kept(samples, amount=value)
    assert isinstance(found, Decimal)
    assert found.as_tuple() == value.as_tuple()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=TIMES)
def test_a_time_comes_back_in_utc_with_its_microseconds(samples: Engine, value: datetime) -> None:
    found = kept(samples, at=value)
    assert isinstance(found, datetime)
    assert (found, found.utcoffset()) == (value, timedelta())


@settings(max_examples=30, deadline=None)
@given(one=TIMES, other=TIMES)
def test_the_order_of_written_times_is_the_order_of_times(one: datetime, other: datetime) -> None:
    written = [UtcTime().process_bind_param(time, None) or "" for time in (one, other)]  # type: ignore[arg-type]
    assert (written[0] < written[1]) == (one < other)


def test_nothing_stays_nothing(samples: Engine) -> None:
    assert kept(samples, amount=None) is None
    assert kept(samples, at=None) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("at", datetime(2026, 1, 1)),  # noqa: DTZ001 - the defect
        ("amount", Decimal("NaN")),
        ("amount", Decimal("Infinity")),
        ("amount", Decimal("1." + "1" * 64)),
    ],
    ids=["naive time", "not a number", "infinity", "more digits than a figure has"],
)
def test_what_would_not_come_back_is_refused_on_both_databases(samples: Engine, name: str, value: object) -> None:
    with pytest.raises(StatementError):
        kept(samples, **{name: value})
    with begin(samples) as connection:
        assert connection.execute(select(SAMPLES)).all() == []


def test_errors_do_not_show_what_was_being_written(samples: Engine) -> None:
    with pytest.raises(DBAPIError) as caught, begin(samples) as connection:
        connection.execute(text("INSERT INTO nowhere VALUES (:value)"), {"value": "a disclosure"})
    assert "a disclosure" not in str(caught.value)


def test_the_migrated_database_is_what_the_models_say(engine: Engine) -> None:
    migrate(engine)
    with snapshot(engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, METADATA) == []  # type: ignore[arg-type]  # several are allowed


def test_migrating_again_changes_nothing(engine: Engine) -> None:
    migrate(engine)
    before = set(inspect(engine).get_table_names())
    migrate(engine)
    assert set(inspect(engine).get_table_names()) == before
    assert {table.name for metadata in METADATA for table in metadata.sorted_tables} < before


def test_the_way_back_leaves_an_empty_database(engine: Engine) -> None:
    migrate(engine)
    config = Config()
    config.set_main_option("script_location", str(database._MIGRATIONS))
    with begin(engine) as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    migrate(engine)
    assert "exchange_statement" in inspect(engine).get_table_names()


def test_a_migration_that_is_cut_leaves_nothing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(*_arguments: object, **_options: object) -> None:
        raise RuntimeError("cut")

    with monkeypatch.context() as patched:
        patched.setattr("alembic.op.create_index", cut)
        with pytest.raises(RuntimeError, match="cut"):
            migrate(engine)
    assert inspect(engine).get_table_names() == []
    migrate(engine)


def test_tiles_from_before_their_inner_roots_get_them(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(database._MIGRATIONS))
    with begin(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        leaves = [bytes([number]) * 32 for number in range(256)]
        old = "INSERT INTO ledger_node (level, number, hashes) VALUES (0, 0, :full), (1, 0, :growing)"
        connection.execute(text(old), {"full": b"".join(leaves), "growing": root(leaves)})
    migrate(engine)
    with snapshot(engine) as connection:
        rows = connection.execute(text("SELECT inner_hashes FROM ledger_node ORDER BY level")).all()
    assert [row[0] and bytes(row[0]) for row in rows] == [
        b"".join(root(leaves[i : i + 16]) for i in range(0, 256, 16)),
        None,
    ]
