"""``packtrace attest``: check a filled form, show who would see what, sign it. Needs the base install only, and no network."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from exchange.cli.asking import confirmed
from exchange.cli.files import check_new, read_up_to, write_new
from exchange.cli.guard import guarded
from exchange.cli.key import passphrase
from exchange.cli.output import DONE, REJECTED, say, tell
from exchange.screen import shown

if TYPE_CHECKING:
    from exchange.attestation import Draft
    from signer import Signer

SUFFIX = ".sd-jwt"


def run_template(kind: str) -> int:
    """Print a form to fill."""

    def command() -> int:
        from exchange.attestation import template

        say(template(kind).rstrip("\n"))
        return DONE

    return guarded(command)


@dataclass(frozen=True, slots=True)
class Order:
    """The command's options as given."""

    file: Path | None
    key: str | None
    audience: str | None
    out: Path | None
    kind: str | None
    passphrase_fd: int | None
    yes: bool
    factors: Sequence[Path] = ()


def run(order: Order) -> int:
    """Sign a filled form, once its signer has seen what it will tell whom."""

    def command() -> int:
        from exchange import attestation
        from exchange.cli.factors import background_of
        from exchange.form import MAX_FORM_BYTES, read_form
        from signer import join_presentation
        from signer.key_access import open_signer

        form, address, ledger = _given(order)
        target = order.out or form.with_suffix(SUFFIX)
        check_new(target)
        draft = attestation.draft(
            read_form(read_up_to(form, MAX_FORM_BYTES), form.name),
            kind=order.kind,
            random=secrets.token_bytes,
            background=background_of(order.factors),
        )
        signer = open_signer(address, lambda: passphrase(order.passphrase_fd))
        issuer = organisation_of(signer, address)
        attestation.check_issuer(draft, issuer)
        _preview(draft, issuer, ledger)
        if not order.yes and not confirmed("Sign this for your organisation?"):
            tell("not signed; nothing was written")
            return REJECTED
        now = datetime.now(UTC)
        issued = attestation.sign(draft, signer, issuer=issuer, audience=ledger, now=now, random=secrets.token_bytes)
        write_new(target, join_presentation(issued.token, issued.disclosures).encode("ascii"), mode=0o600)
        say(
            f"signed: {target} ({draft.name}; its {len(issued.disclosures)} disclosures are your data, keep them private)"
        )
        tell(f"submit it with: packtrace push {target} --server ADDRESS")
        return DONE

    return guarded(command)


def _given(order: Order) -> tuple[Path, str, str]:
    from exchange.errors import UsageError

    if order.file is None or order.key is None or not order.audience:
        remedy = "packtrace attest FILE --key file:PATH --audience LEDGER, or packtrace attest --template KIND"
        raise UsageError("form, key or ledger is missing", where="attest", remedy=remedy)
    return order.file, order.key, order.audience


def organisation_of(signer: Signer, address: str) -> str:
    """Return the organisation that the key is certified for, now. UsageError where it isn't."""
    from exchange.errors import UsageError
    from signer import read_leaf

    if not signer.certificate:
        remedy = "send the request (packtrace key csr) to the operator, and save the certificate beside the key as .crt"
        raise UsageError("the key has no certificate yet", where=address, remedy=remedy)
    leaf = read_leaf(signer.certificate)
    if not leaf.not_before <= datetime.now(UTC) <= leaf.not_after:
        what = f"the certificate is valid from {leaf.not_before:%Y-%m-%d} to {leaf.not_after:%Y-%m-%d} only"
        raise UsageError(what, where=address, remedy="ask the operator for another one")
    return leaf.organisation


def _preview(draft: Draft, issuer: str, audience: str) -> None:
    from exchange import attestation

    tell(shown(f"{draft.form.name}: {draft.name}, checked as the ledger will check it"))
    tell("open to everybody who reads the ledger, and nothing else:")
    for name, value in attestation.open_to_everybody(draft, issuer=issuer, audience=audience, now=datetime.now(UTC)):
        tell(shown(f"  {name}  {value}"))
    tell("hidden, unless you grant it; what a reader would see of each path:")
    for grant in attestation.grants(draft):
        tell(shown(f"  {grant.path}: {grant.shows}"))
    tell("  (everybody sees how many claims there may be, rounded up to 16, 32, ...;")
    tell("  a line's reader also that its list is there, and its length rounded up to 8, 16, ...)")
    for place in draft.unknown:
        tell(shown(f"  note: {place} is no name of this kind; it is signed as written. A typing mistake?"))
    for place in attestation.foreign_citations(draft, audience):
        tell(shown(f"  note: {place} cites another ledger; {audience} takes that from its named predecessor only"))
    if draft.form.blank:
        tell(f"  note: {len(draft.form.blank)} blank fields of the form are left out")
