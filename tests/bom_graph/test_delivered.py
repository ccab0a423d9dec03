"""Denominators: the worked examples, and what can't be computed."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from bom_graph import BatteryModel, DeliveredEnergyError, delivered_energy, load_rule_set

CHINA = load_rule_set("cn-miit-551-trial").denominator
EUROPE = load_rule_set("eu-cfb-draft-2024-partial").denominator
RATED = load_rule_set("everbatt-2023-cradle-to-gate").denominator
# kg CO2e of the NMC622 and LFP packs with cells made in China.
NMC622, LFP = Decimal("7580.908010981"), Decimal("6430.81623283506")
Claims = dict[str, Any]


def per_kwh(kg: Decimal, kwh: Decimal) -> str:
    return f"{kg / kwh:.6f}"


def test_b_linear_fade_over_a_thousand_cycles(model: Claims) -> None:
    found = delivered_energy(BatteryModel.draft(model), CHINA)
    assert found.kwh == 90_000
    assert (per_kwh(NMC622, found.kwh), per_kwh(LFP, found.kwh)) == ("0.084232", "0.071454")
    assert found.formula == "rated energy 100 kWh x 900 equivalent full cycles (trapezoid over 2 points)"
    assert found.assumed == ()


def test_b2_three_points_in_any_order(model: Claims) -> None:
    model["cycle_points"] = [
        {"cycles": "1000", "retention": "0.80"},
        {"cycles": "0", "retention": "1.00"},
        {"cycles": "500", "retention": "0.95"},
    ]
    found = delivered_energy(BatteryModel.draft(model), CHINA)
    assert found.kwh == 92_500
    assert per_kwh(NMC622, found.kwh) == "0.081956"


def test_c_eight_years_of_sixty_cycles(model: Claims) -> None:
    found = delivered_energy(BatteryModel.draft(model), EUROPE)
    assert found.kwh == 44_160
    assert (per_kwh(NMC622, found.kwh), per_kwh(LFP, found.kwh)) == ("0.171669", "0.145625")
    assert found.formula == "usable energy 92 kWh x 60 full cycles a year (M1) x 8 years (warranty years)"
    assert "usable_energy" in found.assumed


def test_c2_kilometres_that_run_out_before_the_years(model: Claims) -> None:
    model["warranty"] |= {"km": "120000", "km_per_year": "20000"}
    found = delivered_energy(BatteryModel.draft(model), EUROPE)
    assert found.kwh == 33_120
    assert per_kwh(NMC622, found.kwh) == "0.228892"


def test_kilometres_a_year_are_the_rule_set_s_where_it_has_them(model: Claims) -> None:
    model["warranty"] |= {"km": "120000", "km_per_year": "1000"}
    found = delivered_energy(BatteryModel.draft(model), EUROPE)
    assert found.kwh == 33_120
    assert found.formula.endswith("x 6 years (120000 km at 20000 km a year, the rule set's)")


def test_a_discharge_energy_that_was_not_measured_is_not_called_so(model: Claims) -> None:
    model["cumulative_discharge_energy"] = {"amount": "91.5", "unit": "MWh", "obtained": "assumed"}
    found = delivered_energy(BatteryModel.draft(model), CHINA)
    assert found.formula == "assumed cumulative discharge energy 91500 kWh"


def test_kilometres_that_outlast_the_years_change_nothing(model: Claims) -> None:
    model["warranty"] |= {"km": "200000", "km_per_year": "20000"}
    assert delivered_energy(BatteryModel.draft(model), EUROPE).kwh == 44_160


def test_rated_energy_in_any_unit_of_energy(model: Claims) -> None:
    model["rated_energy"] |= {"amount": "360", "unit": "MJ", "obtained": "assumed"}
    found = delivered_energy(BatteryModel.draft(model), RATED)
    assert found.kwh == 100
    assert found.assumed == ("rated_energy",)


def test_a_measured_discharge_energy_of_the_pack_comes_first(model: Claims) -> None:
    model["cumulative_discharge_energy"] = {"amount": "91.5", "unit": "MWh", "obtained": "measured"}
    found = delivered_energy(BatteryModel.draft(model), CHINA)
    assert found.kwh == 91_500
    assert found.formula == "measured cumulative discharge energy 91500 kWh"


def without(name: str) -> Callable[[Claims], object]:
    return lambda claims: claims.pop(name)


CHINESE_DEFECTS: dict[str, tuple[Callable[[Claims], object], str]] = {
    "end-point retention only": (lambda claims: claims["cycle_points"].pop(0), "cycle_points"),
    "two points, none at the start": (lambda claims: claims["cycle_points"][0].update(cycles="100"), "cycle_points"),
    "two retentions of one cycle": (
        lambda claims: claims["cycle_points"].append({"cycles": "1000", "retention": "0.7"}),
        "cycle_points",
    ),
    "no points": (without("cycle_points"), "cycle_points"),
    "discharge energy of a cell": (
        lambda claims: claims.update(
            cumulative_discharge_energy={"amount": "250", "unit": "kWh", "obtained": "measured"},
            cycle_life={**claims["cycle_life"], "object": "cell"},
        ),
        "cumulative_discharge_energy",
    ),
}
EUROPEAN_DEFECTS: dict[str, tuple[Callable[[Claims], object], str]] = {
    "no warranty": (without("warranty"), "warranty"),
    "no usable energy": (without("usable_energy"), "usable_energy"),
    "no vehicle class": (without("vehicle"), "vehicle/class"),
    "kilometres without kilometres a year": (
        lambda claims: (claims["warranty"].update(km="120000"), claims["vehicle"].update({"class": "N1"})),
        "warranty/km_per_year",
    ),
}


@pytest.mark.parametrize(("change", "where"), CHINESE_DEFECTS.values(), ids=CHINESE_DEFECTS.keys())
def test_no_tested_energy_without_a_whole_test(model: Claims, change: Callable[[Claims], object], where: str) -> None:
    change(model)
    with pytest.raises(DeliveredEnergyError) as caught:
        delivered_energy(BatteryModel.draft(model), CHINA)
    assert caught.value.where == where


@pytest.mark.parametrize(("change", "where"), EUROPEAN_DEFECTS.values(), ids=EUROPEAN_DEFECTS.keys())
def test_no_service_life_without_its_inputs(model: Claims, change: Callable[[Claims], object], where: str) -> None:
    change(model)
    with pytest.raises(DeliveredEnergyError) as caught:
        delivered_energy(BatteryModel.draft(model), EUROPE)
    assert caught.value.where == where


@pytest.mark.parametrize("sealed", ["cumulative_discharge_energy", "cycle_points", "rated_energy"])
def test_a_sealed_input_is_no_absent_one(model: Claims, sealed: str) -> None:
    """A reader who can't see whether a discharge energy was measured must not fall back to retention."""
    shown = {name: value for name, value in model.items() if name != sealed}
    points = [{"id": str(n), **point} for n, point in enumerate(model["cycle_points"])]
    if "cycle_points" in shown:
        shown["cycle_points"] = points
    contents = {"claims": sorted({*model, sealed}), "lists": {"cycle_points": 2}}
    with pytest.raises(DeliveredEnergyError, match=r"sealed|disclosed"):
        delivered_energy(BatteryModel.read(shown, contents), CHINA)


def test_a_vehicle_class_that_the_rule_does_not_have(model: Claims) -> None:
    with pytest.raises(DeliveredEnergyError, match="M1"):
        delivered_energy(
            BatteryModel.draft(model), EUROPE.model_copy(update={"full_cycles_per_year": {"N1": Decimal(60)}})
        )
