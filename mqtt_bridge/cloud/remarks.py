"""What devices say of themselves beside their messages: how they are, what they need, how far they have heard us.

None of it has a number: the next one says the same better, and what was overtaken is dropped.
"""

from __future__ import annotations

import json

from mqtt_bridge.cloud.catching_up import give_again
from mqtt_bridge.cloud.hearing import Hearing
from mqtt_bridge.cloud.records import OVERTAKEN_MS, Cloud, Device, Line, outage_columns
from mqtt_bridge.cloud.restoring import forgotten_life, remember
from mqtt_bridge.protocol.codec import decode
from mqtt_bridge.protocol.messages import Ack, DeviceState, HardwareReport, Need, Status
from mqtt_bridge.protocol.running import Running, running_of

LARGEST_COUNT = 2**31 - 1
LONGEST_HARDWARE = 4000
LONGEST_REPORT = 16_000


def take_status(at: Hearing, device: Device, payload: bytes) -> None:
    """How it is and what it counts."""
    status = decode(payload, Status)
    if status.device == device.name and status.inc != device.inc and at.cloud.restoring:
        device = forgotten_life(at.work, device, status.inc)
        at.outcome.answered.add(device.name)
    if status.device != device.name or status.inc != device.inc or device.overtaken(status.sent_at_ms):
        return
    hardware = json.dumps(status.hardware, sort_keys=True)
    at.seen(
        device,
        status.inc,
        status_sent_ms=status.sent_at_ms,
        unsynced=min(max(0, status.unsynced), LARGEST_COUNT),
        oldest_unsynced_ms=max(0, status.oldest_unsynced_ms),
        clock_trusted=status.clock_trusted,
        hardware=hardware if len(hardware) <= LONGEST_HARDWARE else "{}",
    )
    for count in status.stock:
        at.counts.report(device.name, count, now=True)


def take_need(at: Hearing, device: Device, payload: bytes) -> None:
    """It asks for stock."""
    need = decode(payload, Need)
    if need.device != device.name or need.inc != device.inc:
        return
    at.seen(device, need.inc)
    for each in need.needs:
        at.counts.ask(device.name, device.epoch, each)
    at.outcome.answered.add(device.name)


def take_ack(at: Hearing, device: Device, payload: bytes) -> None:
    """How far it has our words."""
    # Also of what this cloud sent before it was restored: its backup may not know that it arrived.
    ack = decode(payload, Ack)
    at.acknowledged(device, ack)
    if ack.inc != at.cloud.inc and 0 <= ack.upto < at.mail.streams(device.name).get(ack.inc, 0):
        # No hello says this of it: a card that went back in time too lacks what precedes, and waits for it in vain.
        at.mail.rewind(device.name, ack)
        give_again(at.work, device.name, ack)
        at.outcome.addressees.add(device.name)


def take_link(at: Hearing, device: Device, payload: bytes) -> None:
    """Its connection stands, or the broker says that it broke."""
    up = bool(payload) and decode(payload, dict[str, bool]).get("up", False)
    if up != device.link_up:
        outages = device.outage_memory.link(at.wall_ms, up=up)
        at.work.of(Device).change(device, link_up=up, **outage_columns(outages))


def take_health(at: Hearing, device: Device, payload: bytes) -> None:
    """How its hardware is, at length."""
    report = decode(payload, HardwareReport)
    known = device.hardware_report()
    overtaken = known is not None and 0 < known.sent_at_ms - report.sent_at_ms <= OVERTAKEN_MS
    if report.device == device.name and len(payload) <= LONGEST_REPORT and not overtaken:
        _tell_of_update(at, device.name, running_of(known), running_of(report))
        at.work.of(Device).change(device, health=payload.decode())


def _tell_of_update(at: Hearing, device: str, before: Running | None, now: Running | None) -> None:
    """An update that did not stay is an alarm, once: the device repeats it until the next one."""
    if now is None or now.went_back is None:
        return
    if before is None or (before.went_back, before.since_ms) != (now.went_back, now.since_ms):
        lost, here = now.went_back or "an update", f"slot {now.slot or '?'} with {now.image or 'the image before'}"
        at.alarm("went-back", device, f"{lost} did not stay: {here} runs again; sales go on, look why in its log", None)


def take_state(at: Hearing, device: Device, payload: bytes) -> None:
    """A state that this cloud published: if it says more than our rows, the rows are an old copy."""
    state = decode(payload, DeviceState)
    if at.cloud.restoring and state.generation < at.cloud.generation:
        remember(at.work, state)
        at.outcome.answered.add(device.name)
        return
    ahead = state.revision > device.state_revision
    for grant in state.grants:
        line = at.work.of(Line).get(grant.quota, device.name, grant.epoch)
        ahead = ahead or grant.granted > (0 if line is None else line.granted)
    if ahead:
        reason = f"the broker holds a newer state of {device.name} than these rows: restored from an old copy?"
        at.alarm("granted-ahead", device.name, reason, payload)
        at.work.of(Cloud).change(at.cloud, frozen=reason)
        at.freezes = True
