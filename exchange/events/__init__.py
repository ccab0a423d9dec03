"""Events: what happened to an organisation, in its inbox, and delivered by signed webhooks and by mail."""

from exchange.events.addresses import TargetError
from exchange.events.catalogue import PING, TYPES
from exchange.events.channels import Channels
from exchange.events.cloudevents import cloudevent
from exchange.events.dispatcher import Dispatcher
from exchange.events.keys import OVERLAP, WebhookKeyRow, make_known, public_keys
from exchange.events.mail import MailServer
from exchange.events.outbox import Inbox, Page, emit
from exchange.events.retention import Retention
from exchange.events.subscriptions import Subscriptions
from exchange.events.tables import DeliveryRow, EventRow, SubscriptionRow
from exchange.events.webhooks import WebhookKey

__all__ = [
    "OVERLAP",
    "PING",
    "TYPES",
    "Channels",
    "DeliveryRow",
    "Dispatcher",
    "EventRow",
    "Inbox",
    "MailServer",
    "Page",
    "Retention",
    "SubscriptionRow",
    "Subscriptions",
    "TargetError",
    "WebhookKey",
    "WebhookKeyRow",
    "cloudevent",
    "emit",
    "make_known",
    "public_keys",
]
