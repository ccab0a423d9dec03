"""The commands and their options; each hands over to a module of its own, imported when the command runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from exchange.cli.attachment_commands import attachment_app
from exchange.cli.auditor_commands import auditor_app
from exchange.cli.bom_commands import bom_app
from exchange.cli.case_commands import case_app
from exchange.cli.catalogue_commands import part_app, product_app
from exchange.cli.certificate_commands import certificate_app
from exchange.cli.engagement_commands import engagement_app
from exchange.cli.factor_commands import factor_app
from exchange.cli.filing_commands import authority_app, filing_app
from exchange.cli.footprint_commands import calculation_app
from exchange.cli.grant_commands import grant_app
from exchange.cli.options import (
    ClientId,
    Data,
    Email,
    Factors,
    Json,
    Organisation,
    Passphrase,
    SecretFile,
    Server,
    TokenFile,
)
from exchange.cli.org_commands import org_app
from exchange.cli.request_commands import request_app
from exchange.cli.retraction_commands import retraction_app
from exchange.cli.trust_commands import trust_app

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Carbon-footprint data of the battery supply chain: signed, logged, computed, verified.",
)
ledger_app = typer.Typer(no_args_is_help=True, help="The transparency ledger.")
vault_app = typer.Typer(no_args_is_help=True, help="Encryption at rest.")
ledger_key_app = typer.Typer(no_args_is_help=True, help="The key that signs checkpoints.")
key_app = typer.Typer(no_args_is_help=True, help="Your organisation's signing key, on your machine.")
statement_app = typer.Typer(no_args_is_help=True, help="Signed statements.")
footprint_app = typer.Typer(no_args_is_help=True, help="Footprints.")
factors_app = typer.Typer(no_args_is_help=True, help="Emission factors: immutable releases.")
rules_app = typer.Typer(no_args_is_help=True, help="Rule sets: methods of calculation as files.")
app.add_typer(auditor_app)
app.add_typer(attachment_app, name="attachment")
app.add_typer(footprint_app, name="footprint")
app.add_typer(grant_app, name="grant")
app.add_typer(factors_app, name="factors")
app.add_typer(rules_app, name="rules")
app.add_typer(ledger_app, name="ledger")
app.add_typer(vault_app, name="vault")
ledger_app.add_typer(ledger_key_app, name="key")
app.add_typer(key_app, name="key")
app.add_typer(statement_app, name="statement")
inbox_app = typer.Typer(no_args_is_help=True, help="What happened to an organisation.")
webhook_app = typer.Typer(no_args_is_help=True, help="Where an organisation's events are sent.")
app.add_typer(inbox_app, name="inbox")
app.add_typer(webhook_app, name="webhook")
webhook_key_app = typer.Typer(no_args_is_help=True, help="The key that signs webhooks.")
webhook_app.add_typer(webhook_key_app, name="key")
app.add_typer(request_app, name="request")
app.add_typer(product_app, name="product")
app.add_typer(part_app, name="part")
app.add_typer(bom_app, name="bom")
app.add_typer(case_app, name="case")
footprint_app.add_typer(calculation_app)
statement_app.add_typer(retraction_app)
app.add_typer(factor_app, name="factor")
app.add_typer(certificate_app, name="certificate")
app.add_typer(filing_app, name="filing")
app.add_typer(engagement_app, name="engagement")
app.add_typer(authority_app, name="authority")
app.add_typer(org_app, name="org")
app.add_typer(trust_app, name="trust")

Port = Annotated[
    int | None, typer.Option("--port", min=0, max=65535, help="Port on 127.0.0.1; a free one if it is taken.")
]

Published = Annotated[
    str | None,
    typer.Option("--from", help="Read a published log, its files alone: a folder or an address; else the database."),
]
LogTrust = Annotated[
    Path | None, typer.Option("--trust", help="Trust file of the published log; else that of the data folder.")
]
KeyFile = Annotated[Path, typer.Argument(help="Key file; its certificate lies beside it as PATH.crt.")]
Whose = Annotated[str, typer.Option("--organisation", help="URI of the organisation.")]
SubscriptionId = Annotated[str, typer.Argument(metavar="ID", help="Id of the subscription, from `webhook list`.")]
StatementFile = Annotated[Path, typer.Argument(help="A signed statement: <JWT>, or <JWT>~<disclosure>~...~")]


def main() -> None:
    """Run the command line."""
    app(prog_name="packtrace")


@app.command()
def demo(
    leave: Annotated[bool, typer.Option("--exit", help="End after the run instead of serving the pages.")] = False,
    as_json: Json = False,
    data: Data = None,
    port: Port = None,
) -> None:
    """Play a real supply chain through the real code, verify its evidence, and serve the pages."""
    from exchange.cli.server_commands import run_demo

    sys.exit(run_demo(data, port, leave=leave, as_json=as_json))


@app.command()
def serve(data: Data = None, port: Port = None) -> None:
    """Serve the exchange on this machine until interrupted."""
    from exchange.cli.server_commands import run_serve

    sys.exit(run_serve(data, port))


@app.command()
def push(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE|FOLDER|-...",
            help="Signed statements with their disclosures; a folder's *.sd-jwt; -: one in each line of the input.",
        ),
    ],
    server: Server,
    *,
    sealed: Annotated[bool, typer.Option("--sealed", help="Withhold the disclosures: send the token alone.")] = False,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    journal: Annotated[
        Path | None, typer.Option(help="File that keeps what was admitted, so that the next push leaves it out.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Have everything checked, and nothing written.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Submit signed statements. Exit 0 all are admitted (or were there before), 1 some are refused, 2 usage."""
    from exchange.cli.partner import Login, run_push

    login = Login(server, client_id, secret_file, None, data)
    sys.exit(run_push(files, login, journal, dry_run=dry_run, sealed=sealed, as_json=as_json))


@app.command()
def pull(
    file: Annotated[Path, typer.Argument(help="File for the evidence (.packtrace); replaced.")],
    server: Server,
    *,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    product: Annotated[str | None, typer.Option(help="URI of a product; without it all results.")] = None,
    reader: Annotated[str | None, typer.Option(help="URI of who the file is for; without it yourself.")] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List the organisation's newest results and fetch their evidence file."""
    from exchange.cli.partner import Login, run_pull

    sys.exit(run_pull(file, Login(server, client_id, secret_file, None, data), product, reader, as_json=as_json))


@ledger_app.command()
def audit(
    *,
    data: Data = None,
    folder: Annotated[
        Path | None, typer.Option(help="A copy of the published log to compare, instead of the data folder's own.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="A checkpoint that was kept: the log must be an extension of it.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="Address of a published log (the folder of `checkpoint`) to compare.")
    ] = None,
    trust: Annotated[
        Path | None,
        typer.Option(help="Believe this trust file and open no database: compare --url with --checkpoint."),
    ] = None,
    stall_seconds: Annotated[
        float, typer.Option(min=0, help="What was signed so long ago must be shown at --url.")
    ] = 60,
    stall_entries: Annotated[
        int | None, typer.Option(min=0, help="So many signed entries may be missing at --url.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Rebuild the whole ledger from its entries and compare database, published files and what others keep of it.

    Exit 1 names the first difference: a place in the log, `rollback`, `fork` or `stall`.
    """
    from exchange.cli.audit import AuditOrder, run_audit

    order = AuditOrder(folder, url, checkpoint, trust, stall_seconds, stall_entries)
    sys.exit(run_audit(data, order, as_json=as_json))


@ledger_app.command("publish")
def ledger_publish(
    folder: Annotated[Path, typer.Argument(help="Folder of the copy; made, or brought up to date.")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Write the published log as static files that any web server can serve; signs nothing and overwrites no tile."""
    from exchange.cli.audit import run_publish

    sys.exit(run_publish(data, folder, as_json=as_json))


@ledger_key_app.command("rotate")
def ledger_key_rotate(data: Data = None) -> None:
    """Make the log's next key; from the next start both keys sign, and the trust file names both."""
    from exchange.cli.recovery import run_rotate

    sys.exit(run_rotate(data))


@ledger_key_app.command("retire")
def ledger_key_retire(data: Data = None) -> None:
    """End the log's old key after a rotation; from the next start only the new one signs."""
    from exchange.cli.recovery import run_retire

    sys.exit(run_retire(data))


@app.command("split")
def split(
    folder: Annotated[Path, typer.Argument(help="Folder to make, or to bring up to date.")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Make the data folder of web processes: what they need of the worker's, and none of the keys that sign."""
    from exchange.cli.recovery import run_split

    sys.exit(run_split(data, folder, as_json=as_json))


@vault_app.command("rotate")
def vault_rotate(
    *,
    also: Annotated[
        list[Path] | None,
        typer.Option(help="Another data folder that holds the master key, as that of web processes; several."),
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Let another master key follow, while servers run; run again, it goes on where it was cut."""
    from exchange.cli.recovery import run_vault_rotate

    sys.exit(run_vault_rotate(data, also or [], as_json=as_json))


@ledger_app.command()
def succeed(
    old: Annotated[str, typer.Argument(metavar="ORIGIN", help="Name of the log whose database is lost.")],
    origin: Annotated[str | None, typer.Option(help="Name of the new log; made up without it.")] = None,
    data: Data = None,
) -> None:
    """After the loss of its database: freeze a log for ever, and found another that names it as predecessor."""
    from exchange.cli.recovery import run_succeed

    sys.exit(run_succeed(data, old, origin))


@app.command()
def erase(
    leaf_hash: Annotated[str, typer.Argument(metavar="LEAFHASH", help="The statement, by its leaf hash.")],
    server: Server,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Erase without asking.")] = False,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Erase what the exchange holds of a statement of yours beside the ledger, for good. Exit 0 erased, 1 refused."""
    from exchange.cli.catalogue import Connection, run_erase

    if not yes:
        typer.confirm("its disclosures, and every result made from them, go for good; erase?", abort=True, err=True)
    sys.exit(run_erase(Connection(server, client_id, secret_file, email, token_file, data, as_json), leaf_hash))


@app.command()
def backup(
    folder: Annotated[Path, typer.Argument(help="Folder to make; it must not exist.")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Copy database and data folder while the exchange runs."""
    from exchange.cli.recovery import run_backup

    sys.exit(run_backup(data, folder, as_json=as_json))


@app.command()
def restore(
    folder: Annotated[Path, typer.Argument(help="Folder that `packtrace backup` made.")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Put a backup into an empty database and audit it; what is left of the data folder stays."""
    from exchange.cli.recovery import run_restore

    sys.exit(run_restore(data, folder, as_json=as_json))


@footprint_app.command()
def solve(
    file: Annotated[Path, typer.Argument(help="A product-system file (JSON).")],
    rules: Annotated[str, typer.Option(help="Rule set: an id, or a file ending in .json.")],
    monte_carlo: Annotated[int, typer.Option(min=0, help="Draws of the uncertain amounts and factors; 0: none.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draws.")] = 0,
    as_json: Json = False,
) -> None:
    """Compute a product system from a file, without a server. Exit 0 done, 1 refused by a finding."""
    from exchange.cli.footprint import run_solve
    from exchange.cli.guard import guarded

    sys.exit(guarded(lambda: run_solve(file, rules, draws=monte_carlo, seed=seed, as_json=as_json)))


@footprint_app.command("draft")
def footprint_draft(
    digest: Annotated[str, typer.Argument(help="A result of the organisation's own product.")],
    server: Server,
    *,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    data: Data = None,
) -> None:
    """Print the unsigned claims of a product-footprint by a result: a form to check, and to sign with `packtrace attest`."""
    from exchange.cli.calculate import run_draft
    from exchange.cli.partner import Login

    sys.exit(run_draft(Login(server, client_id, secret_file, email, data), digest))


@footprint_app.command()
def explain(
    file: Annotated[Path, typer.Argument(help="A result document, or a product-system file (JSON).")],
    *,
    rules: Annotated[str | None, typer.Option(help="Rule set of a product system: an id, or a file.")] = None,
    view: Annotated[Literal["tree", "paths", "sankey"], typer.Option(help="What to show.")] = "tree",
    figure: Annotated[
        str | None, typer.Option(help="Trace a figure of a result: headline, total, stages/ID or contributions/N.")
    ] = None,
    rows: Annotated[int, typer.Option(min=1, max=10_000, help="Rows of the tree, or number of paths.")] = 40,
    cut_off: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the absolute emissions below which branches are summed up.")
    ] = 0.005,
    as_json: Json = False,
) -> None:
    """Show where a footprint comes from: contribution tree, supply paths, Sankey data, the trace of a figure."""
    from exchange.cli.explain import run_explain
    from exchange.cli.guard import guarded

    sys.exit(guarded(lambda: run_explain(file, rules, view, figure, rows=rows, cut_off=cut_off, as_json=as_json)))


@footprint_app.command()
def compare(
    first: Annotated[Path, typer.Argument(help="A result document, or a product-system file (JSON).")],
    second: Annotated[Path, typer.Argument(help="Another one of the same sort.")],
    *,
    rules: Annotated[str | None, typer.Option(help="Rule set of the product systems: an id, or a file.")] = None,
    monte_carlo: Annotated[int, typer.Option(min=0, help="Common draws of two product systems; 0: none.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draws.")] = 0,
    as_json: Json = False,
) -> None:
    """Show why two footprints differ: which input, line, factor or rule, and by how much."""
    from exchange.cli.explain import run_compare
    from exchange.cli.guard import guarded

    sys.exit(guarded(lambda: run_compare(first, second, rules, draws=monte_carlo, seed=seed, as_json=as_json)))


@footprint_app.command()
def stale(
    reader: Annotated[str, typer.Option(help="URI of the organisation whose results are judged, by what it may see.")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show which stored results newer statements, factors or rules make stale, and by how much."""
    from exchange.cli.stale import run_stale

    sys.exit(run_stale(reader, data, as_json=as_json))


@footprint_app.command()
def schema() -> None:
    """Print the JSON schema of product-system files."""
    from exchange.cli.footprint import run_schema

    sys.exit(run_schema())


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


@ledger_app.command("proof")
def ledger_proof(
    entry: Annotated[str, typer.Argument(help="Index of the entry, or its leaf hash (64 hex digits).")],
    *,
    size: Annotated[int | None, typer.Option(min=0, help="A published size to prove to; else the newest.")] = None,
    out: Annotated[Path | None, typer.Option(help="File for the proof (.tlog-proof); else it is printed.")] = None,
    published: Published = None,
    trust: LogTrust = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Prove that an entry stands in the log: a proof file that others can check. Exit 0 proven, 1 refused, 2 usage."""
    from exchange.cli.ledger import Source, run_proof

    sys.exit(run_proof(Source(published, trust, data), entry, size, out, as_json=as_json))


@ledger_app.command("consistency")
def ledger_consistency(
    old: Annotated[int, typer.Argument(min=0, help="The smaller size.")],
    new: Annotated[int, typer.Argument(min=0, help="The larger size.")],
    *,
    published: Published = None,
    trust: LogTrust = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Prove that the log's first OLD entries are a prefix of its first NEW. Exit 0 proven, 1 refused, 2 usage."""
    from exchange.cli.ledger import Source, run_consistency

    sys.exit(run_consistency(Source(published, trust, data), old, new, as_json=as_json))


@ledger_app.command()
def policy(data: Data = None, as_json: Json = False) -> None:
    """Print the witness policy (tlog-policy) by which others judge this log's checkpoints: its key, its witnesses, their quorum."""
    from exchange.cli.witness import run_policy

    sys.exit(run_policy(data, as_json=as_json))


@ledger_app.command()
def witness(
    folder: Annotated[Path, typer.Argument(help="The witness's own folder: its key and what it has seen.")],
    policy: Annotated[Path, typer.Option(help="File (tlog-policy) whose log lines name the logs to witness.")],
    name: Annotated[
        str | None, typer.Option(help="Name of a new witness, a URL without scheme: witness.your.example/w1.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8552,
) -> None:
    """Witness other people's logs: cosign what extends all that was seen, until interrupted."""
    from exchange.cli.witness import run_witness

    sys.exit(run_witness(folder, policy, name, host, port))


@app.command()
def attest(
    file: Annotated[Path | None, typer.Argument(help="A filled form, YAML or JSON.")] = None,
    *,
    key: Annotated[str | None, typer.Option(help="Your key: file:PATH.")] = None,
    audience: Annotated[str | None, typer.Option(help="The ledger that it is for, by its origin.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="File for the statement (default: the form's name, .sd-jwt).")
    ] = None,
    kind: Annotated[str | None, typer.Option(help="Kind of the form, if it doesn't name it.")] = None,
    template: Annotated[str | None, typer.Option(help="Print a form of this kind to fill, and nothing else.")] = None,
    factors: Factors = None,
    yes: Annotated[bool, typer.Option("--yes", help="Sign without asking.")] = False,
    passphrase_fd: Passphrase = None,
) -> None:
    """Check a filled form, show who would see what, and sign it. Exit 0 signed, 1 the form is refused, 2 usage."""
    from exchange.cli.attest import Order, run, run_template

    if template is not None:
        sys.exit(run_template(template))
    sys.exit(run(Order(file, key, audience, out, kind, passphrase_fd, yes, factors or ())))


@key_app.command("new")
def key_new(
    path: KeyFile,
    organisation: Organisation,
    algorithm: Annotated[Literal["ES256", "Ed25519"], typer.Option(help="Signature algorithm.")] = "ES256",
    passphrase_fd: Passphrase = None,
) -> None:
    """Make a key, and beside it the request for its certificate (PATH.csr). Never overwrites."""
    from exchange.cli.key import run_new

    sys.exit(run_new(path, organisation, algorithm, passphrase_fd))


@key_app.command("csr")
def key_csr(
    path: KeyFile,
    organisation: Organisation,
    audience: Annotated[
        str | None, typer.Option(help="Also prove to this ledger (its origin) that the key is yours.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File for the request; else it is printed.")] = None,
    passphrase_fd: Passphrase = None,
) -> None:
    """Make the request for a certificate again."""
    from exchange.cli.key import run_csr

    sys.exit(run_csr(path, organisation, audience, out, passphrase_fd))


@key_app.command("show")
def key_show(path: KeyFile, passphrase_fd: Passphrase = None, as_json: Json = False) -> None:
    """Show algorithm, thumbprint and certificate of a key; nothing secret."""
    from exchange.cli.key import run_show

    sys.exit(run_show(path, passphrase_fd, as_json=as_json))


@statement_app.command("show")
def statement_show(file: StatementFile, as_json: Json = False) -> None:
    """Show what a statement says, verifying nothing."""
    from exchange.cli.statement import run_show

    sys.exit(run_show(file, as_json=as_json))


@statement_app.command("verify")
def statement_verify(
    file: StatementFile,
    trust: Annotated[Path, typer.Option(help="Trust file of the ledger.")],
    cited: Annotated[
        Path | None, typer.Option(help="Folder of cited statements (*.sd-jwt): verify them too, and show the tree.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Verify a statement offline: signature, certificate, form. Exit 0 verified, 1 rejected, 3 not decidable."""
    from exchange.cli.statement import run_verify

    sys.exit(run_verify(file, trust, cited, as_json=as_json))


@inbox_app.command("list")
def inbox_list(
    server: Server,
    organisation: Whose,
    *,
    unread: Annotated[bool, typer.Option("--unread", help="Only events that were not read.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many at most.")] = 50,
    after: Annotated[str | None, typer.Option(help="Events older than the one with this id.")] = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List an organisation's events, newest first; * stands before those that were not read."""
    from exchange.cli.inbox import run_list
    from exchange.cli.request import Connection

    to = Connection(server, client_id, secret_file, email, token_file, data, as_json)
    sys.exit(run_list(to, organisation, after=after, limit=limit, unread=unread))


@inbox_app.command("read")
def inbox_read(
    events: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of events.")],
    server: Server,
    organisation: Whose,
    *,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Mark events as read."""
    from exchange.cli.inbox import run_read
    from exchange.cli.request import Connection

    to = Connection(server, client_id, secret_file, email, token_file, data, as_json)
    sys.exit(run_read(to, organisation, events))


@webhook_key_app.command("rotate")
def webhook_key_rotate(data: Data = None) -> None:
    """Announce the next key to all receivers; from the next start of each worker both sign. For the operator."""
    from exchange.cli.recovery import run_webhook_rotate

    sys.exit(run_webhook_rotate(data))


@webhook_key_app.command("retire")
def webhook_key_retire(data: Data = None) -> None:
    """End the old key, a week after the next was announced or later. For the operator."""
    from exchange.cli.recovery import run_webhook_retire

    sys.exit(run_webhook_retire(data))


@webhook_app.command("add")
def webhook_add(
    target: Annotated[str, typer.Argument(help="https://host/path, or mailto:name@host.")],
    server: Server,
    organisation: Whose,
    *,
    types: Annotated[
        list[str] | None, typer.Option("--type", help="A type of events; several, or without it all.")
    ] = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Send an organisation's events to a URL, signed after Standard Webhooks, or to a mail address."""
    from exchange.cli.request import Connection
    from exchange.cli.webhook import run_add

    to = Connection(server, client_id, secret_file, email, token_file, data, as_json)
    sys.exit(run_add(to, organisation, target, types or []))


@webhook_app.command("list")
def webhook_list(
    server: Server,
    organisation: Whose,
    *,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List where an organisation's events are sent, and what fails."""
    from exchange.cli.request import Connection
    from exchange.cli.webhook import run_list

    to = Connection(server, client_id, secret_file, email, token_file, data, as_json)
    sys.exit(run_list(to, organisation))


@webhook_app.command("remove")
def webhook_remove(
    subscription: SubscriptionId,
    server: Server,
    organisation: Whose,
    *,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
) -> None:
    """Send no more events there."""
    from exchange.cli.request import Connection
    from exchange.cli.webhook import run_remove

    to = Connection(server, client_id, secret_file, email, token_file, data, as_json=False)
    sys.exit(run_remove(to, organisation, subscription))


@webhook_app.command("test")
def webhook_test(
    subscription: SubscriptionId,
    server: Server,
    organisation: Whose,
    *,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Send an event of type packtrace.subscription.ping there."""
    from exchange.cli.request import Connection
    from exchange.cli.webhook import run_test

    to = Connection(server, client_id, secret_file, email, token_file, data, as_json)
    sys.exit(run_test(to, organisation, subscription))


@statement_app.command("seal")
def statement_seal(
    file: StatementFile,
    reader: Annotated[Path, typer.Option("--for", help="The reader's certificate (PATH.crt), of an ES256 key.")],
    out: Annotated[Path, typer.Option(help="File for the sealed statement.")],
) -> None:
    """Encrypt a statement with its disclosures to one reader's enrolled key, to hand it over beside the exchange."""
    from exchange.cli.handover import run_seal

    sys.exit(run_seal(file, reader, out))


@statement_app.command("open")
def statement_open(
    file: Annotated[Path, typer.Argument(help="A sealed statement.")],
    key: Annotated[Path, typer.Option(help="Your key file, that it was sealed to.")],
    out: Annotated[Path, typer.Option(help="File for the statement with its disclosures.")],
    passphrase_fd: Passphrase = None,
) -> None:
    """Decrypt a statement that was sealed to your key."""
    from exchange.cli.handover import run_open

    sys.exit(run_open(file, key, out, passphrase_fd))
