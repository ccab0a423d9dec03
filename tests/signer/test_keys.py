"""Keys: thumbprints, signatures, and other people's libraries agreeing with both."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OKPKey
from joserfc.jws import JWSRegistry, deserialize_compact

from signer import AlgorithmNotAllowedError, BadKeyError, BadSignatureError, KeyMismatchError, KeyPair
from signer.keys import thumbprint_of, verify_signature
from tests.signer.world import AT, World

ED25519_VECTOR = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")


def pem(key_pair: KeyPair) -> bytes:
    return key_pair.public_key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def other_library(key_pair: KeyPair) -> ECKey | OKPKey:
    return (ECKey if key_pair.algorithm == "ES256" else OKPKey).import_key(pem(key_pair))


def test_thumbprint_of_the_published_example() -> None:
    """RFC 8037, appendix A.3."""
    public_key = ed25519.Ed25519PublicKey.from_public_bytes(ED25519_VECTOR)
    assert thumbprint_of(public_key) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@pytest.mark.parametrize("algorithm", ["ES256", "Ed25519"])
def test_thumbprints_equal_those_of_joserfc(algorithm: str) -> None:
    for _ in range(20):
        key_pair = KeyPair.generate(algorithm)  # type: ignore[arg-type]
        assert key_pair.thumbprint == other_library(key_pair).thumbprint()


def test_joserfc_verifies_our_tokens(world: World, key_pair: KeyPair) -> None:
    token = world.issue(key_pair).token
    registry = JWSRegistry(algorithms=["ES256", "Ed25519"])
    registry.max_header_length = registry.max_payload_length = 65_535
    seen = deserialize_compact(token, other_library(key_pair), algorithms=[key_pair.algorithm], registry=registry)
    assert seen.headers()["alg"] == key_pair.algorithm


def test_openssl_verifies_our_signatures(world: World, key_pair: KeyPair, tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed: its view of our signatures is not known here")
    statement = world.verify(world.issue(key_pair).token)
    signature = key_pair.sign(statement.signing_input)
    message, key, signed = tmp_path / "message", tmp_path / "key.pem", tmp_path / "signature"
    message.write_bytes(statement.signing_input)
    key.write_bytes(pem(key_pair))
    command: list[str | Path]
    if key_pair.algorithm == "ES256":
        r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
        signed.write_bytes(encode_dss_signature(r, s))
        command = [openssl, "dgst", "-sha256", "-verify", key, "-signature", signed, message]
    else:
        signed.write_bytes(signature)
        command = [openssl, "pkeyutl", "-verify", "-pubin", "-inkey", key, "-rawin", "-in", message, "-sigfile", signed]
    subprocess.run(command, check=True, capture_output=True)
    message.write_bytes(statement.signing_input + b".")
    assert subprocess.run(command, check=False, capture_output=True).returncode != 0


@given(st.binary(max_size=300))
def test_a_signature_verifies_for_its_message_only(message: bytes) -> None:
    for key_pair in KEYS:
        signature = key_pair.sign(message)
        assert len(signature) == 64
        verify_signature(key_pair.public_key, signature, message, "here")
        with pytest.raises(BadSignatureError):
            verify_signature(key_pair.public_key, signature, message + b"x", "here")


@given(st.binary(max_size=130))
def test_no_bytes_pass_for_a_signature(signature: bytes) -> None:
    for key_pair in KEYS:
        with pytest.raises(BadSignatureError):
            verify_signature(key_pair.public_key, signature, b"message", "here")


KEYS = (KeyPair.generate("ES256"), KeyPair.generate("Ed25519"))


@pytest.mark.parametrize("algorithm", ["none", "EdDSA", "ES384", "RS256", "HS256"])
def test_other_algorithms_are_not_generated(algorithm: str) -> None:
    with pytest.raises(AlgorithmNotAllowedError):
        KeyPair.generate(algorithm)  # type: ignore[arg-type]


def test_a_key_of_another_curve_is_refused() -> None:
    with pytest.raises(BadKeyError):
        KeyPair(ec.generate_private_key(ec.SECP384R1()))


def test_an_rsa_key_is_refused() -> None:
    with pytest.raises(BadKeyError):
        KeyPair(rsa.generate_private_key(65537, 2048))  # type: ignore[arg-type]


def test_a_certificate_of_another_key_is_refused(world: World, maker: KeyPair) -> None:
    with pytest.raises(KeyMismatchError):
        KeyPair.generate("ES256").with_certificate(maker.certificate)


def test_the_private_key_is_not_shown(maker: KeyPair) -> None:
    scalar = maker.private_key.private_numbers().private_value  # type: ignore[union-attr]
    assert repr(maker) == f"KeyPair(algorithm='ES256', thumbprint='{maker.thumbprint}')"
    assert str(scalar) not in repr(maker)


def test_the_digest_names_the_certificate(world: World, maker: KeyPair) -> None:
    certificate = world.verify(world.issue(maker).token, at=AT).certificate
    assert certificate.digest == hashlib.sha256(maker.certificate).hexdigest()
