"""What a file holds beside what a result makes of it: left out of the result, or stated since.

A computation asks the evidence for what it needs, and `Asked` remembers for what. Further entries of the file matter only where one of them
would have been among the answers: only then a result is computed again, with those. Repeated until nothing is left that was asked for,
that is the result with all that the file holds, at the cost of what belongs together and not of the file.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from bom_graph import (
    ActivityData,
    BomGraphError,
    CertificateRetirement,
    Citation,
    FactorRelease,
    Lines,
    NearNames,
    Record,
    RuleSet,
    Sealed,
    Site,
    name_key,
)
from exchange.assembly import Demand, RefusedError, compute
from exchange.evidence import Entry, Evidence
from exchange.kinds import Policy
from exchange.report import Document, document, first_difference, name_of
from signer import RETRACTIONS

_MOST_NAMED = 8
#: How many entries are computed with again, all results of a file together, for each entry that it holds; and in any file.
_AGAIN, _AGAIN_IN_ANY = 20, 100_000
R = TypeVar("R", bound=Record)
_Finding = tuple[str, str, str]
#: What a result says of its data, beside figure and findings, as it is told where it differs.
_RATED = {
    "primary_data_share": "shares of primary data",
    "obtained_percent": "origins",
    "data_quality": "ratings of data quality",
}


class Asked(Evidence):
    """Evidence that remembers what a computation asks it for, whether there was an answer or not."""

    def __init__(self, origin: str, size: int, entries: Iterable[Entry]) -> None:
        super().__init__(origin, size, entries)
        self.products: set[tuple[str, type[Record]]] = set()
        self.untold: set[str] = set()
        self.partly: set[tuple[str, type[Record]]] = set()
        self.citations: set[Citation] = set()
        self.fits: list[tuple[str, Callable[[ActivityData], bool]]] = []
        self.sites: set[tuple[str, str]] = set()

    def about(self, product: str, kind: type[R]) -> list[tuple[Entry, R]]:
        """As of any evidence."""
        self.products.add((product, kind))
        return super().about(product, kind)

    def untold_about(self, product: str) -> Sequence[Entry]:
        """As of any evidence."""
        self.untold.add(product)
        return super().untold_about(product)

    def partly_held(self, issuer: str, kind: type[R]) -> list[tuple[Entry, R]]:
        """As of any evidence."""
        self.partly.add((issuer, kind))
        return super().partly_held(issuer, kind)

    def counting(
        self, entry: Entry, record: ActivityData, fits: Callable[[ActivityData], bool]
    ) -> list[tuple[Entry, ActivityData]]:
        """As of any evidence."""
        self.fits.append((entry.statement.issuer, fits))
        return super().counting(entry, record, fits)

    def counting_near(
        self, entry: Entry, record: ActivityData, fits: Callable[[ActivityData], bool]
    ) -> list[tuple[Entry, ActivityData]]:
        """As of any evidence."""
        if isinstance(record.site, Site):
            self.sites.add((entry.statement.issuer, record.site.name))
        return super().counting_near(entry, record, fits)

    def cited(self, citation: Citation) -> Entry | None:
        """As of any evidence."""
        self.citations.add(citation)
        return super().cited(citation)


class Whole:
    """All that a file holds, to be asked for what a computation asked for."""

    def __init__(
        self,
        evidence: Evidence,
        rule_sets: Mapping[str, RuleSet],
        releases: Mapping[str, FactorRelease],
        policy: Policy,
    ) -> None:
        self._evidence = evidence
        self._rule_sets, self._releases, self._policy = rule_sets, releases, policy
        #: Nothing in it is taken back: what was, may not have been yet when a result was made.
        self._stated = evidence
        if evidence.retracted:
            kept = [one for one in evidence.values() if one.statement.vct not in RETRACTIONS]
            self._stated = Evidence(evidence.origin, evidence.size, kept)
        self._claiming: dict[tuple[str, str], list[Entry]] = {}
        self._sites: dict[tuple[str, str], list[Entry]] = {}
        self._serials: dict[tuple[str | None, str], list[Entry]] = {}
        names: dict[str, set[str]] = {}
        for entry, record in self._stated.all_of(ActivityData):
            if isinstance(record.site, Site):
                place = entry.statement.issuer, name_key(record.site.name)
                self._sites.setdefault(place, []).append(entry)
                names.setdefault(entry.statement.issuer, set()).add(record.site.name)
                if any(record.lines("certificates")):
                    self._claiming.setdefault(place, []).append(entry)
        self._near = {issuer: NearNames(of_issuer) for issuer, of_issuer in names.items()}
        for entry, retired in self._stated.all_of(CertificateRetirement):
            for beginning in _serials(retired):
                self._serials.setdefault(beginning, []).append(entry)
        self._hidden: dict[tuple[str, type[Record]], dict[str, list[Entry]]] = {}
        #: So that the time is linear in the file's size where many results of one product have each other's statements to look at.
        self._left = _AGAIN * len(evidence) + _AGAIN_IN_ANY
        self._not_computed = 0

    def told(self, again: Document, asked: Asked) -> list[str]:
        """Return what is to be said of a result (computed again from `asked`): what else it comes to with all that is here.

        First with what its ledger held already, then with what was stated since. A reader may hold more than the result's maker was
        granted: that alone makes no result wrong. Nothing where the total, the heading and the findings are the same.
        """
        size, found = again["snapshot"]["size"], again
        name = f"{name_of(again)} under {again['rule_set']['id']}"
        entries = dict(asked)
        said: list[str] = []
        for below in dict.fromkeys((size, self._evidence.size)):
            added: list[Entry] = []
            refused, found_now = None, found
            while refused is None and (more := self._more(entries, asked, below)):
                entries |= more
                added += list(more.values())
                self._left -= len(entries)
                if self._left < 0:
                    self._not_computed += 1
                    return said
                try:
                    asked = Asked(self._evidence.origin, below, entries.values())
                    found_now = self._computed(again, asked)
                except RefusedError as error:
                    refused = f"the rule set refuses it: {error}"
                except (ArithmeticError, BomGraphError) as error:
                    refused = f"it can't be computed: {error}"
            if (differs := refused or _difference(found, found_now)) is None:
                continue
            indices = sorted(one.index for one in added)
            named = (
                f"entries {', '.join(map(str, indices[:_MOST_NAMED]))}{', ...' if len(indices) > _MOST_NAMED else ''}"
            )
            if below == size:
                said.append(f"{name} was computed without all that is here ({named}): with it, {differs}")
            else:
                said.append(
                    f"{name} is of the ledger at size {size}; newer statements in this file ({named}) change it: {differs}"
                )
            found = found_now
        return said

    def told_of_all(self, results: Sequence[Document]) -> list[str]:
        """Return what is to be said of all results together: several of one product, and what wasn't computed."""
        said = _of_one_product(results)
        if self._not_computed:
            said.append(
                f"{self._not_computed} of {len(results)} results weren't computed with all that is here: too many of its statements "
                "are about the same"
            )
        return said

    def _computed(self, result: Document, evidence: Evidence) -> Document:
        demand = Demand(result["demand"]["product"], result["demand"]["flow"])
        releases = [self._releases[release["digest"]] for release in result["releases"]]
        rule_set = self._rule_sets[result["rule_set"]["digest"]]
        return document(compute(evidence, demand, rule_set, releases, self._policy))

    def _more(self, entries: Mapping[str, Entry], asked: Asked, below: int) -> dict[str, Entry]:
        """Return what would have been among the answers, of what lies below that index and isn't held, or not so far disclosed."""
        found: dict[str, Entry] = {}
        for entry in self._answers(entries, asked, below):
            for one in (entry, self._evidence.retracted.get(entry.leaf_hash)):
                if one is None or one.index >= below:
                    continue
                there = entries.get(one.leaf_hash)
                if there is None or len(there.statement.disclosure_digests) < len(one.statement.disclosure_digests):
                    found[one.leaf_hash] = one
        return found

    def _answers(self, entries: Mapping[str, Entry], asked: Asked, below: int) -> Iterator[Entry]:
        stated = self._stated
        for leaf in entries:
            if leaf in stated:
                yield stated[leaf]
        for product, kind in asked.products:
            yield from (entry for entry, _record in stated.about(product, kind))
        for product in asked.untold | {product for product, _kind in asked.products}:
            yield from stated.untold_about(product)
        for issuer, kind in asked.partly:
            yield from self._newest_hidden(issuer, kind, below)
        for issuer, fits in asked.fits:
            yield from (entry for entry, one in stated.stated_by(issuer, ActivityData) if fits(one))
        for citation in asked.citations:
            if (cited := stated.cited(citation)) is not None:
                yield cited
        for issuer, name in asked.sites:
            for near in (name, *self._near[issuer].of(name)):
                yield from self._sites.get((issuer, name_key(near)), ())
        yield from self._of_sites(entries, asked.certificate_claimants)

    def _newest_hidden(self, issuer: str, kind: type[Record], below: int) -> Iterator[Entry]:
        """Yield what may be about anything, by its kind and period the newest: one of them says what all would.

        What tells its product was found by that, and by its site or period.
        """
        if (issuer, kind) not in self._hidden:
            by_period: dict[str, list[Entry]] = {}
            for entry, record in self._stated.partly_held(issuer, kind):
                if isinstance(record.sub, Sealed):
                    by_period.setdefault(str(getattr(record, "period", None)), []).append(entry)
            self._hidden[issuer, kind] = by_period
        for hidden in self._hidden[issuer, kind].values():
            if place := bisect_left(hidden, below, key=lambda entry: entry.index):
                yield hidden[place - 1]

    def _of_sites(self, entries: Mapping[str, Entry], claimants: frozenset[str]) -> Iterator[Entry]:
        """Yield what certificates are spread over, beside the statements `entries`, and what retires the same certificates again."""
        sites: set[tuple[str, str]] = set()
        serials: set[tuple[str | None, str]] = set()
        named: set[object] = set()
        for entry in entries.values():
            record = entry.record
            if isinstance(record, ActivityData) and isinstance(record.site, Site):
                sites.add((entry.statement.issuer, name_key(record.site.name)))
            elif isinstance(record, CertificateRetirement):
                serials.update(_serials(record))
                named.add(record.sub)
        for place in sites:
            yield from self._claiming.get(place, ())
        for site in {site for issuer, site in sites if issuer in claimants}:
            yield from (other for other, _record in self._stated.by_site.get(site, ()))
        for serial in serials:
            yield from self._serials.get(serial, ())
        for name in named:
            yield from (other for other, _record in self._stated.about(str(name), CertificateRetirement))


def _of_one_product(results: Iterable[Document]) -> list[str]:
    """Return a line for each product and rule set of which several results are here: which is of which ledger, oldest first."""
    same: dict[tuple[str | None, ...], list[Document]] = {}
    for found in results:
        place = (found["demand"]["product"], found["demand"]["flow"], found["rule_set"]["digest"])
        same.setdefault(place, []).append(found)
    said = []
    for several in same.values():
        several.sort(key=lambda found: found["snapshot"]["size"])
        if len(several) > 1:
            sizes = ", ".join(
                f"{one['headline']['printed']} of the ledger at size {one['snapshot']['size']}" for one in several
            )
            last = several[-1]
            said.append(
                f"{len(several)} results of {name_of(last)} under {last['rule_set']['id']} are here, the oldest first: {sizes}"
            )
    return said


def _serials(record: CertificateRetirement) -> Iterator[tuple[str | None, str]]:
    """Yield where the certificates of a retirement are found: its registry, and the beginnings of its serials."""
    if isinstance(record.serials, Lines):
        yield from ((record.registry_key, line.span[0]) for line in record.serials)


def _difference(one: Document, other: Document) -> str | None:
    """Say in what two results of one product differ: figure, heading, what its data are, findings; None where in nothing of these."""
    said = []
    told, instead = (
        f"{found['headline']['printed']} {found['headline']['unit']} ({found['heading']})" for found in (other, one)
    )
    if told != instead:
        said.append(f"it is {told} instead of {instead}")
    elif first_difference(one["total"], other["total"]) is not None:
        said.append(
            f"its total is {other['total']['value']} {other['total']['unit']} instead of {one['total']['value']}"
        )
    for member, called in _RATED.items():
        if (place := first_difference(one[member], other[member])) is not None:
            said.append(f"its {called} differ ({member}{place if place != '/' else ''})")
    before, after = Counter(_findings(one)), Counter(_findings(other))
    for what, found in (("found", after - before), ("no more found", before - after)):
        named = [f"{level} {gate} at {where}" for gate, level, where in sorted(found)]
        if named:
            said.append(f"{what}: {', '.join(named[:_MOST_NAMED])}{', ...' if len(named) > _MOST_NAMED else ''}")
    return "; ".join(said) or None


def _findings(found: Document) -> Iterator[_Finding]:
    return ((finding["gate"], finding["level"], finding["where"]) for finding in found["findings"])
