"""The data folder of one exchange: passphrase, keys, log, trust file, token. A start that was cut short is completed by the next.

Order: passphrase, then keys encrypted under it (all or none), then the database and its log, which leads to all that was signed or
nothing goes on, then entry 0 and the releases in use, and last the trust file that others may rely on. Each file is written whole or
not at all; private ones have mode 0600. One process opens a folder at a time.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate
from sqlalchemy import Engine

from bom_graph import load_release, load_rule_set, rule_set_ids
from exchange.database import migrate
from exchange.errors import SetupError
from exchange.identity import Operator
from exchange.intake import Admissions, Intake
from exchange.kinds import FACTOR_RELEASE, POLICY_RELEASE, RULE_SET_RELEASE, Policy, load_policy
from exchange.trust import TrustFile
from ledger import (
    CHECKPOINT_PATH,
    LedgerError,
    LogBehindError,
    LogInconsistentError,
    LogKey,
    NoLogError,
    NoteSigner,
    open_checkpoint,
)
from ledger.store import begin, create_log, head, latest_checkpoint, require_current, snapshot
from signer import CertificateAuthority, KeyPair, SignerError, Trust
from signer.keystore import load_authority, load_key, save_authority, save_key

OPERATOR_URI = "https://operator.packtrace.example"
AUTHORITY_LIFE = timedelta(days=3650)
OPERATOR_LIFE = timedelta(days=1825)
PUBLISHED = "log"
LAST_SIGNED = "keys/log.checkpoint"
NEXT = "log.next"
RETIRED = "keys/log.retired"
FROZEN = "frozen"
PREDECESSOR = "predecessor"
_MAX_SECRET = 4096
_SUCCEED = "if none is left, this origin ends: `packtrace ledger succeed ORIGIN` starts a new log in an empty database"


@dataclass(frozen=True, slots=True)
class Installation:
    """An opened data folder: everything that the server's parts are built from."""

    folder: Path
    engine: Engine
    operator: Operator
    intake: Intake
    note_signer: NoteSigner
    policy: Policy
    trust: Trust
    trust_file: TrustFile
    token: str = field(repr=False)

    @property
    def published(self) -> Path:
        """Folder of the published log: checkpoint, tiles, entry bundles."""
        return self.folder / PUBLISHED

    @property
    def last_signed(self) -> Path:
        """File of the last signed checkpoint, outside database and published log."""
        return self.folder / LAST_SIGNED


def open_installation(
    folder: Path,
    engine: Engine,
    *,
    origin: str | None,
    passphrase: str | None,
    clock: Callable[[], datetime],
    random: Callable[[int], bytes],
) -> Installation:
    """Open the data folder, making what isn't there yet. Raises SetupError, KeyStoreError or LedgerError, each with the remedy."""
    make_private_folder(folder)
    with alone(folder):
        secret = passphrase or kept_secret(folder / "passphrase", random)
        operator_key, authority, log_keys = _keys(folder / "keys", secret, clock())
        migrate(engine)
        origin = _log(engine, origin, random, folder)
        note_signer = _note_signer(origin, log_keys, folder / "keys")
        _check_current(engine, note_signer, folder)
        trust = Trust(authorities=(authority.certificate,), pinned={}, origin=origin)
        policy = load_policy()
        admissions = Admissions(trust, policy)
        intake = Intake(engine, admissions, clock)
        operator = Operator(OPERATOR_URI, operator_key, authority, origin, intake, engine, clock, random)
        operator.found()
        _check_belongs(engine, operator, admissions, note_signer, folder / "keys")
        _publish_releases(operator, policy)
        trust_file = _trust_file(note_signer, authority, policy, predecessor(folder))
        write_private(folder / "trust", trust_file.document(), mode=0o644)
        token = kept_secret(folder / "token", random)
    return Installation(folder, engine, operator, intake, note_signer, policy, trust, trust_file, token)


def make_private_folder(folder: Path) -> None:
    """Make `folder` for its owner alone (mode 0700), unless it exists."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(
            f"can't make the folder: {error.strerror}", where=str(folder), remedy="choose another data folder"
        ) from None


def kept_secret(path: Path, random: Callable[[int], bytes]) -> str:
    """Return the secret in `path` (mode 0600), making one of 256 bits on first use. SetupError where others may read it."""
    try:
        if path.stat().st_mode & 0o077:
            raise SetupError("others may read this file", where=str(path), remedy=f"chmod 600 {path}")
        secret = path.read_bytes()[:_MAX_SECRET].decode("ascii").strip()
    except FileNotFoundError:
        secret = random(32).hex()
        write_private(path, f"{secret}\n".encode())
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(
            f"can't read the secret: {error}", where=str(path), remedy="check the file's rights and content"
        ) from None
    if not secret:
        raise SetupError("the secret is empty", where=str(path), remedy="restore the file")
    return secret


def write_private(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Write a file whole or not at all: temporary file, flush, rename. Nothing is written where the content is the same."""
    if path.is_file() and path.read_bytes() == data:
        return
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other processes from opening the data folder meanwhile: two first starts would make two passphrases and two sets of keys."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _keys(folder: Path, secret: str, now: datetime) -> tuple[KeyPair, CertificateAuthority, list[KeyPair]]:
    """Return the operator's key, the authority and the log's keys: one, or two while the second is to follow the first.

    They are made at once, in a folder that is renamed when whole.
    """
    if not folder.is_dir():
        fresh = folder.with_name(f"{folder.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        make_private_folder(fresh)
        authority = _new_authority(now)
        pair = KeyPair.generate("ES256")
        leaf = authority.issue(pair.csr(OPERATOR_URI), OPERATOR_URI, now - timedelta(minutes=5), now + OPERATOR_LIFE)
        save_authority(fresh / "authority", authority, secret)
        save_key(fresh / "operator", pair.with_certificate(leaf), secret)
        save_key(fresh / "log", KeyPair.generate("Ed25519"), secret)
        fresh.rename(folder)
        flush_folder(folder.parent)
    followers = [folder / NEXT] if (folder / NEXT).exists() else []
    log_keys = [load_key(path, secret) for path in (folder / "log", *followers)]
    return load_key(folder / "operator", secret), load_authority(folder / "authority", secret), log_keys


def _new_authority(now: datetime) -> CertificateAuthority:
    return CertificateAuthority.create(
        "packtrace exchange CA", KeyPair.generate("ES256"), now - timedelta(days=1), now + AUTHORITY_LIFE
    )


def _log(engine: Engine, origin: str | None, random: Callable[[int], bytes], folder: Path) -> str:
    """Return the log's origin, founding the log if there is none.

    SetupError where it has another name than the setting, or where a log signed a checkpoint and its database is gone: after such a
    loss the old origin stays frozen as it is, and only `succession.succeed` starts a new one.
    """
    try:
        with snapshot(engine) as connection:
            found = head(connection).origin
    except NoLogError:
        if any((folder / name).exists() for name in (LAST_SIGNED, f"{PUBLISHED}/{CHECKPOINT_PATH}")):
            raise SetupError(
                "the database has no log, but one signed checkpoints here",
                where=str(folder),
                remedy=f"restore the database; {_SUCCEED}",
            ) from None
        found = origin or f"packtrace.example/{random(4).hex()}"
        if found in frozen_origins(folder):
            raise SetupError(
                f"{found} is frozen since its database was lost",
                where="PACKTRACE_ORIGIN",
                remedy="give the new log another name",
            ) from None
        with begin(engine) as connection:
            create_log(connection, found)
    if origin not in (None, found):
        raise SetupError(
            f"the log is {found}, the setting says {origin}",
            where="PACKTRACE_ORIGIN",
            remedy="leave it unset, or use another database",
        )
    return found


def frozen_origins(folder: Path) -> set[str]:
    """Return the names of this data folder's logs whose databases were lost."""
    return {file.read_text("utf-8").partition("\n")[0] for file in folder.glob(f"{FROZEN}/*/{CHECKPOINT_PATH}")}


def retired_keys(folder: Path) -> tuple[LogKey, ...]:
    """Return the public keys that signed for this folder's log before its present ones."""
    file = folder / RETIRED
    return tuple(map(LogKey.parse, file.read_text("utf-8").split())) if file.exists() else ()


def predecessor(folder: Path) -> str:
    """Return the last checkpoint of the log that this folder's log succeeded, or nothing."""
    file = folder / PREDECESSOR
    return file.read_text("utf-8") if file.exists() else ""


def _note_signer(origin: str, log_keys: list[KeyPair], folder: Path) -> NoteSigner:
    """Return what signs the log's checkpoints; of two keys the first is the one that verifiers have longer."""
    signer = None
    for pair in reversed(log_keys):
        if not isinstance(pair.private_key, Ed25519PrivateKey):
            raise SetupError("the log key is not Ed25519", where=str(folder), remedy="restore the log's own key")
        signer = NoteSigner(origin, pair.private_key.private_bytes_raw(), signer)
    if signer is None:
        raise SetupError("there is no log key", where=str(folder), remedy="restore the log's own key")
    return signer


def _check_current(engine: Engine, note_signer: NoteSigner, folder: Path) -> None:
    """Refuse a database that lacks what was signed, before anything is added to it."""
    try:
        with snapshot(engine) as connection:
            require_current(connection, note_signer.log_keys, folder / PUBLISHED, folder / LAST_SIGNED)
    except LogBehindError as error:
        raise LogBehindError(error.what, where=error.where, remedy=f"restore a newer copy; {_SUCCEED}") from error
    except LogInconsistentError:
        raise
    except LedgerError as error:
        raise _foreign_keys(folder / "keys", error.what) from error


def _check_belongs(
    engine: Engine, operator: Operator, admissions: Admissions, note_signer: NoteSigner, keys: Path
) -> None:
    """Refuse keys that are not this log's, before anything is signed with them: one origin never has two log keys."""
    try:
        with snapshot(engine) as connection:
            admission, _seen = admissions.current(connection)
            newest = latest_checkpoint(connection)
        if admission.keys.operator != operator.uri or operator.key.thumbprint not in admission.keys.enrolments:
            raise _foreign_keys(keys, "the operator's key is not enrolled")
        if newest is not None:
            open_checkpoint(newest.note, *note_signer.log_keys)
    except (SignerError, LedgerError) as error:
        raise _foreign_keys(keys, error.what) from error


def _foreign_keys(keys: Path, what: str) -> SetupError:
    return SetupError(
        f"the keys are not those of the log in the database: {what}",
        where=str(keys),
        remedy="use this database's own data folder, or an empty database",
    )


def _publish_releases(operator: Operator, policy: Policy) -> None:
    for rule_set in map(load_rule_set, rule_set_ids()):
        named = {"id": rule_set.id, "version": rule_set.version, "digest": rule_set.digest}
        operator.publish_release(RULE_SET_RELEASE, named)
    for release in (load_release(name) for name in _releases_in_use()):
        named = {"id": release.id, "version": release.version, "digest": release.digest}
        operator.publish_release(FACTOR_RELEASE, named)
    operator.publish_release(POLICY_RELEASE, {"id": policy.id, "version": policy.version, "digest": policy.digest})


def _releases_in_use() -> list[str]:
    return sorted({name for rule_set in rule_set_ids() for name in load_rule_set(rule_set).factor_releases})


def _trust_file(
    note_signer: NoteSigner, authority: CertificateAuthority, policy: Policy, predecessor: str
) -> TrustFile:
    pem = load_der_x509_certificate(authority.certificate).public_bytes(Encoding.PEM).decode()
    return TrustFile(
        origin=note_signer.name,
        log_key=str(note_signer.log_key),
        other_log_keys=tuple(map(str, note_signer.log_keys[1:])),
        predecessor=predecessor,
        authorities=(pem,),
        rule_sets=frozenset(load_rule_set(name).digest for name in rule_set_ids()),
        factor_releases=frozenset(load_release(name).digest for name in _releases_in_use()),
        policies=frozenset({policy.digest}),
    )


def new_secret(count: int) -> bytes:
    """The operating system's randomness, for the doors that need it."""
    return secrets.token_bytes(count)
