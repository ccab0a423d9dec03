"""Sending an event to a URL, signed after Standard Webhooks with Ed25519 (`v1a`), so that no shared secret rests with anybody.

Whoever gets it checks `webhook-signature` over ``id.timestamp.body`` with the exchange's public key, refuses old timestamps, and takes
`webhook-id` as the idempotency key. The receiver is a stranger: its address is checked, redirects are not followed, no proxy of the
environment is used, its answer's body is not read, and all together has a limit of time.
"""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import httpx2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exchange.events.addresses import (
    Hosts,
    Resolve,
    Target,
    TargetError,
    UndeliveredError,
    checked_addresses,
    parse_target,
)
from exchange.events.cloudevents import MEDIA_TYPE

SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class WebhookKey:
    """The key that signs webhooks, and the one that is to follow it, which signs beside it."""

    private_key: Ed25519PrivateKey = field(repr=False)
    follower: Ed25519PrivateKey | None = field(default=None, repr=False)

    @property
    def public_key(self) -> str:
        """As Standard Webhooks writes it: ``whpk_`` and the 32 bytes in base64."""
        return self.public_keys[0]

    @property
    def public_keys(self) -> tuple[str, ...]:
        """Both public keys, the present one first."""
        raw = [key.public_key().public_bytes_raw() for key in self._keys]
        return tuple(f"whpk_{base64.b64encode(one).decode()}" for one in raw)

    @property
    def _keys(self) -> tuple[Ed25519PrivateKey, ...]:
        return (self.private_key,) if self.follower is None else (self.private_key, self.follower)

    def headers(self, event: str, now: datetime, body: bytes) -> dict[str, str]:
        """The headers that go with `body`: id of the event, time of sending, a signature of each key."""
        timestamp = str(int(now.timestamp()))
        signed = f"{event}.{timestamp}.".encode() + body
        signatures = [base64.b64encode(key.sign(signed)).decode() for key in self._keys]
        return {
            "webhook-id": event,
            "webhook-timestamp": timestamp,
            "webhook-signature": " ".join(f"v1a,{one}" for one in signatures),
        }


class WebhookSender:
    """Posts events."""

    def __init__(
        self,
        key: WebhookKey | None,
        allowed: Hosts,
        *,
        resolve: Resolve,
        tls: ssl.SSLContext,
        seconds: float = SECONDS,
    ) -> None:
        self._key = key
        self._allowed = allowed
        self._resolve = resolve
        self._tls = tls
        self._seconds = seconds

    def check(self, url: str) -> tuple[Target, list[str]]:
        """Return where `url` leads: its parts and checked addresses. Raises TargetError where nothing may be sent."""
        target = parse_target(url, self._allowed)
        return target, checked_addresses(target, self._allowed, self._resolve)

    def send(self, url: str, event: Mapping[str, Any], now: datetime) -> None:
        """Post one event (a CloudEvent's members). Raises UndeliveredError unless the receiver answers 2xx in time."""
        try:
            # Checked again each time: what the name means, and what the operator allows, may have changed.
            target, addresses = self.check(url)
        except TargetError as error:
            raise UndeliveredError(error.what) from None
        if self._key is None:
            raise UndeliveredError("this process has no key to sign with")
        body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {"Content-Type": MEDIA_TYPE, "User-Agent": "packtrace", "Host": target.authority}
        status = asyncio.run(self._post(target, addresses, body, headers | self._key.headers(event["id"], now, body)))
        if 300 <= status < 400:
            raise UndeliveredError(f"it answered {status}; redirects are not followed")
        if not 200 <= status < 300:
            raise UndeliveredError(f"it answered {status}")

    async def _post(self, target: Target, addresses: list[str], body: bytes, headers: Mapping[str, str]) -> int:
        """Return the status of the first address that can be connected to."""
        try:
            # The bare transport: a client would log the URL with its query. And a limit over all, since limits for each read start
            # again with each byte that drips in.
            async with (
                asyncio.timeout(self._seconds),
                httpx2.AsyncHTTPTransport(verify=self._tls, trust_env=False) as transport,
            ):
                extensions = {
                    # The certificate is checked for the name, whatever address the connection goes to.
                    "sni_hostname": target.host,
                    "timeout": {"connect": self._seconds / len(addresses)},
                }
                for address in addresses:
                    request = httpx2.Request(
                        "POST", target.at(address), content=body, headers=headers, extensions=extensions
                    )
                    try:
                        answer = await transport.handle_async_request(request)
                    except (httpx2.ConnectError, httpx2.ConnectTimeout):
                        if address == addresses[-1]:
                            raise
                        continue  # nothing was sent
                    await answer.aclose()
                    return answer.status_code
        except TimeoutError:
            raise UndeliveredError(f"no answer within {self._seconds:g} s") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            raise UndeliveredError(_reason(error)) from None
        raise UndeliveredError("the host has no address")


def _reason(error: Exception) -> str:
    """Say why in words that hold nothing of the URL or of the receiver's answer."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is refused: {cause.verify_message}"
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx2.ConnectError):
        return "it can't be connected to"
    if isinstance(error, httpx2.TimeoutException):
        return "no answer in time"
    return f"no whole answer: {type(error).__name__}"
