"""The tables: strictly read, the committed factor release is made from them, and they say what their source says."""

import csv
import json
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from bom_graph import ActivityData, BatteryModel, BillOfMaterials, FactorRelease, Record, release_bytes
from connectors.everbatt import (
    CellPlant,
    Source,
    Tables,
    TablesError,
    battery_model,
    cathode_activity,
    cell_activity,
    cell_bill,
    factor_release,
    pack_activity,
    pack_bill,
    salt_activity,
)
from tests.connectors.supply_chain import FOLDER, SITE, tables

SOURCE = Path(__file__).parents[3] / "shared" / "data" / "everbatt"
PRODUCT = "https://maker.example/product"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the tables to spoil."""
    return Path(shutil.copytree(FOLDER, tmp_path / "everbatt"))


def test_the_committed_release_is_made_from_the_tables() -> None:
    assert factor_release(tables()) == release_bytes("everbatt-2023")


def test_each_factor_is_the_published_one_per_short_ton_of_907_185_kg() -> None:
    rows = {row.id: row for row in FactorRelease.read(factor_release(tables())).rows}
    assert len(rows) == len(tables().factors)
    for row in rows.values():
        published = float(row.source_value)
        if row.source_unit.startswith("g CO2e/short ton"):
            assert float(row.value) == pytest.approx(published / 1000 / 907.185, rel=1e-14)
        else:
            assert float(row.value) == published
    assert rows["electricity-us-ca"].per == "kWh"
    assert rows["natural-gas-boiler"].per == "MJ"


def test_the_claims_are_records() -> None:
    """Every claims function gives what its record reads, for every chemistry that has the figures."""
    plant = CellPlant("cells", "CN", "CN")
    for chemistry in ("NMC622", "NMC811", "LFP"):
        drafts: list[tuple[type[Record], dict[str, object]]] = [
            (ActivityData, cathode_activity(tables(), chemistry, PRODUCT, SITE, {})),
            (BillOfMaterials, cell_bill(tables(), chemistry, PRODUCT, Source())),
            (ActivityData, cell_activity(tables(), chemistry, PRODUCT, plant)),
            (BillOfMaterials, pack_bill(tables(), chemistry, PRODUCT, Source(f"{PRODUCT}/cell"))),
            (ActivityData, pack_activity(tables(), PRODUCT, SITE)),
            (BatteryModel, battery_model(tables(), chemistry, PRODUCT, model="M", plant=SITE, mass_kg="500")),
        ]
        assert all(record.draft(claims).is_whole for record, claims in drafts)
    salt = salt_activity(PRODUCT, "nickel-sulfate", "nickel sulfate", "NiSO4", SITE)
    assert ActivityData.draft(salt).is_whole


def test_a_supplied_salt_keeps_its_citation_and_the_others_their_flow() -> None:
    citation = {"origin": "log", "index": 1, "leaf_hash": "ab" * 32}
    suppliers = {"nickel-sulfate": Source("https://ni.example/salt", citation)}
    claims = cathode_activity(tables(), "NMC622", PRODUCT, SITE, suppliers)
    sources = {line["name"]: (line.get("product"), line.get("flow"), line.get("citation")) for line in claims["inputs"]}
    assert sources["nickel-sulfate"] == ("https://ni.example/salt", None, citation)
    assert sources["cobalt-sulfate"] == (None, "cobalt-sulfate", None)


def test_a_supplied_cathode_names_the_flow_that_its_footprint_is_compared_with() -> None:
    for source, flow, comparable in (
        (Source("https://lfp.example/x"), None, "cathode-lfp"),
        (Source(), "cathode-lfp", None),
    ):
        line = cell_bill(tables(), "LFP", PRODUCT, source)["components"][0]
        assert (line.get("flow"), line.get("comparable_flow")) == (flow, comparable)


# -- bad tables ------------------------------------------------------------------------------------------------------


def rewrite(name: str, old: str, new: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


BAD: dict[str, tuple[str, Callable[[Path], object]]] = {
    "a missing table": ("factors.csv", lambda folder: (folder / "factors.csv").unlink()),
    "an empty table": ("parameters.csv", lambda folder: (folder / "parameters.csv").write_text("")),
    "not UTF-8": ("factors.csv", lambda folder: (folder / "factors.csv").write_bytes(b"flow\n\xff\n")),
    "a missing column": ("bill_of_materials.csv", rewrite("bill_of_materials.csv", "NMC622", "NMC-622")),
    "a missing parameter": ("parameters.csv", rewrite("parameters.csv", "cell_yield", "yield")),
    "words for a number": ("parameters.csv", rewrite("parameters.csv", "907.185", "heavy")),
    "an infinite amount": ("cathode_recipes.csv", rewrite("cathode_recipes.csv", "0.844384", "Infinity")),
    "a factor that is no number": ("factors.csv", rewrite("factors.csv", "8266096.807827", "-")),
    "an empty cell": ("bill_of_materials.csv", rewrite("bill_of_materials.csv", "0.25,0.25,0.25", "0.25,,0.25")),
    "a cell too many": ("cathode_recipes.csv", rewrite("cathode_recipes.csv", "kg,NaOH", "kg,NaOH,x")),
    "a row cut short": ("cathode_recipes.csv", rewrite("cathode_recipes.csv", ",kg,NaOH", "")),
    "an open quote": ("factors.csv", rewrite("factors.csv", "Graphite", '"Graphite')),
}


@pytest.mark.parametrize(("file", "change"), BAD.values(), ids=BAD.keys())
def test_a_bad_table_is_an_error_that_names_the_file(folder: Path, file: str, change: Callable[[Path], object]) -> None:
    change(folder)
    with pytest.raises(TablesError, match=file):
        Tables.read(folder)


@pytest.mark.parametrize(
    ("unit", "said"),
    [
        ("g CO2e/ton", "'ton' is a short, a long or a metric ton"),
        ("CO2e/kg", "the unit 'CO2e/kg' is a ratio"),
        ("kWh CO2e/kg", "kWh is energy, kg is mass"),
        ("g CO2e/long ton", "'long ton' is no unit of packtrace"),
    ],
)
def test_a_factor_in_an_unclear_unit_is_refused(folder: Path, unit: str, said: str) -> None:
    rewrite("factors.csv", "g CO2e/short ton", unit)(folder)
    with pytest.raises(TablesError, match="row 'cathode-nmc622'") as caught:
        factor_release(Tables.read(folder))
    assert said in str(caught.value)


def test_a_factor_in_words_is_the_same_figure(folder: Path) -> None:
    rewrite("factors.csv", "g CO2e/short ton", "grams CO2e/Short-Tons")(folder)
    rows = json.loads(factor_release(Tables.read(folder)))["rows"]
    committed = json.loads(release_bytes("everbatt-2023"))["rows"]
    assert [(row["value"], row["per"]) for row in rows] == [(row["value"], row["per"]) for row in committed]
    assert rows[0]["source_unit"] == "grams CO2e/Short-Tons of 907.185 kg"


def test_a_recipe_in_other_words_is_the_same_recipe(folder: Path) -> None:
    rewrite("cathode_recipes.csv", "0.844384,kg", "844.384,grams")(folder)
    assert Tables.read(folder).recipes["NMC622"][0].unit == "g"
    rewrite("cathode_recipes.csv", "844.384,grams", "0.000844384,ton")(folder)
    with pytest.raises(TablesError, match=r"metric ton.*cathode_recipes\.csv, row 'sodium-hydroxide'"):
        Tables.read(folder)


def test_an_unknown_item_or_chemistry_is_refused() -> None:
    with pytest.raises(TablesError, match="LMO"):
        tables().amount("cell", "Copper", "LMO")


def test_the_release_of_other_figures_is_other_bytes(folder: Path) -> None:
    rewrite("factors.csv", "0.700094", "0.700095")(folder)
    changed = json.loads(factor_release(Tables.read(folder)))["rows"]
    committed = json.loads(release_bytes("everbatt-2023"))["rows"]
    assert [row["id"] for row, old in zip(changed, committed, strict=True) if row != old] == ["electricity-cn"]


# -- against the source, where it is at hand -------------------------------------------------------------------------

at_hand = pytest.mark.skipif(
    not SOURCE.is_dir(), reason=f"{SOURCE} is not at hand: the tables are NOT compared with their source"
)


#: Names of ours that differ from the source's.
SAME = {
    "Electricity at the outlet, U.S.": "electricity U.S. (per kWh at outlet)",
    "Electricity at the outlet, California": "electricity California (per kWh at outlet)",
    "Electricity at the outlet, China": "electricity China (per kWh at outlet)",
    "Electricity at the outlet, Korea": "electricity Korea (per kWh at outlet)",
    "Natural gas burned in an industrial boiler, upstream included": "natural gas burned, industrial boiler incl. upstream (per MJ)",
}


def source(name: str) -> list[dict[str, str]]:
    with (SOURCE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@at_hand
def test_every_bill_of_materials_figure_is_the_source_s() -> None:
    rows = {(row["level"], row["item"].partition(" (")[0]): row for row in source("bom.csv")}
    assert len(tables().bill) == 3 * len(rows)
    for (level, item, chemistry), amount in tables().bill.items():
        assert amount == Decimal(rows[level, item][chemistry]), (level, item, chemistry)


@at_hand
def test_every_recipe_figure_is_the_source_s() -> None:
    ours = [
        (
            cathode,
            line.flow.replace("-", " ").replace("natural gas boiler", "natural gas").lower(),
            line.amount,
            line.unit,
        )
        for cathode, lines in tables().recipes.items()
        for line in lines
    ]
    theirs = [
        (row["cathode"], row["input"].lower(), Decimal(row["amount_per_kg_cathode"]), row["unit"])
        for row in source("cathode_recipes.csv")
    ]
    assert sorted(ours) == sorted(theirs)


@at_hand
def test_every_factor_is_the_source_s() -> None:
    theirs = {row["material"]: row["g_CO2e_per_short_ton"] or row["kg_CO2e_per_kg"] for row in source("factors.csv")}
    ours = {row["name"]: row["source_value"] for row in tables().factors}
    # The pack sheet's own aluminium figure stands in the README of the source, not in its table.
    rebuilt = [name for name in ours if name.startswith("Aluminum as")]
    assert [ours.pop(name) for name in rebuilt] == ["5.905424"]
    for name in [name for name in ours if name not in theirs]:
        ours[SAME[name]] = ours.pop(name)
    assert ours == theirs


@at_hand
def test_every_total_is_the_source_s() -> None:
    columns = {
        "cell_kg_co2e_per_kwh": "cell_kgCO2e_per_kWh",
        "pack_kg_co2e_per_kwh": "pack_kgCO2e_per_kWh",
        "pack_mass_kg": "pack_mass_kg_100kWh",
    }
    theirs = {
        (row["chemistry"], row["electricity"].replace("U.S.", "US")): row for row in source("expected_totals.csv")
    }
    assert len(theirs) == len(tables().expected) == 8
    for row in tables().expected:
        for ours, name in columns.items():
            assert row[ours] == theirs[row["chemistry"], row["electricity"]][name]
