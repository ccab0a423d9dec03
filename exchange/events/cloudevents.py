"""An event as CloudEvents 1.0 in JSON, which webhooks and the inbox give out: docs/formats/events.md."""

from __future__ import annotations

import json
from datetime import UTC
from typing import Any
from urllib.parse import quote

from exchange.events.tables import EventRow

MEDIA_TYPE = "application/cloudevents+json"


def cloudevent(event: EventRow, source: str) -> dict[str, Any]:
    """Return the event's members; `source` is the exchange's name (its log's origin). `recipient` is an extension attribute of ours."""
    return {
        "specversion": "1.0",
        "id": event.id,
        "source": quote(source, safe="/:@!$&'()*+,;=~-._"),
        "type": event.type,
        "subject": event.subject,
        "time": event.time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "recipient": event.recipient,
        "data": json.loads(event.data),
    }
