"""Serving a witness until it is interrupted."""

from __future__ import annotations

import socket

import uvicorn

from exchange.witness.app import create_witness_app
from exchange.witness.folder import Witness

_CONNECTIONS = 128  # at once; more are answered 503
_MAX_HEAD = 65_536  # bytes of request line and headers; more are answered 400


def serve_witness(witness: Witness, listener: socket.socket) -> None:
    """Serve on a bound socket; ends at SIGINT or SIGTERM, when the requests under way are answered."""
    config = uvicorn.Config(
        create_witness_app(witness),
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=_CONNECTIONS,
        http="h11",  # the limit of a request's head is this parser's
        h11_max_incomplete_event_size=_MAX_HEAD,
        timeout_graceful_shutdown=10,
    )
    uvicorn.Server(config).run(sockets=[listener])
