"""The authorities' release: made from the table byte for byte, and each figure is the one that its authority printed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import get_args

import pytest

from bom_graph import FactorFamilyError, FactorRelease, MissingFactorError, dimension, look_up, release_bytes
from bom_graph.records import Fuel, Generation, Transport
from connectors.authorities import AuthoritiesError, factor_release

TABLE = Path(__file__).parents[2] / "examples" / "authorities" / "factors.csv"
RELEASE = FactorRelease.read(release_bytes("authorities-2026"))
LIFE_CYCLE, GENERATION = "co2e_life_cycle", "co2_generation"


def test_the_committed_release_is_made_from_the_table() -> None:
    assert factor_release(TABLE) == release_bytes("authorities-2026")


#: As the notices print them: flow, geography, family, year -> value. Typed by hand.
PRINTED = [
    *(
        ("electricity", place, GENERATION, year, value)
        for place, values in {
            "CN": ("0.5568", "0.5366", "0.5306"),
            "CN-GRID-NORTH": ("0.7120", "0.6776", "0.6361"),
            "CN-GRID-NORTHEAST": ("0.6012", "0.5564", "0.5122"),
            "CN-GRID-EAST": ("0.5992", "0.5617", "0.5500"),
            "CN-GRID-CENTRAL": ("0.5354", "0.5395", "0.5271"),
            "CN-GRID-NORTHWEST": ("0.5951", "0.5857", "0.5543"),
            "CN-GRID-SOUTH": ("0.4326", "0.3869", "0.4042"),
            "CN-GRID-SOUTHWEST": ("0.2113", "0.2268", "0.2472"),
        }.items()
        for year, value in zip((2021, 2022, 2023), values, strict=True)
    ),
    ("electricity-without-traded-non-fossil", "CN", GENERATION, 2021, "0.5942"),
    ("electricity-without-traded-non-fossil", "CN", GENERATION, 2022, "0.5856"),
    ("electricity-without-traded-non-fossil", "CN", GENERATION, 2023, "0.6096"),
    ("electricity-fossil", "CN", GENERATION, 2021, "0.8426"),
    ("electricity-fossil", "CN", GENERATION, 2022, "0.8325"),
    ("electricity-fossil", "CN", GENERATION, 2023, "0.8273"),
    *(
        (flow, "CN", LIFE_CYCLE, year, value)
        for flow, values in {
            "electricity": ("0.6205", "0.5777"),
            "electricity-coal": ("0.9440", "0.9240"),
            "electricity-gas": ("0.4792", "0.4503"),
            "electricity-hydro": ("0.0143", "0.0141"),
            "electricity-nuclear": ("0.0065", "0.0065"),
            "electricity-wind": ("0.0336", "0.0324"),
            "electricity-solar": ("0.0545", "0.0520"),
            "electricity-csp": ("0.0313", "0.0312"),
            "electricity-biomass": ("0.0457", "0.0404"),
            "electricity-transmission-without-losses": ("0.0036", "0.0046"),
        }.items()
        for year, value in zip((2023, 2024), values, strict=True)
    ),
    ("electricity-transmission", "CN", LIFE_CYCLE, 2024, "0.0327"),
    *(
        ("electricity", place, LIFE_CYCLE, year, value)
        for place, year, value in (
            ("AU", 2025, "0.52518"), ("CL", 2025, "0.28949"), ("DE", 2025, "0.32965"), ("FR", 2025, "0.04144"),
            ("HU", 2025, "0.16302"), ("ID", 2024, "0.68025"), ("JP", 2025, "0.47726"), ("KR", 2025, "0.41706"),
            ("US", 2025, "0.38440"), ("CD", 2024, "0.02764"), ("FI", 2025, "0.05747"), ("CA", 2025, "0.19072"),
            ("IN", 2025, "0.67013"), ("TR", 2025, "0.47474"),
        )
    ),
    ("freight-road", "GB", LIFE_CYCLE, 2025, "0.12522"),
    ("freight-truck", "GB", LIFE_CYCLE, 2025, "0.09502"),
    ("freight-rail", "GB", LIFE_CYCLE, 2025, "0.03470"),
    ("freight-sea", "GB", LIFE_CYCLE, 2025, "0.01977"),
    ("freight-air", "GB", LIFE_CYCLE, 2025, "0.66646"),
    ("natural-gas-volume", "GB", "co2e_combustion", 2024, "2.06318"),
    ("natural-gas", "GB", "co2e_combustion", 2024, "0.2044"),
    ("diesel", "GB", "co2e_combustion", 2024, "2.66155"),
    ("lpg", "GB", "co2e_combustion", 2024, "2.93936"),
    ("coal-industrial", "GB", "co2e_combustion", 2024, "2.39944"),
    ("heat-steam", "GB", "co2e_combustion", 2024, "0.17965"),
    ("natural-gas", "GLO", "co2_combustion", 2006, "56100"),
    ("lpg-energy", "GLO", "co2_combustion", 2006, "63100"),
    ("diesel-energy", "GLO", "co2_combustion", 2006, "74100"),
    ("coal-bituminous", "GLO", "co2_combustion", 2006, "94600"),
]  # fmt: skip


@pytest.mark.parametrize(("flow", "place", "family", "year", "value"), PRINTED)
def test_a_figure_is_the_authority_s(flow: str, place: str, family: str, year: int, value: str) -> None:
    (row,) = [row for row in RELEASE.by_flow[flow] if (row.geography, row.family, row.year) == (place, family, year)]
    assert row.value == Decimal(value)
    assert row.nature == "statistical"


def test_every_row_names_source_address_licence_and_gwp_set() -> None:
    assert len(RELEASE.rows) == 252
    for row in RELEASE.rows:
        assert row.source
        assert row.address
        assert row.licence
        assert row.boundary
        assert row.gwp_set
        assert "CPCD 中国产品" not in row.source


def test_the_average_counts_at_the_meter_and_types_of_generation_at_the_power_station() -> None:
    sides = {row.flow: row.side for row in RELEASE.rows if row.geography == "CN" and row.family == LIFE_CYCLE}
    assert sides.pop("electricity") == "meter"
    assert {side for flow, side in sides.items() if not flow.startswith("electricity-transmission")} == {"busbar"}
    assert {row.side for row in RELEASE.rows if row.flow == "electricity" and row.geography == "KR"} == {"busbar"}


def test_china_s_own_average_comes_before_a_foreign_estimate_of_it() -> None:
    found = look_up([RELEASE], "electricity", "CN", LIFE_CYCLE, year=2026, where="test")
    assert (str(found.row.value), found.reason) == ("0.5777", "exact: CN; older year: 2024 for 2026")
    assert not [row for row in RELEASE.rows if row.geography == "CN" and row.id.startswith(("ember", "owid"))]


def test_tibet_has_no_value_and_falls_back_with_its_reason() -> None:
    found = look_up([RELEASE], "electricity", "CN-XZ", GENERATION, year=2023, where="test")
    assert (str(found.row.value), found.reason) == ("0.5306", "nation CN for region CN-XZ")


def test_british_freight_elsewhere_is_a_marked_proxy() -> None:
    found = look_up([RELEASE], "freight-truck", "CN", LIFE_CYCLE, year=2025, where="test")
    assert found.reason.startswith("proxy: GB for CN: the British factor stands in")
    assert look_up([RELEASE], "freight-truck", "GB", LIFE_CYCLE, year=2025, where="test").reason == "exact: GB"


@pytest.mark.parametrize("generation", get_args(Generation))
def test_every_generation_that_statements_may_state_has_china_s_factor_and_no_other(generation: str) -> None:
    for year in (2023, 2024):
        found = look_up([RELEASE], f"electricity-{generation}", "CN", LIFE_CYCLE, year=year, where="test")
        assert (found.row.year, found.row.side) == (year, "busbar")
    with pytest.raises(MissingFactorError) as caught:
        look_up([RELEASE], f"electricity-{generation}", "US", LIFE_CYCLE, year=2024, where="test")
    assert caught.value.remedy == (
        "there are factors for CN alone: use a factor release that has one for this place, or state the supply as grid"
    )


#: Modes that the British table has nothing of; docs/formats/factor-release.md says so.
WITHOUT_FACTOR = {"inland_waterway"}


@pytest.mark.parametrize("mode", get_args(Transport.model_fields["mode"].annotation))
def test_every_mode_that_statements_may_state_has_a_factor_or_a_documented_lack(mode: str) -> None:
    if mode in WITHOUT_FACTOR:
        with pytest.raises(MissingFactorError) as caught:
            look_up([RELEASE], f"freight-{mode}", None, LIFE_CYCLE, year=2025, where="test")
        assert caught.value.remedy.startswith("state the leg's own factor (value, per, source)")
        page = Path(__file__).parents[2] / "docs" / "formats" / "factor-release.md"
        assert f"`{mode}`" in page.read_text("utf-8")
    else:
        assert look_up([RELEASE], f"freight-{mode}", None, LIFE_CYCLE, year=2025, where="test").row.per == "t.km"


def test_every_fuel_with_a_life_cycle_can_be_stated_in_its_factor_s_unit() -> None:
    fuels = {row.flow: row for row in RELEASE.rows if row.id.endswith("+upstream")}
    assert sorted(fuels) == [
        *("coal-industrial", "diesel", "fuel-oil", "heat-steam"),
        *("lpg", "lpg-volume", "natural-gas", "natural-gas-volume"),
    ]
    for flow, row in fuels.items():
        line = Fuel.model_validate({"id": "f", "flow": flow, "amount": "1", "unit": row.per, "obtained": "measured"})
        assert dimension(line.unit, where="test") == dimension(row.per, where="test")


def test_a_fuel_without_its_supply_is_no_life_cycle() -> None:
    with pytest.raises(FactorFamilyError, match="co2e_combustion"):
        look_up([RELEASE], "petrol", None, LIFE_CYCLE, year=2025, where="test")
    gas = look_up([RELEASE], "natural-gas", "GB", LIFE_CYCLE, year=2025, where="test")
    assert (str(gas.row.value), gas.row.source_value) == ("0.23787", "0.2044 + 0.03347 kgCO2e/kWh (Net CV)")
    lpg = look_up([RELEASE], "lpg", "GB", LIFE_CYCLE, year=2025, where="test")
    assert lpg.row.value == Decimal("2.93936") + Decimal("0.34929282")


BAD: dict[str, Callable[[str], str]] = {
    "no rows": lambda text: text.splitlines()[0] + "\n",
    "another column": lambda text: text.replace("gas_basis", "gases", 1),
    "a short line": lambda text: text + "x,y\n",
    "a ton of three kinds": lambda text: text.replace("kgCO2e/tonne.km", "kgCO2e/ton.km", 1),
    "a unit that isn't ours": lambda text: text.replace("kgCO2e/litre,", "kgCO2e/long ton,", 1),
    "tonnes that are emitted": lambda text: text.replace("kgCO2/kWh", "tCO2/kWh", 1),
    "a supply per another kind of unit": lambda text: text.replace("kgCO2e/litres", "kgCO2e/km"),
    "a value in words": lambda text: text.replace(",0.5568,", ",much,", 1),
    "a value that is not finite": lambda text: text.replace(",0.5568,", ",NaN,", 1),
    "an unknown nation": lambda text: text.replace(",KOR,", ",XYZ,", 1),
    "an unknown category": lambda text: text.replace("electricity_lifecycle", "heat", 1),
    "one id twice": lambda text: text + text.splitlines()[1] + "\n",
    "a means of transport without its supply": lambda text: text.replace("WTT- rail", "rail", 1),
}  # fmt: skip


@pytest.mark.parametrize("spoil", BAD.values(), ids=BAD.keys())
def test_a_spoilt_table_is_refused(tmp_path: Path, spoil: Callable[[str], str]) -> None:
    table = Path(shutil.copy(TABLE, tmp_path / "factors.csv"))
    table.write_text(spoil(table.read_text("utf-8")), "utf-8")
    with pytest.raises(AuthoritiesError):
        factor_release(table)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(AuthoritiesError, match=r"factors\.csv"):
        factor_release(tmp_path / "factors.csv")
