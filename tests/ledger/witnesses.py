"""Witnesses of the tests: cosignature/v1 lines (C2SP tlog-cosignature, type 0x04) made with nothing but cryptography."""

import struct
from base64 import b64encode
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

TIME = 1_795_316_400


class Witness:
    def __init__(self, name: str, private_key: bytes) -> None:
        self.name = name
        self._private = Ed25519PrivateKey.from_private_bytes(private_key)
        self._key = b"\x04" + self._private.public_key().public_bytes_raw()
        self._id = sha256(name.encode() + b"\n" + self._key).digest()[:4]

    @property
    def vkey(self) -> str:
        return f"{self.name}+{self._id.hex()}+{b64encode(self._key).decode()}"

    def sign(self, note: str, time: int = TIME) -> str:
        """The line over the text of a signed note."""
        text = note.rpartition("\n\n")[0] + "\n"
        signature = self._private.sign(f"cosignature/v1\ntime {time}\n{text}".encode())
        return f"— {self.name} {b64encode(self._id + struct.pack('>Q', time) + signature).decode()}\n"

    def has_signed(self, note: str) -> bool:
        return self.sign(note) in note.splitlines(keepends=True)
