"""What every access point promises, run over hostapd's socket and the simulator; and what is hostapd's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers import BadDeviceUrl, DeviceError, DeviceUnavailable, State, hotspot_for
from drivers.errors import DeviceTimeout
from drivers.hotspot.api import HotspotStatus, judge
from drivers.hotspot.control import ControlSocket
from drivers.hotspot.hostapd import FIGURES_S, HostapdHotspot, sender
from tests.drivers.hotspot_rigs import LIMIT, FakeHostapd, HotspotRig, address, hostapd_rig, sim_rig

SOON_S = 0.15


@pytest.fixture(params=[sim_rig, hostapd_rig], ids=["sim", "hostapd"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[HotspotRig]:
    yield from request.param(tmp_path)


@pytest.fixture
def hostapd(tmp_path: Path) -> Iterator[FakeHostapd]:
    fake = FakeHostapd(tmp_path / "wlan0")
    yield fake
    fake.stop()


def test_it_is_ready_and_says_how_many_fit(rig: HotspotRig) -> None:
    rig.hotspot.open()
    status = rig.hotspot.look(SOON_S)
    assert (status.on_air, status.limit, status.full) == (True, LIMIT, False)
    assert rig.hotspot.health().state is State.READY
    assert f"of {LIMIT} phones" in rig.hotspot.health().reason


def test_when_it_is_full_it_says_so_and_counts_who_was_turned_away(rig: HotspotRig) -> None:
    rig.hotspot.open()
    rig.hotspot.look(SOON_S)
    rig.fill()
    status = rig.hotspot.look(SOON_S)
    assert (status.full, status.phones, status.refused) == (True, LIMIT, 3)
    health = rig.hotspot.health()
    assert health.state is State.DEGRADED
    assert health.reason == f"{LIMIT} of {LIMIT} phones are on the Wi-Fi: it is full; 3 more could not come in."


def test_one_that_is_down_is_a_fault_until_it_is_back(rig: HotspotRig) -> None:
    rig.hotspot.open()
    rig.hotspot.look(SOON_S)
    rig.down()
    with pytest.raises(DeviceError):
        rig.hotspot.look(SOON_S)
    with pytest.raises(DeviceUnavailable):
        rig.hotspot.open()
    assert rig.hotspot.health().state is State.FAULT
    rig.back()
    rig.hotspot.open()
    assert rig.hotspot.look(SOON_S).on_air
    assert rig.hotspot.health().state is State.READY


def test_a_closed_one_is_not_looked_at(rig: HotspotRig) -> None:
    rig.hotspot.open()
    rig.hotspot.close()
    rig.hotspot.close()
    assert rig.hotspot.health().state is State.ABSENT
    with pytest.raises(DeviceUnavailable):
        rig.hotspot.look(SOON_S)


def test_who_came_in_later_is_no_longer_turned_away(hostapd: FakeHostapd) -> None:
    hotspot = HostapdHotspot(str(hostapd.path), LIMIT)
    hotspot.open()
    for number in range(LIMIT + 1):
        hostapd.join(number)
    assert hotspot.look(SOON_S).refused == 1
    hostapd.phones.remove(address(0))
    hostapd.join(LIMIT)
    status = hotspot.look(SOON_S)
    assert (status.phones, status.refused) == (LIMIT, 0)
    hotspot.close()


def test_a_refusal_is_forgotten_after_a_while(hostapd: FakeHostapd) -> None:
    now = [0.0]
    hotspot = HostapdHotspot(str(hostapd.path), LIMIT, clock=lambda: now[0])
    hotspot.open()
    for number in range(LIMIT + 2):
        hostapd.join(number)
    assert hotspot.look(SOON_S).refused == 2
    now[0] = 599.0
    assert hotspot.look(SOON_S).refused == 2
    now[0] = 601.0
    assert hotspot.look(SOON_S).refused == 0
    hotspot.close()


def test_a_radio_that_refuses_by_itself_is_heard_too(hostapd: FakeHostapd) -> None:
    hotspot = HostapdHotspot(str(hostapd.path), LIMIT)
    hotspot.open()
    hostapd.phones |= {address(each) for each in range(LIMIT)}
    hostapd.say(f"<3>AP-REJECTED-MAX-STA {address(9)}")
    assert hotspot.look(SOON_S).refused == 1
    hotspot.close()


def test_figures_of_a_good_hotspot_change_seldom_and_its_state_at_once(hostapd: FakeHostapd) -> None:
    now = [0.0]
    hotspot = HostapdHotspot(str(hostapd.path), LIMIT, clock=lambda: now[0])
    hotspot.open()
    hotspot.look(0)
    hostapd.join(1)
    hotspot.look(SOON_S)
    assert hotspot.health().reason.startswith("0 of")
    now[0] = FIGURES_S
    hotspot.look(0)
    assert hotspot.health().reason.startswith("1 of")
    hostapd.phones |= {address(each) for each in range(LIMIT)}
    hotspot.look(0)
    assert hotspot.health().state is State.DEGRADED
    hostapd.state = "COUNTRY_UPDATE"
    assert not hotspot.look(0).on_air
    assert hotspot.health().state is State.OPENING
    hotspot.close()


def test_a_silent_hostapd_is_waited_for_no_longer_than_said(hostapd: FakeHostapd) -> None:
    control = ControlSocket(str(hostapd.path), answer_s=0.1)
    hostapd.silent = True
    with pytest.raises(DeviceTimeout):
        control.ask("STATUS")
    control.close()


def test_a_socket_that_nobody_answers_is_no_hotspot(tmp_path: Path) -> None:
    hotspot = hotspot_for(f"hostapd://{tmp_path}/none?limit=3")
    with pytest.raises(DeviceUnavailable, match="hostapd does not run"):
        hotspot.open()
    assert hotspot.health().state is State.FAULT


@pytest.mark.parametrize(
    "url", ["hostapd://wlan0", "hostapd:///", "hostapd:///run/x?limit=a", "hostapd:///run/x?most=3", "sim://printer"]
)
def test_addresses_that_mean_nothing_are_refused(url: str) -> None:
    with pytest.raises(BadDeviceUrl):
        hotspot_for(url)


def test_only_who_asks_to_come_in_counts_as_asking() -> None:
    assert sender("b0003a01020000000000" + "020000000100" + "0200000000000000") == "02:00:00:00:01:00"
    assert sender("40000000ffffffffffff" + "020000000100" + "ffffffffffff0000") == "", "a question who is there"


def test_without_a_limit_nothing_is_ever_full() -> None:
    assert judge(HotspotStatus(on_air=True, phones=30)) == (State.READY, "30 phones are on the Wi-Fi.")
