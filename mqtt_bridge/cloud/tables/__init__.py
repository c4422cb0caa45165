"""Tables of the cloud. Mailbox tables come from ``mqtt_bridge.mailbox`` and share the database.

The pool of a quota is nowhere stored: it is ``limit + extra - sum(granted - returned + confirmed)`` over its allocations.
Times are the cloud's wall clock in ms unless the column says whose they are; no time ever moves stock.
"""

from mqtt_bridge.cloud.tables.base import metadata
from mqtt_bridge.cloud.tables.fleet import (
    applied,
    certificate,
    cloud,
    device,
    device_key,
    enrolment,
    incarnation,
    letter,
    member,
    parked,
    staff_badge,
)
from mqtt_bridge.cloud.tables.office import alarm, audit, conversion, ended_sign_in, operator_token, rate
from mqtt_bridge.cloud.tables.programme import asset, catalogue, paper_change, session_change
from mqtt_bridge.cloud.tables.proofs import mail, standing, verification, verification_word, verifier_job
from mqtt_bridge.cloud.tables.sales import (
    check_in,
    contradiction,
    erasure,
    erasure_device,
    order,
    payment,
    refund,
    remedy_rule,
    ticket,
)
from mqtt_bridge.cloud.tables.stock import allocation, asked, quota, request, request_wish, sample, waitlist

__all__ = [
    "alarm",
    "allocation",
    "applied",
    "asked",
    "asset",
    "audit",
    "catalogue",
    "certificate",
    "check_in",
    "cloud",
    "contradiction",
    "conversion",
    "device",
    "device_key",
    "ended_sign_in",
    "enrolment",
    "erasure",
    "erasure_device",
    "incarnation",
    "letter",
    "mail",
    "member",
    "metadata",
    "operator_token",
    "order",
    "paper_change",
    "parked",
    "payment",
    "quota",
    "rate",
    "refund",
    "remedy_rule",
    "request",
    "request_wish",
    "sample",
    "session_change",
    "staff_badge",
    "standing",
    "ticket",
    "verification",
    "verification_word",
    "verifier_job",
    "waitlist",
]
