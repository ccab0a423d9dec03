"""What a dishonest operator, supplier or pack maker may try: refused where a file can show it, else named among the limits."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from exchange.assembly import Demand
from exchange.kinds import ACTIVITY_DATA, BATTERY_MODEL, KEY_EVENTS, ROLE_GRANT
from exchange.trust import TrustFile
from exchange.verification import entry_folder, verify_evidence
from ledger import NoteSigner
from signer import (
    CertificateAuthority,
    KeyPair,
    enrolment_claims,
    proof_of_possession,
    revocation_claims,
)
from tests.evidence import read_evidence, write_evidence
from tests.exchange.dossier import (
    EVERBATT,
    LITHIUM,
    METALS,
    PACKS,
    SALT,
    Dossier,
    EverBatt,
    Members,
    other_authority,
    refuse,
    salt_claims,
    small_dossier,
)
from tests.simulator import OPERATOR, ORIGIN, START


def rebuilt(
    dossier: Dossier, change: Callable[[int, Members], object], trust: TrustFile, where: str, what: str
) -> None:
    """Change each entry's members of the small result's file, and expect a refusal."""
    found = dossier.compute(Demand(SALT), EVERBATT)
    members = dossier.members([found])
    for index in range(len(dossier.simulator.issued)):
        change(index, members)
    refuse(dossier.written(members), trust, where, what)


def test_an_older_checkpoint_for_one_entry_is_refused(small: Dossier, small_trust: TrustFile) -> None:
    def change(index: int, members: Members) -> None:
        if index == 1:
            members[f"{entry_folder(index)}/proof"] = small.proof(index, 3)

    rebuilt(small, change, small_trust, "entries", "not to one checkpoint")


def test_an_older_checkpoint_is_not_what_the_manifest_says(small_trust: TrustFile) -> None:
    made = small_dossier()
    made.simulator.state(LITHIUM, ACTIVITY_DATA, salt_claims(f"{LITHIUM}/other"))

    def change(index: int, members: Members) -> None:
        if index < 4:
            members[f"{entry_folder(index)}/proof"] = made.proof(index, 4)

    rebuilt(made, change, made.trust(), "manifest.json", "another log or size")


def test_a_result_of_a_larger_log_than_the_checkpoint_is_refused() -> None:
    made = small_dossier()
    made.simulator.state(LITHIUM, ACTIVITY_DATA, salt_claims(f"{LITHIUM}/other"))
    found = made.compute(Demand(SALT), EVERBATT)
    made.simulator.issued.pop()
    refuse(made.file([found]), made.trust(), "results/", "larger ledger")


def test_two_histories_of_one_log_do_not_fit_into_one_file() -> None:
    """The fork's checkpoint is signed by the log's own key, over the same number of entries."""
    honest = small_dossier()
    simulator = honest.simulator
    kept = list(simulator.issued)
    simulator.issued[3] = simulator.sign(LITHIUM, ACTIVITY_DATA, salt_claims(copper="1"))
    fork = honest.proof(1)
    simulator.issued[:] = kept

    def change(index: int, members: Members) -> None:
        if index == 1:
            members[f"{entry_folder(index)}/proof"] = fork

    rebuilt(honest, change, honest.trust(), "entries", "not to one checkpoint")


def test_a_statement_that_was_signed_again_is_refused(small: Dossier, small_trust: TrustFile) -> None:
    """A second signature over the same claims: other bytes than those that were logged."""
    made = replace(small)
    again = resigned(made)

    def change(index: int, members: Members) -> None:
        if index == 3:
            members[f"{entry_folder(index)}/token"] = again.encode()

    rebuilt(made, change, small_trust, f"{entry_folder(3)}: inclusion proof", "root")


def resigned(dossier: Dossier) -> str:
    """The token of entry 3 with another signature by the same key: ECDSA draws a new number each time."""
    signed = dossier.simulator.issued[3].token.rpartition(".")[0]
    signature = dossier.simulator.key(LITHIUM).sign(signed.encode())
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def test_a_statement_that_is_logged_twice_is_refused() -> None:
    made = small_dossier()
    index = made.slip_in(replace(made.simulator.issued[3], token=resigned(made)))
    found = made.compute_from(range(4), Demand(SALT), EVERBATT)
    refuse(made.file([found], range(5)), made.trust(), f"{entry_folder(index)}: token", "a second time")


def test_a_stolen_key_is_refused_after_its_revocation() -> None:
    made = small_dossier()
    simulator = made.simulator
    revoked = simulator.state(
        OPERATOR, KEY_EVENTS, revocation_claims(LITHIUM, simulator.key(LITHIUM).thumbprint, "stolen")
    )
    stolen = made.slip_in(simulator.sign(LITHIUM, ACTIVITY_DATA, salt_claims(copper="0.1")))
    found = made.compute_from(range(4), Demand(SALT), EVERBATT)
    refuse(made.file([found], [0, 1, 2, 3, revoked.index, stolen]), made.trust(), entry_folder(stolen), "revoked")


def slipped(kind: Any, issuer: str, claims: dict[str, Any], enrol: bool = False) -> tuple[bytes, TrustFile, int]:
    """A log whose operator appended a statement without admission, and the file that holds it."""
    made = small_dossier()
    if enrol:
        made.simulator._enrol(issuer)
    index = made.slip_in(made.simulator.sign(issuer, kind, claims))
    found = made.compute_from(range(4), Demand(SALT), EVERBATT)
    return made.file([found], range(index + 1)), made.trust(), index


SLIPPED: dict[str, tuple[Callable[[], tuple[bytes, TrustFile, int]], str, str]] = {
    "certified but not enrolled": (
        lambda: slipped(ACTIVITY_DATA, METALS, salt_claims(f"{METALS}/x")),
        "entry 4",
        "not enrolled",
    ),
    "enrolled but without a role": (
        lambda: slipped(ACTIVITY_DATA, METALS, salt_claims(f"{METALS}/x"), enrol=True),
        "iss",
        "has the roles none",
    ),
    "another's product": (lambda: slipped(ACTIVITY_DATA, LITHIUM, salt_claims(f"{METALS}/x")), "sub", "isn't its own"),
    "another's product by a longer name": (
        lambda: slipped(ACTIVITY_DATA, LITHIUM, salt_claims(f"{LITHIUM}.evil.example/x")),
        "sub",
        "isn't its own",
    ),
    "a role that the operator didn't grant": (
        lambda: slipped(ROLE_GRANT, LITHIUM, {"organisation": LITHIUM, "roles": ["operator"]}),
        "iss",
        "is signed by operator",
    ),
    "a role that there isn't": (
        lambda: slipped(ROLE_GRANT, OPERATOR, {"organisation": LITHIUM, "roles": ["queen"]}),
        "roles/0",
        "",
    ),
    "a citation of itself": (
        lambda: slipped(
            ACTIVITY_DATA,
            LITHIUM,
            salt_claims(
                inputs=[
                    {"name": "x", "product": SALT, "amount": "1", "unit": "kg", "obtained": "measured"}
                    | {"citation": {"origin": ORIGIN, "index": 4, "leaf_hash": "ab" * 32}}
                ]
            ),
        ),
        "citation",
        "isn't before it",
    ),
}


@pytest.mark.parametrize("case", SLIPPED)
def test_what_admission_would_refuse_is_refused_in_the_file(case: str) -> None:
    make, where, what = SLIPPED[case]
    data, trust, index = make()
    verdict = refuse(data, trust, where, what)
    assert str(verdict.where).startswith(entry_folder(index))


def test_amounts_beyond_all_bounds_are_refused_and_not_stumbled_over() -> None:
    """Each statement is in bounds; a total of 1e297 over a rated energy of 1e-99 kWh is not."""
    measured = {"unit": "kg", "obtained": "measured"}
    made = small_dossier(copper="1E99", outputs=[{**measured, "amount": "1E-99", "product": SALT}])
    simulator, pack = made.simulator, f"{PACKS}/pack"
    simulator.join(PACKS, "pack_maker")
    output = {"amount": "1", "unit": "piece", "obtained": "measured", "product": pack}
    part = {**measured, "amount": "1E98", "name": "salt", "product": SALT}
    simulator.state(PACKS, ACTIVITY_DATA, salt_claims(pack, outputs=[output], inputs=[part]))
    found = made.compute(Demand(pack), EVERBATT)
    model = {
        "sub": pack,
        "model": "P",
        "plant": {"name": "plant", "country": "US"},
        "chemistry": "LFP",
        "rated_energy": {"amount": "1E-99", "unit": "kWh", "obtained": "measured"},
        "cycle_points": [{"cycles": "0", "retention": "1"}, {"cycles": "1000", "retention": "0.8"}],
    }
    entry = simulator.state(PACKS, BATTERY_MODEL, model)
    digests = sorted(entry.statement.disclosure_digests)
    found["inputs"].append({"index": entry.index, "leaf_hash": entry.leaf_hash, "disclosures": digests})
    found["snapshot"]["size"] = entry.index + 1
    refuse(made.file([found]), made.trust(), "results/", "")


def log_that_begins_with(authority: CertificateAuthority | None = None) -> Dossier:
    """A log with one entry, by which METALS enrols itself as the operator, certified by the log's CA or by another."""
    made = Dossier()
    simulator = made.simulator
    pair = KeyPair.generate("ES256")
    leaf = (authority or simulator.authority).issue(pair.csr(METALS), METALS, START, START.replace(year=2027))
    simulator.keys[METALS] = pair.with_certificate(leaf)
    possession = proof_of_possession(simulator.key(METALS), ORIGIN, METALS)
    simulator.issued[:] = [simulator.sign(METALS, KEY_EVENTS, enrolment_claims(leaf, possession))]
    return made


def published(made: Dossier) -> bytes:
    """A file that holds entry 0 and a result that rests on nothing else: a published factor."""
    return made.file([made.compute_from([], Demand(f"{METALS}/cathode", "cathode-lfp"), EVERBATT)], [0])


def test_the_operator_is_whom_entry_0_of_this_log_enrols() -> None:
    """A certificate alone makes no operator: entry 0 is what the log's key signed for, and it is named in the steps."""
    made = log_that_begins_with()
    verdict = verify_evidence(published(made), made.trust())
    assert verdict.code == "verified"
    assert f"the operator by entry 0 is {METALS}" in verdict.steps[5].evidence
    foreign = replace(made, log_signer=NoteSigner(ORIGIN, bytes(32)))
    refuse(published(foreign), made.trust(), "entries/000000000000: signed note")


def test_an_entry_0_that_the_trust_file_s_authority_did_not_certify_is_refused() -> None:
    made = log_that_begins_with(other_authority())
    refuse(published(made), made.trust(), "entries/000000000000: certificate")


def test_an_entry_0_that_enrols_nobody_is_refused() -> None:
    made = small_dossier()
    made.simulator.issued[0] = made.simulator.issued[3]
    found = made.compute_from([], Demand("urn:x", "copper"), EVERBATT)
    refuse(made.file([found], [0]), made.trust(), "entries/000000000000: entry 0", "doesn't enrol the operator")


@pytest.mark.parametrize("uri", ["https:/", "https://", f"{LITHIUM}/", LITHIUM.upper(), f"{LITHIUM}/plant"])
def test_an_organisation_that_would_speak_for_another_s_products_is_refused(uri: str) -> None:
    """The operator enrols what the exchange would not: above or below another, or spelled so that it seems to be."""
    made = small_dossier()
    found, simulator = made.compute(Demand(SALT), EVERBATT), made.simulator
    possession = proof_of_possession(simulator.key(uri), ORIGIN, uri)
    made.slip_in(simulator.sign(OPERATOR, KEY_EVENTS, enrolment_claims(simulator.key(uri).certificate, possession)))
    refuse(made.file([found], range(5)), made.trust(), "entries/000000000004: uri", "the URI ")


# -- what this version can't refuse, and says so ---------------------------------------------------------------------


def test_a_newer_statement_that_is_left_out_is_a_limit() -> None:
    """The log holds a newer, higher figure; a result of the older entries alone is what those entries give."""
    made = small_dossier()
    made.simulator.state(LITHIUM, ACTIVITY_DATA, salt_claims(copper="9"))
    cut = made.compute_from(range(4), Demand(SALT), EVERBATT)
    verdict = verify_evidence(made.file([cut]), made.trust())
    assert verdict.code == "verified"
    assert (
        "newer statements that this file leaves out: none known at size 5, on the operator's word" in verdict.limits[0]
    )


def test_a_revocation_that_is_left_out_is_a_limit() -> None:
    made = small_dossier()
    simulator = made.simulator
    simulator.state(OPERATOR, KEY_EVENTS, revocation_claims(LITHIUM, simulator.key(LITHIUM).thumbprint, "stolen"))
    stolen = made.slip_in(simulator.sign(LITHIUM, ACTIVITY_DATA, salt_claims(f"{LITHIUM}/stolen")))
    found = made.compute_from([0, 1, 2, stolen], Demand(f"{LITHIUM}/stolen"), EVERBATT)
    verdict = verify_evidence(made.file([found], [0, 1, 2, stolen]), made.trust())
    assert verdict.code == "verified"
    assert verdict.limits[0].startswith("no status snapshot is here; key events (enrolments, revocations)")
    assert "a stolen key counts until its revocation is logged" in " ".join(verdict.limits)


def test_that_a_key_was_enrolled_beside_another_is_a_limit_where_the_first_is_left_out() -> None:
    """The operator enrols a key of its own in a supplier's name, and signs with it."""
    made = small_dossier()
    simulator = made.simulator
    pair = KeyPair.generate("ES256")
    leaf = simulator.authority.issue(pair.csr(LITHIUM), LITHIUM, START, START + timedelta(days=365))
    key = pair.with_certificate(leaf)
    proof = proof_of_possession(key, ORIGIN, LITHIUM)
    second = simulator.state(OPERATOR, KEY_EVENTS, enrolment_claims(key.certificate, proof)).index
    simulator.keys[LITHIUM] = key
    stated = simulator.state(LITHIUM, ACTIVITY_DATA, salt_claims(copper="0.1")).index
    whole = verify_evidence(made.file([made.compute(Demand(SALT), EVERBATT)]), made.trust())
    said = f"entry {stated}: re-enrolled by the operator at {second}"
    limit = "that the operator enrolled a second key in somebody's name shows only beside enrolments before it"
    assert said in whole.limits
    kept = [index for index in range(stated + 1) if index not in (1, 3)]
    cut = verify_evidence(made.file([made.compute_from(kept, Demand(SALT), EVERBATT)], kept), made.trust())
    assert cut.code == whole.code == "verified"
    assert said not in cut.limits
    assert any(one.startswith(limit) for one in cut.limits)


def test_a_file_for_somebody_else_is_a_limit(small_file: bytes, small: Dossier, small_trust: TrustFile) -> None:
    _, members = read_evidence(small_file)
    data = write_evidence(members, {"origin": ORIGIN, "reader": "https://else.example", "size": 4})
    verdict = verify_evidence(data, small_trust)
    assert verdict.code == "verified"
    assert "its maker chose its entries and wrote that it is for https://else.example" in " ".join(verdict.limits)


def test_a_recipe_left_out_leaves_a_gap(everbatt: EverBatt, trust: TrustFile) -> None:
    """Without the cathode's entries the result is what the rest gives, headed partial: not zero, and not complete."""
    dossier = everbatt.dossier
    hidden: dict[int, tuple[str, ...]] = {everbatt.entries["NMC622"].index: ()}
    found = dossier.compute(Demand(everbatt.packs["NMC622 recipe"]), EVERBATT, hidden)
    verdict = verify_evidence(replace(dossier, sealed=hidden).file([found]), trust)
    assert verdict.code == "verified"
    assert next(iter(verdict.results.values()))["complete"] is False
    assert any("nothing is known of" in gap["what"] for gap in next(iter(verdict.results.values()))["gaps"])
    assert float(found["total"]["value"]) < float(everbatt.results["NMC622 recipe", EVERBATT]["total"]["value"])
