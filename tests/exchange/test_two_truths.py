"""An issuer that hides two truths in one entry, to show the exchange one and a verifier the other: only one of them ever counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pytest

from exchange.assembly import Demand, RefusedError
from exchange.kinds import ACTIVITY_DATA, PRODUCT_FOOTPRINT, Kind
from exchange.verification import verify_evidence
from signer import ContentsMismatchError, Issued, digest_of, new_jti
from signer.base64url import decode
from tests.exchange.dossier import EVERBATT, LITHIUM, SALT, Dossier, one_row_release, salt_claims
from tests.exchange.three import EVERBATT as RULES
from tests.signer.world import Forger, name_of
from tests.simulator import ORIGIN

Claims = Mapping[str, Any]


class Truth(NamedTuple):
    """A statement's disclosures: `contents` and claims, lines, and lines that stand in a list where decoys would."""

    named: list[str]
    lines: list[str]
    beside: list[str]


@pytest.fixture
def dossier() -> Dossier:
    made = Dossier(release=one_row_release())
    made.simulator.join(LITHIUM, "supplier")
    return made


@pytest.fixture
def issuer(dossier: Dossier) -> Forger:
    return Forger(dossier.simulator.key(LITHIUM))


def truth(issuer: Forger, kind: Kind, claims: Claims, beside: Claims | None = None) -> Truth:
    named: list[str] = []
    lines: list[str] = []
    others: list[str] = []
    places: dict[str, list[int]] = {}
    for name, value in claims.items():
        hidden = value
        if name in kind.profile.lists:
            own, rivals = (
                [issuer.disclosure({"id": str(n), **one}) for n, one in enumerate(given)]
                for given in (value, (beside or {}).get(name, ()))
            )
            hidden = issuer.slots(*own, *rivals)
            real = {digest_of(line) for line in own}
            places[name] = [place for place, slot in enumerate(hidden) if slot["..."] in real]
            lines, others = [*lines, *own], [*others, *rivals]
        named.append(issuer.disclosure(name, hidden))
    return Truth([issuer.contents(*named, lists=places), *named], lines, others)


def sign(dossier: Dossier, issuer: Forger, kind: Kind, *truths: Truth) -> str:
    """A token with the digests of all these truths, committed to the first."""
    simulator = dossier.simulator
    now = int(simulator.now.timestamp())
    payload = issuer.payload(
        iss=LITHIUM,
        aud=ORIGIN,
        jti=new_jti(simulator.now, simulator.random),
        iat=now,
        vct=kind.vct,
        _sd=issuer.digests(32, *(one for each in truths for one in each.named)),
        contents_digest=digest_of(truths[0].named[0]),
    )
    return issuer.token(payload)


def admit(dossier: Dossier, token: str, shown: Sequence[str]) -> None:
    simulator = dossier.simulator
    entry = simulator.admission.admit(len(simulator.entries), token, tuple(shown), at=simulator.now)
    simulator.entries.append(entry)
    simulator.issued.append(Issued(token, tuple(shown)))


def refused(dossier: Dossier, token: str, shown: Sequence[str], told: Sequence[str]) -> str | None:
    """What the verdict says to the evidence of an entry that was admitted as `shown`, once the file tells something else."""
    admit(dossier, token, shown)
    result = dossier.compute(Demand(SALT), EVERBATT)
    assert verify_evidence(dossier.file([result]), dossier.trust()).code == "verified"
    with pytest.raises(ContentsMismatchError):
        dossier.simulator.admission.reread(len(dossier.simulator.entries) - 1, token, told)
    dossier.simulator.issued[-1] = Issued(token, tuple(told))
    verdict = verify_evidence(dossier.file([result]), dossier.trust())
    assert verdict.code == "rejected"
    return verdict.text


def test_the_other_of_two_sets_of_claims_is_refused(dossier: Dossier, issuer: Forger) -> None:
    one, other = (truth(issuer, ACTIVITY_DATA, salt_claims(copper=kg)) for kg in ("50", "0.5"))
    token = sign(dossier, issuer, ACTIVITY_DATA, one, other)
    text = refused(dossier, token, [*one.named, *one.lines], [*other.named, *other.lines])
    assert "contents_digest" in str(text)


def test_a_line_that_stands_for_a_decoy_is_refused(dossier: Dossier, issuer: Forger) -> None:
    claims, less = salt_claims(copper="50"), salt_claims(copper="0.5")
    one = truth(issuer, ACTIVITY_DATA, claims, {"inputs": less["inputs"]})
    token = sign(dossier, issuer, ACTIVITY_DATA, one)
    lines = [line for line in one.lines if b"copper" not in decode(line, "line")]
    text = refused(dossier, token, [*one.named, *one.lines], [*one.named, *lines, *one.beside])
    assert "a disclosed line is not one that is named" in str(text)


def test_nothing_is_calculated_from_a_footprint_without_its_contents(dossier: Dossier, issuer: Forger) -> None:
    """Else its issuer would show one total to the exchange and another in evidence: with no contents both verify."""
    claims: dict[str, Any] = {
        "sub": SALT,
        "rule_set": {"id": RULES.id, "version": RULES.version, "digest": RULES.digest},
        "declared_unit": {"amount": "1", "unit": "kg", "obtained": "calculated"},
        "complete": True,
        "obtained": "calculated",
    }
    one, other = (
        truth(
            issuer,
            PRODUCT_FOOTPRINT,
            {**claims, "total": total, "stages": [{"stage": "material_acquisition", "kg_co2e": total}]},
        )
        for total in ("50", "0.5")
    )
    token = sign(dossier, issuer, PRODUCT_FOOTPRINT, one, other)
    admit(dossier, token, [*one.named, *one.lines])
    assert dossier.compute(Demand(SALT), EVERBATT)["headline"]["printed"].startswith("50")
    for shown in (one, other):
        told = [text for text in shown.named if name_of(text) != "contents"]
        entry = dossier.simulator.admission.reread(len(dossier.simulator.entries) - 1, token, told)
        assert getattr(entry.record, "total", None) is not None
        dossier.simulator.issued[-1] = Issued(token, tuple(told))
        with pytest.raises(RefusedError, match=rf"entry {entry.index} is disclosed without its contents"):
            dossier.compute(Demand(SALT), EVERBATT)
