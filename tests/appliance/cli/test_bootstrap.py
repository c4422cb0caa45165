"""What the composition root decides itself: where files lie and what a machine calls itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance import machine
from appliance.bootstrap.device import device_box, socket_path
from appliance.bootstrap.wire import login
from appliance.services.wake import Waiter, notify
from appliance.settings import SettingsError, read_settings


def test_a_device_keeps_its_files_to_itself(tmp_path: Path) -> None:
    """Folder 0700, database and key 0600."""
    values = {"MARQUEE_DEVICE_NAME": "a-1", "MARQUEE_DEVICE_VENUE": "a", "MARQUEE_DEVICE_DATA": str(tmp_path / "data")}
    box = device_box(read_settings(None, values))
    box.database.close()
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    for name in ("marquee.db", "device.pem"):
        assert (tmp_path / "data" / name).stat().st_mode & 0o777 == 0o600


def test_a_board_and_its_card_make_the_fingerprint_and_a_machine_without_them_its_id() -> None:
    """Either one being another changes it."""
    pi = {"/proc/device-tree/serial-number": "100000001", "/sys/block/mmcblk0/device/cid": "aa", "/etc/machine-id": "m"}
    first = machine.bound_to(lambda path: pi.get(path, ""))
    assert first == machine.bound_to(lambda path: (pi | {"/etc/machine-id": "other"}).get(path, ""))
    assert first != machine.bound_to(lambda path: (pi | {"/sys/block/mmcblk0/device/cid": "bb"}).get(path, ""))
    laptop = machine.bound_to(lambda path: "m" if path == "/etc/machine-id" else "")
    assert laptop != machine.bound_to(lambda path: "n" if path == "/etc/machine-id" else "")


def test_a_long_data_folder_still_has_working_sockets(tmp_path: Path) -> None:
    """The kernel allows 107 bytes for the path of a socket."""
    deep = tmp_path / ("long" * 20) / ("longer" * 10)
    path = socket_path(deep, "desk")
    assert len(str(path)) <= 100
    assert path != socket_path(deep, "bridge")
    waiter = Waiter(path)
    notify(socket_path(deep, "desk"))
    assert waiter.wait(1)
    waiter.close()


def test_a_password_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """The broker's password is a secret like a key."""
    secret = tmp_path / "password"
    secret.write_text("hunter2\n")
    secret.chmod(0o644)
    values = {
        "MARQUEE_BROKER_USERNAME": "hall",
        "MARQUEE_BROKER_PASSWORD_FILE": str(secret),
        "MARQUEE_BROKER_CLOUD_KEY": "a" * 64,
    }
    settings = read_settings(None, values)
    with pytest.raises(SettingsError, match="run chmod 600"):
        login(settings)
    secret.chmod(0o600)
    assert login(settings) == ("hall", "hunter2")
