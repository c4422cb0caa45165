"""What `make test-fleet` needs before a host boots, and that the broker's role fills in all that the shipped templates leave open."""

from __future__ import annotations

import re
from pathlib import Path

from mqtt_bridge.broker import mosquitto
from tests.support.roles import defaults
from tests.system.fleet.__main__ import PROGRAMS, missing
from tests.system.fleet.root import packages


def test_what_is_missing_is_named_with_its_package(tmp_path: Path):
    told = missing(
        1000, lambda name: None if name == "systemd-nspawn" else f"/usr/bin/{name}", tmp_path / "ansible-playbook"
    )
    assert len(told) == 3
    assert "root" in told[0] and "systemd-container" in told[1] and ".ci/setup ops" in told[2]
    (tmp_path / "ansible-playbook").touch()
    assert missing(0, lambda name: f"/usr/bin/{name}", tmp_path / "ansible-playbook") == []
    assert len(missing(0, lambda _name: None, tmp_path / "ansible-playbook")) == len(PROGRAMS)


def test_the_roots_have_what_the_roles_install():
    venue, cloud = packages("Venues"), packages("Cloud")
    assert {"nginx-light", "dnsmasq-base", "systemd-timesyncd", "openssh-server", "pcscd"} <= set(venue)
    assert {"mosquitto", "postgresql-17", "python3-psycopg"} <= set(cloud) - set(venue)
    assert not [name for name in (*venue, *cloud) if "{" in name]


def test_the_role_fills_in_every_blank_of_the_brokers_files():
    blanks = {
        name
        for file in (mosquitto.CONFIG, mosquitto.ACCESS_LIST)
        for name in re.findall(r"{{ (\w+) }}", (mosquitto.FOLDER / file).read_text("utf-8"))
    }
    given = defaults("broker")["broker_blanks"]
    assert set(given) == blanks
    assert given["reconciler"] == mosquitto.RECONCILER
