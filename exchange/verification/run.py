"""One run of verification: the steps in order, each leaving what the next one needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import IO, Any, TypeVar

from bom_graph import FactorRelease, RuleSet
from exchange.admission import Admission
from exchange.attachment import check_attachment, evidence_named
from exchange.errors import EvidenceError, RejectedError, UndecidableError
from exchange.evidence import Entry, Evidence
from exchange.evidence_file import MANIFEST, EvidenceFile
from exchange.kinds import ROLE_GRANT, Policy, RoleGrant
from exchange.report import Document, by_factor, in_reading_order
from exchange.snapshots import check_snapshots
from exchange.trust import Published, TrustFile
from exchange.verification.attested import sealed_branches
from exchange.verification.left_out import Whole
from exchange.verification.members import (
    ATTACHMENTS,
    PLACES,
    POLICY,
    REPORT,
    STAMP,
    TRUST_SUGGESTION,
    ReportPart,
    entry_folder,
    report_text,
)
from exchange.verification.recency import snapshot_age
from exchange.verification.replaying import Held, Rules, read_result, replay
from exchange.verification.times import Times, read_stamp
from exchange.verification.verdict import Progress, Replay, SealedBranch, Step, Verdict
from ledger import (
    Checkpoint,
    NamedCosignature,
    WitnessPolicy,
    format_proof,
    leaf_hash,
    open_checkpoint,
    parse_proof,
    verify_inclusion,
)
from signer import CLOCK_TOLERANCE, KEY_EVENT, RETRACTIONS, SUPERSESSION, UNDATED, Interval, judge
from signer import Verdict as Standing

REMEDY = "do not rely on it; ask its maker for the file again and report the place"
_MOST_NAMED = 12
T = TypeVar("T")


class Verification:
    """The steps over one evidence file. `at` (aware) is now, by which a trust file may have expired."""

    def __init__(
        self,
        file: IO[bytes],
        trust: TrustFile | None,
        progress: Progress,
        witness_policy: WitnessPolicy | None,
        at: datetime | None,
    ) -> None:
        self.file = file
        self.given = trust
        self.progress = progress
        self.at = at
        self.steps: list[Step] = []
        self._at = ""
        self._step = (0, "")
        self.policy: str | None = None
        self.witness_policy = witness_policy
        self.cosigned: dict[str, NamedCosignature] = {}
        self.standings: list[Standing] = []
        #: By entry: the grant of roles that its signer had then.
        self.granted: dict[int, RoleGrant | None] = {}
        #: Roles that ended: the entries that nobody attests to be from before.
        self.ended: dict[tuple[str, date], list[int]] = {}
        self.replays: list[Replay] = []
        self.left_out: list[str] = []

    def run(self) -> Verdict:
        """Return the verdict. Raises what the step raises that isn't passed; `verdict` then says where."""
        self._open()
        trust = self._anchors()
        checkpoint = self._ledger(trust)
        times = self._times(trust, checkpoint)
        policy = self._read_policy()
        evidence = self._statements(trust, policy, checkpoint.size)
        self._rights(trust, times, checkpoint.size)
        rules = self._rules(trust, policy, evidence)
        stated = self._stated_results()
        results = self._results(stated, evidence, rules)
        self._graph(results, evidence)
        self._gates(results)
        self._report(stated)
        return self._conclude(trust, results, evidence, times)

    def verdict(self, code: str, text: str, error: Any = None, **more: Any) -> Verdict:
        """Return a verdict with the steps that passed; of an `error`, with its place and the step that was not passed."""
        where = remedy = failed = None
        if error is not None:
            where, remedy, failed = self._place(str(error.where)), error.remedy, "{}. {}".format(*self._step)
        return Verdict(
            code,
            text,
            steps=tuple(self.steps),
            where=where,
            remedy=remedy,
            failed=failed,
            policy=self.policy,
            witnesses=tuple(self.cosigned),
            **more,
        )

    # -- steps -----------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        self._begin(1, "file")
        self.members = EvidenceFile(self.file)
        self.manifest = self.members.manifest
        for name in self.members:
            if not PLACES.fullmatch(name):
                raise RejectedError("a file that has no place in evidence", where=name, remedy=REMEDY)
        self._passed(f"{len(self.members)} files as their digests say, made for {self.manifest['reader']}")

    def _anchors(self) -> TrustFile:
        self._begin(2, "anchors")
        if self.given is not None:
            if self.at is not None:
                self.given.check_current(self.at)
            self._passed(f"trust file {self.given.fingerprint[:17]}, log {self.given.origin}")
            return self.given
        trust = TrustFile.read(self._member(TRUST_SUGGESTION), where=TRUST_SUGGESTION)
        self._passed(f"UNCHECKED: the file's own suggestion, fingerprint {trust.fingerprint}")
        return trust

    def _ledger(self, trust: TrustFile) -> Checkpoint:
        self._begin(3, "ledger")
        self.indices = sorted({int(name.split("/")[1]) for name in self.members.below("entries/")})
        # All proofs lead to one checkpoint: its signature is checked once.
        opened: dict[str, Checkpoint] = {}
        for folder, index in self._each((entry_folder(index), index) for index in self.indices):
            text = self._member(f"{folder}/proof")
            proof = parse_proof(text)
            if proof.index != index:
                raise RejectedError(f"the proof is for entry {proof.index}", where="proof", remedy=REMEDY)
            if proof.checkpoint not in opened:
                opened[proof.checkpoint] = open_checkpoint(proof.checkpoint, *trust.keys)
            checkpoint = opened[proof.checkpoint]
            token = leaf_hash(self._member(f"{folder}/token"))
            verify_inclusion(token, index, checkpoint.size, proof.proof, checkpoint.root)
            if format_proof(index, proof.proof, proof.checkpoint).encode() != text:
                raise RejectedError("it holds something that nothing vouches for", where="proof", remedy=REMEDY)
        if len({(checkpoint.size, checkpoint.root) for checkpoint in opened.values()}) != 1:
            raise RejectedError("the proofs are not to one checkpoint", where="entries", remedy=REMEDY)
        if (self.manifest["origin"], self.manifest["size"]) != (trust.origin, checkpoint.size):
            raise RejectedError("it names another log or size than the checkpoint", where=MANIFEST, remedy=REMEDY)
        quorums = self._witnessed(trust, opened)
        root = checkpoint.root.hex()[:16]
        found = f"{len(self.indices)} entries included in the checkpoint of size {checkpoint.size}, root {root}"
        self._passed("; ".join([found, *quorums]))
        return checkpoint

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

    def _times(self, trust: TrustFile, checkpoint: Checkpoint) -> Times:
        self._begin(4, "time")
        folders = sorted({name.rpartition("/")[0] for name in self.members.below("timestamps/")})
        stamps = []
        for folder, _ in self._each((folder, None) for folder in folders):
            stamps.append(read_stamp({name: self._member(f"{folder}/{name}") for name in STAMP}))
        self._at = folders[0] if folders else ""
        times = Times.of(stamps, tuple(self.cosigned.values()), checkpoint, trust)
        self._at = ""
        self._passed(times.evidence(self.indices))
        return times

    def _read_policy(self) -> Policy:
        self._begin(5, "statements")
        self._at = POLICY
        policy = Policy.read(self._member(POLICY))
        self._at = ""
        return policy

    def _statements(self, trust: TrustFile, policy: Policy, size: int) -> Evidence:
        if policy.digest not in trust.policies and not trust.publishers.get("policies"):
            raise self._unaccepted(policy)
        self.admission = Admission(trust.signers, policy)
        self.disclosures: dict[str, dict[str, str]] = {}
        entries: list[Entry] = []
        seen: dict[tuple[str, str], int] = {}
        for folder, index in self._each((entry_folder(index), index) for index in self.indices):
            lines = self._lines(f"{folder}/disclosures")
            entry = self.admission.check(index, self._text(f"{folder}/token"), lines, at=None)
            self.granted[index] = self.admission.roles.get(entry.statement.issuer)
            self.admission.take(entry)
            first = seen.setdefault((entry.statement.issuer, entry.statement.jti), index)
            if first != index:
                raise RejectedError(f"the statement of entry {first} a second time", where="token", remedy=REMEDY)
            self.disclosures[entry.leaf_hash] = dict(zip(entry.statement.disclosure_digests, lines, strict=True))
            entries.append(entry)
        evidence = Evidence(trust.origin, size, entries)
        vouched = self._accept(trust, evidence, "policies", policy)
        self.policy = policy.digest
        self.retractions = [entry for entry in entries if entry.statement.vct in RETRACTIONS]
        self.snapshot = check_snapshots(entries)
        self.entries = entries
        files = self._files(entries)
        signers = {entry.statement.issuer for entry in entries}
        self._passed(
            f"{len(entries)} statements of {len(signers)} organisations: signatures, certificates, disclosures, records and citations, "
            f"{files}by policy {policy.digest}{vouched}",
        )
        return evidence

    def _files(self, entries: list[Entry]) -> str:
        """Check that each file that travels along is one that a statement here names as evidence; say how many are."""
        named = {
            digest
            for entry in entries
            for digests in evidence_named(entry.statement.claims).values()
            for digest in digests
        }
        names = self.members.below(f"{ATTACHMENTS}/")
        for name, digest in self._each((name, name.rpartition("/")[2]) for name in names):
            if digest not in named:
                raise RejectedError("a file that no statement here names", where=name, remedy=REMEDY)
            check_attachment(digest, self.members[name])
        return f"{len(names)} of {len(named)} files that they name, " if named else ""

    def _rights(self, trust: TrustFile, times: Times, size: int) -> None:
        """By which role each signed; and what all the file's key events, also those after it, say of each signature's key.

        That it holds all that matter rests on its newest status snapshot, which must not be older than the trust file allows.
        """
        self._begin(6, "rights")
        self.snapshot_age = snapshot_age(self.snapshot, trust.max_snapshot_days, times.of_checkpoint(size), self.at)
        # Judged once all key events of the file are known: a later one may say that a key was not its owner's alone. Key events
        # themselves count through the keys that they brought in; those of uninvolved organisations are here too.
        for _folder, entry in self._each((entry_folder(one.index), one) for one in self.entries):
            if entry.statement.vct == KEY_EVENT.vct:
                continue
            standing = judge(
                entry.statement,
                self.admission.trust,
                times.of_entry(entry.index),
                self.admission.keys,
                index=entry.index,
                policy=str(self.policy),
            )
            if standing.word == "invalid":
                what = standing.reasons[0].what
                raise RejectedError(f"the signature doesn't count: {what}", where="token", remedy=REMEDY)
            self._check_role_then(entry, standing.interval)
            self.standings.append(standing)
        granted = {
            str(one.statement.claims["organisation"]): one.index
            for one in self.entries
            if one.statement.vct == ROLE_GRANT.vct
        }
        signers = sorted({entry.statement.issuer for entry in self.entries})
        said = []
        for organisation in signers[:_MOST_NAMED]:
            roles = (
                ", ".join(self.admission.roles[organisation].roles) if organisation in self.admission.roles else "none"
            )
            said.append(f"{organisation} ({roles}; entry {granted.get(organisation, 0)})")
        more = f" and {len(signers) - _MOST_NAMED} more" if len(signers) > _MOST_NAMED else ""
        self._passed(
            f"each signed by a key of its own and a role that may; the operator by entry 0 is {self.admission.keys.operator}; "
            f"{'; '.join(said)}{more}"
        )

    def _check_role_then(self, entry: Entry, logged: Interval) -> None:
        """Refuse what was logged before its signer had the role, or after; admission went by the time that the signer claims."""
        grant = self.granted[entry.index]
        if grant is None or grant.since is grant.until is None:
            return
        begins, ends = logged.earliest, logged.latest
        if grant.until is not None and begins is not None and _day(begins - CLOCK_TOLERANCE) > grant.until:
            what = f"logged after the role of {entry.statement.issuer} had ended on {grant.until}"
            raise RejectedError(f"the signature doesn't count: {what}", where="token", remedy=REMEDY)
        if grant.since is not None and ends is not None and _day(ends + CLOCK_TOLERANCE) < grant.since:
            what = f"logged before the role of {entry.statement.issuer} began on {grant.since}"
            raise RejectedError(f"the signature doesn't count: {what}", where="token", remedy=REMEDY)
        known_by = [one for one in (ends, self.at) if one is not None]
        if grant.until is not None and all(_day(one) > grant.until for one in known_by):
            self.ended.setdefault((entry.statement.issuer, grant.until), []).append(entry.index)

    def _rules(self, trust: TrustFile, policy: Policy, evidence: Evidence) -> Rules:
        self._begin(7, "rules")
        vouched = []
        rule_sets = {}
        for name, data in self._each((name, self.members[name]) for name in self.members.below("rules/")):
            rule_set = RuleSet.read(data)
            vouched += [self._accept(trust, evidence, "rule_sets", rule_set)]
            self._check_name(name, f"rules/{rule_set.id}.json")
            rule_sets[rule_set.digest] = rule_set
        releases = {}
        for name, data in self._each((name, self.members[name]) for name in self.members.below("factors/")):
            release = FactorRelease.read(data)
            vouched += [self._accept(trust, evidence, "factor_releases", release)]
            self._check_name(name, f"factors/{release.id}.json")
            releases[release.digest] = release
        by = f"; {sum(map(bool, vouched))} of them by their publishers' statements" if any(vouched) else ""
        self._passed(f"{len(rule_sets)} rule sets, {len(releases)} factor releases, policy: accepted{by}")
        return Rules(rule_sets, releases, policy)

    def _stated_results(self) -> dict[str, Document]:
        """The results as the file states them, by member; each is named by the digest of its one written form."""
        self._begin(8, "results")
        names = self.members.below("results/")
        stated = {name: read_result(data, name) for name, data in self._each((n, self.members[n]) for n in names)}
        if not stated:
            raise EvidenceError("there is no result in the file", where="results", remedy=REMEDY)
        return stated

    def _results(self, stated: dict[str, Document], evidence: Evidence, rules: Rules) -> dict[str, Document]:
        """The results computed again, by the digests of the stated ones, in reading order."""
        held = Held(evidence, self.admission, self.disclosures, self.retractions)
        whole = Whole(evidence, rules.rule_sets, rules.releases, rules.policy)
        found = {}
        for name, result in self._each(stated.items()):
            again, agreement, asked = replay(name, result, self.members[name], held, rules)
            self.replays.append(agreement)
            found[agreement.digest] = again
            if agreement.is_identical:
                stated[name] = again  # Of two equal documents one is kept.
            self.left_out += whole.told(again, asked)
        self.left_out += whole.told_of_all(list(found.values()))
        figures = sum(one.figures for one in self.replays)
        same = sum(one.is_identical for one in self.replays)
        self._passed(
            f"{len(found)} results computed again, {figures} values, every figure within 1e-9; {same} to the last byte"
        )
        return in_reading_order(found)

    def _graph(self, named: Mapping[str, Document], evidence: Evidence) -> None:
        """What the graph of each result rests on, and where it ends: recomputation found the same, this says what that is."""
        self._begin(9, "graph")
        results = named.values()
        links = sum(len(found["links"]) for found in results)
        gaps = sum(len(found["gaps"]) for found in results)
        sealed = sum(len(found["sealed"]) for found in results)
        used = {item["leaf_hash"] for found in results for item in found["inputs"]}
        # Without the disclosure `contents` nobody can tell what a statement leaves out: it is never taken for complete.
        open_ended = sum(
            evidence[leaf].record is not None and evidence[leaf].statement.contents is None for leaf in used
        )
        self._passed(
            f"{links} links between products, each by a statement here; where they end: {gaps} gaps, named, and {sealed} sealed branches; "
            f"{len(used)} statements used, {open_ended} of them not wholly disclosed and taken for incomplete"
        )

    def _gates(self, results: Mapping[str, Document]) -> None:
        self._begin(10, "gates")
        levels = [finding["level"] for found in results.values() for finding in found["findings"]]
        counted = ", ".join(f"{levels.count(level)} {level}" for level in sorted(set(levels))) or "none"
        self._passed(f"findings of the rule sets' gates, found again and no others: {counted}")

    def _report(self, stated: Mapping[str, Document]) -> None:
        """The text is that of the results as stated: within the tolerance their last digit may differ from the recomputed one."""
        self._begin(11, "report")
        if self._text(REPORT) != report_text(ReportPart.of(name, found) for name, found in stated.items()):
            raise RejectedError("the text is not that of the results", where=REPORT, remedy=REMEDY)
        self._passed(f"{len(stated)} results as printed")

    def _conclude(self, trust: TrustFile, results: Mapping[str, Document], evidence: Evidence, times: Times) -> Verdict:
        branches = sealed_branches(results, evidence, self.at)
        limits = (
            *self._limits(list(results.values()), evidence.size, times, branches),
            *self._taken_back(evidence),
            *self._known_of_keys(),
            *self._roles_that_ended(),
        )
        more = {
            "results": results,
            "limits": limits,
            "replays": tuple(self.replays),
            "sealed": tuple(branches),
        }
        if suspect := [found for found in self.standings if found.word == "suspect"]:
            text = f"not decidable: {len(suspect)} entries are suspect, the first is entry {suspect[0].index}"
            return self.verdict("not_decidable", text, **more)
        if self.given is None:
            text = f"trust on first use: consistent in itself; compare the fingerprint over another channel: {trust.fingerprint}"
            return self.verdict("trust_on_first_use", text, **more)
        if branches:
            # A sealed branch of 0 % is sealed all the same.
            sealed = max(sum(branch.percent for branch in branches if branch.digest == one.digest) for one in branches)
            text = f"verified except sealed: up to {sealed:.1f} % of a total rests on signed footprints whose inputs are sealed"
            return self.verdict("verified_except_sealed", text, **more)
        return self.verdict("verified", "verified", **more)

    def _limits(
        self, results: list[Document], size: int, times: Times, branches: list[SealedBranch]
    ) -> tuple[str, ...]:
        partial = sum(not found["complete"] for found in results)
        unseen = (
            "key events (enrolments, revocations), changes of roles, corrections, withdrawals and newer statements "
            "that this file leaves out"
        )
        word = "on the operator's word, recomputed by nobody"
        known = f"no status snapshot is here; {unseen}: none known at size {size}, {word}{self.snapshot_age}"
        if self.snapshot is not None:
            day, of = self.snapshot.signed.date(), self.snapshot.size
            known = (
                f"by the status snapshot of {day} none of these statements and keys was taken back, erased or revoked at size {of} "
                f"of {size} but as said here, {word}; {unseen} after it, enrolments, and newer statements: none known "
                f"at size {size}, {word}{self.snapshot_age}"
            )
        unverified = [branch for branch in branches if not branch.is_verified]
        by_factors = [found for found in results if found["demand"]["flow"] is not None]
        return (
            known,
            f"nobody signed this file as a whole: its maker chose its entries and wrote that it is for {self.manifest['reader']}",
            "that the operator enrolled a second key in somebody's name shows only beside enrolments before it, which its maker can omit",
            self._split_view(),
            times.limit(),
            "signed is not the same as measured: that a statement is true is not checked here",
            f"verified is not the same as complete: {partial} of {len(results)} results are partial",
            *(
                [f"{len(unverified)} of {len(branches)} sealed branches have no opinion that counts"]
                if unverified
                else []
            ),
            *([f"{len(by_factors)} of {len(results)} results: {by_factor(by_factors[0])}"] if by_factors else []),
            *self.left_out,
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

    def _roles_that_ended(self) -> Iterator[str]:
        for (organisation, until), indices in self.ended.items():
            named = f"{', '.join(map(str, indices[:_MOST_NAMED]))}{', ...' if len(indices) > _MOST_NAMED else ''}"
            yield f"the role of {organisation} ended on {until}: that entries {named} were logged by then is its own claim"

    # -- members ---------------------------------------------------------------------------------------------------

    def _begin(self, number: int, name: str) -> None:
        self._step = (number, name)
        self.progress(number, name)

    def _passed(self, evidence: str) -> None:
        self.steps.append(Step(*self._step, evidence))

    def _accept(
        self, trust: TrustFile, evidence: Evidence, kind: Published, found: Policy | RuleSet | FactorRelease
    ) -> str:
        """Refuse what neither a digest of the trust file nor a publisher that it names stands for; say which statement does."""
        if found.digest in getattr(trust, kind):
            return ""
        release = trust.release_for(kind, found.digest, evidence)
        if release is None:
            raise self._unaccepted(found)
        return f", by entry {release.index} of {release.statement.issuer}"

    def _each(self, places: Iterable[tuple[str, T]]) -> Iterator[tuple[str, T]]:
        """Yield what is checked place by place; an error in between is told with its place."""
        for place, found in places:
            self._at = place
            yield place, found
        self._at = ""

    def _check_name(self, name: str, due: str) -> None:
        if name != due:
            raise RejectedError(f"the file's name is not that of its content, {due}", where=name, remedy=REMEDY)

    def _lines(self, name: str) -> list[str]:
        """The disclosures of an entry, each ended by a line feed; nothing else."""
        *lines, rest = self._text(name).split("\n")
        if rest or "" in lines:
            raise RejectedError("not a disclosure on each line", where=name, remedy=REMEDY)
        return lines

    def _place(self, where: str) -> str:
        return where if where.startswith(self._at) else f"{self._at}: {where}"

    def _member(self, name: str) -> bytes:
        try:
            return self.members[name]
        except KeyError:
            raise RejectedError("a file is missing", where=name, remedy=REMEDY) from None

    def _text(self, name: str) -> str:
        try:
            return self._member(name).decode()
        except UnicodeDecodeError:
            raise RejectedError("the file is not UTF-8", where=name, remedy=REMEDY) from None

    @staticmethod
    def _unaccepted(found: Policy | RuleSet | FactorRelease) -> RejectedError:
        what, where = {
            Policy: ("policy", POLICY),
            RuleSet: ("rule set", f"rules/{found.id}.json"),
            FactorRelease: ("factor release", f"factors/{found.id}.json"),
        }[type(found)]
        return RejectedError(
            f"{what} {found.id} is not among the accepted ones of the trust file",
            where=where,
            remedy="compare its digest with the publisher's; accept it in the trust file if it is right",
        )


def _day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()
