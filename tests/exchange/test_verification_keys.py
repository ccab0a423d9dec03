"""What key events say about the statements below a result, in the verdict on an evidence file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate

from bom_graph import load_release, load_rule_set, release_bytes, rule_set_bytes
from exchange.kinds import ACTIVITY_DATA, KEY_EVENTS, load_policy, policy_bytes
from exchange.report import digest, document, document_bytes
from exchange.trust import TrustFile
from exchange.verification import POLICY, REPORT, ReportPart, Verdict, entry_folder, report_text, verify_evidence
from ledger import (
    Checkpoint,
    NoteSigner,
    format_proof,
    inclusion_proof,
    leaf_hash,
    nodes_of,
    root,
    sign_checkpoint,
)
from signer import KeyPair, compromise_claims, enrolment_claims, proof_of_possession
from tests.connectors.supply_chain import CATHODES, SupplyChain
from tests.evidence import write_evidence
from tests.simulator import OPERATOR, ORIGIN, START

RULE_SET, RELEASE = "everbatt-2023-cradle-to-gate", "everbatt-2023"
LOG = NoteSigner(ORIGIN, bytes(32))


@dataclass
class Played:
    """A supply chain with a pack, whose evidence can be written and verified."""

    chain: SupplyChain
    pack: str

    def trust(self) -> TrustFile:
        authority = load_der_x509_certificate(self.chain.simulator.authority.certificate)
        return TrustFile(
            origin=ORIGIN,
            log_key=str(LOG.log_key),
            authorities=(authority.public_bytes(Encoding.PEM).decode(),),
            rule_sets=frozenset({load_rule_set(RULE_SET).digest}),
            factor_releases=frozenset({load_release(RELEASE).digest}),
            policies=frozenset({load_policy().digest}),
        )

    def evidence(self) -> bytes:
        """Everything that the log holds, with the pack's result."""
        result = document(self.chain.result(self.pack, RULE_SET))
        issued = self.chain.simulator.issued
        hashes = [leaf_hash(one.token.encode()) for one in issued]
        note = sign_checkpoint(Checkpoint(ORIGIN, len(hashes), root(hashes)), LOG)
        members = {POLICY: policy_bytes(), REPORT: report_text([ReportPart.of(digest(result), result)]).encode()}
        members[f"results/{digest(result)}.json"] = document_bytes(result)
        members[f"rules/{RULE_SET}.json"] = rule_set_bytes(RULE_SET)
        members[f"factors/{RELEASE}.json"] = release_bytes(RELEASE)
        for index, one in enumerate(issued):
            members[f"{entry_folder(index)}/token"] = one.token.encode()
            members[f"{entry_folder(index)}/disclosures"] = "".join(f"{text}\n" for text in one.disclosures).encode()
            proof = format_proof(index, inclusion_proof(nodes_of(hashes), index, len(hashes)), note)
            members[f"{entry_folder(index)}/proof"] = proof.encode()
        return write_evidence(members, {"origin": ORIGIN, "reader": "auditor", "size": len(hashes)})

    def verdict(self) -> Verdict:
        return verify_evidence(self.evidence(), self.trust())

    def new_key(self) -> KeyPair:
        pair = KeyPair.generate("ES256")
        authority = self.chain.simulator.authority
        leaf = authority.issue(pair.csr(CATHODES), CATHODES, START, START + timedelta(days=365))
        return pair.with_certificate(leaf)

    def re_enrol(self, pair: KeyPair) -> int:
        claims = enrolment_claims(pair.certificate, proof_of_possession(pair, ORIGIN, CATHODES))
        return self.chain.simulator.state(OPERATOR, KEY_EVENTS, claims).index

    def compromise(self, since: int) -> None:
        claims = compromise_claims(CATHODES, self.chain.simulator.key(CATHODES).thumbprint, since, "laptop stolen")
        self.chain.simulator.state(CATHODES, KEY_EVENTS, claims)


@pytest.fixture
def played() -> Played:
    chain = SupplyChain()
    return Played(chain, chain.pack("NMC622", "US", "recipe"))


def test_the_policys_digest_stands_in_the_verdict(played: Played) -> None:
    found = played.verdict()
    assert (found.code, found.exit_code) == ("verified", 0)
    assert found.policy == load_policy().digest
    assert f"by policy {load_policy().digest}" in found.steps[4].evidence


def test_a_file_that_does_not_come_to_its_policy_has_none(played: Played) -> None:
    found = verify_evidence(played.evidence()[:-1], played.trust())
    assert (found.code, found.policy) == ("rejected", None)


def test_a_result_on_suspect_statements_is_not_decidable(played: Played) -> None:
    played.compromise(since=played.chain.cathode("NMC622").index)
    found = played.verdict()
    assert (found.code, found.exit_code) == ("not_decidable", 3)
    assert "suspect" in found.text
    cathode = played.chain.cathode("NMC622").index
    assert any(limit.startswith(f"entry {cathode}: the key was declared compromised") for limit in found.limits)
    assert found.policy == load_policy().digest


def test_a_compromise_after_the_statements_leaves_them_alone(played: Played) -> None:
    before = played.verdict()
    played.compromise(since=len(played.chain.simulator.issued))
    after = played.verdict()
    assert (after.code, len(after.limits)) == ("verified", len(before.limits))


def test_a_statement_under_a_re_enrolled_key_says_so(played: Played) -> None:
    simulator = played.chain.simulator
    simulator.keys[CATHODES] = played.new_key()
    index = played.re_enrol(simulator.keys[CATHODES])
    claims = {
        "sub": f"{CATHODES}/other",
        "process_class": "material_production",
        "period": {"start": "2026-01-01", "end": "2026-01-31"},
        "outputs": [{"product": f"{CATHODES}/other", "amount": "1", "unit": "kg", "obtained": "measured"}],
    }
    stated = simulator.state(CATHODES, ACTIVITY_DATA, claims).index
    found = played.verdict()
    assert found.code == "verified"
    assert f"entry {stated}: re-enrolled by the operator at {index}" in found.limits
