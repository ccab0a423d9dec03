"""Events: what happened to an organisation, in its inbox, and delivered by signed webhooks and by mail."""

from exchange.events.addresses import TargetError
from exchange.events.catalogue import PING, TYPES
from exchange.events.channels import Channels
from exchange.events.cloudevents import cloudevent
from exchange.events.dispatcher import Dispatcher
from exchange.events.mail import MailServer
from exchange.events.outbox import Inbox, Page, emit
from exchange.events.subscriptions import Subscriptions
from exchange.events.tables import DeliveryRow, EventRow, SubscriptionRow
from exchange.events.webhooks import WebhookKey

__all__ = [
    "PING",
    "TYPES",
    "Channels",
    "DeliveryRow",
    "Dispatcher",
    "EventRow",
    "Inbox",
    "MailServer",
    "Page",
    "SubscriptionRow",
    "Subscriptions",
    "TargetError",
    "WebhookKey",
    "cloudevent",
    "emit",
]
