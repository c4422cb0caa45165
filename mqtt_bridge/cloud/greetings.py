"""A device says hello: who it is, which life it lives, how far each side has heard the other."""

from __future__ import annotations

import sys

import structlog

from mqtt_bridge.cloud.catching_up import expect
from mqtt_bridge.cloud.hearing import Hearing
from mqtt_bridge.cloud.introductions import begin_life, introduce_earlier, keys_of, lives, pin_key
from mqtt_bridge.cloud.records import Device, Key, Line
from mqtt_bridge.cloud.restoring import hear_again, lost_epoch, named_by_status
from mqtt_bridge.cloud.retelling import retell
from mqtt_bridge.protocol.codec import decode
from mqtt_bridge.protocol.messages import Ack, Hello

log = structlog.get_logger("marquee.reconciler")

# Another card of the same name would have said something by then, for they take the broker from each other; unless we did not
# listen: who is not answered says hello at least every half minute.
ANOTHER_CARD_MS, DEAF_MS = 60_000, 45_000
ONE_TOO_MANY = "if two cards are in use, seal this name and provision both under new ones"


def take_hello(at: Hearing, device: Device, payload: bytes) -> None:
    """Begin a device's life, go on with it, or list why not."""
    hello = decode(payload, Hello)
    if (hello.device, hello.venue) != (device.name, device.venue):
        at.alarm("wrong-identity", device.name, f"says it is {hello.device} at {hello.venue}"[:200], payload)
        return
    if not _known_key(at, device, hello):
        detail = (
            "said hello with a key that was never pinned; if its card was replaced, provision that under a new name"
        )
        at.alarm("strange-key", device.name, detail, payload)
        return
    status = "sealed" if device.status == "sealed" else "live"
    before_ms, late = device.last_seen_ms or 0, device.overtaken(hello.sent_at_ms)
    device = at.seen(device, hello.inc, status=status, status_sent_ms=hello.sent_at_ms)
    at.outcome.answered.add(device.name)
    if status == "sealed":
        detail = "a sealed device is back: it is told to stop, and what it says is read as evidence"
        at.alarm("sealed", device.name, detail, None)
    known = lives(at.work, device.name)
    introduced = hello.inc in known
    if introduced and hello.inc != device.inc:
        if not named_by_status(at.work, device) or known[hello.inc] != device.epoch:
            detail = f"a copy in the earlier incarnation {hello.inc} is running; {ONE_TOO_MANY}"
            at.alarm("old-life", device.name, detail, None)
            _stop_if_alone(at, device, hello.inc, before_ms)
            return
        device = at.work.of(Device).change(device, inc=hello.inc)
    if not introduced:
        if hello.began == "went_back":
            detail = f"remembered less of {device.inc} than arrived here: an old copy of its card, now {hello.inc}"
            at.alarm("went-back", f"{device.name} {device.inc}", detail, None)
        followed = device.inc is not None
        device = begin_life(at.work, device, hello.inc, at.cloud, at.wall_ms, epoch=lost_epoch(at.cloud, hello))
        if followed and status == "live":
            retell(at.work, at.catalogue, device.name)
            at.outcome.addressees.add(device.name)
        log.info("device.life", device=device.name, inc=hello.inc, epoch=device.epoch)
    _welcome(at, device, hello, new_life=not introduced, late=late)


def _stop_if_alone(at: Hearing, device: Device, inc: str, before_ms: int) -> None:
    """Two cards of one name speak by turns; if for long only the older life does, an image of before is all there is of the card.

    Then that life is the present one again, only to be stopped: its device begins another, and tells all that it has.
    ``before_ms`` is when the device was heard last before this.
    """
    listened = 0 <= at.wall_ms - before_ms < DEAF_MS
    if device.older_inc != inc or not listened:
        at.work.of(Device).change(device, older_inc=inc, older_since_ms=at.wall_ms)
    elif at.wall_ms - device.older_since_ms >= ANOTHER_CARD_MS:
        device = at.work.of(Device).change(device, inc=inc)
        at.stop(device, f"goes on in {inc}, and nobody in the life after it: an old copy of its card")


def _welcome(at: Hearing, device: Device, hello: Hello, *, new_life: bool, late: bool) -> None:
    """Say how far this life got, merge what it counts and begin its downlink at the first message it does not have.

    A hello that remembers less than arrived may have been overtaken; a device whose database went back in time sees it in
    the state it gets, and begins another life.
    """
    applied = at.mail.received(device.name, hello.inc)
    if not device.stopped:
        at.outcome.acks[device.name, hello.inc] = Ack(hello.inc, applied)
    introduce_earlier(at.work, device, hello.earlier, at.wall_ms)
    before, device = device.generation, hear_again(at.work, device, hello)
    first = at.cloud.restoring and device.generation != before
    if new_life or hello.generation == at.cloud.generation:  # an older hello may have been overtaken
        expect(at.work, device, hello, new_life=new_life, first=first, late=late)
    # Of a life that it has nothing more to tell of, because all of it comes under other numbers, nothing fills the gaps.
    for inc in lives(at.work, device.name).keys() - {hello.inc, *(each.inc for each in hello.untold)}:
        at.mail.forget_early(device.name, inc, sys.maxsize)
    for count in hello.stock:
        at.counts.report(device.name, count, now=count.epoch == device.epoch)
    started = {each.quota for each in at.work.of(Line).where("device", device.name) if each.epoch == device.epoch}
    at.outcome.waiting |= at.catalogue.quota.keys() - started
    at.outcome.moved |= started
    inc = at.cloud.inc
    got = Ack(inc, max(0, hello.downlink.upto) if hello.downlink.inc == inc else 0)
    at.mail.rewind(device.name, got)
    at.acknowledged(device, got)
    at.outcome.restarted.add(device.name)


def _known_key(at: Hearing, device: Device, hello: Hello) -> bool:
    """The first key a registered device shows is its own from then on; where that is believed no more, no other is."""
    first = not at.work.of(Key).where("device", device.name)
    if first and pin_key(at.work, device.name, hello.kid, hello.public, at.wall_ms):
        at.outcome.keys_changed = True
    return keys_of(at.work, device.name).get(hello.kid) == hello.public.lower()
