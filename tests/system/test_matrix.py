"""Rows of the failure matrix that are about real processes: Mosquitto with the shipped files, PostgreSQL, ``marquee`` commands.

One town serves all tests here: each breaks something, books through it, heals it, and ends with nothing lost, nothing counted twice,
nothing oversold and balanced books (``Town.check``).
"""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.doctor.examination import examine
from appliance.settings import read_settings
from tests.mqtt_bridge.wire import Wire
from tests.support.demo import wait_for
from tests.support.http import request
from tests.support.town import Town, Venue, running

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with running(tmp_path_factory.mktemp("town"), seats=600, server=True) as started:
        yield started


def linked(town: Town) -> None:
    wait_for(lambda: all(venue.linked() for venue in town.venues), "both links", 40)


def findings(town: Town, venue: Venue | None = None) -> str:
    """What ``marquee doctor`` says about the broker, in the cloud or at a venue."""
    settings = read_settings(venue.config if venue else town.config, {})
    return "\n".join(f"{each.state} {each.detail}" for each in examine(settings) if each.check == "broker")


@pytest.mark.fault(12)
def test_a_broker_killed_under_load_costs_nothing_but_time(town: Town) -> None:
    """kill -9 with messages in its memory; venues sell on meanwhile, then every outbox is replayed."""
    for number in range(12):
        if number == 4:
            town.broker.kill()
        town.venues[number % 2].buy()
    assert all(venue.unsynced() for venue in town.venues)
    town.broker.start()
    town.check()


@pytest.mark.fault(13)
def test_what_an_overflowing_queue_dropped_is_sent_again_and_told(town: Town) -> None:
    """The reconciler hangs, the broker says success and drops: rows stay until acknowledged, the doctor says it."""
    town.broker.stop()
    town.broker.write(max_inflight_messages="1", max_queued_messages="2", sys_interval="1")
    town.broker.start()
    linked(town)
    reconciler = town.cloud["reconciler"].pid
    os.kill(reconciler, signal.SIGSTOP)
    try:
        for _ in range(10):
            for venue in town.venues:
                venue.buy()
        time.sleep(2)
        assert all(venue.unsynced() >= 10 for venue in town.venues)
    finally:
        os.kill(reconciler, signal.SIGCONT)
    town.check()
    wait_for(lambda: "it dropped" in findings(town), "a warning")
    wait_for(lambda: "broker-dropped" in town.alarms(), "an alarm")
    town.broker.stop()
    town.broker.write()
    town.broker.start()
    linked(town)


@pytest.mark.fault(14, 5)
def test_a_reconciler_killed_between_commit_and_acknowledgement_counts_once(town: Town) -> None:
    """Its rows are committed, its word never left; killed and started again it is told again, and acknowledges."""
    before = town.sold()
    town.wire.swallow(of_client=True)
    for venue in town.venues:
        venue.buy(2)
    wait_for(lambda: town.sold() == before + 4, "committed sales")
    assert all(venue.unsynced() for venue in town.venues)
    town.cloud["reconciler"].kill()
    town.wire.heal()
    town.wire.cut()
    town.cloud["reconciler"].start()
    town.check()
    assert town.sold() == before + 4


@pytest.mark.fault(4)
def test_an_answer_that_never_arrived_is_the_same_order_when_asked_again(town: Town) -> None:
    """The order was committed, the phone heard nothing: the same request under its key finds that order, also after a kill."""
    venue = town.yard
    wire = Wire(venue.port)
    before = len(venue.issued())
    hold = venue.hold().json["hold"]
    wire.swallow(of_client=False)
    url = f"http://127.0.0.1:{wire.port}/api/v1/orders"
    with pytest.raises(OSError, match="POST"):
        request("POST", url, {"hold": hold}, headers={"Idempotency-Key": "k1"}, timeout_s=2)
    wire.close()
    assert len(venue.issued()) == before + 1
    venue.kill()
    venue.start().ready()
    again = [venue.post("/api/v1/orders", {"hold": hold}, Idempotency_Key="k1") for _ in range(2)]
    assert [each.status for each in again] == [201, 201]
    assert again[0].json["order"] == again[1].json["order"]
    assert len(venue.issued()) == before + 1
    town.check()


@pytest.mark.fault(16)
def test_without_the_clouds_database_venues_sell_on_and_are_not_acknowledged(town: Town) -> None:
    """PostgreSQL is stopped and started; no process is restarted."""
    assert town.server is not None
    town.server.stop()
    for _ in range(3):
        for venue in town.venues:
            venue.buy()
    time.sleep(2)
    assert all(venue.unsynced() >= 3 for venue in town.venues)
    town.server.start()
    town.check()


@pytest.mark.fault(23)
def test_a_half_open_connection_is_noticed_and_replaced(town: Town) -> None:
    """Both ends believe in a connection that swallows everything; the device says so, sells on and heals by itself."""
    venue = town.hall
    venue.wire.silence()
    venue.buy()
    wait_for(lambda: not venue.linked(), "a noticed silence", 30)
    venue.buy()
    assert venue.unsynced() >= 2
    venue.wire.heal()
    town.check()
    assert venue.linked()


@pytest.mark.fault(24)
def test_a_device_shut_out_or_revoked_in_mid_event_keeps_its_rows_and_says_why(town: Town) -> None:
    """First by the access list (refusals hidden behind a PUBACK), then by its certificate; let in again it loses nothing."""
    venue = town.yard
    town.broker.write(venue.device)
    town.broker.reload()
    time.sleep(0.5)
    venue.buy()
    wait_for(lambda: "Not authorized" in venue.log(), "a refusal in the log", 20)
    wait_for(lambda: not venue.linked(), "a device that knows", 20)
    assert venue.unsynced() == 1
    town.broker.authority.revoke(venue.device)
    town.broker.reload()
    venue.wire.cut()
    wait_for(lambda: "certificate revoked" in venue.log(), "the reason in the log", 20)
    assert "certificate revoked" in findings(town, venue)
    venue.buy()
    assert venue.unsynced() == 2
    assert venue.available() > 0
    town.broker.write()
    town.broker.authority.pardon(venue.device)
    town.broker.stop()
    town.broker.start()
    town.check()


@pytest.mark.fault(25)
def test_a_full_disk_refuses_before_it_promises_and_comes_back(town: Town) -> None:
    """Nothing can be written: holds and orders are refused with 503, pages answer, what was promised is kept."""
    venue = town.hall
    kept, ticket = venue.hold().json["hold"], venue.buy()["tickets"][0]["code"]
    venue.sign_in()
    before, sold = venue.available(), len(venue.issued())
    pids = workers(venue)
    limits = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in pids}
    for pid, (_, hard) in limits.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, hard))
    try:
        for _ in range(3):
            answer = venue.hold()
            assert (answer.status, answer.json["type"]) == (503, "/problems/busy")
            assert venue.post("/api/v1/orders", {"hold": kept}).status == 503
            assert venue.try_scan(ticket).status == 503
        assert venue.get("/").status == 200
        assert venue.get("/api/v1/events").status == 200
    finally:
        for pid, limit in limits.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)
    assert (venue.available(), len(venue.issued())) == (before, sold)
    assert venue.post("/api/v1/orders", {"hold": kept}).status == 201
    assert venue.scan(ticket)["verdict"] == "admitted"
    town.check()


def workers(venue: Venue) -> list[int]:
    """The portal's master and its workers."""
    pid = venue.processes["portal"].pid
    assert pid is not None
    return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


@pytest.mark.fault(1)
def test_a_venue_cut_off_for_long_sells_its_own_and_all_of_it_arrives(town: Town) -> None:
    """No link, and both venue processes killed in between; the rest of the town goes on."""
    venue = town.yard
    venue.wire.silence()
    venue.wire.cut()
    for number in range(8):
        venue.buy()
        if number == 3:
            venue.kill()
            venue.start().ready()
    town.hall.buy()
    assert venue.unsynced() >= 8
    venue.wire.heal()
    venue.wire.cut()
    town.check()
