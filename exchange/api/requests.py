"""The routes of products, parts and data requests."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import AwareDatetime, BeforeValidator, Field

from bom_graph import Period
from exchange.api.strict import (
    Answerer,
    Body,
    Hash,
    Id,
    Limit,
    Name,
    Reader,
    Requester,
    StrictRoute,
    Uri,
    services_of,
)
from exchange.errors import RequestError
from exchange.requests import (
    Answer,
    Ask,
    DataRequest,
    Named,
    PartMapping,
    Product,
    ProductKind,
    StatedMapping,
    Told,
    Wanted,
)

requests_router = APIRouter(prefix="/api/v1", route_class=StrictRoute)


def _text(value: object) -> object:
    # Without this, pydantic takes numbers for times as well.
    if not isinstance(value, str):
        raise ValueError("a time is written as 2026-01-31T12:00:00Z")  # noqa: TRY004 - pydantic's protocol
    return value


#: Lines of text: no control characters but the ends of lines.
Text = Annotated[str, Field(pattern=r"^[^\x00-\x09\x0b-\x1f\x7f-\x9f]*$")]
Time = Annotated[AwareDatetime, BeforeValidator(_text, json_schema_input_type=str)]
ClientId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,64}$")]
Key = Annotated[ClientId | None, Header(alias="Idempotency-Key", description="instead of `id` in the body")]
Paths = Annotated[list[Annotated[str, Field(pattern=r"^[!-~]{1,200}$")]], Field(max_length=1000)]
OfOrganisation = Annotated[Uri | None, Query(description="the operator may name one that has no accounts")]
AfterId = Annotated[Id | None, Query(description="the last id of the page before")]
RuleSets = Annotated[list[Annotated[str, Field(pattern=r"^[a-z0-9.-]{1,64}$")]], Field(max_length=8)]


class ForBody(Body):
    """`organisation`: for whom it is done, where that isn't the sender's own (the operator, for one that has no accounts)."""

    organisation: Uri | None = None


class ProductBody(ForBody):
    """A product of one's own; `unit` is the unit it is declared in."""

    uri: Uri
    name: Name
    unit: Annotated[str, Field(max_length=32)]
    kind: ProductKind


class PartBody(ForBody):
    """The customer's `part` (number, of a product `line`) is the supplier's `product`."""

    customer: Uri
    part: Name
    line: Name | None = None
    supplier: Uri
    product: Uri


class PartDecisionBody(Body):
    """What the side that didn't propose a mapping decides."""

    confirm: bool
    reason: Annotated[Text, Field(max_length=500)] = ""


class AskBody(ForBody):
    """What is asked of `asked`: data about `product`, its URI, or about one's own mapped `part`.

    `wanted`: the kinds that would do. `rule_sets`: those of the footprint. `verifier`: whom to grant sight too, for verification.
    `needed_for`: one's own product, shown to nobody else. `id`: the sender's own; sent again, the request is found instead of made.
    """

    id: ClientId | None = None
    asked: Uri
    product: Uri | None = None
    part: Name | None = None
    period: Period
    wanted: Annotated[list[Wanted], Field(min_length=1, max_length=2)]
    rule_sets: RuleSets = Field(default=[])
    verifier: Uri | None = None
    deadline: Time
    needed_for: Uri | None = None
    message: Annotated[Text, Field(max_length=2000)] = ""


class DelegateBody(Body):
    """A request passed on to the next tier; what is left out is as in the request that is passed on."""

    id: ClientId | None = None
    asked: Uri
    product: Uri | None = None
    part: Name | None = None
    period: Period | None = None
    wanted: Annotated[list[Wanted], Field(min_length=1, max_length=2)] | None = None
    rule_sets: RuleSets | None = None
    verifier: Uri | None = None
    deadline: Time | None = None
    needed_for: Uri | None = None
    message: Annotated[Text, Field(max_length=2000)] = ""


class NamedBody(Body):
    """A statement of one's own, and the paths of it that are granted: to the asker, and to the verifier that it asked for."""

    leaf_hash: Hash
    paths: Annotated[Paths, Field(min_length=1)]
    verification_paths: Paths = Field(default=[])


class AnswerBody(Body):
    """The statements that answer a request."""

    statements: Annotated[list[NamedBody], Field(min_length=1, max_length=100)]


class DeclineBody(Body):
    """Why nothing is answered; the asker is shown it."""

    reason: Annotated[Name, Field(max_length=500)]


class NamingBody(Body):
    """Whether the one who asked first may know who was asked in the end."""

    named: bool


@requests_router.put("/products", status_code=201)
def put_product(request: Request, body: ProductBody, response: Response, actor: Requester) -> dict[str, Any]:
    """State a product in one's catalogue, or state it anew (200)."""
    product = Product(body.uri, body.name, body.unit, body.kind)
    if services_of(request).catalogue.put_product(actor, body.organisation or actor.organisation, product):
        response.status_code = 200
    return _product(product)


@requests_router.get("/products")
def list_products(
    request: Request,
    actor: Reader,
    *,
    organisation: OfOrganisation = None,
    after: Annotated[
        str, Query(max_length=512, pattern=r"^[!-~]*$", description="the last URI of the page before")
    ] = "",
    limit: Limit = 100,
) -> list[dict[str, Any]]:
    """One's own catalogue, by URI."""
    found = services_of(request).catalogue.products(actor, organisation or actor.organisation, after, limit)
    return [_product(one) for one in found]


@requests_router.post("/parts", status_code=201)
def propose_part(request: Request, body: PartBody, response: Response, actor: Requester) -> dict[str, Any]:
    """Propose to the other side which part is which product. What stands already is found (200)."""
    mapping = PartMapping(body.customer, body.part, body.supplier, body.product, body.line)
    stated, existed = services_of(request).catalogue.propose(actor, body.organisation or actor.organisation, mapping)
    if existed:
        response.status_code = 200
    return _part(stated)


@requests_router.get("/parts")
def list_parts(
    request: Request,
    actor: Reader,
    *,
    side: Literal["customer", "supplier"],
    organisation: OfOrganisation = None,
    after: AfterId = None,
    limit: Limit = 100,
) -> list[dict[str, Any]]:
    """The mappings of one's parts as a customer, or of one's products as a supplier, the oldest first."""
    catalogue = services_of(request).catalogue
    found = catalogue.parts(actor, organisation or actor.organisation, side, after or "", limit)
    return [_part(one) for one in found]


@requests_router.post("/parts/{part}/decision")
def decide_part(request: Request, part: Id, body: PartDecisionBody, actor: Requester) -> dict[str, Any]:
    """Confirm or refuse what the other side proposed."""
    return _part(services_of(request).catalogue.decide(actor, part, confirm=body.confirm, reason=body.reason))


@requests_router.post("/parts/{part}/end")
def end_part(request: Request, part: Id, actor: Requester) -> dict[str, Any]:
    """End a confirmed mapping, or take one's proposal back."""
    return _part(services_of(request).catalogue.end(actor, part))


@requests_router.post("/requests", status_code=201)
def ask(request: Request, body: AskBody, response: Response, actor: Requester, key: Key = None) -> dict[str, Any]:
    """Ask an organisation for data. Sent again under the same id, the request is found (200)."""
    asked = Ask(
        asked=body.asked,
        period=body.period,
        wanted=tuple(body.wanted),
        deadline=body.deadline,
        product=body.product,
        part=body.part,
        rule_sets=tuple(body.rule_sets),
        verifier=body.verifier,
        needed_for=body.needed_for,
        message=body.message,
    )
    organisation = body.organisation or actor.organisation
    found, existed = services_of(request).requests.ask(actor, organisation, asked, _client_id(body.id, key))
    if existed:
        response.status_code = 200
    return _request(found)


@requests_router.get("/requests")
def list_requests(
    request: Request,
    actor: Reader,
    *,
    box: Literal["inbox", "outbox"],
    organisation: OfOrganisation = None,
    after: AfterId = None,
    limit: Limit = 100,
) -> list[dict[str, Any]]:
    """What one is asked (inbox), or asks (outbox), newest first."""
    found = services_of(request).requests.page(actor, organisation or actor.organisation, box, after, limit)
    return [_request(one) for one in found]


@requests_router.get("/requests/{identity}")
def show_request(request: Request, identity: Id, actor: Reader) -> dict[str, Any]:
    """A request with its answer, and how often it was passed on: to whom, if they let it be known."""
    return _told(services_of(request).requests.show(actor, identity))


@requests_router.post("/requests/{identity}/accept")
def accept_request(request: Request, identity: Id, actor: Requester) -> dict[str, Any]:
    """Say that an answer will come."""
    return _request(services_of(request).requests.accept(actor, identity))


@requests_router.post("/requests/{identity}/answer")
def answer_request(request: Request, identity: Id, body: AnswerBody, actor: Answerer) -> dict[str, Any]:
    """Answer by naming statements of one's own; what is named of them is granted, and nothing else, now or later."""
    named = [Named(one.leaf_hash, tuple(one.paths), tuple(one.verification_paths)) for one in body.statements]
    told, _existed = services_of(request).requests.answer(actor, identity, named)
    return _told(told)


@requests_router.post("/requests/{identity}/decline")
def decline_request(request: Request, identity: Id, body: DeclineBody, actor: Requester) -> dict[str, Any]:
    """Decline, with a reason."""
    return _request(services_of(request).requests.decline(actor, identity, body.reason))


@requests_router.post("/requests/{identity}/delegate", status_code=201)
def delegate_request(
    request: Request, identity: Id, body: DelegateBody, response: Response, *, actor: Requester, key: Key = None
) -> dict[str, Any]:
    """Pass a request on to the next tier: a request of one's own, which its asker isn't shown."""
    requests = services_of(request).requests
    before = requests.show(actor, identity).request
    asked = Ask(
        asked=body.asked,
        period=body.period or before.period,
        wanted=before.wanted if body.wanted is None else tuple(body.wanted),
        deadline=body.deadline or before.deadline,
        product=body.product,
        part=body.part,
        rule_sets=before.rule_sets if body.rule_sets is None else tuple(body.rule_sets),
        verifier=body.verifier,
        needed_for=body.needed_for,
        message=body.message,
    )
    found, existed = requests.delegate(actor, identity, asked, _client_id(body.id, key))
    if existed:
        response.status_code = 200
    return _request(found)


@requests_router.put("/requests/{identity}/naming")
def let_be_named(request: Request, identity: Id, body: NamingBody, actor: Requester) -> dict[str, Any]:
    """Let the one who asked first know that the request was passed on to oneself, or no longer."""
    return _request(services_of(request).requests.let_be_named(actor, identity, named=body.named))


@requests_router.post("/requests/{identity}/remind")
def remind(request: Request, identity: Id, actor: Requester) -> dict[str, Any]:
    """Remind, once a day at most."""
    return _request(services_of(request).requests.remind(actor, identity))


@requests_router.post("/requests/{identity}/withdraw")
def withdraw_request(request: Request, identity: Id, actor: Requester) -> dict[str, Any]:
    """Take a request back."""
    return _request(services_of(request).requests.withdraw(actor, identity))


@requests_router.get("/board")
def show_board(
    request: Request,
    actor: Reader,
    *,
    side: Literal["asker", "asked"],
    needed_for: Uri | None = None,
    organisation: OfOrganisation = None,
    after: AfterId = None,
    limit: Limit = 100,
) -> dict[str, Any]:
    """Who owes what: what one waits for (asker) or owes (asked), by deadline, and how much there is, counted up to 1,000."""
    found = services_of(request).boards.board(
        actor, organisation or actor.organisation, side, needed_for=needed_for, after=after, limit=limit
    )
    counts = {"pending": found.pending, "overdue": found.overdue, "due_soon": found.due_soon}
    return {"counts": counts, "requests": [_request(one) for one in found.requests]}


def _client_id(in_body: str | None, in_header: str | None) -> str | None:
    if in_body is not None and in_header is not None and in_body != in_header:
        raise RequestError("two ids for one request", where="Idempotency-Key", remedy="send one of them")
    return in_body or in_header


def _product(one: Product) -> dict[str, Any]:
    return {"uri": one.uri, "name": one.name, "unit": one.unit, "kind": one.kind}


def _part(one: StatedMapping) -> dict[str, Any]:
    return {
        "id": one.id,
        "customer": one.mapping.customer,
        "part": one.mapping.part,
        "line": one.mapping.line,
        "supplier": one.mapping.supplier,
        "product": one.mapping.product,
        "called": one.called,
        "state": one.state,
        "proposed_by": one.proposed_by,
        "proposed_at": _time(one.proposed_at),
        "confirmed_at": _time(one.confirmed_at),
        "ended_at": _time(one.ended_at),
        "reason": one.reason,
    }


def _request(one: DataRequest) -> dict[str, Any]:
    own = {"needed_for": one.needed_for, "parent": one.parent} if one.side == "asker" else {}
    return {
        "id": one.id,
        "asker": one.asker,
        "asked": one.asked,
        "product": one.product,
        "part": one.part,
        "wanted": list(one.wanted),
        "rule_sets": list(one.rule_sets),
        "period": one.period.model_dump(mode="json"),
        "verifier": one.verifier,
        "deadline": _time(one.deadline),
        "message": one.message,
        "state": one.state,
        "reason": one.reason,
        "asked_at": _time(one.asked_at),
        "reminded_at": _time(one.reminded_at),
        "closed_at": _time(one.closed_at),
        "days_left": one.days_left,
        "overdue": one.overdue,
        "delegated": one.delegated,
        "named": one.named,
        **own,
    }


def _told(one: Told) -> dict[str, Any]:
    return _request(one.request) | {
        "answer": None if one.answer is None else _answer(one.answer, one.request.side),
        "delegations": one.delegations,
        "delegates": list(one.delegates),
    }


def _answer(answer: Answer, side: str) -> dict[str, Any]:
    def named(one: Named) -> dict[str, Any]:
        shown = {"leaf_hash": one.leaf_hash, "paths": list(one.paths)}
        return shown | ({"verification_paths": list(one.verification_paths)} if side == "asked" else {})

    return {"statements": [named(one) for one in answer.named], "verification": answer.verification}


def _time(when: datetime | None) -> str | None:
    return None if when is None else when.isoformat()
