"""Emission factors: immutable releases and the look-up that says why a row was taken.

A release is a JSON file; its digest is SHA-256 over the file's bytes. A row states kg CO2e per unit of a flow, with geography, year,
family, GWP set, boundary and source. The two Chinese electricity families (CO2 only, generation; CO2e, life cycle) are different
values of `family` and never stand in for each other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from bom_graph.errors import FactorError, UnitError
from bom_graph.quantities import Amount, dimension
from bom_graph.wording import why_unreadable

MAX_RELEASE_BYTES = 16 * 1024 * 1024
LIFE_CYCLE: Final = "co2e_life_cycle"
_DATA = resources.files("bom_graph") / "data" / "factors"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FactorRow(_Frozen):
    """One emission factor: `value` kg CO2e per `per` (a unit) of `flow`."""

    id: str
    flow: str
    name: str
    geography: str
    year: int
    value: Amount
    per: str
    family: Literal["co2e_life_cycle", "co2_generation"]
    nature: Literal["measured", "modelled"]
    composition: str | None = None
    source_value: str
    source_unit: str
    source: str
    note: str | None = None


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
            release = cls.model_validate(json.loads(data))
            for row in release.rows:
                dimension(row.per, where=row.id)
        except (ValueError, RecursionError, UnitError) as error:
            raise FactorError(
                f"the factor release can't be read: {why_unreadable(error)}",
                where="release file",
                remedy="take the published file",
            ) from None
        keys = [(row.flow, row.geography, row.year, row.family) for row in release.rows]
        if len(set(keys)) != len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise FactorError(
                f"two rows fit equally for {twice}",
                where=release.id,
                remedy="publish a release with one of them",
            )
        return release.model_copy(update={"digest": hashlib.sha256(data).hexdigest()})

    @cached_property
    def by_flow(self) -> dict[str, tuple[FactorRow, ...]]:
        """Rows of each flow, newest year first."""
        found: dict[str, list[FactorRow]] = {}
        for row in sorted(self.rows, key=lambda row: -row.year):
            found.setdefault(row.flow, []).append(row)
        return {flow: tuple(rows) for flow, rows in found.items()}

    def factor(self, flow: str, geography: str | None, family: str) -> Factor | None:
        """Return this release's factor: the exact geography, else the region's nation; None where it has none.

        Without `geography` the flow's global row. A proxy counts only where the release has no row of the flow itself.
        """
        stand_in = None if flow in self.by_flow else next((p for p in self.proxies if p.flow == flow), None)
        rows = self.by_flow.get(stand_in.stands_in if stand_in else flow, ())
        for place, reason in _places(geography):
            for row in rows:
                if (row.family, row.geography) == (family, place):
                    why = f"proxy: {stand_in.reason}" if stand_in else reason
                    return Factor(row=row, release=self.id, reason=why)
        return None


@dataclass(frozen=True, slots=True)
class Factor:
    """A row that a look-up chose, the release it stands in and the reason for the choice."""

    row: FactorRow
    release: str
    reason: str


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


def look_up(releases: Sequence[FactorRelease], flow: str, geography: str | None, family: str, *, where: str) -> Factor:
    """Return the factor for `flow`, as `FactorRelease.factor` finds it, of the first release that has one.

    Raises FactorError where none fits: a missing factor is never zero.
    """
    for release in releases:
        if (found := release.factor(flow, geography, family)) is not None:
            return found
    named = ", ".join(release.id for release in releases)
    place = f" for {geography}" if geography else ""
    raise FactorError(
        f"no factor for flow {flow!r}{place} (family {family}) in {named}",
        where=where,
        remedy="add a release that holds it, or state a flow that the release knows",
    )


def _places(geography: str | None) -> list[tuple[str, str]]:
    if geography is None:
        return [("GLO", "exact: the flow has one global row")]
    places = [(geography, f"exact: {geography}")]
    nation = geography.partition("-")[0]
    if nation != geography:
        places.append((nation, f"nation {nation} for region {geography}"))
    return places
