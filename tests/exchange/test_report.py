"""The result document: every figure with its origin, and two documents compared member by member."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bom_graph import BatteryModel, Finding, load_release, load_rule_set
from exchange.assembly import Demand, Result, compute
from exchange.kinds import PRODUCT_FOOTPRINT, load_policy
from exchange.report import digest, document, document_bytes, first_difference, heading, lines_of_text, of_when
from tests.connectors.supply_chain import SupplyChain

Document = dict[str, Any]
RULE_SETS = ("cn-miit-551-trial", "eu-cfb-draft-2024-partial", "everbatt-2023-cradle-to-gate")


@pytest.fixture(scope="module")
def results() -> dict[str, Result]:
    """The NMC622 pack with its recipe, cells made in California, under each rule set."""
    chain = SupplyChain()
    pack = chain.pack("NMC622", "California", "recipe")
    return {rule_set: chain.result(pack, rule_set) for rule_set in RULE_SETS}


@pytest.fixture(scope="module")
def found(results: dict[str, Result]) -> Document:
    """The document under the Chinese rule set."""
    return document(results["cn-miit-551-trial"])


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Paths of all members that are no object and no list."""
    children: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value))
    for key, child in children:
        yield from leaves(child, (*path, key))
    if not isinstance(value, dict | list):
        yield path


def member(value: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def replaced(value: Document, path: tuple[str | int, ...], new: Any) -> Document:
    changed = copy.deepcopy(value)
    member(changed, path[:-1])[path[-1]] = new
    return changed


# -- content ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule_set", RULE_SETS)
def test_every_contribution_says_where_it_comes_from(results: dict[str, Result], rule_set: str) -> None:
    made = document(results[rule_set])
    inputs = {(entry["index"], entry["leaf_hash"]) for entry in made["inputs"]}
    assert len(made["contributions"]) > 20
    for part in made["contributions"]:
        for name in ("product", "line", "stage", "kg_co2e", "percent", "obtained"):
            assert part[name], name
        assert (part["entry"], part["leaf_hash"]) in inputs
        assert part["product"].startswith(part["signer"])
        if "gas" not in part:
            members = {"row", "value", "unit", "family", "gwp_set", "release", "reason", "source"}
            assert members | {"geography", "year", "nature"} == part["factor"].keys()


@pytest.mark.parametrize("rule_set", RULE_SETS)
def test_a_contribution_can_be_worked_out_again_by_hand(results: dict[str, Result], rule_set: str) -> None:
    for part in document(results[rule_set])["contributions"]:
        per_unit = float(part["amount_per_unit"]) * float(part["factor"]["value"] if "factor" in part else 1)
        assert per_unit == pytest.approx(float(part["kg_co2e_per_unit"]), rel=1e-10)
        assert per_unit * float(part["units_in_demand"]) == pytest.approx(float(part["kg_co2e"]), rel=1e-10)


@pytest.mark.parametrize("rule_set", RULE_SETS)
def test_percentages_stages_and_contributions_add_up(results: dict[str, Result], rule_set: str) -> None:
    made = document(results[rule_set])
    total = float(made["total"]["value"])
    stages = [stage for stage in made["stages"] if stage["status"] != "gap"]
    assert sum(float(part["percent"]) for part in made["contributions"]) == pytest.approx(100, rel=1e-10)
    assert sum(float(part["kg_co2e"]) for part in made["contributions"]) == pytest.approx(total, rel=1e-10)
    assert sum(float(stage["total_kg_co2e"]) for stage in stages) == pytest.approx(total, rel=1e-10)
    assert sum(float(stage["value"]) for stage in stages) == pytest.approx(float(made["headline"]["value"]), rel=1e-10)
    assert sum(float(share) for share in made["obtained_percent"].values()) == pytest.approx(100, rel=1e-10)
    assert float(made["headline"]["value"]) == pytest.approx(total / float(made["denominator"]["kwh"]), rel=1e-11)


def test_figures_are_strings_of_at_most_twelve_digits(found: Document) -> None:
    numbers = [
        member(found, path)
        for path in leaves(found)
        if path[-1] in ("kg_co2e", "value", "percent", "kwh") and "factor" not in path
    ]
    assert len(numbers) > 60
    for number in numbers:
        if number is not None:
            assert re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", number)
            assert len(number.replace(".", "").lstrip("-0")) <= 12


def test_the_document_is_json_with_sorted_keys_and_its_digest_is_of_the_bytes(found: Document) -> None:
    data = document_bytes(found)
    assert json.loads(data) == found
    assert data == json.dumps(found, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert digest(found) == hashlib.sha256(data).hexdigest()


def test_a_gap_is_no_zero(found: Document) -> None:
    gaps = [stage for stage in found["stages"] if stage["status"] == "gap"]
    assert [stage["id"] for stage in gaps] == ["distribution", "recycling"]
    assert all(stage["value"] is None and stage["total_kg_co2e"] is None for stage in gaps)
    assert found["heading"] == "partial: 2 of 4 stages"
    assert not found["complete"]
    text = "\n".join(lines_of_text(found))
    assert "distribution: gap: not known, not zero" in text
    assert "(partial: 2 of 4 stages)" in text


def test_the_text_says_all_that_is_assumed_unstated_or_not_implemented(results: dict[str, Result]) -> None:
    made = document(results["eu-cfb-draft-2024-partial"])
    text = "\n".join(lines_of_text(made))
    said = [*made["assumptions"], *made["not_implemented"], *(item["what"] for item in made["unstated"])]
    assert len(said) > 8
    assert all(each in text for each in said)
    assert made["headline"]["printed"] in text
    assert "US-CA is calculated with the national average of US" in text
    assert "primary data share 0.0 %" in text
    assert "100.0 % modelled" in text


def test_the_text_says_of_which_ledger_and_which_days_the_figure_is(found: Document) -> None:
    def said(*parts: tuple[str, str | None]) -> str:
        """By kilograms and, where it is known, the year of each part."""
        contributions: list[Document] = [
            {"kg_co2e": kg} | ({} if year is None else {"period": {"start": f"{year}-01-01", "end": f"{year}-12-31"}})
            for kg, year in parts
        ]
        return of_when({**found, "contributions": contributions, "snapshot": {"origin": "x", "size": 42}})

    assert said(("1", "2026")) == "of the ledger at size 42, data of 2026-01-01 to 2026-12-31"
    assert said(("0", "2001"), ("1", "2003"), ("2", "2002")).endswith("data of 2001-01-01 to 2003-12-31")
    part = "data of 2026-01-01 to 2026-12-31 (75.0 % of absolute emissions, the rest names no days)"
    assert said(("3", "2026"), ("-1", None)).endswith(part)
    assert said(("1", None)) == said() == "of the ledger at size 42, no days are known of its data"
    assert f"  {of_when(found)}" == lines_of_text(found)[2]


def test_a_sealed_branch_says_who_signed_it_and_that_nobody_verified_it() -> None:
    chain = SupplyChain()
    pack = chain.pack("NMC622", "US", "recipe")
    cathode = chain.cathode("NMC622")
    made = signed_footprint(chain, pack, cathode.index)
    (branch,) = made["sealed"]
    assert (branch["signer"], branch["verification"]) == ("https://cathodes.example", "unverified")
    assert 0 < float(branch["percent"]) < 100
    assert [stage["id"] for stage in made["stages"] if stage["status"] == "sealed"] == ["sealed"]
    assert sum(float(part["percent"]) for part in made["contributions"]) == pytest.approx(100, rel=1e-10)
    text = "\n".join(lines_of_text(made))
    assert "sealed: the split is not disclosed" in text
    assert "unverified" in text


def signed_footprint(chain: SupplyChain, pack: str, sealed: int) -> Document:
    """The pack's document for a reader who holds the cathode maker's total only."""
    rule_set = load_rule_set("everbatt-2023-cradle-to-gate")
    claims = {
        "sub": "https://cathodes.example/NMC622",
        "rule_set": {"id": rule_set.id, "version": rule_set.version, "digest": rule_set.digest},
        "declared_unit": {"amount": "1", "unit": "kg", "obtained": "calculated"},
        "total": "22.5",
        "complete": True,
        "stages": [{"stage": "material_acquisition", "kg_co2e": "22.5"}],
        "obtained": "modelled",
    }
    signed = chain.simulator.state("https://cathodes.example", PRODUCT_FOOTPRINT, claims)
    paths = ("sub", "contents", "rule_set", "declared_unit", "total", "complete", "obtained")
    evidence = chain.simulator.evidence(sealed={sealed: (), signed.index: paths})
    return document(compute(evidence, Demand(pack), rule_set, [load_release("everbatt-2023")], load_policy()))


def test_a_product_that_is_no_pack_has_no_denominator() -> None:
    chain = SupplyChain()
    chain.cathode("NMC622")
    result = chain.result("https://cathodes.example/NMC622")
    made = document(result)
    assert made["denominator"]["kwh"] is None
    assert made["headline"]["unit"] == "kg CO2e/kg"
    assert made["headline"]["value"] == made["total"]["value"]
    assert heading(result) == "complete"
    assert [stage["id"] for stage in made["stages"]] == ["material_acquisition"]


HOSTILE = "P\n  recycling: 0.000000 kg CO2e/kWh\r\x1b[2J\x9b\u2028\u202e\U000e0001"


def test_texts_of_others_stay_on_their_line(found: Document) -> None:
    """Admission refuses such text; a report is as safe without it."""
    hostile = copy.deepcopy(found)
    finding = {"gate": "g", "level": "hard", "where": HOSTILE, "what": HOSTILE, "remedy": ""}
    sealed = {**dict.fromkeys(("product", "signer", "verification"), HOSTILE), "kg_co2e": "1", "percent": "1"}
    hostile |= {"model": HOSTILE, "findings": [finding], "gaps": [{"where": HOSTILE, "what": HOSTILE}]}
    hostile |= {"assumptions": [HOSTILE], "sealed": [{**sealed, "declared_primary_percent": None}]}
    hostile["stages"][0]["name"] = HOSTILE
    lines = lines_of_text(hostile)
    assert all(line.isprintable() for line in lines)
    assert len(lines) == len(lines_of_text(found)) + sum(
        len(hostile[name]) - len(found[name]) for name in ("findings", "gaps", "assumptions", "sealed")
    )
    assert lines[0].startswith("P\\u000a  recycling")
    assert "\\udb40\\udc01" in lines[0]


def test_a_complete_result_with_findings_says_so(results: dict[str, Result]) -> None:
    whole = replace(results["everbatt-2023-cradle-to-gate"], gaps=(), findings=())
    assert heading(whole) == "complete"
    of = {level: Finding("g", level, "w", "t", "r") for level in ("note", "soft", "hard")}
    for levels, said in (
        (("note",), "complete"),
        (("soft", "note"), "complete, with 1 soft finding"),
        (("hard", "hard", "soft"), "complete, with 2 hard findings and 1 soft finding"),
    ):
        assert heading(replace(whole, findings=tuple(of[level] for level in levels))) == said


# -- comparison ------------------------------------------------------------------------------------------------------


def test_a_document_agrees_with_itself(found: Document) -> None:
    assert first_difference(found, json.loads(document_bytes(found))) is None


@settings(deadline=None)
@given(data=st.data())
def test_any_single_changed_member_is_found_at_its_place(found: Document, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(list(leaves(found))))
    old = member(found, path)
    others = st.none() | st.booleans() | st.integers(-9, 9) | st.text("0123456789abcdefg. -", max_size=12)
    new = data.draw(others.filter(lambda value: type(value) is not type(old) or value != old))
    if close(old, new):
        return
    assert first_difference(found, replaced(found, path, new)) == "/" + "/".join(map(str, path))
    assert first_difference(replaced(found, path, new), found) == "/" + "/".join(map(str, path))


def close(old: Any, new: Any) -> bool:
    """Whether both are texts of about the same number, which a figure may be."""
    try:
        return isinstance(old, str) and isinstance(new, str) and abs(float(old) - float(new)) <= 1e-9 * abs(float(old))
    except ValueError:
        return False


@settings(deadline=None)
@given(data=st.data())
def test_a_missing_or_added_member_is_found(found: Document, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from([path for path in leaves(found) if isinstance(path[-1], str)]))
    shorter = copy.deepcopy(found)
    del member(shorter, path[:-1])[path[-1]]
    where = "/" + "/".join(map(str, path))
    assert first_difference(found, shorter) == first_difference(shorter, found) == where
    longer = replaced(found, (*path[:-1], "added"), "1")
    assert first_difference(found, longer) == where.rpartition("/")[0] + "/added"


def test_a_longer_list_is_found(found: Document) -> None:
    longer = replaced(found, ("gaps",), [*found["gaps"], found["gaps"][0]])
    assert first_difference(found, longer) == "/gaps"


def figures(found: Document) -> list[tuple[str | int, ...]]:
    """Paths of the computed figures."""
    fixed = ("total", "headline", "stages", "contributions", "primary_data_share", "obtained_percent", "denominator")
    return [
        path
        for path in leaves(found)
        if path[0] in fixed
        and "factor" not in path
        and path[-1] not in ("amount", "printed")
        and isinstance(member(found, path), str)
        and re.fullmatch(r"-?[0-9]+\.[0-9]+", member(found, path))
    ]


def test_computed_figures_may_differ_in_the_twelfth_digit_and_no_more(found: Document) -> None:
    assert len(figures(found)) > 80
    for path in figures(found):
        value = float(member(found, path))
        assert first_difference(found, replaced(found, path, repr(value * (1 + 1e-12)))) is None, path
        assert first_difference(found, replaced(found, path, repr(value * (1 + 2e-9)))) is not None, path


@pytest.mark.parametrize(
    "path",
    [
        ("headline", "printed"),
        ("rule_set", "version"),
        ("releases", 0, "version"),
        ("contributions", 0, "amount"),
        ("contributions", 0, "factor", "value"),
        ("inputs", 0, "leaf_hash"),
    ],
)
def test_printed_and_stated_figures_and_names_must_be_equal(found: Document, path: tuple[str | int, ...]) -> None:
    noisy = f"{member(found, path)}0" if path[-1] != "version" else "1.0"
    original = replaced(found, path, "1") if path[-1] == "version" else found
    assert first_difference(original, replaced(found, path, noisy)) == "/" + "/".join(map(str, path))


@pytest.mark.parametrize(("stated", "recomputed"), [(1, 2), ("a", "b"), ([], [1]), (True, 1), ({}, [])])
def test_a_difference_at_the_top_is_one(stated: object, recomputed: object) -> None:
    assert first_difference(stated, recomputed)


def test_a_sealed_model_name_is_printed_as_sealed() -> None:
    chain = SupplyChain()
    pack = chain.pack("LFP", "China", "published_factor")
    index = next(entry.index for entry in chain.simulator.entries if isinstance(entry.record, BatteryModel))
    rule_set = load_rule_set("everbatt-2023-cradle-to-gate")
    evidence = chain.simulator.evidence(sealed={index: ("sub", "contents", "rated_energy")})
    made = document(compute(evidence, Demand(pack), rule_set, [load_release("everbatt-2023")], load_policy()))
    assert (made["model"], made["chemistry"]) == ("sealed", "sealed")
    assert json.loads(document_bytes(made)) == made
