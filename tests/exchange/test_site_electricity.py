"""Electricity by supply, and the certificates of a site and month."""

from __future__ import annotations

from typing import Any

import pytest

from bom_graph import RuleSet
from exchange.assembly import RefusedError, compute
from exchange.kinds import ACTIVITY_DATA, load_policy
from exchange.report import document
from tests.exchange.plant import (
    GRID,
    JANUARY,
    LFP,
    NMC,
    PV,
    SITE,
    TRANSMISSION,
    WIND,
    found,
    made,
    plant,
    power_release,
    refusing,
    retirement,
    site_month,
    with_power,
)
from tests.exchange.three import (
    CELL,
    CHINA,
    EUROPE,
    EVERBATT,
    PACKER,
    World,
    line,
    of,
)

Claims = dict[str, Any]


@pytest.fixture
def world() -> World:
    return World()


def test_worked_example_d(world: World) -> None:
    site_month(world, ("wind", "4000"))
    result = with_power(world, CELL)
    assert result.footprint.total / 1000 == pytest.approx(3200.9, rel=1e-12)
    assert result.footprint.total == pytest.approx(
        1000 * (5000 * GRID + 4000 * (WIND + TRANSMISSION) + 1000 * PV), rel=1e-12
    )
    parts = {part["factor"]["row"]: part for part in document(result)["contributions"]}
    assert parts["electricity-wind"]["certified"] == "electricity-wind"
    assert float(parts["electricity-wind"]["counted_percent"]) == pytest.approx(400 / 9)
    assert parts["electricity-solar"]["amount"] == "1000"


def test_worked_example_d_without_certificates(world: World) -> None:
    site_month(world)
    assert with_power(world, CELL).footprint.total / 1000 == pytest.approx(5251.3, rel=1e-12)


def test_worked_example_d_by_the_releases_that_ship(world: World) -> None:
    site_month(world, ("wind", "4000"))
    shown = document(world.compute(CELL, CHINA))
    assert float(shown["total"]["value"]) / 1000 == pytest.approx(3200.9, rel=1e-12)
    assert {part["factor"]["release"] for part in shown["contributions"]} == {"authorities-2026"}
    bare = World()
    site_month(bare)
    assert bare.compute(CELL, CHINA).footprint.total / 1000 == pytest.approx(5251.3, rel=1e-12)
    above = World()
    site_month(above, ("wind", "9500"))
    with pytest.raises(RefusedError, match="500 MWh above grid purchases"):
        above.compute(CELL, CHINA)


def test_a_generation_without_a_factor_of_its_place_says_which_places_have_one(world: World) -> None:
    plant(
        world, made(CELL, "1"), electricity=[line("1", "MWh", supply="direct_line", geography="US", generation="wind")]
    )
    with pytest.raises(RefusedError) as caught:
        world.compute(CELL, CHINA)
    (finding,) = caught.value.findings
    assert (finding.gate, finding.level) == ("missing_factor", "hard")
    assert "there are factors for CN alone" in finding.remedy
    assert "state the supply as grid" in finding.remedy


@pytest.mark.parametrize(
    ("flow", "amount", "unit", "kg"),
    [
        ("diesel", "1", "m3", 3272.56),
        ("fuel-oil", "10", "L", 38.7032),
        ("lpg", "1", "t", 3288.65282),
        ("coal-industrial", "2", "kg", 5.63517928),
        ("natural-gas-volume", "1", "m3", 2.39978),
        ("natural-gas", "1", "MWh", 237.87),
    ],
)
def test_a_fuel_is_stated_in_the_unit_of_its_factor(world: World, flow: str, amount: str, unit: str, kg: float) -> None:
    plant(world, made(CELL, "1"), fuels=[line(amount, unit, flow=flow)])
    assert world.compute(CELL, CHINA).footprint.total == pytest.approx(kg, rel=1e-12)


def test_a_fuel_in_another_dimension_than_its_factor_is_refused(world: World) -> None:
    plant(world, made(CELL, "1"), fuels=[line("1", "kWh", flow="diesel", id="f")])
    with pytest.raises(RefusedError) as caught:
        world.compute(CELL, CHINA)
    (finding,) = caught.value.findings
    assert (finding.gate, finding.level) == ("units", "hard")
    assert finding.where.endswith("fuels/f")
    assert finding.remedy == "state the amount in a unit of volume"


@pytest.mark.parametrize("rule_set", [EUROPE, EVERBATT], ids=["rejected", "not covered"])
def test_claimed_certificates_that_a_rule_set_does_not_count_are_noted(world: World, rule_set: RuleSet) -> None:
    entry = site_month(world, ("wind", "4000"))
    result = with_power(world, CELL, rule_set)
    assert result.footprint.total / 1000 == pytest.approx(5251.3, rel=1e-12)
    (note,) = found(result, "certificates")
    assert (note.level, note.where) == ("note", f"{CELL} (entry {entry.index}) certificates/wind")
    assert "those claimed are not counted" in note.what


def test_worked_example_d2_certificates_above_grid_purchases(world: World) -> None:
    entry = site_month(world, ("wind", "9500"))
    finding = refusing(world, CELL)
    assert (finding.gate, finding.where) == ("certificates", f"{CELL} (entry {entry.index}) certificates/wind")
    assert "500 MWh above grid purchases of 9000 MWh (consumption less on-site less direct line)" in finding.what


def test_certificates_beyond_consumption(world: World) -> None:
    site_month(world, ("wind", "6000"), ("hydro", "5000"))
    assert "2000 MWh above" in refusing(world, CELL).what


def test_a_direct_line_carries_its_generation_alone(world: World) -> None:
    direct = line("10", "kWh", supply="direct_line", geography="CN", generation="wind")
    plant(world, made(CELL, "1"), electricity=[direct])
    assert with_power(world, CELL, EUROPE).footprint.total == pytest.approx(10 * WIND, rel=1e-12)


def test_certificates_are_spread_over_the_statements_of_a_site_and_month(world: World) -> None:
    """They can't go into one product's statement and the grid's power into another's."""
    site_month(world, product=LFP, grid="2000", pv="0")
    site_month(world, ("wind", "4000"), product=NMC, grid="6000", pv="0")
    half = (GRID + WIND + TRANSMISSION) / 2
    for product, mwh in ((LFP, 2000), (NMC, 6000)):
        result = with_power(world, product)
        assert result.footprint.total == pytest.approx(1000 * mwh * half, rel=1e-12)
        evidence = type(world.evidence())(result.origin, result.snapshot, result.inputs)
        again = compute(evidence, result.demand, CHINA, [power_release()], load_policy())
        assert again == result


def test_a_rule_set_may_let_certificates_be_assigned(world: World) -> None:
    allowing = CHINA.model_copy(update={"electricity": CHINA.electricity.model_copy(update={"assignment": True})})
    retired = retirement(world, "wind", 10)
    claim = line("10", "MWh", generation="wind", month="2026-01", citation=world.cite(retired), for_outputs=[LFP])
    meters = [line("10", "MWh", supply="grid", geography="CN", for_outputs=[product]) for product in (LFP, NMC)]
    plant(world, made(LFP, "1"), made(NMC, "1"), electricity=meters, certificates=[claim])
    green, half = WIND + TRANSMISSION, (GRID + WIND + TRANSMISSION) / 2
    totals = [with_power(world, product, allowing).footprint.total / 1e4 for product in (LFP, NMC)]
    assert totals == pytest.approx([green, GRID], rel=1e-12)
    assert with_power(world, NMC).footprint.total / 1e4 == pytest.approx(half, rel=1e-12)


def test_certificates_whose_retirement_is_not_shown_are_not_counted(world: World) -> None:
    entry = site_month(world, ("wind", "4000"))
    hidden = with_power(world, CELL, sealed={entry.index - 1: ()})
    claim = line("4000", "MWh", generation="wind", month="2026-01", id="wind")
    plant(world, made(LFP, "1"), electricity=[line("9000", "MWh", supply="grid", geography="CN")], certificates=[claim],
          site={**SITE, "name": "plant 2"})  # fmt: skip
    for result, total in ((hidden, 5251.3), (with_power(world, LFP), 9000 * GRID)):
        assert result.footprint.total / 1000 == pytest.approx(total, rel=1e-12)
        (finding,) = found(result, "certificates")
        assert (finding.level, finding.refuses) == ("soft", False)
        assert finding.where.endswith("certificates/wind")
        assert "not counted" in finding.what


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"month": "2026-02"}, "month 2026-01, retired for 2026-02"),
        ({"site": {**SITE, "name": "plant 9"}}, "site plant 1, retired for plant 9"),
        ({"generation": "solar"}, "generation wind, retired for solar"),
    ],
    ids=["another month", "another site", "another generation"],
)
def test_certificates_retired_for_something_else_are_refused(world: World, changes: Claims, what: str) -> None:
    retired = retirement(world, **{"generation": "wind", "mwh": 10, **changes})
    claim = line("10", "MWh", generation="wind", month="2026-01", citation=world.cite(retired))
    meter = line("10", "MWh", supply="grid", geography="CN")
    plant(world, made(CELL, "1"), electricity=[meter], certificates=[claim])
    finding = refusing(world, CELL)
    assert finding.gate == "certificates"
    assert what in finding.what


def test_certificates_claimed_beyond_what_was_retired(world: World) -> None:
    retired = retirement(world, "wind", 10)
    meter = line("100", "MWh", supply="grid", geography="CN")
    for product in (LFP, NMC):
        claim = line("6", "MWh", generation="wind", month="2026-01", citation=world.cite(retired))
        plant(world, made(product, "1"), electricity=[meter], certificates=[claim])
    finding = refusing(world, LFP)
    assert finding.gate == "certificates"
    assert "2 MWh more are claimed than" in finding.what


def test_one_certificate_counts_once(world: World) -> None:
    """A second retirement, of another name, holds some of the same serials."""
    site_month(world, ("wind", "4000"))
    again = retirement(world, "wind", 1, name="b", serials=[{"first": "wind-04000"}])
    finding = refusing(world, CELL)
    assert finding.gate == "certificates"
    assert f"and {again.index} retire the same certificates of GEC" in finding.what


def test_a_retirement_under_its_own_name_corrects_itself(world: World) -> None:
    entry = site_month(world, ("wind", "4000"))
    again = retirement(world, "wind", 4000)
    result = with_power(world, CELL)
    assert result.footprint.total / 1000 == pytest.approx(3200.9, rel=1e-12)
    assert [one.index for one in result.inputs] == [entry.index - 1, entry.index, again.index]
    fewer = retirement(world, "wind", 3999)
    assert f"1 MWh more are claimed than entry {fewer.index} retired" in refusing(world, CELL).what


def test_a_month_s_certificates_do_not_cover_a_year(world: World) -> None:
    entry = site_month(world, ("wind", "9000"), period={"start": "2026-01-01", "end": "2026-12-31"})
    finding = refusing(world, CELL)
    assert (finding.gate, finding.where) == ("certificates", f"{CELL} (entry {entry.index}) certificates/wind")
    assert "what of it was taken in that month isn't stated" in finding.what


def test_a_restated_month_is_no_second_month_of_purchases(world: World) -> None:
    """4,000 MWh of certificates against 3,000 of grid power, which an older statement of other days says once more."""
    older = {"start": "2026-01-01", "end": "2026-01-30"}
    plant(world, made(CELL, "1"), period=older, electricity=[line("3000", "MWh", supply="grid", geography="CN")])
    site_month(world, ("wind", "4000"), grid="3000", pv="0")
    assert "1000 MWh above grid purchases of 3000 MWh" in refusing(world, CELL).what


def test_a_site_by_another_spelling_is_the_same_site(world: World) -> None:
    site_month(world, product=LFP, grid="2000", pv="0", site={**SITE, "name": " Plant  1 "})
    site_month(world, ("wind", "4000"), product=NMC, grid="6000", pv="0")
    half = (GRID + WIND + TRANSMISSION) / 2
    assert with_power(world, NMC).footprint.total == pytest.approx(6e6 * half, rel=1e-12)


def test_which_statements_certificates_are_spread_over_is_said(world: World) -> None:
    other = site_month(world, product=LFP, grid="2000", pv="0")
    entry = site_month(world, ("wind", "4000"), product=NMC, grid="6000", pv="0")
    (note,) = found(with_power(world, NMC), "certificates")
    assert (note.level, note.where) == ("note", f"{NMC} (entry {entry.index})")
    assert note.what.endswith(f"in 2 statements at hand (entries {other.index}, {entry.index})")
    result = with_power(world, NMC, sealed={other.index: ()})
    (note,) = found(result, "certificates")
    assert f"in 1 statement at hand (entries {entry.index}); entry {other.index} isn't wholly disclosed" in note.what
    assert other.index in [one.index for one in result.inputs]


@pytest.mark.parametrize(("certified", "total"), [(False, 23.644018), (True, 20.055818)])
def test_worked_example_g(world: World, certified: bool, total: float) -> None:
    """A cathode of 19.600118 kg and 7 kWh a kilogram, on the grid, and on wind certificates with transmission."""
    rest = line("19.600118", "kg", "calculated", gas="CO2", origin="fossil")
    claims = []
    if certified:
        retired = retirement(world, "wind", 1)
        claims = [line("7", "kWh", generation="wind", month="2026-01", citation=world.cite(retired))]
    meter = line("7", "kWh", supply="grid", geography="CN")
    activity = plant(world, made(CELL, "1"), electricity=[meter], certificates=claims, direct_emissions=[rest])
    computed = with_power(world, CELL)
    assert computed.footprint.total == pytest.approx(total, abs=1e-9)
    # Signed under China's rules, it enters a result under them, and is a gap under rules that reject certificates.
    stages = [{"stage": "manufacturing", "kg_co2e": str(total)}]
    world.footprint(CELL, CHINA, total=str(total), stages=stages)
    world.state(
        PACKER,
        ACTIVITY_DATA,
        {
            "sub": f"{PACKER}/module",
            "process_class": "material_production",
            "period": JANUARY,
            "outputs": [made(f"{PACKER}/module", "1")],
            "inputs": [of(CELL, "1")],
            "electricity": [line("1", "kWh", supply="grid", geography="CN")],
        },
    )
    hidden: dict[int, tuple[str, ...]] = {activity.index: ()}
    taken = with_power(world, f"{PACKER}/module", sealed=hidden)
    assert taken.footprint.total == pytest.approx(total + GRID, rel=1e-12)
    refused = with_power(world, f"{PACKER}/module", EUROPE, sealed=hidden)
    assert refused.footprint.total == pytest.approx(GRID, rel=1e-12)
    (gap,) = refused.gaps
    assert gap.what == f"nothing is known of {CELL} under this rule set"
