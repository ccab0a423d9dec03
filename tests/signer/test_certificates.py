"""Certificates: one organisation each, vouched for, in time."""

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from signer import (
    AlgorithmNotAllowedError,
    BadCertificateError,
    BadKeyError,
    CertificateAuthority,
    CertificateNotTrustedError,
    CertificateNotValidError,
    KeyPair,
    NaiveTimeError,
    OrganisationMismatchError,
    SignerError,
    Trust,
    verify_certificate,
)
from signer.base64url import encode_padded
from signer.certificates import read_leaf
from signer.chains import Anchors, VerifiedChains
from signer.key_events import carried_chain
from signer.keys import PublicKey, certified_thumbprint
from tests.signer.world import AT, END, MAKER, ORIGIN, START, Forger, World


def forged_leaf(
    authority: CertificateAuthority,
    public_key: PublicKey | ec.EllipticCurvePublicKey,
    names: Sequence[x509.GeneralName] | None = (x509.UniformResourceIdentifier(MAKER),),
    *,
    ca: bool = False,
    signs: bool = True,
    critical_unknown: bool = False,
) -> bytes:
    """A leaf that a careless authority could have issued."""
    issuer = x509.load_der_x509_certificate(authority.certificate).subject
    builder = x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(issuer).public_key(public_key)
    builder = builder.serial_number(7).not_valid_before(START).not_valid_after(END)
    builder = builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
    usage = x509.KeyUsage(signs, False, not signs, False, False, ca, ca, False, False)
    builder = builder.add_extension(usage, critical=True)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key_pair.public_key)
    builder = builder.add_extension(identifier, critical=False)
    if names is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=True)
    if critical_unknown:
        unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
        builder = builder.add_extension(unknown, critical=True)
    certificate = builder.sign(authority.key_pair.private_key, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.DER)


def other_authority(start: datetime = START, end: datetime = END) -> CertificateAuthority:
    return CertificateAuthority.create("Other root", KeyPair.generate("ES256"), start, end)


def test_a_certificate_says_who_and_when(world: World, key_pair: KeyPair) -> None:
    certificate = verify_certificate(key_pair.certificate, world.trust, AT)
    assert certificate.organisation == MAKER
    assert certificate.thumbprint == key_pair.thumbprint
    assert (certificate.not_before, certificate.not_after) == (START, END)


@pytest.mark.parametrize("offset", [timedelta(seconds=-1), timedelta(days=365, seconds=1), timedelta(days=40_000)])
def test_outside_its_time_it_is_refused(world: World, maker: KeyPair, offset: timedelta) -> None:
    verify_certificate(maker.certificate, world.trust, AT)
    with pytest.raises(CertificateNotValidError):
        verify_certificate(maker.certificate, world.trust, START + offset)


def test_time_zones_are_honoured(world: World, maker: KeyPair) -> None:
    beijing = timezone(timedelta(hours=8))
    assert verify_certificate(maker.certificate, world.trust, START.astimezone(beijing))
    with pytest.raises(CertificateNotValidError):
        verify_certificate(maker.certificate, world.trust, START.replace(tzinfo=beijing))


def test_a_time_without_zone_is_refused(world: World, maker: KeyPair) -> None:
    with pytest.raises(NaiveTimeError):
        verify_certificate(maker.certificate, world.trust, AT.replace(tzinfo=None))


def test_an_expired_authority_vouches_no_longer(world: World) -> None:
    """Also after the chain was verified, and remembered, at an earlier time."""
    authority = other_authority(end=START + timedelta(days=50))
    leaf = forged_leaf(authority, KeyPair.generate("ES256").public_key)
    trust = Trust((authority.certificate,), {}, ORIGIN)
    assert verify_certificate(leaf, trust, START + timedelta(days=10))
    with pytest.raises(CertificateNotTrustedError):
        verify_certificate(leaf, trust, AT)


def test_another_authority_is_not_trusted(maker: KeyPair) -> None:
    for authorities in ((), (other_authority().certificate,), (b"no certificate",)):
        with pytest.raises(CertificateNotTrustedError):
            verify_certificate(maker.certificate, Trust(authorities, {}, ORIGIN), AT)


def test_trust_is_not_remembered_for_another_trust(world: World, maker: KeyPair) -> None:
    verify_certificate(maker.certificate, world.trust, AT)
    with pytest.raises(CertificateNotTrustedError):
        verify_certificate(maker.certificate, Trust((), {MAKER: ()}, ORIGIN), AT)


def test_a_pinned_authority_speaks_for_its_organisation_only(world: World) -> None:
    authority = other_authority()
    pinned = dataclasses.replace(world.trust, pinned={MAKER: (authority.certificate,)})
    key = KeyPair.generate("Ed25519").public_key
    assert verify_certificate(forged_leaf(authority, key), pinned, AT).organisation == MAKER
    stranger = forged_leaf(authority, key, [x509.UniformResourceIdentifier("https://victim.example")])
    with pytest.raises(CertificateNotTrustedError):
        verify_certificate(stranger, pinned, AT)


def test_a_leaf_is_not_its_own_authority(maker: KeyPair) -> None:
    with pytest.raises(CertificateNotTrustedError):
        verify_certificate(maker.certificate, Trust((maker.certificate,), {}, ORIGIN), AT)


def test_a_leaf_issues_nothing(world: World, maker: KeyPair) -> None:
    leaf = forged_leaf(CertificateAuthority(maker), KeyPair.generate("ES256").public_key)
    trust = dataclasses.replace(world.trust, authorities=(*world.trust.authorities, maker.certificate))
    with pytest.raises(CertificateNotTrustedError):
        verify_certificate(leaf, trust, AT)


URI = x509.UniformResourceIdentifier


@pytest.mark.parametrize(
    "names",
    [
        None,
        [URI(MAKER), URI("https://other.example")],
        [URI(MAKER), x509.DNSName("cells.example")],
        [x509.DNSName("cells.example")],
        [x509.RFC822Name("jane@cells.example")],
        [URI("cells")],
        [URI("https://cells.example/a b")],
        [URI("https://cells.example/\n")],
        [URI("https://" + "a" * 600)],
    ],
    ids=["no_san", "two_uris", "uri_and_host", "host", "person", "no_scheme", "space", "newline", "long"],
)
def test_not_exactly_one_organisation_is_refused(world: World, names: Sequence[x509.GeneralName] | None) -> None:
    leaf = forged_leaf(world.authority, KeyPair.generate("ES256").public_key, names)
    with pytest.raises(BadCertificateError):
        verify_certificate(leaf, world.trust, AT)


def test_an_authority_signs_no_statements(world: World) -> None:
    leaf = forged_leaf(world.authority, KeyPair.generate("ES256").public_key, ca=True)
    with pytest.raises(BadCertificateError):
        verify_certificate(leaf, world.trust, AT)


def test_a_key_for_encryption_signs_nothing(world: World) -> None:
    leaf = forged_leaf(world.authority, KeyPair.generate("ES256").public_key, signs=False)
    with pytest.raises(BadCertificateError):
        verify_certificate(leaf, world.trust, AT)


def test_an_unknown_critical_extension_is_refused(world: World) -> None:
    leaf = forged_leaf(world.authority, KeyPair.generate("ES256").public_key, critical_unknown=True)
    with pytest.raises(CertificateNotTrustedError):
        verify_certificate(leaf, world.trust, AT)


def test_a_key_of_another_curve_is_refused(world: World) -> None:
    leaf = forged_leaf(world.authority, ec.generate_private_key(ec.SECP384R1()).public_key())
    with pytest.raises(BadKeyError):
        verify_certificate(leaf, world.trust, AT)


def test_a_changed_certificate_is_refused(world: World, maker: KeyPair) -> None:
    """Whatever bit is flipped: it does not parse, or nobody vouches for it."""
    for position in range(0, len(maker.certificate), 7):
        changed = bytearray(maker.certificate)
        changed[position] ^= 1
        with pytest.raises(SignerError):
            verify_certificate(bytes(changed), world.trust, AT)


@given(st.binary(max_size=5000))
def test_any_bytes_end_in_our_error(data: bytes) -> None:
    with pytest.raises(BadCertificateError):
        read_leaf(data)


def test_the_memory_of_chains_is_bounded(world: World) -> None:
    chains = VerifiedChains(limit=2)
    leaves = [world.certified().certificate for _ in range(3)]
    for leaf in (*leaves, *leaves):
        chains.verify(leaf, Anchors(world.trust.authorities), AT)
    assert {leaf for leaf, _ in chains._periods} == set(leaves[1:])


# --- The authority ------------------------------------------------------------------------------------------------


def test_a_request_for_another_organisation_is_refused(world: World) -> None:
    request = KeyPair.generate("ES256").csr("https://victim.example")
    with pytest.raises(OrganisationMismatchError):
        world.authority.issue(request, MAKER, START, END)


def test_a_request_that_its_key_did_not_sign_is_refused(world: World) -> None:
    request = bytearray(KeyPair.generate("Ed25519").csr(MAKER))
    request[-1] ^= 1
    with pytest.raises(BadCertificateError):
        world.authority.issue(bytes(request), MAKER, START, END)


@given(data=st.binary(max_size=300))
def test_any_bytes_for_a_request_end_in_our_error(world: World, data: bytes) -> None:
    with pytest.raises(BadCertificateError):
        world.authority.issue(data, MAKER, START, END)


@pytest.mark.parametrize(
    ("start", "end"),
    [(START - timedelta(days=1), END), (START, START + timedelta(days=4000)), (END, START)],
    ids=["before_the_authority", "after_the_authority", "backwards"],
)
def test_a_period_outside_the_authority_is_refused(world: World, start: datetime, end: datetime) -> None:
    with pytest.raises(BadCertificateError):
        world.authority.issue(KeyPair.generate("ES256").csr(MAKER), MAKER, start, end)


def test_an_authority_with_an_ed25519_key_is_refused() -> None:
    with pytest.raises(AlgorithmNotAllowedError):
        CertificateAuthority.create("Root", KeyPair.generate("Ed25519"), START, END)


@pytest.mark.parametrize("name", ["", "n" * 65])
def test_an_authority_needs_a_name(name: str) -> None:
    with pytest.raises(BadCertificateError):
        CertificateAuthority.create(name, KeyPair.generate("ES256"), START, END)


def test_a_leaf_names_no_person(maker: KeyPair) -> None:
    assert list(x509.load_der_x509_certificate(maker.certificate).subject) == []


def test_serial_numbers_differ(world: World, maker: KeyPair) -> None:
    others = [world.certified(), world.renewed(maker, end=END - timedelta(days=1))]
    serials = {x509.load_der_x509_certificate(one.certificate).serial_number for one in (maker, *others)}
    assert len(serials) == 3


def test_a_version_that_nobody_knows_is_refused(world: World, maker: KeyPair) -> None:
    """What reads certificates has an error of its own for it, which must not leave us as such."""
    odd = maker.certificate.replace(bytes.fromhex("a003020102"), bytes.fromhex("a00302015c"), 1)
    for read in (read_leaf, certified_thumbprint):
        with pytest.raises(BadCertificateError):
            read(odd)
    with pytest.raises(CertificateNotTrustedError):
        verify_certificate(maker.certificate, Trust((odd,), {}, ORIGIN), AT)
    forger = Forger(maker)
    enrolling = forger.token(forger.payload(chain=[encode_padded(odd)]))
    with pytest.raises(BadCertificateError):
        carried_chain(enrolling, 0)
    request = maker.csr(MAKER).replace(bytes.fromhex("020100"), bytes.fromhex("02015c"), 1)
    with pytest.raises(BadCertificateError):
        world.authority.issue(request, MAKER, START, END)
