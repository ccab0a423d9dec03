"""The rules of verification engagements as data, and which opinion they allow. Pure.

What the standards and the notice were not read to say stands in the file as `unstated`, with our assumption, told with every engagement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from bom_graph import Amount, Misstatement, read_json, rule_set_ids
from exchange.errors import EngagementError
from exchange.kinds import Accreditation
from exchange.kinds.engagement import Risk, Severity
from exchange.kinds.filing import Opinion


class _Rules(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Assumption(_Rules):
    """What no source that was reached states, and what is assumed here."""

    id: str
    what: str
    assumption: str


class VerificationRules(_Rules):
    """Defaults and limits of engagements; percentages are of the result's total."""

    format: Literal["urn:packtrace:verification-rules:1"]
    id: str
    version: str
    source: str
    materiality_percent: Amount
    most_materiality_percent: Amount
    longest_validity_days: Annotated[int, Field(gt=0)]
    counts_by_risk: dict[Risk, Annotated[int, Field(gt=0)]]
    most_unseen_percent: Amount
    certain_percent: Amount
    per_stratum: Annotated[int, Field(gt=0)]
    opinions: dict[Opinion, str]
    unstated: tuple[Assumption, ...]


@cache
def load_rules() -> VerificationRules:
    """Return the rules that ship with the package."""
    return VerificationRules.model_validate(
        read_json((resources.files("exchange") / "data" / "verification-1.json").read_bytes())
    )


@dataclass(frozen=True, slots=True)
class Weighed:
    """What an opinion rests on: misstatements, the share of the total that nobody could look at (0 to 1), and what findings stand."""

    misstatement: Misstatement
    unseen_share: Decimal
    materiality_share: Decimal
    standing: frozenset[Severity]


def check_named(accreditations: Iterable[Accreditation], group_of: Callable[[str], str]) -> None:
    """Check that accreditations name what there is: rule sets, and chemistry groups by their ids. Raises EngagementError.

    `group_of`: the group that a chemistry is of; one that isn't listed is a group of its own, so that its name can't be told from a slip.
    """
    for number, one in enumerate(accreditations):
        where = f"accreditations/{number}"
        if unknown := sorted(set(one.rule_sets) - set(rule_set_ids())):
            raise EngagementError(
                f"there is no rule set {unknown[0]}",
                where=f"{where}/rule_sets",
                remedy=f"name some of {', '.join(rule_set_ids())}",
            )
        for group in one.chemistry_groups:
            if (found := group_of(group)) != group:
                raise EngagementError(
                    f"{group} is no chemistry group, but of the group {found}",
                    where=f"{where}/chemistry_groups",
                    remedy=f"name {found}",
                )


def objections(opinion: Opinion, weighed: Weighed, rules: VerificationRules, *, has_basis: bool) -> Iterator[str]:
    """Yield why an opinion isn't allowed; nothing where it is."""
    found, standing = weighed.misstatement, weighed.standing
    limited = weighed.unseen_share > weighed.materiality_share
    misstated = found.net_is_material or found.absolute_is_material or "critical" in standing
    half = rules.most_unseen_percent
    against: Mapping[Opinion, Sequence[tuple[bool, str]]] = {
        "unmodified": (
            (found.net_is_material, "the net misstatement is above materiality"),
            ("critical" in standing, "a critical finding stands"),
            ("major" in standing, "a major finding stands"),
            (limited, "more of the total than is material couldn't be looked at"),
            (
                found.absolute_is_material and not has_basis,
                "the absolute misstatement is above materiality, and no basis says why that doesn't matter",
            ),
        ),
        "modified": (
            (found.net_is_material, "the net misstatement is above materiality"),
            ("critical" in standing, "a critical finding stands"),
            (100 * weighed.unseen_share > half, f"more than {half} % of the total couldn't be looked at"),
            (not has_basis, "no basis says what is qualified"),
        ),
        "adverse": ((not misstated, "no misstatement is above materiality, and no critical finding stands"),),
        "disclaimed": ((not limited, "what couldn't be looked at is within materiality"),),
    }
    return (text for holds, text in against[opinion] if holds)


def allowed(weighed: Weighed, rules: VerificationRules) -> Mapping[Opinion, tuple[str, ...]]:
    """Return each opinion with what speaks against it, given a basis; an opinion with nothing against it can be stated."""
    return {opinion: tuple(objections(opinion, weighed, rules, has_basis=True)) for opinion in rules.opinions}
