"""The program whose every durable call is made to fail: one append, acknowledged, and one publication. Arguments: folder, content."""

import sys
from pathlib import Path

from ledger import NoteSigner
from ledger.store import GroupCommit, append, publish, sqlite_engine
from tests.ledger.logs import NOW, ORIGIN

folder, content = Path(sys.argv[1]), sys.argv[2].encode()
engine = sqlite_engine(folder / "log.sqlite")
placed = GroupCommit(engine, capacity=1).submit(lambda connection: append(connection, [content])[0])
print("appended", placed.index, flush=True)
signed = publish(engine, NoteSigner(ORIGIN, bytes(range(32))), folder / "published", NOW)
print("published", signed.size, flush=True)
engine.dispose()
