"""How often one may ask: all requests of a principal and of an address, and, more narrowly, what costs or what others could guess by.

Counted in this process: with several, each allows as much. The address is the one that the proxy on this machine names in
X-Forwarded-For; behind one that names none all senders share its address, so that limit is wider, and the account counts too.
"""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import dataclass
from typing import Literal

from fastapi import Request
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter, SlidingWindowCounterRateLimiter

from exchange.errors import TooManyError

Asker = Literal["principal", "address", "public"]
_PER_ACCOUNT = RateLimitItemPerMinute(10)
_PER_ADDRESS = RateLimitItemPerMinute(60)


#: Dry runs of one issuer: each takes the work of a submission, and leaves nothing.
_DRY_RUNS = RateLimitItemPerMinute(120)


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """How many requests a minute are answered: of one principal, from one address, and for what is public from one address."""

    principal: int = 6_000
    address: int = 12_000
    public: int = 60_000


class Rates:
    """Counts requests, and tries, in a moving minute."""

    def __init__(self, limits: RequestLimits | None = None) -> None:
        limits = limits or RequestLimits()
        storage = MemoryStorage()
        self._limiter = MovingWindowRateLimiter(storage)
        # Two counters for each, and not a time for each request.
        self._requests = SlidingWindowCounterRateLimiter(storage)
        self._limits = {
            "principal": RateLimitItemPerMinute(limits.principal),
            "address": RateLimitItemPerMinute(limits.address),
            "public": RateLimitItemPerMinute(limits.public),
        }

    def exceeded(self, what: Asker, name: str) -> int | None:
        """Count a request of a principal, or from an address; return after how many seconds to ask again where there were enough."""
        limit = self._limits[what]
        if self._requests.hit(limit, what, name):
            return None
        return max(1, math.ceil(self._requests.get_window_stats(limit, what, name).reset_time - time.time()))

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
