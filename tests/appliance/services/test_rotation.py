from __future__ import annotations

from dataclasses import replace

from appliance.services import booking, door, sync
from appliance.services.booking import Item
from appliance.services.rotation import rotate_key
from mqtt_bridge.keys import KeyFile
from mqtt_bridge.protocol.codec import decode
from mqtt_bridge.protocol.messages import Content, DeviceKey, Envelope, KeyDirectory, KeyPublished
from tests.support.box import BADGE, CHILD, TestBox, guest


def sell(box: TestBox):
    def work(unit):
        return booking.confirm(unit, booking.place_hold(unit, guest(), [Item(CHILD, 1)]).id)

    return box.run(work)


def test_a_new_key_is_announced_by_the_old_one_whose_receipts_stay_good(tmp_path, box):
    key = KeyFile(tmp_path / "device.pem")
    office = replace(box, signer=key)
    before = sell(office)
    retired, retired_public = key.kid, key.public_hex
    new = rotate_key(office, key)
    after = sell(office)
    left = office.look(lambda unit: unit.mail.unacked("cloud", unit.inc))
    envelopes = [decode(row.envelope, Envelope) for row in left]
    bodies = [decode(each.content, Content).body for each in envelopes]
    assert bodies[1] == KeyPublished(new, key.public_hex, retired)
    assert [each.kid for each in envelopes] == [retired, retired, new]
    keys = (
        DeviceKey("north-1", "north", True, retired, retired_public),
        DeviceKey("north-1", "north", True, new, key.public_hex),
    )
    office.run(lambda unit: sync.apply_keys(unit, KeyDirectory(1, keys)))
    for order in (before, after):
        seen = office.run(lambda unit, o=order: door.check_in(unit, o.tickets[0].receipt, BADGE, "1"))
        assert seen.verdict == "admitted"
