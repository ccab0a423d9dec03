"""Clients in a process of their own: `python -m benchmarks.clients PORT TOKEN BODIES`, BODIES a file with one JSON body a line.

For each line `PATH COUNT CLIENTS` on standard input it posts the next COUNT bodies to PATH over CLIENTS connections that stay open (with 0,
as one stream of lines), and answers how many succeeded.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Clients:
    """Open connections to one server."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._token = token
        self._open: list[Connection] = []

    async def post(self, path: str, bodies: Iterator[bytes], clients: int) -> int:
        """Post each body once, each client one after the other; return how many were admitted or there before."""
        while len(self._open) < clients:
            self._open.append(await asyncio.open_connection("127.0.0.1", self._port))

        async def work(connection: Connection) -> int:
            done = 0
            for body in bodies:
                status, _answer = await self._exchange(connection, path, body)
                done += status in {b"200", b"201"}
            return done

        return sum(await asyncio.gather(*map(work, self._open[:clients])))

    async def stream(self, path: str, bodies: Iterator[bytes]) -> int:
        """Post all bodies as lines; return how many lines say that they were accepted."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        lines = b"".join(body + b"\n" for body in bodies)
        _status, answer = await self._exchange((reader, writer), path, lines, "application/x-ndjson")
        writer.close()
        return answer.count(b'"accepted": true')

    async def _exchange(
        self, connection: Connection, path: str, body: bytes, form: str = "application/json"
    ) -> tuple[bytes, bytes]:
        reader, writer = connection
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self._token}\r\n"
            f"Content-Type: {form}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode("ascii") + body)
        lines = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
        headers = dict(line.split(b": ", 1) for line in lines[1:] if line)
        if b"content-length" in headers:
            answer = await reader.readexactly(int(headers[b"content-length"]))
        else:
            answer = b""
            while size := int(await reader.readuntil(b"\r\n"), 16):
                answer += (await reader.readexactly(size + 2))[:-2]
            await reader.readexactly(2)
        return lines[0].split()[1], answer


async def main(port: int, token: str, file: Path) -> None:
    """Do what standard input says until it ends."""
    clients, bodies = Clients(port, token), iter(file.read_bytes().splitlines())
    loop = asyncio.get_running_loop()
    while order := (await loop.run_in_executor(None, sys.stdin.readline)).split():
        path, count, connections = order[0], int(order[1]), int(order[2])
        some = iter(list(islice(bodies, count)))
        done = await (clients.post(path, some, connections) if connections else clients.stream(path, some))
        print(done, flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])))
