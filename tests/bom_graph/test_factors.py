"""Factors: which row a look-up takes and why, and which releases can't be read."""

import hashlib
import json
from decimal import Decimal
from typing import Any

import pytest

from bom_graph import (
    AmbiguousFactorError,
    FactorError,
    FactorFamilyError,
    FactorRelease,
    load_release,
    look_up,
    release_bytes,
)

LIFE_CYCLE, GENERATION = "co2e_life_cycle", "co2_generation"


def row(flow: str, geography: str, value: str, **members: Any) -> dict[str, Any]:
    family = members.get("family", LIFE_CYCLE)
    return {
        "id": f"{flow}-{geography}-{members.get('year', 2022)}-{family}",
        "flow": flow,
        "name": flow,
        "geography": geography,
        "year": 2022,
        "value": value,
        "per": "kWh" if flow == "electricity" else "kg",
        "family": LIFE_CYCLE,
        "nature": "modelled",
        "source_value": value,
        "source_unit": "as stated",
        "source": "test",
        **members,
    }


def release_file(*rows: dict[str, Any], **members: Any) -> bytes:
    found = {
        "format": "urn:packtrace:factor-release-file:1",
        "id": "test",
        "version": "1",
        "title": "test",
        "citation": "test",
        "licence": "none",
        "gwp_set": "AR6",
        "boundary": "cradle to gate",
        "rows": list(rows),
        **members,
    }
    return json.dumps(found).encode()


def release(*rows: dict[str, Any], **members: Any) -> FactorRelease:
    return FactorRelease.read(release_file(*rows, **members))


GRIDS = release(
    row("electricity", "CN", "0.6"),
    row("electricity", "CN-EC", "0.5"),
    row("electricity", "CN", "0.55", family=GENERATION),
    row("copper", "GLO", "4"),
    row("graphite", "GLO", "9"),
    proxies=[{"flow": "carbon-black", "stands_in": "graphite", "reason": "no row of its own"}],
)
OTHER = release(row("electricity", "KR", "0.4"), row("copper", "GLO", "5"), row("carbon-black", "GLO", "3"), id="other")


@pytest.mark.parametrize(
    ("flow", "geography", "family", "value", "reason"),
    [
        ("copper", None, LIFE_CYCLE, "4", "exact: the flow has one global row"),
        ("electricity", "CN-EC", LIFE_CYCLE, "0.5", "exact: CN-EC"),
        ("electricity", "CN", LIFE_CYCLE, "0.6", "exact: CN"),
        ("electricity", "CN-NW", LIFE_CYCLE, "0.6", "nation CN for region CN-NW"),
        ("electricity", "CN", GENERATION, "0.55", "exact: CN"),
        ("electricity", "CN-EC", GENERATION, "0.55", "nation CN for region CN-EC"),
        ("carbon-black", None, LIFE_CYCLE, "9", "proxy: no row of its own"),
    ],
)
def test_a_look_up_takes_the_nearest_row_and_says_why(
    flow: str, geography: str | None, family: str, value: str, reason: str
) -> None:
    found = look_up([GRIDS], flow, geography, family, year=None, where="here")
    assert (found.row.value, found.reason, found.release) == (Decimal(value), reason, "test")


def test_the_first_release_that_has_the_flow_wins() -> None:
    assert look_up([GRIDS, OTHER], "copper", None, LIFE_CYCLE, year=None, where="here").release == "test"
    assert look_up([OTHER, GRIDS], "copper", None, LIFE_CYCLE, year=None, where="here").release == "other"
    assert look_up([GRIDS, OTHER], "electricity", "KR", LIFE_CYCLE, year=None, where="here").release == "other"


def test_the_newest_year_wins() -> None:
    years = release(row("copper", "GLO", "4", year=2020), row("copper", "GLO", "3", year=2024))
    assert look_up([years], "copper", None, LIFE_CYCLE, year=None, where="here").row.year == 2024


def test_a_flow_with_a_row_of_its_own_needs_no_proxy() -> None:
    both = release(
        row("graphite", "GLO", "9"),
        row("carbon-black", "GLO", "2"),
        proxies=[{"flow": "carbon-black", "stands_in": "graphite", "reason": "none"}],
    )
    found = look_up([both], "carbon-black", None, LIFE_CYCLE, year=None, where="here")
    assert found.row.flow == "carbon-black"
    assert found.reason.startswith("exact")


@pytest.mark.parametrize(
    ("flow", "geography", "family"),
    [
        ("nickel-sulfate", None, LIFE_CYCLE),
        ("copper", None, GENERATION),
        ("electricity", None, LIFE_CYCLE),
        ("electricity", "JP", LIFE_CYCLE),
        ("electricity", "JP-13", LIFE_CYCLE),
        # A global row doesn't stand in for a grid, nor one family for the other.
        ("copper", "CN", LIFE_CYCLE),
        ("electricity", "KR", GENERATION),
    ],
)
def test_a_missing_factor_is_an_error_that_names_flow_place_and_releases(
    flow: str, geography: str | None, family: str
) -> None:
    with pytest.raises(FactorError) as caught:
        look_up([GRIDS, OTHER], flow, geography, family, year=None, where="entry 7 inputs/a")
    assert caught.value.where == "entry 7 inputs/a"
    for named in (flow, geography or "", family, "test, other"):
        assert named in caught.value.what


UNREADABLE: dict[str, bytes] = {
    "empty": b"",
    "no JSON": b"{",
    "not UTF-8": b'{"id": "\xff"}',
    "a list": b"[]",
    "nested too deep": b"[" * 200_000,
    "no rows": release_file(),
    "another format": release_file(row("copper", "GLO", "4"), format="urn:packtrace:factor-release-file:2"),
    "an unknown member": release_file(row("copper", "GLO", "4"), reviewed=True),
    "a value as a number": release_file({**row("copper", "GLO", "4"), "value": 4.5}),
    "a value that is none": release_file(row("copper", "GLO", "four")),
    "an unknown unit": release_file(row("copper", "GLO", "4", per="tonne")),
    "an unknown family": release_file(row("copper", "GLO", "4", family="co2")),
    "the same row twice": release_file(row("copper", "GLO", "4"), row("copper", "GLO", "5")),
    "one id twice": release_file(
        row("copper", "GLO", "4"), {**row("lead", "GLO", "4"), "id": "copper-GLO-2022-co2e_life_cycle"}
    ),
    "a validity that ends before it begins": release_file(row("copper", "GLO", "4", valid_from=2024, valid_until=2023)),
    "a value below zero": release_file(row("copper", "GLO", "-5")),
    "a year that none is": release_file({**row("copper", "GLO", "4"), "year": 10**12}),
    "no geography": release_file(row("copper", "", "4")),
    "a formula that can't be read": release_file(row("copper", "GLO", "4", composition="Zz9((")),
    "an uncertainty that excludes the value": release_file(
        row("copper", "GLO", "4", uncertainty={"distribution": "uniform", "minimum": "100", "maximum": "200"})
    ),
    "a proxy for nothing": release_file(
        row("copper", "GLO", "4"), proxies=[{"flow": "brass", "stands_in": "bronze", "reason": "x"}]
    ),
    "a proxy for itself": release_file(
        row("copper", "GLO", "4"), proxies=[{"flow": "copper", "stands_in": "copper", "reason": "x"}]
    ),
    "two proxies of one flow": release_file(
        row("copper", "GLO", "4"), proxies=[{"flow": "brass", "stands_in": "copper", "reason": "x"}] * 2
    ),
    "larger than 16 MiB": b" " * (16 * 1024 * 1024 + 1),
}


@pytest.mark.parametrize("data", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_an_unreadable_release_is_refused(data: bytes) -> None:
    with pytest.raises(FactorError):
        FactorRelease.read(data)


def test_a_row_out_of_form_is_named() -> None:
    with pytest.raises(FactorError, match="copper-GLO-2022-co2e_life_cycle: formula 'Zz9' can't be read"):
        FactorRelease.read(release_file(row("copper", "GLO", "4", composition="Zz9")))


def test_the_digest_is_of_the_bytes() -> None:
    data = release_file(row("copper", "GLO", "4"))
    assert FactorRelease.read(data).digest == hashlib.sha256(data).hexdigest()
    assert FactorRelease.read(data + b"\n").digest == hashlib.sha256(data + b"\n").hexdigest()


def test_a_digest_stated_in_the_file_counts_for_nothing() -> None:
    data = release_file(row("copper", "GLO", "4"), digest="00")
    assert FactorRelease.read(data).digest == hashlib.sha256(data).hexdigest()


def test_the_release_that_ships_is_whole() -> None:
    shipped = load_release("everbatt-2023")
    assert shipped.digest == hashlib.sha256(release_bytes("everbatt-2023")).hexdigest()
    assert {found.nature for found in shipped.rows} == {"modelled"}
    assert all(found.source.startswith("EverBatt 2023, ") for found in shipped.rows)


@pytest.mark.parametrize("name", ["everbatt-2024", "", "../rules/cn-miit-551-trial", "everbatt-2023.json"])
def test_an_unknown_release_is_an_error(name: str) -> None:
    with pytest.raises(FactorError):
        load_release(name)


YEARS = release(
    row("electricity", "CN", "0.62", year=2023),
    row("electricity", "CN", "0.57", year=2024),
    row("copper", "GLO", "4", year=2024, valid_until=2025),
    row("freight", "GB", "0.1", elsewhere="nothing nearer is at hand"),
)


@pytest.mark.parametrize(
    ("year", "value", "reason"),
    [
        (2023, "0.62", "exact: CN"),
        (2024, "0.57", "exact: CN"),
        (2026, "0.57", "exact: CN; older year: 2024 for 2026"),
        (2020, "0.62", "exact: CN; later year: 2023 for 2020"),
        (None, "0.57", "exact: CN"),
    ],
)
def test_the_newest_year_that_is_not_after_the_activity_is_taken(year: int | None, value: str, reason: str) -> None:
    found = look_up([YEARS], "electricity", "CN", LIFE_CYCLE, year=year, where="here")
    assert (found.row.value, found.reason) == (Decimal(value), reason)


def test_a_row_out_of_its_validity_is_not_taken() -> None:
    assert look_up([YEARS], "copper", None, LIFE_CYCLE, year=2025, where="here").row.value == 4
    with pytest.raises(FactorError, match="copper"):
        look_up([YEARS], "copper", None, LIFE_CYCLE, year=2026, where="here")


def test_a_row_of_another_place_stands_in_only_as_a_marked_proxy() -> None:
    found = look_up([YEARS], "freight", "CN", LIFE_CYCLE, year=None, where="here")
    assert found.reason == "proxy: GB for CN: nothing nearer is at hand"


def test_a_release_of_proxies_says_so_in_the_reason() -> None:
    found = look_up([GRIDS], "copper", None, LIFE_CYCLE, year=None, where="here", proxies=("test",))
    assert found.reason == "exact: the flow has one global row; test stands in as proxy"


def test_two_rows_that_fit_equally_are_an_error_and_never_chosen_silently() -> None:
    both = release(
        {**row("electricity", "CN", "0.57"), "id": "at-meter", "side": "meter"},
        {**row("electricity", "CN", "0.54"), "id": "at-busbar", "side": "busbar"},
    )
    with pytest.raises(AmbiguousFactorError) as caught:
        look_up([both], "electricity", "CN", LIFE_CYCLE, year=2022, where="entry 7 electricity/a")
    assert caught.value.where == "entry 7 electricity/a"
    assert "at-meter" in caught.value.what
    assert "at-busbar" in caught.value.what


def test_the_other_family_never_stands_in_and_is_named() -> None:
    only = release(row("electricity", "CN-GRID-EAST", "0.5500", family=GENERATION))
    with pytest.raises(FactorFamilyError) as caught:
        look_up([only], "electricity", "CN-GRID-EAST", LIFE_CYCLE, year=2023, where="entry 7 electricity/a")
    assert caught.value.where == "entry 7 electricity/a"
    assert GENERATION in caught.value.what
    assert LIFE_CYCLE in caught.value.remedy


def test_the_gwp_set_is_the_row_s_else_the_release_s() -> None:
    mixed = release(
        row("a", "GLO", "1", gwp_set="AR5 GWP100"), row("b", "GLO", "1"), row("c", "GLO", "1", gwp_set="as printed"),
        gwp_set="AR6 GWP100, CH4 29.8",
    )  # fmt: skip
    assert [mixed.gwp_of(found) for found in mixed.rows] == ["AR5", "AR6", "unstated"]
