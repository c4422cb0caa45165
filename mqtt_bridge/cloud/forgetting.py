"""Of whom nothing may be passed on any more, and which device has forgotten."""

from __future__ import annotations

from mqtt_bridge.cloud.kinds import Telling, applies
from mqtt_bridge.cloud.records import Erasure, ErasureDevice
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.protocol.messages import ErasePersonalData, PersonalDataErased, Private
from mqtt_bridge.protocol.privacy import means


def allowed(work: Work, order: str, private: Private | None) -> Private | None:
    """Return what may be passed on of a personal part: nothing of what was erased before."""
    if private is None:
        return None
    asked = (ErasePersonalData(each.id, each.order, each.salt, each.digest) for each in work.of(Erasure).fetch_all())
    return None if any(means(each, order, private.contact) for each in asked) else private


@applies(PersonalDataErased, lambda _work, body: [[(ErasureDevice, "erasure", body.erasure)]])
def _personal_data_erased(at: Telling, body: PersonalDataErased) -> None:
    asked = at.work.of(ErasureDevice).get(body.erasure, at.device)
    if asked is not None:
        at.work.of(ErasureDevice).change(asked, orders=body.orders, done_at_ms=at.wall_ms)
