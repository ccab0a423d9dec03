"""Evidence files whole in memory, as tests take them apart and put them together."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from exchange.evidence_file import EvidenceFile
from exchange.evidence_file import write_evidence as write_to


def read_evidence(data: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The manifest and the members of an evidence file."""
    found = EvidenceFile(io.BytesIO(data))
    return found.manifest, dict(found)


def write_evidence(members: Mapping[str, bytes], about: Mapping[str, Any]) -> bytes:
    """The evidence file of `members`, in whatever order they come."""
    buffer = io.BytesIO()
    write_to(buffer, [], members, about)
    return buffer.getvalue()
