"""The tables of the log. Migrations create them; this package never does."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)

metadata: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

# SQLite makes only an INTEGER key the row's own number; a BIGINT would cost a second B-tree.
_number = BigInteger().with_variant(Integer(), "sqlite")

head: Final = Table(
    "ledger_head",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("origin", String(255), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("chain", LargeBinary(32), nullable=False),
    Column("frontier", LargeBinary, nullable=False, comment="roots of the perfect subtrees, largest first"),
    Column("checkpoints", BigInteger, nullable=False, comment="how many were signed; the signer's lock"),
    CheckConstraint("id = 1", name="one_row"),
    CheckConstraint("size >= 0", name="size"),
)

entry: Final = Table(
    "ledger_entry",
    metadata,
    Column("index", _number, primary_key=True, autoincrement=False),
    Column("leaf_hash", LargeBinary(32), nullable=False, unique=True),
    Column("chain", LargeBinary(32), nullable=False),
    Column("data", LargeBinary, nullable=False),
)

# Tree nodes rest 256 to a row, as hash tiles, so that a proof reads a row or two per eight levels of the tree.
# Level 0 has full tiles only: the right edge stands in ledger_entry. A row of a higher level grows by one hash
# each time a tile below it becomes full.
node: Final = Table(
    "ledger_node",
    metadata,
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
    Column("inner_hashes", LargeBinary, nullable=True, comment="of a full tile: the roots of its sixteens"),
)

checkpoint: Final = Table(
    "ledger_checkpoint",
    metadata,
    Column("number", _number, primary_key=True, autoincrement=False, comment="0, 1, 2, ... without gaps"),
    Column("size", BigInteger, nullable=False, unique=True),
    Column("note", Text, nullable=False),
    Column("signed_at", BigInteger, nullable=False, comment="Unix seconds, on the operator's word"),
)

cosignature: Final = Table(
    "ledger_cosignature",
    metadata,
    Column("size", BigInteger, ForeignKey("ledger_checkpoint.size"), primary_key=True, autoincrement=False),
    Column("witness", String(500), primary_key=True, comment="verifier key"),
    Column("time", BigInteger, nullable=False, comment="Unix seconds, on the witness's word"),
    Column("line", Text, nullable=False),
)

# Several for a size while the log rests: the first bounds what it holds, the last what came later.
timestamp: Final = Table(
    "ledger_timestamp",
    metadata,
    Column("size", BigInteger, ForeignKey("ledger_checkpoint.size"), primary_key=True, autoincrement=False),
    Column("time", BigInteger, primary_key=True, autoincrement=False, comment="Unix seconds, by the authority"),
    Column("response", LargeBinary, nullable=False, comment="RFC 3161 TimeStampResp over the checkpoint's text, DER"),
)

# One row per policy that was ever in force: who asks for the state must not search all checkpoints for it.
witnessed: Final = Table(
    "ledger_witnessed",
    metadata,
    Column("policy", String(64), primary_key=True, comment="digest of the witness policy"),
    Column("size", BigInteger, nullable=False, comment="largest checkpoint whose cosignatures made the quorum"),
)
