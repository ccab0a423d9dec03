"""Timestamps of the log's checkpoints: an RFC 3161 authority is asked to stamp the newest one, every so many hours.

What is stamped is the checkpoint's text, without signatures. A response is kept only after it was verified as a verifier will: over this
text, by the authority whose root the operator named, and at a time that agrees with the clock here. Nothing waits for it: publishing is
another job, and an authority that fails is asked again after a growing pause.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Engine

from exchange.errors import SetupError
from exchange.lease import take_lease
from exchange.outbound import AnswerTooLongError, outbound_client, post
from ledger import note_text
from ledger.store import begin, last_stamped, latest_checkpoint, snapshot, store_timestamp
from signer import TimestampError, timestamp_request, verify_timestamp

log = logging.getLogger("packtrace.timestamps")
STAMP = "timestamp-checkpoint"
#: Shorter than the lease, so that no second process asks meanwhile.
ANSWER_SECONDS = 10.0
MAX_PAUSE = timedelta(hours=1)
#: A time further from ours than this is the authority's mistake, or an old answer that somebody plays back.
CLOCK_SKEW = timedelta(minutes=5)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_QUERY = "application/timestamp-query"


@dataclass(frozen=True, slots=True)
class TimeAuthority:
    """Whom to ask: the address, the roots (DER) that its responses have to lead to, and how often."""

    url: str
    roots: tuple[bytes, ...]
    every: timedelta


def load_authority(url: str, roots: Path, hours: float) -> TimeAuthority:
    """Return the authority at `url` with its root certificates from a PEM file. Raises SetupError."""
    try:
        found = x509.load_pem_x509_certificates(roots.read_bytes())
        ders = tuple(one.public_bytes(Encoding.DER) for one in found)
    except (OSError, ValueError) as error:
        raise SetupError(
            f"the roots of the timestamping authority can't be read: {getattr(error, 'strerror', None) or 'no PEM certificates'}",
            where=str(roots),
            remedy="name a file with its root certificates in PEM",
        ) from None
    return TimeAuthority(url, ders, timedelta(hours=hours))


class _NotStampedError(Exception):
    """There is no timestamp, for the reason in the text."""


@dataclass
class Stamping:
    """What has the log's newest checkpoint timestamped when it is time; of several processes one acts."""

    engine: Engine
    authority: TimeAuthority
    holder: str
    clock: Callable[[], datetime]
    seconds: float = ANSWER_SECONDS
    _failures: int = field(default=0, init=False)
    _ask_from: datetime = field(default=_LONG_AGO, init=False)

    def tick(self) -> bool:
        """Have the newest checkpoint stamped if that is due; return whether it was. Raises only what the database raises."""
        now = self.clock()
        if now < self._ask_from:
            return False
        with snapshot(self.engine) as connection:
            newest, last = latest_checkpoint(connection), last_stamped(connection)
        if newest is None or newest.size == 0 or (last is not None and now < last + self.authority.every):
            return False
        with begin(self.engine) as connection:
            if not take_lease(connection, STAMP, self.holder, now):
                return False
        try:
            at, response = self._stamped(note_text(newest.note).encode())
        except _NotStampedError as error:
            self._failed(now, str(error))
            return False
        with begin(self.engine) as connection:
            store_timestamp(connection, newest.size, at, response)
        if self._failures:
            log.warning("checkpoints are timestamped again, by %s", self.authority.url)
        self._failures, self._ask_from = 0, _LONG_AGO
        return True

    def _stamped(self, text: bytes) -> tuple[datetime, bytes]:
        """When the authority stamped the text, and its response."""
        response = asyncio.run(self._asked(timestamp_request(text)))
        try:
            found = verify_timestamp(response, sha256(text).digest(), self.authority.roots)
        except TimestampError as error:
            raise _NotStampedError(f"its answer is refused: {error.what}") from None
        now = self.clock()
        if not now - CLOCK_SKEW <= found.latest or not found.earliest <= now + CLOCK_SKEW:
            raise _NotStampedError(
                f"it says that it is {found.earliest:%Y-%m-%dT%H:%M:%SZ}, which is not the time here"
            )
        return found.earliest, response

    async def _asked(self, request: bytes) -> bytes:
        try:
            async with asyncio.timeout(self.seconds), outbound_client(self.seconds) as client:
                status, _media, body = await post(client, self.authority.url, request, _QUERY)
        except AnswerTooLongError as error:
            raise _NotStampedError(str(error)) from None
        except TimeoutError:
            raise _NotStampedError(f"no whole answer within {self.seconds:g} s") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            raise _NotStampedError(f"no answer: {error or type(error).__name__}") from None
        if status != httpx2.codes.OK:
            raise _NotStampedError(f"it answered {status}")
        return body

    def _failed(self, now: datetime, trouble: str) -> None:
        self._failures += 1
        pause = min(MAX_PAUSE, timedelta(minutes=2 ** min(self._failures - 1, 10)))
        self._ask_from = now + pause
        log.error(
            "not timestamped by %s: %s; asked again in %d min", self.authority.url, trouble, pause.total_seconds() // 60
        )
