"""``packtrace filing`` and ``packtrace authority``: duties, filings and their steps, public statuses, and what an authority sees."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exchange.cli.anchors import read_trust
from exchange.cli.asking import confirmed
from exchange.cli.attest import organisation_of
from exchange.cli.connection import Connection
from exchange.cli.files import check_new, read_up_to, write_new
from exchange.cli.guard import guarded
from exchange.cli.key import passphrase
from exchange.cli.output import DONE, REJECTED, UNDECIDABLE, say, say_json, tell
from exchange.cli.server_commands import answer
from exchange.screen import shown, shown_lines

if TYPE_CHECKING:
    from exchange.client import Client

_MAX_CLAIMS = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Signing:
    """By which key a step is signed, and whether it was agreed to before."""

    key: str
    passphrase_fd: int | None
    yes: bool


def run_duties(to: Connection, organisation: str | None) -> int:
    """Print what one has to file. Exit 1 where the trial still lacks something, or a model is on sale without a filing."""

    def command(client: Client) -> int:
        found = client.duties(organisation)
        coverage = found["coverage"]
        if to.as_json:
            say_json(found)
        else:
            for one in found["models"]:
                say(
                    shown(f"{one['model']}  {one['chemistry_group']}  {one['state'] or 'not registered'}  {one['why']}")
                )
            for text in [] if coverage is None else coverage["missing"]:
                say(shown(f"missing: {text}"))
            for text in [] if coverage is None else coverage["unlisted"]:
                say(shown(f"unlisted: {text}"))
            for one in found["unstated"]:
                tell(shown(f"not stated by the notice: {one['what']}; assumed: {one['assumption']}"))
        lacking = coverage is not None and (coverage["missing"] or coverage["on_sale_without_filing"])
        return REJECTED if lacking else DONE

    return to.run(command)


def run_list(to: Connection, box: str, organisation: str | None, limit: int, filters: Mapping[str, str | None]) -> int:
    """Print filings, one a line."""

    def command(client: Client) -> int:
        return _all(to, islice(client.filings(box, organisation, **filters), limit), _line)

    return to.run(command)


def run_show(to: Connection, filing: str, organisation: str | None) -> int:
    """Print a filing with its chain, remarks, and what comes next."""

    def command(client: Client) -> int:
        found = client.filing(filing, organisation=organisation)
        lines = [_line(found)]
        lines += [f"  {one['step']} -> {one['state']}  entry {one['index']}  {one['signer']}" for one in found["steps"]]
        lines += [_remark(one) for one in found["remarks"]]
        lines += [f"  entry {one['index']} is cited for {', '.join(one['figures'])}" for one in found["shared_data"]]
        lines += [f"  stale: {why}" for why in found["stale"]]
        # Accepted, it waits for nobody; what can be taken then is in --json.
        waits = found["state"] != "accepted" or found["is_stale"] or found["open_remarks"]
        lines += [f"  next: {one['step']}, by the {one['party']}" for one in found["next"][:1] if waits]
        answer(found, "\n".join(map(shown, lines)), as_json=to.as_json)
        return DONE

    return to.run(command)


def run_statements(to: Connection, filing: str, organisation: str | None) -> int:
    """Print a filing's signed statements, one a line; with their disclosures as JSON."""

    def command(client: Client) -> int:
        found = client.filing(filing, "statements", organisation)
        return _all(to, found, lambda one: f"{one['step']}  entry {one['index']}  {one['leaf_hash']}")

    return to.run(command)


def run_reconcile(to: Connection, filing: str, organisation: str | None) -> int:
    """Print our result beside the platform's. Exit 1 where a difference isn't explained, or is a defect of ours."""

    def command(client: Client) -> int:
        found = client.filing(filing, "reconciliation", organisation)
        if to.as_json:
            say_json(found)
        else:
            for one in found["lines"]:
                said = "agrees" if one["agrees"] else one["explanation"] or "NOT EXPLAINED"
                say(shown(f"{one['line']}  ours {one['ours']}  platform {one['platform']}  {said}"))
            lacking = [f"explain {', '.join(found['unexplained'])}"] if found["unexplained"] else []
            if found["own_defects"]:
                lacking.append(f"correct {', '.join(found['own_defects'])} and calculate anew")
            say("fileable" if found["fileable"] else f"not fileable: {'; '.join(lacking)}")
        return DONE if found["fileable"] else REJECTED

    return to.run(command)


def run_export(to: Connection, filing: str, out: Path, organisation: str | None) -> int:
    """Write the export for the designated platform."""

    def command(client: Client) -> int:
        check_new(out)
        data = client.filing_export(filing, organisation)
        write_new(out, data, mode=0o600)
        answer({"file": str(out), "bytes": len(data)}, f"exported: {out}", as_json=to.as_json)
        return DONE

    return to.run(command)


def run_draft(to: Connection, step: str, filing: str | None, product: str | None, organisation: str | None) -> int:
    """Print kind and claims of a step, as far as the exchange knows them."""

    def command(client: Client) -> int:
        say_json(client.draft_step(step, filing=filing, product=product, organisation=organisation))
        return DONE

    return to.run(command)


def run_step(
    to: Connection, step: str, filing: str | None, *, product: str | None, claims: Path | None, signing: Signing
) -> int:
    """Draft a step, complete it from a file of claims, show it, sign it and hand it in."""

    def draft(client: Client, issuer: str) -> dict[str, Any]:
        return client.draft_step(step, filing=filing, product=product, organisation=issuer)

    return to.run(
        lambda client: sign_step(client, draft, claims=claims, signing=signing, step=step, as_json=to.as_json)
    )


def sign_step(
    client: Client,
    draft: Callable[[Client, str], dict[str, Any]],
    *,
    claims: Path | None,
    signing: Signing,
    step: str,
    as_json: bool,
) -> int:
    """Complete what `draft` answers for the key's organisation, show it, sign it and hand it in; return the exit code."""
    from exchange.kinds import KINDS
    from signer import issue, new_jti
    from signer.key_access import open_signer

    signer = open_signer(signing.key, lambda: passphrase(signing.passphrase_fd))
    issuer = organisation_of(signer, signing.key)
    drafted = draft(client, issuer)
    said = {**drafted["claims"], **_claims(claims)}
    tell(
        f"{drafted['kind']} of {issuer}; every claim but the target of a verification is hidden, and shown to the parties alone:"
    )
    tell(shown_lines(json.dumps(said, indent=1, ensure_ascii=False)))
    if not signing.yes and not confirmed("Sign this for your organisation?"):
        tell("not signed; nothing was handed in")
        return REJECTED
    now = datetime.now(UTC)
    issued = issue(
        signer,
        KINDS[f"urn:packtrace:{drafted['kind']}:1"].profile,
        issuer=issuer,
        audience=client.log()["origin"],
        jti=new_jti(now, secrets.token_bytes),
        issued_at=now,
        claims=said,
        random=secrets.token_bytes,
    )
    receipt = client.submit(issued.token, issued.disclosures)
    named = {name: said[name] for name in ("filing", "engagement") if name in said}
    what = " ".join(f"{name} {value}" for name, value in named.items() if name == "filing" or len(named) == 1)
    answer({**named, "step": step, **receipt.citation}, f"{what}: {step} is entry {receipt.index}", as_json=as_json)
    return DONE


def run_publish(to: Connection, filing: str, organisation: str | None, *, figure: bool) -> int:
    """Make a model's status public; print its addresses."""

    def command(client: Client) -> int:
        found = client.publish_status(filing, figure=figure, organisation=organisation)
        answer(found, f"published: {found['page']} for people, {found['status']} signed", as_json=to.as_json)
        return DONE

    return to.run(command)


def run_unpublish(to: Connection, filing: str, organisation: str | None) -> int:
    """Take a public status back."""

    def command(client: Client) -> int:
        found = client.withdraw_status(filing, organisation)
        answer(found, f"withdrawn; copies end at {found['copies_end']}", as_json=to.as_json)
        return DONE

    return to.run(command)


def run_status(to: Connection, publication: str, out: Path | None) -> int:
    """Fetch a public status; print it, and keep it as it came in a file."""

    def command(client: Client) -> int:
        found = client.public_status(publication)
        if out is not None:
            write_new(out, json.dumps(found, ensure_ascii=False, indent=1).encode(), mode=0o644)
        said = found.get("meaning", "not published any more")
        answer(found, shown(f"{found['status']}: {said} (as of {found['as_of']})"), as_json=to.as_json)
        return DONE

    return to.run(command)


def run_status_list(to: Connection, out: Path | None) -> int:
    """Print the publications of which copies don't hold any more; keep the list as it came in a file."""

    def command(client: Client) -> int:
        found = client.public_status_list()
        if out is not None:
            write_new(out, json.dumps(found, ensure_ascii=False, indent=1).encode(), mode=0o644)
        lines = [shown(one) for one in found["withdrawn"]]
        lines += [
            shown(f"{one}  copies from before entry {entry} count no more") for one, entry in found["outdated"].items()
        ]
        lines += [shown(f"{one}  its result is stale, up to entry {entry}") for one, entry in found["stale"].items()]
        answer(found, "\n".join(lines) or "none was withdrawn, none is stale", as_json=to.as_json)
        return DONE

    return to.run(command)


def run_check_status(file: Path, trust: Path, listed: Path | None, *, as_json: bool) -> int:
    """Check a fetched public status offline. Exit 0 it counts, 1 false, withdrawn, outdated, not verified or stale, 3 it has ended."""

    def command() -> int:
        from exchange.public_status import check_status

        anchors, now = read_trust(trust), datetime.now(UTC)
        anchors.check_current(now)
        gone = None if listed is None else read_up_to(listed, _MAX_CLAIMS)
        found = check_status(read_up_to(file, _MAX_CLAIMS), anchors.signers, now, gone)
        code = {"current": DONE, "ended": UNDECIDABLE}.get(found["verdict"], REJECTED)
        answer(found, "\n".join(map(shown, _status_lines(found))), as_json=as_json)
        if listed is None and code == DONE:
            tell("whether it was withdrawn since isn't looked up; fetch the status list and name it by --list")
        return code

    return guarded(command)


#: What the status list says of a copy that says otherwise itself.
_BY_LIST = {
    "withdrawn": "its owner doesn't publish it any more",
    "outdated": "its filing went back since it was told; fetch it anew",
    "stale": "what it was made from has changed since it was told, or a key that signed for it was declared compromised",
}


def _status_lines(found: Mapping[str, Any]) -> list[str]:
    """Return what a checked status says, as it is signed."""
    said = found.get("meaning", "not published any more")
    by_list = _BY_LIST.get(found["verdict"]) if "model" in found and not found.get("stale") else None
    if by_list is None:
        lines = [f"{found['verdict'].replace('_', ' ')}: {said} (as of {found['as_of']})"]
    else:
        lines = [f"{found['verdict']}: {by_list}", f"  as of {found['as_of']} it was {said}"]
    if "model" in found:
        # A figure that holds no more isn't read out.
        figure = f"  {found['figure']} {found['unit']}" if "figure" in found and by_list is None else ""
        lines.append(f"  {found['model']} of {found['filer']}{figure}")
    return [*lines, f"  signed by {found['signed_by']}"]


def run_overview(to: Connection, organisation: str | None) -> int:
    """Print an authority's overview."""

    def command(client: Client) -> int:
        found = client.authority("overview", organisation)
        lines = [f"{found['filings']} filings of {found['makers']} makers"]
        lines += [f"{state}  {count}" for state, count in found["by_state"].items() if count]
        lines += [f"{maker}  {one['filings']}, {one['filed']} filed" for maker, one in found["by_maker"].items()]
        lines += [
            f"{group}  median {spread['median']} {spread['unit']} of {spread['filings']}"
            + (f", {spread['stale']} of them stale" if spread["stale"] else "")
            for group, spread in found["results"].items()
        ]
        answer(found, "\n".join(map(shown, lines)), as_json=to.as_json)
        return DONE

    return to.run(command)


def run_coverage(to: Connection, organisation: str | None) -> int:
    """Print makers with what the trial still lacks of them."""

    def line(one: Mapping[str, Any]) -> str:
        lacking = [*one["missing"], *(f"on sale without a filing: {it}" for it in one["on_sale_without_filing"])]
        lacking += [*one["stated_otherwise_than_filed"], *one["restated_without_filing"]]
        said = "; ".join([*(lacking or ["covered"]), *(f"unlisted: {it}" for it in one["unlisted"])])
        return f"{one['maker']}  {one['filed']} of {one['models_in_scope']} filed  {said}"

    return to.run(lambda client: _all(to, client.authority_list("coverage", organisation), line))


def run_remarks_to(to: Connection, organisation: str | None) -> int:
    """Print the remarks of reviews that are for oneself as a maintainer, with one's answers."""
    return to.run(lambda client: _all(to, client.remarks(organisation), _remark))


def run_remarks(to: Connection, organisation: str | None, *, open_only: bool) -> int:
    """Print remarks of reviews with their answers."""
    given = {"open": "true"} if open_only else {}
    return to.run(lambda client: _all(to, client.authority_list("remarks", organisation, **given), _remark))


def run_summary(to: Connection, organisation: str | None) -> int:
    """Print the trial's summary: Markdown for people, data with --json."""

    def command(client: Client) -> int:
        if to.as_json:
            say_json(client.authority("trial-summary", organisation))
        else:
            say(shown_lines(client.trial_summary_text(organisation).rstrip("\n")))
        return DONE

    return to.run(command)


def _claims(file: Path | None) -> dict[str, Any]:
    from bom_graph import read_json, why_unreadable
    from exchange.errors import UsageError

    if file is None:
        return {}
    try:
        found = read_json(read_up_to(file, _MAX_CLAIMS))
    except ValueError as error:
        raise UsageError(why_unreadable(error), where=str(file), remedy="give the claims as a JSON object") from None
    if not isinstance(found, dict):
        raise UsageError("not a JSON object", where=str(file), remedy="give the claims as a JSON object")
    return found


def _all(to: Connection, found: Iterable[dict[str, Any]], line: Any) -> int:
    if to.as_json:
        say_json(list(found))
        return DONE
    for one in found:
        say(shown(line(one)))
    return DONE


def _line(one: Mapping[str, Any]) -> str:
    figure = "" if one["figure"] is None else f"  {one['figure']} {one['unit']}"
    state = f"{one['state']}, stale" if one["is_stale"] else one["state"]
    return f"{one['id']}  {state}  {one['model']}  {one['chemistry_group']}  {one['filer']}{figure}"


def _remark(one: Mapping[str, Any]) -> str:
    said = "open" if one["answered"] is None else f"answered: {one['answer']}"
    return f"  remark {one['id']} to the {one['to'].replace('_', ' ')}: {one['text']} ({said})"
