"""The world that the tests of signer play in."""

from datetime import timedelta

import pytest

from signer import CertificateAuthority, KeyPair, Trust
from tests.signer.world import ORIGIN, START, Forger, World


@pytest.fixture(scope="session")
def world() -> World:
    key_pair = KeyPair.generate("ES256")
    authority = CertificateAuthority.create("Exchange root", key_pair, START, START + timedelta(days=3650))
    return World(authority, Trust((authority.certificate,), {}, ORIGIN))


@pytest.fixture(scope="session", params=["ES256", "Ed25519"])
def key_pair(world: World, request: pytest.FixtureRequest) -> KeyPair:
    return world.certified(request.param)


@pytest.fixture(scope="session")
def maker(world: World) -> KeyPair:
    return world.certified()


@pytest.fixture
def forger(maker: KeyPair) -> Forger:
    return Forger(maker)
