"""``packtrace factor``: factor releases under review, and industry averages, at an exchange."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exchange.cli.connection import Connection
from exchange.cli.files import check_new, read_up_to, write_new
from exchange.cli.guard import guarded
from exchange.cli.key import passphrase
from exchange.cli.output import DONE, REJECTED, say, say_json, tell
from exchange.screen import shown

if TYPE_CHECKING:
    from exchange.client import Client
    from exchange.kinds import Kind


def run_propose(to: Connection, file: Path, panel: int, accept: int, organisation: str | None) -> int:
    """Propose a release; print the proposal."""

    def command() -> int:
        from bom_graph import MAX_RELEASE_BYTES, FactorRelease

        data = read_up_to(file, MAX_RELEASE_BYTES)
        # Read here first: what is wrong with it is said without the exchange.
        FactorRelease.read(data)
        more: dict[str, Any] = {"panel": panel, "accept": accept}
        if organisation is not None:
            more["organisation"] = organisation
        digest = hashlib.sha256(data).hexdigest()
        return to.run(lambda client: _done(to, client.propose_release(data, digest, **more)))

    return guarded(command)


def run_list(to: Connection) -> int:
    """Print the proposals."""
    return to.run(lambda client: _all(to, list(client.proposals()), _line))


def run_show(to: Connection, proposal: str) -> int:
    """Print a proposal with its reviews."""
    return to.run(lambda client: _done(to, client.proposal(proposal)))


def run_file(to: Connection, proposal: str, out: Path) -> int:
    """Write the file of a proposed release, which has the digest that the proposal names."""

    def command(client: Client) -> int:
        from exchange.client import UnreachableError

        check_new(out)
        known, data = client.proposal(proposal), client.proposal_file(proposal)
        digest = known["digest"]
        if hashlib.sha256(data).hexdigest() != digest:
            raise UnreachableError(
                "the file isn't of the proposal's digest", where=str(out), remedy="tell the exchange's operator"
            )
        write_new(out, data, mode=0o644)
        found = {"file": str(out), "digest": digest, "bytes": len(data)}
        if to.as_json:
            say_json(found)
        else:
            say(shown(f"{out}: {known['release']} {known['version']}, {known['state']}, SHA-256 {digest}"))
        return DONE

    return guarded(lambda: to.run(command))


def run_drop(to: Connection, proposal: str) -> int:
    """Take a proposal back; print it."""
    return to.run(lambda client: _done(to, client.drop_proposal(proposal)))


def run_diff(to: Connection, proposal: str) -> int:
    """Print how a proposed release differs from the one that it follows."""

    def command(client: Client) -> int:
        found = client.proposal(proposal, "difference")
        if to.as_json:
            say_json(found)
            return DONE
        for word in ("added", "removed"):
            for row in found[word]:
                say(
                    shown(
                        f"{word}: {row['id']}: {row['flow']} {row['geography']} {row['year']}, {row['value']} kg/{row['per']}"
                    )
                )
        for one in found["changed"]:
            by = "" if one["relative"] is None else f" ({float(one['relative']):+.2%})"
            values = f"{one['old']['value']} -> {one['new']['value']} kg/{one['new']['per']}{by}"
            say(shown(f"changed: {one['id']}: {values}; differing: {', '.join(one['members'])}"))
        return DONE

    return to.run(command)


def run_effect(to: Connection, proposal: str) -> int:
    """Print what a proposed release moves in one's own results; say on the way how far it is."""

    def command(client: Client) -> int:
        moved: list[dict[str, Any]] = []
        tally: dict[str, Any] = {"done": 0, "total": 0, "moved": 0, "refused": 0, "others": None}
        for one in client.effect(proposal):
            if "result" in one:
                moved.append(one)
                continue
            tally = one
            if tally["done"] < tally["total"]:
                tell(f"{tally['done']:,} of {tally['total']:,} results ...")
        if to.as_json:
            say_json({**tally, "results": moved})
            return DONE
        for one in moved:
            say(shown(_effect(one)))
        say(f"{len(moved)} of your results use a changed row, of {tally['total']} that were looked at")
        if tally["others"] is not None:
            say(_others(tally["others"]))
        return DONE

    return to.run(command)


def run_publish(to: Connection, proposal: str, key: str, passphrase_fd: int | None) -> int:
    """Sign and hand in the statement that publishes a reviewed release; print its entry."""

    def command(client: Client) -> int:
        from exchange.kinds import FACTOR_RELEASE

        return _state(to, client, FACTOR_RELEASE, client.proposal(proposal, "publication"), key, passphrase_fd)

    return guarded(lambda: to.run(command))


def run_withdraw(to: Connection, proposal: str, reason: str, key: str, passphrase_fd: int | None) -> int:
    """Sign and hand in the statement that withdraws a published release; print its entry."""

    def command(client: Client) -> int:
        from exchange.kinds import WITHDRAWALS

        claims = client.proposal(proposal, "withdrawal") | {"reason": reason}
        return _state(to, client, WITHDRAWALS, claims, key, passphrase_fd)

    return guarded(lambda: to.run(command))


def run_average(to: Connection, flow: str, region: str, year: int, unit: str | None) -> int:
    """Make an edition of an industry average; print it, or by which rule it is withheld."""

    def command(client: Client) -> int:
        found = client.make_average(flow, region, year, unit)
        if to.as_json:
            say_json(found)
        elif "withheld" in found:
            for reason in found["withheld"]:
                say(shown(f"withheld: {reason}"))
        else:
            say(shown(_edition(found)))
        return REJECTED if "withheld" in found else DONE

    return to.run(command)


def run_averages(to: Connection, flow: str | None) -> int:
    """Print the editions of industry averages."""
    return to.run(lambda client: _all(to, client.averages(flow), _edition))


def _state(  # noqa: PLR0917 - what is signed, by which key
    to: Connection, client: Client, kind: Kind, claims: Mapping[str, Any], key: str, passphrase_fd: int | None
) -> int:
    from exchange.cli.attest import organisation_of
    from signer import issue, new_jti
    from signer.key_access import open_signer

    signer, now = open_signer(key, lambda: passphrase(passphrase_fd)), datetime.now(UTC)
    issued = issue(
        signer,
        kind.profile,
        issuer=organisation_of(signer, key),
        audience=client.log()["origin"],
        jti=new_jti(now, secrets.token_bytes),
        issued_at=now,
        claims=dict(claims),
        random=secrets.token_bytes,
    )
    receipt = client.submit(issued.token, issued.disclosures)
    found = {"index": receipt.index, "leaf_hash": receipt.leaf_hash, "existed": receipt.existed}
    if to.as_json:
        say_json(found)
    else:
        say(f"entry {receipt.index}, leaf hash {receipt.leaf_hash}")
    return DONE


def _done(to: Connection, found: dict[str, Any]) -> int:
    if to.as_json:
        say_json(found)
    else:
        for line in _lines(found):
            say(shown(line))
    return DONE


def _all(to: Connection, found: list[dict[str, Any]], line: Callable[[Mapping[str, Any]], str]) -> int:
    if to.as_json:
        say_json(found)
    else:
        for one in found:
            say(shown(line(one)))
    return DONE


def _line(one: Mapping[str, Any]) -> str:
    return f"{one['id']}  {one['state']}  {one['release']} {one['version']}  by {one['proposer']}"


def _lines(one: Mapping[str, Any]) -> Iterator[str]:
    yield _line(one)
    yield f"  digest {one['digest']}" + (f", follows {one['based_on']}" if one["based_on"] else "")
    if one["published"] is not None:
        yield f"  published by entry {one['published']}"
    if one["withdrawn"] is not None:
        yield f"  withdrawn by entry {one['withdrawn']}: {one['reason']}"
    for what in one.get("missing", ()):
        yield f"  lacks {what}"
    for review in one.get("reviews") or ():
        counts = "counts" if review["counts"] else f"doesn't count: {review['uncounted']}"
        yield f"  review {review['index']} by {review['reviewer']}: {review['outcome']}; {counts}"
        yield from (f"    conflict: {tie['relation']}: {tie['text']}" for tie in review["conflicts"])
        for remark in review["remarks"]:
            answer = review["answers"].get(remark["id"])
            yield f"    remark {remark['id']}: {remark['text']}" + ("" if answer is None else f" -> {answer}")


def _effect(one: Mapping[str, Any]) -> str:
    by = "" if one["relative"] is None else f" ({float(one['relative']):+.2%})"
    after = f"refused: {one['refused']}" if one["refused"] else f"{one['after']} {one['unit']}{by}"
    return f"{one['product']} ({one['rule_set']}): {one['before']} -> {after}; rows {', '.join(one['rows']) or 'added'}"


def _others(found: Mapping[str, Any]) -> str:
    said = [f"others: results of at least {found['groups_at_least']} corporate groups use a changed row"]
    if found["refused_at_least"] is not None:
        said.append(f"of at least {found['refused_at_least']} some would be refused")
    for name, what in (("rise_at_least", "rise"), ("fall_at_least", "fall")):
        if found[name] is not None:
            said.append(f"several groups' results {what} by {float(found[name]):.0%} or more")
    return "; ".join(said)


def _edition(one: Mapping[str, Any]) -> str:
    return f"{one['flow']} {one['region']} {one['year']}: {one['value']} kg CO2e/{one['unit']}, made {one['made_on']}"
