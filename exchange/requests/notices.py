"""How the two sides of a request or mapping are told of each step: in the transaction of the step itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from sqlmodel import Session


class Tell(Protocol):
    """Writes an event for `recipient` in the caller's transaction; `data` holds ids alone, never a figure or a third party's name."""

    def __call__(
        self,
        session: Session,
        *,
        recipient: str,
        type: str,  # noqa: A002 - CloudEvents' name
        subject: str,
        data: Mapping[str, str | int | Sequence[str]],
        at: datetime,
    ) -> object:
        """`type` is ``packtrace.request.<step>`` or ``packtrace.part.<step>``, `subject` the path of the request or mapping."""


def tell_nobody(
    session: Session,
    *,
    recipient: str,
    type: str,  # noqa: A002 - CloudEvents' name
    subject: str,
    data: Mapping[str, str | int | Sequence[str]],
    at: datetime,
) -> None:
    """Write no event: for an exchange without inboxes."""
    del session, recipient, type, subject, data, at


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a request or part mapping: ``created``, ``answered``, ``confirmed`` and so on."""

    of: Literal["request", "part"]
    identity: str
    step: str


def tell_of(tell: Tell, session: Session, step: Step, recipient: str, at: datetime) -> None:
    """Tell one side about a step."""
    name, subject = f"packtrace.{step.of}.{step.step}", f"/api/v1/{step.of}s/{step.identity}"
    tell(session, recipient=recipient, type=name, subject=subject, data={step.of: step.identity}, at=at)
