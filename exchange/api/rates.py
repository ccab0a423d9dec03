"""How often one may try what costs or what others could guess by: log-ins, tokens, invitations, applications, dry runs.

Counted in this process: with several, each allows as much. Behind a proxy all senders may share an address, so the account counts too.
"""

from __future__ import annotations

import hashlib

from fastapi import Request
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from exchange.errors import TooManyError

_PER_ACCOUNT = RateLimitItemPerMinute(10)
_PER_ADDRESS = RateLimitItemPerMinute(60)


#: Dry runs of one issuer: each takes the work of a submission, and leaves nothing.
_DRY_RUNS = RateLimitItemPerMinute(120)


class Rates:
    """Counts tries in a moving minute."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def check(self, request: Request, what: str, account: str) -> None:
        """Count a try at `what`, for `account` and from the sender's address; TooManyError where there were enough."""
        address = request.client.host if request.client is not None else ""
        within = self._limiter.hit(_PER_ADDRESS, what, address) and self._limiter.hit(_PER_ACCOUNT, what, _key(account))
        if not within:
            raise TooManyError("too many tries", where=what, remedy="wait a minute")

    def check_dry_run(self, issuer: str) -> None:
        """Count a dry run of a statement by `issuer`; TooManyError where there were enough."""
        if not self._limiter.hit(_DRY_RUNS, "dry-run", _key(issuer)):
            raise TooManyError(
                f"more than {_DRY_RUNS.amount} dry runs in a minute", where="dry_run", remedy="wait a minute"
            )


def _key(text: str) -> str:
    """What senders write makes the key: a digest, so that it takes no more room than that."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
