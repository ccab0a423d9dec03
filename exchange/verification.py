"""Offline verification of an evidence file: redoes every arrow from the bytes to the printed figure. Pure.

Steps, in the order of the code:
1. file: the archive is exactly what its manifest says.
2. anchors: log key, authorities and accepted digests come from the trust file, never from the evidence.
3. ledger: the checkpoint is the log's; every entry is included in it at its index.
4. statements: signature, certificate, disclosures, key, role, record, citations of every entry.
5. rules: rule sets, factor releases and policy are accepted ones.
6. results: every figure is computed again from the entries and agrees.
7. report: the text is the text of the results.

What it can't show is said in `limits`: absence of later key events or corrections rests on the operator's word.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bom_graph import BomGraphError, FactorRelease, RuleSet
from exchange.admission import Admission
from exchange.assembly import ENGINE, Demand, RefusedError, compute
from exchange.errors import EvidenceError, ExchangeError, RejectedError, UndecidableError
from exchange.evidence import Entry, Evidence
from exchange.evidence_file import read_evidence
from exchange.kinds import Policy
from exchange.report import Document, document, first_difference, lines_of_text
from exchange.trust import TrustFile
from ledger import LedgerError, leaf_hash, parse_proof, verify_proof
from signer import KEY_EVENT, UNDATED, Interval, SignerError, judge
from signer import Verdict as Standing

TRUST_SUGGESTION = "trust.json"
REPORT = "report.txt"
POLICY = "policy.json"
_REMEDY = "do not rely on it; ask its maker for the file again and report the place"


@dataclass(frozen=True, slots=True)
class Step:
    """A step that passed: what was checked, and on what evidence."""

    number: int
    name: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What verification found. `code` is one of verified, verified_except_sealed, trust_on_first_use, not_decidable, rejected.

    `policy` is the digest (hex SHA-256) of the policy by which signers were judged; None where it came to none.
    """

    code: str
    text: str
    steps: tuple[Step, ...] = ()
    results: tuple[Document, ...] = field(default=(), repr=False)
    limits: tuple[str, ...] = ()
    where: str | None = None
    remedy: str | None = None
    policy: str | None = None

    @property
    def exit_code(self) -> int:
        """0 verified, 1 rejected, 3 not decidable or trust on first use."""
        return {"verified": 0, "verified_except_sealed": 0, "rejected": 1}.get(self.code, 3)


Progress = Callable[[int, str], None]


def verify_evidence(data: bytes, trust: TrustFile | None, progress: Progress | None = None) -> Verdict:
    """Return the verdict on an evidence file. Without `trust` the file's own suggestion is used, and the verdict says so.

    Never raises for bad content: that is the verdict `rejected`, with the place.
    """
    verification = _Verification(data, trust, progress or (lambda _number, _name: None))
    try:
        return verification.run()
    except UndecidableError as error:
        return verification.verdict("not_decidable", f"not decidable: {error.what}", error)
    except (ExchangeError, SignerError, LedgerError, BomGraphError) as error:
        return verification.verdict("rejected", f"rejected: {error.what}", error)


@dataclass(frozen=True, slots=True)
class _Rules:
    """The accepted rule sets and factor releases by digest, and the policy."""

    rule_sets: dict[str, RuleSet]
    releases: dict[str, FactorRelease]
    policy: Policy


class _Verification:
    """One run: the steps in order, each leaving what the next one needs."""

    def __init__(self, data: bytes, trust: TrustFile | None, progress: Progress) -> None:
        self.data = data
        self.given = trust
        self.progress = progress
        self.steps: list[Step] = []
        self.policy: str | None = None
        self.standings: list[Standing] = []

    def run(self) -> Verdict:
        self._open()
        trust = self._anchors()
        size = self._ledger(trust)
        policy = self._policy(trust)
        evidence = self._statements(trust, policy, size)
        results = self._results(evidence, self._rules(trust, policy))
        self._report(results)
        return self._conclude(trust, results, size)

    def verdict(self, code: str, text: str, error: Any = None, **more: Any) -> Verdict:
        where = remedy = None
        if error is not None:
            where, remedy = self._place(str(error.where)), error.remedy
        return Verdict(code, text, steps=tuple(self.steps), where=where, remedy=remedy, policy=self.policy, **more)

    # -- steps -----------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        self._at = ""
        self.progress(1, "file")
        self.manifest, self.members = read_evidence(self.data)
        reader = self.manifest.get("reader")
        self._passed(1, "file", f"{len(self.members)} files as their digests say, made for {reader}")

    def _anchors(self) -> TrustFile:
        self.progress(2, "anchors")
        if self.given is not None:
            self._passed(2, "anchors", f"trust file {self.given.fingerprint[:17]}, log {self.given.origin}")
            return self.given
        trust = TrustFile.read(self._member(TRUST_SUGGESTION), where=TRUST_SUGGESTION)
        self._passed(2, "anchors", f"UNCHECKED: the file's own suggestion, fingerprint {trust.fingerprint}")
        return trust

    def _ledger(self, trust: TrustFile) -> int:
        self.progress(3, "ledger")
        self.indices = sorted({_index(name) for name in self.members if name.startswith("entries/")})
        sizes = set()
        for index in self.indices:
            self._at = entry_folder(index)
            proof = parse_proof(self._member(f"{self._at}/proof"))
            if proof.index != index:
                raise RejectedError(f"the proof is for entry {proof.index}", where="proof", remedy=_REMEDY)
            checkpoint = verify_proof(proof, leaf_hash(self._member(f"{self._at}/token")), trust.key)
            sizes.add((checkpoint.size, checkpoint.root))
        self._at = ""
        if len(sizes) != 1:
            raise RejectedError("the proofs are not to one checkpoint", where="entries", remedy=_REMEDY)
        size, root = sizes.pop()
        self._passed(
            3,
            "ledger",
            f"{len(self.indices)} entries included in the checkpoint of size {size}, root {root.hex()[:16]}",
        )
        return size

    def _policy(self, trust: TrustFile) -> Policy:
        policy = Policy.read(self._member(POLICY))
        if policy.digest not in trust.policies:
            raise self._unaccepted("policy", policy.id, POLICY)
        self.policy = policy.digest
        return policy

    def _statements(self, trust: TrustFile, policy: Policy, size: int) -> Evidence:
        self.progress(4, "statements")
        admission = Admission(trust.signers, policy)
        entries: list[Entry] = []
        for index in self.indices:
            self._at = entry_folder(index)
            token = self._text(f"{self._at}/token")
            disclosures = self._text(f"{self._at}/disclosures").split("\n")
            entries.append(admission.admit(index, token, [line for line in disclosures if line], at=None))
        self._at = ""
        # Judged once all key events of the file are known: a later one may say that a key was not its owner's alone. Key events
        # themselves count through the keys that they brought in; those of uninvolved organisations are here too.
        self.standings = [_standing(entry, admission) for entry in entries if entry.statement.vct != KEY_EVENT.vct]
        signers = {entry.statement.issuer for entry in entries}
        what = f"{len(entries)} statements of {len(signers)} organisations, keys, roles and citations"
        self._passed(4, "statements", f"{what}, by policy {policy.digest}")
        return Evidence(trust.origin, size, entries)

    def _rules(self, trust: TrustFile, policy: Policy) -> _Rules:
        self.progress(5, "rules")
        rule_sets = {}
        for name in self._below("rules/"):
            rule_set = RuleSet.read(self.members[name])
            if rule_set.digest not in trust.rule_sets:
                raise self._unaccepted("rule set", rule_set.id, name)
            rule_sets[rule_set.digest] = rule_set
        releases = {}
        for name in self._below("factors/"):
            release = FactorRelease.read(self.members[name])
            if release.digest not in trust.factor_releases:
                raise self._unaccepted("factor release", release.id, name)
            releases[release.digest] = release
        self._passed(
            5, "rules", f"{len(rule_sets)} rule sets, {len(releases)} factor releases, policy: accepted digests"
        )
        return _Rules(rule_sets, releases, policy)

    def _results(self, evidence: Evidence, rules: _Rules) -> list[Document]:
        self.progress(6, "results")
        found = []
        for name in self._below("results/"):
            stated = self._json(name)
            if stated.get("engine") != ENGINE:
                raise UndecidableError(
                    f"the result was computed by {stated.get('engine')}, this is {ENGINE}",
                    where=name,
                    remedy="use that version",
                )
            again = self._recompute(name, stated, evidence, rules)
            if place := first_difference(stated, again):
                raise RejectedError("the figure is not what the entries give", where=f"{name}{place}", remedy=_REMEDY)
            found.append(again)
        if not found:
            raise EvidenceError("there is no result in the file", where="results", remedy=_REMEDY)
        self._passed(6, "results", f"{len(found)} results computed again, every figure within 1e-9")
        return found

    def _recompute(self, name: str, stated: Document, evidence: Evidence, rules: _Rules) -> Document:
        """Compute a result again from exactly the entries that it names, as of the size that it names."""
        try:
            demand = Demand(stated["demand"]["product"], stated["demand"]["flow"])
            rule_set = rules.rule_sets[stated["rule_set"]["digest"]]
            used = [rules.releases[release["digest"]] for release in stated["releases"]]
            named = [evidence[item["leaf_hash"]] for item in stated["inputs"]]
            known = Evidence(evidence.origin, int(stated["snapshot"]["size"]), named)
        except (KeyError, TypeError, ValueError) as error:
            raise RejectedError(
                f"the result names something that is not in the file: {error}", where=name, remedy=_REMEDY
            ) from None
        if known.size > evidence.size:
            raise RejectedError("the result is of a larger ledger than the checkpoint", where=name, remedy=_REMEDY)
        try:
            return document(compute(known, demand, rule_set, used, rules.policy))
        except RefusedError as error:
            raise RejectedError(f"the rule set refuses this result: {error}", where=name, remedy=_REMEDY) from None

    def _report(self, results: list[Document]) -> None:
        self.progress(7, "report")
        if self._text(REPORT) != report_text(results):
            raise RejectedError("the text is not that of the results", where=REPORT, remedy=_REMEDY)
        self._passed(7, "report", f"{len(results)} results as printed")

    def _conclude(self, trust: TrustFile, results: list[Document], size: int) -> Verdict:
        limits: tuple[str, ...] = (
            f"no later key event, correction or withdrawal is known at size {size}, on the operator's word, recomputed by nobody",
            "times are the issuers' claims: no independent timestamp or witness in this file",
            f"verified, not complete: {sum(not found['complete'] for found in results)} of {len(results)} results are partial",
        )
        limits += self._known_of_keys()
        if suspect := [found for found in self.standings if found.word == "suspect"]:
            text = f"not decidable: {len(suspect)} entries are suspect, the first is entry {suspect[0].index}"
            return self.verdict("not_decidable", text, results=tuple(results), limits=limits)
        if self.given is None:
            text = f"trust on first use: consistent in itself; compare the fingerprint over another channel: {trust.fingerprint}"
            return self.verdict("trust_on_first_use", text, results=tuple(results), limits=limits)
        sealed = max((sum(float(branch["percent"]) for branch in found["sealed"]) for found in results), default=0.0)
        if sealed > 0:
            text = f"verified except sealed: up to {sealed:.1f} % of a total rests on signed footprints whose inputs are sealed"
            return self.verdict("verified_except_sealed", text, results=tuple(results), limits=limits)
        return self.verdict("verified", "verified", results=tuple(results), limits=limits)

    def _known_of_keys(self) -> tuple[str, ...]:
        """What the key events say against entries, or beside them; that no time is attested is said once for all."""
        lines = []
        for found in self.standings:
            said = [reason.what for reason in found.reasons if reason.word != "time not decidable"]
            said += [note for note in found.notes if note != UNDATED]
            lines += [f"entry {found.index}: {what}" for what in said]
        return tuple(lines)

    # -- members ---------------------------------------------------------------------------------------------------

    def _passed(self, number: int, name: str, evidence: str) -> None:
        self.steps.append(Step(number, name, evidence))

    def _place(self, where: str) -> str:
        return f"{self._at}: {where}" if self._at else where

    def _below(self, folder: str) -> list[str]:
        return sorted(name for name in self.members if name.startswith(folder))

    def _member(self, name: str) -> bytes:
        try:
            return self.members[name]
        except KeyError:
            raise RejectedError("a file is missing", where=name, remedy=_REMEDY) from None

    def _text(self, name: str) -> str:
        try:
            return self._member(name).decode()
        except UnicodeDecodeError:
            raise RejectedError("the file is not UTF-8", where=name, remedy=_REMEDY) from None

    def _json(self, name: str) -> Document:
        try:
            found = json.loads(self._member(name))
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise RejectedError("not a JSON object", where=name, remedy=_REMEDY)
        return found

    def _unaccepted(self, what: str, name: str, where: str) -> RejectedError:
        return RejectedError(
            f"{what} {name} is not among the accepted ones of the trust file",
            where=where,
            remedy="compare its digest with the publisher's; accept it in the trust file if it is right",
        )


def _standing(entry: Entry, admission: Admission) -> Standing:
    """What the file's key events say about an entry; its time is open, since no timestamps travel in the file."""
    return judge(
        entry.statement, admission.trust, Interval(), admission.keys, index=entry.index, policy=admission.policy.digest
    )


def report_text(results: list[Document]) -> str:
    """Return the report of `results`: the text that people read, in the given order."""
    return "\n\n".join("\n".join(lines_of_text(found)) for found in results) + "\n"


def entry_folder(index: int) -> str:
    """Return the folder of the entry at `index` in an evidence file."""
    return f"entries/{index:012d}"


def _index(name: str) -> int:
    part = name.split("/")[1]
    if len(part) != 12 or not part.isdigit():
        raise RejectedError("not the folder of an entry", where=name, remedy=_REMEDY)
    return int(part)
