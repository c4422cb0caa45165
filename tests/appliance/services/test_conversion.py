"""seen -> held -> confirmed -> admitted: phones are counted once, in the variant they saw, and the cloud hears totals."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import msgspec
import pytest
from sqlalchemy import select

from appliance.domain.clock import DAY_MS, HOUR_MS, MINUTE_MS
from appliance.services import booking, conversion, door, sweep, sync
from appliance.services.booking import Item
from appliance.services.conversion import Visit
from appliance.store import tables
from mqtt_bridge.protocol.catalogue import Experiment, Variant
from mqtt_bridge.protocol.messages import CheckedIn, ConversionCounted
from tests.appliance.services.outbox import bodies
from tests.support.box import ADULT, BADGE, ELSEWHERE, SLUG, START_MS, TestBox, guest

WORDS = Experiment(
    "words",
    SLUG,
    "A short title is held more often.",
    "held",
    100,
    START_MS - HOUR_MS,
    START_MS + HOUR_MS,
    (Variant("as-is"), Variant("short", title="Wet")),
)


@pytest.fixture
def asking(box: TestBox) -> TestBox:
    catalogue = msgspec.structs.replace(box.look(lambda unit: unit.catalogue), version=2, experiments=(WORDS,))
    box.run(lambda unit: sync.apply_catalogue(unit, catalogue))
    return box


def look_at(box: TestBox, *visitors: tuple[str, int]) -> int:
    return box.run(lambda unit: conversion.seen(unit, [Visit(SLUG, name, bucket) for name, bucket in visitors]))


def hold(box: TestBox, visitor: str, bucket: int = 0, ticket_type: str = ADULT) -> str:
    client = replace(guest(f"phone-{visitor}"), visitor=visitor, bucket=bucket)
    return box.run(lambda unit: booking.place_hold(unit, client, [Item(ticket_type, 1)])).id


def figures(box: TestBox) -> dict[tuple[str, str], int]:
    return {(each.variant, each.stage): each.phones for each in box.look(conversion.totals)}


def test_a_phone_counts_once_at_each_stage_however_often_it_comes(box: TestBox):
    assert look_at(box, ("a", 0), ("a", 5), ("b", 1)) == 2
    assert look_at(box, ("a", 0)) == 0
    first = hold(box, "a")
    hold(box, "a")
    order = box.run(lambda unit: booking.confirm(unit, first))
    assert figures(box) == {("", "seen"): 2, ("", "held"): 1, ("", "confirmed"): 1}
    for ticket in order.tickets:
        box.run(partial(door.pay_and_admit, code=ticket.code, staff=BADGE, method="cash", lane="1"))
    assert figures(box)["", "admitted"] == 1


def test_whoever_holds_without_having_been_seen_has_seen_it(box: TestBox):
    hold(box, "a")
    assert figures(box) == {("", "seen"): 1, ("", "held"): 1}
    assert look_at(box, ("a", 0)) == 0


def test_staff_sales_count_for_nobody(box: TestBox):
    box.run(lambda unit: door.sell(unit, BADGE, [Item(ADULT, 2)], "cash", "1"))
    assert figures(box) == {}


def test_each_variant_counts_for_itself_and_a_phone_stays_with_what_it_saw_first(asking: TestBox):
    look_at(asking, ("a", 0), ("b", 1), ("c", 3))
    hold(asking, "b", bucket=0)
    assert figures(asking) == {("as-is", "seen"): 1, ("short", "seen"): 2, ("short", "held"): 1}


def test_it_shows_what_it_counts(asking: TestBox):
    event = asking.look(lambda unit: unit.catalogue.event[SLUG])
    titles = [asking.look(partial(conversion.dress, event=event, bucket=bucket)).title for bucket in (0, 1, 2, 11)]
    assert titles == [event.title, "Wet", event.title, "Wet"]


def test_when_it_is_over_everybody_sees_the_event_itself_and_the_answer_no_longer_moves(asking: TestBox):
    look_at(asking, ("a", 1))
    asking.turn.advance(HOUR_MS)
    event = asking.look(lambda unit: unit.catalogue.event[SLUG])
    assert asking.look(lambda unit: conversion.dress(unit, event, 1)) is event
    look_at(asking, ("b", 1))
    assert figures(asking) == {("short", "seen"): 1, ("", "seen"): 1}


def test_a_sale_begun_in_a_variant_is_counted_there_even_if_it_ends_after_the_experiment(asking: TestBox):
    held = hold(asking, "a", bucket=1)
    asking.turn.advance(HOUR_MS)
    asking.run(lambda unit: booking.confirm(unit, held))
    assert figures(asking)["short", "confirmed"] == 1


def test_a_ticket_used_at_another_venue_counts_where_it_was_sold(box: TestBox):
    held = hold(box, "a", ticket_type=ELSEWHERE)
    order = box.run(lambda unit: booking.confirm(unit, held))
    ticket = order.tickets[0]
    scan = CheckedIn("scan-1", "admitted", None, ticket.id, ticket.at.id, BADGE, START_MS)
    for _ in range(2):
        box.run(lambda unit: door.on_checked_in(unit, scan, "south-1"))
    assert figures(box)["", "admitted"] == 1


def test_the_cloud_hears_totals_at_most_once_a_minute_and_only_what_grew(box: TestBox):
    look_at(box, ("a", 0), ("b", 0))
    box.run(sweep.sweep)
    look_at(box, ("c", 0))
    hold(box, "a")
    box.run(sweep.sweep)
    told = [each for each in bodies(box) if isinstance(each, ConversionCounted)]
    assert [[(each.stage, each.phones) for each in body.counts] for body in told] == [[("seen", 2)]]
    box.turn.advance(MINUTE_MS)
    box.run(sweep.sweep)
    box.turn.advance(MINUTE_MS)
    box.run(sweep.sweep)
    told = [each for each in bodies(box) if isinstance(each, ConversionCounted)][1:]
    assert [[(each.stage, each.phones) for each in body.counts] for body in told] == [[("held", 1), ("seen", 3)]]


def test_phones_are_forgotten_a_week_after_the_event_and_totals_stay(box: TestBox):
    look_at(box, ("a", 0))
    ends = max(at.ends_at_ms for at in box.look(lambda unit: unit.catalogue.event[SLUG].sessions))
    box.turn.advance(ends - START_MS + 6 * DAY_MS)
    box.run(sweep.sweep)
    assert look_at(box, ("a", 0)) == 0
    box.turn.advance(2 * DAY_MS)
    box.run(sweep.sweep)
    with box.database.read() as db:
        assert not db.execute(select(tables.visitor)).all()
    assert figures(box) == {("", "seen"): 1}


def test_what_names_no_event_is_not_counted(box: TestBox):
    assert box.run(lambda unit: conversion.seen(unit, [Visit("no-such", "a", 0)])) == 0


def test_nobody_fills_the_card_with_visits(box: TestBox, monkeypatch):
    monkeypatch.setattr(conversion, "MOST_PHONES", 3)
    assert look_at(box, *((f"p{n}", 0) for n in range(5))) == 3
    hold(box, "p9")
    assert figures(box) == {("", "seen"): 3}
