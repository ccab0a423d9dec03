"""Failures in both kinds, at each durable step: not done, and done but reported as failed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import pytest
from sqlalchemy import Engine

from ledger import CommitUncertainError, DurableWriteError, NoteSigner, open_checkpoint
from ledger.audit import audit
from ledger.store import Appended, GroupCommit, append, begin, entries, head, publish, snapshot
from tests.ledger.conftest import empty_engine, engine, folder, signer, sqlite_log
from tests.ledger.logs import NOW, entry_bytes

__all__ = ["empty_engine", "engine", "folder", "signer", "sqlite_log"]

Kind = Literal["not done", "done but reported failed"]
KINDS: tuple[Kind, ...] = ("not done", "done but reported failed")


@contextmanager
def failing(engine: Engine, kind: Kind, step: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Fail the step-th durable operation (from 0), counted over files and commits; gives the names of those before it."""
    met: list[str] = []

    def failing_call(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            fails = len(met) == step
            met.append(name)
            if fails and kind == "not done":
                raise OSError(5, f"{name} was not done")
            result = real(*args, **kwargs)
            if fails:
                raise OSError(5, f"{name} was done")
            return result

        return call

    with monkeypatch.context() as patch:
        for name in ("fsync", "replace", "mkdir", "unlink", "rmdir"):
            patch.setattr(os, name, failing_call(name, getattr(os, name)))
        patch.setattr(engine.dialect, "do_commit", failing_call("commit", engine.dialect.do_commit))
        yield met


def fill(engine: Engine, size: int) -> None:
    """Append entries until the log has so many."""
    with begin(engine) as connection:
        append(connection, [entry_bytes(n) for n in range(head(connection).size, size)])


def submit(group: GroupCommit, content: bytes) -> Appended:
    return group.submit(lambda connection: append(connection, [content])[0])


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_a_publication_that_fails_is_made_good(
    sqlite_log: Engine, signer: NoteSigner, folder: Path, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From one checkpoint to the next over a tile border, at each step in turn, until one goes through."""
    step, reached = 0, True
    while reached:
        size = 256 * step + 260
        fill(sqlite_log, size - 10)
        publish(sqlite_log, signer, folder, NOW)
        fill(sqlite_log, size)
        with failing(sqlite_log, kind, step, monkeypatch) as met, suppress(OSError, DurableWriteError):
            publish(sqlite_log, signer, folder, NOW)
        reached = len(met) > step
        shown = open_checkpoint((folder / "checkpoint").read_bytes(), signer.log_key)
        assert shown.size in {size - 10, size}
        assert publish(sqlite_log, signer, folder, NOW).size == size
        with snapshot(sqlite_log) as connection:
            audit(connection, signer.log_key, folder)
        step += 1
    assert step > 15


@pytest.mark.parametrize("kind", KINDS)
def test_an_append_whose_commit_fails_is_there_once(
    engine: Engine, kind: Kind, signer: NoteSigner, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = GroupCommit(engine, capacity=10)
    for number in range(3):
        content = entry_bytes(number)
        with failing(engine, kind, 0, monkeypatch) as met, suppress(CommitUncertainError):
            submit(group, content)
            raise AssertionError("an answer, although the commit failed")
        assert met == ["commit"]
        again = submit(group, content)
        assert (again.index, again.existed) == (number, kind != "not done")
    publish(engine, signer, folder, NOW)
    with snapshot(engine) as connection:
        assert [entry.data for entry in entries(connection, 0, 9)] == [entry_bytes(n) for n in range(3)]
        audit(connection, signer.log_key, folder)
