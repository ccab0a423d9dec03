"""``packtrace engagement``: verification engagements, the lines of a result side by side, steps, sight of recipes, accreditations."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exchange.cli.connection import Connection
from exchange.cli.files import read_up_to
from exchange.cli.filing import Signing, sign_step
from exchange.cli.output import DONE, REJECTED, say, say_json, tell
from exchange.cli.server_commands import answer
from exchange.screen import shown

if TYPE_CHECKING:
    from exchange.client import Client

_MAX_ACCREDITATIONS = 256 * 1024


def run_list(to: Connection, box: str, organisation: str | None) -> int:
    """Print engagements, one a line."""

    def command(client: Client) -> int:
        found = list(client.engagements(box, organisation))
        lines = [f"{one['id']}  {one['state']}  filing {one['filing']}  {one['filer']}" for one in found]
        return _said(to, found, lines)

    return to.run(command)


def run_show(to: Connection, engagement: str, organisation: str | None) -> int:
    """Print an engagement: its terms, steps, findings and what was asked to be seen."""

    def command(client: Client) -> int:
        found = client.engagement(engagement, organisation=organisation)
        lines = [f"{found['id']}  {found['state']}  filing {found['filing']}  {found['verifier']}"]
        if found["terms"] is not None:
            terms = found["terms"]
            lines.append(f"  {terms['assurance']} assurance, materiality {terms['materiality_percent']} %")
        lines += [f"  {one['step']} -> {one['state']}  entry {one['index']}  {one['signer']}" for one in found["steps"]]
        lines += [_finding(one) for one in found["findings"]]
        lines += [
            f"  recipe behind {one['leaf_hash'][:16]}: {'given' if one['given'] else 'asked'}"
            for one in found["sights"]
        ]
        for one in found["rules"]["unstated"]:
            tell(shown(f"not stated: {one['what']}; assumed: {one['assumption']}"))
        return _said(to, found, lines)

    return to.run(command)


def run_statements(to: Connection, engagement: str, organisation: str | None) -> int:
    """Print the signed statements that one may read, one a line; with their disclosures as JSON."""

    def command(client: Client) -> int:
        found = client.engagement(engagement, "statements", organisation)
        return _said(to, found, [f"{one['step']}  entry {one['index']}  {one['signer']}" for one in found])

    return to.run(command)


def run_lines(to: Connection, engagement: str, organisation: str | None) -> int:
    """Print the lines that the verifier sees, and whom to ask for the rest. Exit 1 where a recalculation doesn't agree."""

    def command(client: Client) -> int:
        found = client.engagement(engagement, "lines", organisation)
        lines = [
            f"{one['item']}  {one['stage']}  {one['kg_co2e']} kg CO2e  {one['name'] or ''}{_doubt(one)}"
            for one in found["lines"]
        ]
        lines.append(f"not seen: {found['unseen_kg_co2e']} of {found['total_kg_co2e']} kg CO2e")
        lines += [f"  {one['kind']} {one['leaf_hash']} of {one['owner']}: {_sight(one)}" for one in found["to_ask"]]
        _said(to, found, lines)
        return DONE if all(one["agrees"] for one in found["lines"]) else REJECTED

    return to.run(command)


def _sight(one: Mapping[str, Any]) -> str:
    if one["given"]:
        return "given" if one["opened"] else "answered, and this statement not opened: ask for it again"
    return "asked" if one["asked_at"] else "not asked"


def run_line(to: Connection, engagement: str, number: int, organisation: str | None) -> int:
    """Print a line side by side: as stated, its evidence, its factor, its recalculation. Exit 1 where that doesn't agree."""

    def command(client: Client) -> int:
        found = client.engagement(engagement, f"lines/{number}", organisation)
        factor, again = found["factor"], found["recalculation"]
        lines = [f"{found['item']}  {found['stage']}  {found['line']} of {found['product']}, by {found['signer']}"]
        lines.append(f"  stated: {found['stated']}")
        lines += [f"  evidence: {one}" for one in found["evidence"]] or ["  evidence: none is named"]
        if factor is not None:
            lines.append(f"  factor: {factor['value']} {factor['unit']}, {factor['row']} of {factor['release']}")
            lines.append(f"  source: {factor['source']}")
        lines.append(f"  {again['formula']} = {again['kg_co2e']} kg CO2e; the result says {again['result_kg_co2e']}")
        _said(to, found, lines)
        return DONE if again["agrees"] else REJECTED

    return to.run(command)


def run_weighing(to: Connection, engagement: str, organisation: str | None) -> int:
    """Print what was found, net and absolute against materiality, and which opinions that allows."""

    def command(client: Client) -> int:
        found = client.engagement(engagement, "weighing", organisation)
        lines = [
            f"materiality {found['materiality_percent']} %: {found['materiality_kg_co2e']} of {found['total_kg_co2e']} kg CO2e",
            f"net {found['net_kg_co2e']} kg ({found['net_percent']} %)",
            f"absolute {found['absolute_kg_co2e']} kg ({found['absolute_percent']} %)",
            f"not looked at: {found['unseen_percent']} %",
        ]
        lines += [
            f"  {opinion}: {'allowed' if one['allowed'] else '; '.join(one['against'])}"
            for opinion, one in found["opinions"].items()
        ]
        return _said(to, found, lines)

    return to.run(command)


def run_findings(to: Connection, organisation: str | None) -> int:
    """Print the findings that concern one's own data."""

    def command(client: Client) -> int:
        found = list(client.findings(organisation))
        return _said(to, found, [f"{one['engagement']}{_finding(one)}" for one in found])

    return to.run(command)


def run_draft(to: Connection, step: str, engagement: str, organisation: str | None) -> int:
    """Print kind and claims of a step, as far as the exchange knows them."""

    def command(client: Client) -> int:
        say_json(client.draft_engagement(engagement, step, organisation))
        return DONE

    return to.run(command)


def run_step(to: Connection, step: str, engagement: str, *, claims: Path | None, signing: Signing) -> int:
    """Draft a step, complete it from a file of claims, show it, sign it and hand it in."""

    def draft(client: Client, issuer: str) -> dict[str, Any]:
        return client.draft_engagement(engagement, step, issuer)

    return to.run(
        lambda client: sign_step(client, draft, claims=claims, signing=signing, step=step, as_json=to.as_json)
    )


def run_ask(
    to: Connection,
    engagement: str,
    leaf_hash: str,
    *,
    days: int,
    period: tuple[str, str] | None,
    organisation: str | None,
) -> int:
    """Ask who signed an input for the recipe behind it."""

    def command(client: Client) -> int:
        body: dict[str, Any] = {
            "leaf_hash": leaf_hash,
            "deadline": (datetime.now(UTC) + timedelta(days=days)).isoformat(),
            "organisation": organisation,
        }
        if period is not None:
            body["period"] = {"start": period[0], "end": period[1]}
        found = client.ask_sight(engagement, body)
        answer(found, shown(f"request {found['request']} to {found['asked']}"), as_json=to.as_json)
        return DONE

    return to.run(command)


def run_accredit(to: Connection, verifier: str, file: Path) -> int:
    """State in the ledger what a verifier is accredited for."""

    def command(client: Client) -> int:
        from bom_graph import read_json, why_unreadable
        from exchange.errors import UsageError

        try:
            said = read_json(read_up_to(file, _MAX_ACCREDITATIONS))
        except ValueError as error:
            remedy = "give the accreditations as a JSON list"
            raise UsageError(why_unreadable(error), where=str(file), remedy=remedy) from None
        found = client.accredit(verifier, said)
        answer(found, f"accredited: entry {found['role_grant']}", as_json=to.as_json)
        return DONE

    return to.run(command)


def _said(to: Connection, found: object, lines: list[str]) -> int:
    if to.as_json:
        say_json(found)
    else:
        for one in lines:
            say(shown(one))
    return DONE


def _finding(one: Mapping[str, Any]) -> str:
    said = "".join(f"; {part['step']}: {part['text']}" for part in one.get("said", ()))
    return f"  finding {one['finding']} ({one['severity']}) {one['state']}{said}"


def _doubt(one: Mapping[str, Any]) -> str:
    return "" if one["agrees"] else "  DOES NOT RECALCULATE"
