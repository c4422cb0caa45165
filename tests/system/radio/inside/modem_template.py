"""A modem with a SIM card, as ModemManager shows it on the bus: for python-dbusmock, which real ``mmcli`` asks.

Names, signatures and numbers are those of ModemManager's reference manual.
"""

from __future__ import annotations

from typing import Any

import dbus
import dbus.service
from dbusmock import MOCK_IFACE, mockobject

BUS_NAME = MAIN_IFACE = "org.freedesktop.ModemManager1"
MAIN_OBJ = "/org/freedesktop/ModemManager1"
SYSTEM_BUS, IS_OBJECT_MANAGER = True, False
MODEM, BEARER = f"{MAIN_OBJ}/Modem/0", f"{MAIN_OBJ}/Bearer/0"
INTERFACE, APN = "wwan0", "internet.test"
REGISTERED, CONNECTED = 8, 11
STATIC = 2
ADDRESS, PREFIX, GATEWAY, DNS, MTU = "10.64.64.64", 24, "10.64.64.1", "10.64.64.53", 1430


def load(mock: Any, _parameters: Any) -> None:
    """Add the manager and its modem."""
    mock.AddMethods("org.freedesktop.DBus.ObjectManager", [("GetManagedObjects", "", "a{oa{sa{sv}}}", managed_objects)])
    add_modem(mock)


def add_modem(mock: Any) -> None:
    """Plug the modem in; it is on the network and not connected."""
    none = dbus.Array([], signature="o")
    numbers = dbus.Array([], signature="u")
    properties = {
        "Sim": dbus.ObjectPath("/"),
        "Bearers": none,
        "SupportedCapabilities": numbers,
        "CurrentCapabilities": dbus.UInt32(4),
        "Manufacturer": "Test",
        "Model": "LTE stick",
        "Revision": "1",
        "EquipmentIdentifier": "356938035643809",
        "Device": "/sys/devices/test",
        "Drivers": dbus.Array(["option"], signature="s"),
        "Plugin": "generic",
        "PrimaryPort": "cdc-wdm0",
        "Ports": dbus.Array([dbus.Struct((INTERFACE, dbus.UInt32(2)), signature="su")], signature="(su)"),
        "UnlockRequired": dbus.UInt32(1),
        "UnlockRetries": dbus.Dictionary({}, signature="uu"),
        "State": dbus.Int32(REGISTERED),
        "StateFailedReason": dbus.UInt32(0),
        "AccessTechnologies": dbus.UInt32(16384),
        "SignalQuality": dbus.Struct((dbus.UInt32(68), dbus.Boolean(True)), signature="ub"),
        "OwnNumbers": dbus.Array([], signature="s"),
        "PowerState": dbus.UInt32(3),
        "SupportedModes": dbus.Array([], signature="(uu)"),
        "CurrentModes": dbus.Struct((dbus.UInt32(8), dbus.UInt32(0)), signature="uu"),
        "SupportedBands": numbers,
        "CurrentBands": numbers,
        "SupportedIpFamilies": dbus.UInt32(1),
        "MaxBearers": dbus.UInt32(1),
        "MaxActiveBearers": dbus.UInt32(1),
    }
    mock.AddObject(MODEM, f"{MAIN_IFACE}.Modem", properties, [("ListBearers", "", "ao", list_bearers)])
    mockobject.objects[MODEM].AddMethods(
        f"{MAIN_IFACE}.Modem.Simple",
        [("Connect", "a{sv}", "o", connect), ("Disconnect", "o", "", disconnect), ("GetStatus", "", "a{sv}", status)],
    )


def managed_objects(_mock: Any) -> Any:
    """The modem with its properties: bearers are none of the manager's objects."""
    if MODEM not in mockobject.objects:
        return dbus.Dictionary({}, signature="oa{sa{sv}}")
    shown = {**mockobject.objects[MODEM].props, f"{MAIN_IFACE}.Modem.Simple": dbus.Dictionary({}, signature="sv")}
    return dbus.Dictionary({dbus.ObjectPath(MODEM): shown}, signature="oa{sa{sv}}")


def list_bearers(modem: Any) -> Any:
    """The paths of its bearers."""
    return modem.Get(f"{MAIN_IFACE}.Modem", "Bearers")


def status(modem: Any) -> Any:
    """How it is."""
    return dbus.Dictionary({"state": modem.Get(f"{MAIN_IFACE}.Modem", "State")}, signature="sv")


def connect(modem: Any, wanted: Any) -> Any:
    """Connect with the APN that this card has; another one is refused by the network."""
    if str(wanted.get("apn", "")) != APN:
        raise dbus.exceptions.DBusException(
            "Service option not subscribed", name=f"{MAIN_IFACE}.Error.MobileEquipment.ServiceOptionNotSubscribed"
        )
    if BEARER not in mockobject.objects:
        address = {"method": dbus.UInt32(STATIC), "address": ADDRESS, "prefix": dbus.UInt32(PREFIX), "gateway": GATEWAY, "dns1": DNS, "mtu": dbus.UInt32(MTU)}  # fmt: skip
        empty = dbus.Dictionary({}, signature="sv")
        properties = {
            "Interface": INTERFACE,
            "Connected": dbus.Boolean(True),
            "ConnectionError": dbus.Struct(("", ""), signature="ss"),
            "Suspended": dbus.Boolean(False),
            "Multiplexed": dbus.Boolean(False),
            "Ip4Config": dbus.Dictionary(address, signature="sv"),
            "Ip6Config": dbus.Dictionary({"method": dbus.UInt32(0)}, signature="sv"),
            "Stats": empty,
            "ReloadStatsSupported": dbus.Boolean(False),
            "IpTimeout": dbus.UInt32(20),
            "BearerType": dbus.UInt32(1),
            "ProfileId": dbus.Int32(-1),
            "Properties": dbus.Dictionary({"apn": APN}, signature="sv"),
        }
        modem.AddObject(BEARER, f"{MAIN_IFACE}.Bearer", properties, [("Disconnect", "", "", lambda _bearer: None)])
    _connected(modem, on=True)
    return dbus.ObjectPath(BEARER)


def disconnect(modem: Any, _bearer: str) -> None:
    """End the connection."""
    _connected(modem, on=False)


def _connected(modem: Any, *, on: bool) -> None:
    mockobject.objects[BEARER].UpdateProperties(f"{MAIN_IFACE}.Bearer", {"Connected": dbus.Boolean(on)})
    bearers = dbus.Array([dbus.ObjectPath(BEARER)], signature="o")
    state = dbus.Int32(CONNECTED if on else REGISTERED)
    modem.UpdateProperties(f"{MAIN_IFACE}.Modem", {"Bearers": bearers, "State": state})


@dbus.service.method(MOCK_IFACE, in_signature="", out_signature="")
def Drop(_self: Any) -> None:  # noqa: N802 - a D-Bus method's name
    """The network ends the connection."""
    _connected(mockobject.objects[MODEM], on=False)


@dbus.service.method(MOCK_IFACE, in_signature="b", out_signature="")
def Plug(self: Any, there: bool) -> None:  # noqa: N802 - a D-Bus method's name
    """Pull the modem out, or put it back."""
    for path in (MODEM, BEARER):
        if path in mockobject.objects:
            self.RemoveObject(path)
    if there:
        add_modem(self)
