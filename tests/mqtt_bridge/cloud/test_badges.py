"""Badges are issued to people of the catalogue, and what was lost reaches every device with the key directory."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from mqtt_bridge.cloud.badges import BadgeRefused, issue_badge, issued_badges, revoke_badge
from mqtt_bridge.cloud.store import apply_catalogue
from mqtt_bridge.keys import KeyFile
from mqtt_bridge.protocol import badges, topics
from mqtt_bridge.protocol.catalogue import StaffMember
from mqtt_bridge.protocol.codec import decode
from mqtt_bridge.protocol.messages import KeyDirectory, RevokedBadge
from tests.mqtt_bridge.cloud.world import ORG, World, catalogue

SERIAL = "00112233445566ff"


@pytest.fixture
def key(world: World, tmp_path: Path) -> KeyFile:
    staffed = msgspec.structs.replace(catalogue(), staff=(StaffMember("a7", "Ada", "x"),))
    apply_catalogue(world.database, staffed, {}, world.now_ms)
    return KeyFile(tmp_path / "cloud.pem")


def directory(world: World) -> KeyDirectory:
    world.tick()
    return decode(world.wire.retained[topics.everyone(ORG, "keys")], KeyDirectory)


def test_an_issued_badge_is_verified_by_what_every_device_is_told(world: World, key: KeyFile) -> None:
    text = issue_badge(world.database, key, "a7", SERIAL, "op", world.now_ms)
    told = directory(world)
    assert badges.read(text, told.badge_keys) == badges.BadgeClaims("a7", SERIAL)
    assert told.revoked_badges == ()
    assert text not in repr(world.rows("SELECT * FROM staff_badge"))


def test_a_lost_badge_is_told_to_everybody_and_others_stay_good(world: World, key: KeyFile) -> None:
    issue_badge(world.database, key, "a7", SERIAL, "op", world.now_ms)
    issue_badge(world.database, key, "a7", "ff" * 8, "op", world.now_ms)
    revision = directory(world).revision
    for _ in range(2):
        revoke_badge(world.database, SERIAL, "op", world.now_ms)
    told = directory(world)
    assert told.revoked_badges == (RevokedBadge(SERIAL, "a7"),)
    assert told.revision == revision + 1
    with world.database.read() as db:
        assert {each.serial: each.revoked_at_ms is not None for each in issued_badges(db)} == {
            SERIAL: True,
            "ff" * 8: False,
        }


def test_nobody_gets_a_badge_who_is_not_in_the_catalogue_and_unknown_ones_are_named(world: World, key: KeyFile) -> None:
    with pytest.raises(BadgeRefused, match="nobody's badge"):
        issue_badge(world.database, key, "z9", SERIAL, "op", world.now_ms)
    with pytest.raises(BadgeRefused, match="no badge has the number"):
        revoke_badge(world.database, SERIAL, "op", world.now_ms)
