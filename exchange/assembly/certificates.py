"""Which certificates count towards what a site took from the grid: shown by a retirement, claimed once, and spread over the site-month.

A claim counts where the cited certificate-retirement is at hand and says the same; one that isn't shown is left out with a finding, so
that its kWh carry the grid's factor. Matched are all statements of the site that the reader holds: a plant can't put its certificates
into one statement and its grid power into another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

from bom_graph import (
    ActivityData,
    CertificateError,
    CertificateRetirement,
    Claimed,
    Finding,
    GridPurchase,
    Lines,
    Period,
    RuleSet,
    Sealed,
    Site,
    certified_shares,
    convert,
    meet,
    name_key,
    nation_of,
    nearly_same,
)
from exchange.evidence import Entry, Evidence

#: One market of certificates: guarantees of origin are transferred within the Association of Issuing Bodies.
_EUROPE = frozenset(
    [
        "AT",
        "BE",
        "BA",
        "BG",
        "CH",
        "CY",
        "CZ",
        "DE",
        "DK",
        "EE",
        "ES",
        "FI",
        "FR",
        "GR",
        "HR",
        "HU",
        "IE",
        "IS",
        "IT",
        "LT",
        "LU",
        "LV",
        "ME",
        "MT",
        "NL",
        "NO",
        "PL",
        "PT",
        "RO",
        "RS",
        "SE",
        "SI",
        "SK",
    ]
)
_ONCE = "count each certificate in one statement, for one site and month"


@dataclass
class Certified:
    """The certified share of each electricity line (by path, then generation type), the findings, and the entries it rests on."""

    shares: Mapping[str, Mapping[str, Fraction]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    used: list[Entry] = field(default_factory=list)


def match_certificates(evidence: Evidence, entry: Entry, record: ActivityData, rule_set: RuleSet) -> Certified:
    """Return what certificates the statement's grid electricity may count under `rule_set`."""
    result = Certified()
    if entry.statement.issuer not in evidence.certificate_claimants:
        return result
    site = _site_statements(evidence, entry, record)
    claims = [(one, path, line) for one, found in site for path, line in found.lines("certificates")]
    if not claims:
        return result
    if rule_set.electricity.certificates != "allowed":
        rejected = {"rejected": "doesn't count certificates", "not_covered": "says nothing of certificates"}
        what = f"rule set {rule_set.id} {rejected[rule_set.electricity.certificates]}: those claimed are not counted"
        own = [path for one, path, _ in claims if one is entry]
        result.findings += [
            Finding("certificates", "note", _place(entry, path), what, "nothing to do: the rule set asks for it")
            for path in own
        ]
        return result
    # All of the site's statements: whoever makes the result again has to meet the same.
    result.used += [one for one, _ in site]
    counted = [claim for claim in claims if _is_shown(evidence, claim, result)]
    _check_claimed_once(evidence, counted, result)
    assignable = rule_set.electricity.assignment
    try:
        shares = certified_shares(
            [purchase for one, found in site for purchase in _purchases(one, found)],
            [_claimed(one, path, line, assignable=assignable) for one, path, line in counted],
        )
    except CertificateError as error:
        result.findings.append(Finding("certificates", "hard", error.where, error.what, error.remedy, refuses=True))
        return result
    if counted:
        result.findings.append(_judged_from(evidence, entry, record, site, result))
        result.findings += _near_sites(evidence, entry, record, site, result)
    own_lines = {_place(entry, path): path for path, _ in record.lines("electricity")}
    result.shares = {own_lines[place]: found for place, found in shares.items() if place in own_lines}
    return result


@dataclass(frozen=True, slots=True)
class SiteMonth:
    """What a site's retired certificates of a month come to (kWh) against its grid purchases of that month, and what is wrong with it."""

    site: str
    month: str
    retired: Fraction
    bought: Fraction
    retirements: tuple[int, ...]
    wrong: CertificateError | None


def site_months(evidence: Evidence, issuer: str) -> list[SiteMonth]:
    """Return what `issuer` retired, by site and month, against what those sites took from the grid: by the rule of the calculation.

    Of retirements of one name the newest counts; purchases are those of the site's statements that count in a calculation.
    """
    newest: dict[str, tuple[Entry, CertificateRetirement]] = {}
    for entry, record in evidence.stated_by(issuer, CertificateRetirement):
        if record.is_whole:
            newest.setdefault(str(record.sub), (entry, record))
    found: dict[tuple[str, str], list[tuple[Entry, CertificateRetirement]]] = {}
    for entry, record in newest.values():
        if isinstance(record.site, Site):
            found.setdefault((name_key(record.site.name), str(record.month)), []).append((entry, record))
    return [_site_month(evidence, issuer, key, month, retired) for (key, month), retired in sorted(found.items())]


def _site_month(
    evidence: Evidence, issuer: str, key: str, month: str, retired: list[tuple[Entry, CertificateRetirement]]
) -> SiteMonth:
    stated = evidence.stated_by(issuer, ActivityData)
    newest = next(((one, found) for one, found in stated if found.is_whole and _site_name(found.site) == key), None)
    # Beside the newest: as a calculation over it would count them.
    counting = _site_statements(evidence, *newest) if newest is not None else []
    purchases = [purchase for pair in counting for purchase in _purchases(*pair)]
    claims = [_retired(entry, record, month) for entry, record in retired]
    wrong = None
    try:
        certified_shares(purchases, claims)
    except CertificateError as error:
        wrong = error
    in_month = [one.kwh for one in purchases if f"{one.start:%Y-%m}" == f"{one.end:%Y-%m}" == month]
    names = {record.site.name for _, record in retired if isinstance(record.site, Site)}
    return SiteMonth(
        min(names),
        month,
        sum((claim.kwh for claim in claims), Fraction(0)),
        sum(in_month, Fraction(0)),
        tuple(sorted(entry.index for entry, _ in retired)),
        wrong,
    )


def _retired(entry: Entry, record: CertificateRetirement, month: str) -> Claimed:
    energy: Any = record.energy
    return Claimed(_place(entry, "energy"), Fraction(energy.to("kWh", where="energy")), month, str(record.generation))


def _site_statements(evidence: Evidence, entry: Entry, record: ActivityData) -> list[tuple[Entry, ActivityData]]:
    """The statements of the entry's site that count, the entry's own among them."""
    site = _site_name(record.site)
    if site is None:
        return [(entry, record)]
    found = evidence.counting_near(entry, record, lambda other: _site_name(other.site) == site)
    # A restated month isn't a second month: of one product the newest counts, and beside the entry's own none of the same days.
    counting: list[tuple[Entry, ActivityData]] = [(entry, record)]
    for other, stated in reversed(found):
        if other is not entry and not any(
            meet(stated.period, one.period) and set(stated.products) & set(one.products) for _, one in counting
        ):
            counting.append((other, stated))
    return sorted(counting, key=lambda pair: pair[0].index)


def _judged_from(
    evidence: Evidence, entry: Entry, record: ActivityData, site: list[tuple[Entry, ActivityData]], result: Certified
) -> Finding:
    """Say which statements the certificates of the site are spread over: more of them would bear some of the certificates too."""
    at_hand = ", ".join(str(one.index) for one, _ in site)
    number = f"{len(site)} statement{'s' * (len(site) > 1)} at hand (entries {at_hand})"
    named = f" (sites named {record.site.name!r}, no other)" if isinstance(record.site, Site) else ""
    what = f"certificates are spread over the site's grid electricity{named} in {number}"
    if (unread := _unread(evidence, entry.statement.issuer, record)) is not None:
        result.used.append(unread)
        what += f"; entry {unread.index} isn't wholly disclosed and may hold more of it, which would lower the certified share"
    where = f"{getattr(record, 'sub', '')} (entry {entry.index})"
    return Finding("certificates", "note", where, what, "hold all statements of the site and month")


def _site_name(site: object) -> str | None:
    """What sites are told apart by: names that read the same are one."""
    return name_key(site.name) if isinstance(site, Site) else None


def _near_sites(
    evidence: Evidence, entry: Entry, record: ActivityData, site: list[tuple[Entry, ActivityData]], result: Certified
) -> Iterator[Finding]:
    """Yield what may be the same site under another name or another organisation: its grid electricity bears no certificate.

    Soft where it is the issuer's own and the names are nearly one; a note where another organisation's has the same name.
    """
    if not isinstance(record.site, Site):
        return
    own, where, remedy = record.site, _place(entry, "site"), "state one site by one name, or two by names that differ"

    def takes_power(other: ActivityData) -> bool:
        return (
            isinstance(other.site, Site)
            and other.site.country == own.country
            and meet(record.period, other.period)
            and any(line.supply == "grid" and line.amount for _, line in other.lines("electricity"))
        )

    def is_near(other: ActivityData) -> bool:
        return isinstance(other.site, Site) and nearly_same(own.name, other.site.name)

    counted = {one.index for one, _ in site}
    same_or_near = evidence.counting_near(
        entry, record, lambda one: _site_name(one.site) == _site_name(own) or is_near(one)
    )
    for other, stated in same_or_near:
        if other.index not in counted and is_near(stated) and takes_power(stated) and isinstance(stated.site, Site):
            result.used.append(other)
            what = f"site {stated.site.name!r} of entry {other.index} is nearly {own.name!r}: its grid electricity bears no certificate"
            yield Finding("certificates", "soft", where, what, remedy)
    for other, stated in evidence.by_site.get(name_key(own.name), ()):
        issuer = other.statement.issuer
        if issuer != entry.statement.issuer and takes_power(stated):
            result.used.append(other)
            what = (
                f"{issuer} has a site of the same name (entry {other.index}): its grid electricity bears no certificate"
            )
            yield Finding(
                "certificates", "note", where, what, "where it is one site, let one organisation state it whole"
            )


def _unread(evidence: Evidence, issuer: str, record: ActivityData) -> Entry | None:
    """Activity data of the issuer's that may be of the same site and days, of which this reader doesn't hold all."""
    site = _site_name(record.site)
    return next(
        (
            other
            for other, stated in evidence.partly_held(issuer, ActivityData)
            if meet(record.period, stated.period)
            and (isinstance(stated.site, Sealed) or _site_name(stated.site) == site)
        ),
        None,
    )


def _purchases(entry: Entry, record: ActivityData) -> Iterator[GridPurchase]:
    made = {output.product for output in record.outputs} if isinstance(record.outputs, Lines) else set()
    for path, line in record.lines("electricity"):
        period = line.period or record.period
        if line.supply == "grid" and isinstance(period, Period):
            kwh = Fraction(convert(line.amount, line.unit, "kWh", where=path))
            outputs = frozenset(line.for_outputs or made)
            yield GridPurchase(_place(entry, path), kwh, period.start, period.end, outputs)


def _claimed(entry: Entry, path: str, line: Any, *, assignable: bool) -> Claimed:
    kwh = Fraction(convert(line.amount, line.unit, "kWh", where=path))
    outputs = frozenset(line.for_outputs) if assignable and line.for_outputs else None
    return Claimed(_place(entry, path), kwh, line.month, line.generation, outputs)


def _is_shown(evidence: Evidence, claim: tuple[Entry, str, Any], result: Certified) -> bool:
    """Whether the claim's retirement is at hand and says the same; the findings otherwise."""
    entry, path, line = claim
    where = _place(entry, path)
    cited = evidence.cited(line.citation) if line.citation is not None else None
    result.used += [cited] if cited is not None else []
    shown = _as_corrected(evidence, cited)
    if shown is None:
        what = "no retirement of these certificates is at hand: they are not counted"
        remedy = "cite the certificate-retirement entry, and grant it with the statement"
        result.findings.append(Finding("certificates", "soft", where, what, remedy))
        return False
    retired, record = shown
    result.used.append(retired)
    stated: Any = entry.record
    site = stated.site.name if isinstance(stated.site, Site) else None
    pairs = {
        "month": (line.month, record.month),
        "generation": (line.generation, record.generation),
        "site": (site, record.site.name if isinstance(record.site, Site) else None),
        "holder": (entry.statement.issuer, retired.statement.issuer),
    }
    if _site_name(stated.site) == _site_name(record.site):
        del pairs["site"]
    differing = [f"{name} {claimed}, retired for {told}" for name, (claimed, told) in pairs.items() if claimed != told]
    if not differing and (apart := _other_market(stated.site, record.region)) is not None:
        remedy = "claim certificates of the site's own market, and state their region by its code: CN-NM"
        result.findings.append(Finding("certificates", "soft", where, f"{apart} (entry {retired.index})", remedy))
        return _nation(record.region) is None
    if differing:
        what = f"claimed is {'; '.join(differing)} (entry {retired.index})"
        remedy = "claim what was retired for this site and month"
        result.findings.append(Finding("certificates", "hard", where, what, remedy, refuses=True))
    return not differing


def _nation(region: object) -> str | None:
    """The nation's two letters of a region's code; None of other words."""
    found = nation_of(region) if isinstance(region, str) else None
    return found if found is not None and re.fullmatch("[A-Z]{2}", found) else None


def _other_market(site: object, region: object) -> str | None:
    """Say where certificates aren't of the site's market, or can't be told to be; else None."""
    if not isinstance(site, Site):
        return None
    nation = _nation(region)
    if nation is None:
        return f"whether region {region!r} of the certificates is of the site's country {site.country} isn't checked"
    if nation == site.country or {nation, site.country} <= _EUROPE:
        return None
    return f"the certificates are of {region}, the site is in {site.country}: they are not counted"


def _as_corrected(evidence: Evidence, cited: Entry | None) -> tuple[Entry, CertificateRetirement] | None:
    """The newest retirement of the cited one's name that is held whole; None where the cited one isn't, or all of them were taken back."""
    record = cited.record if cited is not None else None
    if not isinstance(record, CertificateRetirement) or not record.is_whole:
        return None
    named = evidence.about(str(record.sub), CertificateRetirement)
    return next(((entry, stated) for entry, stated in named if stated.is_whole), None)


def _check_claimed_once(evidence: Evidence, claims: list[tuple[Entry, str, Any]], result: Certified) -> None:
    """Find certificates that are claimed beyond what was retired, or that were retired twice."""
    claimed: dict[str, Decimal] = {}
    for entry, path, line in claims:
        shown = _as_corrected(evidence, evidence[line.citation.leaf_hash])
        if shown is None:
            continue
        retired, record = shown
        name = f"{retired.statement.issuer} {record.sub}"
        claimed[name] = claimed.get(name, Decimal(0)) + convert(line.amount, line.unit, "MWh", where=path)
        energy: Any = record.energy
        above = claimed[name] - energy.to("MWh", where="energy")
        where = _place(entry, path)
        if above > 0:
            what = f"{above.normalize():f} MWh more are claimed than entry {retired.index} retired: a certificate counts once"
            result.findings.append(Finding("certificates", "hard", where, what, _ONCE, refuses=True))
        for other in _retired_again(evidence, record):
            result.used.append(other)
            what = f"entries {retired.index} and {other.index} retire the same certificates of {record.registry}"
            result.findings.append(Finding("certificates", "hard", where, what, _ONCE, refuses=True))


def _retired_again(evidence: Evidence, record: CertificateRetirement) -> Iterator[Entry]:
    """The retirements under another name that hold a serial of this one; under its own name it is a correction."""
    spans = [line.span for line in record.serials] if isinstance(record.serials, Lines) else []
    newest: dict[object, tuple[Entry, CertificateRetirement]] = {}
    for other, stated in evidence.all_of(CertificateRetirement):
        newest.setdefault(stated.sub, (other, stated))
    for other, stated in newest.values():
        if stated.registry_key != record.registry_key or stated.sub == record.sub:
            continue
        others = [line.span for line in stated.serials] if isinstance(stated.serials, Lines) else []
        if any(a[0] == b[0] and a[1] <= b[2] and b[1] <= a[2] for a in spans for b in others):
            yield other


def _place(entry: Entry, path: str) -> str:
    return f"{getattr(entry.record, 'sub', '')} (entry {entry.index}) {path}"
