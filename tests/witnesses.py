"""Witnesses for tests: real processes, and servers that answer whatever a test has them answer."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import uvicorn

from exchange.server import bind
from exchange.witness import Witness, create_witness_app, open_witness
from ledger import LogKey, WitnessKey, WitnessSigner

ROOT = Path(__file__).resolve().parents[1]
COMMAND = "from exchange.cli import main; main()"


@dataclass
class RunningWitness:
    """A witness process on loopback."""

    process: subprocess.Popen[str]
    key: WitnessKey
    url: str

    def line(self, name: str) -> str:
        """Its line in a policy."""
        return f"witness {name} {self.key} {self.url}\n"

    def post(self, body: bytes) -> httpx2.Response:
        """Send an `add-checkpoint` request."""
        return httpx2.post(f"{self.url}/add-checkpoint", content=body, trust_env=False, timeout=30)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, wait, and return the exit code."""
        self.process.send_signal(number)
        self.process.communicate(timeout=30)
        return self.process.returncode


@contextmanager
def witness_process(
    folder: Path, logs: Sequence[LogKey], name: str | None = None, *, port: int = 0, before: str = ""
) -> Iterator[RunningWitness]:
    """Run `packtrace ledger witness`; `before` is Python that runs in the process first."""
    policy = folder.with_name(f"{folder.name}.logs")
    policy.write_text("".join(f"log {key}\n" for key in logs) + "quorum none\n")
    arguments = ["ledger", "witness", str(folder), "--policy", str(policy), "--port", str(port)]
    if name is not None:
        arguments += ["--name", name]
    process = subprocess.Popen(
        [sys.executable, "-c", f"{before}\n{COMMAND}", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        words = process.stdout.readline().split()
        try:
            assert words, process.communicate()[1]
            yield RunningWitness(process, WitnessKey.parse(words[2]), words[3])
        finally:
            process.kill()


@dataclass
class ServedWitness:
    """The real application of a witness, served by a thread of the test."""

    witness: Witness
    url: str

    def line(self, name: str) -> str:
        """Its line in a policy."""
        return f"witness {name} {self.witness.signer.witness_key} {self.url}\n"


@contextmanager
def served_witness(
    folder: Path, logs: Sequence[LogKey], name: str, clock: Callable[[], float], *, port: int = 0
) -> Iterator[ServedWitness]:
    """Serve a witness on loopback while the block runs."""
    witness = open_witness(folder, logs, name=name, passphrase="a witness's", clock=clock, random=random.randbytes)
    listener = bind("127.0.0.1", port, or_free=False)
    found = ServedWitness(witness, f"http://127.0.0.1:{listener.getsockname()[1]}")
    server = uvicorn.Server(uvicorn.Config(create_witness_app(witness), log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield found
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Puppet:
    """A server in the place of a witness, which says what `play` makes of each request's body."""

    signer: WitnessSigner
    url: str
    play: Callable[[bytes], Answer]
    asked: list[bytes]

    def line(self, name: str) -> str:
        """Its line in a policy."""
        return f"witness {name} {self.signer.witness_key} {self.url}\n"


@contextmanager
def puppet(number: int, play: Callable[[bytes], Answer] | None = None) -> Iterator[Puppet]:
    """Serve a puppet on loopback; its key follows from `number`."""
    signer = WitnessSigner(f"puppet{number}.example/w", bytes([number]) * 32)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.asked.append(body)
            status, headers, answer = made.play(body)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(answer)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Puppet(signer, f"http://127.0.0.1:{server.server_address[1]}", play or agree(signer), [])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def agree(signer: WitnessSigner, time: int = 1) -> Callable[[bytes], Answer]:
    """Cosign whatever comes, as no witness may."""

    def play(body: bytes) -> Answer:
        note = body.decode().partition("\n\n")[2]
        text = note.partition("\n\n")[0] + "\n"
        return 200, {}, signer.sign(text, time).encode()

    return play
