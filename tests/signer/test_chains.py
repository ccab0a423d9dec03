"""Chains: an offline root, an intermediate in use, and what careless or hostile authorities could build."""

import dataclasses
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from signer import (
    AlgorithmNotAllowedError,
    BadCertificateError,
    CertificateAuthority,
    CertificateNotTrustedError,
    CertificateNotValidError,
    KeyPair,
    SignerError,
    Trust,
    verify_certificate,
)
from signer.keystore import load_authority, save_authority
from tests.signer.world import AT, END, MAKER, ORIGIN, START, TwoTier, World

OTHER = "https://other.example"
LATER = START + timedelta(days=1800)


@dataclasses.dataclass(frozen=True)
class Tier:
    """A key with a name, which signs whatever it is told."""

    name: str
    key: Any

    @classmethod
    def new(cls, name: str, curve: ec.EllipticCurve | None = None) -> "Tier":
        return cls(name, ec.generate_private_key(curve or ec.SECP256R1()))

    def certify(
        self,
        subject: "Tier",
        *,
        ca: bool | None = True,
        path_length: int | None = None,
        signs_certificates: bool = True,
        purposes: list[ObjectIdentifier] | None = None,
        organisation: str | None = None,
        end: datetime = END,
    ) -> bytes:
        """A certificate for `subject`; with an organisation it is a leaf's, with `ca` None it lacks basic constraints."""
        is_leaf = organisation is not None
        ca = False if is_leaf else ca
        builder = x509.CertificateBuilder().subject_name(_name("" if is_leaf else subject.name))
        builder = builder.issuer_name(_name(self.name)).public_key(subject.key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(START).not_valid_after(end)
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = builder.add_extension(identifier, critical=False)
        if ca is not None:
            builder = builder.add_extension(x509.BasicConstraints(ca, path_length), critical=True)
        certifies = not is_leaf and signs_certificates
        usage = x509.KeyUsage(not certifies, False, False, False, False, certifies, certifies, False, False)
        builder = builder.add_extension(usage, critical=True)
        if purposes is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        if organisation is not None:
            names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(organisation)])
            builder = builder.add_extension(names, critical=True)
        algorithm = None if isinstance(self.key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
        return builder.sign(self.key, algorithm).public_bytes(serialization.Encoding.DER)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)] if text else [])


ROOT, MIDDLE, BELOW, LEAF = Tier.new("Root"), Tier.new("Middle"), Tier.new("Below"), Tier.new("")
GOOD_ROOT = ROOT.certify(ROOT, path_length=1)
GOOD_MIDDLE = ROOT.certify(MIDDLE, path_length=0)
GOOD_LEAF = MIDDLE.certify(LEAF, organisation=MAKER)


def trusting(root: bytes = GOOD_ROOT, *intermediates: bytes) -> Trust:
    return Trust((root,), {}, ORIGIN, intermediates)


def refused(leaf: bytes, trust: Trust) -> str:
    """The sentence of the refusal; the place is the certificate."""
    with pytest.raises(CertificateNotTrustedError) as caught:
        verify_certificate(leaf, trust, AT)
    assert caught.value.where == "certificate"
    return caught.value.what


def test_a_chain_over_an_intermediate_is_trusted() -> None:
    assert verify_certificate(GOOD_LEAF, trusting(GOOD_ROOT, GOOD_MIDDLE), AT).organisation == MAKER


def test_without_the_intermediate_it_is_not() -> None:
    refused(GOOD_LEAF, trusting())


def test_an_intermediate_alone_anchors_nothing() -> None:
    """Nor does a root that somebody hands over among the intermediates."""
    refused(GOOD_LEAF, Trust((), {}, ORIGIN, (GOOD_MIDDLE, GOOD_ROOT)))


def test_an_intermediate_of_a_foreign_root_is_refused() -> None:
    foreign = Tier.new("Root")
    refused(GOOD_LEAF, trusting(foreign.certify(foreign), GOOD_MIDDLE))


@pytest.mark.parametrize("stated", [True, False], ids=["path_length_stated", "path_length_not_stated"])
def test_a_chain_of_two_intermediates_is_too_long(stated: bool) -> None:
    root = GOOD_ROOT if stated else ROOT.certify(ROOT)
    middle = GOOD_MIDDLE if stated else ROOT.certify(MIDDLE)
    below = MIDDLE.certify(BELOW, path_length=0 if stated else None)
    what = refused(BELOW.certify(LEAF, organisation=MAKER), trusting(root, middle, below))
    assert "max depth" in what or "path length" in what


def test_an_intermediate_does_not_make_another(two_tier: TwoTier) -> None:
    request = CertificateAuthority.request("Below", KeyPair.generate("ES256"))
    with pytest.raises(BadCertificateError, match="certifies no further one"):
        two_tier.authority.certify(request, "Below", START, LATER)


@pytest.mark.parametrize("tier", ["root", "intermediate"])
@pytest.mark.parametrize(
    ("defect", "said"),
    [
        ({"ca": False}, "cA must be asserted"),
        ({"ca": None}, "2.5.29.19"),
        ({"signs_certificates": False}, "may not sign certificates"),
        ({"purposes": [ExtendedKeyUsageOID.SERVER_AUTH]}, "extended key usage"),
    ],
    ids=["ca_flag_false", "ca_flag_missing", "key_usage_without_cert_sign", "for_web_servers"],
)
def test_an_authority_that_may_not_certify_is_refused(tier: str, defect: dict[str, Any], said: str) -> None:
    root = ROOT.certify(ROOT, **defect) if tier == "root" else GOOD_ROOT
    middle = ROOT.certify(MIDDLE, **defect) if tier == "intermediate" else GOOD_MIDDLE
    assert said in refused(GOOD_LEAF, trusting(root, middle))


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP256K1()),
        ec.generate_private_key(ec.BrainpoolP256R1()),
        ed25519.Ed25519PrivateKey.generate(),
        rsa.generate_private_key(65537, 1024),  # noqa: S505 - the defect
    ],
    ids=["secp256k1", "brainpool", "ed25519", "rsa_1024"],
)
def test_an_authority_of_another_curve_is_refused(key: Any) -> None:
    authority = Tier("Odd", key)
    refused(authority.certify(LEAF, organisation=MAKER), trusting(authority.certify(authority)))


@pytest.mark.parametrize("purpose", [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.TIME_STAMPING])
def test_a_key_certified_for_something_else_signs_nothing(purpose: ObjectIdentifier) -> None:
    """Such as the web server of an organisation whose own authority is pinned."""
    leaf = MIDDLE.certify(LEAF, organisation=MAKER, purposes=[purpose])
    with pytest.raises(BadCertificateError, match="extended key usage"):
        verify_certificate(leaf, trusting(GOOD_ROOT, GOOD_MIDDLE), AT)


@pytest.mark.parametrize("purpose", ["1.3.6.1.5.5.7.3.36", "2.5.29.37.0"], ids=["document_signing", "any"])
def test_a_key_certified_for_documents_signs(purpose: str) -> None:
    purposes = [ExtendedKeyUsageOID.CLIENT_AUTH, ObjectIdentifier(purpose)]
    leaf = MIDDLE.certify(LEAF, organisation=MAKER, purposes=purposes)
    assert verify_certificate(leaf, trusting(GOOD_ROOT, GOOD_MIDDLE), AT)


def test_an_expired_intermediate_vouches_no_longer() -> None:
    middle = ROOT.certify(MIDDLE, end=START + timedelta(days=50))
    trust = trusting(GOOD_ROOT, middle)
    assert verify_certificate(GOOD_LEAF, trust, START + timedelta(days=40))
    refused(GOOD_LEAF, trust)
    assert verify_certificate(GOOD_LEAF, trust.with_intermediates((GOOD_MIDDLE,)), AT)


# --- Pinned authorities -------------------------------------------------------------------------------------------


def test_a_pinned_authority_speaks_for_its_organisation_only() -> None:
    """Its intermediate is there for all to use, and does not help."""
    trust = Trust((), {MAKER: (GOOD_ROOT,)}, ORIGIN, (GOOD_MIDDLE,))
    assert verify_certificate(GOOD_LEAF, trust, AT)
    refused(MIDDLE.certify(LEAF, organisation=OTHER), trust)


def test_several_organisations_each_have_their_own() -> None:
    second = Tier.new("Second")
    own = second.certify(second)
    trust = Trust((), {MAKER: (GOOD_ROOT,), OTHER: (own,)}, ORIGIN, (GOOD_MIDDLE,))
    assert verify_certificate(GOOD_LEAF, trust, AT)
    assert verify_certificate(second.certify(LEAF, organisation=OTHER), trust, AT)
    refused(second.certify(LEAF, organisation=MAKER), trust)


# --- The two-tier authority ---------------------------------------------------------------------------------------


def test_the_intermediate_issues_while_the_root_is_away(two_tier: TwoTier) -> None:
    member = two_tier.certified("Ed25519")
    assert two_tier.verify(two_tier.issue(member).token).issuer == MAKER
    with pytest.raises(CertificateNotTrustedError):
        two_tier.root_only.verify(two_tier.issue(member).token)


def test_an_authority_knows_what_leads_to_its_root(two_tier: TwoTier) -> None:
    assert two_tier.authority.chain == (two_tier.authority.certificate,)
    assert two_tier.root.chain == ()


def test_the_intermediates_file_is_all_that_issuing_needs(two_tier: TwoTier, tmp_path: Path) -> None:
    save_authority(tmp_path / "issuing", two_tier.authority, "secret")
    issuing = load_authority(tmp_path / "issuing", "secret")
    leaf = issuing.issue(KeyPair.generate("ES256").csr(MAKER), MAKER, START, END)
    assert verify_certificate(leaf, two_tier.trust, AT).organisation == MAKER


def test_a_certificate_not_yet_valid_is_refused_at_admission(world: World) -> None:
    late = world.certified(start=AT + timedelta(seconds=1))
    with pytest.raises(CertificateNotValidError) as caught:
        world.verify(world.issue(late).token)
    assert caught.value.where == "certificate"


def test_a_request_for_an_intermediate_bears_its_name(two_tier: TwoTier) -> None:
    request = CertificateAuthority.request("Somebody", KeyPair.generate("ES256"))
    with pytest.raises(BadCertificateError, match="another name"):
        two_tier.root.certify(request, "Issuing authority", START, LATER)


def test_a_request_for_an_intermediate_is_proven(two_tier: TwoTier) -> None:
    request = bytearray(CertificateAuthority.request("Name", KeyPair.generate("ES256")))
    request[-1] ^= 1
    with pytest.raises(BadCertificateError):
        two_tier.root.certify(bytes(request), "Name", START, LATER)
    with pytest.raises(BadCertificateError, match="cannot be read"):
        two_tier.root.certify(b"no request", "Name", START, LATER)


def test_an_intermediate_has_an_es256_key(two_tier: TwoTier) -> None:
    with pytest.raises(AlgorithmNotAllowedError):
        CertificateAuthority.request("Name", KeyPair.generate("Ed25519"))
    key = ed25519.Ed25519PrivateKey.generate()
    request = x509.CertificateSigningRequestBuilder().subject_name(_name("Name")).sign(key, None)
    with pytest.raises(AlgorithmNotAllowedError):
        two_tier.root.certify(request.public_bytes(serialization.Encoding.DER), "Name", START, LATER)


def test_an_intermediate_lies_within_its_root(two_tier: TwoTier) -> None:
    request = CertificateAuthority.request("Name", KeyPair.generate("ES256"))
    with pytest.raises(BadCertificateError, match="outside"):
        two_tier.root.certify(request, "Name", START, START + timedelta(days=4000))


def test_a_member_is_no_authority(world: World) -> None:
    """Neither with its own certificate, nor without one."""
    for key_pair in (world.certified(), KeyPair.generate("ES256")):
        with pytest.raises(BadCertificateError) as caught:
            CertificateAuthority(key_pair).issue(KeyPair.generate("ES256").csr(MAKER), MAKER, START, END)
        assert caught.value.where == "authority"


def test_a_request_to_be_an_authority_makes_a_member(two_tier: TwoTier) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(MAKER)])
    request = x509.CertificateSigningRequestBuilder().subject_name(_name("CA")).add_extension(names, critical=True)
    request = request.add_extension(x509.BasicConstraints(True, None), critical=True)
    signed = request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    leaf = x509.load_der_x509_certificate(two_tier.authority.issue(signed, MAKER, START, END))
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert list(leaf.subject) == []


@pytest.mark.parametrize("junk", [b"", b"junk"])
def test_junk_in_the_trust_ends_in_our_error(junk: bytes) -> None:
    for trust in (Trust((junk,), {}, ORIGIN), trusting(GOOD_ROOT, junk)):
        with pytest.raises(SignerError):
            verify_certificate(GOOD_LEAF, trust, AT)
