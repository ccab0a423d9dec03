"""The routes: each turns a request into one use case and its answer into JSON. No decision is made here."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from tempfile import TemporaryFile
from typing import IO, Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import PlainTextResponse, StreamingResponse
from pydantic import Field

from exchange.api.strict import (
    MAX_INT,
    Body,
    Calculator,
    Hash,
    Limit,
    Name,
    OperatorOnly,
    Reader,
    StrictRoute,
    Submitter,
    Uri,
    services_of,
)
from exchange.assembly import Demand
from exchange.calculation import Wanted
from exchange.cosigning import describe_witnesses
from exchange.erasing import Reason
from exchange.errors import NotFoundError, StatementError
from exchange.identity import Application
from exchange.kinds import Role
from exchange.report import Document
from exchange.services import Services
from ledger.store import proof_file, published, published_consistency, snapshot, witnessed_size
from signer import peek

router = APIRouter(prefix="/api/v1", route_class=StrictRoute)
Size = Annotated[int, Query(ge=0, le=MAX_INT)]
PublishedSize = Annotated[int | None, Query(ge=0, le=MAX_INT)]


_ARCHIVE: dict[int | str, dict[str, Any]] = {200: {"content": {"application/zip": {}, "application/octet-stream": {}}}}
_CHUNK = 256 * 1024


class OrganisationBody(Body):
    """An application for enrolment; `csr` is a base64 PKCS #10 request."""

    uri: Uri
    name: Name
    csr: Annotated[str, Field(max_length=8192)]
    possession: Annotated[str, Field(max_length=256)]
    roles: Annotated[list[Role], Field(min_length=1, max_length=8)]
    since: date | None = None
    until: date | None = None


class ErasureBody(Body):
    """The statement to erase, and why: at its owner's request, or by the operator's decision."""

    leaf_hash: Hash
    reason: Reason = "owner_request"


class FootprintBody(Body):
    """A demand: one declared unit of `product` under a rule set, from what `reader` may see. `flow`: by its published factor.

    `releases`: digests of factor releases that are wanted instead of the versions that count.
    """

    product: Uri
    rule_set: Annotated[str, Field(max_length=64)]
    reader: Uri
    flow: Annotated[str, Field(max_length=64)] | None = None
    releases: Annotated[list[Hash], Field(max_length=100)] = Field(default_factory=list)


class EvidenceBody(Body):
    """Results to put into one evidence file for `reader`."""

    reader: Uri
    results: Annotated[list[Hash], Field(min_length=1, max_length=10_000)]
    seal: bool = False
    attachments: bool = False


@router.get("/log")
def show_log(request: Request) -> dict[str, Any]:
    """The log's name and public keys, the trust file's fingerprint, and how far which witnesses have followed."""
    services = services_of(request)
    trust_file, policy = services.installation.trust_file, services.witness_policy
    with snapshot(services.installation.engine) as connection:
        witnessed, witnessing = witnessed_size(connection, policy), describe_witnesses(connection, policy)
    return {
        "origin": trust_file.origin,
        "log_key": trust_file.log_key,
        "other_log_keys": list(trust_file.other_log_keys),
        "fingerprint": trust_file.fingerprint,
        "policy": policy.document().decode("utf-8", "backslashreplace"),
        "witnessed": witnessed,
        "witnessing": witnessing,
    }


@router.post("/organisations", status_code=201)
def enrol(request: Request, body: OrganisationBody, response: Response, actor: OperatorOnly) -> dict[str, Any]:
    """Certify and enrol an organisation's key and grant its roles, in the place of earlier ones. `had`: what it had until now."""
    try:
        csr = base64.b64decode(body.csr, validate=True)
    except (binascii.Error, ValueError):
        raise StatementError("the CSR is not base64", where="csr", remedy="send the DER request in base64") from None
    services = services_of(request)
    with snapshot(services.installation.engine) as connection:
        locked_out = services.installation.admissions.is_locked_out(connection, body.uri)
    if not locked_out:
        # Who can't sign any more can't do it itself, and would never take back what a thief signed.
        services.accounts.check_speaks_for(actor, body.uri, "operator")
    application = Application(body.uri, body.name, csr, body.possession, tuple(body.roles), body.since, body.until)
    enrolled = services.enrol(application)
    if enrolled.existed:
        response.status_code = 200
    return {
        "certificate": base64.b64encode(enrolled.certificate).decode(),
        "key_event": enrolled.key_event,
        "role_grant": enrolled.role_grant,
        "existed": enrolled.existed,
        "had": {"keys": enrolled.had_keys, "roles": enrolled.had_roles},
    }


@router.get("/entries/{index}")
def show_entry(request: Request, index: int, actor: Reader) -> dict[str, Any]:
    """An entry of the ledger: the issuer-signed token without disclosures, and its open claims."""
    if not 0 <= index <= MAX_INT:
        raise NotFoundError("no such entry", where="index", remedy="give an index of the log")
    services = services_of(request)
    return _entry(services, services.sharing.entry(actor, index=index))


@router.get("/entries")
def find_entry(
    request: Request, leaf_hash: Annotated[str, Query(pattern=r"^[0-9a-f]{64}$")], actor: Reader
) -> dict[str, Any]:
    """An entry by its leaf hash (hex)."""
    services = services_of(request)
    return _entry(services, services.sharing.entry(actor, leaf_hash=leaf_hash))


@router.get("/checkpoint", response_class=PlainTextResponse)
def show_checkpoint(request: Request, size: PublishedSize = None) -> Response:
    """The newest published checkpoint, or that of `size`: a signed note."""
    with snapshot(services_of(request).installation.engine) as connection:
        return _text(published(connection, size).cosigned)


@router.get("/proofs/inclusion", response_class=PlainTextResponse)
def prove_inclusion(request: Request, index: Size, size: PublishedSize = None) -> Response:
    """The proof file (.tlog-proof) of an entry, to the newest published checkpoint or that of `size`."""
    return _text(_proof(services_of(request), index, size))


@router.get("/proofs/consistency")
def prove_consistency(request: Request, old: Size, new: Size) -> dict[str, Any]:
    """The consistency proof between two published sizes: base64 hashes. Their roots are in their checkpoints."""
    with snapshot(services_of(request).installation.engine) as connection:
        proof = published_consistency(connection, old, new)
    return {"old": old, "new": new, "proof": [base64.b64encode(node).decode() for node in proof]}


@router.post("/erasures", status_code=201)
def erase(request: Request, body: ErasureBody, response: Response, actor: Submitter) -> dict[str, Any]:
    """Erase what the exchange holds of a statement beside the ledger, for good; `index` is that of the entry that says so."""
    erased = services_of(request).erasures.erase(actor, body.leaf_hash, body.reason)
    if erased.existed:
        response.status_code = 200
    return {"index": erased.index, "existed": erased.existed}


@router.post("/footprints", status_code=201)
def calculate(request: Request, body: FootprintBody, actor: Calculator) -> dict[str, Any]:
    """Compute a footprint; 422 with the findings where the rule set refuses one."""
    demand = Demand(body.product, body.flow)
    name, found = services_of(request).calculation.calculate(actor, body.reader, demand, body.rule_set, body.releases)
    return {"digest": name, "result": found}


@router.get("/footprints")
def list_footprints(
    request: Request,
    actor: Reader,
    after: Annotated[str, Query(pattern=r"^([0-9a-f]{64})?$", description="the last one of the page before")] = "",
    limit: Limit = 100,
    product: Uri | None = None,
) -> list[dict[str, Any]]:
    """The organisation's newest result of each product under each rule set, or those of `product`; `after` is the last digest seen."""
    found = services_of(request).calculation.newest(actor, after, limit, product)
    return [_summary(one.digest, one.document) for one in found]


@router.get("/footprints/{digest}")
def show_footprint(request: Request, digest: Hash, actor: Reader) -> Document:
    """A stored result, whole: every figure with its origin."""
    return services_of(request).calculation.result(actor, digest)


@router.post("/evidence", response_class=Response, responses=_ARCHIVE)
def export(request: Request, body: EvidenceBody, actor: Calculator) -> Response:
    """An evidence file (.packtrace) of results, for one reader; 409 with Retry-After until their entries are published.

    `seal`: encrypted to the key that the reader enrolled last. `attachments`: with the files that its statements name as evidence.
    """
    # Whole on the disk before the first byte is sent: who is refused half-way gets an error and no half of a file.
    with ExitStack() as stack:
        file = stack.enter_context(TemporaryFile())
        services_of(request).exporter.export(
            actor, body.reader, body.results, file, Wanted(body.seal, body.attachments)
        )
        length = file.tell()
        file.seek(0)
        stack.pop_all()
    name = "evidence.packtrace.sealed" if body.seal else "evidence.packtrace"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Content-Length": str(length)}
    media_type = "application/octet-stream" if body.seal else "application/zip"
    return StreamingResponse(_chunks(file), media_type=media_type, headers=headers)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while data := file.read(_CHUNK):
            yield data


def _text(text: str) -> Response:
    """What is signed, and may gain cosignatures later."""
    return Response(text, media_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-cache"})


def _proof(services: Services, index: int, size: int | None) -> str:
    with snapshot(services.installation.engine) as connection:
        return proof_file(connection, index, size)


def _entry(services: Services, found: Any) -> dict[str, Any]:
    token = found.data.decode("ascii")
    seen = peek(token)
    return {
        "index": found.index,
        "leaf_hash": found.leaf_hash.hex(),
        "chain": found.chain.hex(),
        "token": token,
        "vct": seen.vct,
        "issuer": seen.issuer,
        "issued_at": seen.issued_at.isoformat(),
        "state": services.progress.reached(found.index).state,
    }


def _summary(name: str, found: Document) -> dict[str, Any]:
    return {
        "digest": name,
        "product": found["demand"]["product"],
        "flow": found["demand"]["flow"],
        "model": found["model"],
        "rule_set": found["rule_set"]["id"],
        "headline": found["headline"],
        "heading": found["heading"],
        "complete": found["complete"],
    }
