"""From statements to a product system: what is taken, in which order, and what is refused or a gap."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from bom_graph import SEALED_STAGE, ActivityData, BillOfMaterials, RuleSet, load_release, load_rule_set
from exchange.assembly import BATTERY_MODEL_GAP, Demand, RefusedError, Result, compute
from exchange.evidence import Entry
from exchange.kinds import ACTIVITY_DATA, BATTERY_MODEL, BILL_OF_MATERIALS, PRODUCT_FOOTPRINT, load_policy
from exchange.report import document, heading, lines_of_text
from tests.simulator import OPERATOR, ORIGIN, Simulator

EVERBATT = load_rule_set("everbatt-2023-cradle-to-gate")
CHINA = load_rule_set("cn-miit-551-trial")
EUROPE = load_rule_set("eu-cfb-draft-2024-partial")
RELEASE = load_release("everbatt-2023")
# kg CO2e: copper per kg, electricity per kWh, straight from the factor table.
COPPER, US, CALIFORNIA = 4073352.041291 / 907185, 0.466497, 0.292721
REFINER, MAKER, PACKER = "https://refiner.example", "https://maker.example", "https://packer.example"
SALT, CELL, PACK = f"{REFINER}/salt", f"{MAKER}/cell", f"{PACKER}/pack"
Claims = dict[str, Any]


class World(Simulator):
    """Three organisations and short ways to state things and to compute."""

    def __init__(self) -> None:
        super().__init__()
        self.join(REFINER, "supplier")
        self.join(MAKER, "supplier")
        self.join(PACKER, "pack_maker")

    def activity(self, product: str, *inputs: Claims, unit: str = "kg", formula: str = "", **more: Any) -> Entry:
        """State one `unit` of `product` from `inputs`."""
        output = line("1", unit, product=product)
        if formula:
            output["composition"] = {"formula": formula}
        claims = {
            "sub": product,
            "process_class": "material_production",
            "period": {"start": "2026-01-01", "end": "2026-01-31"},
            "outputs": [output],
            "inputs": list(inputs),
            "electricity": [],
            **more,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        return self.state(owner(product), ACTIVITY_DATA, claims)

    def bill(self, product: str, *components: Claims, unit: str = "kg", **more: Any) -> Entry:
        """State that one `unit` of `product` holds `components`."""
        claims = {"sub": product, "per": line("1", unit), "components": list(components), **more}
        return self.state(owner(product), BILL_OF_MATERIALS, claims)

    def footprint(self, product: str, rule_set: RuleSet = EVERBATT, **more: Any) -> Entry:
        """State a signed footprint of ten kilograms, four of them manufacturing."""
        claims = {
            "sub": product,
            "rule_set": {"id": rule_set.id, "version": rule_set.version, "digest": rule_set.digest},
            "declared_unit": line("1", "kg"),
            "total": "10",
            "complete": True,
            "stages": [
                {"stage": "material_acquisition", "kg_co2e": "6"},
                {"stage": "manufacturing", "kg_co2e": "4"},
            ],
            "obtained": "calculated",
            **more,
        }
        return self.state(owner(product), PRODUCT_FOOTPRINT, claims)

    def pack(self, *components: Claims, unit: str = "piece") -> None:
        """State one pack of `components` with its battery model."""
        self.bill(PACK, *components, unit=unit)
        self.activity(PACK, unit=unit, process_class="pack_assembly")
        model = {
            "sub": PACK,
            "model": "P",
            "plant": {"name": "plant", "country": "US"},
            "chemistry": "NMC622",
            "rated_energy": line("100", "kWh"),
            "cycle_points": [{"cycles": "0", "retention": "1"}, {"cycles": "1000", "retention": "0.8"}],
        }
        self.state(PACKER, BATTERY_MODEL, model)

    def compute(
        self,
        product: str,
        rule_set: RuleSet = EVERBATT,
        *,
        flow: str | None = None,
        sealed: dict[int, tuple[str, ...]] | None = None,
    ) -> Result:
        """The result of `product` for a reader who holds everything, but of `sealed` entries only those paths."""
        evidence = self.evidence(sealed=sealed)
        releases = [load_release(name) for name in rule_set.factor_releases]
        return compute(evidence, Demand(product, flow), rule_set, releases, load_policy())


def owner(product: str) -> str:
    return product.rpartition("/")[0]


def line(amount: str, unit: str = "kg", obtained: str = "measured", **members: Any) -> Claims:
    return {"amount": amount, "unit": unit, "obtained": obtained, **members}


def copper(amount: str, unit: str = "kg", **members: Any) -> Claims:
    return line(amount, unit, name="copper", flow="copper", **members)


def of(product: str, amount: str, unit: str = "kg", **members: Any) -> Claims:
    return line(amount, unit, name=product, product=product, **members)


def power(amount: str, geography: str) -> Claims:
    return line(amount, "kWh", supply="grid", geography=geography)


@pytest.fixture
def world() -> World:
    return World()


# -- what may be a pack, and sizes that nothing has -----------------------------------------------------------------


@pytest.mark.parametrize("unit", ["piece", "kg"])
def test_what_may_be_a_pack_is_never_plainly_complete(world: World, unit: str) -> None:
    if unit == "piece":
        world.activity(PACK, copper("10"), unit="piece", process_class="cell_manufacturing")
    else:
        world.activity(CELL, copper("10"), unit="piece", process_class="cell_manufacturing")
        world.activity(PACK, of(CELL, "1", "piece"))
    result = world.compute(PACK)
    (finding,) = [one for one in result.findings if one.gate == "pack"]
    assert (finding.level, finding.where, finding.refuses) == ("soft", PACK, False)
    assert f"counted in {unit}" in finding.what
    assert "no battery model: not divided" in finding.what
    assert document(result)["heading"] == "complete, with 1 soft finding"


def test_a_material_is_not_suspected_to_be_a_pack(world: World) -> None:
    world.activity(SALT, copper("1"))
    assert world.compute(SALT).findings == ()


@pytest.mark.parametrize("amount", ["1E-31", "1E+31"])
def test_a_size_that_nothing_has_is_a_hard_finding(world: World, amount: str) -> None:
    world.activity(SALT, copper(amount))
    (finding,) = [one for one in world.compute(SALT).findings if one.gate == "units"]
    assert (finding.level, finding.where) == ("hard", SALT)
    assert "too large or too small to be true: the total is 4.49e" in finding.what


# -- order of resolution ---------------------------------------------------------------------------------------------


def test_granted_activity_data_comes_before_a_signed_footprint(world: World) -> None:
    cited = world.activity(SALT, copper("2"))
    world.footprint(SALT)
    world.activity(CELL, of(SALT, "3", citation=world.cite(cited)))
    result = world.compute(CELL)
    assert result.footprint.total == pytest.approx(6 * COPPER, rel=1e-12)
    assert result.complete
    assert result.gaps == ()


def test_a_supplier_s_product_without_citation_is_found_by_its_uri(world: World) -> None:
    world.activity(SALT, copper("2"))
    world.activity(CELL, of(SALT, "3"))
    assert world.compute(CELL).footprint.total == pytest.approx(6 * COPPER, rel=1e-12)


def test_the_newest_statement_counts(world: World) -> None:
    world.activity(SALT, copper("2"))
    world.activity(SALT, copper("5"))
    assert world.compute(SALT).footprint.total == pytest.approx(5 * COPPER, rel=1e-12)


def test_a_signed_footprint_stands_in_where_activity_data_is_sealed(world: World) -> None:
    cited = world.activity(SALT, copper("2"))
    signed = world.footprint(SALT)
    world.activity(CELL, of(SALT, "3", citation=world.cite(cited)))
    result = world.compute(CELL, sealed={cited.index: ()})
    assert result.footprint.total == 30
    assert result.footprint.stages == {"material_acquisition": 18, "manufacturing": 12}
    assert result.complete
    # The cited entry is named too: without it at hand, the same calculation would end in a gap.
    assert {cited.index, signed.index} <= {entry.index for entry in result.inputs}


def test_a_signed_footprint_comes_before_a_bill_without_activity_data(world: World) -> None:
    """A bill of materials alone lacks the plant's energy; the footprint holds it."""
    sealed = world.activity(CELL, electricity=[power("100", "US")])
    world.bill(CELL, copper("1"))
    world.footprint(CELL)
    world.pack(of(CELL, "1"))
    result = world.compute(PACK, sealed={sealed.index: ()})
    assert result.footprint.total == 10


@pytest.mark.parametrize("paths", [(), ("sub",), ("sub", "contents"), ("sub", "contents", "outputs", "process_class")])
def test_a_partial_grant_never_counts_as_whole(world: World, paths: tuple[str, ...]) -> None:
    cited = world.activity(SALT, copper("2"))
    world.activity(CELL, of(SALT, "3", citation=world.cite(cited)), copper("1"))
    result = world.compute(CELL, sealed={cited.index: paths})
    assert not result.complete
    (gap,) = result.gaps
    assert SALT in gap.what
    assert result.footprint.total == pytest.approx(COPPER, rel=1e-12)


def test_nothing_known_of_a_supplier_is_a_gap_and_not_zero(world: World) -> None:
    world.activity(CELL, of(SALT, "3"), copper("1"))
    result = world.compute(CELL)
    assert not result.complete
    assert [(CELL in gap.where, SALT in gap.what) for gap in result.gaps] == [(True, True)]


def test_activity_data_that_says_nothing_of_inputs_is_a_gap(world: World) -> None:
    made = {"process_class": "material_production", "period": {"start": "2026-01-01", "end": "2026-01-31"}}
    world.state(MAKER, ACTIVITY_DATA, {**made, "sub": CELL, "outputs": [line("1", product=CELL)], "electricity": []})
    (gap,) = world.compute(CELL).gaps
    assert (gap.where, "says nothing of inputs" in gap.what) == (CELL, True)


def test_a_citation_of_an_entry_that_is_not_at_hand_is_a_gap(world: World) -> None:
    world.activity(SALT, copper("2"))
    citation = {"origin": ORIGIN, "index": 1, "leaf_hash": "ab" * 32}
    world.activity(CELL, of(SALT, "3", citation=citation), copper("1"))
    (gap,) = world.compute(CELL).gaps
    assert "cited entry 1 is not at hand" in gap.what


def test_a_bill_without_activity_data_lacks_the_energy(world: World) -> None:
    world.bill(CELL, copper("2", **{"yield": "0.8"}))
    result = world.compute(CELL)
    assert result.footprint.total == pytest.approx(2.5 * COPPER, rel=1e-12)
    assert [gap.where for gap in result.gaps] == [CELL]


@pytest.mark.parametrize("paths", [(), ("sub",), ("sub", "contents", "per")])
def test_activity_data_beside_a_sealed_bill_of_materials_is_not_whole(world: World, paths: tuple[str, ...]) -> None:
    """Else the materials would count as zero, and the result as complete."""
    bill = world.bill(CELL, copper("2"))
    world.activity(CELL, electricity=[power("1", "US")])
    result = world.compute(CELL, sealed={bill.index: paths})
    assert result.footprint.total == pytest.approx(US)
    assert not result.complete
    (gap,) = result.gaps
    assert f"entry {bill.index}" in gap.what
    assert bill.index in [entry.index for entry in result.inputs]


def test_worked_example_f_a_yield_divides(world: World) -> None:
    world.bill(CELL, copper("1", **{"yield": "0.95"}))
    world.activity(CELL)
    result = world.compute(CELL)
    assert result.footprint.total / COPPER == pytest.approx(1.052632, abs=5e-7)


# -- what isn't said, what can't be read -----------------------------------------------------------------------------


def test_activity_data_that_says_nothing_of_electricity_is_a_gap(world: World) -> None:
    world.activity(CELL, copper("1"), electricity=None)
    (gap,) = world.compute(CELL).gaps
    assert (gap.where, "says nothing of electricity; `electricity: []`" in gap.what) == (CELL, True)


def test_a_supplier_that_states_nothing_at_all_adds_zero_and_that_is_said(world: World) -> None:
    entry = world.activity(SALT)
    world.activity(CELL, of(SALT, "3"), copper("1"))
    (finding,) = world.compute(CELL).findings
    assert (finding.gate, finding.level, finding.where) == ("nothing_stated", "soft", f"{SALT} (entry {entry.index})")
    assert "nothing goes in and nothing is emitted" in finding.what
    assert finding.remedy


@pytest.mark.parametrize("paths", [("sub",), ("sub", "contents", "outputs"), ("sub", "period", "contents", "outputs")])
def test_a_newer_statement_that_is_not_wholly_disclosed_is_said(world: World, paths: tuple[str, ...]) -> None:
    old = world.activity(SALT, copper("1"))
    new = world.activity(SALT, copper("50"))
    world.activity(CELL, of(SALT, "1"))
    result = world.compute(CELL, sealed={new.index: paths})
    assert result.footprint.total == pytest.approx(COPPER, rel=1e-12)
    (finding,) = result.findings
    assert (finding.gate, finding.level, finding.where) == ("newer_statement", "soft", SALT)
    assert finding.what == (
        f"the newer statement in entry {new.index} isn't wholly disclosed: entry {old.index} is taken"
    )
    assert new.index in [entry.index for entry in result.inputs]


def test_a_newer_sealed_statement_of_the_same_signer_is_one_note(world: World) -> None:
    other = f"{REFINER}/other"
    for product in (SALT, other):
        world.activity(product, copper("1"))
    newer = [world.activity(product, copper("50")).index for product in (SALT, other)]
    world.activity(CELL, of(SALT, "1"), of(other, "1"))
    result = world.compute(CELL, sealed=dict.fromkeys(newer, ()))
    (finding,) = result.findings
    assert (finding.gate, finding.level, finding.where) == ("newer_statement", "note", REFINER)
    assert result.complete


def test_a_sealed_statement_of_other_days_or_before_is_nobody_s_business(world: World) -> None:
    older = world.activity(SALT, copper("7"))
    world.activity(SALT, copper("1"))
    february = world.activity(SALT, copper("9"), period={"start": "2026-02-01", "end": "2026-02-28"})
    world.activity(CELL, of(SALT, "1"))
    shown = ("sub", "period", "contents", "outputs")
    assert world.compute(CELL, sealed={older.index: ("sub",), february.index: shown}).findings == ()


@pytest.mark.parametrize("paths", [(), ("sub", "contents", "outputs")])
def test_a_cited_statement_that_is_not_disclosed_is_a_gap_beside_an_older_one(
    world: World, paths: tuple[str, ...]
) -> None:
    world.activity(SALT, copper("1"))
    cited = world.activity(SALT, copper("50"))
    world.activity(CELL, of(SALT, "1", citation=world.cite(cited)), copper("1"))
    result = world.compute(CELL, sealed={cited.index: paths})
    assert result.footprint.total == pytest.approx(COPPER, rel=1e-12)
    assert [f"the cited entry {cited.index} isn't wholly disclosed" in gap.what for gap in result.gaps] == [True]


def test_another_consumer_s_statement_is_not_the_cited_one(world: World) -> None:
    old = world.activity(SALT, copper("1"))
    cited = world.activity(SALT, copper("50"))
    world.activity(CELL, of(SALT, "1", citation=world.cite(cited), id="second"))
    module = f"{MAKER}/module"
    world.activity(module, of(SALT, "1"), of(CELL, "1"))
    result = world.compute(module, sealed={cited.index: ("sub",)})
    assert result.footprint.total == pytest.approx(COPPER, rel=1e-12)
    (gap,) = result.gaps
    assert gap.where.endswith("inputs/second")
    assert f"entry {cited.index} isn't wholly disclosed, and entry {old.index} isn't" in gap.what


def test_a_citation_of_an_older_statement_is_noted(world: World) -> None:
    cited = world.activity(SALT, copper("1"))
    counted = world.activity(SALT, copper("5"))
    world.activity(CELL, of(SALT, "1", citation=world.cite(cited)))
    result = world.compute(CELL)
    assert result.footprint.total == pytest.approx(5 * COPPER, rel=1e-12)
    (note,) = (one for one in result.findings if one.gate == "citation")
    assert (note.level, f"entry {cited.index} is cited, entry {counted.index}" in note.what) == ("note", True)


def test_a_newer_signed_footprint_that_can_t_be_read_is_said(world: World) -> None:
    world.footprint(SALT)
    new = world.footprint(SALT, total="90", stages=[{"stage": "manufacturing", "kg_co2e": "90"}])
    world.activity(CELL, of(SALT, "1"))
    (finding,) = world.compute(CELL, sealed={new.index: ("sub",)}).findings
    assert (finding.gate, finding.level) == ("newer_statement", "soft")


def test_a_footprint_of_another_rule_set_is_named_beside_the_gap(world: World) -> None:
    signed = world.footprint(SALT, CHINA)
    entry = world.activity(CELL, of(SALT, "3", id="salt"), copper("1"))
    result = world.compute(CELL, EUROPE)
    (finding,) = result.findings
    assert (finding.gate, finding.level, finding.refuses) == ("rule_set", "hard", False)
    assert finding.where == f"{CELL} (entry {entry.index}) inputs/salt"
    assert f"(entry {signed.index}) is under the rules {CHINA.id} version {CHINA.version}" in finding.what
    assert finding.remedy
    assert len(result.gaps) == 1
    with pytest.raises(RefusedError) as caught:
        world.compute(SALT, EUROPE)
    assert [one.gate for one in caught.value.findings] == ["rule_set", "evidence"]


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


# -- refusals --------------------------------------------------------------------------------------------------------


def refused(world: World, product: str, rule_set: RuleSet = EVERBATT) -> tuple[str, str, str]:
    """Gate, place and text of the one refusing finding."""
    with pytest.raises(RefusedError) as caught:
        world.compute(product, rule_set)
    (finding,) = caught.value.findings
    assert finding.level == "hard"
    return finding.gate, finding.where, finding.what


def test_a_citation_of_another_product_is_refused(world: World) -> None:
    other = world.activity(f"{REFINER}/other", copper("2"))
    world.activity(SALT, copper("2"))
    entry = world.activity(CELL, of(SALT, "3", citation=world.cite(other), id="a"))
    gate, where, what = refused(world, CELL)
    assert (gate, where) == ("citation", f"{CELL} (entry {entry.index}) inputs/a")
    assert "another product" in what


def test_a_missing_factor_is_refused_with_flow_and_place(world: World) -> None:
    entry = world.activity(CELL, line("1", name="unobtainium", flow="unobtainium", id="u"))
    gate, where, what = refused(world, CELL)
    assert (gate, where) == ("missing_factor", f"{CELL} (entry {entry.index}) inputs/u")
    assert "'unobtainium'" in what
    assert "everbatt-2023" in what


def test_electricity_of_a_place_without_factor_is_refused(world: World) -> None:
    world.activity(CELL, electricity=[{**power("1", "JP-13"), "id": "e"}])
    gate, where, what = refused(world, CELL)
    assert gate == "missing_factor"
    assert "electricity/e" in where
    assert "JP-13" in what


NICKEL = 6866536.486182 / 907185


def nickel(amount: str, formula: str, name: str = "nickel", **basis: Any) -> Claims:
    return line(amount, name=name, flow="nickel-sulfate", composition={"formula": formula, **basis})


@pytest.mark.parametrize(
    ("stated", "kg"),
    [
        # Worked example E: read as anhydrous, it would add 5.06 kg per kilogram of cathode.
        (nickel("1.627085", "NiSO4.6H2O"), 0.957928),
        (nickel("1", "NiSO4", moisture_percent="12"), 0.88),
        (nickel("1", "NiSO4.6H2O", content_of="Ni"), 154.749 / 58.693),
    ],
    ids=["hexahydrate", "moist", "nickel content"],
)
def test_an_amount_on_another_basis_is_restated_with_a_note(world: World, stated: Claims, kg: float) -> None:
    world.activity(CELL, stated)
    result = world.compute(CELL)
    assert result.footprint.total == pytest.approx(kg * NICKEL, rel=4e-5)
    (note,) = [one for one in result.findings if one.gate == "composition"]
    assert note.level == "note"
    assert "molar masses" in note.what
    (part,) = document(result)["contributions"]
    assert part["restated"] == note.what


def test_a_hydrate_of_a_supplier_s_anhydrous_salt_is_restated(world: World) -> None:
    world.activity(SALT, copper("1"), formula="NiSO4")
    world.activity(CELL, of(SALT, "1.627085", composition={"formula": "NiSO4.6H2O"}))
    assert world.compute(CELL).footprint.total == pytest.approx(0.957928 * COPPER, rel=4e-5)


def test_a_supplier_s_moist_product_is_taken_dry(world: World) -> None:
    """One kilogram with 20 % moisture is 0.8 kg of salt: each dry kilogram bears 1.25 times what was put in."""
    world.activity(
        SALT, copper("1"), outputs=[line("1", product=SALT, composition={"formula": "NiSO4", "moisture_percent": "20"})]
    )
    world.activity(CELL, of(SALT, "2", composition={"formula": "NiSO4"}))
    assert world.compute(CELL).footprint.total == pytest.approx(2 * 1.25 * COPPER, rel=1e-12)


@pytest.mark.parametrize(
    ("basis", "taken", "total"),
    [
        ({"formula": "NiSO4", "content_of": "Ni"}, {"formula": "NiSO4"}, 10 * 58.693 / 154.749),
        ({"formula": "NiSO4", "content_of": "Ni"}, {"formula": "NiSO4", "content_of": "Ni"}, 10),
        ({"formula": "NiSO4", "moisture_percent": "50"}, {"formula": "NiSO4"}, 20),
    ],
    ids=["per metal content, taken as salt", "both per metal content", "moist, taken dry"],
)
def test_a_signed_footprint_counts_by_the_basis_of_its_declared_unit(
    world: World, basis: Claims, taken: Claims, total: float
) -> None:
    world.footprint(SALT, composition=basis)
    world.activity(CELL, of(SALT, "1", composition=taken))
    assert world.compute(CELL).footprint.total == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize("signed", [True, False], ids=["signed footprint", "activity data"])
def test_a_supplier_s_salt_without_stated_basis_is_said_to_be_taken_as_the_supplier_s(
    world: World, signed: bool
) -> None:
    if signed:
        world.footprint(SALT, composition={"formula": "NiSO4.6H2O"})
    else:
        world.activity(SALT, copper("1"), formula="NiSO4.6H2O")
    entry = world.activity(CELL, of(SALT, "1", id="salt"))
    (finding,) = (one for one in world.compute(CELL).findings if one.gate == "hydrate")
    assert (finding.level, finding.refuses) == ("soft", False)
    assert finding.where == f"{CELL} (entry {entry.index}) inputs/salt"
    assert finding.what == f"no composition is stated: the amount of {SALT} is taken as NiSO4.6H2O"


def test_another_substance_is_refused_and_not_restated(world: World) -> None:
    world.activity(CELL, nickel("1", "CoSO4.7H2O"))
    gate, where, what = refused(world, CELL)
    assert gate == "composition"
    assert "inputs/" in where
    assert "CoSO4.7H2O" in what
    assert "another substance" in what


@pytest.mark.parametrize("name", ["Nickel sulfate hexahydrate", "NiSO4 6H2O", "六水硫酸镍"])
def test_a_hydrate_taken_for_the_anhydrous_salt_is_refused(world: World, name: str) -> None:
    world.activity(CELL, {**nickel("1.627085", "NiSO4", name), "id": "salt"})
    gate, where, what = refused(world, CELL)
    assert (gate, where.endswith("inputs/salt")) == ("hydrate", True)
    assert "speaks of 6 H2O, the formula NiSO4 has none" in what


def test_a_salt_without_stated_basis_is_said_to_be_taken_as_the_factor_s(world: World) -> None:
    world.activity(CELL, line("2", name="nickel", flow="nickel-sulfate"))
    result = world.compute(CELL)
    (finding,) = [one for one in result.findings if one.gate == "hydrate"]
    assert (finding.level, finding.refuses) == ("soft", False)
    assert "taken as NiSO4" in finding.what
    assert "state the composition" in finding.remedy


def test_the_stated_composition_may_be_the_factor_s(world: World) -> None:
    world.activity(CELL, line("2", name="nickel", flow="nickel-sulfate", composition={"formula": "NiSO4"}))
    assert world.compute(CELL).footprint.total == pytest.approx(2 * 6866536.486182 / 907185, rel=1e-12)


def test_a_component_counted_otherwise_than_its_supplier_makes_it_is_refused(world: World) -> None:
    world.activity(SALT, copper("2"))
    world.activity(CELL)
    world.bill(CELL, of(SALT, "3", "piece", id="c"))
    gate, where, what = refused(world, CELL)
    assert gate == "units"
    assert where.endswith("components/c")
    assert what == "piece is pieces, kg is mass"


def test_a_flow_in_another_dimension_than_its_factor_is_refused(world: World) -> None:
    world.activity(CELL, copper("3", "L", id="c"))
    gate, where, _ = refused(world, CELL)
    assert gate == "units"
    assert where.endswith("inputs/c")


def test_a_bill_per_piece_beside_activity_data_per_kilogram_is_refused(world: World) -> None:
    world.activity(CELL)
    world.bill(CELL, copper("3"), unit="piece")
    assert refused(world, CELL)[0] == "units"


def test_a_pack_counted_in_kilograms_is_refused(world: World) -> None:
    """The denominator is the energy of one pack."""
    world.pack(copper("3"), unit="kg")
    gate, where, what = refused(world, PACK)
    assert (gate, where) == ("units", PACK)
    assert "one pack" in what


def test_a_battery_model_without_what_the_rule_set_divides_by_is_refused(world: World) -> None:
    world.pack(copper("3"))
    gate, where, what = refused(world, PACK, EUROPE)
    assert (gate, where) == ("delivered_energy", "usable_energy")
    assert "missing" in what


def test_all_refusals_come_at_once(world: World) -> None:
    world.activity(CELL, line("1", name="x", flow="x"), line("1", name="y", flow="y"), copper("1", "L"))
    with pytest.raises(RefusedError) as caught:
        world.compute(CELL)
    assert sorted(finding.gate for finding in caught.value.findings) == ["missing_factor", "missing_factor", "units"]


def test_an_unknown_product_is_refused(world: World) -> None:
    with pytest.raises(RefusedError, match="no statement about this product"):
        world.compute(CELL)


def test_a_release_that_the_rule_set_does_not_name_is_refused(world: World) -> None:
    world.activity(CELL, copper("1"))
    other = RELEASE.model_copy(update={"id": "other-2024"})
    with pytest.raises(RefusedError, match="other-2024"):
        compute(world.evidence(), Demand(CELL), EVERBATT, [other], load_policy())


def test_amounts_beyond_all_bounds_are_refused(world: World) -> None:
    products = [f"{REFINER}/{n}" for n in range(6)]
    world.activity(products[0], copper("9E99"))
    for lower, upper in pairwise(products):
        world.activity(upper, of(lower, "9E99"))
    gate, _, what = refused(world, products[-1])
    assert gate == "units"
    assert "too large" in what


def test_two_bills_that_hold_each_other_are_refused_by_name(world: World) -> None:
    other = f"{REFINER}/part"
    world.bill(CELL, of(other, "1"))
    world.bill(other, of(CELL, "1"))
    world.pack(of(CELL, "1"))
    gate, where, what = refused(world, PACK)
    assert gate == "loop"
    assert where in (f"{CELL} > {other} > {CELL}", f"{other} > {CELL} > {other}")
    assert "at or above what it makes" in what


def test_scrap_that_returns_is_computed(world: World) -> None:
    """A cell takes 1 kg of cathode, which takes 0.2 of a cell's scrap: 1 / (1 - 0.2) of the copper in it."""
    other = f"{REFINER}/cathode"
    world.activity(CELL, of(other, "1"))
    world.activity(other, copper("2"), of(CELL, "0.2"))
    result = world.compute(CELL)
    assert result.footprint.total == pytest.approx(2 * COPPER / 0.8, rel=1e-12)


# -- electricity, precedence, published factors ----------------------------------------------------------------------


@pytest.mark.parametrize("rule_set", [CHINA, EUROPE], ids=["China", "Europe"])
def test_the_regulations_take_the_national_average_and_say_so(world: World, rule_set: RuleSet) -> None:
    entry = world.activity(CELL, electricity=[power("10", "US-CA"), power("2", "US")])
    result = world.compute(CELL, rule_set)
    assert result.footprint.total == pytest.approx(12 * 0.38440, rel=1e-12)
    (note,) = result.findings
    assert (note.gate, note.level, note.refuses) == ("electricity", "note", False)
    assert note.where == f"{CELL} (entry {entry.index})"
    assert note.what == "US-CA is calculated with the national average of US"


def test_everbatt_takes_the_grid_as_stated(world: World) -> None:
    world.activity(CELL, electricity=[power("10", "US-CA"), power("2", "US")])
    result = world.compute(CELL)
    assert result.footprint.total == pytest.approx(10 * CALIFORNIA + 2 * US, rel=1e-12)
    assert result.findings == ()


def test_activity_data_comes_before_the_bill_of_materials(world: World) -> None:
    world.activity(CELL, copper("5"))
    world.bill(CELL, copper("2"), line("1", name="steel", flow="steel"))
    result = world.compute(CELL)
    assert result.footprint.total == pytest.approx(5 * COPPER + 2223657.560104 / 907185, rel=1e-12)
    (found,) = result.findings
    assert (found.gate, found.level, found.refuses) == ("consumption", "hard", False)
    assert found.what.startswith("copper is taken from the activity data")


def test_direct_emissions_count_as_they_are(world: World) -> None:
    gas = line("250", "g", "calculated", gas="CO2", origin="fossil")
    world.activity(CELL, process_class="cell_manufacturing", direct_emissions=[gas])
    footprint = world.compute(CELL).footprint
    assert footprint.stages == {"manufacturing": 0.25}
    assert (footprint.activity_primary_share, footprint.factor_primary_share) == (1, 1)


@pytest.mark.parametrize("obtained", ["modelled", "estimated", "assumed"])
def test_a_modelled_direct_emission_is_no_primary_data(world: World, obtained: str) -> None:
    gas = line("250", "g", obtained, gas="CO2", origin="fossil")
    world.activity(CELL, direct_emissions=[gas])
    footprint = world.compute(CELL).footprint
    assert (footprint.activity_primary_share, footprint.factor_primary_share) == (0, 0)


def test_a_measured_amount_with_a_modelled_factor_is_primary_in_part(world: World) -> None:
    world.activity(CELL, copper("1"), line("3", obtained="modelled", name="c", flow="copper"))
    footprint = world.compute(CELL).footprint
    assert footprint.activity_primary_share == pytest.approx(0.25)
    assert footprint.factor_primary_share == 0


def test_a_published_factor_represents_a_product(world: World) -> None:
    world.activity(SALT, copper("2"))
    result = world.compute(SALT, flow="cathode-lfp")
    assert result.footprint.total == pytest.approx(8568861.362638 / 907185, rel=1e-12)
    assert result.footprint.stages.keys() == {"material_acquisition"}
    assert (result.unit, result.inputs, result.complete) == ("kg", (), True)


def test_a_published_factor_hides_no_refusal_of_the_maker_s_own_data(world: World) -> None:
    """Nickel comes out that never came in: China's rules refuse such data, EverBatt's report it."""
    entry = world.activity(SALT, copper("2"), formula="NiSO4")
    with pytest.raises(RefusedError):
        world.compute(SALT, CHINA)
    result = world.compute(SALT, CHINA, flow="nickel-sulfate")
    (finding,) = result.findings
    assert (finding.gate, finding.level, finding.refuses) == ("element_balance", "hard", False)
    assert finding.what.startswith("the published factor stands for own data that this rule set refuses: ")
    assert result.footprint.total == pytest.approx(6866536.486182 / 907185, rel=1e-12)
    assert [used.index for used in result.inputs] == [entry.index]
    assert heading(result) == "complete, with 1 hard finding"
    assert world.compute(SALT, EVERBATT, flow="nickel-sulfate").findings == ()


def test_a_published_factor_that_is_missing_is_refused(world: World) -> None:
    with pytest.raises(RefusedError, match="unobtainium"):
        world.compute(SALT, flow="unobtainium")


def test_a_published_factor_per_kilogram_is_no_pack(world: World) -> None:
    world.pack(copper("3"))
    with pytest.raises(RefusedError, match="one pack"):
        world.compute(PACK, flow="copper")


def test_a_proxy_is_an_assumption(world: World) -> None:
    world.activity(CELL, line("1", name="carbon black", flow="carbon-black"))
    assert (
        "carbon black: proxy: EverBatt counts carbon black as graphite; older year: 2022 for 2026"
        in world.compute(CELL).assumptions
    )


# -- the whole -------------------------------------------------------------------------------------------------------


def test_a_result_names_what_it_was_made_from(world: World) -> None:
    unused = world.activity(f"{REFINER}/other", copper("1"))
    used = [world.activity(SALT, copper("2")), world.bill(CELL, of(SALT, "1")), world.activity(CELL)]
    result = world.compute(CELL)
    assert [entry.index for entry in result.inputs] == [entry.index for entry in used]
    assert unused.index not in [entry.index for entry in result.inputs]
    assert (result.origin, result.snapshot) == (ORIGIN, len(world.entries))
    assert result.policy_digest == load_policy().digest


def test_a_result_can_be_made_again_from_its_inputs_alone(world: World) -> None:
    sealed = world.bill(CELL, copper("2"))
    world.activity(f"{REFINER}/other", copper("1"))
    world.activity(CELL, electricity=[power("1", "US")])
    first = world.compute(CELL, sealed={sealed.index: ()})
    evidence = type(world.evidence())(first.origin, first.snapshot, first.inputs)
    again = compute(evidence, first.demand, EVERBATT, [RELEASE], load_policy())
    assert again == first


def test_a_pack_without_distribution_and_recycling_is_partial(world: World) -> None:
    world.pack(copper("3"))
    result = world.compute(PACK)
    assert result.footprint.total == pytest.approx(3 * COPPER)
    assert result.denominator_kwh == 100
    assert tuple(result.footprint.stages) == ("material_acquisition",)
    assert [gap.where for gap in result.gaps] == ["manufacturing", "distribution", "recycling"]
    assert not result.complete


def test_a_deep_chain_of_suppliers(world: World) -> None:
    products = [f"{REFINER}/{n}" for n in range(60)]
    world.activity(products[0], copper("1"))
    for lower, upper in pairwise(products):
        world.activity(upper, of(lower, "1"))
    assert world.compute(products[-1]).footprint.total == pytest.approx(COPPER, rel=1e-12)


def test_the_simulator_s_reader_sees_what_was_granted(world: World) -> None:
    """Guards the tests above: `sealed` hides, and the operator has no product of its own."""
    entry = world.bill(CELL, copper("1"))
    evidence = world.evidence(sealed={entry.index: ("sub",)})
    record = evidence[entry.leaf_hash].record
    assert isinstance(record, BillOfMaterials)
    assert record.sub == CELL
    assert not record.is_whole
    assert all(found.statement.issuer != OPERATOR for found, _ in evidence.about(CELL, BillOfMaterials))


# -- gases, columns, years, families -----------------------------------------------------------------------------------

ISO = load_rule_set("iso-14067-cradle-to-gate")


def gas(amount: str, name: str, origin: str = "fossil", **members: Any) -> Claims:
    return line(amount, gas=name, origin=origin, **members)


GASES = [
    gas("1", "CO2"),
    gas("0.01", "SF6"),
    gas("0.1", "CH4", "biogenic"),
    gas("2", "CO2", "biogenic"),
    gas("5", "CO2", "biogenic", removal=True),
    gas("3", "CO2", "land_use_change"),
    gas("0.5", "CO2", "aircraft"),
]


def test_gases_stand_in_the_columns_of_iso_14067_and_living_carbon_beside_the_total(world: World) -> None:
    world.activity(SALT, copper("1"), direct_emissions=GASES)
    result = world.compute(SALT)
    assert result.footprint.total == pytest.approx(COPPER + 1 + 252 + 2.7 + 3 + 0.5, rel=1e-12)
    columns = {
        one["id"]: (float(one["total_kg_co2e"]), float(one["apart_kg_co2e"])) for one in document(result)["columns"]
    }
    assert columns == {
        "fossil": (253, 0),
        "biogenic_emission": (pytest.approx(4.7), 2),
        "biogenic_removal": (-5, -5),
        "land_use_change": (3, 0),
        "aircraft": (0.5, 0),
        "not_split": (pytest.approx(COPPER), 0),
    }
    text = "\n".join(lines_of_text(document(result)))
    assert "biogenic removals: 0 kg CO2e; beside the total: -5 kg CO2e" in text
    assert "emissions of aircraft: 0.5 kg CO2e" in text
    kilograms = [float(part["kg_co2e"]) for part in document(result)["contributions"]]
    assert sum(kilograms) == pytest.approx(result.footprint.total, rel=1e-10)
    assert sorted(float(part["kg_co2e"]) for part in document(result)["apart"]) == [-5, 2]


def test_a_rule_set_may_count_living_carbon(world: World) -> None:
    world.activity(SALT, copper("1"), direct_emissions=GASES)
    result = world.compute(SALT, ISO)
    assert result.footprint.total == pytest.approx(COPPER + 1 + 252 + 2.7 + 2 - 5 + 3 + 0.5, rel=1e-12)
    assert document(result)["apart"] == []


def test_another_gwp_set_counts_other_kilograms(world: World) -> None:
    world.activity(SALT, direct_emissions=[gas("0.01", "SF6"), gas("1", "CH4")])
    older = EVERBATT.model_copy(update={"gases": EVERBATT.gases.model_copy(update={"gwp_set": "AR5"})})
    assert world.compute(SALT).footprint.total == pytest.approx(252 + 29.8, rel=1e-12)
    assert world.compute(SALT, older).footprint.total == pytest.approx(235 + 28, rel=1e-12)


@pytest.mark.parametrize(("year", "value"), [(2023, 0.6205), (2024, 0.5777), (2026, 0.5777), (2020, 0.6205)])
def test_the_factor_is_of_the_year_in_which_the_period_ends(world: World, year: int, value: float) -> None:
    period = {"start": f"{year}-01-01", "end": f"{year}-12-31"}
    world.activity(SALT, electricity=[power("100", "CN")], period=period)
    assert world.compute(SALT, CHINA).footprint.total == pytest.approx(100 * value, rel=1e-12)


def test_a_region_of_china_has_a_labelled_alternative(world: World) -> None:
    """The headline stays with the national average; 0.5500 is East China's CO2 alone."""
    world.activity(SALT, electricity=[power("100", "CN-GRID-EAST"), power("10", "US")])
    result = world.compute(SALT, CHINA)
    (alternative,) = result.alternatives
    assert result.footprint.total == pytest.approx(57.77 + 3.844, rel=1e-12)
    assert alternative.total == pytest.approx(55.00 + 3.844, rel=1e-12)
    assert alternative.what == "1 of 2 lines of electricity have such a factor"


def test_a_rule_set_on_the_other_family_gets_no_sum(world: World) -> None:
    """Worked example D3: electricity by CO2 alone and materials by CO2e are never one figure."""
    world.activity(SALT, copper("1"), electricity=[power("100", "CN-GRID-EAST")])
    basis = CHINA.electricity.model_copy(update={"family": "co2_generation", "basis": "as_stated"})
    with pytest.raises(RefusedError) as caught:
        world.compute(SALT, CHINA.model_copy(update={"electricity": basis}))
    (finding,) = caught.value.findings
    assert (finding.gate, finding.where) == ("factor_family", SALT)
    assert "cn-grid-co2-2023-east" in finding.what
    assert finding.remedy


def test_a_partial_footprint_of_iso_14067_is_per_declared_unit_even_of_a_pack(world: World) -> None:
    world.pack(copper("7"))
    result = world.compute(PACK, ISO)
    found = document(result)
    assert (found["headline"]["unit"], found["denominator"]["kwh"]) == ("kg CO2e/piece", None)
    assert found["heading"] == "complete"
    assert [stage["id"] for stage in found["stages"]] == ["material_acquisition"]
