"""The command line: which module has which commands. Of these no more is imported than a call needs."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from types import MappingProxyType

import typer

#: Commands without a noun, by the member of the module that has them.
VERBS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "auditor_commands.auditor_app": ("verify", "replay", "bundle"),
        "supplier_commands.supplier_app": ("push", "pull", "attest"),
        "operator_commands.operator_app": ("demo", "serve", "split", "erase", "backup", "restore"),
    }
)
#: The nouns, likewise.
NOUNS: Mapping[str, str] = MappingProxyType(
    {
        "attachment": "attachment_commands.attachment_app",
        "footprint": "result_commands.footprint_app",
        "grant": "grant_commands.grant_app",
        "factors": "method_commands.factors_app",
        "rules": "method_commands.rules_app",
        "ledger": "ledger_commands.ledger_app",
        "vault": "operator_commands.vault_app",
        "key": "key_commands.key_app",
        "statement": "statement_commands.statement_app",
        "inbox": "event_commands.inbox_app",
        "webhook": "event_commands.webhook_app",
        "request": "request_commands.request_app",
        "product": "catalogue_commands.product_app",
        "part": "catalogue_commands.part_app",
        "bom": "bom_commands.bom_app",
        "case": "case_commands.case_app",
        "factor": "factor_commands.factor_app",
        "certificate": "certificate_commands.certificate_app",
        "filing": "filing_commands.filing_app",
        "engagement": "engagement_commands.engagement_app",
        "authority": "filing_commands.authority_app",
        "org": "org_commands.org_app",
        "trust": "trust_commands.trust_app",
    }
)


def main() -> None:
    """Run the command line."""
    command_line(sys.argv[1:])(prog_name="packtrace")


def command_line(words: Sequence[str] = ()) -> typer.Typer:
    """Return the command line: all of it, or of one that begins with `words` the part that these name."""
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        help="Carbon-footprint data of the battery supply chain: signed, logged, computed, verified.",
    )
    for name, member in _named(words[0] if words else ""):
        module, _, typer_app = member.partition(".")
        app.add_typer(getattr(import_module(f"exchange.cli.{module}"), typer_app), name=name)
    return app


def _named(word: str) -> Iterator[tuple[str | None, str]]:
    """Yield name (None: its commands have no noun) and member of what `word` names; of all where it names nothing."""
    verbs = [member for member, names in VERBS.items() if word in names]
    if word in NOUNS:
        yield word, NOUNS[word]
    elif verbs:
        yield None, verbs[0]
    else:
        yield from ((None, member) for member in VERBS)
        yield from NOUNS.items()
