"""``packtrace case``: contradictions between one's own statements and another organisation's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from exchange.cli.output import DONE, say, say_json
from exchange.cli.partner import Login, connected

if TYPE_CHECKING:
    from exchange.partner import Partner

_WAY_OUT = {
    "certificates": "supersede or withdraw the statement, or name this id to the operator",
    "deliveries": "correct the statement (packtrace statement supersede), or name this id to the other side",
}


def run_list(login: Login, *, only_open: bool, as_json: bool) -> int:
    """Print the cases that concern one's organisation."""

    def command(partner: Partner) -> int:
        found = [one for one in partner.cases() if not only_open or one["state"] == "open"]
        if as_json:
            say_json({"cases": found})
            return DONE
        for one in found:
            say(_line(one))
        if not found:
            say("no cases")
        return DONE

    return connected(login, command)


def run_show(login: Login, case: str, *, as_json: bool) -> int:
    """Print a case."""

    def command(partner: Partner) -> int:
        found = partner.case(case)
        if as_json:
            say_json(found)
            return DONE
        say(_line(found))
        for one in found["sides"]:
            entry = "a statement that was refused" if one["index"] is None else f"entry {one['index']}"
            say(f"  {one['organisation']}: {entry}, {one['where']}")
        if found["state"] == "open" and found["about"] in _WAY_OUT:
            say(f"  to close it: {_WAY_OUT[found['about']]}")
        return DONE

    return connected(login, command)


def _line(one: Mapping[str, Any]) -> str:
    closed = f", closed {one['closed_at']}" if one["closed_at"] else ""
    return f"{one['id']}  {one['state']}  {one['about']}  since {one['opened_at']}{closed}"
