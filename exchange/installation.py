"""The data folder of one exchange: passphrase, keys, log, trust file, token. A start that was cut short is completed by the next.

Order: passphrase, then keys encrypted under it (all or none), then the database and its log, which leads to all that was signed or
nothing goes on, then entry 0 and the releases in use, and last the trust file that others may rely on. The root certifies the
authority once and is needed no more: its key may be kept elsewhere. Each file is written whole or not at all; private ones have mode
0600. One process opens a folder at a time.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate
from sqlalchemy import Connection, Engine, select
from sqlmodel import Session

from bom_graph import Background, release_bytes
from exchange.calculation import check_attested
from exchange.cases import open_claimed_twice
from exchange.database import SUCCEED, has_log, lost, migrate
from exchange.engagement import Known, load_rules
from exchange.engagement import Taking as EngagementTaking
from exchange.errors import SetupError
from exchange.events import WebhookKey
from exchange.evidence import Entry
from exchange.filing import Stored, Taking, load_duty
from exchange.governance import GovernedKinds, load_review_rules
from exchange.identity import BackgroundInUse, Operator, accepted_releases
from exchange.intake import MAX_WAITING, Admissions, Intake, Take
from exchange.kinds import FACTOR_RELEASE, POLICY_RELEASE, REVIEW, RULE_SET_RELEASE, WITHDRAWALS, Policy, load_policy
from exchange.kinds.review import Review
from exchange.sharing import day_of, disclosed_to, paths_seen
from exchange.trust import TrustFile
from exchange.upgrading import encrypt_plain
from exchange.vault import MASTER, MasterKeyRow, Vault, load_masters, make_master, open_vault, rotate
from ledger import (
    CHECKPOINT_PATH,
    BadSignatureError,
    LedgerError,
    LogBehindError,
    LogKey,
    NoLogError,
    NoteSigner,
    UnknownSignerError,
    WrongOriginError,
    open_checkpoint,
)
from ledger.store import begin, create_log, head, latest_checkpoint, require_current, snapshot
from signer import CertificateAuthority, KeyFileUnreadableError, KeyPair, SignerError, Trust
from signer.keystore import load_authority, load_certificate, load_key, save_authority, save_key

OPERATOR_URI = "https://operator.packtrace.example"
ROOT_LIFE = timedelta(days=7300)
AUTHORITY_LIFE = timedelta(days=3650)
OPERATOR_LIFE = timedelta(days=1825)
PUBLISHED = "log"
LAST_SIGNED = "keys/log.checkpoint"
NEXT = "log.next"
RETIRED = "keys/log.retired"
WEBHOOK = "webhook"
WEBHOOK_NEXT = "webhook.next"
FROZEN = "frozen"
ACCESS = "access"
PREDECESSOR = "predecessor"
TRUST = "trust"
_MAX_SECRET = 4096


@dataclass(frozen=True, slots=True)
class Hand:
    """What the worker alone holds: the operator's and the authority's keys, those of the log, and the one of webhooks."""

    operator: Operator
    note_signer: NoteSigner
    webhook_key: WebhookKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class Installation:
    """An opened data folder: everything that the server's parts are built from.

    In a web process there is no `hand`; in a worker that holds no master key the `vault` is closed.
    """

    folder: Path
    engine: Engine
    operator_uri: str
    admissions: Admissions
    intake: Intake
    policy: Policy
    trust: Trust
    anchors: TrustFile
    token: str = field(repr=False)
    access_key: KeyPair = field(repr=False)
    vault: Vault = field(repr=False)
    hand: Hand | None = None

    @property
    def trust_file(self) -> TrustFile:
        """The trust file that the operator hands out now: its anchors, with the factor releases that weren't withdrawn."""
        return _with_releases(self.engine, self.anchors)

    def keep_trust_file(self) -> None:
        """Write the trust file of now into the folder, unless it is there."""
        write_private(self.folder / TRUST, self.trust_file.document(), mode=0o644)

    @property
    def operator(self) -> Operator:
        """The operator, who signs. SetupError in a web process."""
        return self._held.operator

    @property
    def note_signer(self) -> NoteSigner:
        """What signs checkpoints. SetupError in a web process."""
        return self._held.note_signer

    @property
    def webhook_key(self) -> WebhookKey:
        """What signs webhooks. SetupError in a web process."""
        return self._held.webhook_key

    @property
    def _held(self) -> Hand:
        if self.hand is None:
            raise SetupError(
                "this process holds none of the worker's keys",
                where="PACKTRACE_PROCESS",
                remedy="do this in the worker, or with its data folder",
            )
        return self.hand

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
    max_waiting: int = MAX_WAITING,
    needs_master: bool = True,
) -> Installation:
    """Open the data folder, making what isn't there yet. Raises SetupError or LedgerError, each with the remedy.

    A worker doesn't need the master key (`needs_master`); where its files were taken out of the folder, the vault stays closed.
    """
    make_private_folder(folder)
    with alone(folder):
        _require_not_lost(engine, folder)
        secret = passphrase or kept_passphrase(folder, random)
        keys = _keys(folder / "keys", secret, clock())
        migrate(engine)
        vault = _vault(engine, folder / "keys", secret, random, clock(), needed=needs_master)
        encrypt_plain(engine, vault)
        origin = _log(engine, origin, random, folder)
        note_signer = _note_signer(origin, keys.log)
        _check_current(engine, note_signer, folder)
        trust = Trust((keys.root,), pinned={}, origin=origin, intermediates=keys.authority.chain)
        policy = load_policy()
        background = Background.shipped()
        admissions = Admissions(trust, policy)
        intake = make_intake(
            engine, vault, admissions, OPERATOR_URI, clock=clock, random=random, max_waiting=max_waiting
        )
        operator = Operator(
            OPERATOR_URI, keys.operator, keys.authority, origin, intake, admissions, engine, clock, random
        )
        operator.found()
        _check_belongs(engine, operator, admissions, note_signer, folder / "keys")
        _publish_releases(operator, policy, background)
        anchors = _trust_file(trust, note_signer, policy, background, predecessor(folder))
        write_private(folder / TRUST, _with_releases(engine, anchors).document(), mode=0o644)
        token = kept_secret(folder / "token", random)
    hand = Hand(operator, note_signer, keys.webhook)
    return Installation(
        folder, engine, operator.uri, admissions, intake, policy, trust, anchors, token, keys.access, vault, hand
    )


def make_intake(
    engine: Engine,
    vault: Vault,
    admissions: Admissions,
    operator: str,
    *,
    clock: Callable[[], datetime],
    random: Callable[[int], bytes],
    max_waiting: int,
) -> Intake:
    """Return the intake of this process, with what it asks of grants, results, cases and the domains whose kinds it takes in."""
    return Intake(
        engine,
        vault,
        admissions,
        BackgroundInUse(),
        clock,
        max_waiting=max_waiting,
        visible=partial(_visible, clock),
        disclosed=partial(_disclosed, vault, clock),
        attested=partial(check_attested, vault),
        clash=partial(open_claimed_twice, engine, vault, clock, random),
        takes=_takes(vault, admissions, operator, clock),
    )


def _takes(vault: Vault, admissions: Admissions, operator: str, clock: Callable[[], datetime]) -> Mapping[str, Take]:
    """Return what takes entries into the domains' tables, by kind: reviews of files into governance's, the rest into filing's.

    Withdrawals are for both: of releases, and of verification-statements.
    """
    governance = GovernedKinds(vault, load_review_rules(), operator, clock).takes()
    filing = engagements_taking(vault, admissions, clock).takes()

    def take_review(session: Session, entry: Entry) -> None:
        about_file = isinstance(entry.record, Review) and entry.record.digest is not None
        (governance if about_file else filing)[REVIEW.vct](session, entry)

    def take_withdrawal(session: Session, entry: Entry) -> None:
        for takes in (governance, filing):
            takes[WITHDRAWALS.vct](session, entry)

    return {**governance, **filing, REVIEW.vct: take_review, WITHDRAWALS.vct: take_withdrawal}


def engagements_taking(vault: Vault, admissions: Admissions, clock: Callable[[], datetime]) -> EngagementTaking:
    """Return what takes statements of engagements and filings in."""
    stored = Stored(vault, admissions)
    return EngagementTaking(Taking(stored, load_duty(), clock), Known(stored, load_duty()), load_rules(), clock)


def vault_of(
    folder: Path, engine: Engine, passphrase: str | None, random: Callable[[int], bytes], now: datetime
) -> Vault:
    """Return the vault of an exchange that was started, for commands beside the server. Raises SetupError."""
    secret = passphrase or kept_passphrase(folder, random)
    return open_vault(engine, partial(load_masters, folder / "keys", secret), random, now)


def rotate_vault(
    folder: Path,
    engine: Engine,
    *,
    passphrase: str | None,
    random: Callable[[int], bytes],
    now: datetime,
    also: Sequence[Path] = (),
    progress: Callable[[int, int], None] | None = None,
) -> tuple[str, int]:
    """Let another master key follow the vault's, while servers run; see `exchange.vault.rotate`.

    `also` are data folders of other processes, with passphrases of their own: they get the new key before it is used, and lose the old.
    """
    with alone(folder):
        vault = vault_of(folder, engine, passphrase, random, now)
        keys, secret = folder / "keys", passphrase or kept_passphrase(folder, random)

        def hand_out(name: str) -> None:
            for other in also:
                copy_key(keys / f"{MASTER}{name}", secret, other / "keys", kept_passphrase(other, random))

        done = rotate(vault, engine, keys, passphrase=secret, now=now, hand_out=hand_out, progress=progress)
        for ended in (file for other in also for file in (other / "keys").glob(f"{MASTER}*")):
            if not (keys / ended.name).exists():
                ended.unlink()
        return done


def copy_key(path: Path, secret: str, folder: Path, passphrase: str) -> None:
    """Copy a key into another folder of keys, under the passphrase of that one; what is there stays. Raises SetupError."""
    if not (folder / path.name).exists():
        try:
            save_key(folder / path.name, load_key(path, secret), passphrase)
        except SignerError as error:
            raise SetupError(error.what, where=error.where, remedy=error.remedy) from error


def _vault(
    engine: Engine, folder: Path, secret: str, random: Callable[[int], bytes], now: datetime, *, needed: bool
) -> Vault:
    """Open the vault; a folder and database from before there was one get its first key."""
    with snapshot(engine) as connection:
        named = connection.execute(select(MasterKeyRow).limit(1)).first()
    if not load_masters(folder, secret):
        if named is not None and not needed:
            return Vault.closed()
        if named is None:
            make_master(folder, secret)
    return open_vault(engine, partial(load_masters, folder, secret), random, now)


def _visible(
    clock: Callable[[], datetime], connection: Connection, reader: str, leaf_hashes: Sequence[str]
) -> Mapping[str, frozenset[str]]:
    return paths_seen(connection, reader, leaf_hashes, day_of(clock()))


def _disclosed(
    vault: Vault, clock: Callable[[], datetime], connection: Connection, reader: str, leaf_hash: str
) -> tuple[str, ...]:
    return disclosed_to(connection, vault, reader, leaf_hash, day_of(clock()))


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
        _check_private(path)
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
def alone(folder: Path, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Keep other processes out of this block for `folder` meanwhile; calls `waiting` if one is in it.

    The system lets go of the lock when its process ends, however it ends.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting is not None:
                waiting()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _check_private(path: Path) -> None:
    """Check that `path` is its owner's alone. Raises SetupError, or OSError where there is none."""
    if path.stat().st_mode & 0o077:
        raise SetupError("others may read this file", where=str(path), remedy=f"chmod 600 {path}")


def kept_passphrase(folder: Path, random: Callable[[int], bytes]) -> str:
    """Return the passphrase that is kept in `folder`; one is made only where no keys are that have one already."""
    path = folder / "passphrase"
    if (folder / "keys").exists() and not path.exists():
        raise SetupError(
            "the keys' passphrase is missing",
            where=str(path),
            remedy="restore this file, or give the passphrase of the first start in PACKTRACE_PASSPHRASE",
        )
    return kept_secret(path, random)


@dataclass(frozen=True, slots=True)
class _Keys:
    """What the operator signs with: its key, the authority that issues certificates, the log's keys, those of tokens and webhooks.

    `root` is a certificate (DER).

    `log` holds seeds: one, or two while the second is to follow the first.
    """

    operator: KeyPair
    authority: CertificateAuthority
    root: bytes
    access: KeyPair
    log: tuple[bytes, ...] = field(repr=False)
    webhook: WebhookKey = field(repr=False)


def _keys(folder: Path, secret: str, now: datetime) -> _Keys:
    """Return the keys; those of a start are made at once, in a folder that is renamed when whole. Raises SetupError."""
    if not folder.is_dir():
        fresh = folder.with_name(f"{folder.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        make_private_folder(fresh)
        _make_keys(fresh, secret, now)
        fresh.rename(folder)
        flush_folder(folder.parent)
    try:
        authority = load_authority(folder / "authority", secret)
        followers = [folder / NEXT] if (folder / NEXT).exists() else []
        log = tuple(_log_seed(path, secret) for path in (folder / "log", *followers))
        access = _access_key(folder / ACCESS, secret)
        webhook = _webhook_key(folder / WEBHOOK, secret)
        return _Keys(load_key(folder / "operator", secret), authority, _root(folder, authority), access, log, webhook)
    except KeyFileUnreadableError as error:
        remedy = "give the passphrase of the first start, or restore the file"
        raise SetupError(error.what, where=error.where, remedy=remedy) from error
    except SignerError as error:
        raise SetupError(error.what, where=error.where, remedy=error.remedy) from error


def _make_keys(folder: Path, secret: str, now: datetime) -> None:
    """Make root, authority, operator's and log key. The root signs the authority's certificate and nothing else."""
    start = now - timedelta(days=1)
    root = CertificateAuthority.create("packtrace exchange root", KeyPair.generate("ES256"), start, now + ROOT_LIFE)
    name, pair = "packtrace exchange CA", KeyPair.generate("ES256")
    certified = root.certify(CertificateAuthority.request(name, pair), name, start, now + AUTHORITY_LIFE)
    authority = CertificateAuthority(pair.with_certificate(certified))
    operator = KeyPair.generate("ES256")
    leaf = authority.issue(operator.csr(OPERATOR_URI), OPERATOR_URI, now - timedelta(minutes=5), now + OPERATOR_LIFE)
    save_authority(folder / "root", root, secret)
    save_authority(folder / "authority", authority, secret)
    save_key(folder / "operator", operator.with_certificate(leaf), secret)
    save_key(folder / "log", KeyPair.generate("Ed25519"), secret)
    make_master(folder, secret)


def _root(folder: Path, authority: CertificateAuthority) -> bytes:
    """Return the root's certificate (DER). The root's key isn't opened, and may be elsewhere.

    A folder from before there were two tiers has an authority that is the root itself.
    """
    if not authority.chain:
        return authority.certificate
    if (folder / "root").exists():
        _check_private(folder / "root")
    root = load_certificate(folder / "root")
    try:
        load_der_x509_certificate(authority.certificate).verify_directly_issued_by(load_der_x509_certificate(root))
    except (ValueError, TypeError, InvalidSignature):
        raise SetupError(
            "the root did not certify this authority",
            where=str(folder / "authority.crt"),
            remedy="restore the authority and the root that belong together",
        ) from None
    return root


def _access_key(path: Path, secret: str) -> KeyPair:
    """Return the key that signs access tokens; it is made when it is first looked for, also in a folder from before there were any."""
    if not path.exists():
        save_key(path, KeyPair.generate("ES256"), secret)
    return load_key(path, secret)


def _log_seed(path: Path, secret: str) -> bytes:
    key = load_key(path, secret).private_key
    if not isinstance(key, Ed25519PrivateKey):
        raise SetupError("the log key is not Ed25519", where=str(path), remedy="restore the log's own key")
    return key.private_bytes_raw()


def _webhook_key(path: Path, secret: str) -> WebhookKey:
    """Return the key that signs webhooks; it is made when it is first looked for, also in a folder from before there were webhooks."""
    if not path.exists():
        save_key(path, KeyPair.generate("Ed25519"), secret)
    follower = path.with_name(WEBHOOK_NEXT)
    return WebhookKey(_ed25519(path, secret), _ed25519(follower, secret) if follower.exists() else None)


def _ed25519(path: Path, secret: str) -> Ed25519PrivateKey:
    key = load_key(path, secret).private_key
    if not isinstance(key, Ed25519PrivateKey):
        raise SetupError("the key of webhooks is not Ed25519", where=str(path), remedy="restore the file, or remove it")
    return key


def _require_not_lost(engine: Engine, folder: Path) -> None:
    """Refuse to found a log where there was one, before anything is made: after the loss of its database an origin is frozen.

    Only `succession.succeed` starts a new one then; the trust file that it leaves names the frozen log.
    """
    if has_log(engine):
        return
    if any((folder / name).exists() for name in (LAST_SIGNED, f"{PUBLISHED}/{CHECKPOINT_PATH}")):
        raise lost(engine)
    trust = folder / TRUST
    if trust.exists() and TrustFile.read(trust.read_bytes(), where=str(trust)).origin not in frozen_origins(folder):
        raise lost(engine)


def _log(engine: Engine, origin: str | None, random: Callable[[int], bytes], folder: Path) -> str:
    """Return the log's origin, founding the log if there is none.

    SetupError where it has another name than the setting, or the name of a frozen log.
    """
    try:
        with snapshot(engine) as connection:
            found = head(connection).origin
    except NoLogError:
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


def known_keys(folder: Path) -> tuple[LogKey, ...]:
    """Return the public keys of the folder's log, those that sign first, then those that ended. Raises EvidenceError, OSError."""
    path = folder / TRUST
    return (*TrustFile.read(path.read_bytes(), where=str(path)).keys, *retired_keys(folder))


def predecessor(folder: Path) -> str:
    """Return the last checkpoint of the log that this folder's log succeeded, or nothing."""
    file = folder / PREDECESSOR
    return file.read_text("utf-8") if file.exists() else ""


def _note_signer(origin: str, seeds: tuple[bytes, ...]) -> NoteSigner:
    """Return what signs the log's checkpoints; of two keys the first is the one that verifiers have longer."""
    first, *followers = seeds
    return NoteSigner(origin, first, _note_signer(origin, tuple(followers)) if followers else None)


def _check_current(engine: Engine, note_signer: NoteSigner, folder: Path) -> None:
    """Refuse a database that lacks what was signed, before anything is added to it."""
    try:
        with snapshot(engine) as connection:
            require_current(connection, note_signer.log_keys, folder / PUBLISHED, folder / LAST_SIGNED)
    except LogBehindError as error:
        raise LogBehindError(error.what, where=error.where, remedy=f"restore a newer copy; {SUCCEED}") from error
    except (UnknownSignerError, BadSignatureError, WrongOriginError) as error:
        raise _foreign_keys(folder / "keys", f"{error.what} ({error.where})") from error


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


def _publish_releases(operator: Operator, policy: Policy, background: Background) -> None:
    for rule_set in background.rule_sets:
        named = {"id": rule_set.id, "version": rule_set.version, "digest": rule_set.digest}
        operator.publish_release(RULE_SET_RELEASE, named)
    for release in background.releases:
        named = {"id": release.id, "version": release.version, "digest": release.digest}
        operator.publish_release(FACTOR_RELEASE, named, release_bytes(release.id))
    operator.publish_release(POLICY_RELEASE, {"id": policy.id, "version": policy.version, "digest": policy.digest})


def _trust_file(
    trust: Trust, note_signer: NoteSigner, policy: Policy, background: Background, predecessor: str
) -> TrustFile:
    return TrustFile(
        origin=trust.origin,
        log_key=str(note_signer.log_key),
        other_log_keys=tuple(map(str, note_signer.log_keys[1:])),
        predecessor=predecessor,
        authorities=_pems(trust.authorities),
        intermediates=_pems(trust.intermediates),
        rule_sets=frozenset(rule_set.digest for rule_set in background.rule_sets),
        factor_releases=frozenset(release.digest for release in background.releases),
        policies=frozenset({policy.digest}),
    )


def _with_releases(engine: Engine, anchors: TrustFile) -> TrustFile:
    with snapshot(engine) as connection:
        return anchors.model_copy(update={"factor_releases": accepted_releases(connection)})


def _pems(ders: tuple[bytes, ...]) -> tuple[str, ...]:
    return tuple(load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode() for der in ders)


def new_secret(count: int) -> bytes:
    """The operating system's randomness, for the doors that need it."""
    return secrets.token_bytes(count)
