"""What tests of several packages share: how hard properties are tried, a database of each sort, and an exchange at work on it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from hypothesis import settings
from sqlalchemy import URL, make_url

from exchange.database import engine_for, migrate
from exchange.identity import passwords
from tests.flow.world import Exchange
from tests.postgres import copied, fresh_database, postgres_url, server

__all__ = ["postgres_url"]

# A person waits for `make test`; CI looks harder, and the same way each time. No example fails for being slow.
settings.register_profile("person", max_examples=20, deadline=None)
settings.register_profile("machine", max_examples=100, deadline=None, derandomize=True, database=None, print_blob=True)
settings.load_profile("machine" if os.environ.get("CI") else "person")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, on each of the two."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'exchange.sqlite'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database with the tables of now and no log, on each of the two."""
    template = request.getfixturevalue(f"migrated_{request.param}")
    if request.param == "sqlite":
        yield f"sqlite:///{shutil.copy(template, tmp_path)}"
        return
    with copied(template) as url:
        yield url


@pytest.fixture(params=["sqlite_exchange", "postgresql_exchange"], ids=["sqlite", "postgresql"])
def exchange(request: pytest.FixtureRequest) -> Exchange:
    """A fresh exchange on each database."""
    opened: Exchange = request.getfixturevalue(request.param)
    return opened


@pytest.fixture
def sqlite_exchange(founded: Path, tmp_path: Path) -> Iterator[Exchange]:
    """A fresh exchange on SQLite, for what doesn't depend on the database."""
    shutil.copytree(founded, tmp_path, dirs_exist_ok=True)
    with closing(Exchange.open(tmp_path / "data", f"sqlite:///{tmp_path / 'exchange.sqlite'}")) as opened:
        yield opened


@pytest.fixture
def postgresql_exchange(founded_on_postgresql: tuple[Path, URL], tmp_path: Path) -> Iterator[Exchange]:
    """A fresh exchange on PostgreSQL."""
    folder, template = founded_on_postgresql
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    with (
        copied(template) as url,
        closing(Exchange.open(tmp_path / "data", url)) as opened,
    ):
        yield opened


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an exchange on SQLite as it was founded, to be copied: migrations and keys take most of a start."""
    folder = tmp_path_factory.mktemp("founded")
    Exchange.open(folder / "data", f"sqlite:///{folder / 'exchange.sqlite'}").close()
    return folder


@pytest.fixture(scope="session")
def founded_on_postgresql(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[tuple[Path, URL]]:
    """The same on PostgreSQL: the folder and the database."""
    folder = tmp_path_factory.mktemp("founded")
    with fresh_database(server(pytestconfig)) as url:
        Exchange.open(folder / "data", url).close()
        yield folder, make_url(url)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a database with the tables of now, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "exchange.sqlite"
    migrate_once(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_postgresql(pytestconfig: pytest.Config) -> Iterator[URL]:
    """The same on PostgreSQL."""
    with fresh_database(server(pytestconfig)) as url:
        migrate_once(url)
        yield make_url(url)


def migrate_once(url: str) -> None:
    """Make the tables, and let go of the database."""
    engine = engine_for(url)
    migrate(engine)
    engine.dispose()


@pytest.fixture(scope="session", autouse=True)
def costly_hasher() -> Iterator[PasswordHasher]:
    """The product's password hasher; in this process one takes its place that doesn't keep a processor busy for 0.15 s each time."""
    with pytest.MonkeyPatch.context() as patch:
        costly = passwords._HASHER
        patch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield costly
