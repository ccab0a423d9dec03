"""RFC 3161 timestamps, by an authority that openssl runs: over this digest, by somebody trusted, in form."""

import hashlib
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier
from hypothesis import given
from hypothesis import strategies as st

from signer import (
    MalformedTimestampError,
    TimestampError,
    TimestampMismatchError,
    TimestampNotTrustedError,
    timestamp_request,
    verify_timestamp,
)
from tests.tsa import TimestampAuthority, signer_certificate

CHECKPOINT = b"ledger.example/2026\n12\nqINS1GRFHWHwdkUeqLEoP4yEMkTBBzxBkGwGQlVlVcs=\n"
DIGEST = hashlib.sha256(CHECKPOINT).digest()
Folders = Callable[[str], Path]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    return tmp_path_factory.mktemp


@pytest.fixture(scope="module")
def authority(folders: Folders) -> TimestampAuthority:
    return TimestampAuthority.create(folders("authority"))


@pytest.fixture(scope="module")
def response(authority: TimestampAuthority) -> bytes:
    return authority.stamp(DIGEST)


def test_a_timestamp_says_when(authority: TimestampAuthority) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    timestamp = verify_timestamp(authority.stamp(DIGEST), DIGEST, [authority.root])
    after = datetime.now(UTC)
    assert timestamp.digest == DIGEST
    assert timestamp.latest - timestamp.earliest == timedelta(seconds=3)
    assert before <= timestamp.earliest + timedelta(seconds=1.5) <= after


def test_a_request_is_the_one_that_openssl_makes(authority: TimestampAuthority, tmp_path: Path) -> None:
    """Byte for byte, and the same each time; what is answered to it is over the data's SHA-256."""
    (tmp_path / "data").write_bytes(CHECKPOINT)
    command = ["openssl", "ts", "-query", "-data", "data", "-sha256", "-cert", "-no_nonce", "-out", "query"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    assert timestamp_request(CHECKPOINT) == (tmp_path / "query").read_bytes() == timestamp_request(CHECKPOINT)
    assert verify_timestamp(authority.answer(timestamp_request(CHECKPOINT)), DIGEST, [authority.root])


def test_openssl_agrees(authority: TimestampAuthority, response: bytes, tmp_path: Path) -> None:
    files = {"data": CHECKPOINT, "response": response}
    files["root"] = load_der_x509_certificate(authority.root).public_bytes(Encoding.PEM)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    command = ["openssl", "ts", "-verify", "-data", "data", "-in", "response", "-CAfile", "root"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    (tmp_path / "data").write_bytes(CHECKPOINT + b"x")
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode != 0


def test_without_a_stated_accuracy_it_is_a_second(folders: Folders) -> None:
    authority = TimestampAuthority.create(folders("vague"), accuracy="")
    timestamp = verify_timestamp(authority.stamp(DIGEST), DIGEST, [authority.root])
    assert timestamp.latest - timestamp.earliest == timedelta(seconds=2)


def test_a_timestamp_over_another_digest_is_refused(authority: TimestampAuthority, response: bytes) -> None:
    for digest in (hashlib.sha256(b"other").digest(), DIGEST[:31], b""):
        with pytest.raises(TimestampMismatchError) as caught:
            verify_timestamp(response, digest, [authority.root])
        assert caught.value.where == "messageImprint"


def test_a_timestamp_over_another_hash_is_refused(authority: TimestampAuthority) -> None:
    digest = hashlib.sha512(CHECKPOINT).digest()
    with pytest.raises(TimestampMismatchError):
        verify_timestamp(authority.stamp(digest, algorithm="sha512"), digest, [authority.root])


def test_an_authority_that_is_not_trusted_is_refused(
    authority: TimestampAuthority, response: bytes, folders: Folders
) -> None:
    """Of the same name, none at all, the signer in the place of a root, or no certificate."""
    namesake = TimestampAuthority.create(folders("namesake"))
    for roots in ([namesake.root], [], [authority.signer], [b"junk"]):
        with pytest.raises(TimestampNotTrustedError) as caught:
            verify_timestamp(response, DIGEST, roots)
        assert caught.value.where == "timestamp signature"
    for roots in ([namesake.root, authority.root], [authority.root, namesake.root]):
        said = verify_timestamp(response, DIGEST, roots)
        assert said.authority == hashlib.sha256(authority.root).hexdigest()


def test_a_signer_that_had_expired_is_refused(folders: Folders) -> None:
    authority = TimestampAuthority.create(folders("expired"), end=datetime(2021, 1, 1, tzinfo=UTC))
    with pytest.raises(TimestampNotTrustedError, match="expired"):
        verify_timestamp(authority.stamp(DIGEST), DIGEST, [authority.root])


@pytest.mark.parametrize("purpose", [ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION])
def test_a_signer_certified_for_something_else_is_refused(
    authority: TimestampAuthority, response: bytes, purpose: ObjectIdentifier
) -> None:
    other = signer_certificate(authority.root_key, authority.signer_key, purpose=purpose).public_bytes(Encoding.DER)
    assert len(other) == len(authority.signer)
    assert response.count(authority.signer) == 1
    with pytest.raises(TimestampNotTrustedError, match=r"purpose|timeStamping"):
        verify_timestamp(response.replace(authority.signer, other), DIGEST, [authority.root])


def test_a_response_without_the_signers_certificate_is_refused(authority: TimestampAuthority) -> None:
    with pytest.raises(TimestampError):
        verify_timestamp(authority.stamp(DIGEST, with_certificate=False), DIGEST, [authority.root])


# RFC 3161, 2.4.2: PKIStatusInfo { rejection, failInfo badAlg }, without a token.
REJECTED = bytes.fromhex("30093007020102030205a0")


@pytest.mark.parametrize(
    "name",
    [
        "nothing",
        "text",
        "truncated",
        "with_more_behind",
        "rejected",
        "granted_with_changes",
        "a_token_without_status",
        "too_long",
    ],
)
def test_a_malformed_response_is_refused(authority: TimestampAuthority, response: bytes, name: str) -> None:
    malformed = {
        "nothing": b"",
        "text": b"2026-11-22T00:00:00Z",
        "truncated": response[:-1],
        "with_more_behind": response + b"\x00",
        "rejected": REJECTED,
        "granted_with_changes": response.replace(bytes.fromhex("3003020100"), bytes.fromhex("3003020101"), 1),
        "a_token_without_status": response[9:],
        "too_long": response + bytes(70_000),
    }[name]
    with pytest.raises(MalformedTimestampError) as caught:
        verify_timestamp(malformed, DIGEST, [authority.root])
    assert caught.value.where == "timestamp"


def test_a_changed_response_says_the_same_or_is_refused(authority: TimestampAuthority, response: bytes) -> None:
    said = verify_timestamp(response, DIGEST, [authority.root])
    refusals = 0
    for position in range(0, len(response), 3):
        changed = bytearray(response)
        changed[position] ^= 1 << position % 8
        try:
            assert verify_timestamp(bytes(changed), DIGEST, [authority.root]) == said
        except TimestampError:
            refusals += 1
    assert refusals > len(response) // 3 * 0.9


@given(st.binary(max_size=600))
def test_any_bytes_end_in_our_error(data: bytes) -> None:
    with pytest.raises(TimestampError):
        verify_timestamp(data, DIGEST, [])
