"""What an evidence file holds, by name. Layout: docs/formats/evidence-file.md."""

from __future__ import annotations

import re

from exchange.report import Document, in_reading_order, lines_of_text

TRUST_SUGGESTION = "trust.json"
REPORT = "report.txt"
POLICY = "policy.json"
PLACES = re.compile(
    r"policy\.json|report\.txt|trust\.json|(rules|factors)/[^/]+\.json|results/[0-9a-f]{64}\.json"
    r"|entries/[0-9]{12}/(token|disclosures|proof)|checkpoints/[0-9]{12}/(consistency|note|timestamp)|attachments/[0-9a-f]{64}"
)


def entry_folder(index: int) -> str:
    """Return the folder of the entry at `index`."""
    return f"entries/{index:012d}"


def checkpoint_folder(size: int) -> str:
    """Return the folder of the stamped checkpoint of `size` entries."""
    return f"checkpoints/{size:012d}"


def report_text(results: list[Document]) -> str:
    """Return the report of `results`: the text that people read, by model and rule set."""
    return "\n\n".join("\n".join(lines_of_text(found)) for found in in_reading_order(results)) + "\n"
