"""Branches that are known by a signed footprint alone, and packs without a battery model."""

from __future__ import annotations

import pytest

from bom_graph import SEALED_STAGE, ActivityData, BillOfMaterials
from exchange.assembly import BATTERY_MODEL_GAP, RefusedError, compute
from exchange.kinds import load_policy
from exchange.report import document, heading, lines_of_text
from tests.exchange.three import (
    CELL,
    CHINA,
    COPPER,
    EVERBATT,
    MAKER,
    PACK,
    REFINER,
    RELEASE,
    SALT,
    Claims,
    World,
    copper,
    line,
    of,
)


@pytest.fixture
def world() -> World:
    return World()


# -- sealed branches -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"id": CHINA.id, "version": CHINA.version, "digest": CHINA.digest},
        {"version": "2025-01-01"},
        {"digest": "00" * 32},
    ],
    ids=["another rule set", "another version", "another digest"],
)
def test_a_footprint_of_another_rule_set_is_a_gap(world: World, change: Claims) -> None:
    world.footprint(SALT, EVERBATT.model_copy(update=change))
    world.activity(CELL, of(SALT, "3"), copper("1"))
    result = world.compute(CELL)
    assert [gap.what for gap in result.gaps] == [f"nothing is known of {SALT} under this rule set"]
    assert not result.complete


def test_of_a_total_alone_the_split_is_sealed(world: World) -> None:
    signed = world.footprint(SALT)
    world.activity(CELL, of(SALT, "3"), copper("1"))
    paths = ("sub", "contents", "rule_set", "declared_unit", "total", "complete", "obtained")
    result = world.compute(CELL, sealed={signed.index: paths})
    assert result.footprint.stages == pytest.approx({SEALED_STAGE: 30, "material_acquisition": COPPER})


@pytest.mark.parametrize("missing", ["rule_set", "declared_unit", "total"])
def test_a_footprint_without_what_arithmetic_needs_is_a_gap(world: World, missing: str) -> None:
    signed = world.footprint(SALT)
    world.activity(CELL, of(SALT, "3"), copper("1"))
    paths = {"sub", "contents", "rule_set", "declared_unit", "total", "complete", "obtained"} - {missing}
    result = world.compute(CELL, sealed={signed.index: tuple(paths)})
    assert len(result.gaps) == 1
    assert result.footprint.total == pytest.approx(COPPER)


def test_a_footprint_per_other_declared_unit(world: World) -> None:
    world.footprint(SALT, declared_unit=line("0.5", "t"))
    world.activity(CELL, of(SALT, "3000", "g"))
    assert world.compute(CELL).footprint.total == pytest.approx(0.06, rel=1e-12)


@pytest.mark.parametrize(
    ("footprint", "taken", "gate"),
    [
        ({"stages": [{"stage": "use", "kg_co2e": "10"}]}, of(SALT, "3"), "stages"),
        ({}, of(SALT, "3", "piece"), "units"),
        ({"composition": {"formula": "NiSO4"}}, of(SALT, "3", composition={"formula": "CoSO4"}), "composition"),
    ],
    ids=["a stage that the rule set lacks", "another dimension", "another composition"],
)
def test_a_signed_footprint_that_does_not_fit_is_a_gap_with_a_hard_finding(
    world: World, footprint: Claims, taken: Claims, gate: str
) -> None:
    world.footprint(SALT, **footprint)
    world.activity(CELL, taken, copper("1"))
    result = world.compute(CELL)
    (finding,) = [one for one in result.findings if one.gate == gate]
    assert (finding.level, finding.refuses) == ("hard", False)
    assert [gap.what for gap in result.gaps] == [f"the signed footprint of {SALT} can't be used here"]
    assert result.footprint.stages == pytest.approx({"material_acquisition": COPPER}), "manufacturing is no zero"


def test_a_demanded_footprint_that_does_not_fit_is_refused(world: World) -> None:
    world.footprint(SALT, stages=[{"stage": "use", "kg_co2e": "10"}])
    with pytest.raises(RefusedError, match=r"stages that rule set .* doesn't have: use"):
        world.compute(SALT)


def test_a_footprint_that_fits_one_line_counts_for_that_line(world: World) -> None:
    world.footprint(SALT)
    world.activity(CELL, of(SALT, "3", "piece"), of(SALT, "2"))
    result = world.compute(CELL)
    assert result.footprint.total == pytest.approx(20)
    assert len(result.gaps) == 1


def test_findings_that_the_supplier_passed_on_are_shown(world: World) -> None:
    passed_on = {"gate": "element_balance", "level": "hard", "what": "Li 176.8 %"}
    signed = world.footprint(SALT, findings=[passed_on])
    world.activity(CELL, of(SALT, "3"))
    (finding,) = world.compute(CELL).findings
    assert (finding.gate, finding.level, finding.refuses) == ("element_balance", "hard", False)
    assert finding.what == f"{REFINER} says of its footprint: Li 176.8 %"
    assert f"entry {signed.index}" in finding.where


def test_findings_that_the_supplier_keeps_to_itself_are_missed(world: World) -> None:
    passed_on = {"gate": "element_balance", "level": "hard", "what": "Li 176.8 %"}
    signed = world.footprint(SALT, findings=[passed_on])
    world.activity(CELL, of(SALT, "3"))
    shown = ("sub", "contents", "rule_set", "declared_unit", "total", "stages", "complete", "obtained")
    (finding,) = world.compute(CELL, sealed={signed.index: shown}).findings
    assert (finding.gate, finding.level) == ("sealed_findings", "soft")


@pytest.mark.parametrize("stated", [False, None], ids=["partial", "not shown"])
def test_a_gap_of_the_supplier_s_own_travels_with_its_footprint(world: World, stated: bool | None) -> None:
    signed = world.footprint(SALT, complete=stated is None)
    world.activity(CELL, of(SALT, "3"))
    shown = ("sub", "contents", "rule_set", "declared_unit", "total", "obtained")
    result = world.compute(CELL, sealed={signed.index: shown if stated is None else ("full",)})
    assert [gap.where for gap in result.gaps] == [SALT]
    assert not result.complete
    assert result.footprint.total == pytest.approx(30)


def test_what_a_sealed_footprint_declares_to_be_primary_is_not_the_pack_s(world: World) -> None:
    world.footprint(SALT, primary_data_share="100", obtained="measured")
    world.pack(of(SALT, "3"))
    result = world.compute(PACK)
    assert result.footprint.total == 30
    assert (result.footprint.activity_primary_share, result.footprint.factor_primary_share) == (0, 0)
    found = document(result)
    assert found["obtained_percent"] == {"declared measured": "100"}
    assert found["sealed"][0]["declared_primary_percent"] == "100"


#: Total per kilogram, formula that it is stated for, what the finding says; None: there is none. The background's nickel sulphate has
#: 7.57, all its materials have 0.372 to 27.0.
SEALED_TOTALS = {
    "zero": ("0", None, "zero"),
    "a credit": ("-1", None, "below zero is stated, -1 kg CO2e/kg"),
    "huge": ("1E+9", None, "background data of materials has 0.372 to 27.03"),
    "tiny": ("0.01", None, "background data of materials has 0.372 to 27.03"),
    "as others": ("20", None, None),
    "less than its material": ("1", "NiSO4", "background data of comparable material has 7.569"),
    "more than its material": ("40", "NiSO4", "background data of comparable material has 7.569"),
    "as its material": ("5", "NiSO4", None),
    "of a material that nobody knows": ("1", "LiFePO4", None),
}


@pytest.mark.parametrize("who", ["maker", "consumer"])
@pytest.mark.parametrize("case", SEALED_TOTALS)
def test_an_odd_sealed_total_is_a_finding(world: World, case: str, who: str) -> None:
    """Whoever states the formula: a supplier that leaves it out is held to its customer's."""
    total, formula, said = SEALED_TOTALS[case]
    stated: Claims = {} if formula is None else {"composition": {"formula": formula}}
    of_maker, of_consumer = (stated, {}) if who == "maker" else ({}, stated)
    stages = [{"stage": "material_acquisition", "kg_co2e": total}]
    signed = world.footprint(SALT, total=total, stages=stages, **of_maker)
    world.activity(CELL, of(SALT, "1", **of_consumer))
    findings = [found for found in world.compute(CELL).findings if found.gate == "sealed_total"]
    level = "hard" if case in ("zero", "a credit", "huge", "tiny") else "soft"
    assert [(found.level, found.refuses) for found in findings] == [(level, False) for _ in range(said is not None)]
    assert all(str(said) in found.what and f"entry {signed.index}" in found.where for found in findings)


@pytest.mark.parametrize(("total", "is_odd"), [("1.8", True), ("9.4", False), ("48", True)])
def test_a_consumer_names_the_flow_that_a_sealed_total_is_compared_with(world: World, total: str, is_odd: bool) -> None:
    """The background's LFP has 9.45 kg CO2e/kg, and no formula."""
    world.footprint(SALT, total=total, stages=[{"stage": "material_acquisition", "kg_co2e": total}])
    world.activity(CELL, of(SALT, "1", comparable_flow="cathode-lfp"))
    findings = world.compute(CELL).findings
    assert ["comparable material has 9.446" in found.what for found in findings] == [True] * is_odd


def test_a_supplier_does_not_choose_what_its_total_is_compared_with(world: World) -> None:
    """0.5 kg would do for caustic soda; its customer says that it is LFP."""
    stages = [{"stage": "material_acquisition", "kg_co2e": "0.5"}]
    world.footprint(SALT, total="0.5", stages=stages, composition={"formula": "NaOH"})
    world.activity(CELL, of(SALT, "1", comparable_flow="cathode-lfp"))
    (finding,) = (one for one in world.compute(CELL).findings if one.gate == "sealed_total")
    assert "comparable material has 9.446" in finding.what


@pytest.mark.parametrize("total", ["0", "9.4"])
def test_stages_that_cancel_take_nobody_else_s_emissions_with_them(world: World, total: str) -> None:
    """In the order of the burdens a double would hold 1E+60 and nothing beside it."""
    kilograms = (("material_acquisition", "1E+60"), ("manufacturing", "-1E+60"))
    world.footprint(SALT, total=total, stages=[{"stage": stage, "kg_co2e": kg} for stage, kg in kilograms])
    world.activity(CELL, of(SALT, "1"), copper("3"))
    result = world.compute(CELL)
    assert result.footprint.total == pytest.approx(3 * COPPER, rel=1e-12)
    said = [found.what for found in result.findings]
    assert "stage manufacturing is stated as -1" in said[0]
    assert "a total of zero" in said[1]


def test_amounts_that_cancel_beyond_all_bounds_are_refused(world: World) -> None:
    kilograms = (("material_acquisition", "9E99"), ("manufacturing", "-9E99"))
    stages = [{"stage": stage, "kg_co2e": kg} for stage, kg in kilograms]
    world.footprint(SALT, total="0", stages=stages, declared_unit=line("1E-99"))
    world.activity(CELL, of(SALT, "9E99"))
    world.activity(f"{MAKER}/more", of(CELL, "2E+9"))
    with pytest.raises(RefusedError, match="too large"):
        world.compute(f"{MAKER}/more")


def test_what_suppliers_sign_covers_no_stage_of_the_pack(world: World) -> None:
    """Else a supplier's zero would make a pack complete, which nobody knows the recycling of."""
    every = ("material_acquisition", "manufacturing", "distribution", "recycling")
    world.footprint(SALT, total="0", stages=[{"stage": stage, "kg_co2e": "0"} for stage in every])
    world.pack(of(SALT, "1"), copper("3"))
    result = world.compute(PACK)
    assert [gap.where for gap in result.gaps] == ["manufacturing", "distribution", "recycling"]
    assert all("only signed footprints of suppliers" in gap.what for gap in result.gaps)
    assert heading(result) == "partial: 1 of 4 stages"


def test_a_pack_s_own_signed_footprint_covers_its_stages(world: World) -> None:
    world.pack(copper("3"))
    hidden: dict[int, tuple[str, ...]] = {
        entry.index: () for entry in world.entries if isinstance(entry.record, ActivityData | BillOfMaterials)
    }
    world.footprint(PACK, declared_unit=line("1", "piece"))
    assert [gap.where for gap in world.compute(PACK, sealed=hidden).gaps] == ["distribution", "recycling"]


def test_a_negative_stage_of_a_plausible_sealed_total_is_a_soft_finding(world: World) -> None:
    stages = [{"stage": "material_acquisition", "kg_co2e": "-90"}, {"stage": "manufacturing", "kg_co2e": "100"}]
    world.footprint(SALT, stages=stages)
    world.activity(CELL, of(SALT, "1"))
    (finding,) = world.compute(CELL).findings
    assert (finding.gate, finding.level) == ("sealed_total", "soft")
    assert "stage material_acquisition is stated as -90 kg CO2e" in finding.what


def test_a_sealed_footprint_without_stages_is_a_branch_all_the_same(world: World) -> None:
    world.footprint(SALT, total="0", stages=[])
    world.activity(CELL, of(SALT, "1"), copper("1"))
    (branch,) = document(world.compute(CELL))["sealed"]
    assert (branch["product"], branch["kg_co2e"], branch["percent"]) == (SALT, "0", "0")


# -- packs without battery model -------------------------------------------------------------------------------------


def test_a_pack_without_battery_model_is_partial_and_not_divided(world: World) -> None:
    world.activity(PACK, copper("3"), unit="piece", process_class="pack_assembly")
    result = world.compute(PACK)
    assert not result.complete
    assert [gap.where for gap in result.gaps] == [BATTERY_MODEL_GAP, "manufacturing", "distribution", "recycling"]
    found = document(result)
    assert found["heading"] == "partial: 1 of 4 stages, no battery model"
    assert (found["model"], found["denominator"]["kwh"], found["functional_unit"]) == (None, None, "1 piece")
    assert found["headline"]["unit"] == "kg CO2e/piece"
    text = "\n".join(lines_of_text(found))
    assert "not divided: no battery model is readable" in text
    assert "the figure is per piece, not per 1 kWh of rated energy of the pack" in text
    assert "kWh (" not in text


def test_a_battery_model_that_the_reader_can_t_read_is_none(world: World) -> None:
    world.pack(copper("3"))
    model = world.entries[-1].index
    result = world.compute(PACK, sealed={model: ()})
    assert BATTERY_MODEL_GAP in [gap.where for gap in result.gaps]
    evidence = type(world.evidence())(result.origin, result.snapshot, result.inputs)
    assert compute(evidence, result.demand, EVERBATT, [RELEASE], load_policy()) == result


def test_a_pack_by_another_name_is_a_pack(world: World) -> None:
    """A maker can't be rid of stages and denominator by calling the assembly of cells something else."""
    world.activity(CELL, copper("1"), process_class="cell_manufacturing")
    world.activity(PACK, of(CELL, "3"), unit="piece")
    result = world.compute(PACK)
    assert BATTERY_MODEL_GAP in [gap.where for gap in result.gaps]


def test_pieces_of_which_the_process_is_not_disclosed_may_be_packs(world: World) -> None:
    world.footprint(PACK, declared_unit=line("1", "piece"))
    result = world.compute(PACK)
    assert BATTERY_MODEL_GAP in [gap.where for gap in result.gaps]


@pytest.mark.parametrize("process_class", ["cell_manufacturing", "material_production"])
def test_cells_and_parts_in_pieces_need_no_battery_model(world: World, process_class: str) -> None:
    world.activity(CELL, copper("1"), unit="piece", process_class=process_class)
    assert world.compute(CELL).complete
