"""Keys in files: encrypted, private, whole."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from signer import (
    BadCertificateError,
    BadKeyError,
    KeyFileExposedError,
    KeyFileUnreadableError,
    KeyMismatchError,
    KeyPair,
    KeyStoreError,
    SignerError,
)
from signer.keystore import load_authority, load_certificate, load_key, save_authority, save_key
from tests.signer.world import END, MAKER, START, World

PASSPHRASE = "correct horse 电池 staple"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "signing.key"


def test_a_key_comes_back_with_its_certificate(key_pair: KeyPair, path: Path) -> None:
    save_key(path, key_pair, PASSPHRASE)
    loaded = load_key(path, PASSPHRASE)
    assert (loaded.thumbprint, loaded.certificate) == (key_pair.thumbprint, key_pair.certificate)
    assert loaded.algorithm == key_pair.algorithm


def test_a_key_without_certificate_comes_back_without(maker: KeyPair, path: Path) -> None:
    """Also when another key and its certificate stood there before."""
    save_key(path, maker, PASSPHRASE)
    fresh = KeyPair.generate("Ed25519")
    save_key(path, fresh, PASSPHRASE)
    loaded = load_key(path, PASSPHRASE)
    assert (loaded.thumbprint, loaded.certificate) == (fresh.thumbprint, b"")


def test_an_authority_comes_back(world: World, path: Path) -> None:
    save_authority(path, world.authority, PASSPHRASE)
    authority = load_authority(path, PASSPHRASE)
    assert authority.certificate == world.authority.certificate
    assert authority.issue(KeyPair.generate("ES256").csr(MAKER), MAKER, START, END)


def test_an_authority_without_certificate_is_none(path: Path) -> None:
    save_key(path, KeyPair.generate("ES256"), PASSPHRASE)
    with pytest.raises(BadCertificateError):
        load_authority(path, PASSPHRASE)


def test_a_certificate_is_read_without_its_key(world: World, path: Path) -> None:
    save_authority(path, world.authority, PASSPHRASE)
    path.unlink()
    assert load_certificate(path) == world.authority.certificate
    path.with_name("signing.key.crt").write_text("nothing of the sort")
    with pytest.raises(BadCertificateError):
        load_certificate(path)
    path.with_name("signing.key.crt").unlink()
    with pytest.raises(KeyStoreError, match=r"signing\.key\.crt.*restore"):
        load_certificate(path)


def test_a_certificate_may_be_saved_as_http_returns_it(maker: KeyPair, path: Path) -> None:
    save_key(path, maker, PASSPHRASE)
    path.with_name("signing.key.crt").write_bytes(maker.certificate)
    assert load_key(path, PASSPHRASE).certificate == load_certificate(path) == maker.certificate


def test_the_file_is_the_owners_alone_whatever_the_umask(maker: KeyPair, path: Path) -> None:
    before = os.umask(0)
    try:
        save_key(path, maker, PASSPHRASE)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(one.name for one in path.parent.iterdir()) == ["signing.key", "signing.key.crt"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o610, 0o777])
def test_an_exposed_file_is_refused(maker: KeyPair, path: Path, mode: int) -> None:
    save_key(path, maker, PASSPHRASE)
    path.chmod(mode)
    with pytest.raises(KeyFileExposedError):
        load_key(path, PASSPHRASE)


def test_a_link_is_refused(maker: KeyPair, path: Path) -> None:
    save_key(path, maker, PASSPHRASE)
    link = path.with_name("link.key")
    link.symlink_to(path)
    with pytest.raises(KeyStoreError):
        load_key(link, PASSPHRASE)


def test_a_pipe_is_refused_without_waiting(path: Path) -> None:
    os.mkfifo(path, 0o600)
    with pytest.raises(KeyFileExposedError):
        load_key(path, PASSPHRASE)


def test_a_missing_file_is_named(path: Path) -> None:
    with pytest.raises(KeyStoreError) as caught:
        load_key(path, PASSPHRASE)
    assert caught.value.where == str(path)


def test_a_wrong_passphrase_is_refused_and_not_repeated(maker: KeyPair, path: Path) -> None:
    save_key(path, maker, PASSPHRASE)
    with pytest.raises(KeyFileUnreadableError) as caught:
        load_key(path, "incorrect donkey")
    assert caught.value.__cause__ is None
    assert "donkey" not in f"{caught.value!r} {caught.value}"


def test_an_empty_passphrase_is_refused(maker: KeyPair, path: Path) -> None:
    with pytest.raises(KeyStoreError):
        save_key(path, maker, "")
    assert not path.exists()


def write_private(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    path.chmod(0o600)


def test_a_key_in_the_clear_is_refused(maker: KeyPair, path: Path) -> None:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    write_private(path, maker.private_key.private_bytes(encoding, form, serialization.NoEncryption()))
    with pytest.raises(KeyFileUnreadableError):
        load_key(path, PASSPHRASE)


def test_a_key_of_another_algorithm_is_refused(path: Path) -> None:
    encryption = serialization.BestAvailableEncryption(PASSPHRASE.encode())
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    write_private(path, rsa.generate_private_key(65537, 2048).private_bytes(encoding, form, encryption))
    with pytest.raises((KeyFileUnreadableError, BadKeyError)):
        load_key(path, PASSPHRASE)


@pytest.mark.parametrize("data", [b"", b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n", b"\xff" * 9999])
def test_other_bytes_are_refused(path: Path, data: bytes) -> None:
    write_private(path, data)
    with pytest.raises(KeyFileUnreadableError):
        load_key(path, PASSPHRASE)


def test_a_certificate_of_another_key_is_refused(maker: KeyPair, world: World, path: Path) -> None:
    other = path.with_name("other.key")
    save_key(path, maker, PASSPHRASE)
    save_key(other, world.certified(), PASSPHRASE)
    other.with_name("other.key.crt").replace(path.with_name("signing.key.crt"))
    with pytest.raises(KeyMismatchError):
        load_key(path, PASSPHRASE)


def test_a_damaged_certificate_is_refused(maker: KeyPair, path: Path) -> None:
    save_key(path, maker, PASSPHRASE)
    path.with_name("signing.key.crt").write_text("nothing")
    with pytest.raises(BadCertificateError):
        load_key(path, PASSPHRASE)


@pytest.mark.parametrize("call", ["fsync", "fchmod", "replace"])
def test_a_failed_write_leaves_the_old_key(
    maker: KeyPair, path: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_key(path, maker, PASSPHRASE)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path if call == "replace" else os, call, fail)
        with pytest.raises(KeyStoreError):
            save_key(path, KeyPair.generate("ES256"), PASSPHRASE)
    assert load_key(path, PASSPHRASE).certificate == maker.certificate
    assert sorted(one.name for one in path.parent.iterdir()) == ["signing.key", "signing.key.crt"]


def test_a_missing_folder_is_our_error(maker: KeyPair, tmp_path: Path) -> None:
    with pytest.raises(KeyStoreError):
        save_key(tmp_path / "nowhere" / "signing.key", maker, PASSPHRASE)


def test_openssl_reads_the_file(maker: KeyPair, path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed: its view of our key files is not known here")
    save_key(path, maker, "plain")
    command: list[str | Path] = [openssl, "pkey", "-in", path, "-passin", "pass:plain", "-pubout"]
    shown = subprocess.run(command, check=True, capture_output=True).stdout
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    assert shown == maker.public_key.public_bytes(serialization.Encoding.PEM, form)


def test_every_error_has_a_code_of_its_own() -> None:
    pending, codes = [SignerError], []
    while pending:
        error = pending.pop()
        pending.extend(error.__subclasses__())
        codes.append(error.__dict__["code"])
    assert len(codes) == len(set(codes))


def test_an_error_says_what_where_and_how_to_mend_it() -> None:
    error = SignerError("broken", where="here", remedy="mend it")
    assert (error.what, error.where, error.remedy) == ("broken", "here", "mend it")
    assert str(error) == "broken (at here); mend it"
