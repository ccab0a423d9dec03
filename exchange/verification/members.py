"""What an evidence file holds, by name. Layout: docs/formats/evidence-file.md."""

from __future__ import annotations

import re
from collections.abc import Mapping

from exchange.report import Document, in_reading_order, lines_of_text

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


def report_text(results: Mapping[str, Document]) -> str:
    """Return the report of `results`, each under its digest: the text that people read, by model and rule set."""
    return "\n\n".join("\n".join(lines_of_text(found)) for found in in_reading_order(results).values()) + "\n"
