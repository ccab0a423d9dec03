"""Offline verification of an evidence file: redoes every arrow from the bytes to the printed figure. Pure.

Steps, in the order of the code:
1. file: the archive is exactly what its manifest says, and holds nothing that the steps below don't read.
2. anchors: log key, authorities and accepted digests come from the trust file, never from the evidence.
3. ledger: the checkpoint is the log's, and has the cosignatures that are required; every entry is included in it at its index.
4. statements: signature, certificate, disclosures, key, role, record, citations of every entry; no statement twice.
5. rules: rule sets, factor releases and policy are accepted ones.
6. results: every figure is computed again, from exactly the entries and disclosures that the result names, and agrees.
7. report: the text is the text of the results.

What it can't show is said in `limits`: that nothing was left out rests on the word of the operator and of the file's maker.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, TypeVar

from bom_graph import BomGraphError, FactorRelease, RuleSet, stored
from exchange.admission import Admission
from exchange.assembly import ENGINE, Demand, RefusedError, compute
from exchange.errors import EvidenceError, ExchangeError, RejectedError, UndecidableError
from exchange.evidence import Entry, Evidence
from exchange.evidence_file import MANIFEST, EvidenceFile
from exchange.kinds import Policy
from exchange.report import Document, document, document_bytes, first_difference, in_reading_order, lines_of_text
from exchange.snapshots import check_snapshots
from exchange.trust import TrustFile
from ledger import (
    Checkpoint,
    LedgerError,
    NamedCosignature,
    WitnessPolicy,
    format_proof,
    leaf_hash,
    open_checkpoint,
    parse_proof,
    verify_inclusion,
)
from signer import KEY_EVENT, RETRACTIONS, SUPERSESSION, UNDATED, Interval, SignerError, judge
from signer import Verdict as Standing

TRUST_SUGGESTION = "trust.json"
REPORT = "report.txt"
POLICY = "policy.json"
_PLACES = re.compile(
    r"policy\.json|report\.txt|trust\.json|(rules|factors)/[^/]+\.json|results/[0-9a-f]{64}\.json"
    r"|entries/[0-9]{12}/(token|disclosures|proof)"
)
_REMEDY = "do not rely on it; ask its maker for the file again and report the place"
T = TypeVar("T")


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
    `witnesses` says which witnesses of the required policies cosigned the checkpoint, and when.
    """

    code: str
    text: str
    steps: tuple[Step, ...] = ()
    results: tuple[Document, ...] = field(default=(), repr=False)
    limits: tuple[str, ...] = ()
    where: str | None = None
    remedy: str | None = None
    policy: str | None = None
    witnesses: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 verified, 1 rejected, 3 not decidable or trust on first use."""
        return {"verified": 0, "verified_except_sealed": 0, "rejected": 1}.get(self.code, 3)


Progress = Callable[[int, str], None]


def verify_evidence(
    file: BinaryIO | bytes,
    trust: TrustFile | None,
    progress: Progress | None = None,
    policy: WitnessPolicy | None = None,
) -> Verdict:
    """Return the verdict on an evidence file: open for reading, or its bytes.

    Without `trust` the file's own suggestion is used, and the verdict says so.

    The checkpoint has to satisfy the witness policy of the trust file, if it has one, and `policy`, if it is given.

    Never raises for bad content: that is the verdict `rejected`, with the place.
    """
    stream = io.BytesIO(file) if isinstance(file, bytes) else file
    verification = _Verification(stream, trust, progress or (lambda _number, _name: None), policy)
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

    def __init__(
        self, file: BinaryIO, trust: TrustFile | None, progress: Progress, witness_policy: WitnessPolicy | None
    ) -> None:
        self.file = file
        self.given = trust
        self.progress = progress
        self.steps: list[Step] = []
        self._at = ""
        self.policy: str | None = None
        self.witness_policy = witness_policy
        self.cosigned: dict[str, NamedCosignature] = {}
        self.standings: list[Standing] = []

    def run(self) -> Verdict:
        self._open()
        trust = self._anchors()
        size = self._ledger(trust)
        policy = self._policy(trust)
        evidence = self._statements(trust, policy, size)
        rules = self._rules(trust, policy)
        stated = self._stated_results()
        results = self._results(stated, evidence, rules)
        self._report(list(stated.values()))
        return self._conclude(trust, results, evidence)

    def verdict(self, code: str, text: str, error: Any = None, **more: Any) -> Verdict:
        where = remedy = None
        if error is not None:
            where, remedy = self._place(str(error.where)), error.remedy
        return Verdict(
            code,
            text,
            steps=tuple(self.steps),
            where=where,
            remedy=remedy,
            policy=self.policy,
            witnesses=tuple(self.cosigned),
            **more,
        )

    # -- steps -----------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        self.progress(1, "file")
        self.members = EvidenceFile(self.file)
        self.manifest = self.members.manifest
        for name in self.members:
            if not _PLACES.fullmatch(name):
                raise RejectedError("a file that has no place in evidence", where=name, remedy=_REMEDY)
        self._passed(1, "file", f"{len(self.members)} files as their digests say, made for {self.manifest['reader']}")

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
        self.indices = sorted({int(name.split("/")[1]) for name in self._below("entries/")})
        # All proofs lead to one checkpoint: its signature is checked once.
        opened: dict[str, Checkpoint] = {}
        for folder, index in self._each((entry_folder(index), index) for index in self.indices):
            text = self._member(f"{folder}/proof")
            proof = parse_proof(text)
            if proof.index != index:
                raise RejectedError(f"the proof is for entry {proof.index}", where="proof", remedy=_REMEDY)
            if proof.checkpoint not in opened:
                opened[proof.checkpoint] = open_checkpoint(proof.checkpoint, *trust.keys)
            size, root = opened[proof.checkpoint].size, opened[proof.checkpoint].root
            verify_inclusion(leaf_hash(self._member(f"{folder}/token")), index, size, proof.proof, root)
            if format_proof(index, proof.proof, proof.checkpoint).encode() != text:
                raise RejectedError("it holds something that nothing vouches for", where="proof", remedy=_REMEDY)
        if len({(checkpoint.size, checkpoint.root) for checkpoint in opened.values()}) != 1:
            raise RejectedError("the proofs are not to one checkpoint", where="entries", remedy=_REMEDY)
        if (self.manifest["origin"], self.manifest["size"]) != (trust.origin, size):
            raise RejectedError("it names another log or size than the checkpoint", where=MANIFEST, remedy=_REMEDY)
        quorums = self._witnessed(trust, opened)
        found = f"{len(self.indices)} entries included in the checkpoint of size {size}, root {root.hex()[:16]}"
        self._passed(3, "ledger", "; ".join([found, *quorums]))
        return size

    def _witnessed(self, trust: TrustFile, notes: Iterable[str]) -> list[str]:
        """Check the checkpoint's notes, which differ in cosignatures at most, against the required policies; what each found."""
        found = []
        for policy in (trust.policy, self.witness_policy):
            if policy is None:
                continue
            for note in notes:
                evaluation = policy.for_log(*trust.keys).evaluate(note)
                cosigned = {str(one): one for one in evaluation.cosignatures}
                if not evaluation.satisfied:
                    raise UndecidableError(
                        f"the checkpoint lacks the quorum {policy.quorum}: {', '.join(cosigned) or 'witnessed by nobody'}",
                        where="witness policy",
                        remedy="ask for the file again once the witnesses have cosigned, or require less of them",
                    )
                self.cosigned |= cosigned
            found.append(f"quorum {policy.quorum}: {', '.join(cosigned) or 'no witness required'}")
        return found

    def _policy(self, trust: TrustFile) -> Policy:
        self._at = POLICY
        policy = Policy.read(self._member(POLICY))
        self._at = ""
        if policy.digest not in trust.policies:
            raise self._unaccepted("policy", policy.id, POLICY)
        self.policy = policy.digest
        return policy

    def _statements(self, trust: TrustFile, policy: Policy, size: int) -> Evidence:
        self.progress(4, "statements")
        self.admission = Admission(trust.signers, policy)
        self.disclosures: dict[str, dict[str, str]] = {}
        entries: list[Entry] = []
        seen: dict[tuple[str, str], int] = {}
        for folder, index in self._each((entry_folder(index), index) for index in self.indices):
            lines = self._lines(f"{folder}/disclosures")
            entry = self.admission.admit(index, self._text(f"{folder}/token"), lines, at=None)
            first = seen.setdefault((entry.statement.issuer, entry.statement.jti), index)
            if first != index:
                raise RejectedError(f"the statement of entry {first} a second time", where="token", remedy=_REMEDY)
            self.disclosures[entry.leaf_hash] = dict(zip(entry.statement.disclosure_digests, lines, strict=True))
            entries.append(entry)
        self.retractions = [entry for entry in entries if entry.statement.vct in RETRACTIONS]
        self.snapshot = check_snapshots(entries)
        # Judged once all key events of the file are known: a later one may say that a key was not its owner's alone. Key events
        # themselves count through the keys that they brought in; those of uninvolved organisations are here too.
        self.standings = [_standing(entry, self.admission) for entry in entries if entry.statement.vct != KEY_EVENT.vct]
        signers = {entry.statement.issuer for entry in entries}
        found = f"{len(entries)} statements of {len(signers)} organisations: signatures, keys, roles and citations"
        self._passed(
            4,
            "statements",
            f"{found}, by policy {policy.digest}; the operator by entry 0 is {self.admission.keys.operator}",
        )
        return Evidence(trust.origin, size, entries)

    def _rules(self, trust: TrustFile, policy: Policy) -> _Rules:
        self.progress(5, "rules")
        rule_sets = {}
        for name, data in self._each((name, self.members[name]) for name in self._below("rules/")):
            rule_set = RuleSet.read(data)
            if rule_set.digest not in trust.rule_sets:
                raise self._unaccepted("rule set", rule_set.id, name)
            self._check_name(name, f"rules/{rule_set.id}.json")
            rule_sets[rule_set.digest] = rule_set
        releases = {}
        for name, data in self._each((name, self.members[name]) for name in self._below("factors/")):
            release = FactorRelease.read(data)
            if release.digest not in trust.factor_releases:
                raise self._unaccepted("factor release", release.id, name)
            self._check_name(name, f"factors/{release.id}.json")
            releases[release.digest] = release
        self._passed(
            5, "rules", f"{len(rule_sets)} rule sets, {len(releases)} factor releases, policy: accepted digests"
        )
        return _Rules(rule_sets, releases, policy)

    def _stated_results(self) -> dict[str, Document]:
        """The results as the file states them, by member; each is named by the digest of its one written form."""
        self.progress(6, "results")
        stated: dict[str, Document] = {}
        for name, data in self._each((name, self.members[name]) for name in self._below("results/")):
            self._check_name(name, f"results/{hashlib.sha256(data).hexdigest()}.json")
            found = _json(data, name)
            if not isinstance(found.get("engine"), str):
                raise RejectedError("the result doesn't name its engine", where=name, remedy=_REMEDY)
            if found["engine"] != ENGINE:
                what = f"the result was computed by {found['engine']!r}, this is {ENGINE}"
                raise UndecidableError(what, where=name, remedy="use that version")
            stated[name] = found
        if not stated:
            raise EvidenceError("there is no result in the file", where="results", remedy=_REMEDY)
        return stated

    def _results(self, stated: dict[str, Document], evidence: Evidence, rules: _Rules) -> list[Document]:
        found = []
        for name, result in self._each(stated.items()):
            again = self._recompute(name, result, evidence, rules)
            if document_bytes(again) != self.members[name]:
                _check_agrees(name, result, again)
            found.append(again)
        self._passed(6, "results", f"{len(found)} results computed again, every figure within 1e-9")
        return in_reading_order(found)

    def _recompute(self, name: str, stated: Document, evidence: Evidence, rules: _Rules) -> Document:
        """Compute a result again from exactly the entries and disclosures that it names, as of the size that it names."""
        try:
            product, flow = stated["demand"]["product"], stated["demand"]["flow"]
            demand = Demand(_string(product), None if flow is None else _string(flow))
            rule_set = rules.rule_sets[stated["rule_set"]["digest"]]
            used = [rules.releases[release["digest"]] for release in stated["releases"]]
            self._check_erased(name, stated, evidence)
            named = [self._narrow(evidence[item["leaf_hash"]], item["disclosures"]) for item in stated["inputs"]]
            size = stated["snapshot"]["size"]
            if type(size) is not int:
                raise TypeError("the size of the ledger")
            # What was taken back before the result counts in none, whether the result says so or not.
            known = {entry.index for entry in named}
            named += [entry for entry in self.retractions if entry.index < size and entry.index not in known]
        except (KeyError, TypeError) as error:
            what = f"the result names something that is not in the file: {error}"
            raise RejectedError(what, where=name, remedy=_REMEDY) from None
        if not 0 < size <= evidence.size:
            raise RejectedError("the result is of a larger ledger than the checkpoint", where=name, remedy=_REMEDY)
        if any(entry.index >= size for entry in named):
            raise RejectedError("the result rests on entries that came after it", where=name, remedy=_REMEDY)
        try:
            return document(compute(Evidence(evidence.origin, size, named), demand, rule_set, used, rules.policy))
        except RefusedError as error:
            raise RejectedError(f"the rule set refuses this result: {error}", where=name, remedy=_REMEDY) from None
        except ArithmeticError:
            raise RejectedError("the amounts are beyond what can be calculated", where=name, remedy=_REMEDY) from None

    def _check_erased(self, name: str, stated: Document, evidence: Evidence) -> None:
        """Without what was erased nobody can compute the result again, which makes it neither right nor wrong."""
        for item in stated["inputs"]:
            erasure = evidence.erased.get(item["leaf_hash"])
            held = self.disclosures.get(item["leaf_hash"], {})
            if erasure is not None and not held.keys() >= set(item["disclosures"]):
                raise UndecidableError(
                    f"inputs erased at {erasure.index}",
                    where=name,
                    remedy="ask whoever held the disclosures before, or for a result of what is left",
                )

    def _narrow(self, entry: Entry, digests: list[str]) -> Entry:
        """Return `entry` as it is seen with the disclosures `digests` alone; KeyError where the file lacks one of them."""
        held = self.disclosures[entry.leaf_hash]
        given = [held[digest] for digest in dict.fromkeys(digests)]
        return entry if len(given) == len(held) else self.admission.seen_with(entry, given)

    def _report(self, stated: list[Document]) -> None:
        """The text is that of the results as stated: within the tolerance their last digit may differ from the recomputed one."""
        self.progress(7, "report")
        if self._text(REPORT) != report_text(stated):
            raise RejectedError("the text is not that of the results", where=REPORT, remedy=_REMEDY)
        self._passed(7, "report", f"{len(stated)} results as printed")

    def _conclude(self, trust: TrustFile, results: list[Document], evidence: Evidence) -> Verdict:
        limits = (*self._limits(results, evidence.size), *self._taken_back(evidence), *self._known_of_keys())
        if suspect := [found for found in self.standings if found.word == "suspect"]:
            text = f"not decidable: {len(suspect)} entries are suspect, the first is entry {suspect[0].index}"
            return self.verdict("not_decidable", text, results=tuple(results), limits=limits)
        if self.given is None:
            text = f"trust on first use: consistent in itself; compare the fingerprint over another channel: {trust.fingerprint}"
            return self.verdict("trust_on_first_use", text, results=tuple(results), limits=limits)
        if any(found["sealed"] for found in results):
            # A sealed branch of 0 % is sealed all the same.
            sealed = max(sum(float(branch["percent"]) for branch in found["sealed"]) for found in results)
            text = f"verified except sealed: up to {sealed:.1f} % of a total rests on signed footprints whose inputs are sealed"
            return self.verdict("verified_except_sealed", text, results=tuple(results), limits=limits)
        return self.verdict("verified", "verified", results=tuple(results), limits=limits)

    def _limits(self, results: list[Document], size: int) -> tuple[str, ...]:
        partial = sum(not found["complete"] for found in results)
        left_out = (
            "revocations, changes of roles, corrections, withdrawals and newer statements that this file leaves out"
        )
        word = "on the operator's word, recomputed by nobody"
        known = f"{left_out}: none known at size {size}, {word}"
        if self.snapshot is not None:
            day, of = self.snapshot.signed.date(), self.snapshot.size
            known = (
                f"by the status snapshot of {day} none of these statements and keys was taken back, erased or revoked at size {of} "
                f"but as said here, {word}; {left_out} after it, and newer statements: none known at size {size}, {word}"
            )
        return (
            known,
            f"nobody signed this file as a whole: its maker chose its entries and wrote that it is for {self.manifest['reader']}",
            self._split_view(),
            "times are the issuers' claims: no independent timestamp; a stolen key counts until its revocation is logged",
            "signed is not the same as measured: that a statement is true is not checked here",
            f"verified is not the same as complete: {partial} of {len(results)} results are partial",
        )

    def _split_view(self) -> str:
        """On whose word it rests that the log has one history for all."""
        names = sorted({name.name for name in self.cosigned.values() if not name.is_own})
        if names:
            return f"that others are shown the same log rests on the word of the witnesses: {', '.join(names)}"
        return "that others are shown the same log rests on the operator's word: no witness was required to cosign the checkpoint"

    def _taken_back(self, evidence: Evidence) -> tuple[str, ...]:
        """Which statements of the file their issuers took back; of the others none is known at the checkpoint's size."""
        lines = []
        for target, by in evidence.retracted.items():
            how = "superseded" if by.statement.vct == SUPERSESSION.vct else "withdrawn"
            index = evidence[target].index
            lines.append(
                f"entry {index} was {how} by its issuer at entry {by.index}: it counts in no result of a larger ledger"
            )
        return tuple(lines)

    def _known_of_keys(self) -> tuple[str, ...]:
        """What the key events say against entries, or beside them; that no time is attested is said once for all."""
        lines = []
        for found in self.standings:
            said = [reason.what for reason in found.reasons if reason.word != "time not decidable"]
            said += [note for note in found.notes if note != UNDATED]
            lines += [f"entry {found.index}: {what}" for what in said]
        return tuple(lines)

    # -- members ---------------------------------------------------------------------------------------------------

    def _each(self, places: Iterable[tuple[str, T]]) -> Iterator[tuple[str, T]]:
        """Yield what is checked place by place; an error in between is told with its place."""
        for place, found in places:
            self._at = place
            yield place, found
        self._at = ""

    def _check_name(self, name: str, due: str) -> None:
        if name != due:
            raise RejectedError(f"the file's name is not that of its content, {due}", where=name, remedy=_REMEDY)

    def _lines(self, name: str) -> list[str]:
        """The disclosures of an entry, each ended by a line feed; nothing else."""
        *lines, rest = self._text(name).split("\n")
        if rest or "" in lines:
            raise RejectedError("not a disclosure on each line", where=name, remedy=_REMEDY)
        return lines

    def _passed(self, number: int, name: str, evidence: str) -> None:
        self.steps.append(Step(number, name, evidence))

    def _place(self, where: str) -> str:
        return where if where.startswith(self._at) else f"{self._at}: {where}"

    def _below(self, folder: str) -> list[str]:
        return self.members.below(folder)

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
    """Return the report of `results`: the text that people read, by model and rule set."""
    return "\n\n".join("\n".join(lines_of_text(found)) for found in in_reading_order(results)) + "\n"


def entry_folder(index: int) -> str:
    """Return the folder of the entry at `index` in an evidence file."""
    return f"entries/{index:012d}"


def _json(data: bytes, name: str) -> Document:
    """The result document in `data`, which is its one written form: no member twice, no free white space."""
    try:
        found = json.loads(data)
        is_written_so = isinstance(found, dict) and document_bytes(found) == data
    except (ValueError, RecursionError):
        is_written_so = False
    if not is_written_so:
        raise RejectedError("not a result document in its one written form", where=name, remedy=_REMEDY)
    document_found: Document = found
    return document_found


def _check_agrees(name: str, stated: Document, again: Document) -> None:
    """Check that two results differ in the last digits of figures at most, written as figures are."""
    if place := first_difference(stated, again):
        raise RejectedError("the figure is not what the entries give", where=f"{name}{place}", remedy=_REMEDY)
    for figure, recomputed in zip(_leaves(stated), _leaves(again), strict=True):
        if figure != recomputed and stored(float(figure)) != figure:
            raise RejectedError(f"a figure in another form: {figure!r}", where=name, remedy=_REMEDY)


def _leaves(value: Any) -> Iterator[Any]:
    """What is neither an object nor a list inside `value`, members by name."""
    if isinstance(value, dict | list):
        for inner in [value[name] for name in sorted(value)] if isinstance(value, dict) else value:
            yield from _leaves(inner)
    else:
        yield value


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("something that is no text")
    return value
