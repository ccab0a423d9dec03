"""``packtrace footprint calculate|calculations|cancel|accept|keep|beside``: results at an exchange."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from exchange.cli.asking import confirmed
from exchange.cli.output import DONE, REJECTED, UNDECIDABLE, fail, interrupted, say, say_json, tell
from exchange.cli.partner import Login, connected

if TYPE_CHECKING:
    from exchange.partner import Partner

_CAUSES = {
    "entry": "a statement, entry {}",
    "rule_set": "another text of rule set {}",
    "release": "another text of factor release {}",
    "release-published": "a newer version of a factor release, entry {}",
    "release-withdrawn": "the withdrawal of a factor release, entry {}",
}


@dataclass(frozen=True, slots=True)
class Demands:
    """Which footprints are wanted, of each product under each rule set; `reader` is whoever asks unless stated.

    `releases`: digests of factor releases that are wanted instead of the versions that count.
    """

    products: Sequence[str]
    rule_sets: Sequence[str]
    reader: str | None
    flow: str | None
    releases: Sequence[str] = ()


def run_calculate(login: Login, wanted: Demands, *, wait: bool, as_json: bool) -> int:
    """Compute one footprint, or have many computed; return the exit code."""

    from exchange.errors import UsageError

    def command(partner: Partner) -> int:
        reader = wanted.reader or partner.call("GET", "me")["organisation"]
        if len(wanted.products) == len(wanted.rule_sets) == 1:
            return _one(partner, wanted, reader, as_json=as_json)
        if wanted.releases:
            raise UsageError(
                "factor releases are named for one result at a time",
                where="--release",
                remedy="name one product and one rule set, or no release",
            )
        calculation = partner.calculate(wanted.products, wanted.rule_sets, reader, flow=wanted.flow)
        if wait:
            return _ended(partner, calculation, as_json=as_json)
        if as_json:
            say_json({"id": calculation})
        else:
            say(f"calculation {calculation} is taken in")
            tell(f"follow it with: packtrace footprint calculations {calculation} --wait --server {login.server}")
        return DONE

    return connected(login, command)


def run_calculations(login: Login, limit: int, *, as_json: bool) -> int:
    """List one's calculations, newest first."""

    def command(partner: Partner) -> int:
        found = list(islice(partner.calculations(), limit))
        if as_json:
            say_json({"calculations": found})
            return DONE
        for one in found:
            say(_line(one))
        if not found:
            say("no calculations")
        return DONE

    return connected(login, command)


def run_calculation(login: Login, calculation: str, *, wait: bool, as_json: bool) -> int:
    """Show one calculation with its outcomes, at its end where `wait` says so."""

    def command(partner: Partner) -> int:
        if wait:
            return _ended(partner, calculation, as_json=as_json)
        found = partner.call("GET", f"calculations/{calculation}?limit=1")
        return _show(partner, found, as_json=as_json)

    return connected(login, command)


def run_cancel(login: Login, calculation: str, *, as_json: bool) -> int:
    """End a calculation."""

    def command(partner: Partner) -> int:
        found = partner.cancel_calculation(calculation)
        if as_json:
            say_json(found)
        else:
            say(_line(found))
        return DONE

    return connected(login, command)


def run_accept(login: Login, digest: str, *, yes: bool, as_json: bool) -> int:
    """Accept the effect of recalculating a stale result, once it was shown."""

    def decide(partner: Partner, found: dict[str, Any]) -> dict[str, Any]:
        return {"accepted": partner.accept_effect(digest, found["effect"]["id"])}

    said = "accepted: result {accepted} is in its place"
    return connected(login, lambda partner: _decided(partner, digest, decide, said, yes=yes, as_json=as_json))


def run_keep(login: Login, digest: str, reason: str, *, yes: bool, as_json: bool) -> int:
    """Keep a stale result, once the effect of recalculating it was shown."""

    def decide(partner: Partner, _found: dict[str, Any]) -> dict[str, Any]:
        partner.keep_stale(digest, reason)
        return {"kept": reason}

    said = "kept, since: {kept}"
    return connected(login, lambda partner: _decided(partner, digest, decide, said, yes=yes, as_json=as_json))


def run_draft(login: Login, digest: str) -> int:
    """Print the form of a product-footprint by a stored result."""

    def command(partner: Partner) -> int:
        say_json(partner.draft(digest))
        return DONE

    return connected(login, command)


def run_beside(login: Login, european: str, chinese: str, *, as_json: bool) -> int:
    """Show a result under the EU's draft beside that under China's trial rules."""

    def command(partner: Partner) -> int:
        from exchange.beside import lines_of

        found = partner.call("GET", f"footprints/{european}/beside/{chinese}")
        if as_json:
            say_json(found)
        else:
            for line in lines_of(found):
                say(line)
        return DONE

    return connected(login, command)


def _decided(
    partner: Partner,
    digest: str,
    decide: Callable[[Partner, dict[str, Any]], dict[str, Any]],
    said: str,
    *,
    yes: bool,
    as_json: bool,
) -> int:
    found = partner.stale(digest)
    if not found["stale"]:
        return fail("the result isn't stale: there is nothing to decide (at DIGEST); nothing needs doing", REJECTED)
    for line in _effect(digest, found):
        tell(line)
    if not yes and not confirmed("Is that what you want?"):
        tell("nothing was changed")
        return REJECTED
    decided = decide(partner, found)
    if as_json:
        say_json({"digest": digest, **found, **decided})
    else:
        say(said.format(**decided))
    return DONE


def _one(partner: Partner, wanted: Demands, reader: str, *, as_json: bool) -> int:
    from exchange.client import AnswerError

    try:
        digest, found = partner.footprint(
            wanted.products[0], wanted.rule_sets[0], reader, flow=wanted.flow, releases=wanted.releases
        )
    except AnswerError as error:
        findings = error.problem.get("findings")
        if not findings:
            raise
        if as_json:
            say_json({"refused": True, "findings": findings})
        else:
            for line in _findings(findings, ""):
                tell(line)
        return fail(error, REJECTED)
    if as_json:
        say_json({"digest": digest, "result": found})
    else:
        for line in _result(digest, found):
            say(line)
    return UNDECIDABLE if found["headline"]["value"] is None else DONE


def _result(digest: str, found: Mapping[str, Any]) -> Iterator[str]:
    headline = found["headline"]
    yield f"{found['demand']['product']} under {found['rule_set']['id']} {found['rule_set']['version']}"
    yield f"  {headline['printed']} {headline['unit']}, {found['heading']}"
    for stage in found["stages"]:
        if stage.get("total_kg_co2e") is not None:
            yield f"    {stage['name']}: {float(stage['total_kg_co2e']):.6g} {found['total']['unit']}"
    for gap in found["gaps"]:
        yield f"  missing: {gap['what']} (at {gap['where']})"
    yield from _findings(found["findings"], "  ")
    for release in found["releases"]:
        if "entry" in release:
            yield f"  with factor release {release['id']} {release['version']}, published at entry {release['entry']}"
    yield f"  result {digest}"


def _findings(findings: Sequence[Mapping[str, Any]], indent: str) -> Iterator[str]:
    for one in findings:
        yield f"{indent}{one['level']} finding: {one['what']} (at {one['where']}); {one['remedy']}"


def _ended(partner: Partner, calculation: str, *, as_json: bool) -> int:
    """Follow a calculation to its end with a bar on a terminal, or a line now and then; print what became of it."""
    from exchange.cli.progress import progress

    tell(f"calculation {calculation} is followed; it goes on without us")
    try:
        with progress("footprints") as told:
            found = partner.follow(calculation, lambda state: told(state["done"], state["total"]))
    except KeyboardInterrupt:
        return interrupted(f"the calculation goes on: packtrace footprint calculations {calculation} --wait")
    return _show(partner, found, as_json=as_json)


def _show(partner: Partner, found: dict[str, Any], *, as_json: bool) -> int:
    outcomes = list(partner.outcomes(found["id"]))
    state = {name: value for name, value in found.items() if name not in {"items", "after"}}
    if as_json:
        say_json(state | {"items": outcomes})
    else:
        say(_line(state))
        for one in outcomes:
            end = one["result"] or one["state"]
            flow = f" by {one['flow']}" if one["flow"] else ""
            say(f"  {one['product']}{flow} under {one['rule_set']}: {end}")
            for line in _findings(one["findings"] or (), "    "):
                say(line)
    went_well = found["state"] in {"waiting", "running"} or (found["state"] == "done" and not found["refused"])
    return DONE if went_well else REJECTED


def _line(one: Mapping[str, Any]) -> str:
    refused = f", {one['refused']} refused" if one["refused"] else ""
    reason = f": {one['reason']}" if one["reason"] else ""
    return f"{one['id']}  {one['state']}{reason}  {one['done']} of {one['total']}{refused}  {one['created_at']}"


def _effect(digest: str, found: Mapping[str, Any]) -> Iterator[str]:
    effect = found["effect"]
    yield f"result {digest} is stale:"
    for one in found["causes"]:
        if one["decision"] is None:
            name, _, what = one["cause"].partition(":")
            yield f"  since {one['found_at']} by {_CAUSES[name].format(what) if name in _CAUSES else one['cause']}"
    if not effect["changed"]:
        yield "  recalculated today it comes out the same"
        return
    before, after = effect["before"], effect["after"]
    if effect["refused"]:
        yield f"  it was {before['printed']} {before['unit']}; recalculated today it is refused: {effect['refused']}"
    elif after is not None:
        yield f"  it was {before['printed']} {before['unit']}; recalculated today it is {after['printed']} {after['unit']}"
    if effect["difference"] is not None:
        percent = "" if effect["percent"] is None else f" ({float(effect['percent']):+g} %)"
        yield f"  difference {float(effect['difference']['value']):+g} {effect['difference']['unit']}{percent}"
    for bar in effect["bars"] or ():
        yield f"    {float(bar['value']):+g}  {bar['cause']}: {bar['what']} (at {bar['where']}), {bar['before']} -> {bar['after']}"
    for place in effect["ask"]:
        yield f"  a figure is missing that was there before: ask the owner of {place}"
