"""From a filled form to a signed statement: check it, show what it will tell whom, sign it. Pure.

The record is checked as intake will check it (units, stated sums, formulas, the shape of its kind, flows, grids and stages in use), each
defect with its place in the form.
A line without an `id` gets a random one here already, so that the paths shown before signing are those of the signed statement.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from types import MappingProxyType
from typing import Any

from bom_graph import Background, BomGraphError, Record
from exchange.access import FULL
from exchange.errors import FormError, StatementError, UsageError
from exchange.form import Form, FormValue, Path
from exchange.kinds import KINDS, REVIEW, Kind, check_own_product
from signer import (
    SUPERSESSION,
    WITHDRAWAL,
    Issued,
    MalformedCitationError,
    Signer,
    citations_of,
    issue,
    new_jti,
)

#: Kinds that an organisation fills in as a form, by their short name.
FORM_KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        # What a party to a filing signs cites the step before it, which the exchange fills in: see `packtrace filing draft`. A review
        # may be of a file instead, by its digest.
        kind.vct.split(":")[2]: kind
        for kind in KINDS.values()
        if kind.record is not None and (kind is REVIEW or not kind.cites)
    }
)
CONTENTS = "contents"

_SET_BY_SIGNING = frozenset(
    {"iss", "aud", "jti", "iat", "vct", "_sd", "_sd_alg", "contents_digest", "exp", "nbf", "cnf", "...", CONTENTS, FULL}
)
_WHOLE_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Draft:
    """A form that can be signed: its claims as they will be signed, and what the record made of them."""

    form: Form
    name: str
    kind: Kind
    claims: Mapping[str, Any]
    record: Record

    @property
    def unknown(self) -> list[str]:
        """Places of members that the kind doesn't know. They are signed as written; a typing mistake looks like this."""
        return [self.form.place(_form_path(self.claims, path)) for path in self.record.unknown_members]


@dataclass(frozen=True, slots=True)
class Shown:
    """What a grant of `path` lets its reader see."""

    path: str
    shows: str


def template(name: str) -> str:
    """Return the commented, empty form of a kind. UsageError where there is none."""
    _kind(name, "--template")
    return (resources.files("exchange") / "data" / "forms" / f"{name}.yaml").read_text("utf-8")


def draft(
    form: Form, *, kind: str | None, random: Callable[[int], bytes], background: Background | None = None
) -> Draft:
    """Check the form and return what can be signed; `kind` stands in for a kind that the form doesn't name.

    What it refers to has to be in `background`: what comes with the software, unless another one is given.

    Raises FormError with file, line and claim path; UsageError for an unknown `kind`.
    """
    name = _kind_name(form, kind)
    found = FORM_KINDS[name]
    claims = _claims(form, found, random)
    if found.record is None:
        raise AssertionError("a form's kind has a record")
    try:
        list(citations_of(claims, found.profile.lists))
        record = found.record.draft(claims)
        (background or Background.shipped()).check(record)
    except (BomGraphError, MalformedCitationError) as error:
        raise _misfilled(form, claims, error) from None
    return Draft(form, name, found, claims, record)


def check_issuer(checked: Draft, issuer: str) -> None:
    """Check that the draft is about a product of `issuer`. Raises FormError."""
    try:
        check_own_product(checked.record, issuer)
    except StatementError as error:
        where = checked.form.place(_form_path(checked.claims, error.where))
        raise FormError(error.what, where=where, remedy=error.remedy) from None


def foreign_citations(checked: Draft, audience: str) -> list[str]:
    """Places of citations to other logs than `audience`, which it takes only from its named predecessor."""
    found = citations_of(checked.claims, checked.kind.profile.lists)
    return [checked.form.place(_form_path(checked.claims, path)) for path, cited in found if cited.origin != audience]


def open_to_everybody(checked: Draft, *, issuer: str, audience: str, now: datetime) -> list[tuple[str, str]]:
    """Name and value of all that every reader of the ledger sees, whatever is granted."""
    return [
        ("iss", f"{issuer}, by your certificate"),
        ("aud", audience),
        ("iat", f"{now:%Y-%m-%dT%H:%M:%SZ}, the time of signing"),
        ("vct", checked.kind.vct),
        ("jti", "a random number of this statement"),
    ]


def grants(checked: Draft) -> Iterator[Shown]:
    """Each path that can be granted, and what its reader would see."""
    lists = checked.kind.profile.lists
    for name, value in checked.claims.items():
        if name not in lists:
            yield Shown(name, in_words(value))
            continue
        yield Shown(name, f"every line, {len(value)} in all")
        for line in value:
            yield Shown(f"{name}/{line['id']}", in_words({key: one for key, one in line.items() if key != "id"}))
    counts = [f"{len(value)} {name}" for name, value in checked.claims.items() if name in lists]
    named = ", ".join(name for name in checked.claims if name not in lists)
    yield Shown(CONTENTS, f"no values, but which claims there are: {', '.join([named, *counts])}")
    yield Shown(FULL, "all of the above")


def sign(
    checked: Draft, signer: Signer, *, issuer: str, audience: str, now: datetime, random: Callable[[int], bytes]
) -> Issued:
    """Sign the draft. `now` is an aware time; raises what `signer.issue` raises."""
    return issue(
        signer,
        checked.kind.profile,
        issuer=issuer,
        audience=audience,
        jti=new_jti(now, random),
        issued_at=now,
        claims=checked.claims,
        random=random,
    )


def take_back(
    signer: Signer,
    target: Mapping[str, Any],
    reason: str,
    *,
    replacement: Mapping[str, Any] | None = None,
    issuer: str,
    now: datetime,
    random: Callable[[int], bytes],
) -> Issued:
    """Sign that a statement of one's own counts no more: a withdrawal, or with a `replacement` a supersession.

    Both are cited as ``{origin, index, leaf_hash}``; it is for the log of the target. Raises what `signer.issue` raises.
    """
    claims: dict[str, Any] = {"target": dict(target), "reason": reason}
    if replacement is not None:
        claims["replacement"] = dict(replacement)
    return issue(
        signer,
        WITHDRAWAL if replacement is None else SUPERSESSION,
        issuer=issuer,
        audience=str(target["origin"]),
        jti=new_jti(now, random),
        issued_at=now,
        claims=claims,
        random=random,
    )


def in_words(value: Any) -> str:
    """Return a claim's value in one line for people."""
    match value:
        case str():
            return value
        case bool():
            return str(value).lower()
        case Mapping():
            return ", ".join(f"{name} {_inner(one)}" for name, one in value.items())
        case list() | tuple():
            return "; ".join(map(_inner, value)) or "none"
        case _:
            return str(value)


def _inner(value: Any) -> str:
    return f"({in_words(value)})" if isinstance(value, Mapping | list | tuple) else in_words(value)


# --- Reading the form ---------------------------------------------------------------------------------------------


def _kind_name(form: Form, given: str | None) -> str:
    stated = form.values.get("kind")
    if stated is None:
        if given is None:
            remedy = f"start it with a line kind: NAME, one of {', '.join(FORM_KINDS)}"
            raise FormError("the form names no kind", where=f"{form.name}: kind", remedy=remedy)
        return _kind(given, "--kind")
    name = _kind(stated, form.place(("kind",)))
    if given is not None and _kind(given, "--kind") != name:
        remedy = "leave --kind out, or correct the form"
        raise FormError(f"the form is of kind {name}", where=form.place(("kind",)), remedy=remedy)
    return name


def _kind(stated: FormValue, where: str) -> str:
    name = stated.removeprefix("urn:packtrace:").removesuffix(":1") if isinstance(stated, str) else ""
    if name not in FORM_KINDS:
        found = UsageError if where.startswith("--") else FormError
        raise found("no kind that is filled in as a form", where=where, remedy=f"use one of {', '.join(FORM_KINDS)}")
    return name


def _claims(form: Form, kind: Kind, random: Callable[[int], bytes]) -> dict[str, Any]:
    claims: dict[str, Any] = {}
    for name, value in form.values.items():
        if name == "kind":
            continue
        if name in _SET_BY_SIGNING or "/" in name:
            remedy = "leave it out, or name it otherwise"
            raise FormError("a name that the format keeps for itself", where=form.place((name,)), remedy=remedy)
        if name not in kind.profile.lists:
            claims[name] = _TRUTH.get(value, value) if name == "complete" and isinstance(value, str) else value
            continue
        if not isinstance(value, list) or not all(isinstance(line, dict) for line in value):
            remedy = "begin each line with a dash and give its values names"
            raise FormError(f"{name} is a list of lines", where=form.place((name,)), remedy=remedy)
        claims[name] = [_line(line, random) for line in value if isinstance(line, dict)]
        _check_ids(form, name, claims[name])
    return claims


def _line(line: dict[str, FormValue], random: Callable[[int], bytes]) -> dict[str, Any]:
    numbered: dict[str, Any] = {"id": base64.urlsafe_b64encode(random(16)).rstrip(b"=").decode(), **line}
    if isinstance(tolled := line.get("tolled"), str):
        numbered["tolled"] = _TRUTH.get(tolled, tolled)
    citation = line.get("citation")
    if (
        isinstance(citation, dict)
        and isinstance(index := citation.get("index"), str)
        and _WHOLE_NUMBER.fullmatch(index)
    ):
        # The one number in signed data that is no amount.
        numbered["citation"] = {**citation, "index": int(index)}
    return numbered


def _check_ids(form: Form, name: str, lines: list[dict[str, Any]]) -> None:
    seen: set[str] = set()
    for number, line in enumerate(lines):
        # An id that is no text is the record's to refuse.
        if str(line["id"]) in seen:
            remedy = "give each line its own id, or none: then it gets one"
            raise FormError("two lines with one id", where=form.place((name, number, "id")), remedy=remedy)
        seen.add(str(line["id"]))


def _misfilled(form: Form, claims: Mapping[str, Any], error: BomGraphError | MalformedCitationError) -> FormError:
    remedy = error.remedy.removesuffix(" and sign again").removesuffix(" and sign the statement again")
    return FormError(error.what, where=form.place(_form_path(claims, error.where)), remedy=remedy)


def _form_path(claims: Mapping[str, Any], where: str) -> Path:
    """The path in the form of a claim path: lines are found by their id, which the form may not have."""
    name, *rest = where.split("/")
    lines = claims.get(name)
    if rest and isinstance(lines, list):
        for number, line in enumerate(lines):
            if line.get("id") == rest[0]:
                return (name, number, *rest[1:])
    return (name, *rest)
