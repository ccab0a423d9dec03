"""Passwords and other secrets that people and programs log in with: kept as hashes, compared in constant time."""

from __future__ import annotations

import hashlib
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from exchange.errors import StatementError

MIN_PASSWORD = 12
MAX_PASSWORD = 256
#: RFC 9106, section 4, second recommendation: 64 MiB, three passes.
_HASHER = PasswordHasher(time_cost=3, memory_cost=65_536, parallelism=4)


def hashed(password: str) -> str:
    """Return the Argon2id hash of a new password; StatementError where it is too short, too long or all of one character."""
    plain = _normal(password)
    if not MIN_PASSWORD <= len(plain) <= MAX_PASSWORD or len(set(plain)) == 1:
        raise StatementError(
            f"the password has fewer than {MIN_PASSWORD} or more than {MAX_PASSWORD} characters, or is all of one",
            where="password",
            remedy="take some words that don't belong together",
        )
    return _HASHER.hash(plain)


@cache
def _nobody() -> str:
    """What a password is compared with where there is no such member, so that the answer takes as long."""
    return _HASHER.hash("nobody has this password")


def matches(stored: str | None, password: str) -> bool:
    """Whether `password` is the one of the hash; never for None, after the same work."""
    try:
        _HASHER.verify(stored or _nobody(), _normal(password[: MAX_PASSWORD + 1]))
    except (Argon2Error, InvalidHashError):
        return False
    return stored is not None


def fingerprint(secret: str) -> str:
    """Return the SHA-256 (hex) of a secret of 256 random bits: as which it is kept and looked up."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _normal(password: str) -> str:
    """The same password typed on another keyboard gives the same bytes (RFC 8265, section 4.2)."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "replace").decode()
