"""What a file holds and a result makes nothing of: whatever it is, the verdict tells what the result comes to with it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from exchange.assembly import Demand, Result, compute
from exchange.evidence import Entry, Evidence
from exchange.kinds import ACTIVITY_DATA, DELIVERY, WITHDRAWALS
from exchange.report import Document
from exchange.verification import left_out, verify_evidence
from tests.exchange.dossier import (
    CHINA,
    EVERBATT,
    LITHIUM,
    SALT,
    Dossier,
    EverBatt,
    one_row_release,
    salt_claims,
    small_dossier,
)
from tests.exchange.plant import LFP, NMC, plant, retirement
from tests.exchange.three import CELL, MAKER, PACK, REFINER, World, copper, line, of
from tests.exchange.three import SALT as REFINED

GRID = line("4000", "MWh", supply="grid", geography="CN", id="grid")


def world_of(made: Dossier) -> World:
    assert isinstance(made.simulator, World)
    return made.simulator


def told(made: Dossier, *results: Document) -> list[str]:
    """What the verdict tells of results, in a file that holds everything."""
    verdict = verify_evidence(made.file(results, range(len(made.simulator.issued))), made.trust())
    assert verdict.code in ("verified", "verified_except_sealed"), (verdict.text, verdict.where)
    return [
        limit for limit in verdict.limits if "all that is here" in limit or "newer statements in this file" in limit
    ]


def without(made: Dossier, demand: Demand, rule_set: str, *out: Entry) -> Document:
    """The result of all entries but some."""
    indices = {entry.index for entry in out}
    return made.compute_from([n for n in range(len(made.simulator.issued)) if n not in indices], demand, rule_set)


def figure(found: Document) -> str:
    return f"{found['headline']['printed']} {found['headline']['unit']} ({found['heading']})"


@pytest.fixture
def wind() -> tuple[Dossier, Entry, Entry]:
    """A plant's NMC cells by 4,000 MWh from the grid, which certificates cover; the retirement and the statement."""
    made = Dossier(simulator=World())
    retired = retirement(world_of(made), "wind", 4000)
    cite = made.simulator.cite(retired)
    claim = line("4000", "MWh", generation="wind", month="2026-01", citation=cite, id="wind")
    return made, retired, plant(world_of(made), line("1", "kg", product=NMC), electricity=[GRID], certificates=[claim])


def test_another_product_of_the_site_takes_its_share_of_the_certificates(wind: tuple[Dossier, Entry, Entry]) -> None:
    made, _, _ = wind
    before = made.compute(Demand(NMC), CHINA)
    lfp = plant(world_of(made), line("1", "kg", product=LFP), electricity=[GRID])
    part, full = without(made, Demand(NMC), CHINA, lfp), made.compute(Demand(NMC), CHINA)
    (said,) = told(made, part)
    assert (
        f"without all that is here (entries {lfp.index}): with it, it is {figure(full)} instead of {figure(part)}"
        in said
    )
    # Where it came after the result, that is what is said; with the other product's result beside it, which knew, too.
    (newer,) = told(made, before, made.compute(Demand(LFP), CHINA))
    assert (
        f"at size {lfp.index}; newer statements in this file (entries {lfp.index}) change it: it is {figure(full)}"
        in newer
    )
    assert told(made, full) == []


def test_a_product_that_bears_no_certificate_claims_those_of_its_site(wind: tuple[Dossier, Entry, Entry]) -> None:
    """The other way round: what was left out claims, and the result has none."""
    made, _, nmc = wind
    plant(world_of(made), line("1", "kg", product=LFP), electricity=[GRID])
    part, full = without(made, Demand(LFP), CHINA, nmc), made.compute(Demand(LFP), CHINA)
    assert figure(part) != figure(full)
    (said,) = told(made, part)
    assert f"it is {figure(full)} instead of {figure(part)}" in said


def test_certificates_that_are_retired_twice_are_refused_by_the_rule_set(wind: tuple[Dossier, Entry, Entry]) -> None:
    made, retired, _ = wind
    again = retirement(world_of(made), "wind", 4000, name="b")
    (said,) = told(made, without(made, Demand(NMC), CHINA, again))
    assert (
        f"(entries {again.index}): with it, the rule set refuses it: entries {retired.index} and {again.index}" in said
    )


def test_a_retirement_that_is_left_out_is_found_by_its_citation(wind: tuple[Dossier, Entry, Entry]) -> None:
    made, retired, _ = wind
    part, full = without(made, Demand(NMC), CHINA, retired), made.compute(Demand(NMC), CHINA)
    (said,) = told(made, part)
    assert f"(entries {retired.index}): with it, it is {figure(full)} instead of {figure(part)}" in said


def test_a_hard_finding_is_told_where_the_figure_stays() -> None:
    made = Dossier(simulator=World())
    world = world_of(made)
    world.activity(REFINED, copper("2"))
    stages = [{"stage": "material_acquisition", "kg_co2e": "1000"}]
    days = {"start": "2026-01-01", "end": "2026-01-31"}
    signed = world.footprint(REFINED, total="1000", stages=stages, period=days)
    world.pack(of(REFINED, "3"))
    part, full = without(made, Demand(PACK), EVERBATT, signed), made.compute(Demand(PACK), EVERBATT)
    assert (figure(part), part["findings"]) == (figure(full), [])
    (said,) = told(made, part)
    assert said.endswith(f"(entries {signed.index}): with it, found: hard attested_total at {REFINED}")
    assert told(made, full) == []


def test_a_delivery_that_contradicts_consumption_is_told() -> None:
    made = Dossier(simulator=World())
    world = world_of(made)
    world.activity(REFINED, copper("2"))
    world.activity(CELL, of(REFINED, "3"))
    claims = {"sub": REFINED, "batch": "1", "quantity": line("1"), "buyer": MAKER, "date": "2026-01-17"}
    delivered = world.state(REFINER, DELIVERY, claims)
    (said,) = told(made, without(made, Demand(CELL), EVERBATT, delivered))
    assert f"(entries {delivered.index}): with it, it is " in said
    assert f"; found: hard deliveries at {CELL}" in said
    assert told(made, made.compute(Demand(CELL), EVERBATT)) == []


def test_newer_statements_in_the_file_are_told_as_newer() -> None:
    made = small_dossier(copper="2")
    old = made.compute(Demand(SALT), EVERBATT)
    stated = made.simulator.state(LITHIUM, ACTIVITY_DATA, salt_claims(copper="5"))
    new = made.compute(Demand(SALT), EVERBATT)
    (said,) = told(made, old)
    assert "is of the ledger at size 4; newer statements in this file (entries 4) change it" in said
    assert f"it is {figure(new)} instead of {figure(old)}" in said
    # With both in one file it is said which is older; taken back, what was stated newly counts no more.
    verdict = verify_evidence(made.file([new, old], range(5)), made.trust())
    sizes = (
        f"{old['headline']['printed']} of the ledger at size 4, {new['headline']['printed']} of the ledger at size 5"
    )
    assert f"2 results of {SALT} under {EVERBATT} are here, the oldest first: {sizes}" in verdict.limits
    taken = {"target": made.simulator.cite(stated), "reason": "erred"}
    made.simulator.state(LITHIUM, WITHDRAWALS, taken)
    assert told(made, old) == []
    (said,) = told(made, new)
    assert f"at size 5; newer statements in this file (entries 5) change it: it is {figure(old)}" in said


def test_what_contradicts_a_partial_result_is_told() -> None:
    """The heading of a partial result carries no count of findings."""
    made = Dossier(release=one_row_release())
    made.simulator.join(LITHIUM, "supplier")
    for amount in ("50", "2"):
        claims = salt_claims(copper=amount)
        del claims["electricity"]
        made.simulator.state(LITHIUM, ACTIVITY_DATA, claims)
    part, full = made.compute_from([0, 1, 2, 4], Demand(SALT), EVERBATT), made.compute(Demand(SALT), EVERBATT)
    assert (figure(part), len(full["findings"])) == (figure(full), 1)
    (said,) = told(made, part)
    assert said.endswith(f"(entries 3): with it, found: note contradiction at {SALT}")


def test_nothing_is_computed_twice_where_nothing_more_is_here(
    everbatt: EverBatt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But the one product with signed footprints under three rule sets, of which each result rests on its own."""
    results: Iterable[Document] = everbatt.results.values()
    data, trust = everbatt.dossier.file(list(results)), everbatt.dossier.trust()
    computed: list[Demand] = []

    def spy(evidence: Evidence, demand: Demand, *given: Any) -> Result:
        computed.append(demand)
        return compute(evidence, demand, *given)

    monkeypatch.setattr(left_out, "compute", spy)
    assert verify_evidence(data, trust).code == "verified_except_sealed"
    assert computed == 3 * [Demand(everbatt.packs["LFP recipe"])]


def test_what_was_not_computed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many statements about one product not every result is computed with all the others."""
    made = small_dossier(copper="2")
    results = []
    for amount in ("3", "4", "5"):
        results.append(made.compute(Demand(SALT), EVERBATT))
        made.simulator.state(LITHIUM, ACTIVITY_DATA, salt_claims(copper=amount))
    monkeypatch.setattr(left_out, "_AGAIN", 0)
    monkeypatch.setattr(left_out, "_AGAIN_IN_ANY", 10)
    verdict = verify_evidence(made.file(results, range(7)), made.trust())
    assert any(limit.startswith("1 of 3 results weren't computed with all that is here") for limit in verdict.limits)


def test_a_newer_statement_without_its_contents_is_told() -> None:
    """Nothing is calculated from it; that it is there is a finding, which a result doesn't escape by leaving it out."""
    made = small_dossier(copper="2")
    entry = made.simulator.state(LITHIUM, ACTIVITY_DATA, salt_claims(copper="50"))
    last = len(made.simulator.issued) - 1
    old = made.compute_from(range(last), Demand(SALT), EVERBATT)
    shown = replace(made, sealed={last: ("sub", "period", "outputs", "inputs", "electricity", "process_class")})
    (said,) = told(shown, old)
    assert f"(entries {entry.index})" in said
    assert "newer_statement" in said


def test_the_same_figure_from_worse_data_is_told() -> None:
    made = small_dossier(copper="2")
    text = json.dumps(salt_claims(copper="2")).replace('"measured"', '"assumed"')
    entry = made.simulator.state(LITHIUM, ACTIVITY_DATA, json.loads(text))
    old, new = without(made, Demand(SALT), EVERBATT, entry), made.compute(Demand(SALT), EVERBATT)
    assert (figure(old), old["primary_data_share"]) != (figure(new), new["primary_data_share"])
    (said,) = told(made, old)
    assert "its shares of primary data differ" in said
    assert "its origins differ" in said
