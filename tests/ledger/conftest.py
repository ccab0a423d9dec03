"""A log on each database, and the key that signs for it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from ledger import NoteSigner
from ledger.store import append, begin, create_log, engine_for, head, metadata, sqlite_engine
from tests.ledger.logs import ORIGIN, entry_bytes
from tests.postgres import postgres_url

__all__ = ["postgres_url"]


@pytest.fixture(scope="session")
def signer() -> NoteSigner:
    return NoteSigner(ORIGIN, bytes(range(32)))


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database with the tables and no log."""
    on_file = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'log.sqlite'}" if on_file else request.getfixturevalue("postgres_url")
    made = engine_for(url)
    metadata.create_all(made)
    yield made
    made.dispose()


@pytest.fixture
def engine(empty_engine: Engine) -> Engine:
    """A database with an empty log."""
    with begin(empty_engine) as connection:
        create_log(connection, ORIGIN)
    return empty_engine


@pytest.fixture
def sqlite_log(tmp_path: Path) -> Iterator[Engine]:
    """An empty log on SQLite, for what does not depend on the database."""
    made = sqlite_engine(tmp_path / "log.sqlite")
    metadata.create_all(made)
    with begin(made) as connection:
        create_log(connection, ORIGIN)
    yield made
    made.dispose()


@pytest.fixture
def grow() -> Callable[[Engine, int], None]:
    """Append entries until the log has so many."""

    def to(engine: Engine, size: int) -> None:
        with begin(engine) as connection:
            append(connection, [entry_bytes(n) for n in range(head(connection).size, size)])

    return to


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the log is published."""
    return tmp_path / "published"
