"""The vault: what only the readers of a grant may see rests encrypted, and can be erased for good."""

from exchange.vault.keys import MASTER, load_masters, make_master
from exchange.vault.opening import open_vault
from exchange.vault.parts import Parts, PartsWriter, erase_parts
from exchange.vault.retention import end_holds, erased_at, hold, is_held, mark_erased, release_hold, release_holds
from exchange.vault.rotation import rotate
from exchange.vault.sealing import Vault
from exchange.vault.tables import DataKeyRow, ErasureRow, HoldRow, MasterKeyRow, PlainRow, SealedPartRow, SealedRow

__all__ = [
    "MASTER",
    "DataKeyRow",
    "ErasureRow",
    "HoldRow",
    "MasterKeyRow",
    "Parts",
    "PartsWriter",
    "PlainRow",
    "SealedPartRow",
    "SealedRow",
    "Vault",
    "end_holds",
    "erase_parts",
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
