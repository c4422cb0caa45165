"""A backlog travels in few publications, in order and complete."""

from __future__ import annotations

import msgspec

from mqtt_bridge.mailbox.parcels import LARGEST_BYTES, MOST_ENVELOPES, packed, parcels
from mqtt_bridge.mailbox.rows import Outgoing


def row(seq: int, size: int = 10) -> Outgoing:
    return Outgoing("i", seq, "k", b'"' + b"x" * size + b'"', 0)


def test_rows_are_grouped_in_order_by_number_and_size() -> None:
    rows = [row(seq) for seq in range(1, 2 * MOST_ENVELOPES + 4)]
    assert [len(each) for each in parcels(rows)] == [MOST_ENVELOPES, MOST_ENVELOPES, 3]
    assert [each for parcel in parcels(rows) for each in parcel] == rows
    large = [row(1, LARGEST_BYTES // 2), row(2, LARGEST_BYTES // 2), row(3, 2 * LARGEST_BYTES), row(4)]
    assert [[each.seq for each in parcel] for parcel in parcels(large)] == [[1], [2], [3], [4]]
    assert list(parcels([])) == []


def test_one_travels_as_it_is_and_several_as_a_list_of_the_same_bytes() -> None:
    assert packed([row(1)]) == ("msg", row(1).envelope)
    leaf, payload = packed([row(1), row(2, 3)])
    assert leaf == "batch"
    assert [bytes(each) for each in msgspec.json.decode(payload, type=list[msgspec.Raw])] == [
        row(1).envelope,
        row(2, 3).envelope,
    ]
