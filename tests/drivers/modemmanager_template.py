"""ModemManager's D-Bus interfaces for python-dbusmock, run by the system's Python in a process of its own.

Names, signatures and numbers are those of ModemManager's reference manual; one modem with a messaging interface.
"""

from __future__ import annotations

import time
from typing import Any

import dbus
import dbus.service
from dbusmock import MOCK_IFACE, mockobject

BUS_NAME = "org.freedesktop.ModemManager1"
MAIN_OBJ = "/org/freedesktop/ModemManager1"
MAIN_IFACE = "org.freedesktop.ModemManager1"
SYSTEM_BUS = False
IS_OBJECT_MANAGER = False
MODEM = f"{MAIN_OBJ}/Modem/0"
SIM = f"{MAIN_OBJ}/SIM/0"
IMEI = "356938035643809"
PIN = "1234"
SILENCE_S = 1.2
FAULT: list[str] = [""]
SENT: list[tuple[str, str]] = []
COUNT = [0]
# How many tries the card has left for its PIN; it is told unless the fault is "pin_uncounted".
LEFT = [3]


def load(mock: Any, _parameters: Any) -> None:
    """Add the manager and its modem."""
    mock.AddMethods("org.freedesktop.DBus.ObjectManager", [("GetManagedObjects", "", "a{oa{sa{sv}}}", managed_objects)])
    add_modem(mock)


def add_modem(mock: Any) -> None:
    """Plug the modem in."""
    state = {
        "pin": 2,
        "pin_uncounted": 2,
        "pin_busy": 2,
        "pin_unsure": 2,
        "no_sim": -1,
        "no_network": 7,
        "disabled": 3,
    }.get(FAULT[0], 8)
    properties = {
        "EquipmentIdentifier": IMEI,
        "State": dbus.Int32(state),
        "StateFailedReason": dbus.UInt32(2 if state == -1 else 0),
        "UnlockRequired": dbus.UInt32(2 if state == 2 else 1),
        "UnlockRetries": unlock_retries(),
        "SignalQuality": dbus.Struct((dbus.UInt32(68), dbus.Boolean(state >= 8)), signature="ub"),
        "Sim": dbus.ObjectPath(SIM),
    }
    mock.AddObject(MODEM, f"{MAIN_IFACE}.Modem", properties, [("Enable", "b", "", enable)])
    modem = mockobject.objects[MODEM]
    modem.AddProperties(f"{MAIN_IFACE}.Modem.Modem3gpp", {"RegistrationState": dbus.UInt32(1 if state >= 8 else 2)})
    modem.AddProperties(f"{MAIN_IFACE}.Modem.Messaging", {"Messages": dbus.Array([], signature="o")})
    modem.AddMethods(f"{MAIN_IFACE}.Modem.Messaging", [("Create", "a{sv}", "o", create), ("Delete", "o", "", delete)])
    mock.AddObject(SIM, f"{MAIN_IFACE}.Sim", {"Active": dbus.Boolean(True)}, [("SendPin", "s", "", send_pin)])


def unlock_retries() -> Any:
    """Tries left by MMModemLock: PIN, PIN2, PUK."""
    left = {} if FAULT[0] == "pin_uncounted" else {2: LEFT[0], 3: 3, 4: 10}
    return dbus.Dictionary({dbus.UInt32(lock): dbus.UInt32(each) for lock, each in left.items()}, signature="uu")


def managed_objects(_mock: Any) -> Any:
    """Every modem with all its properties, as the object manager tells them."""
    found = {dbus.ObjectPath(path): each.props for path, each in mockobject.objects.items() if path == MODEM}
    return dbus.Dictionary(found, signature="oa{sa{sv}}")


def set_state(state: int) -> None:
    """Change what the modem says of itself."""
    # Structs and dictionaries are more than UpdateProperties can tell; the driver asks, it does not listen.
    properties = mockobject.objects[MODEM].props[f"{MAIN_IFACE}.Modem"]
    properties["State"] = dbus.Int32(state)
    properties["SignalQuality"] = dbus.Struct((dbus.UInt32(68), dbus.Boolean(True)), signature="ub")
    properties["UnlockRetries"] = unlock_retries()


def enable(_modem: Any, on: bool) -> None:
    """Switch the radio on."""
    if on:
        set_state(8)


def send_pin(_sim: Any, pin: str) -> None:
    """Unlock the card."""
    errors = {"pin_busy": "MobileEquipment.SimBusy", "pin_unsure": "Core.Failed"}
    if FAULT[0] in errors:
        raise dbus.exceptions.DBusException("It failed", name=f"{MAIN_IFACE}.Error.{errors[FAULT[0]]}")
    if pin != PIN:
        LEFT[0] -= 1
        mockobject.objects[MODEM].props[f"{MAIN_IFACE}.Modem"]["UnlockRetries"] = unlock_retries()
        raise dbus.exceptions.DBusException(
            "Incorrect password", name=f"{MAIN_IFACE}.Error.MobileEquipment.IncorrectPassword"
        )
    LEFT[0] = 3
    set_state(8)


def create(modem: Any, properties: Any) -> Any:
    """Make a message object; it is not sent yet."""
    if "number" not in properties or "text" not in properties:
        raise dbus.exceptions.DBusException("Missing number or text", name=f"{MAIN_IFACE}.Error.Core.InvalidArgs")
    COUNT[0] += 1
    path = f"{MAIN_OBJ}/SMS/{COUNT[0]}"
    values = {
        "Number": str(properties["number"]),
        "Text": str(properties["text"]),
        "State": dbus.UInt32(0),
        "MessageReference": dbus.UInt32(0),
    }
    modem.AddObject(path, f"{MAIN_IFACE}.Sms", values, [("Send", "", "", send)])
    return dbus.ObjectPath(path)


def delete(modem: Any, path: str) -> None:
    """Forget a message."""
    modem.RemoveObject(path)


def send(sms: Any) -> None:
    """Hand the message to the network, which may refuse it."""
    errors = {
        "refused": "Message.MeFailure",
        "bad_number": "Message.InvalidTextParameter",
        "unsure": "Message.NetworkTimeout",
        "no_network": "Message.NoNetwork",
        "lost": "Core.Failed",
    }
    if FAULT[0] in errors:
        if FAULT[0] == "lost":
            unplug(sms)
        raise dbus.exceptions.DBusException("It failed", name=f"{MAIN_IFACE}.Error.{errors[FAULT[0]]}")
    interface = f"{MAIN_IFACE}.Sms"
    SENT.append((str(sms.Get(interface, "Number")), str(sms.Get(interface, "Text"))))
    if FAULT[0] == "unanswered":
        time.sleep(SILENCE_S)
        return
    sms.UpdateProperties(interface, {"State": dbus.UInt32(5), "MessageReference": dbus.UInt32(COUNT[0])})


def unplug(mock: Any) -> None:
    """Take the modem away."""
    for path in (MODEM, SIM):
        if path in mockobject.objects:
            mock.RemoveObject(path)


@dbus.service.method(MOCK_IFACE, in_signature="s", out_signature="")
def SetFault(self: Any, name: str) -> None:  # noqa: N802 - a D-Bus method's name
    """Break the modem in one way, or mend it with ''; it is plugged in anew either way, unless it is unplugged."""
    FAULT[0] = str(name)
    unplug(self)
    if name != "unplug":
        add_modem(self)


@dbus.service.method(MOCK_IFACE, in_signature="", out_signature="a(ss)")
def TakeSent(_self: Any) -> Any:  # noqa: N802 - a D-Bus method's name
    """(number, text) of what the network took since the last call."""
    taken, SENT[:] = SENT[:], []
    return dbus.Array([dbus.Struct(each, signature="ss") for each in taken], signature="(ss)")


@dbus.service.method(MOCK_IFACE, in_signature="", out_signature="u")
def TriesLeft(_self: Any) -> Any:  # noqa: N802 - a D-Bus method's name
    """How many tries the card has left for its PIN."""
    return LEFT[0]


@dbus.service.method(MOCK_IFACE, in_signature="u", out_signature="")
def SetTriesLeft(_self: Any, left: int) -> None:  # noqa: N802 - a D-Bus method's name
    """What a telephone made of it; plug the modem in anew."""
    LEFT[0] = int(left)


@dbus.service.method(MOCK_IFACE, in_signature="", out_signature="u")
def CountMessages(_self: Any) -> Any:  # noqa: N802 - a D-Bus method's name
    """How many message objects are kept."""
    return len([path for path in mockobject.objects if path.startswith(f"{MAIN_OBJ}/SMS/")])
