"""``packtrace grant``: who may see what of one's statements, what that gives away, and who took it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from exchange.cli.connection import Connection
from exchange.cli.output import DONE, say, say_json

if TYPE_CHECKING:
    from exchange.client import Client


@dataclass(frozen=True, slots=True)
class Order:
    """A grant as it is asked for on the command line."""

    owner: str
    reader: str
    paths: tuple[str, ...]
    purpose: str
    leaf_hash: str | None
    product: str | None
    kind: str | None
    onward: str
    until: date | None
    source: str | None
    reason: str | None

    @property
    def terms(self) -> dict[str, Any]:
        """The terms as the interface takes them; a kind may have been given by its short name."""
        short = self.kind is not None and ":" not in self.kind
        return {
            "leaf_hash": self.leaf_hash,
            "product": self.product,
            "kind": f"urn:packtrace:{self.kind}:1" if short else self.kind,
            "onward": self.onward,
            "valid_until": None if self.until is None else self.until.isoformat(),
            "source": self.source,
            "reason": self.reason,
        }


def run_add(to: Connection, order: Order) -> int:
    """Record a grant."""
    return _answered(to, lambda client: _granted(client.grant, order), lambda one: [f"granted: {_line(one)}"])


def run_preview(to: Connection, order: Order) -> int:
    """Show what a grant would give away."""
    return _answered(to, lambda client: _granted(client.preview_grant, order), _preview_lines)


def run_list(to: Connection, direction: Literal["given", "received"]) -> int:
    """List grants."""
    return _answered(
        to,
        lambda client: {"grants": list(client.grants(direction))},
        lambda found: [_line(one) for one in found["grants"]] or [f"no grants {direction}"],
    )


def run_withdraw(to: Connection, grant: str) -> int:
    """Withdraw a grant."""
    return _answered(to, lambda client: client.withdraw_grant(grant), _withdrawn_lines)


def run_log(to: Connection) -> int:
    """Show who took what."""
    return _answered(
        to,
        lambda client: {"accesses": list(client.access_log())},
        lambda found: [_access_line(one) for one in found["accesses"]] or ["nobody took anything"],
    )


def _granted(call: Callable[..., dict[str, Any]], order: Order) -> dict[str, Any]:
    return call(order.owner, order.reader, order.paths, order.purpose, **order.terms)


def _answered(
    to: Connection,
    ask: Callable[[Client], dict[str, Any]],
    lines: Callable[[dict[str, Any]], list[str] | Iterator[str]],
) -> int:
    def command(client: Client) -> int:
        found = ask(client)
        if to.as_json:
            say_json(found)
        else:
            for line in lines(found):
                say(line)
        return DONE

    return to.run(command)


def _line(one: Mapping[str, Any]) -> str:
    about = one["leaf_hash"] or f"every {one['kind'].split(':')[2]} of {one['product']}"
    until = f" until {one['valid_until']}" if one["valid_until"] else ""
    onward = "" if one["onward"] == "none" else f", onward {one['onward']}"
    ended = f", withdrawn {one['withdrawn_at'][:10]}" if one["withdrawn_at"] else ""
    return (
        f"{one['id']}  {one['grantor']} -> {one['reader']}: {' '.join(one['paths'])} of {about}, "
        f"{one['purpose']}{until}{onward}{ended}"
    )


def _preview_lines(found: Mapping[str, Any]) -> Iterator[str]:
    for statement in found["statements"]:
        yield f"statement {statement['leaf_hash']} ({statement['kind'].split(':')[2]}): {found['reader']} would see"
        for one in statement["sees"]:
            yield f"  {one['path']}: {one['value']}{' (sees it already)' if one['had'] else ''}"
        for one in statement["files"]:
            size = "not handed in yet" if one["bytes"] is None else f"{one['bytes']} bytes"
            yield f"  {one['path']}: the file {one['digest']}, {size}{' (has it already)' if one['had'] else ''}"
        yield f"  sealed: {' '.join(statement['sealed']) or 'nothing'}"
        yield from (f"  follows: {what}" for what in statement["derives"])
    shown = len(found["statements"])
    if found["statements_in_all"] > shown:
        yield f"and {found['statements_in_all'] - shown} older statements"
    if found["future_statements"]:
        yield "and every such statement to come"
    yield found["cannot_be_taken_back"]
    yield from (f"  taken already: {_copies_line(one)}" for one in found["copies"])
    yield found["travels"]
    if found["border"] is not None:
        yield f"it leads from {found['border']['from']} to {found['border']['to']}: state why with --reason; it is recorded"


def _withdrawn_lines(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"withdrawn: {_line(found)}"
    yield from (f"  ended with it: {one}" for one in found["ended"])
    yield from (f"  a copy stays: {_copies_line(one)}" for one in found["copies"])


def _copies_line(one: Mapping[str, Any]) -> str:
    return f"{one['reader']}, {one['act']} of {one['leaf_hash']}, {one['count']} times, last {one['last_at'][:19]}"


def _access_line(one: Mapping[str, Any]) -> str:
    return f"{one['day']}  {one['reader']}, {one['act']} of {one['leaf_hash']}, {one['count']} times: {' '.join(one['paths'])}"
