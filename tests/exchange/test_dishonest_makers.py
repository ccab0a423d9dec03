"""A maker who chooses: what counts as made by the rules, and what is told of a result that is right and yet not the whole."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bom_graph import FactorRelease, load_release, load_rule_set, release_bytes
from exchange.assembly import Demand, compute
from exchange.kinds import ACTIVITY_DATA, FACTOR_RELEASE, WITHDRAWALS, load_policy
from exchange.report import Document, document
from exchange.verification import verify_evidence
from tests.exchange.dossier import (
    CHINA,
    EVERBATT,
    LITHIUM,
    SALT,
    Dossier,
    EverBatt,
    refuse,
    salt_claims,
    small_dossier,
)
from tests.simulator import OPERATOR


def made_with(dossier: Dossier, demand: Demand, rule_set: str, releases: Sequence[FactorRelease]) -> Document:
    evidence = dossier.simulator.evidence(sealed=dossier.sealed)
    return document(compute(evidence, demand, load_rule_set(rule_set), list(releases), load_policy()))


@pytest.mark.parametrize("case", ["one of two", "in another order", "one twice"])
def test_the_releases_are_those_of_the_rule_set_in_its_order(case: str, everbatt: EverBatt) -> None:
    """Each of them has an accepted digest: which of them is asked first is the rule set's to say, and not the maker's."""
    first, second = (load_release(name) for name in load_rule_set(CHINA).factor_releases)
    chosen = {"one of two": [second], "in another order": [second, first], "one twice": [first, second, second]}[case]
    pack = Demand(everbatt.packs["NMC622 recipe"])
    found = made_with(everbatt.dossier, pack, CHINA, chosen)
    dossier = everbatt.dossier
    refuse(dossier.file([found]), dossier.trust(), "/releases", "aren't those of its rule set")


def test_a_release_that_was_withdrawn_before_makes_no_result() -> None:
    made = small_dossier()
    release = FactorRelease.read(made.release)
    named = {"id": release.id, "version": release.version, "digest": release.digest}
    stated = made.simulator.state(OPERATOR, FACTOR_RELEASE, named)
    before = made.compute(Demand(SALT), EVERBATT)
    made.simulator.state(OPERATOR, WITHDRAWALS, {"target": made.simulator.cite(stated), "reason": "erred"})
    after = made.compute(Demand(SALT), EVERBATT)
    every = range(len(made.simulator.issued))
    verdict = verify_evidence(made.file([before], every), made.trust())
    assert verdict.code == "verified", (verdict.text, verdict.where)
    assert any(f"entry {stated.index} was withdrawn" in limit for limit in verdict.limits)
    refuse(made.file([after], every), made.trust(), "/releases", "was withdrawn by entry")


def test_what_the_file_holds_and_the_result_left_out_is_told() -> None:
    made = small_dossier()
    made.simulator.state(LITHIUM, ACTIVITY_DATA, salt_claims(copper="5"))
    cheap, whole = made.compute_from(range(4), Demand(SALT), EVERBATT), made.compute(Demand(SALT), EVERBATT)
    assert cheap["headline"] != whole["headline"]
    verdict = verify_evidence(made.file([cheap], range(5)), made.trust())
    assert verdict.code == "verified"
    (told,) = [limit for limit in verdict.limits if "was computed without all that is here" in limit]
    assert "(entries 4)" in told
    assert (
        f"it is {whole['headline']['printed']} kg CO2e/kg (complete) instead of {cheap['headline']['printed']}" in told
    )
    honest = verify_evidence(made.file([whole], range(5)), made.trust())
    assert not any("without all that is here" in limit for limit in honest.limits)


def test_a_result_by_a_published_factor_says_so_wherever_it_is_read() -> None:
    made = Dossier()
    made.simulator.join(LITHIUM, "supplier")
    found = made.compute(Demand(f"{LITHIUM}/pack", "copper"), EVERBATT)
    said = "by the published factor copper, not by statements about the product"
    members = made.members([found])
    assert said in members["report.txt"].decode()
    verdict = verify_evidence(made.written(members), made.trust())
    assert verdict.code == "verified"
    assert f"1 of 1 results: {said}" in verdict.limits


def test_the_release_of_the_software_is_accepted_as_it_is() -> None:
    """The guard of the cases above: the same file with the rule set's own releases is good."""
    made = small_dossier()
    made.release = release_bytes(EVERBATT.rpartition("-cradle")[0])
    found = made_with(made, Demand(SALT), EVERBATT, [load_release("everbatt-2023")])
    assert verify_evidence(made.file([found]), made.trust()).code == "verified"
