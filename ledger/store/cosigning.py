"""Witnesses' cosignatures in the database, beside the checkpoints that they are for; and how far the log is witnessed."""

from collections.abc import Mapping

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from ledger.cosignatures import WitnessKey, add_lines, read_cosignature
from ledger.notes import note_text
from ledger.policy import Evaluation, WitnessPolicy
from ledger.store import tables
from ledger.store.signing import SignedCheckpoint, cosignature_lines
from ledger.store.transactions import require_writing


def store_cosignatures(
    connection: Connection, signed: SignedCheckpoint, lines: Mapping[WitnessKey, str], policy: WitnessPolicy
) -> Evaluation:
    """Keep the lines of witnesses for a stored checkpoint, and say what the policy finds with all that are kept.

    A witness's first line for a checkpoint stays. Raises BadNoteError or BadSignatureError for a line that is not a
    cosignature of this checkpoint by that key: then nothing is kept. Raises NotWritingError.
    """
    require_writing(connection)
    text = note_text(signed.note)
    rows = []
    for key, line in lines.items():
        kept, found = read_cosignature(line.encode(), text, key)
        rows.append({"size": signed.size, "witness": str(key), "time": found.time, "line": kept})
    if rows:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        connection.execute(dialect.insert(tables.cosignature).on_conflict_do_nothing(), rows)
    evaluation = policy.evaluate(add_lines(signed.note, cosignature_lines(connection, signed.size)))
    if evaluation.satisfied and policy.has_quorum:
        _mark(connection, policy, signed.size)
    return evaluation


def witnessed_size(connection: Connection, policy: WitnessPolicy) -> int | None:
    """The size of the largest checkpoint whose cosignatures make the policy's quorum; None where there is none.

    With `quorum none` nobody witnesses, so it is None.
    """
    size = tables.witnessed.c.size
    return connection.scalar(select(size).where(tables.witnessed.c.policy == policy.digest))


def witnesses_of(connection: Connection, size: int) -> frozenset[str]:
    """The verifier keys of the witnesses whose cosignature of the checkpoint of this size is kept."""
    table = tables.cosignature.c
    return frozenset(connection.scalars(select(table.witness).where(table.size == size)))


def _mark(connection: Connection, policy: WitnessPolicy, size: int) -> None:
    """Remember how far this policy's quorum has come; a late answer for an older checkpoint doesn't take it back."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    larger = tables.witnessed.c.size < size
    connection.execute(
        dialect.insert(tables.witnessed)
        .values(policy=policy.digest, size=size)
        .on_conflict_do_update(index_elements=["policy"], set_={"size": size}, where=larger)
    )
