"""A timestamping authority for tests: its certificates made here, its RFC 3161 responses by ``openssl ts``, at the real time.

No extra certificates go into the responses (`certs=`): openssl 3.0 orders them in a way that is not DER.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

START = datetime(2020, 1, 1, tzinfo=UTC)
END = datetime(2090, 1, 1, tzinfo=UTC)

_CONFIGURATION = """\
[tsa]
default_tsa = one
[one]
serial = {folder}/serial
signer_cert = {folder}/signer.pem
signer_key = {folder}/signer.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
{accuracy}
ordering = no
tsa_name = no
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


@dataclass(frozen=True)
class TimestampAuthority:
    """A root and a signer below it. `root` is the DER that a verifier trusts."""

    folder: Path
    root_key: rsa.RSAPrivateKey
    signer_key: rsa.RSAPrivateKey
    root: bytes
    signer: bytes

    @classmethod
    def create(
        cls, folder: Path, *, end: datetime = END, accuracy: str = "secs:1, millisecs:500"
    ) -> TimestampAuthority:
        """An authority whose signer's certificate ends at `end`. Skips the test, loudly, where there is no openssl."""
        if shutil.which("openssl") is None:
            pytest.skip("NOT TESTED: openssl is not installed, so that there is no timestamping authority")
        root_key, signer_key = (rsa.generate_private_key(65537, 2048) for _ in range(2))
        root = _certificate("Timestamp root", root_key, root_key, END, None)
        signer = signer_certificate(root_key, signer_key, end)
        folder.joinpath("signer.pem").write_bytes(signer.public_bytes(Encoding.PEM))
        key = signer_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        folder.joinpath("signer.key").write_bytes(key)
        folder.joinpath("serial").write_text("01\n")
        stated = f"accuracy = {accuracy}" if accuracy else ""
        folder.joinpath("tsa.cnf").write_text(_CONFIGURATION.format(folder=folder, accuracy=stated))
        return cls(folder, root_key, signer_key, root.public_bytes(Encoding.DER), signer.public_bytes(Encoding.DER))

    def answer(self, query: bytes) -> bytes:
        """The response (DER) to a request (DER) as it comes over HTTP, for now."""
        asked, answered = self.folder / "asked.tsq", self.folder / "answered.tsr"
        asked.write_bytes(query)
        configuration = str(self.folder / "tsa.cnf")
        _openssl_ts("-reply", "-config", configuration, "-queryfile", str(asked), "-out", str(answered))
        return answered.read_bytes()

    def stamp(self, digest: bytes, *, algorithm: str = "sha256", with_certificate: bool = True) -> bytes:
        """The response (DER) over a digest, for now."""
        query = self.folder / "query.tsq"
        asked = ["-query", "-digest", digest.hex(), f"-{algorithm}", "-no_nonce", "-out", str(query)]
        _openssl_ts(*asked, *(["-cert"] if with_certificate else []))
        return self.answer(query.read_bytes())


def signer_certificate(
    root_key: rsa.RSAPrivateKey,
    signer_key: rsa.RSAPrivateKey,
    end: datetime = END,
    purpose: ObjectIdentifier = ExtendedKeyUsageOID.TIME_STAMPING,
) -> x509.Certificate:
    """A signer's certificate; two that differ in their purpose alone have the same length and serial number."""
    return _certificate("Timestamp signer", signer_key, root_key, end, purpose)


def _certificate(
    subject: str,
    key: rsa.RSAPrivateKey,
    issuer_key: rsa.RSAPrivateKey,
    end: datetime,
    purpose: ObjectIdentifier | None,
) -> x509.Certificate:
    subject_name, issuer_name = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, n)]) for n in (subject, "Timestamp root")
    )
    builder = x509.CertificateBuilder().subject_name(subject_name).issuer_name(issuer_name)
    builder = builder.serial_number(1 if purpose is None else 2)
    builder = builder.public_key(key.public_key()).not_valid_before(START).not_valid_after(end)
    is_root = purpose is None
    builder = builder.add_extension(x509.BasicConstraints(is_root, None), critical=True)
    usage = x509.KeyUsage(not is_root, False, False, False, False, is_root, is_root, False, False)
    builder = builder.add_extension(usage, critical=True)
    if purpose is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
    return builder.sign(issuer_key, hashes.SHA256())


def _openssl_ts(*arguments: str) -> None:
    # On failure openssl's own words are the best explanation.
    done = subprocess.run(["openssl", "ts", *arguments], capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
