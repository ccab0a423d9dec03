"""A review: what somebody whose judgement is asked for says about an entry or a file, with declared conflicts of interest.

One kind for all reviews: of a proposed factor release by experts, of a filing by the authority. Organisations review; no person appears.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import StringConstraints

from bom_graph import Citation, Line, Lines, ListOf, Maybe, Name, RecordError, Text, Uri
from exchange.kinds.filing import AnswerLine, FilingRecord, StepName

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$", strict=True)]
#: ``returned`` with remarks to be answered, ``rejected`` for good; ``answered`` is an answer to the remarks of an earlier review.
Outcome = Literal["accepted", "returned", "rejected", "answered"]
#: Whose answer a remark waits for.
Addressee = Literal["filer", "factor_maintainer", "rule_maintainer"]
#: What ties a reviewer to whom it reviews, or to who gains by it.
Relation = Literal["ownership", "employment", "authorship", "contract", "competition", "other"]


class Remark(Line):
    """A remark to whoever has to answer it; `about` names the row or line, `step` the step of a filing that it sends it back to."""

    to: Addressee
    text: Text
    about: Name | None = None
    step: StepName | None = None


class Conflict(Line):
    """A conflict of interest that the reviewer declares: how it is tied to `organisation`, and what a reader should know of it."""

    relation: Relation
    text: Text
    organisation: Uri | None = None


class Review(FilingRecord):
    """An outcome about `target` (an entry) or about the file with `digest` (SHA-256), or both.

    `conflicts` is always stated: an empty list declares that there are none. `sub` is what it is about, where that is a product.
    """

    required = frozenset({"outcome", "conflicts"})
    lists: ClassVar[Mapping[str, type[Line]]] = {"remarks": Remark, "conflicts": Conflict, "answers": AnswerLine}
    #: Claims that are citations by themselves.
    cites: ClassVar[frozenset[str]] = frozenset({"target"})

    target: Maybe[Citation] = None
    digest: Maybe[Digest] = None
    outcome: Maybe[Outcome] = None
    remarks: ListOf = None
    conflicts: ListOf = None
    answers: ListOf = None
    reason: Maybe[Text] = None

    def check(self) -> None:
        """It is about something; what is returned or rejected says why."""
        if self.target is None and self.digest is None:
            what, remedy = "it isn't said what is reviewed", "cite the entry as `target`, or state the file's `digest`"
            raise RecordError(what, where="target", remedy=remedy)
        remarks = self.remarks
        has_none = remarks is None or (isinstance(remarks, Lines) and remarks.complete and not remarks.items)
        if self.outcome in {"returned", "rejected"} and has_none and self.reason is None:
            what, remedy = f"nothing says why it is {self.outcome}", "state remarks or a reason"
            raise RecordError(what, where="remarks", remedy=remedy)
