"""Settings that the roles write for the cloud are settings that the cloud reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.bootstrap.cloud import authority_hosts, portal_files
from appliance.settings import Settings, SettingsError, read_settings
from tests.support.roles import render

PHONES = {
    "cloud_portal_name": "tickets.example.org",
    "cloud_portal_certificate": "/etc/marquee/phones.pem",
    "cloud_portal_key": "/etc/marquee/phones.key",
}


def written(folder: Path, **given: object) -> Settings:
    file = folder / "cloud.toml"
    file.write_text(render("cloud", "cloud.toml.j2", cloud_names=["cloud.example.org"], **given), encoding="utf-8")
    return read_settings(file, {})


def test_a_certificate_for_phones_is_handed_out_where_the_inventory_names_one(tmp_path: Path) -> None:
    assert portal_files(written(tmp_path)) is None
    settings = written(tmp_path, **PHONES)
    assert settings.authority.portal_name == "tickets.example.org"
    assert portal_files(settings) == (Path("/etc/marquee/phones.pem"), Path("/etc/marquee/phones.key"))


@pytest.mark.parametrize("missing", PHONES)
def test_half_of_one_is_a_mistake_that_names_the_setting(tmp_path: Path, missing: str) -> None:
    with pytest.raises(SettingsError, match=f"authority.{missing.removeprefix('cloud_')}: is not set; write "):
        portal_files(written(tmp_path, **{**PHONES, missing: ""}))


def test_a_cloud_that_is_renamed_is_found_under_its_old_name_by_all_that_devices_connect_to(tmp_path: Path) -> None:
    """They check the name, and know the old one until they renew: a broker without it would lose the whole fleet at its next connections."""
    both = ["new.example.org", "old.example.org"]
    file = tmp_path / "cloud.toml"
    file.write_text(render("cloud", "cloud.toml.j2", cloud_names=both), encoding="utf-8")
    settings = read_settings(file, {})
    assert settings.authority.broker_url == "mqtts://new.example.org:8883"
    server, broker = authority_hosts(settings)
    assert set(server) == set(both)
    assert set(broker) == {*both, "localhost"}
