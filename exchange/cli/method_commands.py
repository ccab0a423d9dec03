"""Commands of ``packtrace factors`` and ``packtrace rules``; what they do is in modules that are imported when one runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from exchange.cli.options import (
    Json,
)

factors_app = typer.Typer(no_args_is_help=True, help="Emission factors: immutable releases.")
rules_app = typer.Typer(no_args_is_help=True, help="Rule sets: methods of calculation as files.")


@factors_app.command("list")
def factors_list(as_json: Json = False) -> None:
    """List the factor releases that ship with this version."""
    from exchange.cli.factors import run_list

    sys.exit(run_list(as_json=as_json))


@factors_app.command("show")
def factors_show(
    release: Annotated[str, typer.Argument(help="Release: an id, or a file ending in .json.")],
    flow: Annotated[str | None, typer.Option(help="Only rows of this flow.")] = None,
    geography: Annotated[str | None, typer.Option(help="Only rows of this place.")] = None,
    as_json: Json = False,
) -> None:
    """Show the rows of a factor release with their source."""
    from exchange.cli.factors import run_show
    from exchange.cli.guard import guarded

    sys.exit(guarded(lambda: run_show(release, flow, geography, as_json=as_json)))


@factors_app.command("diff")
def factors_diff(
    old: Annotated[str, typer.Argument(help="Release: an id, or a file ending in .json.")],
    new: Annotated[str, typer.Argument(help="The other release.")],
    *,
    result: Annotated[Path | None, typer.Option(help="A stored result: which of its contributions move.")] = None,
    footprint: Annotated[Path | None, typer.Option(help="A product-system file: which of its lines move.")] = None,
    rules: Annotated[str | None, typer.Option(help="Rule set for the product system.")] = None,
    as_json: Json = False,
) -> None:
    """Compare two factor releases: rows added, removed, changed, and what that moves in a result."""
    from exchange.cli.factors import run_diff
    from exchange.cli.guard import guarded

    sys.exit(guarded(lambda: run_diff(old, new, result, footprint, rules, as_json=as_json)))


@rules_app.command("lint")
def rules_lint(
    file: Annotated[Path, typer.Argument(help="A rule-set file (JSON).")],
    as_json: Json = False,
) -> None:
    """Check a rule-set file. Exit 0 in form, 1 refused, or with warnings."""
    from exchange.cli.guard import guarded
    from exchange.cli.rules import run_lint

    sys.exit(guarded(lambda: run_lint(file, as_json=as_json)))


@rules_app.command("show")
def rules_show(
    rules: Annotated[str, typer.Argument(help="Rule set: an id, or a file ending in .json.")],
    as_json: Json = False,
) -> None:
    """Show what a rule set says, and what its source leaves open."""
    from exchange.cli.guard import guarded
    from exchange.cli.rules import run_show

    sys.exit(guarded(lambda: run_show(rules, as_json=as_json)))


@rules_app.command("diff")
def rules_diff(
    old: Annotated[str, typer.Argument(help="Rule set: an id, or a file ending in .json.")],
    new: Annotated[str, typer.Argument(help="The other rule set.")],
    as_json: Json = False,
) -> None:
    """Compare two rule sets, member by member."""
    from exchange.cli.guard import guarded
    from exchange.cli.rules import run_diff

    sys.exit(guarded(lambda: run_diff(old, new, as_json=as_json)))


@rules_app.command("schema")
def rules_schema() -> None:
    """Print the JSON schema of rule-set files."""
    from exchange.cli.rules import run_schema

    sys.exit(run_schema())
