"""The rows the reconciler works with, as values: fields are columns of the table of that name, see ``tables`` for their meaning.

A record is never changed in place: ``work.Sheet.change`` makes the next version, so that a step can be undone and a
transaction in memory is a copy of dictionaries. ``KEY`` names the primary key.
"""

from __future__ import annotations

from mqtt_bridge.cloud.records.base import Record
from mqtt_bridge.cloud.records.fleet import (
    OVERTAKEN_MS,
    SILENT_MS,
    Applied,
    Cloud,
    Device,
    Early,
    Key,
    Letter,
    Life,
    Member,
    Parked,
    StaffBadge,
    Stream,
    outage_columns,
)
from mqtt_bridge.cloud.records.office import Alarm, Conversion
from mqtt_bridge.cloud.records.programme import Asset, CatalogueVersion, SessionChange
from mqtt_bridge.cloud.records.proofs import Mail, Verification, VerificationWord, Word
from mqtt_bridge.cloud.records.sales import (
    CheckIn,
    Contradiction,
    Erasure,
    ErasureDevice,
    Order,
    Payment,
    Refund,
    Ticket,
)
from mqtt_bridge.cloud.records.stock import Asked, Entry, Line, Quota, Request, RequestWish, demand_columns

# Written in this order, so that transactions lock rows in one order and do not wait for each other in a circle.
KINDS: tuple[type[Record], ...] = (
    Cloud,
    CatalogueVersion,
    Asset,
    Device,
    Life,
    Key,
    StaffBadge,
    Quota,
    Line,
    Stream,
    Early,
    Applied,
    Order,
    Ticket,
    Payment,
    CheckIn,
    Request,
    Asked,
    RequestWish,
    Verification,
    VerificationWord,
    Mail,
    Parked,
    Entry,
    Letter,
    Alarm,
    Contradiction,
    Refund,
    SessionChange,
    Erasure,
    ErasureDevice,
    Member,
    Conversion,
)

__all__ = [
    "KINDS",
    "OVERTAKEN_MS",
    "SILENT_MS",
    "Alarm",
    "Applied",
    "Asked",
    "Asset",
    "CatalogueVersion",
    "CheckIn",
    "Cloud",
    "Contradiction",
    "Conversion",
    "Device",
    "Early",
    "Entry",
    "Erasure",
    "ErasureDevice",
    "Key",
    "Letter",
    "Life",
    "Line",
    "Mail",
    "Member",
    "Order",
    "Parked",
    "Payment",
    "Quota",
    "Record",
    "Refund",
    "Request",
    "RequestWish",
    "SessionChange",
    "StaffBadge",
    "Stream",
    "Ticket",
    "Verification",
    "VerificationWord",
    "Word",
    "demand_columns",
    "outage_columns",
]
