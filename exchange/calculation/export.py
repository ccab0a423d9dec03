"""Evidence files: results with every entry they rest on, cut to what the named reader may see. Every export is logged."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, Engine
from sqlmodel import Session, col, select

from bom_graph import rule_set_bytes
from exchange.access import Principal
from exchange.admission import GOVERNING_KINDS
from exchange.calculation.results import Calculation
from exchange.calculation.tables import ExportRow
from exchange.errors import ConflictError, ExchangeError, RightsError
from exchange.evidence_file import write_evidence
from exchange.identity import ReleaseRow
from exchange.intake.tables import StatementRow, SupersededRow
from exchange.kinds import STATUS_SNAPSHOT, policy_bytes
from exchange.report import Document, document_bytes
from exchange.sharing import Sharing
from exchange.trust import TrustFile
from exchange.verification import POLICY, REPORT, TRUST_SUGGESTION, entry_folder, report_text
from ledger import format_proof
from ledger.store import Entry, SignedCheckpoint, begin, entry, inclusion, latest_checkpoint, snapshot
from signer import digest_of

_QUERY = 500  # entries asked for at once, well below what either database takes as parameters


class NotPublishedError(ExchangeError):
    """The newest published checkpoint doesn't cover the entries yet: try again after the next one."""

    code = "not_published"


class Exporter:
    """Makes evidence files."""

    def __init__(
        self,
        engine: Engine,
        calculation: Calculation,
        sharing: Sharing,
        trust_file: TrustFile,
        clock: Callable[[], datetime],
    ) -> None:
        self._engine = engine
        self._calculation = calculation
        self._sharing = sharing
        self._trust_file = trust_file
        self._clock = clock

    def export(self, actor: Principal, reader: str, digests: Sequence[str]) -> bytes:
        """Return the evidence file of the results `digests`, for `reader`.

        Raises NotFoundError for an unknown result, RightsError where the reader may not see all that a result was made from, and
        NotPublishedError while the checkpoint is older than the results.
        """
        actor.require("footprints:write")
        results = {name: self._calculation.result(actor, name) for name in dict.fromkeys(digests)}
        with snapshot(self._engine) as connection:
            checkpoint = self._checkpoint(connection, results)
            members = self._entries(connection, self._takers(actor, reader), results, checkpoint)
        members |= _rules(results, self._calculation.release_file)
        members |= {f"results/{name}.json": document_bytes(found) for name, found in results.items()}
        members[REPORT] = report_text(list(results.values())).encode()
        members[TRUST_SUGGESTION] = self._trust_file.document()
        data = write_evidence(members, {"origin": self._trust_file.origin, "reader": reader, "size": checkpoint.size})
        given = {item["leaf_hash"] for found in results.values() for item in found["inputs"] if item["disclosures"]}
        with begin(self._engine) as connection:
            for taker in self._takers(actor, reader):
                self._sharing.took(connection, taker, "export", given)
            session = Session(connection)
            name = hashlib.sha256(data).hexdigest()
            session.add(ExportRow(reader=reader, digest=name, results=len(results), exported_at=self._clock()))
            session.flush()
        return data

    def _checkpoint(self, connection: Connection, results: dict[str, Document]) -> SignedCheckpoint:
        checkpoint = latest_checkpoint(connection)
        needed = max((found["snapshot"]["size"] for found in results.values()), default=0)
        if checkpoint is None or checkpoint.size < needed:
            size = 0 if checkpoint is None else checkpoint.size
            raise NotPublishedError(
                f"the results are of a ledger of {needed} entries, {size} are published",
                where="checkpoint",
                remedy="try again in a second",
            )
        return checkpoint

    @staticmethod
    def _takers(actor: Principal, reader: str) -> Sequence[str]:
        """Return who gets to see what the file holds: its reader, and whoever fetches it."""
        return [reader] if actor.stands_in else sorted({reader, actor.organisation})

    def _entries(
        self, connection: Connection, takers: Sequence[str], results: dict[str, Document], checkpoint: SignedCheckpoint
    ) -> dict[str, bytes]:
        needed = _named(results.values())
        indices = sorted(
            set(needed) | _governing(connection, checkpoint.size) | _retracting(connection, needed, checkpoint.size)
        )
        members: dict[str, bytes] = {}
        for index in indices:
            found = entry(connection, index)
            disclosures = self._disclosures(connection, takers, found, needed.get(index, frozenset()))
            folder = entry_folder(index)
            proof = inclusion(connection, index, checkpoint.size)
            members[f"{folder}/token"] = found.data
            members[f"{folder}/disclosures"] = "".join(f"{text}\n" for text in disclosures).encode()
            members[f"{folder}/proof"] = format_proof(index, proof, checkpoint.cosigned).encode()
        return members

    def _disclosures(
        self, connection: Connection, takers: Sequence[str], found: Entry, needed: frozenset[str]
    ) -> Sequence[str]:
        """Return the disclosures with the digests `needed`, which all takers have to be allowed, and no others."""
        given: Sequence[str] = ()
        for taker in takers if needed else ():
            seen = self._sharing.disclosed(connection, taker, found.leaf_hash.hex())
            given = [text for text in seen if digest_of(text) in needed]
            if len(given) < len(needed):
                raise RightsError(
                    f"{taker} may not see all that a result rests on",
                    where=f"entry {found.index}",
                    remedy="compute the result for this reader",
                )
        return given


def _named(results: Iterable[Document]) -> dict[int, frozenset[str]]:
    """Return the digests of the disclosures that the results rest on, by entry; a result is replayed from its own alone."""
    named: dict[int, frozenset[str]] = {}
    for found in results:
        for item in found["inputs"]:
            named[item["index"]] = named.get(item["index"], frozenset()) | frozenset(item["disclosures"])
    return named


def _governing(connection: Connection, size: int) -> set[int]:
    """Return the entries that keys, roles and releases rest on, and the status snapshots."""
    session = Session(connection)
    kinds = (*GOVERNING_KINDS, STATUS_SNAPSHOT.vct)
    query = select(StatementRow.index).where(col(StatementRow.vct).in_(kinds), StatementRow.index < size)
    releases = select(ReleaseRow.index).where(ReleaseRow.index < size)
    return {0, *session.exec(query).all(), *session.exec(releases).all()}


def _retracting(connection: Connection, entries: Iterable[int], size: int) -> set[int]:
    """Return the entries that took one of `entries` back, after the results too: whoever verifies is to see it."""
    session, wanted, found = Session(connection), sorted(entries), set[int]()
    for start in range(0, len(wanted), _QUERY):
        some = col(SupersededRow.index).in_(wanted[start : start + _QUERY])
        found |= set(session.exec(select(SupersededRow.by).where(some, col(SupersededRow.by) < size)).all())
    return found


def _rules(results: dict[str, Document], release_file: Callable[[str], bytes]) -> dict[str, bytes]:
    """Return the policy, rule sets and factor releases that results name. ConflictError for two versions of one release."""
    members, held = {POLICY: policy_bytes()}, dict[str, str]()
    for found in results.values():
        rule_set = found["rule_set"]["id"]
        members[f"rules/{rule_set}.json"] = rule_set_bytes(rule_set)
        for release in found["releases"]:
            if held.setdefault(release["id"], release["digest"]) != release["digest"]:
                raise ConflictError(
                    f"the results were made with different versions of factor release {release['id']}",
                    where="results",
                    remedy="export those of one version together, or recalculate the older ones",
                )
            members[f"factors/{release['id']}.json"] = release_file(release["digest"])
    return members
