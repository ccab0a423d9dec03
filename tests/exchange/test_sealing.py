"""A file encrypted to one reader's key: whole, in order, for that reader alone."""

from __future__ import annotations

import io
import re
from datetime import timedelta

import pytest

from exchange.errors import StatementError
from exchange.sealing import CHUNK, FILE_TYPE, SealedFile, is_sealed, open_file, open_with, seal_to
from signer import CertificateAuthority, KeyPair
from tests.simulator import START

READER = "https://reader.example"
AUTHORITY = CertificateAuthority.create(
    "CA", KeyPair.generate("ES256"), START - timedelta(days=1), START.replace(year=2035)
)


def member(algorithm: str = "ES256") -> KeyPair:
    key = KeyPair.generate("ES256" if algorithm == "ES256" else "Ed25519")
    return key.with_certificate(AUTHORITY.issue(key.csr(READER), READER, START, START.replace(year=2030)))


@pytest.fixture(scope="module")
def reader() -> KeyPair:
    return member()


def sealed(content: bytes, reader: KeyPair, step: int = 1000) -> bytes:
    buffer = io.BytesIO()
    file = SealedFile(buffer, reader.certificate)
    for start in range(0, len(content), step):
        file.write(content[start : start + step])
    file.close()
    return buffer.getvalue()


def opened(data: bytes, reader: KeyPair) -> bytes:
    buffer = io.BytesIO()
    open_file(io.BytesIO(data), reader, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("length", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 7])
@pytest.mark.parametrize("step", [CHUNK // 3, 3 * CHUNK])
def test_what_is_sealed_is_opened(length: int, step: int, reader: KeyPair) -> None:
    content = (b"0123456789abcdef" * (length // 16 + 1))[:length]
    data = sealed(content, reader, step)
    assert is_sealed(data)
    assert opened(data, reader) == content
    assert content[:64] not in data or length < 64


def test_another_key_opens_nothing(reader: KeyPair) -> None:
    with pytest.raises(StatementError) as caught:
        opened(sealed(b"kg", reader), member())
    assert caught.value.what == "it was not sealed to this key, or was changed"
    with pytest.raises(StatementError, match="nothing is sealed to such a key"):
        opened(sealed(b"kg", reader), member("Ed25519"))
    with pytest.raises(StatementError, match="nothing can be encrypted to this key"):
        sealed(b"kg", member("Ed25519"))


def test_chunks_are_neither_cut_nor_moved_nor_doubled_nor_changed(reader: KeyPair) -> None:
    data = sealed(bytes(3 * CHUNK), reader)
    header, _, body = data.partition(b"\n")
    chunks = [body[start : start + CHUNK + 16] for start in range(0, len(body), CHUNK + 16)]
    for others in (
        chunks[:-1],
        chunks[:1],
        [],
        [chunks[1], chunks[0], chunks[2]],
        [*chunks, chunks[-1]],
        [chunks[0], *chunks],
        [chunks[0][:-1] + bytes([chunks[0][-1] ^ 1]), *chunks[1:]],
        [*chunks[:-1], chunks[-1][:-1]],
        [*chunks, b"\0"],
    ):
        with pytest.raises(StatementError, match="changed or cut"):
            opened(header + b"\n" + b"".join(others), reader)


def test_a_key_of_another_file_opens_nothing(reader: KeyPair) -> None:
    one, other = sealed(b"one", reader), sealed(b"other", reader)
    with pytest.raises(StatementError, match="changed or cut"):
        opened(one.partition(b"\n")[0] + b"\n" + other.partition(b"\n")[2], reader)


def test_one_kind_is_not_taken_for_another(reader: KeyPair) -> None:
    with pytest.raises(StatementError, match=f"is no {re.escape(FILE_TYPE)}, but 'packtrace-handover"):
        open_with(reader, seal_to(reader.certificate, bytes(32), "packtrace-handover+jwe"), FILE_TYPE)


@pytest.mark.parametrize("data", [b"", b"\n", b"PK\3\4", b"eyJ", b"eyJ" * 5000, "é\n".encode()])
def test_what_is_no_sealed_file_is_refused(data: bytes, reader: KeyPair) -> None:
    with pytest.raises(StatementError):
        opened(data, reader)
