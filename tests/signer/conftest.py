"""The world that the tests of signer play in."""

from datetime import timedelta

import pytest

from signer import CertificateAuthority, KeyPair, KeyRegister, Trust
from tests.signer.log import Log
from tests.signer.world import OPERATOR, ORIGIN, START, Forger, TwoTier, World


@pytest.fixture(scope="session")
def world() -> World:
    key_pair = KeyPair.generate("ES256")
    authority = CertificateAuthority.create("Exchange root", key_pair, START, START + timedelta(days=3650))
    return World(authority, Trust((authority.certificate,), {}, ORIGIN))


@pytest.fixture(scope="session")
def two_tier() -> TwoTier:
    end = START + timedelta(days=3650)
    root = CertificateAuthority.create("Offline root", KeyPair.generate("ES256"), START, end)
    key_pair = KeyPair.generate("ES256")
    request = CertificateAuthority.request("Issuing authority", key_pair)
    certificate = root.certify(request, "Issuing authority", START, START + timedelta(days=1800))
    authority = CertificateAuthority(key_pair.with_certificate(certificate))
    return TwoTier(authority, Trust((root.certificate,), {}, ORIGIN, (certificate,)), root)


@pytest.fixture(scope="session", params=["ES256", "Ed25519"])
def key_pair(world: World, request: pytest.FixtureRequest) -> KeyPair:
    return world.certified(request.param)


@pytest.fixture(scope="session")
def maker(world: World) -> KeyPair:
    return world.certified()


@pytest.fixture
def forger(maker: KeyPair) -> Forger:
    return Forger(maker)


@pytest.fixture
def log(world: World) -> Log:
    """Entry 0 enrols the operator."""
    operator = world.certified("Ed25519", OPERATOR)
    log = Log(world, operator, KeyRegister.empty())
    log.enrol(0, operator, OPERATOR)
    return log
