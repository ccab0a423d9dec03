"""Real receivers of events on this machine: an HTTP(S) server and certificates for it; and a dispatcher with a clock to move."""

from __future__ import annotations

import datetime
import json
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from exchange.events import (
    Channels,
    DeliveryRow,
    Dispatcher,
    Inbox,
    MailServer,
    SubscriptionRow,
    Subscriptions,
    WebhookKey,
    emit,
)
from ledger.store import begin, snapshot
from tests.flow.world import Clock

SUPPLIER, MAKER = "https://supplier.example", "https://maker.example"
CREATED = "packtrace.request.created"
SOURCE = "packtrace.example/test"


@dataclass
class Receiver:
    """An HTTP server that keeps what is posted to it. `answer` gives the status for each request; it may take its time."""

    answer: Callable[[dict[str, Any]], int] = lambda _event: 204
    headers: Mapping[str, str] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    port: int = 0

    @property
    def ids(self) -> list[str]:
        """The idempotency keys, in order of arrival."""
        return [headers["webhook-id"] for _path, headers, _body in self.got]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def receiving(receiver: Receiver) -> Iterator[Receiver]:
    """Serve while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.got.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            status = receiver.answer(json.loads(body))
            self.send_response(status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_arguments: object) -> None:
            """A client that goes away is what some tests are about."""

    server = Server(("127.0.0.1", receiver.port), Handler)
    if receiver.tls is not None:
        server.socket = receiver.tls.wrap_socket(server.socket, server_side=True)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def certified(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The contexts of a TLS server named `name` and of a client that trusts the authority it is from."""
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"authority of {name}")])

    def builder(subject: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
        made = made.serial_number(x509.random_serial_number()).not_valid_before(now - day).not_valid_after(now + day)
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key())
        return made.add_extension(identifier, critical=False)

    root = builder(issuer, authority.public_key())
    root = root.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    root = root.add_extension(x509.SubjectKeyIdentifier.from_public_key(authority.public_key()), critical=False)
    usage = dict.fromkeys(
        (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    root = root.add_extension(x509.KeyUsage(**usage, key_cert_sign=True, crl_sign=True), critical=True)
    leaf = builder(x509.Name([]), key.public_key())
    leaf = leaf.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=True)
    pem = serialization.Encoding.PEM
    chain = folder / f"{name}.pem"
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chain.write_bytes(private + leaf.sign(authority, hashes.SHA256()).public_bytes(pem))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(chain)
    anchor = root.sign(authority, hashes.SHA256()).public_bytes(pem).decode()
    return server, ssl.create_default_context(cadata=anchor)


@dataclass
class Mailroom:
    """Events, subscriptions and a dispatcher on one migrated database."""

    engine: Engine
    clock: Clock = field(default_factory=Clock)
    hosts: Sequence[str] = ()
    mail: MailServer | None = None
    tls: ssl.SSLContext | None = None
    seconds: float = 5
    key: WebhookKey = field(default_factory=lambda: WebhookKey(Ed25519PrivateKey.generate()))
    resolve: Callable[[str, int], Sequence[str]] = lambda host, _port: [host]
    dispatchers: list[Dispatcher] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.channels = Channels(
            self.key, self.hosts, self.mail, resolve=self.resolve, tls=self.tls, seconds=self.seconds
        )
        self.inbox = Inbox(self.engine, self.clock)
        self.subscriptions = Subscriptions(self.engine, self.channels, clock=self.clock, random=random.randbytes)
        self.dispatcher = self.another("first")

    def another(self, holder: str, clock: Clock | None = None) -> Dispatcher:
        """The dispatcher of another process."""
        made = Dispatcher(
            self.engine, self.channels, SOURCE, holder=holder, clock=clock or self.clock, random=random.randbytes
        )
        self.dispatchers.append(made)
        return made

    def close(self) -> None:
        for dispatcher in self.dispatchers:
            dispatcher.stop()

    def emit(self, recipient: str = SUPPLIER, type_: str = CREATED, **data: Any) -> str:
        """Write an event, and let a millisecond pass, so that ids have the order of events."""
        with begin(self.engine) as connection:
            session = Session(connection)
            name = emit(
                session, recipient=recipient, type=type_, subject="/api/v1/requests/1", data=data, at=self.clock()
            )
        self.clock.advance(0.001)
        return name

    def run(self, dispatcher: Dispatcher | None = None) -> int:
        """A tick, and all that it began."""
        dispatcher = dispatcher or self.dispatcher
        begun = dispatcher.tick()
        until(lambda: not dispatcher._in_flight.owners)
        return begun

    def deliveries(self, subscription: str) -> dict[str, DeliveryRow]:
        """How far the deliveries to one subscription have come, by event."""
        with snapshot(self.engine) as connection:
            session = Session(connection)
            rows = session.exec(select(DeliveryRow).where(col(DeliveryRow.subscription) == subscription)).all()
            session.expunge_all()
        return {row.event: row for row in rows}

    def states(self, subscription: str) -> list[str]:
        """The deliveries' states, in order of the events."""
        return [row.state for _event, row in sorted(self.deliveries(subscription).items())]

    def subscription(self, name: str) -> SubscriptionRow:
        with snapshot(self.engine) as connection:
            session = Session(connection)
            found = session.get_one(SubscriptionRow, name)
            session.expunge(found)
        return found


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for something that other threads or processes do."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it doesn't come about"
        time.sleep(0.01)
