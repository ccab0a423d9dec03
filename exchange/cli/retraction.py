"""``packtrace statement supersede|withdraw``: signed on this machine, kept in a file, and handed in."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exchange.cli.asking import confirmed
from exchange.cli.attest import SUFFIX, organisation_of
from exchange.cli.files import check_new, read_up_to, write_new
from exchange.cli.key import passphrase
from exchange.cli.output import DONE, REJECTED, say, say_json, tell
from exchange.cli.partner import Login, connected

if TYPE_CHECKING:
    from exchange.partner import Partner

_LEAF = re.compile(r"[0-9a-f]{64}")
_NAMED = 12


@dataclass(frozen=True, slots=True)
class Order:
    """The command's options as given; without `replacement` it is a withdrawal."""

    target: str
    replacement: str | None
    key: str
    reason: str
    out: Path | None
    passphrase_fd: int | None
    yes: bool


def run(login: Login, order: Order, *, as_json: bool) -> int:
    """Sign that a statement counts no more, and hand it in."""

    def command(partner: Partner) -> int:
        from exchange.attestation import take_back
        from exchange.client import AnswerError, UnreachableError
        from signer import join_presentation
        from signer.key_access import open_signer

        leaf = _leaf_of(order.target)
        kind = "withdrawal" if order.replacement is None else "supersession"
        file = order.out or Path(f"{kind}-{leaf[:_NAMED]}{SUFFIX}")
        check_new(file)
        origin = partner.log()["origin"]
        target = partner.entry(leaf)
        replacement = None if order.replacement is None else partner.entry(_leaf_of(order.replacement))
        signer = open_signer(order.key, lambda: passphrase(order.passphrase_fd))
        issuer = organisation_of(signer, order.key)
        _check(target, replacement, issuer)
        for line in _shown(target, replacement, order.reason):
            tell(line)
        if not order.yes and not confirmed("Sign and hand this in? Nothing takes it back."):
            tell("not signed; nothing was written")
            return REJECTED
        issued = take_back(
            signer,
            _citation(origin, target),
            order.reason,
            replacement=None if replacement is None else _citation(origin, replacement),
            issuer=issuer,
            now=datetime.now(UTC),
            random=secrets.token_bytes,
        )
        write_new(file, join_presentation(issued.token, issued.disclosures).encode("ascii"), mode=0o600)
        try:
            receipt = partner.submit(issued.token, issued.disclosures)
        except (AnswerError, UnreachableError) as error:
            if isinstance(error, AnswerError) and not error.may_pass:
                file.unlink()
            else:
                tell(f"signed: {file}; hand it in with: packtrace push {file} --server {login.server}")
            raise
        tell(f"what was signed is kept in {file}")
        if as_json:
            say_json({"kind": kind, "file": str(file), "target": _citation(origin, target), **receipt.citation})
        else:
            said = "" if replacement is None else f"; in its place stands entry {replacement['index']}"
            say(f"entry {receipt.index}: entry {target['index']} counts no more{said}")
        return DONE

    return connected(login, command)


def _leaf_of(named: str) -> str:
    """The leaf hash of a statement that is named by it, by its file, or by what a push or submission answered."""
    from exchange.errors import UsageError
    from signer import citation_hash

    if _LEAF.fullmatch(named):
        return named
    from exchange.cli.statement import MAX_STATEMENT_BYTES, read_statement

    path = Path(named)
    data = read_up_to(path, MAX_STATEMENT_BYTES)
    if not data.lstrip().startswith(b"{"):
        return citation_hash(read_statement(path)[0])
    try:
        found = json.loads(data)
    except ValueError:
        found = {}
    # Of a whole `packtrace push --json`, where it was of one statement.
    found = found["statements"][0] if len(found.get("statements") or ()) == 1 else found
    leaf = found.get("leaf_hash")
    if not isinstance(leaf, str) or not _LEAF.fullmatch(leaf):
        remedy = "name a leaf hash (64 hex digits), a signed statement, or the receipt of one"
        raise UsageError("no receipt of one statement", where=named, remedy=remedy)
    return leaf


def _check(target: Mapping[str, Any], replacement: Mapping[str, Any] | None, issuer: str) -> None:
    """Refuse here what the exchange would refuse, before anything is signed."""
    from exchange.errors import RightsError, StatementError

    for entry in (target, replacement):
        if entry is not None and entry["issuer"] != issuer:
            what = f"entry {entry['index']} is a statement of {entry['issuer']}, the key is {issuer}'s"
            raise RightsError(what, where="--key", remedy="sign with the key of the organisation that stated it")
    if replacement is not None and replacement["vct"] != target["vct"]:
        what = f"entry {replacement['index']} is of another kind than entry {target['index']}"
        raise StatementError(what, where="--by", remedy="name a statement of the same kind about the same product")


def _citation(origin: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    return {"origin": origin, "index": entry["index"], "leaf_hash": entry["leaf_hash"]}


def _shown(target: Mapping[str, Any], replacement: Mapping[str, Any] | None, reason: str) -> list[str]:
    named = f"entry {target['index']}, {target['vct'].split(':')[2]} of {target['issued_at']}"
    lines = [f"open to everybody who reads the ledger: {named} counts no more", "hidden, unless you grant it:"]
    if replacement is not None:
        lines.append(f"  replacement: entry {replacement['index']} of {replacement['issued_at']}")
    return [*lines, f"  reason: {reason}", "results that rest on it become stale; their readers are told so"]
