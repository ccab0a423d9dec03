"""The export for the designated platform: every figure of the result, and the digests that it rests on.

The platform's own template wasn't reached, so this is a format of ours (docs/filing.md), the same bytes for the same filing and result.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from exchange.filing.chain import Filing
from exchange.filing.duty import DutyRules
from exchange.filing.hidden import Told
from exchange.report import Document

FORMAT = "urn:packtrace:platform-export:1"


def platform_export(filing: Filing, told: Told, found: Document, rules: DutyRules) -> bytes:
    """Return the bytes of the export: JSON, sorted keys, UTF-8."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "duty": {"id": rules.id, "version": rules.version, "digest": rules.digest},
        "filing": filing.id,
        "filer": filing.filer,
        "model": {
            "product": told.product,
            "name": told.model,
            "variants": list(told.variants),
            "plant": told.plant,
            "country": told.country,
            "chemistry": told.chemistry,
            "chemistry_group": told.group,
            "rated_energy_kwh": told.rated_kwh,
        },
        "result": filing.result,
        **{
            name: found[name]
            for name in (
                "rule_set",
                "releases",
                "functional_unit",
                "denominator",
                "headline",
                "stages",
                "alternatives",
                "primary_data_share",
                "data_quality",
                "obtained_percent",
                "sealed",
                "findings",
                "assumptions",
                "unstated",
                "not_implemented",
                "snapshot",
                "inputs",
            )
        },
        "preparation_figure": "ours, until it is reconciled with the platform's own calculation",
    }
    return json.dumps(document, sort_keys=True, indent=1, ensure_ascii=False).encode() + b"\n"


def digest_of(data: bytes) -> str:
    """Return the hex SHA-256 of an export."""
    return hashlib.sha256(data).hexdigest()
