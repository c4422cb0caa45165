"""Orders asked for past a device's allocation, from the message to the answer, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from mqtt_bridge.cloud import tables as t
from mqtt_bridge.cloud.catalogues import Catalogues
from mqtt_bridge.cloud.erasures import erase
from mqtt_bridge.cloud.memory import MemoryStore
from mqtt_bridge.cloud.planning import plan_quotas
from mqtt_bridge.cloud.records import Asked, Line, Request
from mqtt_bridge.cloud.service import Reconciler
from mqtt_bridge.cloud.sql import SqlStore
from mqtt_bridge.cloud.store import apply_catalogue, open_cloud, register_device
from mqtt_bridge.protocol.catalogue import Catalogue, Quota, TicketType
from mqtt_bridge.protocol.messages import (
    AllocationReturned,
    OrderConfirmed,
    OrderRefused,
    OrderRequested,
    Private,
    Refusal,
    RequestWithdrawn,
    ReturnAllocation,
    TicketFact,
    WaitlistJoined,
    Wish,
)
from mqtt_bridge.protocol.stock import Totals
from tests.mqtt_bridge.cloud.town import town_in, two_dates
from tests.mqtt_bridge.cloud.world import ORG, START_MS, FakeDevice, Key, Wire, World, catalogue
from tests.support import postgresql

HOUR_MS = 3_600_000
ANNA = Private("salt", "Anna", "anna@example.org")


def programme(limit: int = 25, changes: dict[str, object] | None = None) -> Catalogue:
    """One night of five hours; the sale closes after three."""
    made = catalogue(limit)
    at = msgspec.structs.replace(
        made.events[0].sessions[0],
        **({"ends_at_ms": START_MS + 5 * HOUR_MS, "sale_closes_at_ms": START_MS + 3 * HOUR_MS} | (changes or {})),
    )
    return msgspec.structs.replace(made, events=(msgspec.structs.replace(made.events[0], sessions=(at,)),))


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgresql.running() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    if request.param == "sqlite":
        yield from made(tmp_path / "cloud.db")
        return
    url = request.getfixturevalue("server")
    postgresql.empty(url)
    yield from made(url)


def made(url: str | Path) -> Iterator[World]:
    database = open_cloud(url)
    world = World(database)
    apply_catalogue(database, programme(), {}, START_MS)
    yield world
    database.close()


def both(world: World) -> tuple[FakeDevice, FakeDevice]:
    """The hall, which hosts, and the yard: eleven of 25 seats each, three in the pool."""
    register_device(world.database, "yard-1", "yard", START_MS)
    return world.add("hall-1", "hall"), world.add("yard-1", "yard")


def request(
    device: FakeDevice, order: str, quantity: int, *, quota: str = "q", private: Private | None = None
) -> bytes:
    """Ask for tickets named after the order."""
    tickets = tuple(TicketFact(f"{order}-{k}", f"{order}{k}", "t", "s", quota, 0, 1250, "EUR") for k in range(quantity))
    return device.envelope(OrderRequested(order, order, "promised", tickets, START_MS), private=private)


def answers(world: World, device: str) -> list[tuple[str, str]]:
    """(order, yes or why not) as told to a device, in order."""
    found = []
    for each in world.downlink(device):
        if isinstance(each.body, OrderConfirmed) and each.origin == "cloud":
            found.append((each.body.order, "yes"))
        elif isinstance(each.body, OrderRefused):
            found.append((each.body.order, each.body.reason))
    return found


def states(world: World) -> dict[str, str]:
    return {str(row[0]): str(row[1]) for row in world.rows("SELECT order_id, state FROM request")}


def conserved(world: World) -> None:
    assert world.pool() >= 0
    out = sum(each.granted - each.returned + each.confirmed for each in world.totals().values())
    assert world.pool() + out == 25


def test_a_request_is_met_from_the_pool_and_told_to_issuer_and_door(world: World) -> None:
    _, yard = both(world)
    before = world.pool()
    world.tell(yard, request(yard, "o1", 2, private=ANNA))
    world.tick()
    assert answers(world, "yard-1") == [("o1", "yes")]
    assert world.totals()["yard-1", yard.epoch].confirmed == 2
    assert world.pool() == before - 2
    conserved(world)
    own = next(each for each in world.downlink("yard-1") if isinstance(each.body, OrderConfirmed))
    assert {each.epoch for each in own.body.tickets} == {yard.epoch}
    assert own.body.stock[0].totals.confirmed == 2
    told = [(each.origin, type(each.body)) for each in world.downlink("hall-1")]
    assert told == [("yard-1", OrderRequested), ("yard-1", OrderConfirmed)]
    assert [each.private for each in world.sent("hall-1")][-1] == ANNA
    assert world.scalar("SELECT private FROM request") is None
    assert world.rows("SELECT id, issuer, status FROM orders") == [("o1", "yard-1", "confirmed")]
    assert world.scalar("SELECT count(*) FROM ticket WHERE state = 'valid'") == 2
    assert world.rows("SELECT * FROM asked") == []
    assert world.alarms() == set()


def test_telling_a_request_again_is_one_request_and_one_answer(world: World) -> None:
    yard = world.add("yard-1", "yard")
    first = request(yard, "o1", 1)
    world.tell(yard, first, first)
    world.tell(yard, request(yard, "o1", 1))  # carried over into a new life: same order, new number
    world.tick()
    assert answers(world, "yard-1") == [("o1", "yes")]
    assert world.totals()["yard-1", yard.epoch].confirmed == 1
    assert world.alarms() == set()


def test_another_devices_order_is_not_answered_twice(world: World) -> None:
    hall, yard = both(world)
    world.tell(yard, request(yard, "o1", 1))
    world.tell(hall, request(hall, "o1", 1))
    assert world.alarms() == {"order-twice"}
    assert answers(world, "hall-1") == []


def _sell_out(world: World, device: FakeDevice, left: int = 0) -> None:
    device.hear(world)
    free = device.totals.unsold - left
    world.tell(device, device.sell(f"all-{device.name}-{device.seq}", free))


def test_surplus_is_recalled_towards_who_waits_in_the_order_of_arrival(world: World) -> None:
    hall, yard = both(world)
    hall.hear(world)
    _sell_out(world, yard)
    free = world.pool()
    world.tell(yard, request(yard, "o1", free + 2), request(yard, "o2", 1))
    assert answers(world, "yard-1") == []
    conserved(world)
    recall = next(each for each in world.bodies("hall-1") if isinstance(each, ReturnAllocation))
    assert recall.returned >= 2
    # What others may still hope for is less by what is asked for already.
    elsewhere = world.state("yard-1").grants[0].elsewhere
    world.tick(2000)
    assert world.state("yard-1").grants[0].elsewhere <= elsewhere
    hall.totals = msgspec.structs.replace(hall.totals, returned=recall.returned)
    world.tell(hall, hall.envelope(AllocationReturned((hall.count(),))))
    world.tick()
    assert answers(world, "yard-1")[0] == ("o1", "yes")
    conserved(world)


def test_stock_is_recalled_from_who_asked_for_more_before_the_clock_was_set_back(world: World) -> None:
    hall, yard = both(world)
    yard.need(world, 20)
    world.run()
    world.now_ms -= HOUR_MS
    _sell_out(world, hall)
    world.tell(hall, request(hall, "o1", 4))
    world.tick()
    assert any(isinstance(each, ReturnAllocation) for each in world.bodies("yard-1"))


def test_who_waits_is_refused_once_the_rest_is_known_to_be_sold(world: World) -> None:
    hall, yard = both(world)
    _sell_out(world, hall, left=2)
    while world.state("yard-1").grants[0].granted > yard.totals.sold:
        _sell_out(world, yard)
        world.tick()
    left = 25 - sum(each.sold for each in world.totals().values())
    world.tell(yard, request(yard, "o1", left - 1), request(yard, "o2", 1))
    assert answers(world, "yard-1") == []
    _sell_out(world, hall)
    world.tick()
    found = answers(world, "yard-1")
    assert ("o1", "sold_out") in found
    assert sum(each.valid for each in world.totals().values()) <= 25
    conserved(world)


def test_a_withdrawn_request_takes_nothing_and_one_that_comes_late_changes_nothing(world: World) -> None:
    _, yard = both(world)
    number = world.pool() + 1
    world.tell(yard, request(yard, "o1", number))
    world.tell(yard, yard.envelope(RequestWithdrawn("o1")))
    world.tick()
    assert states(world) == {"o1": "withdrawn"}
    world.tell(yard, request(yard, "o2", 1))
    world.tell(yard, yard.envelope(RequestWithdrawn("o2")), yard.envelope(RequestWithdrawn("unheard-of")))
    world.tick()
    assert states(world)["o2"] == "confirmed"
    assert answers(world, "yard-1") == [("o2", "yes")]
    assert world.rows("SELECT * FROM request_wish") == []
    assert RequestWithdrawn("o1") in world.bodies("hall-1")
    assert world.alarms() == set()


def test_both_in_one_batch_are_a_withdrawal(world: World) -> None:
    yard = world.add("yard-1", "yard")
    world.tell(yard, request(yard, "o1", 1), yard.envelope(RequestWithdrawn("o1")))
    world.tick()
    assert states(world) == {"o1": "withdrawn"}
    assert answers(world, "yard-1") == []


@pytest.mark.parametrize(
    ("changes", "later_ms", "reason"),
    [
        ({}, 4 * HOUR_MS, "closed"),
        ({"sale_closes_at_ms": None}, 5 * HOUR_MS, "closed"),
        ({"cancelled": True}, 1000, "cancelled"),
    ],
)
def test_the_end_of_the_sale_is_the_end_of_waiting(
    world: World, changes: dict[str, object], later_ms: int, reason: Refusal
) -> None:
    _, yard = both(world)
    world.tell(yard, request(yard, "o1", world.pool() + 1))
    assert answers(world, "yard-1") == []
    apply_catalogue(world.database, programme(changes=changes), {}, world.now_ms)
    world.tick(later_ms)
    world.tick()
    assert answers(world, "yard-1") == [("o1", reason)]
    assert OrderRefused("o1", reason) in world.bodies("hall-1")


def test_what_came_after_the_sale_closed_is_met_if_there_is_stock_at_once(world: World) -> None:
    _, yard = both(world)
    world.tick(4 * HOUR_MS)
    yard.hello(world)
    world.run()
    world.tell(yard, request(yard, "o1", 1), request(yard, "o2", 24))
    world.tick()
    assert answers(world, "yard-1") == [("o1", "yes"), ("o2", "closed")]


def test_a_sealed_devices_open_requests_are_answered_with_no(world: World) -> None:
    _, yard = both(world)
    world.tell(yard, request(yard, "o1", 1))
    world.tell(yard, request(yard, "o2", world.pool() + 1))
    with world.database.write() as db:
        db.execute(sa.update(t.device).where(t.device.c.name == "yard-1").values(status="sealed"))
    world.tick()
    world.tick()
    assert states(world) == {"o1": "confirmed", "o2": "refused"}
    assert OrderRefused("o2", "sealed") in world.bodies("hall-1")


def test_a_last_no_needs_no_stock_and_is_said_of_a_frozen_quota_too(world: World) -> None:
    _, yard = both(world)
    world.tell(yard, request(yard, "o1", world.pool() + 1))
    freeze(world, "look at it")
    with world.database.write() as db:
        db.execute(sa.update(t.device).where(t.device.c.name == "yard-1").values(status="sealed"))
    world.tick()
    world.tick()
    assert states(world) == {"o1": "refused"}


def test_an_operators_word_is_taken_at_the_next_look(world: World) -> None:
    _, yard = both(world)
    free = world.pool()
    world.tell(yard, request(yard, "o1", free + 1), request(yard, "o2", 1), request(yard, "o3", 1))
    assert answers(world, "yard-1") == []
    with world.database.write() as db:
        db.execute(sa.insert(t.request_wish).values(order_id="o2", wish="confirm", at_ms=0))
        db.execute(sa.insert(t.request_wish).values(order_id="o3", wish="refuse", at_ms=0))
    world.tick()
    world.tick()
    assert sorted(answers(world, "yard-1")) == [("o2", "yes"), ("o3", "operator")]
    assert states(world)["o1"] == "waiting"
    conserved(world)


def test_a_request_of_an_earlier_life_is_met_in_the_present_one(world: World) -> None:
    _, yard = both(world)
    freeze(world, "look at it")
    world.tell(yard, request(yard, "o1", 1))
    first = yard.epoch
    yard.inc, yard.seq, yard.inbox = "life-2", 0, 0
    yard.hello(world)
    world.run()
    freeze(world, "")
    world.tick()
    world.tick()
    assert yard.hear(world).grants[0].confirmed == 1
    assert yard.epoch == first + 1
    assert answers(world, "yard-1") == [("o1", "yes")]
    conserved(world)


def test_rows_of_one_quota_that_no_rule_can_read_stop_no_other(tmp_path: Path) -> None:
    with town_in(tmp_path / "cloud.db") as town:
        sold = town.hall.totals.granted
        town.tell(town.hall, town.hall.sell("o1", sold))
        with town.database.write() as db:
            row = {"order_id": "x", "device": "hall-1", "state": "waiting", "refusal": "", "body": b"torn"}
            db.execute(sa.insert(t.request).values(**row, received_at_ms=0))
            db.execute(sa.insert(t.asked).values(quota="q2", order_id="x", quantity=1))
        apply_catalogue(town.database, two_dates(hall=60, yard=60), {}, town.now_ms)
        town.hall.need(town, 1)
        town.tick()
        assert town.totals()["hall-1", town.hall.epoch].granted > sold
        assert town.alarms() == {"not-planned"}


def freeze(world: World, reason: str) -> None:
    with world.database.write() as db:
        db.execute(sa.update(t.quota).values(frozen=reason))


def test_a_frozen_quota_answers_nobody(world: World) -> None:
    yard = world.add("yard-1", "yard")
    freeze(world, "look at it")
    world.tell(yard, request(yard, "o1", 1))
    world.tick()
    assert states(world) == {"o1": "waiting"}
    freeze(world, "")
    world.tick()
    world.tick()
    assert answers(world, "yard-1") == [("o1", "yes")]


def echo(world: World, device: FakeDevice, order: str) -> bytes:
    """What a device tells once it signed what was confirmed for it."""
    said = next(each for each in world.bodies(device.name) if isinstance(each, OrderConfirmed) and each.order == order)
    return device.envelope(said)


def test_a_device_tells_what_it_signed_and_nothing_counts_twice(world: World) -> None:
    _, yard = both(world)
    world.tell(yard, request(yard, "o1", 1))
    world.tick()
    world.tell(yard, echo(world, yard, "o1"))
    assert world.totals()["yard-1", yard.epoch].confirmed == 1
    assert world.scalar("SELECT count(*) FROM ticket") == 1
    assert world.rows("SELECT * FROM request_wish") == []
    assert world.alarms() == set()


def test_a_cloud_that_forgot_its_answer_learns_it_from_the_device(world: World) -> None:
    _, yard = both(world)
    world.tell(yard, request(yard, "o1", 1))
    world.tick()
    signed = echo(world, yard, "o1")
    with world.database.write() as db:  # as an older copy has it: asked, not answered; the total is told by the device
        db.execute(sa.update(t.request).values(state="waiting"))
        db.execute(sa.insert(t.asked).values(quota="q", order_id="o1", quantity=1))
        db.execute(sa.delete(t.order))
        db.execute(sa.delete(t.ticket))
    world.tell(yard, signed)
    world.tick()
    assert states(world) == {"o1": "confirmed"}
    assert world.totals()["yard-1", yard.epoch].confirmed == 1
    assert world.rows("SELECT id, status FROM orders") == [("o1", "confirmed")]
    assert world.scalar("SELECT count(*) FROM ticket") == 1
    assert world.rows("SELECT * FROM asked") == []
    conserved(world)


def test_people_in_line_come_before_requests(world: World) -> None:
    """What the line is due is granted first; a request gets what is left, and what comes back later."""
    hall, yard = both(world)
    _sell_out(world, yard)
    world.tick()
    yard.hear(world)
    pool = world.pool()
    wanted = pool + yard.totals.unsold
    world.tell(yard, yard.envelope(WaitlistJoined("w1", "q", 1, (Wish("t", wanted),), 0)))
    world.tell(yard, request(yard, "o1", 1))
    world.tick()
    assert world.totals()["yard-1", yard.epoch].unsold >= wanted
    assert world.totals()["yard-1", yard.epoch].confirmed == 0
    assert states(world) == {"o1": "waiting"}
    hall.hear(world)
    hall.totals = msgspec.structs.replace(hall.totals, returned=3)
    world.tell(hall, hall.envelope(AllocationReturned((hall.count(),))))
    world.tick()
    assert answers(world, "yard-1") == [("o1", "yes")]
    conserved(world)


def test_an_order_over_two_quotas_waits_for_both_and_is_met_as_a_whole(world: World) -> None:
    _, yard = both(world)
    session = programme().events[0].sessions[0]
    balcony = (*session.quotas, Quota("r", "balcony", 0))
    more = (*session.ticket_types, TicketType("u", "Balcony", "r", 1250, "EUR"))
    apply_catalogue(world.database, programme(changes={"quotas": balcony, "ticket_types": more}), {}, world.now_ms)
    world.tick()
    pool = world.pool()
    seats = tuple(TicketFact(f"o1-{q}", f"o1{q}", k, "s", q, 0, 1250, "EUR") for k, q in (("t", "q"), ("u", "r")))
    world.tell(yard, yard.envelope(OrderRequested("o1", "o1", "promised", seats, START_MS)))
    world.tick()
    assert answers(world, "yard-1") == [("o1", "sold_out")]
    assert world.pool() == pool
    balcony = (*session.quotas, Quota("r", "balcony", 1))
    apply_catalogue(world.database, programme(changes={"quotas": balcony, "ticket_types": more}), {}, world.now_ms)
    freeze(world, "look at it")
    seats = tuple(msgspec.structs.replace(each, ticket=each.ticket.replace("o1", "o2")) for each in seats)
    world.tell(yard, yard.envelope(OrderRequested("o2", "o2", "promised", seats, START_MS)))
    freeze(world, "")
    world.tick()
    world.tick()
    assert answers(world, "yard-1")[1:] == [("o2", "yes")]
    counted = world.rows("SELECT quota, confirmed FROM allocation WHERE device = 'yard-1' ORDER BY quota")
    assert counted == [("q", 1), ("r", 1)]


def test_a_quota_nobody_knows_is_a_no(world: World) -> None:
    yard = world.add("yard-1", "yard")
    world.tell(yard, request(yard, "o1", 1, quota="elsewhere"))
    world.tick()
    assert answers(world, "yard-1") == [("o1", "closed")]


def test_a_lower_limit_comes_before_requests(world: World) -> None:
    """While returning stock has yet to allow the new limit, nothing leaves the pool."""
    hall, yard = both(world)
    apply_catalogue(world.database, programme(limit=12), {}, world.now_ms)
    world.tell(yard, request(yard, "o1", 1))
    world.tick()
    assert answers(world, "yard-1") == []
    hall.hear(world)
    hall.totals = msgspec.structs.replace(hall.totals, returned=hall.totals.granted)
    world.tell(hall, hall.envelope(AllocationReturned((hall.count(),))))
    for _ in range(3):
        world.tick()
    assert world.scalar("SELECT \"limit\" FROM quota WHERE id = 'q'") == 12


def test_who_is_erased_while_waiting_is_passed_on_to_nobody(world: World) -> None:
    _, yard = both(world)
    world.tell(yard, request(yard, "o1-long-enough-to-be-an-id", world.pool() + 1, private=ANNA))
    assert world.scalar("SELECT private FROM request") is not None
    erase(world.database, world.key, ORG, world.now_ms, "e1", contact="anna@example.org")
    assert world.scalar("SELECT private FROM request") is None


def test_planners_at_once_meet_a_request_once(world: World) -> None:
    _, yard = both(world)
    free = world.pool()
    world.reconciler._listening = False  # nobody plans yet
    for k in range(free + 4):
        world.say("yard-1", "msg", request(yard, f"o{k}", 1))
    world.run()
    store = SqlStore(world.database)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: store.run(lambda rows: plan_quotas(rows, ["q"], world.now_ms, Catalogues())), range(8)))
    assert world.totals()["yard-1", yard.epoch].confirmed == free
    assert list(states(world).values()).count("confirmed") == free
    conserved(world)


class MemoryWorld(World):
    """The same on dictionaries, as the simulator runs it."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.store.found(programme())
        self.wire, self.key, self.now_ms = Wire(), Key(), START_MS
        self.reconciler = Reconciler(self.store, self.wire, self.key, ORG, lambda: self.now_ms, lambda: self.now_ms)
        self.connect()

    @property
    def inc(self) -> str:
        return "1.memory"


def test_without_a_database_the_answers_are_the_same() -> None:
    world = MemoryWorld()
    world.store.register("hall-1", "hall", 0)
    world.store.register("yard-1", "yard", 0)
    world.tick()
    yard = FakeDevice("yard-1", "yard")
    yard.hello(world)
    world.run()
    yard.hear(world)
    world.tell(yard, request(yard, "o1", 2), request(yard, "o2", 26), request(yard, "o3", 1))
    world.tell(yard, yard.envelope(RequestWithdrawn("o3")))
    world.tick()
    assert answers(world, "yard-1") == [("o1", "yes"), ("o3", "yes"), ("o2", "sold_out")]
    rows = world.store.rows
    assert sum(each.confirmed for each in rows.all(Line)) == 3
    assert {each.order_id: each.state for each in rows.all(Request)} == {
        "o1": "confirmed",
        "o2": "refused",
        "o3": "confirmed",
    }
    assert rows.all(Asked) == []
    assert yard.totals == Totals(granted=yard.totals.granted)
