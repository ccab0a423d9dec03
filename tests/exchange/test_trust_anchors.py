"""The trust file: anchors in, the same anchors out."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate

from exchange.errors import EvidenceError
from exchange.trust import TrustFile
from ledger import NoteSigner
from signer import CertificateAuthority, KeyPair
from tests.simulator import ORIGIN, START

MAKER = "https://maker.example"


def pem(der: bytes) -> str:
    return load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode()


def authority(name: str) -> CertificateAuthority:
    return CertificateAuthority.create(name, KeyPair.generate("ES256"), START, START + timedelta(days=999))


ROOT, OWN = authority("Root"), authority("Own").certificate
BETWEEN = ROOT.certify(
    CertificateAuthority.request("Between", KeyPair.generate("ES256")), "Between", START, START + timedelta(days=99)
)


def trust_file(**more: Any) -> TrustFile:
    log_key = str(NoteSigner(ORIGIN, bytes(32)).log_key)
    none: frozenset[str] = frozenset()
    anchors = {"rule_sets": none, "factor_releases": none, "policies": none}
    return TrustFile(origin=ORIGIN, log_key=log_key, authorities=(pem(ROOT.certificate),), **anchors, **more)


def test_pinned_authorities_and_intermediates_are_read_back() -> None:
    written = trust_file(intermediates=(pem(BETWEEN),), pinned={MAKER: (pem(OWN),)})
    read = TrustFile.read(written.document())
    assert read == written
    assert read.fingerprint == written.fingerprint
    assert read.signers.authorities == (ROOT.certificate,)
    assert read.signers.intermediates == (BETWEEN,)
    assert dict(read.signers.pinned) == {MAKER: (OWN,)}


def test_without_them_the_file_is_as_it_was() -> None:
    members = json.loads(trust_file().document())
    assert not members.keys() & {"intermediates", "pinned"}
    assert TrustFile.read(trust_file().document()).signers.pinned == {}


@pytest.mark.parametrize(
    "more",
    [{"intermediates": ["no PEM"]}, {"pinned": {MAKER: ["no PEM"]}}, {"pinned": [MAKER]}, {"witnesses": []}],
    ids=["an intermediate that is none", "a pinned authority that is none", "pinned as a list", "an unknown member"],
)
def test_a_file_of_another_shape_is_refused(more: dict[str, Any]) -> None:
    members = json.loads(trust_file().document()) | more
    with pytest.raises(EvidenceError) as caught:
        TrustFile.read(json.dumps(members).encode(), where="trust")
    assert caught.value.where == "trust"
