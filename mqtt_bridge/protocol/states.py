"""What is told again and again: idempotent states, of which the newest wins, retained or sent when something changed."""

from __future__ import annotations

from typing import Literal

import msgspec

from mqtt_bridge.protocol.bodies import StockCount


class Ack(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Everything of incarnation ``inc`` up to and including ``upto`` is committed at the receiver.

    ``digest`` (``codec.digest``) is of the message with the number ``upto``, where the receiver knows it: a sender whose card
    went back in time uses numbers again, and must not take the ack of a message it forgot for that of another one.
    ``generation`` is the cloud's: what a cloud acknowledged that was lost since, its restored backup may not have.
    """

    inc: str
    upto: int
    digest: str = ""
    generation: int = 0


class QuotaNeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A device wants ``wanted`` more tickets of a quota; ``totals`` lets the cloud judge with current figures."""

    quota: str
    wanted: int
    stock: StockCount


Began = Literal["", "told", "went_back", "another_board"]


class Hello(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """First word after every connect: who I am, which life, how far I got, what I count.

    ``generation`` is that of the cloud which spoke last, ``earlier`` are past lives with messages still to be told: a cloud
    that was restored from a backup may have heard of neither. ``untold`` are the last numbers of all lives with messages still
    to be told. ``began`` tells why this life began, if not with a new database.
    """

    device: str
    venue: str
    inc: str
    last_seq: int
    kid: str
    public: str
    stock: tuple[StockCount, ...]
    downlink: Ack
    sent_at_ms: int
    generation: int = 0
    earlier: tuple[str, ...] = ()
    began: Began = ""
    untold: tuple[Ack, ...] = ()


class Status(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Telemetry every few seconds: never decides anything, shown on the console."""

    device: str
    venue: str
    inc: str
    unsynced: int
    oldest_unsynced_ms: int
    stock: tuple[StockCount, ...]
    clock_trusted: bool
    hardware: dict[str, str]
    sent_at_ms: int


class HardwareState(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A piece of hardware: ``state`` since ``since_ms`` (wall clock of the device), and why, in a sentence for a person."""

    name: str
    state: str
    reason: str
    since_ms: int


class HardwareReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """How the hardware of a device is, retained for whoever wants to know; decides nothing.

    ``as_of_ms`` is when its desk last said so: it stands still while the desk is dead, however young ``sent_at_ms`` is.
    """

    device: str
    venue: str
    hardware: tuple[HardwareState, ...]
    as_of_ms: int
    sent_at_ms: int


class Need(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Asked before a hold is refused; idempotent through the totals it carries."""

    device: str
    inc: str
    needs: tuple[QuotaNeed, ...]


class InLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False, array_like=True):
    """One place in a quota's waitlist as a device is told it: its own entry by ``number``, others' with number 0.

    ``reachable`` is false while that entry's device is cut off; see ``protocol.waitlist`` for ``rounds`` and ``passed``.
    """

    number: int
    quantity: int
    rounds: int = 0
    passed: int = 0
    reachable: bool = True


class Granted(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """The cloud's two totals of a quota for one device, plus what it knows of the rest of the stock.

    ``confirmed`` is for a restored cloud to read; a device learns it with each answer, so that it never knows the count of one
    that did not arrive. ``elsewhere`` is pool plus the unsold stock of all other devices: zero means sold out everywhere as of
    ``as_of_ms``. ``line`` is the waitlist from its head, ``longer`` how many more stand behind.
    """

    quota: str
    epoch: int
    granted: int
    confirmed: int
    elsewhere: int
    limit: int
    line: tuple[InLine, ...] = ()
    longer: int = 0


class DeviceState(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """Retained per device: cumulative grants and acknowledgement; replaying an old one is a no-op.

    ``revision`` grows with each publication. ``stop`` tells a device whose database went back in time to start a new
    incarnation before it sells again; ``inc`` is the incarnation the grants are for. ``sealed`` tells it that the operator
    closed it for good. A state of an older ``generation`` is that of a cloud which was replaced by its backup; ``heard`` is
    the latest generation that a hello of this device named: until it is the present one, the device says hello again. ``known``
    is how many messages of ``inc`` a cloud that was lost since had received, where that is more than the ``upto`` of this one.
    """

    device: str
    inc: str
    revision: int
    upto: int
    grants: tuple[Granted, ...]
    door: bool
    stop: bool
    as_of_ms: int
    sealed: bool = False
    generation: int = 0
    heard: int | None = None
    known: int = 0

    @property
    def written(self) -> int:
        """How many messages of ``inc`` its device must have written: one that remembers less went back in time."""
        return max(self.upto, self.known)


class DeviceKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A device, its venue, whether it is that venue's door, and one of its public keys (hex).

    A ``sealed`` device sells no more; what it signed stays good unless its key was ``revoked`` too. ``answered_by`` is the
    device that answers for its orders from then on.
    """

    device: str
    venue: str
    door: bool
    kid: str
    public: str
    revoked: bool = False
    sealed: bool = False
    answered_by: str = ""


class RevokedBadge(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A staff badge that opens nothing any more; ``badge`` says whose it was."""

    serial: str
    badge: str


class KeyDirectory(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Retained for everyone: all devices and public keys, signed by the cloud.

    ``badge_keys`` are the public keys (hex) that signed staff badges, ``revoked_badges`` those that were lost.
    """

    revision: int
    keys: tuple[DeviceKey, ...]
    badge_keys: tuple[str, ...] = ()
    revoked_badges: tuple[RevokedBadge, ...] = ()
