"""Verification engagements: from a filer's asking to a reviewed opinion on its result, each step a signed statement."""

from exchange.engagement.chain import (
    AT_WORK,
    STEPS,
    Engagement,
    Examined,
    Facts,
    Finding,
    Lines,
    Party,
    Plan,
    State,
    Terms,
)
from exchange.engagement.known import Known, recalculated, side_by_side
from exchange.engagement.reading import Engagements, Sight
from exchange.engagement.rules import VerificationRules, Weighed, allowed, check_named, load_rules, objections
from exchange.engagement.steps import (
    advance,
    conclude,
    concluding_claims,
    ended,
    percentages,
    sample_of,
    weigh,
    withdrawn,
)
from exchange.engagement.tables import EngagementRow, EngagementStepRow, FindingRow, SightRow
from exchange.engagement.taking import Taking, forget_engagements

__all__ = [
    "AT_WORK",
    "STEPS",
    "Engagement",
    "EngagementRow",
    "EngagementStepRow",
    "Engagements",
    "Examined",
    "Facts",
    "Finding",
    "FindingRow",
    "Known",
    "Lines",
    "Party",
    "Plan",
    "Sight",
    "SightRow",
    "State",
    "Taking",
    "Terms",
    "VerificationRules",
    "Weighed",
    "advance",
    "allowed",
    "check_named",
    "conclude",
    "concluding_claims",
    "ended",
    "forget_engagements",
    "load_rules",
    "objections",
    "percentages",
    "recalculated",
    "sample_of",
    "side_by_side",
    "weigh",
    "withdrawn",
]
