"""What the demo prints of results that are not as the demo's own: other units, other headings, odd names."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from exchange.assembly import Demand
from exchange.demo.play import RULE_SETS, Pack, Played
from exchange.demo.summary import print_summary, summary
from exchange.kinds import ACTIVITY_DATA
from exchange.report import Document
from exchange.verification import Verdict
from tests.exchange.dossier import EVERBATT, PACKS, EverBatt

VERDICT = Verdict("verified", "verified")
BARE = f"{PACKS}/bare"


@pytest.fixture(scope="module")
def bare() -> dict[str, Document]:
    """A pack without battery model, under each rule set."""
    chain = EverBatt()
    piece = {"amount": "1", "unit": "piece", "obtained": "modelled"}
    steel = {"amount": "5000", "unit": "kg", "obtained": "modelled", "name": "steel", "flow": "steel"}
    claims = {
        "sub": BARE,
        "process_class": "pack_assembly",
        "period": {"start": "2026-01-01", "end": "2026-01-31"},
        "outputs": [{**piece, "product": BARE}],
        "inputs": [steel],
        "electricity": [],
    }
    chain.dossier.simulator.state(PACKS, ACTIVITY_DATA, claims)
    return {rule_set: chain.dossier.compute(Demand(BARE), rule_set) for rule_set in RULE_SETS}


def played(everbatt: EverBatt, more: dict[str, Document], model: str = "bare") -> Played:
    """The three packs of the chain, and one more."""
    results = {name: {rule: everbatt.results[name, rule] for rule in RULE_SETS} for name in everbatt.packs}
    packs = [Pack(name, "", "US", "recipe", "", numbered(found)) for name, found in results.items()]
    return Played(packs=[*packs, Pack(model, "", "US", "recipe", BARE, numbered(more))])


def numbered(found: dict[str, Document]) -> dict[str, tuple[str, dict[str, Any]]]:
    return {rule_set: ("", document) for rule_set, document in found.items()}


def printed(told: Played) -> str:
    said: list[str] = []
    print_summary(told, VERDICT, {}, said.append)
    return "\n".join(said)


def test_a_figure_by_the_piece_is_never_shown_as_one_per_kwh(everbatt: EverBatt, bare: dict[str, Document]) -> None:
    told = played(everbatt, bare)
    value = bare[EVERBATT]["headline"]["printed"]
    text = printed(told)
    assert value not in text
    (row, *_) = [line for line in text.splitlines() if line.startswith("bare ")]
    assert row.split("recipe")[1].strip() == "not per kWh"
    assert "partial: 1 of 4 stages, no battery model: bare" in text
    assert "not divided: no battery model is readable: bare" in text
    assert "divided by rated energy 100 kWh: NMC622 factor, NMC622 recipe, LFP recipe" in text


def test_a_figure_by_the_piece_has_its_unit_in_the_json(everbatt: EverBatt, bare: dict[str, Document]) -> None:
    *_, found = summary(played(everbatt, bare), VERDICT, evidence_file="", page="", serve="")["packs"]
    assert found["kg_co2e_per_kwh_capacity"] is None
    for result in found["rule_sets"].values():
        assert result["kg_co2e_per_kwh_capacity"] is result["kg_co2e_per_kwh_delivered"] is None
        assert result["headline"]["unit"] == "kg CO2e/piece"
        assert result["headline"]["value"] > 1000
        assert result["complete"] is False


def test_packs_with_and_without_a_sealed_stage_share_their_columns(everbatt: EverBatt) -> None:
    """The split of one pack is sealed: its column is there for all, and nobody's figures move into another's."""
    found = {rule: copy.deepcopy(everbatt.results["NMC622 recipe", rule]) for rule in RULE_SETS}
    for document in found.values():
        moved = document["stages"][0]
        moved.update(id="sealed", name="sealed", status="sealed")
    rows = [line.split() for line in printed(played(everbatt, found, "odd")).splitlines()]
    heads = [row for row in rows if row[:1] == ["pack"]]
    assert all(head[-1] == "sealed" for head in heads)
    odd = [row for row in rows if row[:1] == ["odd"]]
    assert all(row[4] == "gap" and row[-1] != "gap" for row in odd)
    assert len(odd) == len(heads) == 3


def test_names_of_others_stay_on_their_line(everbatt: EverBatt, bare: dict[str, Document]) -> None:
    hostile = "x\n\x1b[2JIn short: 0 kg\u202e"
    changed = copy.deepcopy(bare)
    for found in changed.values():
        found["findings"] = [{"gate": "g", "level": "hard", "where": "", "what": hostile, "remedy": ""}]
        found["gaps"] = [*found["gaps"], {"where": hostile, "what": hostile}]
        found["assumptions"] = [hostile]
    text = printed(played(everbatt, changed, hostile))
    assert all(line.isprintable() for line in text.split("\n"))
    assert [line for line in text.split("\n") if line.startswith(("In short", "\x1b"))] == [text.split("\n")[-1]]
