"""The routes of factor governance: proposals, differences, effects, what to sign, and industry averages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from bom_graph import FactorRelease, FactorRow, stored
from exchange.api.stream import LINES
from exchange.api.strict import (
    After,
    Body,
    Hash,
    Id,
    Limit,
    Name,
    OperatorOnly,
    Reader,
    StrictRoute,
    Submitter,
    Uri,
    services_of,
)
from exchange.governance import Moved, Proposal, Shown, ShownEdition, Tally

governance_router = APIRouter(prefix="/api/v1", route_class=StrictRoute)
_MAX_FILE = 7 * 1024 * 1024
_LINES: dict[int | str, dict[str, Any]] = {200: {"description": "a line per result and tally", "content": {LINES: {}}}}
_FILE: dict[int | str, dict[str, Any]] = {200: {"content": {"application/json": {}}}}


class ProposalBody(Body):
    """A factor release: the text of its `file`, and the SHA-256 of that; `panel` and `accept` ask for more reviews than the rules."""

    file: Annotated[str, Field(max_length=_MAX_FILE)]
    digest: Hash
    panel: Annotated[int, Field(ge=0, le=100)] = 0
    accept: Annotated[int, Field(ge=0, le=100)] = 0
    organisation: Uri | None = None


class AverageBody(Body):
    """Which average: of `flow` made in `region` in `year`, per the unit of its footprints; another `unit` is refused."""

    flow: Name
    region: Annotated[str, Field(pattern=r"^[A-Z0-9-]{2,32}$")]
    year: Annotated[int, Field(ge=1950, le=2200)]
    unit: Annotated[str, Field(max_length=32)] | None = None


@governance_router.post("/factor-proposals", status_code=201)
def propose_release(request: Request, body: ProposalBody, actor: Submitter) -> dict[str, Any]:
    """Propose a factor release for review."""
    releases, data = services_of(request).factor_releases, body.file.encode()
    whose = body.organisation or actor.organisation
    return _proposal(releases.propose(actor, whose, data, body.digest, panel=body.panel, accept=body.accept))


@governance_router.get("/factor-proposals")
def list_proposals(request: Request, actor: Reader, after: After = "", limit: Limit = 100) -> list[dict[str, Any]]:
    """Proposed, published and withdrawn releases, newest first; `after` is the last id of the page before."""
    return [_proposal(one) for one in services_of(request).factor_releases.page(actor, after, limit)]


@governance_router.get("/factor-proposals/{proposal}")
def show_proposal(request: Request, proposal: Id, actor: Reader) -> dict[str, Any]:
    """A proposal, what it lacks, and its reviews for whoever may see them."""
    return _shown(services_of(request).factor_releases.show(actor, proposal))


@governance_router.get("/factor-proposals/{proposal}/file", response_class=Response, responses=_FILE)
def proposed_file(request: Request, proposal: Id, actor: Reader) -> Response:
    """The bytes of a proposed release, whose SHA-256 is its digest."""
    return Response(services_of(request).factor_releases.file(actor, proposal), media_type="application/json")


@governance_router.get("/factor-proposals/{proposal}/difference")
def proposed_difference(request: Request, proposal: Id, actor: Reader) -> dict[str, Any]:
    """Rows added, removed and changed against the release that it follows."""
    old, new, found = services_of(request).factor_releases.difference(actor, proposal)
    changed = [
        {
            "id": one.old.id,
            "members": list(one.members),
            "old": _row(one.old),
            "new": _row(one.new),
            "relative": None if one.relative is None else stored(one.relative),
        }
        for one in found.changed
    ]
    rows = {"added": [_row(r) for r in found.added], "removed": [_row(r) for r in found.removed], "changed": changed}
    if old.proxies == new.proxies:
        return rows
    # Few, and each stands for a flow: both lists are shown.
    return rows | {"proxies": {"old": _proxies(old), "new": _proxies(new)}}


@governance_router.get("/factor-proposals/{proposal}/effect", response_class=StreamingResponse, responses=_LINES)
def proposed_effect(request: Request, proposal: Id, actor: Reader) -> StreamingResponse:
    """What it moves: a line for each of one's own results that use a changed row, and now and then the counts of all.

    The last line has `done` equal to `total`.
    """
    found = services_of(request).effects.of(actor, proposal)
    # The first is asked for before the answer begins: an error is a refusal then.
    first = next(found)
    return StreamingResponse(_lines(chain([first], found)), media_type=LINES)


@governance_router.get("/factor-proposals/{proposal}/publication")
def publication_claims(request: Request, proposal: Id, actor: Reader) -> dict[str, Any]:
    """The claims of the `factor-release` statement by which its proposer publishes it."""
    services = services_of(request)
    found = services.factor_releases.publication(actor, proposal)
    reviews = [_citation(request, index, leaf) for index, leaf in found["reviews"]]
    return found | {"reviews": reviews}


@governance_router.get("/factor-proposals/{proposal}/withdrawal")
def withdrawal_claims(request: Request, proposal: Id, actor: Reader) -> dict[str, Any]:
    """The `target` of the `withdrawal` statement by which its publisher withdraws it; the `reason` is the signer's."""
    return {"target": _citation(request, *services_of(request).factor_releases.withdrawal(actor, proposal))}


@governance_router.post("/factor-proposals/{proposal}/drop")
def drop_proposal(request: Request, proposal: Id, actor: Submitter) -> dict[str, Any]:
    """Take a proposal back."""
    return _proposal(services_of(request).factor_releases.drop(actor, proposal))


@governance_router.post("/industry-averages")
def make_average(request: Request, body: AverageBody, actor: OperatorOnly) -> dict[str, Any]:
    """Make the edition of an industry average from verified footprints, or say by which rule it is withheld."""
    found = services_of(request).averages.make(actor, body.flow, body.region, body.year, body.unit)
    if isinstance(found, ShownEdition):
        return _edition(found)
    return {"flow": body.flow, "region": body.region, "year": body.year, "withheld": list(found)}


@governance_router.get("/industry-averages")
def list_averages(
    request: Request,
    actor: Reader,
    flow: Annotated[str | None, Query(max_length=200, description="of this flow alone")] = None,
    limit: Limit = 100,
) -> list[dict[str, Any]]:
    """Editions of industry averages, by flow, region and year."""
    return [_edition(one) for one in services_of(request).averages.page(actor, flow, limit)]


def _lines(found: Iterator[Moved | Tally]) -> Iterator[str]:
    for one in found:
        yield json.dumps(_moved(one) if isinstance(one, Moved) else _tally(one)) + "\n"


def _moved(one: Moved) -> dict[str, Any]:
    return {
        "result": one.result,
        "reader": one.reader,
        "product": one.product,
        "rule_set": one.rule_set,
        "rows": list(one.rows),
        "before": one.before,
        "after": one.after,
        "unit": one.unit,
        "relative": None if one.relative is None else stored(one.relative),
        "recalculated": one.recalculated,
        "refused": one.why,
    }


def _tally(one: Tally) -> dict[str, Any]:
    found = {"done": one.done, "total": one.total, "moved": one.moved, "refused": one.refused}
    others = one.others
    if others is None:
        return found | {"others": None}
    moves = {"rise_at_least": others.rise_at_least, "fall_at_least": others.fall_at_least}
    told = {"groups_at_least": others.groups_at_least, "refused_at_least": others.refused_at_least}
    return found | {"others": told | {name: None if by is None else str(by) for name, by in moves.items()}}


def _proposal(one: Proposal) -> dict[str, Any]:
    return {
        "id": one.id,
        "release": one.release,
        "version": one.version,
        "digest": one.digest,
        "based_on": one.based_on,
        "proposer": one.proposer,
        "state": one.state,
        "panel": one.panel,
        "accept": one.accept,
        "proposed_at": one.proposed_at.isoformat(),
        "published": one.published,
        "withdrawn": one.withdrawn,
        "reason": one.reason,
    }


def _shown(one: Shown) -> dict[str, Any]:
    reviews = None
    if one.reviews is not None:
        reviews = [
            {
                "index": review.index,
                "leaf_hash": review.leaf_hash,
                "reviewer": review.reviewer,
                **review.content,
                "counts": review.uncounted is None,
                "uncounted": review.uncounted,
                "answers": review.answers,
            }
            for review in one.reviews
        ]
    missing = list(one.standing.missing) if one.proposal.state == "proposed" else []
    counts = {"counted": len(one.standing.counted), "uncounted": len(one.standing.uncounted)}
    return _proposal(one.proposal) | {"missing": missing, **counts, "reviews": reviews}


def _edition(one: ShownEdition) -> dict[str, Any]:
    found = {name: getattr(one, name) for name in ("flow", "region", "year", "unit", "value", "made_on", "rules")}
    return found | {"row": one.row}


def _row(row: FactorRow) -> dict[str, Any]:
    return row.model_dump(mode="json", exclude_none=True)


def _proxies(release: FactorRelease) -> list[dict[str, Any]]:
    return [one.model_dump(mode="json") for one in release.proxies]


def _citation(request: Request, index: int, leaf_hash: str) -> dict[str, Any]:
    origin = services_of(request).installation.trust_file.origin
    return {"origin": origin, "index": index, "leaf_hash": leaf_hash}
