"""What tests of several packages share: how hard properties are tried, a database of each sort, and an exchange at work on it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.flow.world import Exchange
from tests.postgres import postgres_url

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


@pytest.fixture
def exchange(tmp_path: Path, database_url: str) -> Iterator[Exchange]:
    """A fresh exchange on each database."""
    opened = Exchange.open(tmp_path / "data", database_url)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_exchange(tmp_path: Path) -> Iterator[Exchange]:
    """A fresh exchange on SQLite, for what doesn't depend on the database."""
    opened = Exchange.open(tmp_path / "data", f"sqlite:///{tmp_path / 'exchange.sqlite'}")
    yield opened
    opened.close()
