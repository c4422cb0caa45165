"""A venue whose board died: sealed, replaced, its dead card read later. And a cloud put back by its commands. Real processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.demo import wait_for
from tests.support.town import Town, Venue, running

pytestmark = pytest.mark.system


@pytest.fixture(params=[False, pytest.param(True, marks=pytest.mark.slow)], ids=["sqlite", "postgresql"])
def town(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Town]:
    with running(tmp_path, seats=40, server=request.param) as started:
        yield started


def in_doubt(town: Town) -> int:
    return int(town.stock()["in_doubt"])


@pytest.mark.fault(17)
@pytest.mark.fault(20)
def test_a_dead_venue_is_replaced_admits_its_guests_and_its_card_is_read_later(town: Town, tmp_path: Path) -> None:
    """One sale was told, two were not: one comes back with its guest, the other with the card, and nothing is oversold."""
    hall = town.hall
    told = hall.buy(2)
    town.check()
    hall.wire.silence()
    shown, forgotten = hall.buy(), hall.buy(3)
    hall.kill()
    card = hall.image(tmp_path / "card")
    said = town.command("provision", "hall-2", "hall", "--replaces", "hall-1", "--yes")
    assert "go in doubt" in said
    doubt = in_doubt(town)
    new = Venue(town, "hall", device="hall-2").start().ready()
    wait_for(lambda: new.rows("SELECT retold_part, retold_parts FROM device") == [(1, 1)], "the venue's past", 30)
    page = new.get(f"/api/v1/orders/{told['order']}").json
    assert (page["status"], len(page["tickets"])) == ("confirmed", 2)
    assert new.scan(told["tickets"][0]["code"])["verdict"] == "admitted"
    assert new.scan(page["tickets"][1]["receipt"])["verdict"] == "admitted"
    assert new.scan(shown["tickets"][0]["code"])["reason"] == "unknown"
    assert new.scan(shown["tickets"][0]["receipt"])["verdict"] == "admitted"
    wait_for(lambda: in_doubt(town) == doubt - 1, "the sale that its guest brought back", 30)
    wait_for(lambda: new.available() > 0, "stock at the replacement", 30)
    new.buy()
    assert "3 tickets were new" in town.command("recover", str(card))
    wait_for(lambda: new.scan(forgotten["tickets"][0]["code"])["verdict"] == "admitted", "the dead card's sale", 30)
    assert in_doubt(town) == doubt - 4
    town.command("recover", str(card), "--final")
    wait_for(lambda: in_doubt(town) == 0, "what it never sold", 10)
    stock = town.stock()
    out = sum(each["granted"] - each["returned"] + each["confirmed"] for each in stock["devices"])
    assert stock["pool"] + out == stock["limit"] == 40
    assert stock["extra"] == 0
    wait_for(lambda: town.sold() == 7, "all seven tickets", 20)
    new.kill()


@pytest.mark.fault(20)
def test_a_sealed_device_that_comes_back_tells_its_sales_and_hands_back_the_rest(town: Town) -> None:
    """It was only away; the operator thought it gone."""
    yard = town.yard
    yard.wire.silence()
    yard.buy(2)
    town.command("seal", "yard-1", "--reason", "thought lost", "--yes")
    assert in_doubt(town) > 2
    yard.wire.heal()
    yard.wire.cut()
    wait_for(lambda: in_doubt(town) == 0, "its own word", 60)
    wait_for(lambda: town.sold() == 2, "its sales", 30)
    assert yard.refusal() == "sale-closed"
    stock = town.stock()
    wait_for(lambda: town.stock()["pool"] + town.share(town.hall)["granted"] >= 38, "its stock in the pool", 20)
    assert stock["released"] == 0
    assert town.cloud_rows("SELECT count(*) FROM contradiction WHERE kind = 'oversold'") == [(0,)]


@pytest.mark.fault(15)
def test_a_cloud_put_back_by_its_commands_is_told_everything_again(town: Town, tmp_path: Path) -> None:
    """Venues sell while it is frozen; after the operator's word it grants, and every order of before and after is there."""
    orders = [venue.buy()["order"] for venue in town.venues]
    town.check()
    town.command("backup", str(tmp_path / "cloud.bak"))
    orders += [venue.buy(2)["order"] for venue in town.venues]
    town.check()
    town.kill_cloud()
    assert "hall-1, yard-1" in town.command("restore", str(tmp_path / "cloud.bak"), "--yes")
    orders.append(town.hall.buy()["order"])
    town.start_cloud()
    assert "restored from a backup" in str(town.cloud_rows("SELECT frozen FROM cloud"))
    generations = "SELECT count(*) FROM device WHERE generation = 2"
    wait_for(lambda: town.cloud_rows(generations) == [(2,)], "both devices", 60)
    assert "granting again" in town.command("confirm-restore", "--yes")
    town.check()
    assert {str(row[0]) for row in town.cloud_rows("SELECT id FROM orders")} == set(orders)
    assert town.sold() == 7
    assert not town.stock()["in_doubt"]
