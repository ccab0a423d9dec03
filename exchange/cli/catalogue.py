"""``packtrace product``, ``packtrace part`` and ``packtrace erase``: what one states, maps, and has erased."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from exchange.cli.connection import Connection
from exchange.cli.output import DONE, say, say_json
from exchange.cli.server_commands import answer

if TYPE_CHECKING:
    from exchange.client import Client

__all__ = ["Connection", "run_decide", "run_end", "run_erase", "run_parts", "run_products", "run_propose", "run_put"]


def run_put(to: Connection, product: dict[str, str], organisation: str | None) -> int:
    """State a product (`uri`, `name`, `unit`, `kind`); print it."""

    def command(client: Client) -> int:
        client.put_product(**product, organisation=organisation)
        answer(product, _product(product), as_json=to.as_json)
        return DONE

    return to.run(command)


def run_products(to: Connection, organisation: str | None, limit: int) -> int:
    """Print the products."""

    def command(client: Client) -> int:
        found = list(islice(client.products(organisation), limit))
        if to.as_json:
            say_json(found)
        for one in () if to.as_json else found:
            say(_product(one))
        return DONE

    return to.run(command)


def run_propose(to: Connection, mapping: Mapping[str, Any], organisation: str | None) -> int:
    """Propose a mapping (the arguments of `Client.propose_part`); print it."""
    return to.run(lambda client: _done(to, client.propose_part(**mapping, organisation=organisation)))


def run_decide(to: Connection, part: str, *, confirm: bool, reason: str) -> int:
    """Decide about a mapping; print it."""
    return to.run(lambda client: _done(to, client.decide_part(part, confirm=confirm, reason=reason)))


def run_end(to: Connection, part: str) -> int:
    """End a mapping; print it."""
    return to.run(lambda client: _done(to, client.end_part(part)))


def run_parts(to: Connection, side: Literal["customer", "supplier"], organisation: str | None, limit: int) -> int:
    """Print the mappings of one side."""

    def command(client: Client) -> int:
        found = list(islice(client.parts(side, organisation), limit))
        if to.as_json:
            say_json(found)
        for one in () if to.as_json else found:
            say(_part(one))
        return DONE

    return to.run(command)


def run_erase(to: Connection, leaf_hash: str) -> int:
    """Erase a statement of one's own; print the index of the entry that says so."""

    def command(client: Client) -> int:
        index = client.erase(leaf_hash)
        answer({"leaf_hash": leaf_hash, "index": index}, f"{leaf_hash} is erased by entry {index}", as_json=to.as_json)
        return DONE

    return to.run(command)


def _done(to: Connection, found: dict[str, Any]) -> int:
    answer(found, _part(found), as_json=to.as_json)
    return DONE


def _product(one: Mapping[str, Any]) -> str:
    return f"{one['uri']}  {one['kind']} per {one['unit']}  {one['name']}"


def _part(one: Mapping[str, Any]) -> str:
    line = f" of {one['line']}" if one["line"] else ""
    return f"{one['id']}  {one['state']}  {one['customer']}: {one['part']}{line} is {one['product']}"
