"""``packtrace request``: ask for data, answer, and see who owes what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from exchange.cli.connection import Connection
from exchange.cli.output import DONE, say, say_json
from exchange.cli.server_commands import answer

if TYPE_CHECKING:
    from exchange.client import Client


def wish(period: str | None, wanted: Sequence[str], rule_sets: Sequence[str], **members: str | None) -> dict[str, Any]:
    """Return the body of a request, without what wasn't given. UsageError for a period that isn't two days."""
    from exchange.errors import UsageError

    found: dict[str, Any] = {name: value for name, value in members.items() if value is not None}
    if period is not None:
        start, slash, end = period.partition("/")
        if not slash:
            raise UsageError("not a period", where="--period", remedy="write it as 2025-01-01/2025-12-31")
        found["period"] = {"start": start, "end": end}
    if wanted or rule_sets:
        kinds = wanted or ["product-footprint"]
        found |= {"wanted": list(kinds), "rule_sets": list(rule_sets)}
    return found


def run_create(to: Connection, make: Callable[[], Mapping[str, Any]]) -> int:
    """Ask; print the request."""
    return to.run(lambda client: _done(to, client.ask(make())))


def run_delegate(to: Connection, request: str, make: Callable[[], Mapping[str, Any]]) -> int:
    """Pass a request on; print the new one."""
    return to.run(lambda client: _done(to, client.delegate(request, make())))


def run_show(to: Connection, request: str) -> int:
    """Print a request with its answer."""
    return to.run(lambda client: _done(to, client.request(request)))


def run_answer(to: Connection, request: str, statements: Sequence[str], verification: Sequence[str]) -> int:
    """Answer by statements, each ``<leaf hash>:<path>,<path>``; print the request."""

    def command(client: Client) -> int:
        shown = dict(map(_named, verification))
        named = [
            {"leaf_hash": leaf_hash, "paths": paths, "verification_paths": shown.pop(leaf_hash, [])}
            for leaf_hash, paths in map(_named, statements)
        ]
        _check_used(shown)
        return _done(to, client.answer(request, named))

    return to.run(command)


def run_decline(to: Connection, request: str, reason: str) -> int:
    """Decline a request; print it."""
    return to.run(lambda client: _done(to, client.decline(request, reason)))


def run_remind(to: Connection, request: str) -> int:
    """Remind; print the request."""
    return to.run(lambda client: _done(to, client.remind(request)))


def run_list(to: Connection, box: str, organisation: str | None, limit: int) -> int:
    """Print what one is asked, or asks, newest first."""

    def command(client: Client) -> int:
        _say_all(to, list(islice(client.requests(box, organisation), limit)))
        return DONE

    return to.run(command)


def run_board(to: Connection, side: str, organisation: str | None, needed_for: str | None) -> int:
    """Print who owes what, by deadline."""

    def command(client: Client) -> int:
        found = client.board(side, organisation, needed_for)
        counts = found["counts"]
        if to.as_json:
            say_json(found)
            return DONE
        say(f"{counts['pending']} pending, {counts['overdue']} overdue, {counts['due_soon']} due within a week")
        _say_all(to, found["requests"])
        return DONE

    return to.run(command)


def _named(text: str) -> tuple[str, list[str]]:
    from exchange.errors import UsageError

    leaf_hash, colon, paths = text.partition(":")
    if not colon or not paths:
        raise UsageError(
            f"not a statement with paths: {text}", where="--statement", remedy="write it as LEAFHASH:sub,total"
        )
    return leaf_hash, paths.split(",")


def _check_used(left: Mapping[str, object]) -> None:
    from exchange.errors import UsageError

    if left:
        raise UsageError(
            "a statement for the verifier alone", where="--verification", remedy="name it by --statement as well"
        )


def _done(to: Connection, found: dict[str, Any]) -> int:
    answer(found, "\n".join(_lines(found)), as_json=to.as_json)
    return DONE


def _say_all(to: Connection, found: list[dict[str, Any]]) -> None:
    if to.as_json:
        say_json(found)
        return
    for one in found:
        say(_line(one))


def _line(one: Mapping[str, Any]) -> str:
    late = f", {-one['days_left']} days overdue" if one["overdue"] else ""
    left = f", {one['days_left']} days left" if one["days_left"] is not None and not one["overdue"] else ""
    return f"{one['id']}  {one['state']}{late}{left}  {one['asker']} asks {one['asked']}  {one['product']}"


def _lines(one: Mapping[str, Any]) -> Iterator[str]:
    yield _line(one)
    yield f"  wanted: {', '.join((*one['wanted'], *one['rule_sets']))}; {one['period']['start']} to {one['period']['end']}"
    yield f"  deadline {one['deadline']}" + (f"; reminded {one['reminded_at']}" if one["reminded_at"] else "")
    if one["reason"]:
        yield f"  reason: {one['reason']}"
    if one.get("delegations"):
        yield f"  passed on {one['delegations']} times" + "".join(f", to {uri}" for uri in one["delegates"])
    for named in (one.get("answer") or {"statements": []})["statements"]:
        yield f"  answered by {named['leaf_hash']}: {' '.join(named['paths'])}"
    if one["message"]:
        yield from (f"  | {line}" for line in one["message"].split("\n"))
