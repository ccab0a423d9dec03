"""Private keys in files: encrypted PKCS #8 (RFC 5958) in PEM, and the certificate beside it as `<path>.crt`.

A file is written in full under a temporary name, flushed to the disk, renamed, and its folder flushed, so that a crash
leaves the old file or the new one. The key is written before its certificate: a crash in between is found at load as a
certificate for another key. The passphrase is used and forgotten; it is part of no error.
"""

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from signer.authority import CertificateAuthority
from signer.chains import UNREADABLE
from signer.errors import (
    BadCertificateError,
    KeyFileExposedError,
    KeyFileUnreadableError,
    KeyMismatchError,
    KeyStoreError,
)
from signer.keys import KeyPair, PrivateKey

__all__ = ["load_authority", "load_certificate", "load_key", "save_authority", "save_key"]

_MAX_FILE = 65_536


def save_key(path: Path, key_pair: KeyPair, passphrase: str) -> None:
    """Writes the key (mode 0600) and its certificate, over what was there. Raises KeyStoreError."""
    if not passphrase:
        raise KeyStoreError("an empty passphrase", where="passphrase", remedy="choose a passphrase")
    encryption = serialization.BestAvailableEncryption(passphrase.encode("utf-8"))
    pem = key_pair.private_key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    try:
        _write(path, pem, 0o600)
        if key_pair.certificate:
            certificate = x509.load_der_x509_certificate(key_pair.certificate)
            _write(_beside(path), certificate.public_bytes(serialization.Encoding.PEM), 0o644)
        else:
            _beside(path).unlink(missing_ok=True)
    except OSError as error:
        raise _failed(error, path, "check folder, rights and space") from error


def load_key(path: Path, passphrase: str) -> KeyPair:
    """The key pair, with its certificate if there is one.

    Raises KeyFileExposedError if others may read the file, KeyFileUnreadableError for a wrong passphrase or anything that is not
    an encrypted key of ours, KeyMismatchError if the certificate is for another key, KeyStoreError if there is no file.
    """
    key_pair = KeyPair(_decrypt(_read_private(path), passphrase, path))
    try:
        certificate = _beside(path).read_bytes()
    except FileNotFoundError:
        return key_pair
    except OSError as error:
        raise _failed(error, _beside(path), "check path and rights") from error
    try:
        return key_pair.with_certificate(_certificate(certificate, _beside(path)))
    except KeyMismatchError as error:
        remedy = "restore the key and the certificate that belong together"
        raise KeyMismatchError(error.what, where=str(_beside(path)), remedy=remedy) from error


def load_certificate(path: Path) -> bytes:
    """The certificate (DER) beside the key at `path`, which itself may be elsewhere.

    Raises KeyStoreError if there is none, BadCertificateError if it can't be read.
    """
    try:
        return _certificate(_beside(path).read_bytes(), _beside(path))
    except OSError as error:
        raise _failed(error, _beside(path), "restore the certificate") from error


def save_authority(path: Path, authority: CertificateAuthority, passphrase: str) -> None:
    """Writes an authority's key and certificate as `save_key` does."""
    save_key(path, authority.key_pair, passphrase)


def load_authority(path: Path, passphrase: str) -> CertificateAuthority:
    """The authority that `save_authority` wrote; raises what `load_key` raises."""
    key_pair = load_key(path, passphrase)
    if not key_pair.certificate:
        remedy = "restore the certificate beside the key"
        raise BadCertificateError("the authority's certificate is missing", where=str(path), remedy=remedy)
    return CertificateAuthority(key_pair)


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".crt")


def _write(path: Path, data: bytes, mode: int) -> None:
    # mkstemp creates the file with mode 0600; it is in the same folder, so that the rename is atomic.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read_private(path: Path) -> bytes:
    """The file's bytes. The open file is checked, not the name, so that nothing can be swapped in between."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode) or mode & 0o077:
                remedy = "set its mode to 0600, and take the key as known to others"
                raise KeyFileExposedError("not a file for its owner alone", where=str(path), remedy=remedy)
            return file.read(_MAX_FILE)
    except OSError as error:
        raise _failed(error, path, "check path and rights") from error


def _decrypt(pem: bytes, passphrase: str, path: Path) -> PrivateKey:
    # Not chained: the library's error may speak of the passphrase.
    try:
        key = serialization.load_pem_private_key(pem, passphrase.encode("utf-8"))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        remedy = "check the passphrase and the file"
        what = "wrong passphrase, or not an encrypted key"
        raise KeyFileUnreadableError(what, where=str(path), remedy=remedy) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        raise KeyFileUnreadableError("a key of another algorithm", where=str(path), remedy="use ES256 or Ed25519")
    return key


def _certificate(data: bytes, path: Path) -> bytes:
    # An operator returns it as either: PEM for people, DER over HTTP.
    load = x509.load_pem_x509_certificate if b"-----BEGIN" in data[:_MAX_FILE] else x509.load_der_x509_certificate
    try:
        certificate = load(data[:_MAX_FILE])
    except UNREADABLE as error:
        remedy = "save the operator's certificate there, in PEM or DER"
        raise BadCertificateError("not a certificate", where=str(path), remedy=remedy) from error
    return certificate.public_bytes(serialization.Encoding.DER)


def _failed(error: OSError, path: Path, remedy: str) -> KeyStoreError:
    return KeyStoreError(error.strerror or "input or output failed", where=str(path), remedy=remedy)
