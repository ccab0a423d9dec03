"""Stands between a client and PostgreSQL, and cuts the connection at a COMMIT."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Literal

import psycopg
from sqlalchemy import URL, make_url

_CHUNK = 65_536


class Proxy:
    """Listens on a port of its own while it is open. `cut` says where the next COMMIT ends its connection: before the server has
    it, or after the server has done it and before the client knows."""

    def __init__(self, url: str) -> None:
        self._behind = make_url(url)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.cut: Literal["before", "after"] | None = None
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> URL:
        """The database by way of this proxy."""
        return self._behind.set(host="127.0.0.1", port=self._listener.getsockname()[1], query={})

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server = self._connect()
        committing = threading.Event()
        back = threading.Thread(target=self._backward, args=(server, client, committing), daemon=True)
        back.start()
        with client, server:
            self._forward(client, server, committing)
            # Shut before it is closed: the other thread waits in `recv`, and that keeps a closed one open.
            for end in (client, server):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            back.join()

    def _forward(self, client: socket.socket, server: socket.socket, committing: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(_CHUNK):
                if b"COMMIT\0" in data and self.cut is not None:
                    cut, self.cut = self.cut, None
                    if cut == "before":
                        return
                    committing.set()
                server.sendall(data)

    def _backward(self, server: socket.socket, client: socket.socket, committing: threading.Event) -> None:
        with suppress(OSError):
            # While it commits, what comes is the server's word that it has: the client must not hear it.
            while (data := server.recv(_CHUNK)) and not committing.is_set():
                client.sendall(data)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)

    def _connect(self) -> socket.socket:
        with psycopg.connect(self._behind.set(drivername="postgresql").render_as_string(hide_password=False)) as found:
            host, port = found.info.host, found.info.port
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{host}/.s.PGSQL.{port}")
        return server
