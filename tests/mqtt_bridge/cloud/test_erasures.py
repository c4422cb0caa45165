"""One command forgets a person in the cloud and asks every device that may know them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mqtt_bridge.cloud.erasures import Asked, ErasureRefused, erase
from mqtt_bridge.cloud.store import open_cloud
from mqtt_bridge.protocol.messages import ErasePersonalData, PersonalDataErased, Private
from mqtt_bridge.protocol.privacy import contact_digest
from tests.mqtt_bridge.cloud.world import ORG, World, import_into
from tests.support import postgresql

ANNA = Private("salt", "Anna", "anna@example.org")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    if request.param == "postgresql":
        with postgresql.running() as url:
            yield from made(url)
    else:
        yield from made(tmp_path / "cloud.db")


def made(url: str | Path) -> Iterator[World]:
    database = open_cloud(url)
    world = World(database)
    import_into(world)
    yield world
    database.close()


def ask(world: World, salt: str = "e1", **whom: str) -> Asked:
    return erase(world.database, world.key, ORG, world.now_ms, salt, **whom)


def stored(world: World) -> str:
    """Everything the cloud's rows of messages say."""
    rows = [*world.rows("SELECT envelope FROM outbox"), *world.rows("SELECT envelope FROM inbox_early")]
    rows += world.rows("SELECT private FROM parked WHERE private IS NOT NULL")
    return " ".join(bytes(row[0]).decode() for row in rows)  # type: ignore[call-overload]


def test_an_order_is_forgotten_where_it_waits_and_asked_of_issuer_and_door(world: World) -> None:
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")
    world.add("barn-1", "yard")
    world.tell(yard, yard.sell("o1-long-enough-to-be-an-id", 1, private=ANNA))
    assert "anna@example.org" in stored(world)
    asked = ask(world, order="o1-long-enough-to-be-an-id")
    assert "anna@" not in stored(world)
    assert asked.devices == {"hall-1": None, "yard-1": None}
    world.tick()
    assert ErasePersonalData("e1", order="o1-long-enough-to-be-an-id") in world.bodies("hall-1")
    world.tell(hall, hall.envelope(PersonalDataErased("e1", 1)))
    again = ask(world, "e2", order="o1-long-enough-to-be-an-id")
    assert again == Asked("e1", {"hall-1": 1, "yard-1": None}, ())


def test_a_contact_is_asked_of_everybody_and_spread_to_nobody(world: World) -> None:
    world.add("hall-1", "hall")
    yard = world.add("yard-1", "yard")
    world.tell(yard, yard.sell("o1", 1, private=ANNA))
    asked = ask(world, contact="Anna@example.org")
    assert set(asked.devices) == {"hall-1", "yard-1"}
    world.tick()
    wanted = ErasePersonalData("e1", salt="e1", digest=contact_digest("e1", "anna@example.org"))
    assert wanted in world.bodies("hall-1")
    assert "anna" not in stored(world).lower()


def test_what_arrives_after_the_erasure_is_passed_on_without_the_person(world: World) -> None:
    world.add("hall-1", "hall")
    yard = world.add("yard-1", "yard")
    late = yard.sell("o1", 1, private=ANNA)
    ask(world, contact="anna@example.org")
    world.tell(yard, late)
    assert [each.private for each in world.sent("hall-1") if "OrderConfirmed" in each.content] == [None]


def test_nobody_in_particular_is_refused(world: World) -> None:
    with pytest.raises(ErasureRefused, match="neither an order's id nor its code"):
        ask(world, order="Anna")
    with pytest.raises(ErasureRefused, match="0 orders have the code"):
        ask(world, order="K7QF-2M9D")
