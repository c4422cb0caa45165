"""What the relay asks of the device it serves; ``bootstrap`` hands it in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import msgspec

from mqtt_bridge.mailbox.rows import Mail
from mqtt_bridge.protocol.catalogue import Catalogue
from mqtt_bridge.protocol.messages import (
    Content,
    DeviceState,
    HardwareReport,
    Hello,
    KeyDirectory,
    Private,
    QuotaNeed,
    Status,
)


class OpenUnit(Protocol):
    """What the relay needs of a transaction."""

    @property
    def mail(self) -> Mail:
        """The mailbox's rows in the open transaction."""
        ...


U = TypeVar("U", bound=OpenUnit)
U_co = TypeVar("U_co", bound=OpenUnit, covariant=True)
U_contra = TypeVar("U_contra", bound=OpenUnit, contravariant=True)
T = TypeVar("T")


class InUnit(Protocol[U_co]):
    """Runs a function in one transaction."""

    def __call__(self, use_case: Callable[[U_co], T], /) -> T:
        """Return what ``use_case`` returned; whatever it raises undoes the transaction."""
        ...


class EdgeHandlers(Protocol[U_contra]):
    """What the device does with what arrived and what it says; each call is one transaction."""

    def hello(self, unit: U_contra, /) -> Hello:
        """Who we are, how far our outbox and inbox got, what we count."""
        ...

    def status(self, unit: U_contra, /) -> Status:
        """Telemetry for the console."""
        ...

    def hardware(self, unit: U_contra, /) -> HardwareReport | None:
        """How printer, scanners and the rest are; None where nothing was ever said of them."""
        ...

    def needs(self, unit: U_contra, /) -> tuple[QuotaNeed, ...]:
        """What the device would like to be granted; empty most of the time."""
        ...

    def missing_assets(self, unit: U_contra, /) -> tuple[str, ...]:
        """Names (sha256) of the catalogue's pictures that are not stored here."""
        ...

    def apply_state(self, unit: U_contra, state: DeviceState, /) -> object:
        """Merge grants and facts; begin a new incarnation where the cloud asks for it or remembers more of us than we do."""
        ...

    def went_back(self, unit: U_contra, inc: str, /) -> object:
        """The cloud knows another history of the incarnation ``inc``: begin a new one."""
        ...

    def apply_catalogue(self, unit: U_contra, catalogue: Catalogue, /) -> object:
        """Store a catalogue unless it is the one we have."""
        ...

    def apply_keys(self, unit: U_contra, keys: KeyDirectory, /) -> object:
        """Store the directory of devices and their public keys."""
        ...

    def apply_asset(self, unit: U_contra, sha256: str, media_type: str, body: bytes, /) -> object:
        """Store a picture; its content is what its name says."""
        ...

    def apply_message(self, unit: U_contra, content: Content, private: Private | None, /) -> object:
        """Apply a message of the cloud, once and in order, whose signature was verified."""
        ...

    def link_changed(self, unit: U_contra, up: bool, /) -> object:
        """Note whether the cloud answers."""
        ...


@dataclass(frozen=True)
class Names:
    """Who this device is and whose downlink it believes (``cloud_key``: 32 raw bytes, hex)."""

    org: str
    device: str
    cloud_key: str


class Health(msgspec.Struct, frozen=True):
    """What the relay knows of itself: ``answered`` means that the cloud, not just a broker, is there.

    ``failing`` names handlers whose last run raised, ``rejected`` counts messages that were dropped as not genuine or malformed.
    """

    connected: bool
    answered: bool
    reason: str
    failing: dict[str, str]
    rejected: int
    refused_by_broker: int
