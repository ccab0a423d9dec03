"""Governance of factors: releases proposed, compared, reviewed, published and withdrawn; industry averages from verified footprints."""

from exchange.governance.admitting import GovernedKinds
from exchange.governance.editions import Averages, Footprints, ShownEdition
from exchange.governance.effect import Effects, Moved, Tally
from exchange.governance.proposals import FactorReleases, Proposal, Review, Shown
from exchange.governance.rules import Given, ReviewRules, Standing, load_review_rules, standing
from exchange.governance.tables import EditionRow, FactorRemarkRow, ProposalRow, ReviewRow

__all__ = [
    "Averages",
    "EditionRow",
    "Effects",
    "FactorReleases",
    "FactorRemarkRow",
    "Footprints",
    "Given",
    "GovernedKinds",
    "Moved",
    "Proposal",
    "ProposalRow",
    "Review",
    "ReviewRow",
    "ReviewRules",
    "Shown",
    "ShownEdition",
    "Standing",
    "Tally",
    "load_review_rules",
    "standing",
]
