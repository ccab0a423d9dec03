"""How the two sides of a request or mapping are told of each step: by an event, in the transaction of the step itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlmodel import Session

from exchange.events import emit


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a request or part mapping: ``created``, ``answered``, ``confirmed`` and so on."""

    of: Literal["request", "part"]
    identity: str
    step: str


def tell_of(session: Session, step: Step, recipient: str, at: datetime, random: Callable[[int], bytes]) -> None:
    """Tell one side about a step. Of the request or mapping the event says the id alone: who may see more looks it up."""
    emit(
        session,
        recipient=recipient,
        type=f"packtrace.{step.of}.{step.step}",
        subject=f"/api/v1/{step.of}s/{step.identity}",
        data={step.of: step.identity},
        at=at,
        random=random,
    )
