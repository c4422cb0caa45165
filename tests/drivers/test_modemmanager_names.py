"""The driver and the stand-in of the tests speak of what ModemManager's own headers and interface files say, not of what we remember."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from jeepney import DBusAddress

from drivers.modem import modemmanager as driver
from drivers.modem.bus import Bus
from tests.drivers.modem_rigs import MockManager, mock_manager

pytestmark = pytest.mark.system
# Debian package modemmanager-dev.
INTERFACES = Path("/usr/share/dbus-1/interfaces")
HEADERS = Path("/usr/include/ModemManager")
MODEM = "/org/freedesktop/ModemManager1/Modem/0"


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MockManager]:
    with mock_manager(tmp_path_factory.mktemp("bus")) as found:
        yield found


def enum_values(header: str) -> dict[str, int]:
    """Name and number of every enum value in a header."""
    text = (HEADERS / header).read_text("utf-8")
    return {name: int(number) for name, number in re.findall(r"\b(MM_[A-Z0-9_]+)\s*=\s*(-?\d+)\b", text)}


def members(text: str) -> dict[str, dict[str, tuple[str, ...]]]:
    """Signature of every method and property by interface, for those of ModemManager."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for interface in ET.fromstring(text).iter("interface"):
        if not interface.get("name", "").startswith(driver.SERVICE):
            continue
        names = found.setdefault(interface.get("name", ""), {})
        for method in interface.iter("method"):
            directions = ("in", "out")
            names[f"{method.get('name')}()"] = tuple(
                "".join(each.get("type", "") for each in method.iter("arg") if each.get("direction", "in") == way)
                for way in directions
            )
        for each in interface.iter("property"):
            names[str(each.get("name"))] = (each.get("type", ""),)
    return found


def introspect(manager: MockManager, path: str) -> dict[str, dict[str, tuple[str, ...]]]:
    bus = Bus(manager.address, 5)
    try:
        where = DBusAddress(path, driver.SERVICE, "org.freedesktop.DBus.Introspectable")
        (text,) = bus.call(where, "Introspect", "", (), 5)
        return members(text)
    finally:
        bus.close()


def test_the_stand_in_has_modemmanagers_own_signatures(manager: MockManager) -> None:
    bus = Bus(manager.address, 5)
    where = DBusAddress(MODEM, driver.SERVICE, f"{driver.SERVICE}.Modem.Messaging")
    (sms,) = bus.call(where, "Create", "a{sv}", ({"number": ("s", "0170"), "text": ("s", "x")},), 5)
    bus.close()
    compared = 0
    for path in (MODEM, sms, "/org/freedesktop/ModemManager1/SIM/0"):
        for interface, names in introspect(manager, path).items():
            official = members((INTERFACES / f"{interface}.xml").read_text("utf-8"))[interface]
            for name, signature in names.items():
                assert official[name] == signature, f"{interface}.{name}"
                compared += 1
    assert compared >= 14


def test_numbers_and_names_are_those_of_the_headers() -> None:
    values = enum_values("ModemManager-enums.h")
    state = {name: values[f"MM_MODEM_STATE_{name}"] for name in ("FAILED", "LOCKED", "DISABLED", "REGISTERED")}
    assert list(state.values()) == [driver._FAILED, driver._LOCKED, driver._DISABLED, driver._REGISTERED]
    assert [values["MM_MODEM_LOCK_SIM_PIN"], values["MM_MODEM_LOCK_SIM_PUK"]] == [driver._SIM_PIN, driver._SIM_PUK]
    assert values["MM_MODEM_STATE_FAILED_REASON_SIM_MISSING"] == driver._SIM_MISSING
    assert values["MM_SMS_STATE_SENT"] == driver._SMS_SENT
    assert values["MM_SMS_VALIDITY_TYPE_RELATIVE"] == driver._RELATIVE
    network = {
        number
        for name, number in values.items()
        if re.match(r"MM_MODEM_3GPP_REGISTRATION_STATE_(HOME|ROAMING)(_|$)", name)
    }
    assert network == driver._IN_A_NETWORK


def test_causes_are_those_of_the_headers() -> None:
    text = (HEADERS / "ModemManager-errors.h").read_text("utf-8")
    nicks = {
        nick: int(number)
        for number, nick in re.findall(r"MM_MESSAGE_ERROR_\w+\s*=\s*(\d+),? */\*< nick=(\w+)\s*>\*/", text)
    }
    assert driver._CAUSES.items() <= nicks.items()
    core = set(re.findall(r"MM_CORE_ERROR_\w+\s*=\s*\d+,? */\*< nick=(\w+)\s*>\*/", text))
    named = {name.rpartition(".")[2] for name in driver._NEVER_TRIED if ".Core." in name}
    assert named <= core
    equipment = set(re.findall(r"MM_MOBILE_EQUIPMENT_ERROR_\w+\s*=\s*\d+,? */\*< nick=(\w+)\s*>\*/", text))
    assert {name.rpartition(".")[2] for name in (*driver._WRONG_PIN, driver._SIM_BUSY)} <= equipment
