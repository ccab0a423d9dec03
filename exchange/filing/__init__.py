"""Filing: who is obliged, how far it has come, and the steps from registration to review, each a signed statement."""

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
from exchange.filing.reconciling import Compared, open_differences, reconcile
from exchange.filing.steps import advance, compare_with, next_steps, remark_id, step_of

__all__ = [
    "DUTY",
    "FILED",
    "HELD",
    "ORDER",
    "STEPS",
    "Compared",
    "Coverage",
    "DataFacts",
    "Duty",
    "DutyRules",
    "Facts",
    "Filing",
    "Link",
    "Model",
    "ModelFacts",
    "ResultFacts",
    "Signed",
    "State",
    "Step",
    "advance",
    "compare_with",
    "coverage",
    "duty_of",
    "load_duty",
    "next_steps",
    "open_differences",
    "reconcile",
    "remark_id",
    "step_of",
]
