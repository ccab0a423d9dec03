"""The folder of one witness: its key and its memory, which belong together for good.

Order of founding: passphrase, key, memory, and last the file `vkey`, which names witness and key. From then on the memory is there or
nothing is signed: a witness that forgot what it has seen would cosign a log's second history.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exchange.errors import SetupError
from exchange.installation import kept_secret, make_private_folder, write_private
from exchange.witness.memory import Memory, metadata
from ledger import (
    BadKeyError,
    LedgerError,
    LogKey,
    WitnessKey,
    WitnessSigner,
    authenticate,
    judge,
    parse_request,
    require_key_name,
)
from ledger.store import sqlite_engine
from signer import KeyPair
from signer.keystore import load_key, save_key

STATE = "state.sqlite"


@dataclass(frozen=True)
class Witness:
    """Cosigns what extends the last checkpoint that it cosigned of the same log. `clock` gives Unix seconds."""

    signer: WitnessSigner
    logs: Collection[LogKey]
    memory: Memory
    clock: Callable[[], float]

    def add_checkpoint(self, data: bytes) -> str:
        """The cosignature line for the checkpoint in a request; before it is made, the checkpoint is stored durably.

        Raises what `parse_request`, `authenticate` and `judge` raise, and DurableWriteError; then nothing is signed.
        """
        request = parse_request(data)
        submitted = authenticate(request, self.logs)
        self.memory.advance(submitted.seen, lambda last: judge(request, submitted.seen, last))
        return self.signer.sign(submitted.text, int(self.clock()))


def open_witness(
    folder: Path,
    logs: Collection[LogKey],
    *,
    name: str | None,
    passphrase: str | None,
    clock: Callable[[], float],
    random: Callable[[int], bytes],
) -> Witness:
    """Open a witness's folder, founding it under `name` on first use, to witness `logs`. Raises SetupError, KeyStoreError, BadKeyError."""
    if name is not None:
        _require_name(name)
    make_private_folder(folder)
    known = _known(folder, name)
    if name is None and known is None:
        raise SetupError("a new witness needs a name", where="--name", remedy="name it, e.g. witness.your.example/w1")
    secret = passphrase or kept_secret(folder / "passphrase", random)
    if not (folder / "key").exists():
        if known is not None:
            raise _lost(folder / "key", "key")
        save_key(folder / "key", KeyPair.generate("Ed25519"), secret)
    private_key = load_key(folder / "key", secret).private_key
    if not isinstance(private_key, Ed25519PrivateKey):
        raise SetupError("the key is not Ed25519", where=str(folder / "key"), remedy="restore the witness's own key")
    signer = WitnessSigner(known.name if known else str(name), private_key.private_bytes_raw())
    if known not in (None, signer.witness_key):
        raise SetupError("the key is not this witness's", where=str(folder / "key"), remedy="restore its own key")
    return Witness(signer, logs, _memory(folder, signer.witness_key, is_new=known is None), clock)


def _require_name(name: str) -> None:
    try:
        require_key_name(name)
    except BadKeyError as error:
        remedy = "give a name such as witness.your.example/w1"
        raise SetupError(f"not a witness's name: {error.what}", where="--name", remedy=remedy) from None


def _known(folder: Path, name: str | None) -> WitnessKey | None:
    """The key that the folder was founded with; None before."""
    path = folder / "vkey"
    try:
        known = WitnessKey.parse(path.read_text("utf-8").strip())
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, LedgerError) as error:
        raise SetupError(f"the file can't be read: {error}", where=str(path), remedy="restore the file") from None
    if name not in (None, known.name):
        remedy = "leave the name out, or use another folder"
        raise SetupError(f"the witness here is {known.name}", where=str(folder), remedy=remedy)
    return known


def _memory(folder: Path, key: WitnessKey, *, is_new: bool) -> Memory:
    path = folder / STATE
    if not is_new and not path.exists():
        raise _lost(path, "memory")
    engine = sqlite_engine(path)
    if is_new:
        metadata.create_all(engine)
        write_private(folder / "vkey", f"{key}\n".encode(), mode=0o644)
    return Memory(engine)


def _lost(path: Path, what: str) -> SetupError:
    remedy = "begin a new witness, with a new key and name, in another folder; never start this key without its memory"
    return SetupError(f"the witness's {what} is lost", where=str(path), remedy=remedy)
