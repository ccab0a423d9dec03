"""Evidence files made in memory: the simulator's statements with real ledger proofs, one checkpoint, and computed results."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate

from bom_graph import (
    FactorRelease,
    RuleSet,
    load_release,
    load_rule_set,
    release_bytes,
    rule_set_bytes,
    rule_set_ids,
)
from connectors.everbatt import (
    CellPlant,
    Source,
    battery_model,
    cathode_activity,
    cell_activity,
    cell_bill,
    pack_activity,
    pack_bill,
    salt_activity,
)
from exchange.admission import GOVERNING_KINDS, Admission
from exchange.assembly import Demand, RefusedError, compute
from exchange.demo.play import footprint_claims
from exchange.evidence import Entry, Evidence
from exchange.kinds import (
    ACTIVITY_DATA,
    BATTERY_MODEL,
    BILL_OF_MATERIALS,
    FACTOR_RELEASE,
    POLICY_RELEASE,
    PRODUCT_FOOTPRINT,
    RULE_SET_RELEASE,
    load_policy,
    policy_bytes,
)
from exchange.report import Document, digest, document, document_bytes
from exchange.trust import TrustFile
from exchange.verification import (
    POLICY,
    REPORT,
    TRUST_SUGGESTION,
    ReportPart,
    Verdict,
    entry_folder,
    report_text,
    verify_evidence,
)
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
from signer import CertificateAuthority, Issued, KeyPair, disclose, leaf_bytes, peek
from tests.connectors.supply_chain import tables
from tests.evidence import read_evidence, write_evidence
from tests.simulator import OPERATOR, ORIGIN, START, Simulator

RELEASE = "everbatt-2023"
EVERBATT, CHINA, EUROPE = "everbatt-2023-cradle-to-gate", "cn-miit-551-trial", "eu-cfb-draft-2024-partial"
RULE_SETS = (CHINA, EUROPE, EVERBATT)
LITHIUM, METALS = "https://lithium.example", "https://metals.example"
NMC, LFP = "https://nmc-cathodes.example", "https://lfp-cathodes.example"
CELLS, PACKS = "https://cells.example", "https://packs.example"
READER = PACKS
SALT = f"{LITHIUM}/salt"
_SITE = {"name": "plant 1", "country": "US", "grid": "US"}
_SALTS = (
    (LITHIUM, "lithium-carbonate", "Lithium carbonate", "Li2CO3"),
    (LITHIUM, "lithium-hydroxide", "Lithium hydroxide", "LiOH"),
    (METALS, "nickel-sulfate", "Nickel sulfate", "NiSO4"),
    (METALS, "cobalt-sulfate", "Cobalt sulfate", "CoSO4"),
    (METALS, "manganese-sulfate", "Manganese sulfate", "MnSO4"),
)
Members = dict[str, bytes]
_GOVERNING = {*GOVERNING_KINDS, FACTOR_RELEASE.vct, RULE_SET_RELEASE.vct, POLICY_RELEASE.vct}


@dataclass
class Dossier:
    """A log with its statements, and evidence files for one reader. `sealed` says which paths of an entry the reader holds."""

    simulator: Simulator = field(default_factory=Simulator)
    log_signer: NoteSigner = field(default_factory=lambda: NoteSigner(ORIGIN, bytes(range(32))))
    sealed: dict[int, tuple[str, ...]] = field(default_factory=dict)
    release: bytes = field(default_factory=lambda: release_bytes(RELEASE))

    # -- what is made --------------------------------------------------------------------------------------------------

    def compute(self, demand: Demand, rule_set: str, sealed: Mapping[int, tuple[str, ...]] | None = None) -> Document:
        """The result for the reader, or for somebody from whom other entries are sealed."""
        evidence = self.simulator.evidence(sealed=self.sealed if sealed is None else sealed)
        return document(
            compute(evidence, demand, load_rule_set(rule_set), list(self._releases(rule_set).values()), load_policy())
        )

    def compute_from(self, indices: Iterable[int], demand: Demand, rule_set: str) -> Document:
        """The result of the entries `indices` alone, as of the whole log."""
        reading, issued = Admission(self.simulator.trust, self.simulator.policy), self.simulator.issued
        entries = [reading.admit(n, issued[n].token, issued[n].disclosures, at=None) for n in indices]
        evidence = Evidence(ORIGIN, len(issued), entries)
        return document(
            compute(evidence, demand, load_rule_set(rule_set), list(self._releases(rule_set).values()), load_policy())
        )

    def trust(self, **changes: Any) -> TrustFile:
        """The trust file of this log, or one that differs."""
        pem = load_der_x509_certificate(self.simulator.authority.certificate).public_bytes(Encoding.PEM).decode()
        anchors: dict[str, Any] = {
            "origin": ORIGIN,
            "log_key": str(self.log_signer.log_key),
            "authorities": (pem,),
            "rule_sets": frozenset(load_rule_set(name).digest for name in rule_set_ids()),
            "factor_releases": frozenset(release.digest for release in self._releases(CHINA).values()),
            "policies": frozenset({load_policy().digest}),
        }
        return TrustFile(**{**anchors, **changes})

    def members(self, results: Sequence[Document], indices: Iterable[int] | None = None) -> Members:
        """The members of the evidence file of `results`, with the governing entries, or with the entries `indices`."""
        needed = {item["index"] for found in results for item in found["inputs"]}
        governing = {n for n, one in enumerate(self.simulator.issued) if peek(one.token).vct in _GOVERNING}
        if indices is not None:
            governing, needed = set(), set(indices)
        members = self._entries(sorted(governing | needed), needed)
        for found in results:
            name = found["rule_set"]["id"]
            members[f"rules/{name}.json"] = rule_set_bytes(name)
            for release in found["releases"]:
                members[f"factors/{release['id']}.json"] = self._release_bytes(release["id"])
        members[POLICY] = policy_bytes()
        members[TRUST_SUGGESTION] = self.trust().document()
        return with_results(members, results)

    def file(self, results: Sequence[Document], indices: Iterable[int] | None = None) -> bytes:
        """The evidence file of `results` for the reader."""
        return self.written(self.members(results, indices))

    def written(self, members: Mapping[str, bytes]) -> bytes:
        """An evidence file of `members`, with a manifest that fits them."""
        return write_evidence(members, {"origin": ORIGIN, "reader": READER, "size": len(self.simulator.issued)})

    def checkpoint(self, size: int | None = None) -> str:
        """The signed checkpoint of the log at `size`."""
        hashes = self._hashes(size)
        return sign_checkpoint(Checkpoint(ORIGIN, len(hashes), root(hashes)), self.log_signer)

    def proof(self, index: int, size: int | None = None) -> bytes:
        """The proof file of an entry, to the checkpoint at `size`."""
        hashes = self._hashes(size)
        path = inclusion_proof(nodes_of(hashes), index, len(hashes))
        return format_proof(index, path, self.checkpoint(size)).encode()

    def disclosures(self, index: int) -> bytes:
        """The disclosures that the reader holds of an entry, as the file holds them."""
        issued = self.simulator.issued[index]
        given = issued.disclosures
        if index in self.sealed:
            given = disclose(issued.token, issued.disclosures, self.sealed[index])
        return "".join(f"{text}\n" for text in given).encode()

    def slip_in(self, issued: Issued) -> int:
        """Append a statement as a dishonest operator can, without admission; return its index."""
        self.simulator.issued.append(issued)
        # The simulator numbers entries by this list; nobody reads the copy.
        self.simulator.entries.append(self.simulator.entries[0])
        return len(self.simulator.issued) - 1

    def _entries(self, indices: Sequence[int], needed: set[int]) -> Members:
        members: Members = {}
        hashes = self._hashes(None)
        nodes, checkpoint = cache(nodes_of(hashes)), self.checkpoint()
        for index in indices:
            folder = entry_folder(index)
            members[f"{folder}/token"] = self.simulator.issued[index].token.encode()
            members[f"{folder}/disclosures"] = self.disclosures(index) if index in needed else b""
            path = inclusion_proof(nodes, index, len(hashes))
            members[f"{folder}/proof"] = format_proof(index, path, checkpoint).encode()
        return members

    def _release_bytes(self, name: str) -> bytes:
        return self.release if name == RELEASE else release_bytes(name)

    def _releases(self, rule_set: str) -> dict[str, FactorRelease]:
        named = load_rule_set(rule_set).factor_releases
        return {name: FactorRelease.read(self._release_bytes(name)) for name in named}

    def _hashes(self, size: int | None) -> list[bytes]:
        return [leaf_hash(leaf_bytes(issued.token)) for issued in self.simulator.issued[:size]]


def with_results(members: Mapping[str, bytes], results: Sequence[Document]) -> Members:
    """`members` with these results in place of the others, and their report."""
    named = {f"results/{digest(found)}.json": found for found in results}
    kept = {name: data for name, data in members.items() if not name.startswith("results/")}
    report = report_text(ReportPart.of(name, found) for name, found in named.items()).encode()
    return {**kept, **{name: document_bytes(found) for name, found in named.items()}, REPORT: report}


def renamed_results(members: Members, data: bytes) -> Members:
    """`members` with one result of these bytes, under the name that belongs to them."""
    kept = {name: value for name, value in members.items() if not name.startswith("results/")}
    return {**kept, f"results/{hashlib.sha256(data).hexdigest()}.json": data}


def remade(data: bytes, change: Callable[[Members], object]) -> bytes:
    """The evidence file after `change` of its members, with a manifest and digests that fit again."""
    manifest, members = read_evidence(data)
    change(members)
    return write_evidence(members, {name: manifest[name] for name in ("origin", "reader", "size")})


def other_authority() -> CertificateAuthority:
    return CertificateAuthority.create(
        "Other CA", KeyPair.generate("ES256"), START.replace(year=2025), START.replace(year=2035)
    )


# -- worlds ----------------------------------------------------------------------------------------------------------


def small_dossier(**salt: Any) -> Dossier:
    """A log with one supplier, LITHIUM, and its activity data about one product (entry 3)."""
    made = Dossier(release=one_row_release())
    made.simulator.join(LITHIUM, "supplier")
    made.simulator.state(LITHIUM, ACTIVITY_DATA, salt_claims(**salt))
    return made


def one_row_release() -> bytes:
    """The factor release with nothing in it but copper, so that a file of it is small."""
    release = json.loads(release_bytes(RELEASE))
    rows = [row for row in release["rows"] if row["flow"] == "copper"]
    return json.dumps({**release, "rows": rows, "proxies": []}).encode()


def salt_claims(product: str = f"{LITHIUM}/salt", copper: str = "2", **more: Any) -> dict[str, Any]:
    """One kilogram of a product made of copper."""
    line = {"unit": "kg", "obtained": "measured"}
    return {
        "sub": product,
        "process_class": "material_production",
        "period": {"start": "2026-01-01", "end": "2026-01-31"},
        "outputs": [{**line, "amount": "1", "product": product}],
        "inputs": [{**line, "amount": copper, "name": "copper", "flow": "copper"}],
        "electricity": [],
        **more,
    }


@dataclass
class EverBatt:
    """The demo's chain in one log: three packs, NMC622 by published factor and by granted recipe, LFP with a sealed recipe."""

    dossier: Dossier = field(default_factory=Dossier)
    entries: dict[str, Entry] = field(default_factory=dict)
    packs: dict[str, str] = field(default_factory=dict)
    results: dict[tuple[str, str], Document] = field(default_factory=dict)

    def __post_init__(self) -> None:
        simulator = self.dossier.simulator
        for maker in (LITHIUM, METALS, NMC, LFP, CELLS):
            simulator.join(maker, "supplier")
        simulator.join(PACKS, "pack_maker")
        self._publish()
        salts = {flow: self._salt(maker, flow, name, formula) for maker, flow, name, formula in _SALTS}
        for maker, chemistry in ((NMC, "NMC622"), (LFP, "LFP")):
            claims = cathode_activity(tables(), chemistry, f"{maker}/cathode", _SITE, salts)
            self.entries[chemistry] = simulator.state(maker, ACTIVITY_DATA, claims)
        self.dossier.sealed[self.entries["LFP"].index] = ()
        for rule_set in RULE_SETS:
            self._sign_footprint(rule_set)
        self._pack("NMC622", "factor", Source())
        for chemistry, maker in (("NMC622", NMC), ("LFP", LFP)):
            self._pack(chemistry, "recipe", Source(f"{maker}/cathode", simulator.cite(self.entries[chemistry])))
        for name, pack in self.packs.items():
            for rule_set in RULE_SETS:
                self.results[name, rule_set] = self.dossier.compute(Demand(pack), rule_set)

    def _publish(self) -> None:
        state = self.dossier.simulator.state
        rules: list[RuleSet | FactorRelease] = [load_rule_set(name) for name in rule_set_ids()]
        for published in (*rules, load_release("authorities-2026"), load_release(RELEASE), load_policy()):
            kind = {RuleSet: RULE_SET_RELEASE, FactorRelease: FACTOR_RELEASE}.get(type(published), POLICY_RELEASE)
            named = {"id": published.id, "version": published.version, "digest": published.digest}
            state(OPERATOR, kind, named)

    def _salt(self, maker: str, flow: str, name: str, formula: str) -> Source:
        product = f"{maker}/{flow}"
        claims = salt_activity(product, flow, name, formula, _SITE)
        self.entries[flow] = self.dossier.simulator.state(maker, ACTIVITY_DATA, claims)
        return Source(product, self.dossier.simulator.cite(self.entries[flow]))

    def _sign_footprint(self, rule_set: str) -> None:
        """LFP's maker computes what it holds and signs it; where that is refused, the published factor, with the finding."""
        product = f"{LFP}/cathode"
        try:
            found = self.dossier.compute(Demand(product), rule_set, {})
        except RefusedError:
            found = self.dossier.compute(Demand(product, "cathode-lfp"), rule_set, {})
        claims = footprint_claims(digest(found), found)
        self.entries[f"footprint {rule_set}"] = self.dossier.simulator.state(LFP, PRODUCT_FOOTPRINT, claims)

    def _pack(self, chemistry: str, cathode: str, source: Source) -> None:
        simulator, name = self.dossier.simulator, f"{chemistry} {cathode}"
        cell, pack = (f"{maker}/{name.replace(' ', '-').lower()}" for maker in (CELLS, PACKS))
        bill = simulator.state(CELLS, BILL_OF_MATERIALS, cell_bill(tables(), chemistry, cell, source))
        plant = CellPlant("cells", "US", "US-CA")
        simulator.state(CELLS, ACTIVITY_DATA, cell_activity(tables(), chemistry, cell, plant))
        cells = Source(cell, simulator.cite(bill))
        simulator.state(PACKS, BILL_OF_MATERIALS, pack_bill(tables(), chemistry, pack, cells))
        simulator.state(PACKS, ACTIVITY_DATA, pack_activity(tables(), pack, _SITE))
        mass = next(row["pack_mass_kg"] for row in tables().expected if row["chemistry"] == chemistry)
        model = battery_model(tables(), chemistry, pack, model=name, plant=_SITE, mass_kg=mass)
        self.entries[f"model {name}"] = simulator.state(PACKS, BATTERY_MODEL, model)
        self.packs[name] = pack


# -- checks ----------------------------------------------------------------------------------------------------------


def refuse(data: bytes, trust: TrustFile | None, where: str, what: str = "") -> Verdict:
    """The verdict on a file that has to be rejected at `where`, because of `what`."""
    verdict = verify_evidence(data, trust)
    assert verdict.code == "rejected", verdict.text
    assert verdict.exit_code == 1
    assert where in str(verdict.where), (verdict.text, verdict.where)
    assert what in verdict.text
    assert verdict.remedy
    assert (verdict.results, verdict.limits) == ({}, ())
    return verdict
