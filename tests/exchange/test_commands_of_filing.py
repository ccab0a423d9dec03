"""Filings, engagements, factors and certificates: what the interface does a command does too, and every command that reads prints JSON."""

from __future__ import annotations

from typing import Any

import pytest
import typer

from exchange.cli.main import command_line
from tests.flow.world import Exchange

#: Operation -> the command that does it. Signed steps come in by ``POST /api/v1/statements`` and are listed below.
COMMANDS = {
    "GET /api/v1/duties": "filing duties",
    "GET /api/v1/filings": "filing list",
    "GET /api/v1/filings/draft": "filing draft",
    "GET /api/v1/filings/{filing}": "filing show",
    "GET /api/v1/filings/{filing}/statements": "filing statements",
    "GET /api/v1/filings/{filing}/draft": "filing draft",
    "GET /api/v1/filings/{filing}/export": "filing export",
    "GET /api/v1/filings/{filing}/reconciliation": "filing reconcile",
    "PUT /api/v1/filings/{filing}/publication": "filing publish",
    "DELETE /api/v1/filings/{filing}/publication": "filing unpublish",
    "GET /api/v1/remarks": "filing remarks",
    "GET /api/v1/public/models/{publication}": "filing status",
    "GET /api/v1/public/status-list": "filing status-list",
    "GET /api/v1/engagements": "engagement list",
    "GET /api/v1/engagements/findings": "engagement findings",
    "GET /api/v1/engagements/{engagement}": "engagement show",
    "GET /api/v1/engagements/{engagement}/statements": "engagement statements",
    "GET /api/v1/engagements/{engagement}/draft": "engagement draft",
    "GET /api/v1/engagements/{engagement}/lines": "engagement lines",
    "GET /api/v1/engagements/{engagement}/lines/{number}": "engagement line",
    "GET /api/v1/engagements/{engagement}/weighing": "engagement weighing",
    "POST /api/v1/engagements/{engagement}/sights": "engagement ask",
    "PUT /api/v1/accreditations": "engagement accredit",
    "GET /api/v1/authority/overview": "authority overview",
    "GET /api/v1/authority/filings": "authority filings",
    "GET /api/v1/authority/coverage": "authority coverage",
    "GET /api/v1/authority/remarks": "authority remarks",
    "GET /api/v1/authority/trial-summary": "authority summary",
    "GET /api/v1/authority/trial-summary.md": "authority summary",
    "POST /api/v1/factor-proposals": "factor propose",
    "GET /api/v1/factor-proposals": "factor list",
    "GET /api/v1/factor-proposals/{proposal}": "factor show",
    "GET /api/v1/factor-proposals/{proposal}/file": "factor file",
    "GET /api/v1/factor-proposals/{proposal}/difference": "factor diff",
    "GET /api/v1/factor-proposals/{proposal}/effect": "factor effect",
    "GET /api/v1/factor-proposals/{proposal}/publication": "factor publish",
    "GET /api/v1/factor-proposals/{proposal}/withdrawal": "factor withdraw",
    "POST /api/v1/factor-proposals/{proposal}/drop": "factor drop",
    "POST /api/v1/industry-averages": "factor average",
    "GET /api/v1/industry-averages": "factor averages",
    "GET /api/v1/certificates": "certificate list",
    "GET /api/v1/certificates/cover": "certificate cover",
    "GET /api/v1/retirement-register": "certificate register",
}
OURS = (
    "duties",
    "filings",
    "remarks",
    "public",
    "engagements",
    "accreditations",
    "authority",
    "factor-proposals",
    "industry-averages",
    "certificates",
    "retirement-register",
)
#: What is signed and handed in: by these a step is drafted, signed and handed in at once; any form by attest and push.
SIGNED = (
    "filing step",
    "engagement step",
    "factor publish",
    "factor withdraw",
    "statement withdraw",
    "attest",
    "push",
    "filing check-status",
)


def known() -> dict[str, Any]:
    found: dict[str, Any] = {}
    root: Any = typer.main.get_command(command_line())
    for name, command in root.commands.items():
        found[name] = command
        found |= {f"{name} {below}": one for below, one in getattr(command, "commands", {}).items()}
    return found


def test_every_operation_has_its_command(sqlite_exchange: Exchange) -> None:
    paths = sqlite_exchange.http.get("/api/v1/openapi.json").json()["paths"]
    served = {
        f"{method.upper()} {path}"
        for path, methods in paths.items()
        for method in methods
        if path.removeprefix("/api/v1/").partition("/")[0] in OURS
    }
    assert served == COMMANDS.keys()
    assert {*COMMANDS.values(), *SIGNED} <= known().keys()


@pytest.mark.parametrize("noun", ["filing", "engagement", "authority", "factor", "certificate"])
def test_every_command_has_its_operation_and_prints_json(noun: str) -> None:
    found = {name: command for name, command in known().items() if name.startswith(f"{noun} ")}
    assert found.keys() <= {*COMMANDS.values(), *SIGNED}
    for name, command in found.items():
        assert "--json" in {option for one in command.params for option in one.opts}, name
