"""Emission factors: immutable releases and the look-up that says why a row was taken.

A release is a JSON file; its digest is SHA-256 over the file's bytes. A row states kg CO2e per unit of a flow, with geography, year,
family, GWP set, boundary and source. The families are different things and never stand in for each other: CO2e over the life cycle;
CO2 of power generation alone; CO2e, or CO2, of burning a fuel alone.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bom_graph.composition import mass_fractions
from bom_graph.errors import (
    AmbiguousFactorError,
    BomGraphError,
    FactorError,
    FactorFamilyError,
    MissingFactorError,
)
from bom_graph.naming import nation_of
from bom_graph.quantities import Amount, dimension
from bom_graph.strict_json import read_json
from bom_graph.uncertainty import Parameter, Uncertainty
from bom_graph.wording import why_unreadable

MAX_RELEASE_BYTES = 16 * 1024 * 1024
LIFE_CYCLE: Final = "co2e_life_cycle"
Family = Literal["co2e_life_cycle", "co2_generation", "co2e_combustion", "co2_combustion"]
#: What a recipe's balance is made of: bom_graph.composition.BALANCED_ELEMENTS.
Element = Literal["Li", "Ni", "Co", "Mn", "P", "Fe"]
#: First words of a GWP set: which factors can be added up without a word. Anything else is unstated.
GWP_SETS: Final = ("AR4", "AR5", "AR6", "CO2")
Name = Annotated[str, Field(min_length=1, max_length=500)]
Year = Annotated[int, Field(ge=1900, le=2200)]
_DATA = resources.files("bom_graph") / "data" / "factors"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FactorRow(_Frozen):
    """One emission factor: `value` kg CO2e per `per` (a unit) of `flow`; kg CO2 in the families that count CO2 alone.

    `nature`: measured at the source, modelled, or a statistic of an authority. `side` of electricity: as generated (`busbar`) or as the
    customer meters it, transmission included (`meter`). `gwp_set`, `boundary` and `licence` are the release's where a row has none.
    `elements` are those of BALANCED_ELEMENTS that
    it is made of, where it has no one formula; None where nobody says. `valid_from` and `valid_until` are the years for which its
    publisher lets it be used. `elsewhere` says why it may stand in, as a
    marked proxy, for places that have no row.
    """

    id: Name
    flow: Name
    name: str
    geography: Name
    year: Year
    value: Annotated[Amount, Field(ge=0)]
    per: str
    family: Family
    nature: Literal["measured", "modelled", "statistical"]
    composition: str | None = None
    elements: tuple[Element, ...] | None = None
    side: Literal["busbar", "meter"] | None = None
    boundary: str | None = None
    gwp_set: str | None = None
    valid_from: Year | None = None
    valid_until: Year | None = None
    uncertainty: Uncertainty | None = None
    elsewhere: str | None = None
    source_value: str
    source_unit: str
    source: str
    address: str | None = None
    licence: str | None = None
    note: str | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.valid_from is not None and self.valid_until is not None and self.valid_until < self.valid_from:
            raise ValueError("a row's validity ends before it begins")
        return self

    def holds_in(self, year: int | None) -> bool:
        """Whether its publisher lets the row be used for `year`."""
        if year is None:
            return True
        return (self.valid_from or year) <= year <= (self.valid_until or year)


class Proxy(_Frozen):
    """A flow that is calculated with another flow's factor, and why."""

    flow: str
    stands_in: str
    reason: str


class FactorRelease(_Frozen):
    """A published set of factor rows. `digest` is the hex SHA-256 of the file that it was read from."""

    format: Literal["urn:packtrace:factor-release-file:1"]
    id: str
    version: str
    title: str
    citation: str
    licence: str
    gwp_set: str
    boundary: str
    rows: Annotated[tuple[FactorRow, ...], Field(min_length=1)]
    proxies: tuple[Proxy, ...] = ()
    digest: str = ""

    @classmethod
    def read(cls, data: bytes) -> FactorRelease:
        """Return the release in the file's bytes; FactorError for anything else."""
        try:
            if len(data) > MAX_RELEASE_BYTES:
                raise ValueError(f"larger than {MAX_RELEASE_BYTES} bytes")
            release = cls.model_validate(read_json(data))
            release.check()
        except (ValueError, BomGraphError) as error:
            raise FactorError(
                f"the factor release can't be read: {why_unreadable(error)}",
                where="release file",
                remedy="take the published file",
            ) from None
        keys = [
            (row.flow, row.geography, row.year, row.family, row.side, row.boundary, row.composition, row.valid_from)
            for row in release.rows
        ]
        if len(set(keys)) != len(keys):
            twice = Counter(keys).most_common(1)[0][0]
            raise FactorError(
                f"two rows fit equally for {twice[:4]}",
                where=release.id,
                remedy="publish a release with one of them",
            )
        ids = [row.id for row in release.rows]
        if len(set(ids)) != len(ids):
            raise FactorError(
                f"two rows have the id {Counter(ids).most_common(1)[0][0]!r}",
                where=release.id,
                remedy="give each row an id of its own",
            )
        return release.model_copy(update={"digest": hashlib.sha256(data).hexdigest()})

    def check(self) -> None:
        """Check what a row or proxy says in itself. Raises UnitError, CompositionError, UncertaintyError, ValueError."""
        for row in self.rows:
            dimension(row.per, where=row.id)
            if row.composition is not None:
                mass_fractions(row.composition, where=row.id)
            if row.uncertainty is not None:
                Parameter(row.id, float(row.value), row.uncertainty).check()
        known = {row.flow for row in self.rows}
        if strange := next((one for one in self.proxies if one.stands_in not in known), None):
            raise ValueError(f"proxies: {strange.flow} is calculated with {strange.stands_in}, which has no row")
        if itself := next((one for one in self.proxies if one.stands_in == one.flow), None):
            raise ValueError(f"proxies: {itself.flow} would stand in for itself")
        if twice := [flow for flow, count in Counter(one.flow for one in self.proxies).items() if count > 1]:
            raise ValueError(f"proxies: {twice[0]} has two")

    @cached_property
    def by_flow(self) -> dict[str, tuple[FactorRow, ...]]:
        """Rows of each flow, newest year first."""
        found: dict[str, list[FactorRow]] = {}
        for row in sorted(self.rows, key=lambda row: -row.year):
            found.setdefault(row.flow, []).append(row)
        return {flow: tuple(rows) for flow, rows in found.items()}

    def gwp_of(self, row: FactorRow) -> str:
        """Return the GWP set that `row` counts gases by: one of GWP_SETS, or ``unstated``."""
        first = (row.gwp_set or self.gwp_set).split(" ", 1)[0].rstrip(",")
        return first if first in GWP_SETS else "unstated"

    def factor(self, flow: str, geography: str | None, family: str, *, year: int | None) -> Factor | None:
        """Return this release's factor for an activity in `year` (None: any), or None where it has none.

        The exact geography, else the region's nation, else a row that may stand in elsewhere; without `geography` the flow's global row.
        Of several years the newest that isn't after `year`, else the nearest. A proxy counts only where the release has no row of the
        flow itself. Raises AmbiguousFactorError where two rows fit equally.
        """
        for rows, reason in self._candidates(flow, geography):
            fitting = [row for row in rows if row.family == family and row.holds_in(year)]
            if fitting:
                row = self._only([row for row in fitting if row.year == _nearest(fitting, year)], flow)
                return Factor(row, self.id, reason + _how_old(row, year), self.gwp_of(row))
        return None

    def _candidates(self, flow: str, geography: str | None) -> Iterator[tuple[list[FactorRow], str]]:
        """Rows that may be taken, the best first, and the reason that taking them has."""
        stand_in = None if flow in self.by_flow else next((p for p in self.proxies if p.flow == flow), None)
        rows = self.by_flow.get(stand_in.stands_in if stand_in else flow, ())
        for place, reason in _places(geography):
            found = [row for row in rows if row.geography == place]
            yield found, f"proxy: {stand_in.reason}" if stand_in else reason
        for row in rows:
            if row.elsewhere is not None:
                same = [one for one in rows if one.elsewhere is not None and one.geography == row.geography]
                yield same, f"proxy: {row.geography} for {geography or 'any place'}: {row.elsewhere}"

    def _only(self, rows: Sequence[FactorRow], flow: str) -> FactorRow:
        if len(rows) > 1:
            raise AmbiguousFactorError(
                f"two rows of {self.id} fit equally for flow {flow!r}: {', '.join(row.id for row in rows)}",
                where=self.id,
                remedy="name a flow that only one of them has, or use a release with one of them",
            )
        return rows[0]


@dataclass(frozen=True, slots=True)
class Factor:
    """A row that a look-up chose, the release it stands in, the reason for the choice, and its GWP set."""

    row: FactorRow
    release: str
    reason: str
    gwp_set: str

    def document(self) -> dict[str, str | None]:
        """Return the factor as results carry it."""
        return {
            "row": self.row.id,
            "value": format(self.row.value, "f"),
            "unit": f"kg CO2{'e' if self.row.family.startswith('co2e') else ''}/{self.row.per}",
            "family": self.row.family,
            "gwp_set": self.gwp_set,
            "release": self.release,
            "reason": self.reason,
            "source": self.row.source,
        }


def release_ids() -> tuple[str, ...]:
    """Return the ids of the releases that ship with the package, sorted."""
    return tuple(sorted(path.name.removesuffix(".json") for path in _DATA.iterdir() if path.name.endswith(".json")))


def load_release(release_id: str) -> FactorRelease:
    """Return a release that ships with the package, by id; FactorError for an unknown one."""
    return FactorRelease.read(release_bytes(release_id))


def release_bytes(release_id: str) -> bytes:
    """Return the bytes of a release that ships with the package."""
    path = _DATA / f"{release_id}.json"
    if not release_id.replace("-", "").isalnum() or not path.is_file():
        raise FactorError(
            f"no factor release {release_id!r}", where="factor releases", remedy="name a release that exists"
        )
    return path.read_bytes()


def look_up(
    releases: Sequence[FactorRelease],
    flow: str,
    geography: str | None,
    family: str,
    *,
    year: int | None,
    where: str,
    proxies: Iterable[str] = (),
) -> Factor:
    """Return the factor for `flow` in `year`, as `FactorRelease.factor` finds it, of the first release that has one.

    A factor of a release named in `proxies` says so in its reason. Raises MissingFactorError where none fits (a missing factor is never
    zero), FactorFamilyError where all that would fit are of another family, and AmbiguousFactorError.
    """
    for release in releases:
        try:
            found = release.factor(flow, geography, family, year=year)
        except AmbiguousFactorError as error:
            raise AmbiguousFactorError(error.what, where=where, remedy=error.remedy) from None
        if found is not None:
            if release.id in proxies:
                return Factor(
                    found.row, found.release, f"{found.reason}; {release.id} stands in as proxy", found.gwp_set
                )
            return found
    named = ", ".join(release.id for release in releases)
    place = f" for {geography}" if geography else ""
    asked = f"no factor for flow {flow!r}{place} (family {family}) in {named}"
    if other := _other_families(releases, flow, geography, family):
        raise FactorFamilyError(
            f"{asked}; there is one of family {', '.join(other)}, which never stands in",
            where=where,
            remedy=f"add a factor of family {family}; the families measure different things and are never mixed",
        )
    places = {row.geography for release in releases for row in release.by_flow.get(flow, ()) if row.family == family}
    raise MissingFactorError(asked, where=where, remedy=missing_remedy(flow, places))


def missing_remedy(flow: str, places: Iterable[str], near: Iterable[str] = ()) -> str:
    """Return what to do about `flow` without a fitting factor: it has rows for `places` alone; flows with a like name are `near`."""
    if known := sorted(places):
        remedy = f"there are factors for {', '.join(known)} alone: use a factor release that has one for this place"
        return f"{remedy}, or state the supply as grid" if flow.startswith("electricity-") else remedy
    nearest = f"; the nearest are {', '.join(near)}" if near else ""
    if flow.startswith("freight-"):
        return f"state the leg's own factor (value, per, source), or name a flow that the release has{nearest}"
    return f"use a release that holds it, or name a flow that the release has{nearest}"


def _other_families(releases: Sequence[FactorRelease], flow: str, geography: str | None, family: str) -> list[str]:
    places = {place for place, _reason in _places(geography)}
    rows = (row for release in releases for row in release.by_flow.get(flow, ()))
    near = (row for row in rows if row.geography in places or row.elsewhere is not None)
    return sorted({row.family for row in near} - {family})


def _nearest(rows: Sequence[FactorRow], year: int | None) -> int:
    """The newest year that isn't after `year`, else the nearest after it."""
    years = {row.year for row in rows}
    if year is None:
        return max(years)
    return max((one for one in years if one <= year), default=min(years))


def _how_old(row: FactorRow, year: int | None) -> str:
    if year is None or row.year == year:
        return ""
    return f"; {'older' if row.year < year else 'later'} year: {row.year} for {year}"


def _places(geography: str | None) -> list[tuple[str, str]]:
    if geography is None:
        return [("GLO", "exact: the flow has one global row")]
    places = [(geography, f"exact: {geography}")]
    nation = nation_of(geography)
    if nation is not None and nation != geography:
        places.append((nation, f"nation {nation} for region {geography}"))
    return places
