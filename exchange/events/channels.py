"""The ways by which events leave: a subscription's target says which."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from exchange.events.addresses import MAILTO, Resolve, TargetError, hosts_of, parse_mail, resolve
from exchange.events.mail import MailSender, MailServer
from exchange.events.webhooks import SECONDS, WebhookKey, WebhookSender


class Channels:
    """Webhooks, and mail where the operator has a server for it.

    `webhook_hosts` are the origins that the operator allows beside https on public addresses. Raises SetupError for what is none.
    Without a `key` webhooks are checked and not sent: sending is the worker's.
    """

    def __init__(
        self,
        key: WebhookKey | None,
        webhook_hosts: Iterable[str] = (),
        mail: MailServer | None = None,
        *,
        resolve: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
        seconds: float = SECONDS,
    ) -> None:
        tls = tls or _of_the_system()
        self.key = key
        self._webhooks = WebhookSender(key, hosts_of(webhook_hosts), resolve=resolve, tls=tls, seconds=seconds)
        self._mail = None if mail is None else MailSender(mail, tls=tls, seconds=seconds)

    def check(self, target: str) -> None:
        """Check that events can be sent there, as far as can be told before. Raises TargetError."""
        if not target.startswith(MAILTO):
            self._webhooks.check(target)
            return
        parse_mail(target)
        if self._mail is None:
            raise TargetError("this exchange sends no mail", where="target", remedy="ask the operator, or give a URL")

    def send(self, target: str, event: Mapping[str, Any], now: datetime) -> None:
        """Send an event (a CloudEvent's members). Raises UndeliveredError unless the receiver took it, TargetError where none can."""
        if not target.startswith(MAILTO):
            self._webhooks.send(target, event, now)
        elif self._mail is not None:
            self._mail.send(target, event, now)
        else:
            raise TargetError("this exchange sends no mail", where="target", remedy="set PACKTRACE_SMTP_HOST")


@cache
def _of_the_system() -> ssl.SSLContext:
    """The system's authorities, or those that SSL_CERT_FILE names; read once per process, for it takes long."""
    return ssl.create_default_context()
