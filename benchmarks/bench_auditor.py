"""The auditor: an evidence file verified and recomputed, against the bare signatures in it, which nobody can do without."""

import base64
import json
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.x509 import load_der_x509_certificate

from benchmarks.large_evidence import STATEMENTS
from benchmarks.measure import Row, compare, limit
from exchange.assembly import Demand
from exchange.kinds import ACTIVITY_DATA
from exchange.report import Document
from exchange.trust import TrustFile
from exchange.verification import verify_evidence
from signer import leaf_bytes
from signer.jws import read_header
from tests.evidence import read_evidence
from tests.exchange.dossier import EVERBATT, LITHIUM, Dossier, EverBatt, salt_claims

GOAL = ">=0.25"
REFERENCE = "cryptography verify of its signatures"


def rows() -> Iterator[Row]:
    """Files per second; a ratio of 0.25 means four times the bare signatures' time."""
    chain = EverBatt()
    yield _row("the demo's chain, 9 results", chain.dossier, list(chain.results.values()), GOAL)
    yield _row("the demo's chain, 1 result", chain.dossier, [next(iter(chain.results.values()))], "for information")
    for length in (100, 1000):
        supply = _supply_chain(length)
        found = supply.compute(Demand(f"{LITHIUM}/{length}"), EVERBATT)
        yield _row(f"a chain of {length} processes, 1 result", supply, [found], GOAL)
    yield from _large()
    yield _start()


def _large() -> Iterator[Row]:
    """An evidence file of many statements of one tree, made by an exchange and verified, each in a process of its own."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        _in_a_process("fill", folder)
        made, verified = _in_a_process("make", folder), _in_a_process("verify", folder)
        data, trust = (folder / "evidence.packtrace").read_bytes(), TrustFile.read((folder / "trust").read_bytes())
        signatures = _signatures(data, trust)
        before = process_time()
        for check in signatures:
            check()
        bare = process_time() - before
    assert verified["verdict"] == "verified", verified
    what = f"evidence of {STATEMENTS:,} statements, {made['bytes']:,} bytes"
    yield limit(f"making {what}: largest resident memory", made["memory_mb"], 300, "MB")
    ratio = bare / verified["seconds"]
    ours, reference = (len(signatures) / seconds for seconds in (verified["seconds"], bare))
    unit = "statements per second of processor time"
    yield Row(f"verify and recompute {what}", ours, reference, REFERENCE, ratio, GOAL, unit)


def _in_a_process(step: str, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.large_evidence", step, str(folder)]
    found: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return found


def _start() -> Row:
    """How long a page of help takes, against the import of the one library that verification can't do without."""
    help_, bare = (
        "import sys; sys.argv = ['packtrace', 'verify', '--help']; from exchange.cli import main; main()",
        "from cryptography import x509",
    )
    pairs = [(_spent(help_), _spent(bare)) for _ in range(7)]
    ours, reference = (median(pair[side] for pair in pairs) for side in (0, 1))
    ratio = median(pair[0] / pair[1] for pair in pairs)
    return Row(
        "packtrace verify --help", 1000 * ours, 1000 * reference, "import of x509", ratio, "<=5", "ms of processor time"
    )


def _spent(code: str) -> float:
    """The processor time (s) of a Python that runs this."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _supply_chain(length: int) -> Dossier:
    """A log of one maker, whose product n goes into product n + 1."""
    made = Dossier()
    simulator = made.simulator
    simulator.join(LITHIUM, "supplier")
    entry = simulator.state(LITHIUM, ACTIVITY_DATA, salt_claims(f"{LITHIUM}/1"))
    for number in range(2, length + 1):
        product = f"{LITHIUM}/{number}"
        line = {"unit": "kg", "obtained": "measured"}
        part = {**line, "amount": "0.5", "name": "part", "product": f"{LITHIUM}/{number - 1}"}
        copper = {**line, "amount": "0.1", "name": "copper", "flow": "copper"}
        claims = salt_claims(product, inputs=[{**part, "citation": simulator.cite(entry)}, copper])
        entry = simulator.state(LITHIUM, ACTIVITY_DATA, claims)
    return made


def _row(name: str, dossier: Dossier, results: list[Document], goal: str) -> Row:
    data, trust = dossier.file(results), dossier.trust()
    verdict = verify_evidence(data, trust)
    assert verdict.exit_code == 0, verdict.text
    signatures = _signatures(data, trust)
    return compare(
        f"verify and recompute {name}, {len(signatures)} signatures, {len(data):,} bytes",
        lambda: verify_evidence(data, trust),
        lambda: [check() for check in signatures],
        reference_name=REFERENCE,
        goal=goal,
        unit="files per second",
    )


def _signatures(data: bytes, trust: TrustFile) -> list[Callable[[], object]]:
    """The signatures of all statements in the file and of its checkpoint."""
    _, members = read_evidence(data)
    tokens = [content.decode() for name, content in members.items() if name.endswith("/token")]
    notes = {content.partition(b"\n\n")[2] for name, content in members.items() if name.endswith("/proof")}
    return [*map(_of_statement, tokens), *(_of_checkpoint(note.decode(), trust) for note in notes)]


def _of_statement(token: str) -> Callable[[], object]:
    signed, _, text = leaf_bytes(token).rpartition(b".")
    signature = base64.urlsafe_b64decode(text + b"==")
    leaf = read_header(token.partition(".")[0]).leaf
    public_key = load_der_x509_certificate(leaf).public_key()
    assert isinstance(public_key, ec.EllipticCurvePublicKey)
    der = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
    algorithm = ec.ECDSA(hashes.SHA256())
    return lambda: public_key.verify(der, signed, algorithm)


def _of_checkpoint(note: str, trust: TrustFile) -> Callable[[], object]:
    text, _, line = note.partition("\n\n")
    signature = base64.b64decode(line.split(" ")[2])[4:]
    public_key = ed25519.Ed25519PublicKey.from_public_bytes(trust.key.public_key)
    return lambda: public_key.verify(signature, f"{text}\n".encode())
