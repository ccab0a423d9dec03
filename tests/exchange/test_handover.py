"""Statements handed over encrypted to one reader's key, beside the exchange."""

from __future__ import annotations

import pytest

from exchange.errors import StatementError
from exchange.handover import open_sealed, seal_for
from exchange.kinds import ACTIVITY_DATA
from signer import KeyPair, join_presentation
from tests.exchange.desk import Desk
from tests.flow.world import Exchange, activity, line


def test_a_statement_of_two_thousand_lines_reaches_its_reader_alone(sqlite_exchange: Exchange) -> None:
    supplier, reader, other = (sqlite_exchange.member(name) for name in ("supplier", "reader", "other"))
    inputs = [line(name=f"input {number}", flow="nickel-sulfate") for number in range(2000)]
    issued = supplier.sign(ACTIVITY_DATA, activity(supplier.product("salt"), *inputs))
    statement = join_presentation(issued.token, issued.disclosures)
    sealed = seal_for(statement, reader.key.certificate)
    assert issued.disclosures[0] not in sealed
    assert open_sealed(f"{sealed}\n", reader.key) == statement
    with pytest.raises(StatementError, match="it was not sealed to this key"):
        open_sealed(sealed, other.key)


@pytest.mark.parametrize("part", range(5))
def test_what_was_changed_is_refused(sqlite_exchange: Exchange, part: int) -> None:
    supplier = sqlite_exchange.member("supplier")
    issued = supplier.sign(ACTIVITY_DATA, activity(supplier.product("salt")))
    parts = seal_for(join_presentation(issued.token, issued.disclosures), supplier.key.certificate).split(".")
    parts[part] = parts[part][:-4] + ("AAAA" if parts[part][-4:] != "AAAA" else "BBBB")
    with pytest.raises(StatementError):
        open_sealed(".".join(parts), supplier.key)


def test_what_can_not_be_handed_over_is_refused(sqlite_exchange: Exchange) -> None:
    supplier = sqlite_exchange.member("supplier")
    issued = supplier.sign(ACTIVITY_DATA, activity(supplier.product("salt")))
    with pytest.raises(StatementError, match="nothing to hand over"):
        seal_for(f"{issued.token}~", supplier.key.certificate)
    edwards = sqlite_exchange.member("edwards")
    other = KeyPair.generate("Ed25519")
    operator = sqlite_exchange.services.installation.operator
    now = sqlite_exchange.clock()
    certificate = operator.authority.issue(other.csr(edwards.uri), edwards.uri, now, now.replace(year=now.year + 1))
    statement = join_presentation(issued.token, issued.disclosures)
    with pytest.raises(StatementError, match="nothing can be encrypted to this key"):
        seal_for(statement, certificate)
    with pytest.raises(StatementError, match="nothing is sealed to such a key"):
        open_sealed("a.b.c.d.e", other)


def test_seal_and_open_by_commands(desk: Desk, sqlite_exchange: Exchange) -> None:
    key, theirs = desk.key(), desk.key("theirs", "https://reader.example")
    supplier = sqlite_exchange.member("supplier")
    issued = supplier.sign(ACTIVITY_DATA, activity(supplier.product("salt")))
    statement = desk.folder / "statement"
    statement.write_text(join_presentation(issued.token, issued.disclosures) + "\n", "ascii")
    sealed, opened = desk.folder / "sealed", desk.folder / "opened"
    ran = desk.run("statement", "seal", statement, "--for", f"{theirs}.crt", "--out", sealed)
    assert (ran.code, "can't be taken back" in ran.err) == (0, True), ran.err
    assert desk.run("statement", "open", sealed, "--key", key, "--out", opened).code == 1
    assert not opened.exists()
    ran = desk.run("statement", "open", sealed, "--key", theirs, "--out", opened)
    assert ran.code == 0, ran.err
    assert opened.read_text("ascii") == statement.read_text("ascii")
    assert opened.stat().st_mode & 0o077 == 0
    assert desk.run("statement", "open", sealed, "--key", theirs, "--out", opened).code == 2
