"""When reviews suffice: random reviewers in random orders."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.governance import Given, load_review_rules, standing
from exchange.kinds.review import Outcome, Relation

RULES = load_review_rules()
outcomes: st.SearchStrategy[Outcome] = st.sampled_from(get_args(Outcome)[:3])
ties: st.SearchStrategy[tuple[Relation, ...]] = st.lists(st.sampled_from(get_args(Relation)), max_size=2).map(tuple)


@st.composite
def given_reviews(draw: st.DrawFn) -> list[Given]:
    count = draw(st.integers(0, 8))
    groups = [draw(st.sampled_from(["proposer", "a", "b", "c", "d"])) for _ in range(count)]
    return [
        Given(
            n,
            f"https://{group}-{draw(st.integers(0, 1))}.example",
            group,
            draw(outcomes),
            draw(ties),
            draw(st.sampled_from([(), ("r",)])),
        )
        for n, group in enumerate(groups)
    ]


@given(given_reviews(), st.randoms(use_true_random=False), st.integers(0, 4), st.integers(0, 4))
def test_enough_is_enough_of_independent_groups_and_nothing_else(
    reviews: list[Given], random: object, panel: int, accept: int
) -> None:
    shuffled = list(reviews)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    found = standing(shuffled, proposer_group="proposer", panel=panel, accept=accept, rules=RULES)
    # Counted anew, group by group.
    newest: dict[str, Given] = {}
    for one in reviews:
        tied = any(other.group == one.group and RULES.disqualifying & set(other.conflicts) for other in reviews)
        if one.group != "proposer" and not tied:
            newest[one.group] = one
    enough = len(newest) >= max(panel, RULES.panel)
    agreed = sum(one.outcome == "accepted" for one in newest.values()) >= max(accept, RULES.accept)
    answered = not any(one.unanswered for one in newest.values())
    assert (found.missing == ()) == (enough and agreed and answered)
    assert {one.index for one in found.counted} == {one.index for one in newest.values()}
    assert len(found.counted) + len(found.uncounted) == len(reviews)
    assert all(why for _one, why in found.uncounted)


@given(given_reviews())
def test_the_proposers_own_reviews_move_nothing(reviews: list[Given]) -> None:
    others = [one for one in reviews if one.group != "proposer"]
    own = [replace(others[0], index=99, group="proposer")] if others else []
    with_own, without = (
        standing(some, proposer_group="proposer", panel=0, accept=0, rules=RULES) for some in ([*others, *own], others)
    )
    assert (with_own.missing, with_own.counted) == (without.missing, without.counted)


@pytest.mark.parametrize("first", [0, 1])
def test_a_declared_conflict_isnt_washed_away_by_a_review_without_it(first: int) -> None:
    """Neither by a newer one, nor does an older one count, nor one of its corporate group."""
    tied = Given(first, "https://a.example", "a", "accepted", ("authorship",))
    clean = Given(1 - first, "https://a-2.example", "a", "accepted", ())
    found = standing([tied, clean], proposer_group="proposer", panel=0, accept=0, rules=RULES)
    assert found.counted == ()
    assert dict(found.uncounted)[clean] == f"entry {first} of the same corporate group declares a conflict of interest"


def test_every_assumption_of_the_rules_is_stated() -> None:
    assert RULES.citation
    assert all(one.assumption for one in RULES.unstated)
    assert 1 <= RULES.accept <= RULES.panel
