"""Our tokens under verifiers that nobody here wrote: npm jose and @sd-jwt/core (joserfc and openssl: test_keys.py).

The packages are pinned by hash in node/package-lock.json, and installed once into the user's cache folder.
"""

import base64
import dataclasses
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from joserfc.jwk import ECKey, OKPKey

from signer import Issued, KeyPair, OverwritingDisclosureError, disclose, join_presentation
from tests.cache import kept
from tests.signer.world import AT, Forger, World, members_of

HERE = Path(__file__).parent / "node"
PATHS = [[], ["full"], ["contents", "sub"], ["inputs/ni", "period"]]


@dataclasses.dataclass(frozen=True)
class NodeVerifiers:
    """A folder in which node finds the packages."""

    node: str
    folder: Path

    def run(self, key_pair: KeyPair, token: str, disclosures: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        job = {
            "presentation": join_presentation(token, disclosures),
            "jwk": public_jwk(key_pair),
            "alg": key_pair.algorithm,
            "now": int(AT.timestamp()),
        }
        command = [self.node, "verify.mjs"]
        return subprocess.run(
            command, cwd=self.folder, input=json.dumps(job), text=True, capture_output=True, timeout=60, check=False
        )

    def verify(self, key_pair: KeyPair, token: str, disclosures: Sequence[str]) -> dict[str, Any]:
        done = self.run(key_pair, token, disclosures)
        assert done.returncode == 0, done.stderr
        said: dict[str, Any] = json.loads(done.stdout)
        return said


def public_jwk(key_pair: KeyPair) -> dict[str, Any]:
    if isinstance(key_pair.public_key, ed25519.Ed25519PublicKey):
        return dict(OKPKey.import_key(key_pair.public_key).as_dict())
    return dict(ECKey.import_key(key_pair.public_key).as_dict())


@pytest.fixture(scope="session")
def verifiers() -> NodeVerifiers:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node or npm is not installed: what jose and @sd-jwt/core say to our tokens is not known here")
    return NodeVerifiers(node, installed(npm))


def installed(npm: str) -> Path:
    """The folder with the packages."""
    content = b"".join((HERE / name).read_bytes() for name in ("package.json", "package-lock.json", "verify.mjs"))

    def make(folder: Path) -> None:
        shutil.copytree(HERE, folder, ignore=shutil.ignore_patterns("node_modules"), dirs_exist_ok=True)
        install(npm, folder)

    return kept("node", content, make)


def install(npm: str, folder: Path) -> None:
    command = [npm, "ci", "--ignore-scripts", "--loglevel=error", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(command, cwd=folder, text=True, capture_output=True, timeout=90, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(
            "npm could not install jose and @sd-jwt/core in 90 s: what they say to our tokens is not known here"
        )
    if "EINTEGRITY" in done.stderr:
        pytest.fail(f"a package is not the one that was pinned:\n{done.stderr}")
    if done.returncode != 0:
        pytest.skip(f"npm could not install jose and @sd-jwt/core: {done.stderr.strip()[:300]}")


@pytest.mark.parametrize("paths", PATHS, ids=lambda paths: ",".join(paths) or "nothing")
def test_they_verify_our_tokens_and_read_the_same_claims(
    verifiers: NodeVerifiers, world: World, key_pair: KeyPair, paths: list[str]
) -> None:
    issued = world.issue(key_pair)
    shown = disclose(issued.token, issued.disclosures, paths)
    said = verifiers.verify(key_pair, issued.token, shown)
    statement = world.verify(issued.token, shown)
    assert said["jose"]["payload"] == members_of(issued.token)
    assert said["jose"]["header"]["alg"] == key_pair.algorithm
    own = ("contents", "contents_digest")
    assert {name: value for name, value in said["sdjwt"].items() if name not in own} == statement.claims
    assert ("contents" in said["sdjwt"]) == (statement.contents is not None)


def test_they_refuse_a_changed_claim(verifiers: NodeVerifiers, world: World, maker: KeyPair) -> None:
    """Else their consent would mean nothing."""
    issued = changed(world.issue(maker))
    done = verifiers.run(maker, issued.token, issued.disclosures)
    assert done.returncode != 0
    assert "signature verification failed" in done.stderr


def changed(issued: Issued) -> Issued:
    header, payload, signature = issued.token.split(".")
    members = json.loads(base64.urlsafe_b64decode(payload + "==")) | {"iat": 1}
    other = base64.urlsafe_b64encode(json.dumps(members).encode()).rstrip(b"=").decode()
    return dataclasses.replace(issued, token=f"{header}.{other}.{signature}")


def test_the_lock_pins_each_package_by_hash_and_names_no_registry() -> None:
    lock = json.loads((HERE / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert {"node_modules/jose", "node_modules/@sd-jwt/core"} <= packages.keys()
    assert all(entry["integrity"].startswith("sha512-") for entry in packages.values())
    assert not any("resolved" in entry for entry in packages.values())


def test_an_overwritten_issuer_is_refused_here_whatever_they_say(
    verifiers: NodeVerifiers, world: World, forger: Forger
) -> None:
    """@sd-jwt/core 0.19.0 takes the disclosed `iss` for the issuer's: the reason for a verifier of our own."""
    disclosure = forger.disclosure("iss", "https://evil.example")
    token = forger.token_for(disclosure)
    assert verifiers.verify(forger.key_pair, token, [disclosure])["sdjwt"]["iss"] == "https://evil.example"
    with pytest.raises(OverwritingDisclosureError):
        world.verify(token, [disclosure])
