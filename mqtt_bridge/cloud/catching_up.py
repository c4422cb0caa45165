"""Requests after a restore: what a device has to tell first, and which tickets of the pool it has to be given again.

The lost cloud may have said yes since the backup. A device takes such a yes only until it names the new generation in a hello,
and then counts in ``confirmed`` what came to it and nothing else; so from that hello on everything is known about its requests
but not all of it has been told yet. They wait until as many messages have arrived as the hello says there are. A yes, or a
rebooking, that the backup itself still had to deliver is given again in the new generation's name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from mqtt_bridge.cloud.letterbox import WorkMail
from mqtt_bridge.cloud.records import Device, Letter, Life, Line, Stream
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.protocol.codec import decode, encode
from mqtt_bridge.protocol.messages import Ack, Content, Envelope, Hello, OrderConfirmed, OrderRebooked
from mqtt_bridge.protocol.topics import CLOUD

GIVING = frozenset({OrderConfirmed.__name__, OrderRebooked.__name__})


def expect(work: Work, device: Device, hello: Hello, *, new_life: bool, first: bool, late: bool) -> None:
    """Note how far a device's lives have to be told.

    ``first``: this is the first hello of the present generation since a restore. A new life carries over what earlier ones
    had not told; so does one that found another history of them here. A later hello that has written less is of a card that went
    back in time: what it forgot never comes; unless it is a ``late`` one, sent before another that was heard.
    """
    lives = work.of(Life)
    told = {hello.inc, *(each.inc for each in hello.untold)}
    due = [each for each in lives.where("device", device.name) if each.due_upto]
    carried = [each for each in due if new_life or each.inc not in told]
    for each in carried:
        lives.change(each, due_upto=0)
    for written in (Ack(hello.inc, hello.last_seq), *hello.untold):
        life = lives.get(device.name, written.inc)
        if life is None:
            continue
        if first or carried or (written.upto < life.due_upto and not late):
            lives.change(life, due_upto=written.upto)


def caught_up(work: Work, devices: Iterable[str]) -> frozenset[str]:
    """Return those devices of which all has arrived that they had to tell after a restore; nobody waits for a sealed one."""
    names = sorted(set(devices))
    work.of(Device).fetch("name", names)
    work.of(Life).fetch("device", names)
    sealed = {name for name in names if (device := work.of(Device).get(name)) is not None and device.status == "sealed"}
    due = {
        name: [each for each in work.of(Life).where("device", name) if each.due_upto and name not in sealed]
        for name in names
    }
    work.of(Stream).fetch_keys((name, each.inc) for name, lives in due.items() for each in lives)
    mail = WorkMail(work)
    return frozenset(
        name for name, lives in due.items() if all(mail.received(name, each.inc) >= each.due_upto for each in lives)
    )


def give_again(work: Work, device: str, got: Ack) -> None:
    """Write all by which the lost cloud of life ``got.inc`` gave a device tickets once more, if it was not acknowledged."""
    for row in work.rows.mail.unacked(device, got.inc, got.upto):
        if row.kind not in GIVING:
            continue
        envelope = decode(row.envelope, Envelope)
        told = decode(envelope.content, Content)
        if told.origin == CLOUD:
            private = None if envelope.private is None else encode(envelope.private)
            work.of(Letter).add(Letter(device, CLOUD, encode(told.body), private, 0))


def settle_rumours(work: Work, device: str, epochs: Collection[int]) -> None:
    """The device has said which of its requests were confirmed in these ``epochs``: forget what the broker alone knew of them.

    What it knew of others stays counted: a card that went back says nothing of the answers that it forgot.
    """
    for line in work.of(Line).where("device", device):
        if line.remembered:
            dropped = line.remembered if line.epoch in epochs else 0
            work.of(Line).change(line, confirmed=line.confirmed - dropped, remembered=0)
