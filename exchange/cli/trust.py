"""``packtrace trust``: what a trust file says, whether it rightfully follows another, and how its publisher makes the next one.

Needs the base install only, and no network.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exchange.cli.anchors import accepted_path, newest_accepted, read_trust
from exchange.cli.files import read_up_to, write_new
from exchange.cli.guard import guarded
from exchange.cli.output import DONE, say, say_json, tell
from exchange.screen import shown

if TYPE_CHECKING:
    from exchange.trust import TrustFile
    from ledger import NoteSigner

_MAX_SIGNATURE = 1_000_000
_MAX_PEM = 1_000_000
_MAX_POLICY = 262_144
_KINDS = {"rule_sets": "rule sets", "factor_releases": "factor releases", "policies": "policies"}
#: Lists of members, each with the word for what is in it.
_LISTED = {
    "other_log_keys": "key of the log",
    "authorities": "certificate authority",
    "intermediates": "intermediate certificate",
    "rule_sets": "rule set",
    "factor_releases": "factor release",
    "policies": "policy",
    "time_authorities": "timestamping authority",
    "next_keys": "key that signs the next version",
}
#: What the version before says, unless it is named anew; all else the log's own file says.
_KEPT = (
    "pinned",
    "witness_policy",
    "time_authorities",
    "publishers",
    "max_snapshot_days",
    "next_keys",
    "next_threshold",
)
_SINGLE = ("origin", "log_key", "predecessor", "witness_policy", "expires", "max_snapshot_days", "next_threshold")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the next version shall say beside the log's own anchors; None and empty: as the version before."""

    expires: str
    witness_policy: Path | None = None
    time_authorities: Sequence[Path] = ()
    publishers: Sequence[str] = ()
    next_keys: Sequence[str] = ()
    next_threshold: int | None = None
    max_snapshot_days: int | None = None


def run_show(file: Path, *, as_json: bool) -> int:
    """Print what a trust file says: fingerprint, what it trusts, until when."""

    def command() -> int:
        trust = read_trust(file)
        if as_json:
            expired = trust.expiry is not None and datetime.now(UTC) >= trust.expiry
            say_json({"fingerprint": trust.fingerprint, "expired": expired, **json.loads(trust.document())})
        else:
            for line in described(trust, datetime.now(UTC)):
                say(shown(line))
        return DONE

    return guarded(command)


def run_check(old: Path, new: Path, signature: Path | None, *, as_json: bool) -> int:
    """Say whether `new` rightfully follows `old`, and what it changes. Exit 0 it does, 1 it doesn't, 3 versions between are missing."""

    def command() -> int:
        from exchange.trust_succession import check_successor

        before, after = read_trust(old), read_trust(new)
        changes = list(differences(before, after))
        if not as_json:
            for line in changes or ["nothing changes but the version"]:
                say(shown(line))
        signed = check_successor(before, after, _signature(new, signature))
        names = [key.name for key in signed]
        if as_json:
            say_json({"rightful": True, "version": after.version, "signed_by": names, "changes": changes})
        else:
            say(f"version {after.version} rightfully follows version {before.version}: signed by {', '.join(names)}")
        return DONE

    return guarded(command)


def run_accept(files: Sequence[Path], folder: Path, fingerprint: str | None) -> int:
    """Accept trust files in their order, each as the rightful successor of the newest in `folder`, the first by its fingerprint."""

    def command() -> int:
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            _accept(file, folder, fingerprint if file == files[0] else None)
        newest = read_trust(folder)
        say(f"verify with: --trust {folder}")
        if newest.expiry is not None and datetime.now(UTC) >= newest.expiry:
            tell(
                f"version {newest.version} expired at {newest.expires}: nothing is decided by it; ask for the next one"
            )
        return DONE

    return guarded(command)


def run_key(path: Path, name: str, passphrase_fd: int | None) -> int:
    """Make a key that signs trust files."""

    def command() -> int:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        from exchange.cli.key import passphrase
        from ledger import LogKey, require_key_name
        from signer import KeyPair
        from signer.key_access import create_key

        require_key_name(name)
        pair = KeyPair.generate("Ed25519")
        create_key(path, pair, passphrase(passphrase_fd, new=True))
        assert isinstance(pair.private_key, Ed25519PrivateKey)  # noqa: S101 - what was generated
        say(f"key {path}: {LogKey(name, pair.private_key.public_key().public_bytes_raw())}")
        tell("name it with --next-key; keep it off the machines where the log runs, with a copy elsewhere")
        return DONE

    return guarded(command)


def run_publish(source: Path, out: Path, previous: Path | None, wanted: Wanted) -> int:
    """Write the version that follows `previous`, or a first one, with the log's anchors from `source`."""

    def command() -> int:
        from exchange.errors import EvidenceError, UsageError
        from exchange.trust import TrustFile

        before = None if previous is None else read_trust(previous)
        members = _members(read_trust(source), before, wanted)
        try:
            # Read as a verifier will read it: what would be refused there is never written.
            trust = TrustFile.read(json.dumps(members).encode(), where=str(out))
        except EvidenceError as error:
            raise UsageError(error.what, where=str(out), remedy="correct what is named; nothing was written") from None
        if trust.expiry is not None and datetime.now(UTC) >= trust.expiry:
            raise UsageError(
                f"a file that ended at {trust.expires} decides nothing",
                where="--expires",
                remedy="name a time to come; nothing was written",
            )
        write_new(out, trust.document(), mode=0o644)
        for line in [] if before is None else differences(before, trust):
            say(shown(line))
        say(f"version {trust.version} in {out}, expires {trust.expires}")
        say(f"fingerprint {trust.fingerprint}")
        if before is not None and previous is not None and before.next_keys:
            for line in _signatures_due(before, trust, out, previous):
                tell(line)
        else:
            tell("publish the fingerprint over two independent channels: whoever begins with this file compares it")
        return DONE

    return guarded(command)


def run_sign(file: Path, key: Path, previous: Path | None, passphrase_fd: int | None) -> int:
    """Put the signature of a key beside a trust file, with those that are there."""

    def command() -> int:
        from exchange.trust_succession import sign

        trust = read_trust(file)
        signer = _signer(key, [trust, *([] if previous is None else [read_trust(previous)])], passphrase_fd)
        path = _signature_path(file)
        there = _signature(file, None) if path.exists() else ""
        _replace(path, sign(trust, signer, there).encode())
        say(f"signature of {signer.name} in {path}")
        return DONE

    return guarded(command)


def _signatures_due(before: TrustFile, trust: TrustFile, out: Path, previous: Path) -> Iterator[str]:
    """Yield whose signatures a verifier that has the version `before` will ask for."""
    order = f"`packtrace trust sign {out} --key KEY --previous {previous}`"
    yield f"have {before.next_threshold} of the keys of version {before.version} sign it: {order}"
    olds = {key.public_key for key in before.signing_next}
    news = {key.public_key: key.name for key in trust.signing_next}
    if trust.next_keys and (olds != news.keys() or trust.next_threshold > before.next_threshold):
        fresh = ", ".join(name for public, name in news.items() if public not in olds)
        yield (
            f"and {trust.next_threshold} of the keys that it names itself, to show that they can sign"
            f"{f'; new among them: {fresh}' if fresh else ''}; a key of both versions signs once"
        )


def described(trust: TrustFile, now: datetime) -> Iterator[str]:
    """Yield what a trust file says, line by line."""
    yield f"fingerprint {trust.fingerprint}"
    yield f"log {trust.origin}, key {trust.log_key}"
    yield from (f"  while keys change, also {key}" for key in trust.other_log_keys)
    yield f"version {trust.version}" if trust.version else "no version: no other file can follow it by signature"
    if trust.expiry is None:
        yield "does not expire"
    else:
        days = (trust.expiry - now).days
        how = f"in {days} days" if now < trust.expiry else "it has EXPIRED, nothing is decided by it"
        yield f"expires {trust.expires}: {how}"
    for pem in trust.authorities:
        yield f"certificates of {_certificate(pem)} speak for every organisation"
    for organisation, pems in sorted(trust.pinned.items()):
        yield from (f"certificates of {_certificate(pem)} speak for {organisation} alone" for pem in pems)
    for name, word in _KINDS.items():
        yield f"accepts {len(getattr(trust, name))} {word} by digest"
        yield from (f"accepts {word} that {uri} signs as released" for uri in _publishers(trust, name))
    for pem in trust.time_authorities:
        yield f"believes timestamps of {_certificate(pem)}"
    if not trust.time_authorities:
        yield "believes no timestamping authority"
    policy = trust.policy
    yield "requires no witness" if policy is None else f"requires the witnesses of the quorum {policy.quorum}"
    if trust.max_snapshot_days:
        yield f"asks for a status snapshot that is at most {trust.max_snapshot_days} days older than the checkpoint"
    else:
        yield "sets no greatest age of status snapshots"
    if trust.next_keys:
        yield f"the next version is signed by {trust.next_threshold} of {len(trust.next_keys)} keys:"
        yield from (f"  {key}" for key in trust.next_keys)
    elif trust.version:
        yield "nobody can sign a next version: it would be compared by fingerprint again"


def differences(old: TrustFile, new: TrustFile) -> Iterator[str]:
    """Yield what changes from one trust file to another, line by line; the version apart."""
    before, after = old.model_dump(mode="json"), new.model_dump(mode="json")
    for name in _SINGLE:
        if before[name] != after[name]:
            yield f"{name}: {_brief(before[name])} -> {_brief(after[name])}"
    for name, word in _LISTED.items():
        yield from _listed(word, before[name], after[name])
    for name, word in _KINDS.items():
        yield from _listed(f"publisher of {word}", _publishers(old, name), _publishers(new, name))
    for organisation in sorted({*old.pinned, *new.pinned}):
        word = f"authority of {organisation} alone"
        yield from _listed(word, old.pinned.get(organisation, ()), new.pinned.get(organisation, ()))


def _listed(word: str, before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    for gone in sorted({*before} - {*after}):
        yield f"no longer: {word} {_named(gone)}"
    for come in sorted({*after} - {*before}):
        yield f"new: {word} {_named(come)}"


def _brief(value: str | int) -> str:
    """A value in a line: of a text of several lines, which others wrote, the SHA-256."""
    if isinstance(value, str) and "\n" in value:
        return f"a text with SHA-256 {sha256(value.encode()).hexdigest()[:16]}"
    return str(value or "none")


def _named(text: str) -> str:
    return _certificate(text) if text.startswith("-----BEGIN") else text


def _certificate(pem: str) -> str:
    """A certificate as people compare it: subject and digest."""
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    found = x509.load_pem_x509_certificate(pem.encode())
    return f"{found.subject.rfc4514_string() or 'an unnamed authority'} ({found.fingerprint(SHA256()).hex()[:16]})"


def _publishers(trust: TrustFile, name: str) -> list[str]:
    found: dict[Any, frozenset[str]] = dict(trust.publishers)
    return sorted(found.get(name, ()))


def _accept(file: Path, folder: Path, fingerprint: str | None) -> None:
    """Accept one file. Raises RejectedError, UndecidableError, UsageError, EvidenceError, OSError."""
    from exchange.errors import RejectedError, UsageError
    from exchange.trust_succession import check_newer, check_successor

    new, old = read_trust(file), newest_accepted(folder)
    kept = accepted_path(folder, new.version)
    if kept.exists():
        if read_trust(kept).digest != new.digest:
            raise RejectedError(
                f"this is another version {new.version} than the one that was accepted",
                where=str(file),
                remedy="somebody made two: show both to the publisher, and accept nothing meanwhile",
            )
        newer = "" if old is None or old.version == new.version else f"; version {old.version} is held, and counts"
        say(f"version {new.version} was accepted before{newer}")
        return
    if old is not None:
        check_newer(old, new, where=str(file))
    if fingerprint is not None:
        _check_fingerprint(new, fingerprint, file)
        how = "by its fingerprint"
    elif old is None:
        raise UsageError(
            "no trust file was accepted here yet, so that none vouches for this one",
            where=str(folder),
            remedy="give --fingerprint as you have it over two independent channels",
        )
    else:
        signed = check_successor(old, new, _signature(file, None))
        how = f"signed by {', '.join(key.name for key in signed)}"
    for line in [] if old is None else differences(old, new):
        say(shown(line))
    # The name is the version's: of two that are accepted at once, the system refuses the second.
    write_new(kept, new.document(), mode=0o644)
    say(f"accepted version {new.version}, {how}")


def _check_fingerprint(trust: TrustFile, fingerprint: str, file: Path) -> None:
    from exchange.errors import RejectedError

    if "".join(fingerprint.split()).lower() != trust.digest:
        raise RejectedError(
            # The file's own isn't shown: it would be there to be copied.
            "the file's fingerprint isn't the one that was given",
            where=str(file),
            remedy="don't use the file; find out over a third channel which of the two is the publisher's",
        )


def _signature_path(file: Path) -> Path:
    return file.with_name(f"{file.name}.sig")


def _signature(file: Path, signature: Path | None) -> str:
    """The signed note beside a trust file. Raises UsageError, OSError."""
    from exchange.errors import UsageError

    path = signature or _signature_path(file)
    if not path.exists():
        raise UsageError("the signature is missing", where=str(path), remedy="fetch it beside the trust file")
    return read_up_to(path, _MAX_SIGNATURE).decode("utf-8", "replace")


def _signer(key: Path, naming: Sequence[TrustFile], passphrase_fd: int | None) -> NoteSigner:
    """What signs with the key in a file, under the name that a trust file gives it. Raises UsageError, KeyStoreError."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from exchange.cli.key import passphrase
    from exchange.errors import UsageError
    from ledger import NoteSigner
    from signer.key_access import open_key

    private = open_key(key, lambda: passphrase(passphrase_fd)).private_key
    if not isinstance(private, Ed25519PrivateKey):
        raise UsageError("the key is not Ed25519", where=str(key), remedy="make one with `packtrace trust key`")
    public = private.public_key().public_bytes_raw()
    names = [one.name for trust in naming for one in trust.signing_next if one.public_key == public]
    if not names:
        raise UsageError(
            "the trust file doesn't name this key",
            where=str(key),
            remedy="name the version before with --previous, which does, or sign with another key",
        )
    return NoteSigner(names[0], private.private_bytes_raw())


def _members(source: TrustFile, before: TrustFile | None, wanted: Wanted) -> dict[str, Any]:
    """The members of the next version: the log's anchors from `source`, the rest from the version before, changed as wanted."""
    from exchange.errors import UsageError

    kept = source if before is None else before
    members = source.model_dump(mode="json")
    for name in _KEPT:
        members[name] = kept.model_dump(mode="json")[name]
    members["version"] = 1 if before is None else before.version + 1
    members["expires"] = f"{wanted.expires}T00:00:00Z" if len(wanted.expires) == len("2027-12-31") else wanted.expires
    if wanted.witness_policy is not None:
        members["witness_policy"] = read_up_to(wanted.witness_policy, _MAX_POLICY).decode("utf-8", "surrogateescape")
    if wanted.time_authorities:
        members["time_authorities"] = [one for path in wanted.time_authorities for one in _pems(path)]
    if wanted.publishers:
        named: dict[str, list[str]] = {}
        for one in wanted.publishers:
            kind, equals, uri = one.partition("=")
            if not equals or kind not in _KINDS:
                remedy = f"write KIND=URI with one of {', '.join(_KINDS)}"
                raise UsageError(f"{one} names no publisher", where="--publisher", remedy=remedy)
            named.setdefault(kind, []).append(uri)
        members["publishers"] = named
    if wanted.next_keys:
        members["next_keys"] = list(wanted.next_keys)
        members["next_threshold"] = 1
    if wanted.max_snapshot_days is not None:
        members["max_snapshot_days"] = wanted.max_snapshot_days
    if wanted.next_threshold is not None:
        members["next_threshold"] = wanted.next_threshold
    return members


def _pems(path: Path) -> list[str]:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    from exchange.errors import UsageError

    try:
        found = x509.load_pem_x509_certificates(read_up_to(path, _MAX_PEM))
    except ValueError:
        raise UsageError(
            "not a file of PEM certificates", where=str(path), remedy="give the authority's root"
        ) from None
    return [one.public_bytes(Encoding.PEM).decode() for one in found]


def _replace(path: Path, data: bytes) -> None:
    """Write a file whole, in place of one that is there."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    write_new(fresh, data, mode=0o644)
    fresh.replace(path)
