"""Evidence: the verified entries that one reader holds, by leaf hash, each with the disclosures that the reader was given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from bom_graph import ActivityData, Citation, Record, Sealed, Site, name_key
from signer import RETRACTIONS, Statement, read_retraction

R = TypeVar("R", bound=Record)


#: Whose entries say what was erased, and which factors were published (`exchange.kinds`, which reads them whole).
_ERASURE = "urn:packtrace:erasure:1"
_FACTOR_RELEASE = "urn:packtrace:factor-release:1"


@dataclass(frozen=True, slots=True)
class Entry:
    """A ledger entry that was verified: index, leaf hash (hex), statement, and its record as far as it was disclosed."""

    index: int
    leaf_hash: str
    statement: Statement
    record: Record | None

    @property
    def is_sealed(self) -> bool:
        """Whether this reader can't even tell which product the entry is about."""
        return self.record is None or isinstance(self.record.sub, Sealed)


def published_digest(entry: Entry) -> str | None:
    """Return the digest of the factor release that `entry` published after reviews; None for anything else, as what came with software."""
    if entry.statement.vct != _FACTOR_RELEASE or not entry.statement.claims.get("reviews"):
        return None
    return str(entry.statement.claims["digest"])


def erased_leaf(entry: Entry) -> str | None:
    """Return the leaf hash (hex) of what `entry` erased, None where it is no erasure."""
    return str(entry.statement.claims["leaf_hash"]) if entry.statement.vct == _ERASURE else None


class Evidence(Mapping[str, Entry]):
    """A frozen map leaf hash (hex) -> entry, as of a ledger of `size` entries.

    What its issuer superseded or withdrew is in the map, and in none of the lists: it counts no more. What is disclosed without its
    `contents` is in the list of what is partly held, and in no other.
    """

    def __init__(self, origin: str, size: int, entries: Iterable[Entry]) -> None:
        self.origin = origin
        self.size = size
        self._by_hash = {entry.leaf_hash: entry for entry in sorted(entries, key=lambda entry: entry.index)}
        self._by_product: dict[tuple[str, type[Record]], list[Entry]] = {}
        self._by_kind: dict[type[Record], list[Entry]] = {}
        self._by_issuer: dict[tuple[str, type[Record]], list[Entry]] = {}
        self._partly_held: dict[tuple[str, type[Record]], list[Entry]] = {}
        #: The entry that erased it, by leaf hash of what was erased.
        self.erased: dict[str, Entry] = {}
        #: The entry that published it, by digest of a factor release. One that was withdrawn since is there too.
        self.published: dict[str, Entry] = {}
        #: The entries that state a factor release, by its digest.
        self.releases: dict[str, list[Entry]] = {}
        #: By leaf hash of a statement that its issuer took back: the supersession or withdrawal.
        self.retracted = self._retractions()
        self._retracted_about: dict[str, list[Entry]] = {}
        self._untold_about: dict[str, list[Entry]] = {}
        for entry in self._by_hash.values():
            if (leaf := erased_leaf(entry)) is not None:
                self.erased.setdefault(leaf, entry)
            if entry.statement.vct == _FACTOR_RELEASE:
                self.releases.setdefault(str(entry.statement.claims["digest"]), []).append(entry)
            if (digest := published_digest(entry)) is not None:
                self.published[digest] = entry
            if entry.record is None:
                continue
            if entry.leaf_hash in self.retracted:
                for product in entry.record.products:
                    self._retracted_about.setdefault(product, []).append(entry)
                continue
            kind = type(entry.record)
            if entry.statement.contents is None:
                # Its issuer may have shown another reader something else in its place (docs/adr/0006): nothing is calculated from it.
                self._partly_held.setdefault((entry.statement.issuer, kind), []).append(entry)
                for product in entry.record.products:
                    self._untold_about.setdefault(product, []).append(entry)
                continue
            self._by_kind.setdefault(kind, []).append(entry)
            self._by_issuer.setdefault((entry.statement.issuer, kind), []).append(entry)
            for product in entry.record.products:
                self._by_product.setdefault((product, kind), []).append(entry)
            if not entry.record.is_whole:
                self._partly_held.setdefault((entry.statement.issuer, kind), []).append(entry)

    def __getitem__(self, leaf_hash: str) -> Entry:
        return self._by_hash[leaf_hash]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_hash)

    def __len__(self) -> int:
        return len(self._by_hash)

    def about(self, product: str, kind: type[R]) -> list[tuple[Entry, R]]:
        """Return the entries of record type `kind` about `product`, as one of several outputs too, newest (highest index) first."""
        found = self._by_product.get((product, kind), [])
        return [(entry, entry.record) for entry in reversed(found) if isinstance(entry.record, kind)]

    def partly_held(self, issuer: str, kind: type[R]) -> list[tuple[Entry, R]]:
        """Return the entries of record type `kind` by `issuer` of which this reader doesn't hold all, oldest first."""
        found = self._partly_held.get((issuer, kind), [])
        return [(entry, entry.record) for entry in found if isinstance(entry.record, kind)]

    def all_of(self, kind: type[R]) -> list[tuple[Entry, R]]:
        """Return the entries of record type `kind`, newest first."""
        found = self._by_kind.get(kind, [])
        return [(entry, entry.record) for entry in reversed(found) if isinstance(entry.record, kind)]

    def stated_by(self, issuer: str, kind: type[R]) -> list[tuple[Entry, R]]:
        """Return the entries of record type `kind` by `issuer`, newest first."""
        found = self._by_issuer.get((issuer, kind), [])
        return [(entry, entry.record) for entry in reversed(found) if isinstance(entry.record, kind)]

    def retracted_about(self, product: str) -> Sequence[Entry]:
        """Return the statements about `product` that count no more, oldest first."""
        return self._retracted_about.get(product, ())

    def untold_about(self, product: str) -> Sequence[Entry]:
        """Return the statements about `product` that are disclosed without their `contents`, oldest first."""
        return self._untold_about.get(product, ())

    def _retractions(self) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        for entry in self._by_hash.values():
            if entry.statement.vct not in RETRACTIONS:
                continue
            target = read_retraction(entry.statement).target
            there = self._by_hash.get(target.leaf_hash)
            if there is not None and there.index == target.index and there.statement.issuer == entry.statement.issuer:
                found.setdefault(there.leaf_hash, entry)
        return found

    @cached_property
    def by_site(self) -> Mapping[str, Sequence[tuple[Entry, ActivityData]]]:
        """Activity data that this reader holds whole, by the key of its site's name, oldest first."""
        found: dict[str, list[tuple[Entry, ActivityData]]] = {}
        for entry, record in reversed(self.all_of(ActivityData)):
            if record.is_whole and isinstance(record.site, Site):
                found.setdefault(name_key(record.site.name), []).append((entry, record))
        return found

    @cached_property
    def certificate_claimants(self) -> frozenset[str]:
        """The issuers of activity data that claims electricity certificates."""
        found = self._by_kind.get(ActivityData, [])
        return frozenset(
            entry.statement.issuer
            for entry in found
            if isinstance(entry.record, ActivityData) and any(entry.record.lines("certificates"))
        )

    def counting(
        self, entry: Entry, record: ActivityData, fits: Callable[[ActivityData], bool]
    ) -> list[tuple[Entry, ActivityData]]:
        """Return the issuer's activity data that fits and counts beside `entry`, itself among it, oldest first.

        Held whole, and of one product and period the newest.
        """
        found = [(entry, record)]
        seen = {(str(record.period), product) for product in record.products}
        for other, stated in self.stated_by(entry.statement.issuer, ActivityData):
            if other is entry or not stated.is_whole or not fits(stated):
                continue
            about = {(str(stated.period), product) for product in stated.products}
            if seen.isdisjoint(about):
                found.append((other, stated))
            seen |= about
        return sorted(found, key=lambda pair: pair[0].index)

    def counting_near(
        self, entry: Entry, record: ActivityData, fits: Callable[[ActivityData], bool]
    ) -> list[tuple[Entry, ActivityData]]:
        """Return what `counting` does, for a `fits` that holds of nothing but sites of the record's own name, or nearly its name."""
        return Evidence.counting(self, entry, record, fits)

    def cited(self, citation: Citation) -> Entry | None:
        """Return the entry that `citation` points to, if this reader holds it at that index of this log."""
        entry = self._by_hash.get(citation.leaf_hash)
        if entry is None or citation.origin != self.origin or entry.index != citation.index:
            return None
        return entry
