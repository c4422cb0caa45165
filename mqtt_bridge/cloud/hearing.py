"""What applying any word of a device needs: the working set of a batch, what is left to do after it, and the list of alarms."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from mqtt_bridge.cloud.alarms import LONGEST_SUBJECT, raise_alarm
from mqtt_bridge.cloud.catalogues import Catalogues, Hosts
from mqtt_bridge.cloud.counts import Counts
from mqtt_bridge.cloud.incoming import Outcome, without_private
from mqtt_bridge.cloud.letterbox import WorkMail
from mqtt_bridge.cloud.records import SILENT_MS, Cloud, Device, outage_columns
from mqtt_bridge.cloud.rows import Rows
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.protocol.catalogue import Catalogue
from mqtt_bridge.protocol.errors import ProtocolError
from mqtt_bridge.protocol.messages import Ack

log = structlog.get_logger("marquee.reconciler")


class Hearing:
    """One transaction in which devices are heard. ``acked`` is how far they have our words, ``freezes`` whether all grants stop."""

    def __init__(
        self, rows: Rows, org: str, wall_ms: int, catalogues: Catalogues, failures: tuple[type[Exception], ...]
    ) -> None:
        self.work = Work(rows)
        self.org = org
        self.wall_ms = wall_ms
        self.outcome = Outcome()
        self.mail = WorkMail(self.work)
        self.counts = Counts(self.work, wall_ms)
        self.hosts = Hosts(self.work, catalogues, wall_ms)
        self.failures = failures
        self.acked: dict[tuple[str, str], int] = {}
        self.freezes = False

    @property
    def cloud(self) -> Cloud:
        """The cloud's row."""
        found = self.work.of(Cloud).get(1)
        if found is None:
            raise LookupError("this database was never opened as a cloud")
        return found

    @property
    def catalogue(self) -> Catalogue:
        """What is on sale, as of this transaction."""
        return self.hosts.catalogue

    def device_named(self, name: str) -> Device:
        """Return a device that is known; raises ``LookupError``."""
        found = self.work.of(Device).get(name)
        if found is None:
            raise LookupError(name)
        return found

    def seen(self, device: Device, inc: str, **values: object) -> Device:
        """Note that a device was heard in one of its lives, and what it said of itself; returns it as it is now."""
        if inc == device.inc and device.older_inc:
            values["older_inc"] = ""
        if not values and device.link_up and device.last_seen_ms == self.wall_ms:
            return device
        outages = device.outage_memory
        if device.link_up and device.last_seen_ms is not None and self.wall_ms - device.last_seen_ms >= SILENT_MS:
            outages = outages.link(device.last_seen_ms, up=False)  # the broker has not noticed
        memory = outage_columns(outages.link(self.wall_ms, up=True))
        return self.work.of(Device).change(device, link_up=True, last_seen_ms=self.wall_ms, **memory, **values)

    def alarm(self, kind: str, subject: str, detail: str, evidence: bytes | None) -> None:
        """List something for a person to look at, with the message that says it."""
        log.warning("alarm", kind=kind, subject=subject)
        kept = without_private(evidence) if evidence else None
        raise_alarm(self.work, kind, subject[:LONGEST_SUBJECT], detail, self.wall_ms, kept)

    def guarded(self, device: str, evidence: bytes, action: Callable[[], None]) -> None:
        """Run ``action`` as a step; whatever it cannot digest becomes an alarm, a failing database does not."""
        try:
            with self.work.step():
                action()
        except ProtocolError as error:
            self.alarm("malformed", device, str(error), evidence)
        except self.failures:
            raise
        except Exception as error:  # noqa: BLE001  one message must not stop a stream
            # An error's text may repeat the values of a person, so only its kind is kept.
            self.alarm("indigestible", device, type(error).__name__, evidence)

    def acknowledged(self, device: Device, ack: Ack) -> None:
        """Note how far a device has our words; it is written at the end of the batch."""
        self.acked[device.name, ack.inc] = max(ack.upto, self.acked.get((device.name, ack.inc), 0))

    def stop(self, device: Device, detail: str) -> Device:
        """The device must begin a new life before it sells again; its present stock stays in doubt."""
        self.outcome.answered.add(device.name)
        self.alarm("went-back", f"{device.name} {device.inc}", detail, None)
        return self.work.of(Device).change(device, told_to_stop=device.inc)
