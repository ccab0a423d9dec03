"""The types of events, each with the sentence that tells people what happened. An event of another type is never written."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

PING: Final = "packtrace.subscription.ping"
GAVE_UP: Final = "packtrace.subscription.gave_up"

#: Type -> what happened, with neither figures nor names: the sentence goes out by unencrypted mail.
TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        PING: "You asked for an event to try a subscription.",
        GAVE_UP: "Events could not be delivered to one of your subscriptions for three days, and are no longer tried.",
        "packtrace.subscription.key_announced": "Webhooks are going to be signed with another key: take it up beside the present one.",
        "packtrace.organisation.applied": "An organisation applies to join.",
        "packtrace.organisation.approved": "Your organisation was approved.",
        "packtrace.organisation.declined": "Your organisation's application was declined.",
        "packtrace.key.enrolled": "A key was enrolled in your organisation's name.",
        "packtrace.key.revoked": "A key of your organisation was revoked.",
        "packtrace.role.granted": "Your organisation's roles have changed.",
        "packtrace.request.created": "A customer asks you for data.",
        "packtrace.request.accepted": "An answer to a data request of yours was announced.",
        "packtrace.request.passed_on": "A data request of yours was passed on to the next tier.",
        "packtrace.request.reminded": "A customer reminds you of a data request.",
        "packtrace.request.delegated": "A data request was passed on to you.",
        "packtrace.request.answered": "A data request of yours was answered.",
        "packtrace.request.declined": "A data request of yours was declined.",
        "packtrace.request.withdrawn": "A data request to you was withdrawn.",
        "packtrace.request.overdue": "A data request is past its deadline.",
        "packtrace.part.proposed": "It was proposed which of your parts or products is which of another organisation's.",
        "packtrace.part.confirmed": "A part mapping that you proposed was confirmed.",
        "packtrace.part.refused": "A part mapping that you proposed was refused.",
        "packtrace.part.ended": "A part mapping of yours was ended.",
        "packtrace.grant.created": "A grant was given: sight of data for you, or of yours.",
        "packtrace.grant.withdrawn": "A grant to you, by you or of your data was withdrawn.",
        "packtrace.grant.ended": "A grant to you, by you or of your data has ended on its last day.",
        "packtrace.result.done": "A calculation has ended.",
        "packtrace.result.failed": "A calculation has failed.",
        "packtrace.result.stale": "Something newer makes one of your results stale.",
        "packtrace.result.accepted": "A result was accepted.",
        "packtrace.footprint.drafted": "A footprint of yours is drafted and waits for your signature.",
        "packtrace.release.proposed": "A factor release was proposed for review.",
        "packtrace.release.reviewed": "A factor release that you proposed was reviewed.",
        "packtrace.release.answered": "Your remarks on a proposed factor release were answered.",
        "packtrace.release.published": "A factor release that you proposed or reviewed was published.",
        "packtrace.release.withdrawn": "A factor release that you proposed or reviewed was withdrawn.",
        "packtrace.conflict.opened": "Two statements contradict each other, one of them yours.",
        "packtrace.conflict.closed": "A contradiction that concerned a statement of yours is settled.",
        "packtrace.filing.submitted": "A filing waits for your verification.",
        "packtrace.filing.verified": "A filing of yours was verified.",
        "packtrace.filing.not_verified": "A filing of yours was not verified, and is back at its data.",
        "packtrace.filing.filed": "A model was filed.",
        "packtrace.filing.accepted": "A filing of yours was accepted.",
        "packtrace.filing.returned": "A filing of yours was returned with remarks.",
        "packtrace.filing.reopened": "A filing that you verify or verified was amended or withdrawn.",
        "packtrace.filing.declined": "The verifier of a filing of yours declined to verify it.",
        "packtrace.filing.revoked": "The verification of a filing was withdrawn by its verifier.",
        "packtrace.engagement.accepted": "A verifier accepted to verify a filing of yours.",
        "packtrace.engagement.ended": "A filing that you were to verify was amended or withdrawn.",
        "packtrace.finding.made": "A verifier has a finding that concerns data of yours.",
        "packtrace.finding.answered": "A finding of yours was answered.",
        "packtrace.finding.closed": "A finding that concerns data of yours was closed.",
        "packtrace.remark.made": "A review of a filing has a remark for you as a maintainer.",
        "packtrace.remark.answered": "A remark of a review of yours was answered.",
        "packtrace.erasure.done": "Disclosures of a statement of yours were erased.",
    }
)
