"""When a proposed factor release may be published: pure. The numbers are a file, `exchange/data/factor-review-1.json`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib import resources
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from exchange.kinds.review import Outcome, Relation

RULES_FILE: Final = "factor-review-1.json"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Unstated(_Frozen):
    """What the sources leave open, and what we assume."""

    what: str
    assumption: str


class EffectRules(_Frozen):
    """What is told of others' results that a proposal moves: nothing that holds for fewer than `least_groups` corporate groups.

    `groups_at_least` and `moves_at_least` (shares of the old figure): the steps in which that is told, from the least to the greatest.
    `proposals_told`: for so many proposals of a corporate group that follow one release, since each answer narrows down a little more.
    """

    least_groups: Annotated[int, Field(ge=2)]
    groups_at_least: tuple[Annotated[int, Field(ge=2)], ...]
    moves_at_least: tuple[Annotated[Decimal, Field(gt=0)], ...]
    proposals_told: Annotated[int, Field(ge=0)]


class ReviewRules(_Frozen):
    """So many reviews have to count (`panel`), so many of them to accept; declared conflicts in `disqualifying` keep one from counting."""

    format: Literal["urn:packtrace:factor-review-rules-file:1"]
    id: str
    version: str
    citation: str
    panel: Annotated[int, Field(ge=1)]
    accept: Annotated[int, Field(ge=1)]
    disqualifying: frozenset[Relation]
    effect: EffectRules
    unstated: tuple[Unstated, ...]

    @model_validator(mode="after")
    def _possible(self) -> ReviewRules:
        if self.accept > self.panel:
            raise ValueError("more have to accept than have to review")
        return self


def load_review_rules() -> ReviewRules:
    """Return the rules that ship with the package."""
    return ReviewRules.model_validate_json((resources.files("exchange") / "data" / RULES_FILE).read_bytes())


@dataclass(frozen=True, slots=True)
class Given:
    """A review by its entry: whose (organisation and group), its outcome, declared conflicts, remarks that wait for an answer."""

    index: int
    reviewer: str
    group: str
    outcome: Outcome
    conflicts: tuple[Relation, ...]
    unanswered: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """How a proposal stands: reviews that count, those that don't and why, and what is missing before it may be published."""

    counted: tuple[Given, ...]
    uncounted: tuple[tuple[Given, str], ...]
    missing: tuple[str, ...]


def standing(reviews: Sequence[Given], *, proposer_group: str, panel: int, accept: int, rules: ReviewRules) -> Standing:
    """Return how the reviews of a proposal stand; `panel` and `accept` are those that it asks for, at least the rules'."""
    counted: dict[str, Given] = {}
    uncounted: list[tuple[Given, str]] = []
    # A conflict that was declared once binds: a review without it would else wash it away.
    bound = {one.group: one for one in reviews if not rules.disqualifying.isdisjoint(one.conflicts)}
    for one in sorted(reviews, key=lambda given: given.index):
        if (why := _why_not(one, proposer_group, bound.get(one.group), rules)) is not None:
            uncounted.append((one, why))
            continue
        if (before := counted.pop(one.group, None)) is not None:
            uncounted.append((before, f"entry {one.index} of the same corporate group is newer"))
        counted[one.group] = one
    found = tuple(counted.values())
    accepting = sum(one.outcome == "accepted" for one in found)
    missing = []
    if len(found) < max(panel, rules.panel):
        missing.append(_more(max(panel, rules.panel), len(found), "count"))
    if accepting < max(accept, rules.accept):
        missing.append(_more(max(accept, rules.accept), accepting, "accept it"))
    if waiting := [f"{remark} of entry {one.index}" for one in found for remark in one.unanswered]:
        missing.append(f"answers to the remarks {', '.join(waiting)}")
    return Standing(found, tuple(uncounted), tuple(missing))


def _more(needed: int, there: int, what: str) -> str:
    return f"{needed - there} more of {needed} reviews that {what}: there are {there}"


def _why_not(one: Given, proposer_group: str, bound: Given | None, rules: ReviewRules) -> str | None:
    if one.group == proposer_group:
        return "the reviewer is the proposer or of its corporate group"
    if barred := sorted(rules.disqualifying.intersection(one.conflicts)):
        return f"a conflict of interest is declared: {', '.join(barred)}"
    if bound is not None:
        return f"entry {bound.index} of the same corporate group declares a conflict of interest"
    return None
