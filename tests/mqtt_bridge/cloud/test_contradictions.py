"""The list of what cannot all be right."""

from __future__ import annotations

from sqlalchemy import Connection

from mqtt_bridge.cloud import contradictions
from mqtt_bridge.cloud.alarms import contradict
from mqtt_bridge.cloud.sql import SqlRows
from mqtt_bridge.cloud.work import Work
from tests.mqtt_bridge.cloud.world import World


def test_told_twice_it_is_one_row_counted_and_a_decision_stays(world: World) -> None:
    """A message that comes again lists nothing new; nobody decides it twice."""

    def add(at_ms: int) -> bool:
        def run(db: Connection) -> bool:
            work = Work(SqlRows(db))
            new = contradict(work, "oversold", "t1", "one too many", at_ms, order="o1", tickets=["t1"])
            work.write()
            return new

        return world.database.run(run)

    assert add(5)
    assert not add(7)
    with world.database.read() as db:
        (found,) = contradictions.listed(db)
        assert contradictions.open_count(db) == 1
    assert (found.count, found.first_at_ms, found.last_at_ms, found.tickets) == (2, 5, 7, ("t1",))

    def decide(who: str) -> bool:
        return world.database.run(
            lambda db: contradictions.decide(db, found.id, "resolved", "refund", "12.00 EUR", who, 9)
        )

    assert decide("ada")
    assert not decide("bob")
    assert not add(11)
    with world.database.read() as db:
        assert contradictions.listed(db) == ()
        (done,) = contradictions.listed(db, "decided")
    assert (done.state, done.remedy, done.decided_by, done.count) == ("resolved", "refund", "ada", 3)
