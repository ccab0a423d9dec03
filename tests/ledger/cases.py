"""Published logs with what an outsider is given beside them, as a folder that two programs check: Go's and ours."""

import base64
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from ledger import (
    BadNoteError,
    Fetch,
    LogKey,
    NoteSigner,
    PublishedLog,
    WitnessPolicy,
    WitnessSigner,
    leaf_hash,
    open_checkpoint,
    parse_proof,
    verify_consistency,
    verify_proof,
)
from ledger.audit import audit
from ledger.encoding import decode_base64
from ledger.store import (
    SignedCheckpoint,
    append,
    begin,
    consistency,
    head,
    inclusion,
    publish,
    snapshot,
    store_cosignatures,
)
from ledger.store import entry as stored_entry
from tests.ledger.logs import NOW, entry_bytes

WITNESSES: Final = tuple(WitnessSigner(f"witness{n}.example", bytes([n]) * 32) for n in (1, 2))
TIME: Final = 1_795_316_400  # Unix seconds, when they cosign
SIZES: Final = (1, 2, 8, 255, 256, 257, 1_000, 70_000)


@dataclass(frozen=True)
class Case:
    """A published log in `folder`/log, keys, proofs and older checkpoints beside it, and the database that made it."""

    folder: Path
    engine: Engine
    size: int

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def key(self) -> LogKey:
        return LogKey.parse((self.folder / "log.vkey").read_text().strip())

    def copy(self, folder: Path) -> "Case":
        """The same with files of its own."""
        shutil.copytree(self.folder, folder)
        return Case(folder, self.engine, self.size)

    def check(self) -> None:
        """Check all of it with our own code, in the order of go/verify.go. Raises LedgerError."""
        published = PublishedLog(fetch_from(self.log), self.key)
        if not policy_of(self.key).evaluate(published.note).satisfied:
            raise BadNoteError("a witness has not cosigned", where="checkpoint", remedy="refuse the checkpoint")
        with snapshot(self.engine) as connection:
            audit(connection, self.key, self.log)
        for index in indices(self.size):
            assert leaf_hash(published.entry(index)) == published.inclusion(index)[0]
        for name in self._list("proofs", ".tlog-proof"):
            entry = name.with_suffix(".entry").read_bytes()
            verify_proof(parse_proof(name.read_bytes()), leaf_hash(entry), self.key)
        newest = published.checkpoint
        for name in self._list("old", ".checkpoint"):
            old = open_checkpoint(name.read_bytes(), self.key)
            proof = [decode_base64(line) for line in name.with_suffix(".proof").read_text().split()]
            verify_consistency(old.size, newest.size, old.root, newest.root, proof)

    def _list(self, folder: str, suffix: str) -> Iterable[Path]:
        return sorted((self.folder / folder).glob(f"*{suffix}"))


def fetch_from(folder: Path) -> Fetch:
    """Reads published files as they lie in a folder."""

    def fetch(path: str, limit: int) -> bytes | None:
        try:
            with (folder / path).open("rb") as file:
                return file.read(limit + 1)
        except FileNotFoundError:
            return None

    return fetch


def policy_of(key: LogKey) -> WitnessPolicy:
    """The log's policy: both witnesses."""
    lines = [f"witness w{n} {one.witness_key}" for n, one in enumerate(WITNESSES)]
    return WitnessPolicy.parse("\n".join([f"log {key}", *lines, "group both all w0 w1", "quorum both", ""]).encode())


def indices(size: int) -> list[int]:
    """Entries at the edges of tiles and of the log."""
    return sorted({0, 1, 255, 256, size // 2, size - 1} & set(range(size)))


def make_case(folder: Path, engine: Engine, signer: NoteSigner, size: int) -> Case:
    """Publish a log of `size` entries, step by step, and lay its proofs beside it."""
    case = Case(folder, engine, size)

    def cosign(signed: SignedCheckpoint) -> None:
        text = signed.note.rpartition("\n\n")[0] + "\n"
        lines = {one.witness_key: one.sign(text, TIME) for one in WITNESSES}
        with begin(engine) as connection:
            store_cosignatures(connection, signed, lines, policy_of(signer.log_key))

    older = {}
    for step in sorted({1, -(-size // 3), size - 1, size} - {0}):
        with begin(engine) as connection:
            append(connection, [entry_bytes(n) for n in range(head(connection).size, step)])
        older[step] = publish(engine, signer, case.log, NOW, cosign).cosigned
    del older[size]
    (folder / "log.vkey").write_text(f"{signer.log_key}\n")
    (folder / "witnesses").write_text("".join(f"{witness.witness_key}\n" for witness in WITNESSES))
    _lay_proofs(case)
    _lay_older(case, older)
    return case


def _lay_proofs(case: Case) -> None:
    (case.folder / "proofs").mkdir()
    published = PublishedLog(fetch_from(case.log), case.key)
    with snapshot(case.engine) as connection:
        for index in indices(case.size):
            text = published.proof_file(index)
            assert parse_proof(text).proof == tuple(inclusion(connection, index, case.size))
            (case.folder / "proofs" / f"{index}.tlog-proof").write_text(text)
            (case.folder / "proofs" / f"{index}.entry").write_bytes(stored_entry(connection, index).data)


def _lay_older(case: Case, older: dict[int, str]) -> None:
    (case.folder / "old").mkdir()
    published = PublishedLog(fetch_from(case.log), case.key)
    with snapshot(case.engine) as connection:
        for size, note in older.items():
            extension = published.extension(size, case.size)
            assert list(extension.proof) == consistency(connection, size, case.size)
            lines = [base64.b64encode(value).decode() + "\n" for value in extension.proof]
            (case.folder / "old" / f"{size}.checkpoint").write_text(note)
            (case.folder / "old" / f"{size}.proof").write_text("".join(lines))
