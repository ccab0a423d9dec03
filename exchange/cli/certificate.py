"""``packtrace certificate``: the register of retired electricity certificates, at an exchange."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from exchange.cli.connection import Connection
from exchange.cli.output import DONE, REJECTED, say, say_json
from exchange.screen import shown

if TYPE_CHECKING:
    from exchange.client import Client


def run_list(to: Connection) -> int:
    """Print one's own retirements."""

    def command(client: Client) -> int:
        found = list(client.certificates())
        if to.as_json:
            say_json(found)
        else:
            for one in found:
                say(shown(_retirement(one)))
        return DONE

    return to.run(command)


def run_cover(to: Connection, organisation: str | None) -> int:
    """Print what was retired against grid purchases, by site and month."""

    def command(client: Client) -> int:
        found = client.cover(organisation)
        if to.as_json:
            say_json(found)
        else:
            for one in found:
                say(
                    shown(
                        f"{one['site']} {one['month']}: {one['retired_mwh']} MWh retired, {one['bought_mwh']} MWh from the grid"
                    )
                )
                if not one["covered"]:
                    say(shown(f"  {one['what']}; {one['remedy']}"))
        return DONE if all(one["covered"] for one in found) else REJECTED

    return to.run(command)


def run_register(to: Connection, size: int | None) -> int:
    """Print the digest of the register."""

    def command(client: Client) -> int:
        found = client.register(size)
        if to.as_json:
            say_json(found)
        else:
            say(f"{found['digest']}  {found['retirements']} retirements count at size {found['size']}")
        return DONE

    return to.run(command)


def _retirement(one: Mapping[str, Any]) -> str:
    stands = one["state"] + (f" since entry {one['by']}" if one["by"] is not None else "")
    if one["name"] is None:
        return f"entry {one['index']}: {stands}"
    serials = ", ".join(f"{line['first']} to {line['last']}" for line in one["serials"])
    what = f"{one['mwh']} MWh {one['generation']} for {one['site']} {one['month']}; {one['registry']} {serials}"
    return f"entry {one['index']}: {stands}; {what}"
