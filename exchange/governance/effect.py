"""What a proposed factor release moves in the stored results: which use a changed row, and what they come to.

Where only values of rows change, a result's contributions are linear in them, and the new figure is the old one moved by what they move:
no statement is read. Where rows are added or removed, or say something else by now (validity, unit, place), another row may be taken, and
the result is computed again by the same code that computed it. Both give the same figures where both apply; a test holds them together.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from sqlalchemy import Engine
from sqlmodel import Session

from bom_graph import (
    BomGraphError,
    FactorRelease,
    compare_releases,
    stored,
)
from exchange.access import Principal
from exchange.assembly import Demand, RefusedError
from exchange.calculation import Calculation, current_with, stored_document
from exchange.errors import ErasedError, RightsError
from exchange.governance.proposals import FactorReleases
from exchange.governance.rules import EffectRules
from exchange.identity import Accounts, corporate_group, read_release, releases_in_use
from exchange.report import Document
from exchange.sharing import Sharing
from exchange.vault import Vault
from ledger.store import snapshot

#: Members of a row by which nothing is found or added up.
_WORDS = frozenset(
    {"value", "name", "source", "source_value", "source_unit", "address", "licence", "note", "uncertainty"}
)
_BATCH = 100


@dataclass(frozen=True, slots=True)
class Moved:
    """A result that uses changed rows: the headline before and after, in its `unit`; `after` is None where it is refused, and `why`."""

    result: str
    reader: str
    product: str
    rule_set: str
    rows: tuple[str, ...]
    before: str | None
    after: str | None
    unit: str
    recalculated: bool
    why: str | None = None

    @property
    def relative(self) -> float | None:
        """By how much the headline moves, as a share of the old one."""
        if self.before is None or self.after is None or float(self.before) == 0:
            return None
        return float(self.after) / float(self.before) - 1


@dataclass
class Tally:
    """How far an effect is: results looked at of all; the asker's own that use a changed row (`moved`), and that are refused.

    `others`: what is told of others' results, with the last one; None where they are too few, or the rules tell nothing.
    """

    total: int
    done: int = 0
    moved: int = 0
    refused: int = 0
    others: Others | None = None

    def take(self, one: Moved) -> None:
        """Count a result of the asker's that moves."""
        self.moved += 1
        self.refused += one.why is not None


@dataclass(frozen=True, slots=True)
class Others:
    """What a proposal moves in the results of others, each in a step of the rules that at least `least_groups` corporate groups reach.

    `groups_at_least`: of so many groups results use a changed row, of `refused_at_least` results would be refused. Of at least
    `least_groups` a result rises by `rise_at_least`, falls by `fall_at_least`, as shares of the old figure. None: fewer reach any step.
    """

    groups_at_least: int
    refused_at_least: int | None
    rise_at_least: Decimal | None
    fall_at_least: Decimal | None


@dataclass(slots=True)
class _Groups:
    """What moves in others' results, by corporate group; `outside`: the groups that aren't counted."""

    outside: frozenset[str]
    moved: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    rises: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    falls: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def take(self, one: Moved, group: str) -> None:
        """Count a result that moves."""
        if group in self.outside:
            return
        self.moved.add(group)
        if one.why is not None:
            self.refused.add(group)
        if one.relative is not None:
            self.rises[group] = max(self.rises[group], one.relative)
            self.falls[group] = max(self.falls[group], -one.relative)

    def told(self, rules: EffectRules) -> Others | None:
        """Return what may be told of it."""

        def groups(found: Collection[str]) -> int | None:
            steps = (step for step in rules.groups_at_least if rules.least_groups <= step <= len(found))
            return max(steps, default=None)

        def move(found: Mapping[str, float]) -> Decimal | None:
            reached = (
                step
                for step in rules.moves_at_least
                if sum(most >= float(step) for most in found.values()) >= rules.least_groups
            )
            return max(reached, default=None)

        count = groups(self.moved)
        return None if count is None else Others(count, groups(self.refused), move(self.rises), move(self.falls))


@dataclass(frozen=True, slots=True)
class _Change:
    """From one release to another.

    `touched`: rows that are gone or differ; `relative`: of those whose value alone does, by which share; `flows`: the flow of every row
    that is known, by release and row; `new_flows`: those for which another row may be taken.
    """

    old: FactorRelease
    new: FactorRelease
    touched: frozenset[str]
    relative: Mapping[str, float]
    flows: Mapping[tuple[str, str], str]
    new_flows: frozenset[str]

    @classmethod
    def between(cls, old: FactorRelease, new: FactorRelease, others: Iterable[FactorRelease]) -> _Change:
        """Return what changes from `old` to `new`; `others` are used beside them."""
        difference = compare_releases(old, new)
        gone = {row.id for row in difference.removed}
        relative, new_flows = {}, {row.flow for row in difference.added}
        for one in difference.changed:
            if not _WORDS.issuperset(one.members):
                new_flows |= {one.old.flow, one.new.flow}
            elif one.relative is not None:
                relative[one.old.id] = one.relative
        flows = {(release.id, row.id): row.flow for release in (*others, old) for row in release.rows}
        touched = frozenset(gone | {one.old.id for one in difference.changed})
        return cls(old, new, touched, relative, flows, frozenset(new_flows))

    def needs_computing(self, found: Document, rows: Collection[str]) -> bool:
        """Whether another row may be taken than those that a result uses, or its total is unknown; `rows`: those of it that are touched."""
        if self.old.proxies != self.new.proxies or found["total"]["value"] is None:
            return True
        if any(row not in self.relative for row in rows):
            return True
        if not self.new_flows:
            return False
        # A gap may be filled by a row that is new, and a row that nobody here knows be of any flow.
        factors = [part["factor"] for part in found["contributions"] if part.get("factor")]
        taken = {self.flows.get((str(one.get("release")), str(one.get("row")))) for one in factors}
        return bool(found["gaps"]) or None in taken or not self.new_flows.isdisjoint(taken)


@dataclass(frozen=True, slots=True)
class Effects:
    """Tells what a proposal moves: to each organisation its own results, to insiders in coarse steps what it moves in many others'."""

    engine: Engine
    vault: Vault
    accounts: Accounts
    sharing: Sharing
    calculation: Calculation
    releases: FactorReleases
    step: int = _BATCH

    def of(self, actor: Principal, proposal: str) -> Iterator[Moved | Tally]:
        """Yield the actor's results that move, and now and then the tally; last of all the final one.

        The results are those in use that were made with the release that the proposal follows: of everybody for insiders, where enough
        corporate groups have some, else one's own. NotFoundError for no proposal.
        """
        proposer = self.releases.effect_group(proposal) if self.releases.is_inside(actor, proposal) else None
        rules = self.releases.rules.effect
        old, new = self.releases.pair(proposal)
        found = [] if old is None else self._made_with(old)
        mine = {reader for reader in {reader for _, reader in found} if self._speaks_for(actor, reader)}
        groups = self._groups({reader for _, reader in found} | {actor.organisation})
        # Who proposes knows its own group's results, who asks its own: of what is told they could be taken off.
        outside = {groups[reader] for reader in {*mine, actor.organisation}} | ({proposer} if proposer else set())
        if proposer is None or len(set(groups.values()) - outside) < rules.least_groups:
            found = [(result, reader) for result, reader in found if reader in mine]
        tally, others = Tally(len(found)), _Groups(frozenset(outside))
        if old is None or not found:
            yield tally
            return
        change = _Change.between(old, new, self._others(old.id))
        for start in range(0, len(found), self.step):
            some = found[start : start + self.step]
            for (result, reader), before in zip(some, self._documents(some), strict=True):
                moved = None if before is None else self._moved(result, reader, before, change)
                tally.done += 1
                if moved is None:
                    continue
                others.take(moved, groups[reader])
                if reader in mine:
                    tally.take(moved)
                    yield moved
            # On the way it would be told of the first hundred, then of two hundred: of the difference too.
            yield replace(tally, others=others.told(rules) if tally.done == tally.total else None)

    def _made_with(self, release: FactorRelease) -> list[tuple[str, str]]:
        with snapshot(self.engine) as connection, Session(connection) as session:
            return current_with(session, release.digest)

    def _groups(self, readers: Iterable[str]) -> dict[str, str]:
        with snapshot(self.engine) as connection, Session(connection) as session:
            return {reader: corporate_group(session, reader) for reader in readers}

    def _others(self, release: str) -> list[FactorRelease]:
        """The releases in use but that of an id."""
        with snapshot(self.engine) as connection:
            in_use = releases_in_use(connection)
            return [read_release(connection, one.digest) for name, one in in_use.items() if name != release]

    def _speaks_for(self, actor: Principal, reader: str) -> bool:
        try:
            self.accounts.check_speaks_for(actor, reader, "data:read")
        except RightsError:
            return False
        return True

    def _documents(self, some: Sequence[tuple[str, str]]) -> list[Document | None]:
        """The documents of stored results, read in one transaction; None for what was erased."""
        found: list[Document | None] = []
        with snapshot(self.engine) as connection:
            for result, _reader in some:
                try:
                    found.append(stored_document(connection, self.vault, result))
                except ErasedError:
                    found.append(None)
        return found

    def _moved(self, result: str, reader: str, before: Document, change: _Change) -> Moved | None:
        parts = _parts(before, change)
        rows = tuple(sorted({row for row, _kg in parts}))
        if change.needs_computing(before, rows):
            return self._recalculated(result, reader, before, change.new, rows)
        if not rows:
            return None
        total, headline = float(before["total"]["value"]), before["headline"]["value"]
        moved = total + math.fsum(kg * change.relative[row] for row, kg in parts)
        after = None if headline is None else stored(float(headline) * moved / total if total else 0.0)
        return _moved(result, reader, before, rows, after, recalculated=False)

    def _recalculated(
        self, result: str, reader: str, before: Document, new: FactorRelease, rows: tuple[str, ...]
    ) -> Moved | None:
        demand = Demand(before["demand"]["product"], before["demand"]["flow"])
        evidence = self.sharing.evidence_for(reader)
        try:
            found = self.calculation.computed(evidence, demand, before["rule_set"]["id"], {new.id: new})
        except (RefusedError, BomGraphError) as error:
            return _moved(result, reader, before, rows, None, recalculated=True, why=str(error))
        after = found["headline"]["value"]
        if after == before["headline"]["value"] and not rows:
            return None
        return _moved(result, reader, before, rows, after, recalculated=True)


def _parts(found: Document, change: _Change) -> list[tuple[str, float]]:
    """The row and the kilograms of each contribution whose row is gone or differs."""
    return [
        (factor["row"], float(part["kg_co2e"]))
        for part in found["contributions"]
        if (factor := part.get("factor"))
        and factor.get("release") == change.old.id
        and factor.get("row") in change.touched
    ]


def _moved(
    result: str,
    reader: str,
    before: Document,
    rows: tuple[str, ...],
    after: str | None,
    *,
    recalculated: bool,
    why: str | None = None,
) -> Moved:
    headline = before["headline"]
    return Moved(
        result,
        reader,
        before["demand"]["product"],
        before["rule_set"]["id"],
        rows,
        headline["value"],
        after,
        headline["unit"],
        recalculated,
        why,
    )
