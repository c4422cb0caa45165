from __future__ import annotations

import pytest

from appliance.domain.clock import DAY_MS
from appliance.domain.errors import Invalid, KeyReused, SoldOutHere
from appliance.services import booking, idempotency, listing, sweep
from appliance.services.booking import Item
from tests.support.box import ADULT, TestBox, desk, guest


def once(box: TestBox, key: str = "k", fingerprint: str = "f", scope: str = "phone-1", status: int = 201):
    def work(unit):
        def action():
            held = booking.place_hold(unit, guest(), [Item(ADULT, 1)])
            return status, held.id.encode()

        return idempotency.once(unit, scope, key, fingerprint, action)

    return box.run(work)


def available(box: TestBox) -> int:
    return dict(box.look(listing.availability).items)[ADULT]


def test_the_first_answer_is_replayed_and_nothing_happens_twice(box):
    status, answer, replayed = once(box)
    assert (status, replayed) == (201, False)
    assert once(box) == (201, answer, True)
    assert available(box) == 9


def test_another_body_under_the_same_key_is_refused(box):
    once(box)
    with pytest.raises(KeyReused):
        once(box, fingerprint="other")


def test_keys_of_different_clients_are_different_keys(box):
    once(box)
    assert not once(box, scope="phone-2")[2]


def test_refusals_and_other_answers_are_not_remembered(box):
    once(box, status=409)
    assert not _remembered(box)
    box.run(lambda unit: booking.place_hold(unit, desk(), [Item(ADULT, 9)]))
    with pytest.raises(SoldOutHere):
        once(box)
    assert not _remembered(box)


def _remembered(box: TestBox) -> bool:
    from appliance.store.tables import idempotency as table

    with box.database.read() as db:
        return db.execute(table.select()).first() is not None


@pytest.mark.parametrize("key", ["", "x" * 201])
def test_a_key_has_a_sane_length(box, key):
    with pytest.raises(Invalid):
        once(box, key=key)


def test_an_answer_is_kept_until_thirty_days_after_the_last_event(box):
    once(box)
    box.turn.advance(30 * DAY_MS)
    box.run(sweep.sweep)
    assert _remembered(box)
    box.turn.advance(DAY_MS)
    box.turn.trust(False)
    box.run(sweep.sweep)
    assert _remembered(box), "an untrusted clock deletes nothing"
    box.turn.trust(True)
    box.run(sweep.sweep)
    assert not _remembered(box)
