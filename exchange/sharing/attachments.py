"""Files that statements name as evidence: handed in by who signed the statement, and read by whom it granted them.

Whether a file is named, and where, is always read from the disclosures that the token's digests cover; rows only help to find it. A file
goes to another than its owner by a grant of ``<path>+evidence`` alone.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from sqlalchemy import Connection, Engine, exists, select
from sqlmodel import Session, col

from exchange.access import Grant, Principal, covers, visible_attachments
from exchange.attachment import MAX_FILE_BYTES, SALT_BYTES, Reading
from exchange.database import forget_pages
from exchange.errors import AttachmentError, DamagedError, HeldError, NotFoundError, WaitingError
from exchange.identity import Accounts
from exchange.intake import blinded_evidence
from exchange.intake.tables import EvidenceRow, StatementRow
from exchange.sharing.access_log import Act, log_attachments
from exchange.sharing.granted import day_of, grants_of
from exchange.sharing.readers import Sharing
from exchange.sharing.stored import BATCH, forget_files, named_in, stored_rows
from exchange.sharing.tables import AttachmentRow
from exchange.vault import Parts, PartsWriter, Vault, is_held
from ledger.store import begin, snapshot
from signer import new_jti

#: Of one process, and of one owner in it: files that may be on their way in. Each takes a place on the disk before it is checked.
AT_ONCE, OF_ONE_AT_ONCE = 16, 4


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that is named as evidence; `size` counts its salt. `media_type` is what it is by its content."""

    id: str
    digest: str
    media_type: str
    size: int
    stored_at: datetime
    existed: bool = False


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file that a statement names at claim path `path`; `attachment` once it was handed in."""

    path: str
    digest: str
    attachment: Attachment | None


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file on its way out: `size` bytes, the salt first."""

    digest: str
    size: int
    parts: Iterator[bytes]


class Attachments:
    """Keeps files and gives them out. `max_file_bytes` is the operator's limit, without the salt."""

    def __init__(
        self,
        engine: Engine,
        vault: Vault,
        accounts: Accounts,
        sharing: Sharing,
        *,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
        max_file_bytes: int = MAX_FILE_BYTES,
    ) -> None:
        self._engine = engine
        self._vault = vault
        self._accounts = accounts
        self._sharing = sharing
        self._clock = clock
        self._random = random
        self.max_bytes = max_file_bytes + SALT_BYTES
        self._lock = threading.Lock()
        self._coming: Counter[str] = Counter()

    @contextmanager
    def receiving(self, actor: Principal, owner: str, digest: str, size: int) -> Iterator[Receiving]:
        """Take in a file of `size` bytes, its salt first, that a statement of `owner` names by `digest` (hex), while the block runs.

        Raises RightsError, NotFoundError (no statement of the owner that discloses it here names it), AttachmentError (too large),
        WaitingError (too many at once).
        """
        self._accounts.check_speaks_for(actor, owner, "statements:write")
        with snapshot(self._engine) as connection:
            if not self._named(connection, owner, digest):
                raise _unnamed(owner)
        if not SALT_BYTES < size <= self.max_bytes:
            raise AttachmentError(
                f"a file has 1 to {self.max_bytes - SALT_BYTES} bytes, and {SALT_BYTES} of salt before it",
                where="Content-Length",
                remedy="send the salt and the file behind it; split or shrink a larger one",
            )
        with self._room(owner), closing(PartsWriter(self._vault, _subject(owner, digest), size)) as writer:
            yield Receiving(
                digest, size, writer, lambda media_type: self._keep(owner, digest, media_type, size, writer)
            )

    def remove(self, actor: Principal, owner: str, digest: str) -> None:
        """Erase a file that `owner` handed in, for good; what names it stays, and the file can be handed in again.

        Raises NotFoundError, RightsError, HeldError while a statement of the owner that names it is held.
        """
        self._accounts.check_speaks_for(actor, owner, "statements:write")
        with begin(self._engine) as connection:
            row = self._rows(connection, [digest], owner).get(digest)
            if row is None:
                raise NotFoundError("no such file of yours", where="digest", remedy="take it from your list of files")
            if any(is_held(connection, leaf, self._clock()) for leaf in self._naming(connection, owner, digest)):
                raise HeldError(
                    "a statement that names it is kept: it is under verification, filed, or held for another stated reason",
                    where="digest",
                    remedy="ask again when the hold has ended",
                )
            forget_files(connection, owner, [row.name])
        forget_pages(self._engine)

    def own(self, actor: Principal, owner: str, after: str = "", limit: int = 100) -> list[Attachment]:
        """Return the files that `owner` handed in, the oldest first, those behind the id `after`."""
        self._accounts.check_speaks_for(actor, owner, "data:read")
        query = select(AttachmentRow).where(col(AttachmentRow.owner) == owner, col(AttachmentRow.id) > after)
        with snapshot(self._engine) as connection, Session(connection) as session:
            rows = session.scalars(query.order_by(col(AttachmentRow.id)).limit(limit)).all()
            return [self._told(row) for row in rows]

    def of_statement(self, actor: Principal, leaf_hash: str, reader: str | None = None) -> list[NamedFile]:
        """Return the files that a statement names, by path, as far as `reader` (the actor's organisation unless stated) may have them.

        Raises EntryUnknownError for an entry that the actor may not see, RightsError for another's reader.
        """
        reader = reader or actor.organisation
        self._accounts.check_speaks_for(actor, reader, "data:read")
        self._sharing.entry(actor, leaf_hash=leaf_hash)
        with snapshot(self._engine) as connection:
            places = self._places(connection, reader, [leaf_hash]).get(leaf_hash, {})
            owner = connection.scalar(select(col(StatementRow.issuer)).where(col(StatementRow.leaf_hash) == leaf_hash))
            pairs = sorted((path, digest) for path, digests in places.items() for digest in digests)
            rows = self._rows(connection, {digest for _path, digest in pairs}, str(owner))
        return [NamedFile(path, digest, self._told(rows[digest]) if digest in rows else None) for path, digest in pairs]

    def fetch(self, actor: Principal, digest: str, reader: str | None = None) -> Fetched:
        """Return a file for `reader` (the actor's organisation unless stated): its own, or one that it was granted, which is logged.

        Raises NotFoundError for any other, whether it is there or not; RightsError for another's reader.
        """
        reader = reader or actor.organisation
        self._accounts.check_speaks_for(actor, reader, "data:read")
        with snapshot(self._engine) as connection:
            found = self._found(connection, reader, digest)
        if found is not None and found[1]:
            # Only what goes out to another takes the lock; what counts is what is granted then.
            with begin(self._engine) as connection:
                found = self._found(connection, reader, digest)
                if found is not None:
                    self._log(connection, reader, "attachment", found[1])
        if found is None:
            raise NotFoundError(
                "no such file that you handed in or were granted",
                where="digest",
                remedy="take the digest from the line that names it, and ask its owner for a grant of that path+evidence",
            )
        row, _places = found
        return Fetched(digest, row.size, self._parts(row, digest).read(lambda: snapshot(self._engine)))

    def attachments_for(
        self, connection: Connection, readers: Collection[str], leaf_hashes: Sequence[str]
    ) -> Iterator[tuple[str, int, Iterator[bytes]]]:
        """Yield digest, size and content (salt, then file) of each file that these statements name and all `readers` may have.

        By digest, each once; of those that were handed in. A content is read in the caller's transaction, and before the next is asked for.
        Nothing is logged: `took` does.
        """
        _seen, common = self._common(connection, readers, leaf_hashes)
        owners, done = self._owners(connection, leaf_hashes), set[str]()
        for digest, owner in sorted({(digest, owners[leaf]) for leaf, digests in common.items() for digest in digests}):
            row = None if digest in done else self._rows(connection, [digest], owner).get(digest)
            if row is not None:
                done.add(digest)
                yield digest, row.size, self._parts(row, digest).read(lambda: nullcontext(connection))

    def took(self, connection: Connection, readers: Collection[str], leaf_hashes: Sequence[str]) -> None:
        """Log in the caller's transaction that an evidence file for `readers` holds what `attachments_for` yields."""
        seen, common = self._common(connection, readers, leaf_hashes)
        owners = self._owners(connection, leaf_hashes)
        there = {leaf: self._rows(connection, digests, owners[leaf]).keys() for leaf, digests in common.items()}
        for reader, places in zip(readers, seen, strict=True):
            given = {leaf: [path for path in places[leaf] if there[leaf] & set(places[leaf][path])] for leaf in common}
            self._log(connection, reader, "export", {leaf: paths for leaf, paths in given.items() if paths})

    def _common(
        self, connection: Connection, readers: Collection[str], leaf_hashes: Sequence[str]
    ) -> tuple[list[dict[str, dict[str, tuple[str, ...]]]], dict[str, frozenset[str]]]:
        """Return `_places` of each reader, and of each statement the digests of the files that all of them may have."""
        seen = [self._places(connection, reader, leaf_hashes) for reader in readers]
        everywhere = set.intersection(*(set(places) for places in seen)) if seen else set()
        return seen, {
            leaf: frozenset.intersection(*(frozenset(chain.from_iterable(places[leaf].values())) for places in seen))
            for leaf in everywhere
        }

    def _log(self, connection: Connection, reader: str, act: Act, places: Mapping[str, Collection[str]]) -> None:
        log_attachments(connection, reader, act, places, now=self._clock(), random=self._random)

    def _found(
        self, connection: Connection, reader: str, digest: str
    ) -> tuple[AttachmentRow, Mapping[str, Collection[str]]] | None:
        """Return a stored file that `reader` may have, and at which places of which statements; none for its own."""
        own = self._rows(connection, [digest], reader)
        if own:
            return own[digest], {}
        name = blinded_evidence(self._vault, digest)
        # Of those alone who handed it in: what others sign costs nobody time.
        handed_in = select(AttachmentRow).where(col(AttachmentRow.name) == name).order_by(col(AttachmentRow.id))
        for row in Session(connection).scalars(handed_in).all():
            seen = self._places(connection, reader, self._naming(connection, row.owner, digest))
            places = {
                leaf: paths
                for leaf, named in seen.items()
                if (paths := [path for path, digests in named.items() if digest in digests])
            }
            if places:
                return row, places
        return None

    def _places(
        self, connection: Connection, reader: str, leaf_hashes: Sequence[str]
    ) -> dict[str, dict[str, tuple[str, ...]]]:
        """Return of each statement the digests, by path, of the files that `reader` may have; what its disclosures say of them counts."""
        day, session, found = day_of(self._clock()), Session(connection), dict[str, dict[str, tuple[str, ...]]]()
        for start in range(0, len(leaf_hashes), BATCH):
            some = leaf_hashes[start : start + BATCH]
            grants: dict[str, list[Grant]] = {}
            for grant in grants_of(session.connection(), reader, day, leaf_hashes=some):
                grants.setdefault(grant.leaf_hash, []).append(grant)
            for leaf, owner in self._owners(connection, some).items():
                visible = visible_attachments(reader, owner, leaf, grants.get(leaf, ()), day)
                if visible:
                    named = named_in(connection, self._vault, leaf)
                    found[leaf] = {path: digests for path, digests in named.items() if covers(visible, path)}
        return found

    def _naming(self, connection: Connection, owner: str, digest: str, *, lock: bool = False) -> list[str]:
        """Return the leaf hashes of the statements of `owner` that name a file.

        With `lock` none of them is erased, and nobody else stores the file, before the transaction is over.
        """
        query = (
            select(col(StatementRow.leaf_hash))
            .join(EvidenceRow, col(EvidenceRow.index) == col(StatementRow.index))
            .where(col(EvidenceRow.name) == blinded_evidence(self._vault, digest), col(StatementRow.issuer) == owner)
            .order_by(col(StatementRow.index))
        )
        if lock:
            connection.execute(query.with_for_update(of=StatementRow)).all()
        return list(connection.scalars(query))

    def _named(self, connection: Connection, owner: str, digest: str, *, lock: bool = False) -> bool:
        """Whether a statement of `owner` names a file, as its disclosures say."""
        return any(
            digest in digests
            for leaf in self._naming(connection, owner, digest, lock=lock)
            for digests in named_in(connection, self._vault, leaf).values()
        )

    def _owners(self, connection: Connection, leaf_hashes: Sequence[str]) -> dict[str, str]:
        """Return who signed each of these statements, of those that name any file."""
        names_any = exists().where(col(EvidenceRow.index) == col(StatementRow.index))
        found: dict[str, str] = {}
        for start in range(0, len(leaf_hashes), BATCH):
            some = col(StatementRow.leaf_hash).in_(leaf_hashes[start : start + BATCH])
            query = select(col(StatementRow.leaf_hash), col(StatementRow.issuer)).where(some, names_any)
            found |= {row.leaf_hash: row.issuer for row in connection.execute(query)}
        return found

    def _rows(self, connection: Connection, digests: Collection[str], owner: str) -> dict[str, AttachmentRow]:
        return stored_rows(connection, self._vault, digests, owner)

    def _parts(self, row: AttachmentRow, digest: str) -> Parts:
        return Parts(self._vault, _subject(row.owner, digest), row.key, row.size)

    def _told(self, row: AttachmentRow, *, existed: bool = False) -> Attachment:
        digest, media_type = json.loads(self._vault.shown(row.said, *_place(row.owner, row.name)))
        return Attachment(row.id, digest, media_type, row.size, row.stored_at, existed)

    def _whole_key(self, owner: str, digest: str) -> str | None:
        """Return the data key of a file that is there and opens to its end."""
        with snapshot(self._engine) as connection:
            row = self._rows(connection, [digest], owner).get(digest)
            if row is None:
                return None
            try:
                for _part in self._parts(row, digest).read(lambda: nullcontext(connection)):
                    pass
            except DamagedError:
                return None  # what was lost comes back with the file
            return row.key

    def _keep(self, owner: str, digest: str, media_type: str, size: int, writer: PartsWriter) -> Attachment:
        """Store what came in and was checked; what is there and whole stays."""
        whole, now = self._whole_key(owner, digest), self._clock()
        with begin(self._engine) as connection, Session(connection) as session:
            if not self._named(connection, owner, digest, lock=True):
                raise _unnamed(owner)
            row = self._rows(connection, [digest], owner).get(digest)
            if row is not None and row.key == whole:
                return self._told(row, existed=True)
            if row is not None:
                forget_files(connection, row.owner, [row.name])
            name = blinded_evidence(self._vault, digest)
            said = self._vault.hide(json.dumps([digest, media_type]), *_place(owner, name))
            fresh = AttachmentRow(
                id=new_jti(now, self._random),
                owner=owner,
                name=name,
                said=said,
                size=size,
                key=writer.keep(connection),
                stored_at=now,
            )
            session.add(fresh)
            session.flush()
            return self._told(fresh)

    @contextmanager
    def _room(self, owner: str) -> Iterator[None]:
        with self._lock:
            if self._coming.total() >= AT_ONCE or self._coming[owner] >= OF_ONE_AT_ONCE:
                raise WaitingError(
                    "too many files are on their way in", where="attachments", remedy="send it again in a while"
                )
            self._coming[owner] += 1
        try:
            yield
        finally:
            with self._lock:
                self._coming[owner] -= 1


class Receiving:
    """A file on its way in: write its pieces, then finish. What isn't finished is gone when it is closed.

    `keep` stores what was checked, given what the file is.
    """

    def __init__(self, digest: str, size: int, writer: PartsWriter, keep: Callable[[str], Attachment]) -> None:
        self._digest = digest
        self._left = size
        self._reading = Reading()
        self._writer = writer
        self._keep = keep

    def write(self, piece: bytes) -> None:
        """Take the next piece. AttachmentError where more comes than was announced."""
        self._left -= len(piece)
        if self._left < 0:
            raise _cut("more")
        self._reading.read(piece)
        self._writer.write(piece)

    def finish(self) -> Attachment:
        """Store the file, once all of it came. AttachmentError where it isn't what the digest names, or nothing that is taken."""
        if self._left:
            raise _cut("less")
        self._reading.check_digest(self._digest)
        return self._keep(self._reading.media_type())


def _subject(owner: str, digest: str) -> str:
    return f"attachment {digest} of {owner}"


def _place(owner: str, name: str) -> tuple[str, str, str]:
    return "exchange_attachment", owner, name


def _unnamed(owner: str) -> NotFoundError:
    return NotFoundError(
        f"no statement of {owner} that discloses it here names this digest as evidence",
        where="digest",
        remedy="hand in the statement first, with its disclosures and the digest in the line's `evidence`",
    )


def _cut(how: str) -> AttachmentError:
    return AttachmentError(
        f"{how} came than was announced", where="Content-Length", remedy="send the salt and the whole file again"
    )
