"""Filing: who is obliged, how far it has come, and the steps from registration to review, each a signed statement."""

from exchange.filing.authority import Authority, summary_text
from exchange.filing.chain import (
    HELD,
    ORDER,
    STEPS,
    DataFacts,
    Facts,
    Filing,
    Link,
    ModelFacts,
    ResultFacts,
    Signed,
    State,
    Step,
)
from exchange.filing.duty import DUTY, FILED, Coverage, Duty, DutyRules, Model, coverage, duty_of, load_duty
from exchange.filing.publishing import LIFE, Publications
from exchange.filing.reading import Filings
from exchange.filing.reconciling import Compared, open_differences, reconcile
from exchange.filing.steps import advance, compare_with, next_steps, remark_id, step_of
from exchange.filing.stored import HELD_FOR, Stored, is_filed
from exchange.filing.tables import FilingRemarkRow, FilingRow, FilingStepRow, ModelRow, PublicationRow
from exchange.filing.taking import Taking, forget_models
from exchange.filing.verified import FLOW, VerifiedFootprints

__all__ = [
    "DUTY",
    "FILED",
    "FLOW",
    "HELD",
    "HELD_FOR",
    "LIFE",
    "ORDER",
    "STEPS",
    "Authority",
    "Compared",
    "Coverage",
    "DataFacts",
    "Duty",
    "DutyRules",
    "Facts",
    "Filing",
    "FilingRemarkRow",
    "FilingRow",
    "FilingStepRow",
    "Filings",
    "Link",
    "Model",
    "ModelFacts",
    "ModelRow",
    "PublicationRow",
    "Publications",
    "ResultFacts",
    "Signed",
    "State",
    "Step",
    "Stored",
    "Taking",
    "VerifiedFootprints",
    "advance",
    "compare_with",
    "coverage",
    "duty_of",
    "forget_models",
    "is_filed",
    "load_duty",
    "next_steps",
    "open_differences",
    "reconcile",
    "remark_id",
    "step_of",
    "summary_text",
]
