"""Opening an exchange from its settings, and serving it on a loopback port, or working for those that serve it."""

from __future__ import annotations

import gc
import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import uvicorn
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from exchange.api import RequestLimits
from exchange.app import create_app
from exchange.database import engine_for
from exchange.errors import SetupError
from exchange.events import MailServer
from exchange.installation import make_private_folder, new_secret, open_installation
from exchange.services import Services, utc_now, wire
from exchange.settings import Settings
from exchange.stamping import TimeAuthority, load_authority
from exchange.web_process import open_web

log = logging.getLogger("packtrace.server")
_START_SECONDS = 30
_SHORTEST_PASSPHRASE = 12


@dataclass(frozen=True, slots=True)
class Running:
    """A served exchange: its services and the address without a slash at the end."""

    services: Services
    address: str

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.address.rpartition(":")[2])

    @property
    def page(self) -> str:
        """The address that opens the pages in a browser; it holds the token."""
        return f"{self.address}/?token={self.services.installation.token}"


def open_services(settings: Settings) -> Services:
    """Open (and on first use, but in a web process, make) the data folder and database that `settings` name."""
    make_private_folder(settings.data)
    engine = engine_for(settings.url)
    opening = (
        open_web
        if settings.process in {"web", "calculator"}
        else partial(open_installation, needs_master=settings.process == "both")
    )
    try:
        installation = opening(
            settings.data,
            engine,
            origin=settings.origin,
            passphrase=settings.passphrase.get_secret_value() if settings.passphrase else None,
            clock=utc_now,
            random=new_secret,
            max_waiting=settings.max_waiting,
        )
    except BaseException:
        engine.dispose()
        raise
    try:
        return wire(
            installation,
            holder=f"{os.getpid()}-{new_secret(4).hex()}",
            clock=utc_now,
            random=new_secret,
            witness_policy=settings.witness_policy,
            witness_seconds=settings.witness_seconds,
            webhook_hosts=settings.webhook_hosts,
            mail=_mail_server(settings),
            event_days=settings.event_days,
            time_authority=_time_authority(settings),
            max_attachment_bytes=settings.max_attachment_mib * 1024 * 1024,
        )
    except BaseException:
        engine.dispose()
        raise


#: What examples, images and manuals give as secrets: everybody knows them.
_DEFAULTS = frozenset(
    {
        "changeit",
        "changeme",
        "change-me",
        "default",
        "demo",
        "packtrace",
        "passphrase",
        "password",
        "postgres",
        "secret",
    }
)


def refuse_default_secrets(settings: Settings) -> None:
    """Refuse secrets that everybody knows, and passphrases that are soon guessed. Raises SetupError. The demo takes them."""
    given = {
        "PASSPHRASE": settings.passphrase.get_secret_value() if settings.passphrase else None,
        "SMTP_PASSWORD": settings.smtp_password.get_secret_value() or None,
        "DATABASE_URL": _password_in(settings.url),
    }
    for name, secret in given.items():
        known = secret is not None and secret.strip().lower() in _DEFAULTS
        if known or (name == "PASSPHRASE" and secret is not None and len(secret) < _SHORTEST_PASSPHRASE):
            raise SetupError(
                "this secret is one that everybody knows" if known else "this passphrase is soon guessed",
                where=f"PACKTRACE_{name}",
                remedy=f"give one of your own, a passphrase of at least {_SHORTEST_PASSPHRASE} characters; `packtrace demo` alone takes it",
            )


def _password_in(url: str) -> str | None:
    """Return the password of a database's URL. What is no URL is refused where it is opened."""
    try:
        password = make_url(url).password
    except (ArgumentError, ValueError):
        return None
    # Without one, as a PostgreSQL that is reached by its socket takes it, there is nothing to guess.
    return str(password) if password else None


def _time_authority(settings: Settings) -> TimeAuthority | None:
    """Return whom the worker asks; the other processes don't, and needn't have the file of its roots."""
    asks = settings.process in {"worker", "both"}
    if not asks or settings.timestamp_authority is None or settings.timestamp_roots is None:
        return None
    return load_authority(settings.timestamp_authority, settings.timestamp_roots, settings.timestamp_hours)


def _mail_server(settings: Settings) -> MailServer | None:
    if settings.smtp_host is None:
        return None
    return MailServer(
        settings.smtp_host,
        settings.smtp_port,
        settings.smtp_security,
        settings.smtp_sender,
        settings.smtp_user,
        settings.smtp_password.get_secret_value(),
    )


def bind(host: str, port: int, *, or_free: bool) -> socket.socket:
    """Return a listening socket on `port`; with `or_free`, on a free one where that is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio sets TCP_NODELAY; without, each answer waits 40 ms for the client's delayed ACK.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()  # here, not in the server: of two that start at once the second finds the port taken
    except OSError as error:
        listener.close()
        if or_free:
            return bind(host, 0, or_free=False)
        raise SetupError(
            f"can't listen: {error.strerror}",
            where=f"{host} port {port}",
            remedy="choose another port with PACKTRACE_PORT",
        ) from None
    return listener


def make_server(services: Services, settings: Settings, listener: socket.socket) -> tuple[uvicorn.Server, Running]:
    """Return a server that is not running yet, and the address it will answer at."""
    app = create_app(
        services,
        checkpoint_seconds=settings.checkpoint_seconds,
        public_address=settings.public_address,
        limits=RequestLimits(
            settings.requests_per_minute, settings.address_requests_per_minute, settings.public_requests_per_minute
        ),
    )
    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False)
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return uvicorn.Server(config), Running(services, f"http://{shown}:{port}")


@contextmanager
def serving(settings: Settings) -> Iterator[Running]:
    """Serve in a thread while the block runs, on the port of the settings or a free one."""
    services = open_services(settings)
    listener = bind(settings.host, settings.port, or_free=True)
    server, running = make_server(services, settings, listener)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        _wait_until_started(server, thread)
        keep_for_good()
        yield running
    finally:
        server.should_exit = True
        thread.join(timeout=_START_SECONDS)
        listener.close()
        services.installation.engine.dispose()


def keep_for_good() -> None:
    """Exempt what the start made from the search for garbage, which else stops all work for a tenth of a second now and then."""
    gc.collect()
    gc.freeze()


@contextmanager
def working(settings: Settings) -> Iterator[Services]:
    """Do a worker's or a calculator's part while the block runs, without answering requests."""
    services = open_services(settings)
    if not services.installation.vault.is_open:
        log.warning("no master key in %s/keys: this worker calculates nothing and reads no disclosure", settings.data)
    try:
        with services.at_work(settings.checkpoint_seconds):
            yield services
    finally:
        services.installation.engine.dispose()


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    for _attempt in range(_START_SECONDS * 20):
        if server.started:
            return
        if not thread.is_alive():
            break
        thread.join(timeout=0.05)
    raise SetupError("the server did not start", where="server", remedy="see the messages above")
