"""The one registry of statement kinds: type -> what is open, which lists it has, how its claims are read; and who may sign it.

A kind is added here and in the policy file, with a page in docs/formats/. Nothing else lists kinds.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib import resources
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from bom_graph import (
    ActivityData,
    BatteryModel,
    BillOfMaterials,
    CertificateRetirement,
    Day,
    Delivery,
    LifeCycleScenario,
    ProductFootprint,
    Record,
    first_defect,
    read_json,
    why_unreadable,
)
from bom_graph import Text as PlainText
from exchange.errors import EvidenceError, StatementError
from exchange.kinds.engagement import EngagementEvent
from exchange.kinds.filing import (
    FilingEvent,
    PlatformResult,
    QualityPlan,
    VerificationStatement,
    cited_claims,
)
from exchange.kinds.review import Review
from signer import KEY_EVENT, RETRACTIONS, SUPERSESSION, WITHDRAWAL, Profile, Statement, read_retraction

POLICY_FILE = "policy-1.json"
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Role = Literal[
    "operator",
    "supplier",
    "pack_maker",
    "importer",
    "vehicle_maker",
    "verifier",
    "factor_maintainer",
    "expert",
    "authority",
]


class _Open(BaseModel):
    """Base of the kinds whose claims are all open."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Accreditation(_Open):
    """A verifier's accreditation: by which body, under which number, for which chemistry groups and rule sets, on which days (UTC)."""

    body: PlainText
    number: PlainText
    chemistry_groups: Annotated[tuple[PlainText, ...], Field(min_length=1, max_length=32)]
    rule_sets: Annotated[tuple[PlainText, ...], Field(min_length=1, max_length=32)]
    since: Day
    until: Day

    def on(self, day: date) -> bool:
        """Whether it counts on `day`."""
        return self.since <= day <= self.until

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.until < self.since:
            raise ValueError("the last day is before the first")
        return self


class RoleGrant(_Open):
    """The operator states which roles an organisation has, from the first day to the last (UTC) where it names them.

    `accreditations`: what a verifier is accredited for, where that is registered.
    """

    organisation: str
    roles: tuple[Role, ...]
    since: date | None = None
    until: date | None = None
    accreditations: Annotated[tuple[Accreditation, ...], Field(max_length=16)] = ()

    def on(self, day: date) -> frozenset[str]:
        """Return the roles that count on `day` (UTC)."""
        begun, over = self.since is None or self.since <= day, self.until is not None and self.until < day
        return frozenset(self.roles) if begun and not over else frozenset()

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.since is not None and self.until is not None and self.until < self.since:
            raise ValueError("the last day is before the first")
        return self


class Erasure(_Open):
    """The operator erased what it held of an earlier entry beside the ledger: disclosures, data key and what was derived from them.

    `asked_by` is the organisation that asked for it.
    """

    index: int = Field(ge=0, strict=True)
    leaf_hash: Digest
    reason: Literal["owner_request", "unlawful_content", "retention_ended"]
    asked_by: str


class RevokedKey(_Open):
    """The key with this thumbprint was revoked, compromised or replaced by the entry `by`."""

    thumbprint: str
    by: int = Field(ge=0, strict=True)


class GoneStatement(_Open):
    """The statement at `index` was taken back, or its disclosures erased, by the entry `by`."""

    index: int = Field(ge=0, strict=True)
    by: int = Field(ge=0, strict=True)


class StatusSnapshot(_Open):
    """The operator states what counts no more in the log at `size`, as far as the snapshot at entry `previous` hasn't said so.

    `chain` is the head of the hash chain there; `retirements` the SHA-256 over the lines ``index leaf_hash`` of all retirements of
    certificates that count.
    """

    size: int = Field(ge=1, strict=True)
    chain: Digest
    previous: int | None = Field(default=None, ge=0, strict=True)
    revoked: tuple[RevokedKey, ...]
    retracted: tuple[GoneStatement, ...]
    erased: tuple[GoneStatement, ...]
    retirements: Digest


class Release(_Open):
    """A factor release, rule set or policy by id, version and digest of its file."""

    id: str
    version: str
    digest: Digest


class CitedEntry(_Open):
    """A citation in the open."""

    origin: str = Field(min_length=1, max_length=500)
    index: int = Field(ge=0, strict=True)
    leaf_hash: Digest


class ReviewedRelease(Release):
    """A factor release with the reviews that it rests on; none of what came with the software."""

    reviews: tuple[CitedEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class Kind:
    """A statement kind: its profile for signing and verifying, and the model of its claims."""

    profile: Profile
    record: type[Record] | None = None
    open_model: type[_Open] | None = None

    @property
    def vct(self) -> str:
        """The type URI, ``urn:packtrace:<kind>:<major>``."""
        return self.profile.vct

    @property
    def cites(self) -> frozenset[str]:
        """The claims that are citations by themselves, beside those of lines."""
        return cited_claims(self.record)


def _hidden(name: str, record: type[Record], *, open_claims: frozenset[str] = frozenset()) -> Kind:
    profile = Profile(
        vct=f"urn:packtrace:{name}:1", open_claims=open_claims, selective=True, lists=frozenset(record.lists)
    )
    return Kind(profile=profile, record=record)


def _open(name: str, model: type[_Open]) -> Kind:
    fields = frozenset(model.model_fields)
    profile = Profile(vct=f"urn:packtrace:{name}:1", open_claims=fields, selective=False, lists=frozenset())
    return Kind(profile=profile, open_model=model)


ACTIVITY_DATA = _hidden("activity-data", ActivityData)
BILL_OF_MATERIALS = _hidden("bill-of-materials", BillOfMaterials)
BATTERY_MODEL = _hidden("battery-model", BatteryModel)
LIFE_CYCLE_SCENARIO = _hidden("life-cycle-scenario", LifeCycleScenario)
DELIVERY = _hidden("delivery", Delivery)
PRODUCT_FOOTPRINT = _hidden("product-footprint", ProductFootprint)
CERTIFICATE_RETIREMENT = _hidden("certificate-retirement", CertificateRetirement)
QUALITY_PLAN = _hidden("quality-plan", QualityPlan)
FILING_EVENT = _hidden("filing-event", FilingEvent)
PLATFORM_RESULT = _hidden("platform-result", PlatformResult)
VERIFICATION_STATEMENT = _hidden("verification-statement", VerificationStatement, open_claims=frozenset({"target"}))
REVIEW = _hidden("review", Review)
ENGAGEMENT_EVENT = _hidden("engagement-event", EngagementEvent)
ROLE_GRANT = _open("role-grant", RoleGrant)
ERASURE = _open("erasure", Erasure)
STATUS_SNAPSHOT = _open("status-snapshot", StatusSnapshot)
FACTOR_RELEASE = _open("factor-release", ReviewedRelease)
RULE_SET_RELEASE = _open("rule-set-release", Release)
POLICY_RELEASE = _open("policy-release", Release)
KEY_EVENTS = Kind(profile=KEY_EVENT)
SUPERSESSIONS = Kind(profile=SUPERSESSION)
WITHDRAWALS = Kind(profile=WITHDRAWAL)

KINDS: Mapping[str, Kind] = {
    kind.vct: kind
    for kind in (
        ACTIVITY_DATA,
        BILL_OF_MATERIALS,
        BATTERY_MODEL,
        LIFE_CYCLE_SCENARIO,
        DELIVERY,
        PRODUCT_FOOTPRINT,
        CERTIFICATE_RETIREMENT,
        QUALITY_PLAN,
        FILING_EVENT,
        PLATFORM_RESULT,
        VERIFICATION_STATEMENT,
        REVIEW,
        ENGAGEMENT_EVENT,
        ROLE_GRANT,
        ERASURE,
        STATUS_SNAPSHOT,
        FACTOR_RELEASE,
        RULE_SET_RELEASE,
        POLICY_RELEASE,
        KEY_EVENTS,
        SUPERSESSIONS,
        WITHDRAWALS,
    )
}


def kind_of(vct: str) -> Kind:
    """Return the kind of type `vct`; StatementError where it is unknown."""
    try:
        return KINDS[vct]
    except KeyError:
        raise StatementError(
            f"unknown statement kind {vct!r}", where="vct", remedy=f"use one of {', '.join(sorted(KINDS))}"
        ) from None


def read_record(statement: Statement) -> Record | None:
    """Return the record that `statement` holds as far as it was disclosed; None for kinds without one.

    A product lies below its owner's URI, so that nobody speaks for another's product. Raises BomGraphError or StatementError.
    """
    kind = kind_of(statement.vct)
    if kind.open_model is not None:
        read_open(statement, kind.open_model)
    if statement.vct in RETRACTIONS:
        read_retraction(statement)
    if kind.record is None:
        return None
    claims = {name: value for name, value in statement.claims.items() if name not in _ENVELOPE}
    if missing := kind.profile.open_claims - claims.keys():
        name = min(missing)
        raise StatementError(f"{name} is missing", where=name, remedy="a statement of this kind states it in the open")
    record = kind.record.read(claims, statement.contents)
    check_own_product(record, statement.issuer)
    return record


def check_own_product(record: Record, issuer: str) -> None:
    """Check that the record, as far as it tells, is about products below its issuer's URI; StatementError otherwise.

    A buyer is spelled as organisations are: under another spelling its deliveries would be nobody's.
    """
    if isinstance(record, Delivery) and isinstance(record.buyer, str):
        check_spelling(record.buyer, where="buyer")
    for product in record.products:
        where = "sub" if product == record.sub else "outputs"
        if _has_dot_segments(product):
            what, remedy = f"the product's URI has a dot segment: {product}", "write its path without . and .."
            raise StatementError(what, where=where, remedy=remedy)
        if not product.startswith(f"{issuer}/"):
            raise StatementError(
                f"{issuer} speaks for a product that isn't its own: {product}",
                where=where,
                remedy="state a product URI below the issuer's own URI",
            )


def check_spelling(uri: str, *, where: str = "uri") -> None:
    """Check that an organisation's URI has the one spelling (RFC 3986, section 6.2.2); StatementError otherwise.

    Else two organisations could look like one, and products lie below neither or both.
    """
    if uri.endswith("/"):
        raise StatementError("the URI ends with a slash", where=where, remedy="leave the slash out")
    if not _ORGANISATION.fullmatch(uri) or _has_dot_segments(uri) or "?" in uri or "#" in uri:
        raise StatementError(
            "the URI has no host; or capitals, a user, escapes or the usual port before its path, a dot segment, a query or a fragment",
            where=where,
            remedy="write it as https://host/path: the host plainly and in lower case, and the path without . and ..",
        )


def _has_dot_segments(uri: str) -> bool:
    """Whether a URI's path has segments that lead elsewhere where they are resolved (RFC 3986, section 5.2.4)."""
    return any(segment in {".", ".."} for segment in uri.split("/"))


_ORGANISATION = re.compile(
    r"""
    (?!https://[^/]*:443(/|$)|http://[^/]*:80(/|$))                             # the port that goes without saying
    [a-z][a-z0-9+.-]*://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[1-9][0-9]{0,4})?(/[!-~]*)?  # with a host
    |(?!https?:)[a-z][a-z0-9+.-]*:[!-.0-~][!-~]*                                # without, as urn:example:maker
    """,
    re.VERBOSE,
)
_ENVELOPE = frozenset({"iss", "aud", "jti", "iat", "vct", "contents"})


def read_open(statement: Statement, model: type[Any]) -> Any:
    """Return the open claims of `statement` as `model`; StatementError names the first defect."""
    claims = {name: value for name, value in statement.claims.items() if name not in _ENVELOPE}
    try:
        return model.model_validate(claims)
    except ValidationError as error:
        steps, what = first_defect(error)
        raise StatementError(what, where="/".join(steps), remedy="correct the claim and sign again") from None


class Policy(_Open):
    """Which roles may sign which kind. `digest` is the hex SHA-256 of the file's bytes."""

    format: Literal["urn:packtrace:policy-file:1"]
    id: str
    version: str
    roles_by_kind: dict[str, tuple[Role, ...]]
    digest: str = Field(default="")

    @classmethod
    def read(cls, data: bytes) -> Policy:
        """Return the policy in the file's bytes; EvidenceError for anything else."""
        try:
            policy = cls.model_validate(read_json(data))
        except ValueError as error:
            raise EvidenceError(
                f"the policy can't be read: {why_unreadable(error)}",
                where="policy file",
                remedy="take the published file",
            ) from None
        return policy.model_copy(update={"digest": hashlib.sha256(data).hexdigest()})

    def may_sign(self, vct: str, roles: frozenset[str], *, issuer: str) -> None:
        """Check that one of `roles` may sign kind `vct`; StatementError otherwise."""
        allowed = self.roles_by_kind.get(vct, ())
        if roles.isdisjoint(allowed):
            raise StatementError(
                f"{issuer} has the roles {sorted(roles) or 'none'}; {vct} is signed by {', '.join(allowed) or 'nobody'}",
                where="iss",
                remedy="let the organisation with that role sign it, or ask the operator for the role",
            )


def policy_bytes() -> bytes:
    """Return the bytes of the policy that ships with the package."""
    return (resources.files("exchange") / "data" / POLICY_FILE).read_bytes()


def load_policy() -> Policy:
    """Return the policy that ships with the package."""
    return Policy.read(policy_bytes())
