"""Evidence files: results with every entry they rest on, cut to what the named reader may see. Every export is logged."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import chain

from sqlalchemy import Connection, Engine
from sqlmodel import Session, col, select

from bom_graph import rule_set_bytes
from exchange.access import Principal
from exchange.admission import GOVERNING_KINDS
from exchange.calculation.outline import Input, Outline, read_inputs
from exchange.calculation.results import Calculation
from exchange.calculation.tables import ExportRow
from exchange.errors import ConflictError, ExchangeError, NotFoundError, RightsError
from exchange.evidence_file import Sink, write_evidence
from exchange.identity import OrganisationRow, ReleaseRow
from exchange.intake.tables import AttestedRow, StatementRow, SupersededRow
from exchange.kinds import STATUS_SNAPSHOT, policy_bytes
from exchange.sealing import SealedFile
from exchange.sharing import Attachments, Sharing
from exchange.timing import Stamp, bounding
from exchange.trust import TrustFile
from exchange.verification import (
    ATTACHMENTS,
    POLICY,
    REPORT,
    TRUST_SUGGESTION,
    entry_folder,
    report_text,
    stamp_files,
    timestamp_folder,
)
from ledger import format_proof
from ledger.store import (
    Entry,
    SignedCheckpoint,
    begin,
    consistency,
    entries_at,
    inclusions,
    latest_checkpoint,
    snapshot,
    stamped_checkpoints,
)
from signer import digest_of

_QUERY = 500  # entries asked for at once, well below what either database takes as parameters


class NotPublishedError(ExchangeError):
    """The newest published checkpoint doesn't cover the entries yet: try again after the next one."""

    code = "not_published"


@dataclass(frozen=True, slots=True)
class Wanted:
    """How an evidence file is wanted: encrypted to the key that the reader enrolled last; with the files that its statements name."""

    seal: bool = False
    attachments: bool = False


class _Rest(Mapping[str, bytes]):
    """Members by name: some that are kept, and some that are loaded each time they are asked for."""

    def __init__(self, kept: Mapping[str, bytes], loaded: Mapping[str, Callable[[], bytes]]) -> None:
        self._members = {name: partial(kept.__getitem__, name) for name in kept} | dict(loaded)

    def __getitem__(self, name: str) -> bytes:
        return self._members[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)


class Exporter:
    """Makes evidence files."""

    def __init__(
        self,
        engine: Engine,
        calculation: Calculation,
        sharing: Sharing,
        attachments: Attachments,
        *,
        trust_file: TrustFile,
        clock: Callable[[], datetime],
    ) -> None:
        self._engine = engine
        self._calculation = calculation
        self._sharing = sharing
        self._attachments = attachments
        self._trust_file = trust_file
        self._clock = clock

    def export(self, actor: Principal, reader: str, digests: Sequence[str], to: Sink, wanted: Wanted) -> str:
        """Write the evidence file of the results `digests`, for `reader`; return the hex SHA-256 of the evidence file.

        It is written as it is made, entry by entry. Where this raises, what was written till then is nothing: NotFoundError for an
        unknown result, RightsError where the reader may not see all that a result was made from, NotPublishedError while the checkpoint
        is older than the results.
        """
        actor.require("footprints:write")
        results: dict[str, Outline] = {}
        inputs: dict[int, Input] = {}
        for name in dict.fromkeys(digests):
            data = self._calculation.result_bytes(actor, name)
            results[name] = Outline.read(name, data)
            for index, one in read_inputs(data):
                inputs[index] = one.joined(inputs.get(index))
        del data
        leaves = sorted(one.leaf_hash for one in inputs.values()) if wanted.attachments else []
        takers = self._takers(actor, reader)
        with snapshot(self._engine) as connection:
            checkpoint = self._checkpoint(connection, results)
            sealed = SealedFile(to, _certificate(connection, reader)) if wanted.seal else None
            about = {"origin": self._trust_file.origin, "reader": reader, "size": checkpoint.size}
            given: set[str] = set()
            kept = self._rest(results) | _stamps(connection, inputs, checkpoint.size)
            load = self._calculation.result_bytes
            rest = _Rest(kept, {f"results/{name}.json": partial(load, actor, name) for name in results})
            opinions = _opinions(connection, results, inputs, checkpoint.size)
            entries = self._entries(connection, takers, inputs, opinions, checkpoint, given)
            name = write_evidence(sealed or to, chain(self._files(connection, takers, leaves), entries), rest, about)
            if sealed is not None:
                sealed.close()
        with begin(self._engine) as connection:
            for taker in takers:
                self._sharing.took(connection, taker, "export", given)
            if wanted.attachments:
                self._attachments.took(connection, takers, leaves)
            session = Session(connection)
            session.add(ExportRow(reader=reader, digest=name, results=len(results), exported_at=self._clock()))
            session.flush()
        return name

    def _files(
        self, connection: Connection, takers: Sequence[str], leaves: Sequence[str]
    ) -> Iterator[tuple[str, bytes]]:
        """Yield the files that these statements name as evidence, by digest, of which every taker may have them."""
        for digest, _size, content in self._attachments.attachments_for(connection, takers, leaves):
            yield f"{ATTACHMENTS}/{digest}", b"".join(content)

    def _rest(self, results: Mapping[str, Outline]) -> dict[str, bytes]:
        """The members that are neither entries nor results."""
        members = _rules(results, self._calculation.release_file)
        members[REPORT] = report_text(found.report for found in results.values()).encode()
        members[TRUST_SUGGESTION] = self._trust_file.document()
        return members

    def _checkpoint(self, connection: Connection, results: Mapping[str, Outline]) -> SignedCheckpoint:
        checkpoint = latest_checkpoint(connection)
        needed = max((found.size for found in results.values()), default=0)
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

    def _entries(  # noqa: PLR0917 - called once
        self,
        connection: Connection,
        takers: Sequence[str],
        inputs: dict[int, Input],
        opinions: Collection[int],
        checkpoint: SignedCheckpoint,
        given: set[str],
    ) -> Iterator[tuple[str, bytes]]:
        """Yield the members of each entry, by name: what the results rest on, what governs it, and what took it back.

        `given` gets the leaf hashes of those whose disclosures go out; `inputs` are taken out as they are written, to free memory.
        """
        used = {*inputs, *opinions}
        # A release that was withdrawn is among what governs, and so is its withdrawal: the status snapshots name it.
        held = used | _governing(connection, checkpoint.size)
        indices = sorted(held | _retracting(connection, held, checkpoint.size))
        for start in range(0, len(indices), _QUERY):
            some = indices[start : start + _QUERY]
            found = entries_at(connection, some)
            leaves = [one.leaf_hash.hex() for one in found if one.index in used]
            seen = {taker: self._sharing.disclosed_each(connection, taker, leaves) for taker in takers}
            for one, proof in zip(found, inclusions(connection, some, checkpoint.size), strict=True):
                disclosures = _disclosed(one, seen, inputs.pop(one.index, None)) if one.index in used else []
                if disclosures:
                    given.add(one.leaf_hash.hex())
                folder = entry_folder(one.index)
                yield f"{folder}/disclosures", "".join(f"{text}\n" for text in disclosures).encode()
                yield f"{folder}/proof", format_proof(one.index, proof, checkpoint.cosigned).encode()
                yield f"{folder}/token", one.data


def _disclosed(found: Entry, seen: Mapping[str, Mapping[str, Sequence[str]]], needed: Input | None) -> Sequence[str]:
    """Return the disclosures of an entry that go out: those of the digests `needed`, all others are left out.

    `seen` by taker and statement. Every taker has to see what is needed, else RightsError. None: whatever all of them see.
    """
    by_taker = {taker: each.get(found.leaf_hash.hex(), ()) for taker, each in seen.items()}
    first, *others = by_taker.values()
    if needed is None:
        return [text for text in first if all(text in other for other in others)]
    wanted = frozenset(needed.disclosures)
    for taker, texts in by_taker.items():
        if not wanted <= set(map(digest_of, texts)):
            raise RightsError(
                f"{taker} may not see all that a result rests on",
                where=f"entry {found.index}",
                remedy="compute the result for this reader",
            )
    return [text for text in first if digest_of(text) in wanted]


def _certificate(connection: Connection, reader: str) -> bytes:
    """The certificate (DER) of the key that `reader` enrolled last."""
    row = Session(connection).get(OrganisationRow, reader)
    if row is None:
        raise NotFoundError(
            "no such organisation has a key here", where="reader", remedy="ask it to enrol, or leave the file unsealed"
        )
    return row.certificate


def _governing(connection: Connection, size: int) -> set[int]:
    """Return the entries that keys, roles and releases rest on, and the status snapshots."""
    session = Session(connection)
    kinds = (*GOVERNING_KINDS, STATUS_SNAPSHOT.vct)
    query = select(StatementRow.index).where(col(StatementRow.vct).in_(kinds), StatementRow.index < size)
    releases = select(ReleaseRow.index).where(ReleaseRow.index < size)
    return {0, *session.exec(query).all(), *session.exec(releases).all()}


def _opinions(
    connection: Connection, results: Mapping[str, Outline], inputs: Mapping[int, Input], size: int
) -> set[int]:
    """Return the verification-statements of the sealed footprints that the results rest on."""
    session = Session(connection)
    sealed = {index for found in results.values() for index in found.sealed}
    wanted = sorted({inputs[index].leaf_hash for index in sealed & inputs.keys()})
    found_at = set[int]()
    for start in range(0, len(wanted), _QUERY):
        some = col(AttestedRow.target).in_(wanted[start : start + _QUERY])
        found_at |= set(session.exec(select(AttestedRow.index).where(some, col(AttestedRow.index) < size)).all())
    return found_at


def _retracting(connection: Connection, entries: Iterable[int], size: int) -> set[int]:
    """Return the entries that took one of `entries` back, after the results too: whoever verifies is to see it."""
    session, wanted, found = Session(connection), sorted(entries), set[int]()
    for start in range(0, len(wanted), _QUERY):
        some = col(SupersededRow.index).in_(wanted[start : start + _QUERY])
        found |= set(session.exec(select(SupersededRow.by).where(some, col(SupersededRow.by) < size)).all())
    return found


def _stamps(connection: Connection, entries: Iterable[int], size: int) -> dict[str, bytes]:
    """Return the timestamps that bound when `entries` were logged, each with the proof that the checkpoint of `size` extends it."""
    found = stamped_checkpoints(connection, size)
    members: dict[str, bytes] = {}
    for number, place in enumerate(bounding([stamped for stamped, _text, _response in found], entries)):
        stamped, text, response = found[place]
        stamp = Stamp(text, consistency(connection, stamped, size), response)
        members |= {f"{timestamp_folder(number)}/{name}": data for name, data in stamp_files(stamp).items()}
    return members


def _rules(results: Mapping[str, Outline], release_file: Callable[[str], bytes]) -> dict[str, bytes]:
    """Return the policy, rule sets and factor releases that results name. ConflictError for two versions of one release."""
    members, held = {POLICY: policy_bytes()}, dict[str, str]()
    for found in results.values():
        members[f"rules/{found.rule_set}.json"] = rule_set_bytes(found.rule_set)
        for release, digest in found.releases.items():
            if held.setdefault(release, digest) != digest:
                raise ConflictError(
                    f"the results were made with different versions of factor release {release}",
                    where="results",
                    remedy="export those of one version together, or recalculate the older ones",
                )
            members[f"factors/{release}.json"] = release_file(digest)
    return members
