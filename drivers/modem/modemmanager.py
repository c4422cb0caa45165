"""`modemmanager://` or `modemmanager://<IMEI>`: a modem that ModemManager looks after, over D-Bus.

ModemManager opens the ports, survives unplugging and speaks each maker's dialect. Objects come and go with the stick, so
the modem is looked up anew, by its IMEI or as the only one that can send messages.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jeepney import DBusAddress

from drivers.errors import BadDeviceUrl, DeviceError, DeviceUnavailable
from drivers.health import Health, HealthRecord, State
from drivers.modem.api import SEND_S, ModemStatus, NotSent, PerhapsSent, Sent, Sim, SimTrouble, check_message
from drivers.modem.bus import Bus, BusError
from drivers.modem.causes import message_error
from drivers.modem.pin import SimPin
from drivers.modem.words import judge
from drivers.url import DeviceUrl

ASK_S = 5.0
# ModemManager answers when it has looked how the card is afterwards.
_UNLOCK_S = 20.0
SERVICE = "org.freedesktop.ModemManager1"
_ROOT = "/org/freedesktop/ModemManager1"
_ERROR = f"{SERVICE}.Error."
_VALID_MINUTES = 24 * 60
_RELATIVE = 1
# MMModemState, MMModemLock, MMModemStateFailedReason, MMModem3gppRegistrationState, MMSmsState.
_FAILED, _LOCKED, _DISABLED, _REGISTERED = -1, 2, 3, 8
_SIM_PIN, _SIM_PUK = 2, 4
_LOCKS = {_SIM_PIN: Sim.PIN, _SIM_PUK: Sim.PUK}
# libmm-glib's MM_UNLOCK_RETRIES_UNKNOWN.
_TRIES_UNKNOWN = 999
_SIM_MISSING = 2
_IN_A_NETWORK = frozenset({1, 5, 6, 7, 9, 10})
_SMS_SENT = 5
_CAUSES = {
    "MeFailure": 300,
    "SmsServiceReserved": 301,
    "NotAllowed": 302,
    "NotSupported": 303,
    "InvalidPduParameter": 304,
    "InvalidTextParameter": 305,
    "SimNotInserted": 310,
    "SimPin": 311,
    "PhSimPin": 312,
    "SimFailure": 313,
    "SimBusy": 314,
    "SimWrong": 315,
    "SimPuk": 316,
    "MemoryFailure": 320,
    "MemoryFull": 322,
    "SmscAddressUnknown": 330,
    "NoNetwork": 331,
    "NetworkTimeout": 332,
}
_NEVER_TRIED = frozenset(
    {f"{_ERROR}Core.{each}" for each in ("Unauthorized", "WrongState", "Unsupported", "InvalidArgs", "InProgress", "Retry")}
    | {f"org.freedesktop.DBus.Error.{each}" for each in ("AccessDenied", "UnknownObject", "UnknownMethod", "ServiceUnknown")}
)  # fmt: skip
_WRONG_PIN = frozenset(f"{_ERROR}MobileEquipment.{each}" for each in ("IncorrectPassword", "SimPuk"))
_SIM_BUSY = f"{_ERROR}MobileEquipment.SimBusy"


def from_url(url: DeviceUrl) -> ManagedModem:
    """The modem behind the address; options: pin_file (the SIM card's PIN), bus (another D-Bus address), timeout (seconds)."""
    url.check_options({"pin_file", "bus", "timeout"})
    if url.path or (url.host and not url.host.isdigit()):
        raise BadDeviceUrl(f"{url.text!r} must look like modemmanager:// or modemmanager://356938035643809.")
    pin_file = url.text_option("pin_file", "")
    ask_s = url.number("timeout", ASK_S, low=0.05, high=60)
    return ManagedModem(url.host, Path(pin_file) if pin_file else None, url.text_option("bus", "SYSTEM"), ask_s)


class ManagedModem:
    """A modem by its IMEI ('' takes the first that can send messages); `ask_s` bounds every call but the sending."""

    def __init__(
        self, imei: str = "", pin_file: Path | None = None, address: str = "SYSTEM", ask_s: float = ASK_S
    ) -> None:
        self._imei = imei
        self._pin = None if pin_file is None else SimPin(pin_file)
        self._address = address
        self._ask_s = ask_s
        self._bus: Bus | None = None
        self._path = ""
        self._health = HealthRecord()

    def remember_in(self, file: Path) -> None:
        """See `WithPin.remember_in`."""
        if self._pin is not None:
            self._pin.remember_in(file)

    def open(self) -> None:
        """See `Modem.open`."""
        if self._bus is not None:
            return
        self._health.set(State.OPENING, "Asking ModemManager.")
        try:
            self._bus = Bus(self._address, self._ask_s)
            self._path, properties = self._find()
            self._wake(properties)
        except BusError as error:
            reason = _words(error)
            self._shut(State.FAULT, reason)
            raise DeviceUnavailable(reason) from None
        except DeviceError as error:
            self._shut(_state(error), error.reason)
            raise
        self._health.set(State.DEGRADED, "Found; ModemManager has not said yet how it is.")

    def close(self) -> None:
        """See `Modem.close`."""
        self._shut(State.ABSENT, "Closed.")

    def send(self, number: str, text: str, deadline_s: float = SEND_S) -> Sent:
        """See `Modem.send`."""
        check_message(number, text)
        validity = ("(uv)", (_RELATIVE, ("u", _VALID_MINUTES)))
        message = {"number": ("s", number), "text": ("s", text), "validity": validity}
        try:
            (sms,) = self._call(self._path, "Modem.Messaging", "Create", "a{sv}", (message,))
        except BusError as error:
            raise NotSent(_words(error)) from None
        except DeviceError as error:
            # What was only created is not sent.
            self._shut(_state(error), error.reason)
            raise
        try:
            self._call(sms, "Sms", "Send", "", (), deadline_s)
            return Sent(self._reference(sms))
        except BusError as error:
            raise _send_error(error) from None
        except DeviceError as error:
            if self._was_sent(sms):
                return Sent(self._reference(sms))
            self._shut(_state(error), error.reason)
            raise PerhapsSent(error.reason) from None
        finally:
            # ModemManager keeps what it sent; numbers and texts of guests do not belong there.
            with contextlib.suppress(BusError, DeviceError):
                self._call(self._path, "Modem.Messaging", "Delete", "o", (sms,))

    def status(self) -> ModemStatus:
        """See `Modem.status`."""
        if self._bus is None:
            return ModemStatus()
        try:
            self._path, properties = self._find()
            found = _read(properties)
        except BusError as error:
            self._shut(State.ABSENT, _words(error))
            return ModemStatus()
        except DeviceError as error:
            self._shut(_state(error), error.reason)
            return ModemStatus()
        judge(self._health, found)
        return found

    def health(self) -> Health:
        """See `Modem.health`."""
        return self._health()

    def _find(self) -> tuple[str, Mapping[str, Mapping[str, Any]]]:
        """Path and properties (by interface) of the modem; raises `DeviceUnavailable` if it is not plugged in."""
        where = DBusAddress(_ROOT, SERVICE, "org.freedesktop.DBus.ObjectManager")
        (objects,) = self._on(where, "GetManagedObjects", "", (), self._ask_s)
        for path, interfaces in objects.items():
            properties = {name.removeprefix(f"{SERVICE}."): _plain(values) for name, values in interfaces.items()}
            imei = properties.get("Modem", {}).get("EquipmentIdentifier", "")
            if "Modem.Messaging" in properties and self._imei in {"", imei}:
                return path, properties
        which = f"no modem {self._imei}" if self._imei else "no modem that sends messages"
        raise DeviceUnavailable(f"ModemManager knows {which}.")

    def _wake(self, properties: Mapping[str, Mapping[str, Any]]) -> None:
        """Unlock the SIM card and switch the modem's radio on, where they are not."""
        modem = properties.get("Modem", {})
        state = modem.get("State", 0)
        if self._pin is not None and state >= _DISABLED:
            self._pin.taken()
        if self._pin is not None and state == _LOCKED and _read(properties).sim is Sim.PIN:
            self._unlock(str(modem.get("Sim", "/")), self._pin, _tries_left(modem))
        elif state == _DISABLED:
            self._call(self._path, "Modem", "Enable", "b", (True,))

    def _unlock(self, sim: str, pin: SimPin, left: int | None) -> None:
        """Give the SIM card its PIN, if that cannot lock it."""
        digits = pin.next(left)
        try:
            self._call(sim, "Sim", "SendPin", "s", (digits,), _UNLOCK_S)
        except BusError as error:
            raise _pin_error(pin, error) from None
        except DeviceError as error:
            raise type(error)(pin.unanswered()) from None
        pin.taken()

    def _was_sent(self, sms: str) -> bool:
        """Whether ModemManager counts the message as sent, though it did not say so in time."""
        return bool(self._property(sms, "State") == _SMS_SENT)

    def _reference(self, sms: str) -> str:
        found = self._property(sms, "MessageReference")
        return "" if found is None else str(found)

    def _property(self, sms: str, name: str) -> Any:
        where = DBusAddress(sms, SERVICE, "org.freedesktop.DBus.Properties")
        try:
            ((_kind, value),) = self._on(where, "Get", "ss", (f"{SERVICE}.Sms", name), self._ask_s)
        except (BusError, DeviceError):
            return None
        return value

    def _call(
        self,
        path: str,
        interface: str,
        method: str,
        signature: str,
        body: tuple[Any, ...],
        within_s: float | None = None,
    ) -> Any:
        where = DBusAddress(path, SERVICE, f"{SERVICE}.{interface}")
        return self._on(where, method, signature, body, self._ask_s if within_s is None else within_s)

    def _on(self, where: DBusAddress, method: str, signature: str, body: tuple[Any, ...], within_s: float) -> Any:
        if self._bus is None:
            raise DeviceUnavailable("The modem is not open.")
        return self._bus.call(where, method, signature, body, within_s)

    def _shut(self, state: State, reason: str) -> None:
        bus, self._bus = self._bus, None
        if bus is not None:
            bus.close()
        self._health.set(state, reason)


def _read(properties: Mapping[str, Mapping[str, Any]]) -> ModemStatus:
    modem = properties.get("Modem", {})
    state = modem.get("State", 0)
    sim = Sim.READY
    if state == _LOCKED:
        sim = _LOCKS.get(modem.get("UnlockRequired", 0), Sim.UNKNOWN)
    elif state == _FAILED:
        sim = Sim.MISSING if modem.get("StateFailedReason") == _SIM_MISSING else Sim.UNKNOWN
    in_network = properties.get("Modem.Modem3gpp", {}).get("RegistrationState") in _IN_A_NETWORK
    quality = modem.get("SignalQuality")
    percent, recent = quality or (None, False)
    return ModemStatus(sim, state >= _REGISTERED or (state > _DISABLED and in_network), percent if recent else None)


def _tries_left(modem: Mapping[str, Any]) -> int | None:
    """How many tries the SIM card has left for its PIN; None where ModemManager does not know."""
    left = modem.get("UnlockRetries", {}).get(_SIM_PIN)
    return left if isinstance(left, int) and left < _TRIES_UNKNOWN else None


def _pin_error(pin: SimPin, error: BusError) -> DeviceError:
    """What an error means in answer to the PIN."""
    if error.name in _WRONG_PIN:
        return pin.refused()
    if error.name in _NEVER_TRIED or error.name == _SIM_BUSY:
        pin.not_given()
        return DeviceUnavailable(_words(error))
    return SimTrouble(f"{pin.unanswered()} {_words(error)}")


def _plain(values: Mapping[str, tuple[str, Any]]) -> dict[str, Any]:
    """Properties without the type that a D-Bus variant carries."""
    return {name: value for name, (_kind, value) in values.items()}


def _send_error(error: BusError) -> DeviceError:
    code = (
        _CAUSES.get(error.name.removeprefix(f"{_ERROR}Message."))
        if error.name.startswith(f"{_ERROR}Message.")
        else None
    )
    if code is not None:
        return message_error(code)
    return NotSent(_words(error)) if error.name in _NEVER_TRIED else PerhapsSent(_words(error))


def _words(error: BusError) -> str:
    if error.name.endswith(".ServiceUnknown"):
        return "ModemManager does not run (Debian package modemmanager)."
    if error.name.endswith((".Unauthorized", ".AccessDenied")):
        return "ModemManager does not let this user send messages; a rule of polkit must allow it."
    return f"ModemManager says: {error.text or error.name}."


def _state(error: DeviceError) -> State:
    return State.ABSENT if isinstance(error, DeviceUnavailable) else State.FAULT
