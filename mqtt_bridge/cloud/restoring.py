"""A cloud that was put back from a backup: it grants nothing until it has heard every device and a person confirmed the list.

Pure over a working set. The generation is raised, so that devices tell what the backup lacks and ignore what the lost cloud
still has under way: totals of all their lives in the hello, then every message again that the backup does not have. A device
counts as heard once its hello names this generation, because from then on no older grant can reach it.
"""

from __future__ import annotations

from collections.abc import Iterable

from mqtt_bridge.cloud.books import NOT_ALL_TOLD
from mqtt_bridge.cloud.catching_up import give_again, settle_rumours
from mqtt_bridge.cloud.closed_epochs import close_lines
from mqtt_bridge.cloud.fleet import Entry
from mqtt_bridge.cloud.records import Cloud, Device, Life, Line, Quota
from mqtt_bridge.cloud.sealing import count_alone
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.protocol.generations import incarnation
from mqtt_bridge.protocol.messages import Ack, DeviceState, Hello

REASON = "The cloud was restored from a backup and waits until every device has been heard or sealed."


class RestoreRefused(Exception):
    """The list cannot be confirmed yet; ``waiting`` are the devices that are missing."""

    def __init__(self, waiting: list[Device]) -> None:
        self.waiting = waiting
        names = ", ".join(each.name for each in waiting)
        super().__init__(f"not heard since the backup was put back: {names}; wait for them or seal them")


def next_generation(work: Work, log: Iterable[Entry]) -> int:
    """Return a generation that no cloud of this organisation ever had."""
    cloud = work.of(Cloud).get(1)
    return max([0 if cloud is None else cloud.generation, *(each.generation for each in log)]) + 1


def begin(work: Work, log: Iterable[Entry], generation: int, suffix: str) -> list[Device]:
    """Turn freshly restored rows into a new generation and return the devices that have to be heard.

    ``log`` is what was written down outside the database: it may know of devices and seals that the backup does not.
    """
    cloud = work.of(Cloud).get(1)
    if cloud is None:
        raise LookupError("this database was never opened as a cloud")
    work.of(Cloud).change(
        cloud, generation=generation, inc=incarnation(generation, suffix), frozen=REASON, restoring=True
    )
    devices = work.of(Device)
    devices.fetch_all()
    for entry in log:
        if entry.kind == "provisioned":
            _provisioned(work, entry)
        elif entry.kind == "sealed":
            _sealed(work, entry)
    for device in devices.fetch_all():
        devices.change(device, link_up=False, state_at_ms=0 if device.inc else device.state_at_ms)
        for inc, upto in work.rows.mail.streams(device.name).items():
            give_again(work, device.name, Ack(inc, upto))
    work.rows.bump_keys()
    return waiting(work)


def _provisioned(work: Work, entry: Entry) -> None:
    if work.of(Device).get(entry.device) is None:
        new = Device(entry.device, entry.venue, "registered", entry.door, entry.at_ms)
        work.of(Device).add(new)


def _sealed(work: Work, entry: Entry) -> None:
    devices = work.of(Device)
    device = devices.get(entry.device)
    if device is None or device.status == "sealed":
        return
    devices.change(device, status="sealed", door=False, answered_by=entry.answered_by)
    if entry.answered_by and (heir := devices.get(entry.answered_by)) is not None and entry.door:
        devices.change(heir, door=True)
    for count in entry.stock:
        believe(work, entry.device, count.quota, count.epoch, **_totals(count.totals))
    close_lines(work, entry.device)
    count_alone(work, entry.device, stolen=entry.stolen)


def _totals(totals: object) -> dict[str, int]:
    return {name: getattr(totals, name) for name in ("granted", "confirmed", "returned", "sold", "cancelled")}


def believe(work: Work, device: str, quota: str, epoch: int, **totals: int) -> None:
    """Take totals over that these rows should have had: the cloud's own two are believed from whoever still knows them."""
    lines = work.of(Line)
    line = lines.get(quota, device, epoch)
    if line is None:
        if not any(totals.values()):
            return
        if work.of(Quota).get(quota) is None:
            # Imported after the backup; it has no limit until the catalogue is imported again.
            work.of(Quota).add(Quota(quota, "", quota, 0, 0, retired=True))
        line = lines.add(Line(quota, device, epoch))
    lines.change(line, **{name: max(value, getattr(line, name)) for name, value in totals.items()})


def hear_again(work: Work, device: Device, hello: Hello) -> Device:
    """Believe what a device was granted, once no older grant can reach it any more: when it names this generation."""
    cloud = work.of(Cloud).get(1)
    if cloud is None or hello.generation != cloud.generation or device.generation == cloud.generation:
        return device
    if cloud.restoring:
        # Guests may have tickets by answers that a card forgot which went back. Another life than the lost cloud knew last may have
        # begun on a card of before an epoch, and says nothing of it.
        same = hello.inc == device.lost_inc
        went_back = hello.began == "went_back" and not same
        spoken_of = work.of(Line).where("device", device.name) if same else hello.stock
        settle_rumours(work, device.name, () if went_back else {each.epoch for each in spoken_of})
        for count in hello.stock:
            granted = {"granted": count.totals.granted, "confirmed": count.totals.confirmed}
            believe(work, device.name, count.quota, count.epoch, **granted)
    return work.of(Device).change(device, generation=cloud.generation)


def remember(work: Work, state: DeviceState) -> None:
    """Take over what the lost cloud last granted to a device, as the broker retained it, until the device itself is heard.

    Not all that it was granted or its requests were answered need have reached it. Grants are told again; requests are answered
    again, so what is known of them in this way alone is noted apart. How much of the device's life the lost cloud had received is
    told with them: a card that was put back meanwhile would else sell once more what it sold of those grants.
    """
    cloud, device = work.of(Cloud).get(1), work.of(Device).get(state.device)
    heard = device is not None and cloud is not None and device.generation >= cloud.generation
    if device is not None and (state.inc != device.lost_inc or state.written > device.lost_upto):
        device = work.of(Device).change(device, lost_inc=state.inc, lost_upto=state.written)
    if device is not None and not heard and device.inc not in {None, state.inc}:
        _superseded(work, device, state.inc)
    for each in state.grants:
        if heard:
            believe(work, state.device, each.quota, each.epoch, granted=each.granted)
            continue
        before = work.of(Line).get(each.quota, state.device, each.epoch)
        believe(work, state.device, each.quota, each.epoch, granted=each.granted, confirmed=each.confirmed)
        line = work.of(Line).get(each.quota, state.device, each.epoch)
        if line is not None:
            more = line.confirmed - (0 if before is None else before.confirmed)
            work.of(Line).change(line, remembered=line.remembered + more)


def _superseded(work: Work, device: Device, inc: str) -> None:
    """The lost cloud knew a later life: whoever still lives the earlier one has a card of before, and begins another."""
    if work.of(Life).get(device.name, inc) is None:
        work.of(Device).change(device, told_to_stop=device.inc)


def lost_epoch(cloud: Cloud, hello: Hello) -> int:
    """Return the epoch that the lost cloud had given to a life which these rows do not know, 0 if there can be none.

    Only of a database's first life: a later one may count what it must not sell, because the life before had a copy.
    """
    first = cloud.restoring and not hello.began
    return max((each.epoch for each in hello.stock), default=0) if first else 0


def forgotten_life(work: Work, device: Device, inc: str) -> Device:
    """Name the life of a device that goes on talking as if nothing had happened, so that a state makes it say hello.

    Until then the life is not introduced, and that state grants nothing. A device that was heard since says hello by itself when
    it begins another life, until it is answered: a state that named it earlier would pass for the answer.
    """
    if not _unheard(work, device) or work.of(Life).get(device.name, inc) is not None:
        return device
    return work.of(Device).change(device, inc=inc)


def named_by_status(work: Work, device: Device) -> bool:
    """Whether the life that these rows take for the present one never said hello (``forgotten_life``)."""
    return _unheard(work, device) and device.inc is not None and work.of(Life).get(device.name, device.inc) is None


def _unheard(work: Work, device: Device) -> bool:
    cloud = work.of(Cloud).get(1)
    return cloud is not None and cloud.restoring and device.generation < cloud.generation


def waiting(work: Work) -> list[Device]:
    """Return the devices that have to be heard or sealed before anything is granted again."""
    cloud = work.of(Cloud).get(1)
    if cloud is None or not cloud.restoring:
        return []
    return [
        each for each in work.of(Device).fetch_all() if each.status != "sealed" and each.generation < cloud.generation
    ]


def confirm(work: Work) -> list[str]:
    """Grant again, because a person looked at the list of devices; returns quotas that stay frozen, with the reason.

    Raises ``RestoreRefused`` while a device is missing.
    """
    missing = waiting(work)
    if missing:
        raise RestoreRefused(missing)
    cloud = work.of(Cloud).get(1)
    if cloud is not None and cloud.restoring:
        work.of(Cloud).change(cloud, restoring=False, frozen="")
    left = []
    figures = {each.quota: each for each in work.rows.figures()}
    for quota in work.of(Quota).fetch_all():
        out = figures[quota.id].out if quota.id in figures else 0
        if quota.limit + quota.extra >= out:
            if quota.frozen:
                work.of(Quota).change(quota, frozen="")
        else:
            # Devices were heard, but may still be telling what frees stock: a door's word of tickets sold by a sealed device.
            work.of(Quota).change(quota, frozen=NOT_ALL_TOLD)
            left.append(f"{quota.name}: {out} are granted or sold, of {quota.limit + quota.extra}")
    return left
