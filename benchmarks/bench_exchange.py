"""The exchange: a statement's whole way in (verified, appended, its rows written) against the bare append of its bytes."""

from __future__ import annotations

import base64
import json
import random
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import cast

import uvicorn
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from fastapi import FastAPI
from sqlalchemy import Engine
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from benchmarks.measure import Row, compare
from exchange.api import RequestLimits
from exchange.intake import Admissions
from exchange.kinds import ACTIVITY_DATA
from exchange.server import bind, keep_for_good
from ledger.store import append, begin, create_log, head, metadata, snapshot, sqlite_engine
from signer import Issued, join_presentation
from tests.flow.accounts import Company
from tests.flow.world import Clock, Exchange, Member, activity, line

STATEMENTS = 2_500
"""More than a run uses up; each is admitted once."""
CLIENTS, AT_ONCE, STREAMED, ROUNDS = 64, 128, 120, 5
#: Requests are counted, as in service, and none is refused.
_NO_LIMITS = RequestLimits(10**9, 10**9, 10**9)


def rows() -> Iterator[Row]:
    """Measure intake by itself and behind HTTP; every side commits to a SQLite file of its own with synchronous=FULL."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        exchange = Exchange.open(folder / "data", f"sqlite:///{folder / 'exchange.sqlite'}")
        fresh = _statements(exchange.member("maker"))
        intake = exchange.services.installation.intake

        def submit() -> object:
            issued = next(fresh)
            return intake.submit(issued.token, issued.disclosures)

        def post() -> object:
            issued = next(fresh)
            body = {"statement": join_presentation(issued.token, issued.disclosures)}
            answer = exchange.http.post("/api/v1/statements", json=body)
            assert answer.status_code == 201, answer.text
            return answer

        size = len(next(fresh).token)
        bare = _append(_log(folder / "bare.sqlite"), size)
        yield compare(
            f"submit a statement of {size} bytes",
            submit,
            bare,
            reference_name="append of as many bytes",
            goal=">=0.15",
            unit="statements per second",
        )
        yield compare(
            f"POST a statement of {size} bytes",
            post,
            bare,
            reference_name="append of as many bytes",
            goal="for information",
            unit="statements per second",
        )
        exchange.close()
    yield from _served()


def _served() -> Iterator[Row]:
    """Measure a served exchange, whose clients are a process of their own, and what any such server has to do at least."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clock = Clock(datetime.now(UTC) + timedelta(minutes=1))  # access tokens are dated by the machine's clock
        exchange = Exchange.open(
            folder / "data", f"sqlite:///{folder / 'exchange.sqlite'}", clock=clock, limits=_NO_LIMITS
        )
        company = Company.join(exchange, "maker")
        issued = list(_statements(company.member))
        bodies = folder / "bodies"
        bodies.write_bytes(b"".join(_body(one) + b"\n" for one in issued))
        token = company.program("statements:write").headers["Authorization"].split()[1]
        # First of all routes, so that it doesn't pay for a search among ours.
        cast("FastAPI", exchange.http.app).router.routes.insert(0, _least(company.member))
        with _listening(exchange) as port, _clients(port, token, bodies) as post, _clients(port, token, bodies) as bare:
            yield compare(
                f"POST by {CLIENTS} clients in another process, with an access token",
                lambda: post("/api/v1/statements", AT_ONCE, CLIENTS),
                lambda: bare("/least", AT_ONCE, CLIENTS),
                reference_name="body read, token from the cache, one bare signature verification",
                goal=">=0.5",
                unit="statements per second",
                operations=AT_ONCE,
                rounds=ROUNDS,
            )
            ours = exchange.services.installation
            with snapshot(ours.engine) as connection:
                admission, _seen = Admissions(ours.trust, ours.policy).current(connection)
                size = head(connection).size
            known = iter(issued)

            def verify() -> None:
                for _ in range(STREAMED // 4):
                    one = next(known)
                    admission.check(size, one.token, one.disclosures, at=clock.now)

            yield compare(
                f"stream of {STREAMED} statements (NDJSON)",
                lambda: post("/api/v1/statements/stream", STREAMED, 0),
                verify,
                reference_name="strict verification alone",
                goal=">=0.6",
                unit="statements per second",
                operations=STREAMED,
                reference_operations=STREAMED // 4,
                rounds=ROUNDS,
            )
        exchange.close()


def _body(issued: Issued) -> bytes:
    return json.dumps({"statement": join_presentation(issued.token, issued.disclosures)}).encode()


def _least(maker: Member) -> Route:
    """The least that a submission takes; the token is looked up in the cache by the guard before all routes."""
    key = maker.key.private_key.public_key()
    assert isinstance(key, EllipticCurvePublicKey)

    async def answer(request: Request) -> JSONResponse:
        token = json.loads(await request.body())["statement"].partition("~")[0]
        assert request.state.principal is not None
        signing_input, _, signature = token.rpartition(".")
        raw = base64.urlsafe_b64decode(signature + "==")
        der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
        key.verify(der, signing_input.encode(), ECDSA(SHA256()))
        return JSONResponse({"ok": True})

    return Route("/least", answer, methods=["POST"])


@contextmanager
def _listening(exchange: Exchange) -> Iterator[int]:
    """Serve the exchange in a thread, as `exchange.server` does."""
    listener = bind("127.0.0.1", 0, or_free=False)
    config = uvicorn.Config(
        exchange.http.app, log_level="warning", access_log=False, server_header=False, lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    keep_for_good()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@contextmanager
def _clients(port: int, token: str, bodies: Path) -> Iterator[Callable[[str, int, int], None]]:
    """The clients; each call posts fresh bodies and waits for all answers."""
    command = [sys.executable, "-m", "benchmarks.clients", str(port), token, str(bodies)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def post(path: str, count: int, connections: int) -> None:
            print(path, count, connections, file=process.stdin, flush=True)
            done = int(process.stdout.readline())  # type: ignore[union-attr]
            assert done == count, f"{done} of {count} answered well"

        yield post
        process.stdin.close()


def _statements(maker: Member) -> Iterator[Issued]:
    """Fresh statements of one size, signed beforehand: signing is the company's work, not the exchange's."""
    inputs = [line(name=f"input {number}", flow="nickel-sulfate") for number in range(12)]
    claims = [activity(maker.product(f"p{number:05}"), *inputs) for number in range(STATEMENTS)]
    return iter([maker.sign(ACTIVITY_DATA, one) for one in claims])


def _log(path: Path) -> Engine:
    engine = sqlite_engine(path)
    metadata.create_all(engine)
    with begin(engine) as connection:
        create_log(connection, "bench.example")
    return engine


def _append(engine: Engine, size: int) -> Callable[[], object]:
    numbers, filling = count(), random.Random(1).randbytes(size).hex()

    def run() -> None:
        with begin(engine) as connection:
            append(connection, [f"{next(numbers)}.{filling}"[:size].encode("ascii")])

    return run
