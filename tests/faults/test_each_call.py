"""An append and a publication, with each call that writes, syncs, renames or removes failing once, in three ways.

Whatever fails: what was acknowledged is there, the audit passes, and the next append and publication work. A killed
process loses nothing that the kernel holds, so this tests the order of the calls and what follows an error, not a
power cut.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from ledger import NoteSigner, open_checkpoint
from ledger.audit import audit
from ledger.store import (
    append,
    begin,
    create_log,
    entries,
    latest_checkpoint,
    metadata,
    publish,
    snapshot,
    sqlite_engine,
)
from tests.faults import strace
from tests.faults.strace import Call
from tests.ledger.logs import NOW, ORIGIN, entry_bytes

PROGRAM = Path(__file__).with_name("one_append.py")
FAULTS = ("error=EIO", "error=ENOSPC", "signal=KILL")
SIZE = 255
SIGNER = NoteSigner(ORIGIN, bytes(range(32)))


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log to which one entry more fills a tile, so that partial tiles go and a level begins."""
    strace.require_strace()
    folder = tmp_path_factory.mktemp("template") / "log"
    folder.mkdir()
    engine = sqlite_engine(folder / "log.sqlite")
    metadata.create_all(engine)
    with begin(engine) as connection:
        create_log(connection, ORIGIN)
        append(connection, [entry_bytes(n) for n in range(SIZE - 5)])
    publish(engine, SIGNER, folder / "published", NOW, last_signed=folder / "last-signed")
    with begin(engine) as connection:
        append(connection, [entry_bytes(n) for n in range(SIZE - 5, SIZE)])
    engine.dispose()
    return folder


@pytest.fixture(scope="session")
def listed(template: Path) -> list[Call]:
    """The calls of a run in which nothing fails."""
    folder = shutil.copytree(template, template.with_name("listed"))
    whole = strace.run(PROGRAM, str(folder), "one more")
    assert whole.lines == [f"appended {SIZE}", f"published {SIZE + 1}"], whole.record[-2000:]
    return strace.calls(whole.record, folder)


def fail(template: Path, call: Call, fault: str) -> None:
    """One run with one fault, and what must hold afterwards."""
    folder = template.with_name(f"{call.name}-{call.number}-{fault.partition('=')[2]}")
    shutil.copytree(template, folder)
    cut = strace.run(PROGRAM, str(folder), "one more", inject=f"{call.name}:{fault}:when={call.number}")
    assert "INJECTED" in cut.record or "killed by SIGKILL" in cut.record, "the fault was not met"
    check(folder, cut.lines)
    # The same again, as a client without an answer would send it: there once, whether it was stored or not.
    again = strace.run(PROGRAM, str(folder), "one more")
    assert again.lines == [f"appended {SIZE}", f"published {SIZE + 1}"]
    check(folder, again.lines)
    shutil.rmtree(folder)


def check(folder: Path, told: Sequence[str]) -> None:
    """What was told is so: the entry at its index, the checkpoint in the folder; and the log is whole."""
    engine, published = sqlite_engine(folder / "log.sqlite"), folder / "published"
    with closing(engine.raw_connection()), snapshot(engine) as connection:
        stored = [entry.data for entry in entries(connection, 0, SIZE + 10)]
        assert stored in [[entry_bytes(n) for n in range(SIZE)] + more for more in ([], [b"one more"])]
        if f"appended {SIZE}" in told:
            assert stored[SIZE:] == [b"one more"]
        size = open_checkpoint((published / "checkpoint").read_bytes(), SIGNER.log_key).size
        assert size in {SIZE - 5, SIZE, SIZE + 1}
        assert f"published {SIZE + 1}" not in told or size == SIZE + 1
        # Whatever is in the database may have been read by others: the copy outside is as new, or newer.
        newest = latest_checkpoint(connection)
        assert newest is not None
        assert open_checkpoint((folder / "last-signed").read_bytes(), SIGNER.log_key).size >= newest.size
        audit(connection, SIGNER.log_key, published)
    engine.dispose()


def fail_all(template: Path, chosen: Sequence[Call], fault: str, subtests: pytest.Subtests) -> None:
    with ThreadPoolExecutor(2) as pool:
        running = {call: pool.submit(fail, template, call, fault) for call in chosen}
    for call, future in running.items():
        with subtests.test(f"{fault} at {call.name} {call.number}: {call.shown}"):
            future.result()


def test_the_durable_calls_are_those_that_the_code_tells(listed: list[Call]) -> None:
    """The entry is synced before the publication begins, each file before its rename, the checkpoint last."""
    steps = [(call.name, call.shown) for call in listed]
    first_rename = next(place for place, (name, _) in enumerate(steps) if name == "rename")
    assert any(name == "fdatasync" and "log.sqlite-wal" in shown for name, shown in steps[:first_rename])
    renames = [shown for name, shown in steps if name == "rename"]
    assert len(renames) == 5
    assert "/last-signed" in renames[0]
    assert "/published/checkpoint" in renames[-1]
    assert sum(name == "fsync" for name, _ in steps) > len(renames)


@pytest.mark.parametrize("fault", [FAULTS[0], *(pytest.param(fault, marks=pytest.mark.long) for fault in FAULTS[1:])])
def test_a_few_failing_calls_lose_nothing(
    template: Path, listed: list[Call], fault: str, subtests: pytest.Subtests
) -> None:
    """The short set: for each fault, one call of each sort, another one for each fault."""
    by_name = {name: [call for call in listed if call.name == name] for name in ("fdatasync", "pwrite64", "rename")}
    chosen = [found[FAULTS.index(fault) % len(found)] for found in by_name.values()]
    fail_all(template, chosen, fault, subtests)


@pytest.mark.faults
@pytest.mark.parametrize("fault", FAULTS)
def test_every_failing_call_loses_nothing(
    template: Path, listed: list[Call], fault: str, subtests: pytest.Subtests
) -> None:
    assert {"pwrite64", "fsync", "fdatasync", "write", "rename"} <= {call.name for call in listed}
    fail_all(template, listed, fault, subtests)
