"""The vault: what only the readers of a grant may see rests encrypted, and can be erased for good."""

from exchange.vault.keys import MASTER, load_masters, make_master
from exchange.vault.opening import open_vault
from exchange.vault.retention import end_holds, erased_at, hold, is_held, mark_erased, release_hold, release_holds
from exchange.vault.rotation import rotate
from exchange.vault.sealing import Vault
from exchange.vault.tables import DataKeyRow, ErasureRow, HoldRow, MasterKeyRow, PlainRow, SealedRow

__all__ = [
    "MASTER",
    "DataKeyRow",
    "ErasureRow",
    "HoldRow",
    "MasterKeyRow",
    "PlainRow",
    "SealedRow",
    "Vault",
    "end_holds",
    "erased_at",
    "hold",
    "is_held",
    "load_masters",
    "make_master",
    "mark_erased",
    "open_vault",
    "release_hold",
    "release_holds",
    "rotate",
]
