"""What an evidence file holds, by name. Layout: docs/formats/evidence-file.md."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from exchange.report import Document, lines_of_text, reading_place

TRUST_SUGGESTION = "trust.json"
REPORT = "report.txt"
POLICY = "policy.json"
ATTACHMENTS = "attachments"
#: The files of one timestamp.
STAMP = ("consistency", "text", "timestamp")
PLACES = re.compile(
    r"policy\.json|report\.txt|trust\.json|(rules|factors)/[^/]+\.json|results/[0-9a-f]{64}\.json"
    r"|entries/[0-9]{12}/(token|disclosures|proof)|timestamps/[0-9]{6}/(consistency|text|timestamp)|attachments/[0-9a-f]{64}"
)


def entry_folder(index: int) -> str:
    """Return the folder of the entry at `index`."""
    return f"entries/{index:012d}"


def timestamp_folder(number: int) -> str:
    """Return the folder of a timestamp, by its place in the order of size and time."""
    return f"timestamps/{number:06d}"


@dataclass(frozen=True, order=True, slots=True)
class ReportPart:
    """What the report says of one result, and where it stands in the order of reading."""

    place: tuple[str, str, str]
    text: str

    @classmethod
    def of(cls, name: str, found: Document) -> Self:
        """Return the part of the result document `found`, whose digest is `name`."""
        return cls(reading_place(name, found), "\n".join(lines_of_text(found)))


def report_text(parts: Iterable[ReportPart]) -> str:
    """Return the report of these results: the text that people read, by model and rule set."""
    return "\n\n".join(part.text for part in sorted(parts)) + "\n"
