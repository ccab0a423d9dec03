"""Certificates against names that read alike: sites, registries and serials; and certificates of another country."""

from __future__ import annotations

import pytest

from bom_graph import Finding, TextError
from exchange.assembly import RefusedError, Result
from exchange.evidence import Entry
from tests.exchange.plant import (
    GRID,
    LFP,
    NMC,
    SITE,
    TRANSMISSION,
    WIND,
    made,
    plant,
    retirement,
    with_power,
)
from tests.exchange.three import MAKER, PACKER, World, line

HALF = (GRID + WIND + TRANSMISSION) / 2


@pytest.fixture
def world() -> World:
    return World()


def months(world: World, name: str, *, country: str = "CN") -> tuple[Entry, Result]:
    """4,000 MWh of NMC with as many certificates at plant 1, and 4,000 MWh of LFP at a site called `name`."""
    retired = retirement(world, "wind", 4000)
    claim = line("4000", "MWh", generation="wind", month="2026-01", citation=world.cite(retired), id="wind")
    grid = line("4000", "MWh", supply="grid", geography="CN", id="grid")
    other = plant(world, made(LFP, "1"), electricity=[grid], site={**SITE, "name": name, "country": country})
    plant(world, made(NMC, "1"), electricity=[grid], certificates=[claim])
    return other, with_power(world, NMC)


def of_certificates(result: Result, level: str) -> list[Finding]:
    return [one for one in result.findings if one.gate == "certificates" and one.level == level]


@pytest.mark.parametrize("name", ["plant 1", "PLANT-1", "\uff50lant 1", "plant\u00a01", "plant\u20111"])
def test_a_site_that_reads_the_same_bears_its_share(world: World, name: str) -> None:
    _, result = months(world, name)
    assert result.footprint.total == pytest.approx(4e6 * HALF, rel=1e-12)
    assert not of_certificates(result, "soft")


@pytest.mark.parametrize("name", ["plant\u200b 1", "\u0440lant 1"])
def test_a_site_that_only_seems_to_be_called_otherwise_is_refused(world: World, name: str) -> None:
    with pytest.raises(TextError) as caught:
        months(world, name)
    assert caught.value.where == "site/name"


@pytest.mark.parametrize("name", ["plant 1a", "plant 1 north", "plamt 1"])
def test_a_site_of_nearly_the_same_name_is_found(world: World, name: str) -> None:
    other, result = months(world, name)
    (finding,) = of_certificates(result, "soft")
    assert f"{name!r} of entry {other.index} is nearly 'plant 1'" in finding.what
    assert finding.where.endswith(" site")
    assert finding.remedy
    assert other.index in [one.index for one in result.inputs]


@pytest.mark.parametrize(("name", "country"), [("plant 2", "CN"), ("hall 7", "CN"), ("plant 1a", "US")])
def test_another_site_is_no_finding_and_the_note_says_which_name_counted(world: World, name: str, country: str) -> None:
    _, result = months(world, name, country=country)
    assert not of_certificates(result, "soft")
    (note,) = of_certificates(result, "note")
    assert "(sites named 'plant 1', no other)" in note.what


def test_another_organisation_s_site_of_that_name_is_noted(world: World) -> None:
    grid = line("4000", "MWh", supply="grid", geography="CN", id="grid")
    sister = world.activity(f"{PACKER}/cell", electricity=[grid], site={**SITE, "name": "Plant-1"})
    _, result = months(world, "hall 7")
    assert [one.what for one in of_certificates(result, "note") if f"{PACKER} has a site" in one.what]
    assert sister.index in [one.index for one in result.inputs]


@pytest.mark.parametrize(
    "changes", [{"registry": "gec"}, {"registry": "G.E.C."}, {"first": "WIND-00001", "last": "WIND-04000"}]
)
def test_one_certificate_counts_once_however_it_is_written(world: World, changes: dict[str, str]) -> None:
    serials = {"first": "wind-00001", "last": "wind-04000"}
    again = retirement(
        world,
        "wind",
        4000,
        name="b",
        registry=changes.get("registry", "GEC"),
        serials=[{**serials, **{k: v for k, v in changes.items() if k in serials}}],
    )
    with pytest.raises(RefusedError) as caught:
        months(world, "hall 7")
    (finding,) = caught.value.findings
    assert (finding.gate, finding.level) == ("certificates", "hard")
    assert f"and {again.index} retire the same certificates" in finding.what
    assert MAKER in finding.where


def claimed(world: World, region: str, country: str = "CN") -> Result:
    """4,000 MWh at a site in `country`, all of it on certificates of `region`."""
    site = {**SITE, "country": country}
    retired = retirement(world, "wind", 4000, region=region, site=site)
    claim = line("4000", "MWh", generation="wind", month="2026-01", citation=world.cite(retired), id="wind")
    grid = line("4000", "MWh", supply="grid", geography="CN", id="grid")
    plant(world, made(NMC, "1"), electricity=[grid], certificates=[claim], site=site)
    return with_power(world, NMC)


@pytest.mark.parametrize(("region", "country"), [("BR", "CN"), ("NO", "CN"), ("CN-NM", "DE")])
def test_certificates_of_another_market_are_not_counted(world: World, region: str, country: str) -> None:
    result = claimed(world, region, country)
    assert result.footprint.total == pytest.approx(4e6 * GRID, rel=1e-12)
    (finding,) = of_certificates(result, "soft")
    assert f"of {region}, the site is in {country}: they are not counted" in finding.what


@pytest.mark.parametrize(("region", "country"), [("CN", "CN"), ("CN-NM", "CN"), ("NO", "DE")])
def test_certificates_of_the_site_s_market_are(world: World, region: str, country: str) -> None:
    result = claimed(world, region, country)
    assert result.footprint.total == pytest.approx(4e6 * (WIND + TRANSMISSION), rel=1e-12)
    assert not of_certificates(result, "soft")


def test_a_region_in_words_is_said_to_be_unchecked(world: World) -> None:
    (finding,) = of_certificates(claimed(world, "Inner Mongolia"), "soft")
    assert "isn't checked" in finding.what
