"""Statement identifiers: UUID version 7 (RFC 9562, section 5.7), time and randomness given as arguments."""

import uuid
from collections.abc import Callable
from datetime import datetime

from signer.certificates import require_aware


def new_jti(issued_at: datetime, random: Callable[[int], bytes]) -> str:
    """A UUIDv7: 48 bits of milliseconds, then `random` bits under version and variant."""
    milliseconds = int(require_aware(issued_at, "issued_at").timestamp() * 1000)
    bits = int.from_bytes(random(10), "big")
    high, low = bits >> 68 & 0xFFF, bits & 0x3FFF_FFFF_FFFF_FFFF
    return str(uuid.UUID(int=milliseconds << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low))
